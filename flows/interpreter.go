package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// course is one run at work, on which several branches may be. Who has the turn reads and writes it.
type course struct {
	turn  sync.Mutex
	s     *Service
	r     *run
	flow  *definition
	marks map[key]*mark
	dirty []*mark // pure steps whose marks are written with the next effect
	vars  map[string]any
	ended bool // the last step has ended the run in its own transaction
}

// interpreter walks the steps of one run, or of a branch of it.
type interpreter struct {
	*course
	scope map[string]any
	steps map[string]any
	group *group // of the parallel step around it; nil for none
	leave func() // has the other branches of that begin; nil for none
}

// interpret runs what is left of the run. It returns nil when the run has ended well.
func (s *Service) interpret(ctx context.Context, r *run) error {
	d, err := s.version(ctx, r.flowID, r.version)
	if err != nil {
		return err
	}
	r.flow = d
	if r.crashes > maxCrashes {
		return fatal(core.Limit, fmt.Sprintf("the server stopped %s during this run, which is given up: look for a step that needs too much memory", core.Count(r.crashes, "time")))
	}
	in := &interpreter{course: &course{s: s, r: r, flow: d, marks: map[key]*mark{}, vars: map[string]any{}}, steps: map[string]any{}}
	in.turn.Lock()
	defer in.turn.Unlock()
	if r.attempts > 1 {
		if in.marks, err = s.marks(ctx, r, in.vars); err != nil {
			return err
		}
	}
	in.scope = map[string]any{"trigger": r.input, "steps": in.steps, "vars": in.vars}
	err = in.walk(ctx)
	var end *ending
	if errors.As(err, &end) {
		in.ended = end.status != failed
		err = in.terminated(ctx, end)
	}
	var f *failure
	if errors.As(err, &f) {
		err = in.compensate(ctx, f)
	}
	if errors.Is(err, errSuspended) {
		return in.tx(ctx, func(tx *db.Tx) error { return s.suspend(ctx, tx, r) })
	}
	if err != nil || in.ended {
		return err
	}
	return in.tx(ctx, func(tx *db.Tx) error { return in.end(ctx, tx) })
}

// walk runs the steps, as long as the run has time.
func (in *interpreter) walk(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, in.r.deadline.Sub(in.s.now()), errTimeout)
	defer stop()
	return in.list(ctx, in.flow.steps, nil, true)
}

// end ends the run well.
func (in *interpreter) end(ctx context.Context, tx *db.Tx) error {
	t, err := in.flow.trace(in.s.store.Snapshot(), in.r.owner)
	if err != nil {
		return err
	}
	output, err := toJSON(t.shownVariables(in.vars))
	if err != nil {
		return err
	}
	return in.s.finish(ctx, tx, in.r, succeeded, output, nil)
}

// tx writes the marks of pure steps with what f does, and forgets that they are dirty when that is done.
func (in *interpreter) tx(ctx context.Context, f func(tx *db.Tx) error, marks ...*mark) error {
	ctx = context.WithoutCancel(ctx) // it is short, and whether the run is ours is asked inside
	marks = append(in.dirty, marks...)
	err := in.s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		if err := in.s.write(ctx, tx, in.r, marks); err != nil {
			return err
		}
		return f(tx)
	})
	if err == nil {
		in.clean(marks)
	}
	return err
}

func (in *interpreter) clean(marks []*mark) {
	for _, m := range marks {
		m.stored, m.awaits = true, nil
	}
	in.dirty = nil
}

// list runs steps in order. last says that nothing comes behind them, so that the last can end the run.
func (in *interpreter) list(ctx context.Context, steps []*step, it iteration, last bool) error {
	for i, st := range steps {
		if err := in.interrupted(ctx); err != nil {
			return err
		}
		if err := in.step(ctx, st, it, last && i == len(steps)-1); err != nil {
			return err
		}
	}
	return nil
}

// interrupted returns why no further step may begin.
func (in *interpreter) interrupted(ctx context.Context) error {
	if in.s.stopped() {
		return errStopping
	}
	if ctx.Err() == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return fatal(core.Failed, fmt.Sprintf("the run took longer than its time, %s: set a longer timeout, or do less in one run", in.flow.timeout))
	case errors.Is(cause, errLost):
		return errLost
	}
	return errStopping
}

func (in *interpreter) step(ctx context.Context, st *step, it iteration, last bool) error {
	m := in.marks[key{st.path, it.String()}]
	if m == nil {
		m = &mark{id: core.NewID(), path: st.path, iter: it.String(), name: st.name(), kind: st.kind}
		in.marks[key{m.path, m.iter}] = m
	}
	m.name, m.kind, m.step = st.name(), st.kind, st
	if m.status == cancelled || in.over() && !m.known(st) {
		return errGivenUp
	}
	err := in.do(ctx, st, m, it, last)
	if f := catchable(err); f != nil && st.onError != nil {
		return in.caught(ctx, f, st.onError, it)
	}
	return err
}

