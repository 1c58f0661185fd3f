package flows

import (
	"context"
	"fmt"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// Delete deletes a flow with its versions, its schedule, the secrets of its webhook and what is known of its runs, and returns how many runs
// those were. Runs that have not ended are cancelled with all that they have called; what their steps did stays. Runs that have ended go
// first, in transactions of their own: when the time of ctx is over, or the process dies, the flow is there and works, and the next call
// goes on. A flow that an enabled flow calls is refused. The caller needs the right to manage flows.
func (s *Service) Delete(ctx context.Context, name string) (runs int, err error) {
	const op = "flows.Delete"
	if err := s.store.Snapshot().Policy.May(core.CallerFrom(ctx), "manage_flows"); err != nil {
		return 0, core.E(op, err)
	}
	f, _, err := s.find(ctx, s.db, name)
	if err != nil {
		return 0, core.E(op, err)
	}
	if f == nil {
		return 0, core.E(op, noFlow(name))
	}
	if err := s.uncalled(ctx, s.db, name); err != nil {
		return 0, core.E(op, err)
	}
	for {
		n, err := s.deleteEnded(ctx, func(b *db.Builder) { b.Write("flow_id = ").Arg(f.id) })
		if runs += n; err != nil {
			return runs, core.E(op, err)
		}
		if n < retainPage {
			break
		}
	}
	err = s.store.Tx(ctx, tables.TxOptions{Define: true}, func(ctx context.Context, tx *tables.Tx) error {
		n, err := s.delete(ctx, tx, f.id, name)
		runs += n
		return err
	})
	return runs, core.E(op, err)
}

func noFlow(name string) error {
	return core.E("flows.find", core.NotFound, fmt.Sprintf("there is no flow %q", name))
}

// uncalled returns an error when enabled flows call the flow, which names them.
func (s *Service) uncalled(ctx context.Context, c db.Conn, name string) error {
	all, sources, err := s.saved(ctx, c)
	if err != nil {
		return err
	}
	var by []string
	for _, f := range all {
		d, err := parse(sources[f.name])
		if err != nil || !f.enabled || f.name == name {
			continue
		}
		calls := false
		d.each(func(st *step) { calls = calls || st.kind == "call" && st.action == name })
		if calls {
			by = append(by, f.name)
		}
	}
	if len(by) > 0 {
		return core.E("flows.uncalled", core.Conflict, fmt.Sprintf("the flow %s is called by %s: change or disable those first", name, strings.Join(by, ", ")))
	}
	return nil
}

// delete deletes the flow and what is left of its runs.
func (s *Service) delete(ctx context.Context, tx *tables.Tx, id core.ID, name string) (runs int, err error) {
	if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "manage_flows"); err != nil {
		return 0, err
	}
	if err := s.bump(ctx, tx); err != nil {
		return 0, err
	}
	f, source, err := s.find(ctx, tx.DB(), name)
	if err != nil {
		return 0, err
	}
	if f == nil || f.id != id {
		return 0, noFlow(name) // somebody else was faster
	}
	if err := s.uncalled(ctx, tx.DB(), name); err != nil {
		return 0, err
	}
	if _, err := s.cancelAll(ctx, tx.DB(), id); err != nil {
		return 0, err
	}
	remove := func() error {
		runs, err = s.deleteRows(ctx, tx.DB(), id)
		return err
	}
	if d, _ := s.definition(id, f.version, source); d != nil && d.starts() {
		err = tx.ChangeDefined(ctx, remove)
	} else {
		err = remove()
	}
	tx.AfterCommit(func() { s.matched.Store(nil); s.Wake() })
	return runs, err
}

// deleteRows deletes the rows of a flow of which no run is open.
func (s *Service) deleteRows(ctx context.Context, tx *db.Tx, id core.ID) (runs int, err error) {
	for _, kind := range []string{secretKind, beforeKind} {
		if err := s.secrets.Drop(ctx, tx, kind, id); err != nil {
			return 0, err
		}
	}
	steps := db.New(s.db.Dialect).Write(`DELETE FROM "_flow_step" WHERE run_id IN (SELECT id FROM "_flow_run" WHERE flow_id = `).Arg(id).Write(")")
	if _, err := tx.Exec(ctx, steps); err != nil {
		return 0, err
	}
	asked := db.New(s.db.Dialect).Write(`DELETE FROM "_flow_assignment" WHERE approval_id IN (SELECT id FROM "_flow_approval" WHERE flow_id = `).Arg(id).Write(")")
	if _, err := tx.Exec(ctx, asked); err != nil {
		return 0, err
	}
	for _, of := range [][2]string{{"_flow_approval", "flow_id"}, {"_flow_wait", "flow_id"}, {"_flow_run", "flow_id"}, {"_flow_schedule", "flow_id"}, {"_flow_version", "flow_id"}, {"_flow", "id"}} {
		n, err := tx.Exec(ctx, db.New(s.db.Dialect).Write("DELETE FROM ").Name(of[0]).Write(" WHERE ").Name(of[1]).Write(" = ").Arg(id))
		if err != nil {
			return 0, err
		}
		if of[0] == "_flow_run" {
			runs = int(n)
		}
	}
	return runs, nil
}

// deleting is what people call to delete a flow.
func (s *Service) deleting() core.Action {
	return core.Action{
		Name: "delete_flow", Doc: "Deletes a flow for good, with its versions, its secrets and what is recorded of its runs; runs that have not ended are cancelled. To keep what is recorded, save the flow with enabled: false in place of that.",
		Privilege: "manage_flows", Alone: true,
		Input:    []core.Column{{Name: "name", Kind: core.Text, Required: true, Doc: "The flow."}},
		Output:   []core.Column{{Name: "runs", Kind: core.Integer, Required: true, Doc: "How many runs were recorded, and are no more."}},
		Examples: []core.Example{{Doc: "needs a flow of that name", In: core.Record{"name": "goodbye"}, Out: core.Record{"runs": int64(0)}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			n, err := s.Delete(ctx, c.Text("name"))
			return core.Record{"runs": int64(n)}, err
		},
	}
}
