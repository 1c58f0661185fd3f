package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// How a run may leave the interpreter before its end.
var (
	errLost     = errors.New("the run is no longer ours: it was cancelled, or another worker holds it")
	errStopping = errors.New("the service stops: the run goes on later")
	errTimeout  = errors.New("the time of the run is over")
)

// parked says that the run waits before it goes on.
type parked struct{ until time.Time }

func (parked) Error() string { return "the run waits" }

// maxCrashes is how many processes may die over one run before it is given up.
const maxCrashes = 25

// maxBackoff is how long a run waits at most before it tries again.
const maxBackoff = 5 * time.Minute

// work is one delivery of a job: it takes the run as far as it goes.
func (s *Service) work(ctx context.Context, id core.ID) error {
	_, err := s.attempt(ctx, id, false)
	return err
}

// attempt reports whether the run was ours to work on.
func (s *Service) attempt(ctx context.Context, id core.ID, force bool) (worked bool, err error) {
	if s.stopped() {
		return false, db.Again{}
	}
	if !s.reserve(id) {
		return false, nil // a second delivery
	}
	defer s.release(id)
	r, err := s.claim(ctx, id, force)
	if err != nil || r == nil {
		return false, err
	}
	ctx, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	s.hold(id, drop)
	ctx, stop := context.WithTimeoutCause(ctx, r.deadline.Sub(s.now()), errTimeout)
	defer stop()
	return true, s.conclude(ctx, r, s.interpret(ctx, r))
}

// conclude writes how the run left the interpreter, where the row does not say so already. When the database does not
// answer the lease runs out, and somebody goes on.
func (s *Service) conclude(ctx context.Context, r *run, err error) error {
	ctx = context.WithoutCancel(ctx)
	var p parked
	var f *failure
	switch {
	case err == nil, errors.Is(err, errLost):
		return nil
	case errors.As(err, &p):
		return db.Again{After: p.until.Sub(s.now())}
	case errors.As(err, &f):
		s.log.WarnContext(ctx, "flows: run failed", "run", r.id, "kind", f.err.Kind, "err", err)
		err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			if err := r.write(ctx, tx, f.dirty); err != nil {
				return err
			}
			return s.finish(ctx, tx, r, failed, nil, f.err)
		})
		if errors.Is(err, errLost) {
			return nil
		}
		return err
	}
	until := s.now()
	if !errors.Is(err, errStopping) {
		s.log.WarnContext(ctx, "flows: run interrupted", "run", r.id, "err", err)
		until = until.Add(time.Second)
	}
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return s.park(ctx, tx, r, until) })
	if err == nil {
		return db.Again{After: until.Sub(s.now())}
	}
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

// interpreter walks the steps of one run.
type interpreter struct {
	s     *Service
	r     *run
	flow  *definition
	marks map[key]*mark
	dirty []*mark // pure steps whose marks are written with the next effect
	scope map[string]any
	steps map[string]any
	vars  map[string]any
	ended bool // the last step has ended the run in its own transaction
}

// interpret runs what is left of the run. It returns nil when the run has ended well.
func (s *Service) interpret(ctx context.Context, r *run) error {
	d, err := s.version(ctx, r.flowID, r.version)
	if err != nil {
		return err
	}
	if r.crashes > maxCrashes {
		return fatal(core.Limit, fmt.Sprintf("the server stopped %s during this run, which is given up: look for a step that needs too much memory", core.Count(r.crashes, "time")))
	}
	in := &interpreter{s: s, r: r, flow: d, marks: map[key]*mark{}, steps: map[string]any{}, vars: map[string]any{}}
	if r.attempts > 1 {
		if in.marks, err = s.marks(ctx, r, in.vars); err != nil {
			return err
		}
	}
	in.scope = map[string]any{"trigger": r.input, "steps": in.steps, "vars": in.vars}
	err = in.list(ctx, d.steps, nil, true)
	var f *failure
	if errors.As(err, &f) {
		f.dirty = in.dirty
	}
	if err != nil || in.ended {
		return err
	}
	return in.tx(ctx, func(tx *db.Tx) error { return in.end(ctx, tx) })
}

