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
	dirty []*mark // still to be written
	final bool    // it ends the run in any case
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
