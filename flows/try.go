package flows

import (
	"context"
	"errors"
)

// try runs steps, those of catch when one of them fails, and those of finally in any case but that the run has no more time or is no longer
// ours. A run that resumes comes to the same: what failed is remembered as failed.
func (in *interpreter) try(ctx context.Context, st *step, m *mark, it iteration) error {
	err := in.list(ctx, st.body, it, false)
	f := catchable(err)
	caught := f != nil && st.catch != nil
	if caught {
		err = in.caught(ctx, f, st.catch, it)
	}
	var end *ending
	if err != nil && catchable(err) == nil && !errors.As(err, &end) {
		return err
	}
	if late := in.list(ctx, st.finally, it, false); late != nil {
		err = late
	}
	if f := catchable(err); f != nil {
		return in.passOn(m, f)
	}
	if err != nil {
		return err
	}
	out := map[string]any{"caught": caught}
	if m.status != succeeded {
		if err := in.pure(ctx, m, nil, out); err != nil {
			return err
		}
	}
	return in.known(st, out)
}

// catchable returns err when steps can be run in place of ending the run; nil otherwise.
func catchable(err error) *failure {
	var f *failure
	if errors.As(err, &f) && !f.final {
		return f
	}
	return nil
}

// caught runs steps in place of ending the run. They see what went wrong as error.
func (in *interpreter) caught(ctx context.Context, f *failure, steps []*step, it iteration) error {
	before, had := in.scope["error"]
	in.scope["error"] = map[string]any{"message": f.said, "kind": string(f.err.Kind), "step": f.step}
	err := in.list(ctx, steps, it, false)
	if delete(in.scope, "error"); had {
		in.scope["error"] = before
	}
	return err
}

// passOn marks a step that holds others as failed by the failure of one of them.
func (in *interpreter) passOn(m *mark, f *failure) error {
	if m.status != failed {
		m.status, m.err, m.finished = failed, f.err, in.s.now()
		m.attempt = max(m.attempt, 1)
		if m.started.IsZero() {
			m.started = m.finished
		}
		in.wait(m)
	}
	return f
}
