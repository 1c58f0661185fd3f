package tables

import (
	"context"
	"encoding/json"

	"colonnade/core"
)

// The columns of the tables that every change of a record is written to.
var (
	historyColumns = []*core.Column{
		{Name: "table_name", Kind: core.Text}, {Name: "record_id", Kind: core.UUID}, {Name: "version", Kind: core.Integer},
		{Name: "op", Kind: core.Text}, {Name: "data", Kind: core.JSON}, {Name: "actor", Kind: core.UUID}, {Name: "behalf", Kind: core.UUID},
		{Name: "cause", Kind: core.Text}, {Name: "cause_id", Kind: core.Text}, {Name: "at", Kind: core.Timestamp},
	}
	eventColumns = []*core.Column{
		{Name: "table_name", Kind: core.Text}, {Name: "record_id", Kind: core.UUID}, {Name: "version", Kind: core.Integer},
		{Name: "op", Kind: core.Text}, {Name: "actor", Kind: core.UUID}, {Name: "cause", Kind: core.Text}, {Name: "cause_id", Kind: core.Text},
		{Name: "depth", Kind: core.Integer}, {Name: "at", Kind: core.Timestamp},
	}
)

// record writes the history and the events of the batch beside the rows.
func (w *writer) record(ctx context.Context) error {
	b := &w.batch
	history, events := make([]core.Record, len(b.op)), make([]core.Record, len(b.op))
	for i, op := range b.op {
		r, version := b.after[i], int64(0)
		var data any
		if op == core.Delete {
			r = b.before[i]
			version = r["version"].(int64) + 1
		} else {
			version = r["version"].(int64)
			data = json.RawMessage(w.table.AppendJSON(nil, r))
		}
		row := core.Record{
			"table_name": w.table.Name, "record_id": r["id"], "version": version, "op": string(op), "data": data,
			"actor": string(actorOf(w.caller)), "behalf": orNull(string(w.caller.Behalf)),
			"cause": causeKind(w.caller), "cause_id": orNull(w.caller.Cause.ID), "depth": int64(w.caller.Cause.Depth), "at": w.tx.now,
		}
		history[i], events[i] = row, row
	}
	if err := w.tx.db.InsertRows(ctx, "_history", historyColumns, history); err != nil {
		return err
	}
	w.tx.events = true
	return w.tx.db.InsertRows(ctx, "_event", eventColumns, events)
}

func causeKind(c core.Caller) string {
	if c.Cause.Kind == "" {
		return "api"
	}
	return c.Cause.Kind
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
