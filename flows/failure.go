package flows

import (
	"context"
	"errors"

	"colonnade/core"
	"colonnade/core/db"
)

// failure ends the run, or the item of a for_each.
type failure struct {
	err   *core.Error
	step  string  // that failed
	said  string  // what may be read of it, without the step
	dirty []*mark // still to be written
	final bool    // nothing catches it
}

func (f *failure) Error() string { return f.err.Error() }

// fatal is a failure that is not of a step.
func fatal(k core.ErrKind, msg string) error {
	return &failure{err: &core.Error{Op: "flows.run", Kind: k, Msg: msg}, final: true}
}

// stop ends a step with an error for good.
func (in *interpreter) stop(ctx context.Context, st *step, m *mark, cause error) error {
	cause = in.logged(st, cause)
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
	f := m.failure(e)
	f.err.Err = errors.New(cause.Error())
	return f
}

// failure is what the step, which has failed for good, means to the steps around it. A run that resumes makes the same of its mark.
func (m *mark) failure(e *core.Error) *failure {
	f := &failure{err: &core.Error{Op: "flows.step", Kind: e.Kind}, step: where(m), said: e.Public()}
	if e.Kind != core.Internal { // of which strangers read nothing, as everywhere
		f.err.Msg = "step " + where(m) + ": " + f.said
	}
	return f
}

func where(m *mark) string {
	if m.iter == "" {
		return m.path
	}
	return m.path + " of item " + m.iter
}