// end ends the run well.
func (in *interpreter) end(ctx context.Context, tx *db.Tx) error {
	output, err := toJSON(in.vars)
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
		if err := in.r.write(ctx, tx, marks); err != nil {
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
		m.stored = true
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
	m.name, m.kind = st.name(), st.kind
	if m.status == failed { // in an item whose for_each goes on
		return &failure{err: &core.Error{Op: "flows.step", Kind: core.Failed, Msg: "step " + where(m) + " failed"}}
	}
	switch st.kind {
	case "action":
		return in.action(ctx, st, m, last)
	case "set":
		return in.set(ctx, st, m)
	case "if":
		return in.branch(ctx, st, m, it, last)
	}
	return in.forEach(ctx, st, m, it)
}

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
	in.dirty = append(in.dirty, m)
	if len(in.dirty) < 100 {
		return nil
	}
	return in.tx(ctx, func(tx *db.Tx) error { return in.s.keep(ctx, tx, in.r) })
}

func (in *interpreter) set(ctx context.Context, st *step, m *mark) error {
	if m.status == succeeded {
		return nil // interpret has put the values into vars
	}
	c, err := in.caller(in.s.store.Snapshot())
	if err != nil {
		return in.stop(ctx, m, err)
	}
	values, err := evalFields(st.values, in.scope, c)
	if err != nil {
		return in.stop(ctx, m, err)
	}
	raw, err := toJSON(values)
	if err == nil {
		err = unmarshal(raw, &in.vars) // as a run that resumes would see them
	}
	if err != nil {
		return in.stop(ctx, m, err)
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
			return in.stop(ctx, m, err)
		}
		switch v := v.(type) {
		case nil: // unknown
		case bool:
			yes = v
		default:
			return in.stop(ctx, m, core.E("flows.if", core.Invalid, fmt.Sprintf("the condition is %T, and neither true nor false", v)))
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

// maxItems is how long a list of for_each may be.
const maxItems = 100_000

func (in *interpreter) forEach(ctx context.Context, st *step, m *mark, it iteration) error {
	var saved itemList
	if m.status == succeeded {
		return in.remember(ctx, st, m)
	}
	if m.stored {
		if err := in.s.column(ctx, m, "input", &saved); err != nil {
			return err
		}
	} else if err := in.begin(ctx, st, m, &saved.Items); err != nil {
		return err
	}
	count := len(saved.Items)
	first, bad := in.resume(st, it)
	before, hadItem := in.scope[st.as]
	for i := first; i < count; i++ {
		in.scope[st.as] = saved.Items[i]
		err := in.list(ctx, st.body, append(it[:len(it):len(it)], i), false)
		var f *failure
		if errors.As(err, &f) && !f.final {
			if st.keepGoing {
				bad++
				err = nil
			} else {
				m.status, m.err, m.finished = failed, f.err, in.s.now()
				m.input, _ = toJSON(saved)
				in.dirty = append(in.dirty, m)
			}
		}
		if err != nil {
			return err
		}
		in.forget(st, it, i)
	}
	delete(in.scope, st.as)
	if hadItem {
		in.scope[st.as] = before
	}
	for _, id := range idsOf(st.body, nil) {
		delete(in.steps, id)
	}
	out := map[string]any{"count": int64(count), "failed": int64(bad)}
	m.input, _ = toJSON(saved)
	if err := in.pure(ctx, m, nil, out); err != nil {
		return err
	}
	return in.known(st, out)
}

// itemList is what the mark of a for_each keeps.
type itemList struct {
	Items []any `json:"items"`
}

// resume returns the item with which a for_each goes on, and how many before it failed: items before the last that was begun
// are done.
func (in *interpreter) resume(st *step, it iteration) (first, bad int) {
	for k, m := range in.marks {
		if n, ok := m.item(k, st, it); ok {
			first = max(first, n)
		}
	}
	failures := map[int]bool{}
	for k, m := range in.marks {
		n, ok := m.item(k, st, it)
		if !ok || n >= first {
			continue
		}
		if m.status == failed && strings.Count(k.iter, ".") == len(it) { // and not of an item of a for_each inside
			failures[n] = true
		}
		if m.stored {
			delete(in.marks, k)
		}
	}
	return first, len(failures)
}

// begin evaluates the list, which the mark keeps: what a run that resumes goes through is what it began with.
func (in *interpreter) begin(ctx context.Context, st *step, m *mark, items *[]any) error {
	v, err := in.eval(st.cond)
	if err == nil {
		list, ok := v.([]any)
		switch {
		case v == nil:
		case !ok:
			err = core.E("flows.for_each", core.Invalid, "in is no list")
		case len(list) > maxItems:
			err = core.E("flows.for_each", core.Limit, fmt.Sprintf("the list has %d items, and at most %d are allowed", len(list), maxItems))
		}
		if list == nil {
			list = []any{}
		}
		if err == nil {
			m.input, err = toJSON(itemList{list})
		}
		var saved itemList
		if err == nil {
			err = unmarshal(m.input, &saved)
		}
		*items = saved.Items
	}
	if err != nil {
		var e *core.Error
		if errors.As(err, &e) && e.Kind == core.Limit {
			err = core.E("flows.for_each", core.Failed, e.Msg) // trying again does not make it shorter
		}
		return in.stop(ctx, m, err)
	}
	m.status, m.attempt, m.started = running, 1, in.s.now()
	return in.later(ctx, m)
}

// item reports the item of the for_each step, in the iteration around it, that the mark belongs to.
func (m *mark) item(k key, st *step, it iteration) (n int, ok bool) {
	if !strings.HasPrefix(k.path, st.path+".steps.") {
		return 0, false
	}
	rest := k.iter
	if len(it) > 0 {
		if rest, ok = strings.CutPrefix(k.iter, it.String()+"."); !ok {
			return 0, false
		}
	}
	_, err := fmt.Sscanf(rest, "%d", &n)
	return n, err == nil && m.status != ""
}

// forget drops the marks of an item that is done, but for those still to be written.
func (in *interpreter) forget(st *step, it iteration, i int) {
	iter := append(it[:len(it):len(it)], i).String()
	for k, m := range in.marks {
		if m.stored && (k.iter == iter || strings.HasPrefix(k.iter, iter+".")) && strings.HasPrefix(k.path, st.path+".") {
			delete(in.marks, k)
		}
	}
}

func idsOf(steps []*step, out []string) []string {
	for _, st := range steps {
		if st.id != "" {
			out = append(out, st.id)
		}
		for _, list := range [][]*step{st.then, st.els, st.body} {
			out = idsOf(list, out)
		}
	}
	return out
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

// failure ends the run, or the item of a for_each.
type failure struct {
	err   *core.Error
	dirty []*mark // still to be written
	final bool    // it ends the run in any case
}

func (f *failure) Error() string { return f.err.Error() }

// fatal is a failure that is not of a step.
func fatal(k core.ErrKind, msg string) error {
	return &failure{err: &core.Error{Op: "flows.run", Kind: k, Msg: msg}, final: true}
}

// stop ends a step with an error for good.
func (in *interpreter) stop(ctx context.Context, m *mark, cause error) error {
	e := core.AsError(cause)
	m.status, m.err, m.finished = failed, e, in.s.now()
	m.attempt = max(m.attempt, 1)
	if m.started.IsZero() {
		m.started = m.finished
	}
	err := in.tx(ctx, func(tx *db.Tx) error { return in.s.keep(ctx, tx, in.r) }, m)
	if err != nil {
		return err
	}
	msg := e.Public()
	if e.Kind == core.Internal {
		msg = "" // as everywhere, strangers read nothing of it
	} else {
		msg = "step " + where(m) + ": " + msg
	}
	return &failure{err: &core.Error{Op: "flows.step", Kind: e.Kind, Msg: msg, Err: errors.New(cause.Error())}}
}

func where(m *mark) string {
	if m.iter == "" {
		return m.path
	}
	return m.path + " of item " + m.iter
}

// action runs the action of a step once, and decides what comes of an error.
func (in *interpreter) action(ctx context.Context, st *step, m *mark, last bool) error {
	if m.status == succeeded {
		return in.remember(ctx, st, m)
	}
	m.attempt++
	m.started, m.finished, m.err = in.s.now(), time.Time{}, nil
	out, err := in.perform(ctx, st, m, last)
	switch {
	case err == nil:
		return in.known(st, out)
	case errors.Is(err, errLost):
		return err
	case ctx.Err() != nil:
		cut := in.interrupted(ctx)
		var f *failure
		if errors.As(cut, &f) { // the time is over
			if err := in.stop(ctx, m, f.err); errors.Is(err, errLost) {
				return err
			}
		}
		return cut
	}
	in.s.log.InfoContext(ctx, "flows: step failed", "run", in.r.id, "step", where(m), "attempt", m.attempt, "kind", core.KindOf(err), "err", err)
	var p *panicked
	if errors.As(err, &p) || !core.KindOf(err).Retry() || int(m.attempt) >= in.flow.retry.attempts {
		return in.stop(ctx, m, err)
	}
	return in.retry(ctx, m, core.AsError(err))
}

// retry puts the run off until the step is tried again.
func (in *interpreter) retry(ctx context.Context, m *mark, cause *core.Error) error {
	m.status, m.err, m.finished = waiting, cause, in.s.now()
	pause := in.flow.retry.backoff << min(m.attempt-1, 20)
	if pause <= 0 || pause > maxBackoff {
		pause = max(maxBackoff, in.flow.retry.backoff)
	}
	until := in.s.now().Add(pause/2 + rand.N(pause))
	if err := in.tx(ctx, func(tx *db.Tx) error { return in.s.park(ctx, tx, in.r, until) }, m); err != nil {
		return err
	}
	return parked{until}
}

// perform calls the action and marks the step as done, in one transaction unless the action works alone.
func (in *interpreter) perform(ctx context.Context, st *step, m *mark, last bool) (out map[string]any, err error) {
	a := st.actionSpec
	snap := in.s.store.Snapshot()
	caller, err := in.caller(snap)
	if err != nil {
		return nil, err
	}
	if a.Privilege != "" {
		if err := snap.Policy.May(caller, a.Privilege); err != nil {
			return nil, err
		}
	}
	call := core.Call{Key: string(in.r.id) + "/" + m.path + "/" + m.iter}
	values, err := evalFields(st.values, in.scope, caller)
	if err != nil {
		return nil, err
	}
	if call.In, err = core.ParseInput(a.Input, values); err != nil {
		return nil, err
	}
	if m.input, err = toJSON(values); err != nil {
		return nil, err
	}
	done := func(tx *db.Tx, result core.Record) error {
		if out, err = normalize(a, result); err != nil {
			return err
		}
		if m.output, err = toJSON(out); err != nil {
			return err
		}
		m.status, m.finished = succeeded, in.s.now()
		return in.done(ctx, tx, m, last)
	}
	ctx = core.WithCaller(ctx, caller)
	if a.Alone {
		err = in.alone(ctx, a, call, m, done)
	} else {
		err = in.s.store.Tx(ctx, tables.TxOptions{Define: a.Define}, func(ctx context.Context, tx *tables.Tx) error {
			result, err := in.s.protect(ctx, a, call)
			if err != nil {
				return err
			}
			return done(tx.DB(), result)
		})
	}
	if err != nil {
		m.status, m.output = "", nil
		return nil, err
	}
	in.clean(append(in.dirty, m))
	in.ended = last
	return out, nil
}

// alone runs an action that opens transactions of its own. That it was begun is written before: it may run for long.
func (in *interpreter) alone(ctx context.Context, a *core.Action, call core.Call, m *mark, done func(*db.Tx, core.Record) error) error {
	m.status = running
	if err := in.tx(ctx, func(tx *db.Tx) error { return in.s.keep(ctx, tx, in.r) }, m); err != nil {
		return err
	}
	result, err := in.s.protect(ctx, a, call)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return in.s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return done(tx, result) })
}

// done writes that the step is done, what was still to be written, and when nothing comes behind it the end of the run.
func (in *interpreter) done(ctx context.Context, tx *db.Tx, m *mark, last bool) error {
	if err := in.r.write(ctx, tx, append(in.dirty[:len(in.dirty):len(in.dirty)], m)); err != nil {
		return err
	}
	if last {
		return in.end(ctx, tx)
	}
	return in.s.keep(ctx, tx, in.r)
}

// panicked is the error of an action that panicked: it would again.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// protect runs an action, and makes an error of a panic in it.
func (s *Service) protect(ctx context.Context, a *core.Action, call core.Call) (out core.Record, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = core.E("flows."+a.Name, core.Internal, &panicked{r, debug.Stack()})
		}
	}()
	return a.Run(ctx, call)
}

// normalize brings what an action returned into the forms of its output.
func normalize(a *core.Action, r core.Record) (map[string]any, error) {
	out := make(map[string]any, len(r))
	t := core.Table{Name: a.Name, Columns: a.Output}
	for name, v := range r {
		c, err := t.Need(name)
		if err != nil {
			return nil, core.E("flows."+a.Name, core.Internal, fmt.Errorf("the output is not as described: %w", err))
		}
		if out[name], err = c.Parse(v); err != nil {
			return nil, core.E("flows."+a.Name, core.Internal, fmt.Errorf("the output is not as described: %w", err))
		}
	}
	return out, nil
}

// toJSON is v as our JSON columns keep it.
func toJSON(v any) ([]byte, error) {
	out, err := anyJSON.Parse(v)
	if err != nil {
		return nil, core.E("flows.toJSON", err)
	}
	raw, _ := out.(json.RawMessage)
	return raw, nil
}
