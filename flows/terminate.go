package flows

import (
	"context"
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// ending says that a terminate step ends the run.
type ending struct {
	status string
	cause  *core.Error // the message; nil without one
	step   string
}

func (e *ending) Error() string { return "the run ends here: " + e.status }

// terminate ends the run. Its mark says how, for a run that resumes.
func (in *interpreter) terminate(ctx context.Context, st *step, m *mark) error {
	said := struct {
		Status  string `json:"status"`
		Message string `json:"message,omitempty"`
	}{Status: st.status}
	if m.status == succeeded {
		if err := in.s.recall(ctx, m, &said); err != nil {
			return err
		}
	} else {
		if st.cond != nil {
			v, err := in.eval(st.cond)
			if err != nil {
				return in.stop(ctx, st, m, err)
			}
			said.Message = fmt.Sprint(v)
		}
		out := map[string]any{"status": said.Status}
		if said.Message != "" {
			out["message"] = said.Message
		}
		if err := in.pure(ctx, m, nil, out); err != nil {
			return err
		}
	}
	end := &ending{status: said.Status, step: where(m)}
	if said.Message == "" && said.Status == failed {
		said.Message = "step " + where(m) + " ended the run as failed"
	}
	if said.Message != "" {
		end.cause = core.AsError(in.logged(st, core.E("flows.terminate", core.Failed, said.Message)))
	}
	return end
}

// terminated ends the run as a terminate step says. A failure is one like that of a step, but that nothing catches it.
func (in *interpreter) terminated(ctx context.Context, e *ending) error {
	switch e.status {
	case succeeded:
		return in.tx(ctx, func(tx *db.Tx) error { return in.end(ctx, tx) })
	case cancelled:
		return in.tx(ctx, func(tx *db.Tx) error { return in.s.finish(ctx, tx, in.r, cancelled, nil, e.cause) })
	}
	return &failure{err: e.cause, step: e.step, said: e.cause.Public()}
}
