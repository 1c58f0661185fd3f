package flows

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"strings"
	"sync"

	"colonnade/core"
	"colonnade/core/db"
)

// maxBranches is how many branches a parallel step may have.
const maxBranches = 20

// branch is one of the lists of steps of a parallel step.
type branch struct {
	name  string
	steps []*step
}

// errGivenUp says that a branch is not gone on with, since what its parallel step comes to is known without it.
var errGivenUp = errors.New("the branch is given up")

// group is a parallel step at work. It is read and written by who has the turn.
type group struct {
	up      *group // around it; nil for none
	of      int    // branches
	need    int    // how many must end well; 0 to wait for the end of all
	ok, bad int
	over    bool // no step begins any more
}

// over reports whether no step may begin here any more.
func (in *interpreter) over() bool {
	for g := in.group; g != nil; g = g.up {
		if g.over {
			return true
		}
	}
	return false
}

// ended counts how a branch has left its steps.
func (g *group) ended(err error) {
	switch {
	case err == nil:
		g.ok++
	case catchable(err) != nil:
		g.bad++
	case !errors.Is(err, errSuspended) && !errors.Is(err, errGivenUp):
		g.over = true // the run ends, or goes on later
	}
	if g.need > 0 && (g.ok >= g.need || g.bad > g.of-g.need) {
		g.over = true
	}
}

// known reports whether the step is one that a branch may come to which is given up: what it did is remembered, or the steps in it know.
func (m *mark) known(st *step) bool {
	switch {
	case m.status == succeeded || m.status == failed:
		return true
	case st.kind == "for_each":
		return m.status != ""
	}
	return st.kind == "try" || st.kind == "parallel"
}

// outcomes are what a parallel step returns.
type outcomes struct {
	Succeeded int                `json:"succeeded"`
	Failed    int                `json:"failed"`
	Branches  map[string]outcome `json:"branches"`
}

type outcome struct {
	Status  string `json:"status"`
	Step    string `json:"step,omitempty"` // that failed
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
}

// parallel runs branches, until as many of them have ended well as must, or too few still can. Which that were is written down before anything
// else happens: a run that resumes, when more has come to pass, decides the same.
func (in *interpreter) parallel(ctx context.Context, st *step, m *mark, it iteration) error {
	decided := m.status == succeeded || m.status == failed
	if m.status == "" {
		m.status, m.attempt, m.started = running, 1, in.s.now()
		if err := in.later(ctx, m); err != nil {
			return err
		}
	}
	g := &group{up: in.group, of: len(st.branches), need: st.need, over: decided}
	errs := in.branches(ctx, st, it, g)
	if err := foremost(errs); err != nil {
		var end *ending
		if errors.As(err, &end) && !decided && !in.over() {
			if bad := in.giveUp(ctx, st, it); bad != nil {
				return bad
			}
		}
		return err
	}
	var out outcomes
	switch {
	case decided:
		if err := in.s.recall(ctx, m, &out); err != nil {
			return err
		}
	case in.over():
		return errGivenUp
	case !g.over && g.ok+g.bad < g.of:
		return errSuspended
	default:
		out = outcomes{g.ok, g.bad, map[string]outcome{}}
		for i, b := range st.branches {
			out.Branches[b.name] = outcomeOf(errs[i])
		}
		if err := in.decide(ctx, st, m, it, g, out); err != nil {
			return err
		}
	}
	if m.status == failed {
		return out.failure(st)
	}
	return in.known(st, out)
}

func outcomeOf(err error) outcome {
	switch f := catchable(err); {
	case err == nil:
		return outcome{Status: succeeded}
	case f != nil:
		return outcome{failed, f.step, string(f.err.Kind), f.said}
	}
	return outcome{Status: cancelled}
}

// failure is that of the first branch that failed, in the order of the text.
func (o outcomes) failure(st *step) *failure {
	for _, b := range st.branches {
		if one := o.Branches[b.name]; one.Status == failed {
			f := &failure{err: &core.Error{Op: "flows.parallel", Kind: core.ErrKind(one.Kind)}, step: one.Step, said: one.Message}
			if f.err.Kind != core.Internal {
				f.err.Msg = "step " + one.Step + ": " + one.Message
			}
			return f
		}
	}
	panic("flows: a parallel step failed, and no branch of it")
}

// decide writes how the step has ended, and gives up the branches that have not.
func (in *interpreter) decide(ctx context.Context, st *step, m *mark, it iteration, g *group, out outcomes) (err error) {
	m.status, m.finished = succeeded, in.s.now()
	if g.ok < g.need {
		m.status, m.err = failed, out.failure(st).err
	}
	if m.output, err = toJSON(out); err != nil {
		return err
	}
	if g.ok+g.bad == g.of { // nothing can come to pass that would decide otherwise
		return in.later(ctx, m)
	}
	in.wait(m)
	return in.giveUp(ctx, st, it)
}

