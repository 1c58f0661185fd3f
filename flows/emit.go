package flows

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// emitAction is the action that emits events.
const emitAction = "emit_event"

// maxKeep is how long an event may be kept for runs that come to wait for it.
const maxKeep = 30 * 24 * time.Hour

// Emit brings an event to the runs that wait for one of that name and key, and returns how many those are; it joins the unit of work that
// ctx carries. Runs that have begun before get it too when they come to wait for it in the time of keep.
// The caller needs the right to run flows.
func (s *Service) Emit(ctx context.Context, name, key string, data any, keep time.Duration) (reached int, err error) {
	const op = "flows.Emit"
	if err := core.CheckName("kind of event", name); err != nil {
		return 0, core.E(op, err)
	}
	if keep < 0 || keep > maxKeep {
		return 0, core.E(op, core.Invalid, fmt.Sprintf("an event is kept for %d seconds at most", int(maxKeep.Seconds())))
	}
	now := s.now()
	raw, err := toJSON(map[string]any{"name": name, "key": key, "at": now, "actor": string(core.CallerFrom(ctx).User), "data": data})
	if err != nil {
		return 0, core.E(op, err)
	}
	err = s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "run_flows"); err != nil {
			return err
		}
		id := core.NewID()
		b := db.New(s.db.Dialect).Write(`INSERT INTO "_flow_signal" (id, source, key, event, emitted, until) VALUES (`).Arg(id).Write(", ").Arg(emitted+name).Write(", ").Arg(key).
			Write(", ").Value(&anyJSON, json.RawMessage(raw)).Write(", ").Arg(now.UnixMicro()).Write(", ").Arg(now.Add(keep).UnixMicro()).Write(")")
		if _, err := tx.DB().Exec(ctx, b); err != nil {
			return err
		}
		found, err := awaitings(ctx, tx.DB(), db.New(s.db.Dialect).Write(selectAwaiting, " AND source = ").Arg(emitted+name).Write(" AND key = ").Arg(key))
		for _, w := range found {
			if err == nil {
				err = s.deliver(ctx, tx.DB(), w.id, w.run, raw, id)
			}
		}
		reached = len(found)
		return err
	})
	return reached, core.E(op, err)
}

func (s *Service) emitting() core.Action {
	return core.Action{
		Name: emitAction, Doc: "Emits an event: runs of flows that wait for one of that name and key go on.",
		Privilege: "run_flows",
		Input: []core.Column{
			{Name: "name", Kind: core.Text, Required: true, Doc: "What has happened, like payment_received."},
			{Name: "key", Kind: core.Text, Required: true, Doc: "What it is about, like the number of an order."},
			{Name: "data", Kind: core.JSON, Doc: "What the runs see of it."},
			{Name: "keep_seconds", Kind: core.Integer, Doc: "For how long runs that have begun already may still come to wait for it; an hour when left out, at most 30 days."},
		},
		Output:   []core.Column{{Name: "reached", Kind: core.Integer, Required: true, Doc: "How many runs waited for it."}},
		Examples: []core.Example{{Doc: "for whom it may concern", In: core.Record{"name": "payment_received", "key": "4711", "data": map[string]any{"amount": "12.50"}}, Out: core.Record{"reached": int64(0)}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			key := c.Text("key")
			if strings.TrimSpace(key) == "" {
				return nil, core.E("flows.emit_event", core.Invalid, core.At{Column: "key"}, "the key is empty: say what the event is about")
			}
			n, err := s.Emit(ctx, c.Text("name"), key, c.In["data"], time.Duration(c.Int("keep_seconds", 3600))*time.Second)
			return core.Record{"reached": int64(n)}, err
		},
	}
}
