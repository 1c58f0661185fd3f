package flows

import (
	"context"
	"encoding/json"
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// called is the kind of trigger of a run that another run has called.
const called = "call"

// answered is what a run that was called tells the one that waits for it.
type answered struct {
	Flow   string          `json:"flow"`
	Status string          `json:"status"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"`
	Kind   string          `json:"kind,omitempty"`
}

// call starts a run of another flow, and waits for its end. Both are written in one transaction.
func (in *interpreter) call(ctx context.Context, st *step, m *mark) error {
	switch m.status {
	case succeeded:
		return in.remember(ctx, st, m)
	case waiting:
		return in.arrived(ctx, st, m)
	}
	m.attempt, m.started = 1, in.s.now()
	snap := in.s.store.Snapshot()
	caller, err := in.caller(snap)
	var values map[string]any
	if err == nil {
		values, err = in.arguments(snap, caller, st)
	}
	if err != nil {
		return in.stop(ctx, st, m, err)
	}
	return in.begins(ctx, caller, st, m, func(ctx context.Context, tx *tables.Tx) (*expected, any, error) {
		child, err := in.s.begin(ctx, tx, st.action, values, called)
		if err != nil {
			return nil, nil, err
		}
		return &expected{source: ofRun + string(child), due: never}, map[string]any{"flow": st.action, "input": values, "run_id": string(child)}, nil
	})
}

// enabled returns the flow of that name as it is now, if it is enabled.
func (s *Service) enabled(ctx context.Context, c db.Conn, name string) (*flow, error) {
	const op = "flows.enabled"
	f, source, err := s.find(ctx, c, name)
	switch {
	case err != nil:
		return nil, err
	case f == nil:
		return nil, core.E(op, noFlow(name))
	case !f.enabled:
		return nil, core.E(op, core.Invalid, fmt.Sprintf("the flow %s is disabled: save it with enabled: true", name))
	}
	f.def, err = s.definition(f.id, f.version, source)
	return f, err
}

// begin starts a run of the flow of that name for the caller of ctx, who needs the right to run flows.
func (s *Service) begin(ctx context.Context, tx *tables.Tx, name string, input map[string]any, kind string) (core.ID, error) {
	if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "run_flows"); err != nil {
		return "", err
	}
	f, err := s.enabled(ctx, tx.DB(), name)
	if err != nil {
		return "", err
	}
	n, err := s.byHand(ctx, tx, f, input)
	if err != nil {
		return "", err
	}
	n.kind = kind
	ids, err := s.insert(ctx, tx.DB(), []newRun{n})
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// stopAfter fails the step whose run has not ended well.
func (in *interpreter) stopAfter(ctx context.Context, st *step, m *mark, a answered) error {
	kind, msg := core.ErrKind(a.Kind), a.Error
	if kind == "" {
		kind = core.Failed
	}
	if msg == "" {
		msg = "it was " + a.Status
	}
	return in.stop(ctx, st, m, core.E("flows.call", kind, fmt.Sprintf("the flow %s: %s", a.Flow, msg)))
}

// answer tells the run that has called this one how it ended.
func (s *Service) answer(ctx context.Context, tx *db.Tx, id core.ID, a answered) error {
	b := db.New(s.db.Dialect).Write(`SELECT flow_name FROM "_flow_run" WHERE id = `).Arg(id)
	if err := tx.Query(ctx, b, func(scan func(...any) error) error { return scan(&a.Flow) }); err != nil {
		return err
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return core.E("flows.answer", err)
	}
	found, err := awaitings(ctx, tx, db.New(s.db.Dialect).Write(selectAwaiting, " AND source = ").Arg(ofRun+string(id)))
	for _, w := range found {
		if err == nil {
			err = s.deliver(ctx, tx, w.id, w.run, raw, "")
		}
	}
	return err
}

// children returns the runs that the run has called and that have not ended.
func (s *Service) children(ctx context.Context, tx *db.Tx, id core.ID) (out []core.ID, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE trigger_kind = 'call' AND status IN ('waiting', 'running') AND cause_id = `).Arg(string(id))
	err = tx.Query(ctx, b, func(scan func(...any) error) error {
		var child core.ID
		err := scan(&child)
		out = append(out, child)
		return err
	})
	return out, err
}