// foremost is the error for which the run leaves the steps at once, whatever the other branches do; nil for none.
func foremost(errs []error) (first error) {
	rank := 0
	for _, err := range errs {
		var end *ending
		of := 2
		switch {
		case err == nil, errors.Is(err, errSuspended), errors.Is(err, errGivenUp), catchable(err) != nil:
			continue
		case errors.Is(err, errLost):
			of = 3
		case errors.As(err, &end):
			of = 1
		}
		if of > rank {
			first, rank = err, of
		}
	}
	return first
}

// branches runs the branches one behind the other, but that others are worked on while one waits for an action that opens transactions of its
// own. It returns how each has left its steps.
func (in *interpreter) branches(ctx context.Context, st *step, it iteration, g *group) []error {
	errs := make([]error, len(st.branches))
	inner := make([]*interpreter, len(st.branches))
	var work sync.WaitGroup
	open := 0
	for i, b := range st.branches {
		open++
		work.Add(1)
		inner[i] = in.beside(g, func(one *interpreter) error { return one.guarded(ctx, b.steps, it) }, func(err error) {
			errs[i] = err
			open--
			work.Done()
		})
	}
	if open > 0 {
		in.outside(work.Wait)
	}
	for _, one := range inner {
		maps.Copy(in.steps, one.steps)
	}
	return errs
}

// beside has f run by an interpreter of its own, and returns when f has ended or waits for an action that opens transactions of its own. Who
// calls it has the turn, and so have f and ended.
func (in *interpreter) beside(g *group, f func(*interpreter) error, ended func(error)) *interpreter {
	away := make(chan struct{})
	one := &interpreter{course: in.course, scope: maps.Clone(in.scope), steps: maps.Clone(in.steps), group: g, leave: sync.OnceFunc(func() { close(away) })}
	one.scope["steps"] = one.steps
	go func() { // it takes the turn over from us
		err := f(one)
		g.ended(err)
		ended(err)
		one.leave()
		in.turn.Unlock()
	}()
	<-away
	in.turn.Lock()
	return one
}

// guarded runs the steps of a branch. A panic is the run's, and not the process's.
func (in *interpreter) guarded(ctx context.Context, steps []*step, it iteration) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = core.E("flows.parallel", core.Internal, &panicked{r, debug.Stack()})
		}
	}()
	return in.list(ctx, steps, it, false)
}

// outside lets other branches go on while f is at work, which must not touch what they share.
func (in *interpreter) outside(f func()) {
	if in.leave != nil {
		in.leave()
	}
	in.turn.Unlock()
	defer in.turn.Lock()
	f()
}

// giveUp forgets what the branches of the step wait for, and cancels the runs that they have called.
func (in *interpreter) giveUp(ctx context.Context, st *step, it iteration) error {
	at := it.String()
	for k, m := range in.marks {
		if within(k, st, at) && (m.status == waiting || m.status == running) {
			m.status, m.finished = cancelled, in.s.now()
			if m.awaits = nil; !m.stored {
				in.wait(m)
			}
		}
	}
	return in.tx(ctx, func(tx *db.Tx) error {
		if err := in.s.keep(ctx, tx, in.r); err != nil { // first, as all who write about what the run waits for
			return err
		}
		under := func(b *db.Builder) *db.Builder {
			prefix := st.inside()
			b.Write(" AND substr(path, 1, ").Arg(int64(len(prefix))).Write(") = ").Arg(prefix)
			if at != "" {
				b.Write(" AND (iteration = ").Arg(at).Write(" OR substr(iteration, 1, ").Arg(int64(len(at) + 1)).Write(") = ").Arg(at + ".").Write(")")
			}
			return b
		}
		b := db.New(tx.Dialect).Write(`UPDATE "_flow_step" SET status = 'cancelled', finished_at = `).Value(&moment, in.s.now()).
			Write(" WHERE status IN ('waiting', 'running') AND run_id = ").Arg(in.r.id)
		if _, err := tx.Exec(ctx, under(b)); err != nil {
			return err
		}
		var called []core.ID
		b = db.New(tx.Dialect).Write(`UPDATE "_flow_wait" SET state = 2, event = NULL WHERE state < 2 AND run_id = `).Arg(in.r.id)
		err := tx.Query(ctx, under(b).Write(" RETURNING source"), func(scan func(...any) error) error {
			var source string
			err := scan(&source)
			if id, ok := strings.CutPrefix(source, ofRun); ok {
				called = append(called, core.ID(id))
			}
			return err
		})
		if err == nil {
			err = in.s.closeApprovals(ctx, tx, in.r.id, under)
		}
		for _, id := range called {
			if err == nil {
				_, err = in.s.cancelRun(ctx, tx, id)
			}
		}
		return err
	})
}

// within reports whether a mark is of a step in a branch of st, in the iteration at.
func within(k key, st *step, at string) bool {
	return strings.HasPrefix(k.path, st.inside()) && (at == "" || k.iter == at || strings.HasPrefix(k.iter, at+"."))
}

// inside is how the paths of the steps in branches or items of the step begin.
func (s *step) inside() string {
	if s.kind == "for_each" {
		return s.path + ".steps."
	}
	return s.path + branching
}

// branching is in the path of a step of a branch, in front of the name of that.
const branching = ".parallel."
