package flows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// action runs the action of a step once, and decides what comes of an error.
func (in *interpreter) action(ctx context.Context, st *step, m *mark, last bool) error {
	if m.status == succeeded {
		return in.remember(ctx, st, m)
	}
	if m.status == waiting && in.group != nil {
		if early, err := in.early(ctx, m); early || err != nil {
			return cmp.Or(err, errSuspended)
		}
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
			if err := in.stop(ctx, st, m, f.err); errors.Is(err, errLost) {
				return err
			}
		}
		return cut
	}
	said := in.logged(st, err)
	in.s.log.InfoContext(ctx, "flows: step failed", "run", in.r.id, "step", where(m), "attempt", m.attempt, "kind", core.KindOf(err), "err", said)
	var p *panicked
	if errors.As(err, &p) || !core.KindOf(err).Retry() || int(m.attempt) >= in.flow.retry.attempts {
		return in.stop(ctx, st, m, err)
	}
	return in.retry(ctx, m, core.AsError(said), err)
}

// maxAsked is how long a run waits at most where whoever was called asks to be left alone for longer than a pause.
const maxAsked = time.Hour

// retry puts the run off until the step is tried again, not before whoever was called wants to be asked again.
func (in *interpreter) retry(ctx context.Context, m *mark, said *core.Error, cause error) error {
	m.status, m.err, m.finished = waiting, said, in.s.now()
	pause := in.flow.retry.backoff << min(m.attempt-1, 20)
	if pause <= 0 || pause > maxBackoff {
		pause = max(maxBackoff, in.flow.retry.backoff)
	}
	pause = pause/2 + rand.N(pause)
	var asked core.Wait
	if errors.As(cause, &asked) {
		pause = max(pause, min(time.Duration(asked), maxAsked))
	}
	until := in.s.now().Add(pause)
	if in.group != nil { // the run waits for nothing, and other branches go on
		m.awaits = &expected{path: m.path, iter: m.iter, source: ofClock, due: until.UnixMicro()}
		in.wait(m)
		return errSuspended
	}
	if err := in.tx(ctx, func(tx *db.Tx) error { return in.s.park(ctx, tx, in.r, until) }, m); err != nil {
		return err
	}
	return parked{until}
}

// early reports whether it is not yet time to try the action of a branch again.
func (in *interpreter) early(ctx context.Context, m *mark) (bool, error) {
	due, state, _, err := in.s.expected(ctx, in.r, m)
	if err != nil || state != 0 || due == never {
		return false, err
	}
	if due > in.s.now().UnixMicro() {
		return true, nil
	}
	return false, in.tx(ctx, func(tx *db.Tx) error { return in.taken(ctx, tx, m) })
}

// perform calls the action and marks the step as done, in one transaction unless the action works alone.
func (in *interpreter) perform(ctx context.Context, st *step, m *mark, last bool) (out map[string]any, err error) {
	a := st.actionSpec
	snap := in.s.store.Snapshot()
	caller, err := in.caller(snap)
	if err != nil {
		return nil, err
	}
	if err := snap.Policy.MayCall(caller, a); err != nil {
		return nil, err
	}
	call := core.Call{Key: string(in.r.id) + "/" + m.path + "/" + m.iter}
	values, err := in.arguments(snap, caller, st)
	if err != nil {
		return nil, err
	}
	if call.In, err = core.ParseInput(a.Input, values); err != nil {
		return nil, err
	}
	if err := snap.MaySend(caller, a, call.In); err != nil {
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
		err = in.s.store.Tx(ctx, tables.TxOptions{Define: a.Define, Again: true}, func(ctx context.Context, tx *tables.Tx) error {
			m.status, m.output = "", nil
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

// arguments are the values that the step gives its action, as far as data classes let them go where it sends them.
func (in *interpreter) arguments(snap *tables.Snapshot, caller core.Caller, st *step) (map[string]any, error) {
	t, err := in.flow.trace(snap, in.r.owner)
	if err != nil {
		return nil, err
	}
	scope := in.scope
	if of := t.of(st); of != nil {
		if of.refused != nil {
			return nil, core.E("flows.arguments", of.refused)
		}
		if of.mask {
			if scope, err = in.maskedScope(snap, of); err != nil {
				return nil, err
			}
		}
	}
	return evalFields(st.values, scope, caller)
}

// alone runs an action that opens transactions of its own. That it was begun is written before: it may run for long.
func (in *interpreter) alone(ctx context.Context, a *core.Action, call core.Call, m *mark, done func(*db.Tx, core.Record) error) error {
	m.status = running
	if err := in.tx(ctx, func(tx *db.Tx) error { return in.s.keep(ctx, tx, in.r) }, m); err != nil {
		return err
	}
	var result core.Record
	var err error
	in.outside(func() { result, err = in.s.protect(ctx, a, call) })
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return in.s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return done(tx, result) })
}

// done writes that the step is done, what was still to be written, and when nothing comes behind it the end of the run.
func (in *interpreter) done(ctx context.Context, tx *db.Tx, m *mark, last bool) error {
	if err := in.s.write(ctx, tx, in.r, append(in.dirty[:len(in.dirty):len(in.dirty)], m)); err != nil {
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