// do runs one step, or remembers how it ended.
func (in *interpreter) do(ctx context.Context, st *step, m *mark, it iteration, last bool) error {
	if m.status == failed && !st.holds() {
		return m.failure(m.err)
	}
	switch st.kind {
	case "action":
		return in.action(ctx, st, m, last)
	case "set":
		return in.set(ctx, st, m)
	case "if":
		return in.branch(ctx, st, m, it, last)
	case "switch":
		return in.choose(ctx, st, m, it, last)
	case "try":
		return in.try(ctx, st, m, it)
	case "parallel":
		return in.parallel(ctx, st, m, it)
	case "terminate":
		return in.terminate(ctx, st, m)
	case "wait":
		return in.await(ctx, st, m, it)
	case "call":
		return in.call(ctx, st, m)
	case "approval":
		return in.approval(ctx, st, m)
	}
	return in.forEach(ctx, st, m, it)
}

// holds reports whether the step fails by a step inside: that one says how.
func (s *step) holds() bool { return s.kind == "for_each" || s.kind == "try" || s.kind == "parallel" }

// caller is the identity of the run, with the rights that it has now, and without a context's for nobody else's are of use.
func (in *interpreter) caller(snap *tables.Snapshot) (core.Caller, error) {
	c, err := snap.Policy.Caller(in.r.owner, core.Cause{Kind: "flow", ID: string(in.r.id), Depth: in.r.depth + 1})
	if err != nil {
		return c, core.E("flows.caller", core.Denied, "the user that the flow acts as cannot: "+core.AsError(err).Msg)
	}
	return c, nil
}

// pure marks a step without an effect as done; the mark is written later.
func (in *interpreter) pure(ctx context.Context, m *mark, input, output any) error {
	now := in.s.now()
	if m.started.IsZero() {
		m.started = now
	}
	m.status, m.attempt, m.finished = succeeded, 1, now
	var err error
	if input != nil {
		if m.input, err = toJSON(input); err != nil {
			return err
		}
	}
	if m.output, err = toJSON(output); err != nil {
		return err
	}
	return in.later(ctx, m)
}

// later writes m with the next effect, or when many wait.
func (in *interpreter) later(ctx context.Context, m *mark) error {
	in.wait(m)
	if len(in.dirty) < 100 {
		return nil
	}
	return in.tx(ctx, func(tx *db.Tx) error { return in.s.keep(ctx, tx, in.r) })
}

// wait has m written with the next effect. A for_each may wait already, from when it began.
func (in *interpreter) wait(m *mark) {
	if !slices.Contains(in.dirty, m) {
		in.dirty = append(in.dirty, m)
	}
}

func (in *interpreter) set(ctx context.Context, st *step, m *mark) error {
	if m.status == succeeded {
		return nil // interpret has put the values into vars
	}
	c, err := in.caller(in.s.store.Snapshot())
	if err != nil {
		return in.stop(ctx, st, m, err)
	}
	values, err := evalFields(st.values, in.scope, c)
	if err != nil {
		return in.stop(ctx, st, m, err)
	}
	raw, err := toJSON(values)
	if err == nil {
		err = unmarshal(raw, &in.vars) // as a run that resumes would see them
	}
	if err != nil {
		return in.stop(ctx, st, m, err)
	}
	return in.pure(ctx, m, nil, values)
}

func (in *interpreter) branch(ctx context.Context, st *step, m *mark, it iteration, last bool) error {
	yes := false
	if m.status == succeeded {
		if err := in.s.recall(ctx, m, &yes); err != nil {
			return err
		}
	} else {
		v, err := in.eval(st.cond)
		if err != nil {
			return in.stop(ctx, st, m, err)
		}
		switch v := v.(type) {
		case nil: // unknown
		case bool:
			yes = v
		default:
			return in.stop(ctx, st, m, core.E("flows.if", core.Invalid, fmt.Sprintf("the condition is %T, and neither true nor false", v)))
		}
		if err := in.pure(ctx, m, nil, yes); err != nil {
			return err
		}
	}
	if yes {
		return in.list(ctx, st.then, it, last)
	}
	return in.list(ctx, st.els, it, last)
}

// recall reads the output of a step that is done.
func (s *Service) recall(ctx context.Context, m *mark, to any) error {
	if m.output != nil {
		return unmarshal(m.output, to)
	}
	return s.column(ctx, m, "output", to)
}

func (in *interpreter) eval(v *value) (any, error) {
	c, err := in.caller(in.s.store.Snapshot())
	if err != nil {
		return nil, err
	}
	return v.eval(in.scope, c)
}

// remember puts what a step that is done returned where expressions find it.
func (in *interpreter) remember(ctx context.Context, st *step, m *mark) error {
	if st.id == "" {
		return nil
	}
	var out any
	if err := in.s.recall(ctx, m, &out); err != nil {
		return err
	}
	in.steps[st.id] = out
	return nil
}

// known is remember for a step that was just done. Expressions see what they would after a crash.
func (in *interpreter) known(st *step, out any) error {
	if st.id == "" {
		return nil
	}
	raw, err := toJSON(out)
	if err != nil {
		return err
	}
	var v any
	if err := unmarshal(raw, &v); err != nil {
		return err
	}
	in.steps[st.id] = v
	return nil
}
