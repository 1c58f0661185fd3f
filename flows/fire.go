package flows

import (
	"context"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// late is when a tick counts as missed.
const late = time.Minute

// reschedule keeps the next tick of a flow that was saved. A schedule that stays as it was keeps its tick.
func (s *Service) reschedule(ctx context.Context, tx *db.Tx, f, old *flow, source string) error {
	c := f.def.trigger.cron
	if old != nil && old.enabled && f.enabled && c != nil {
		if was, err := parse(source); err == nil && was.trigger.cron != nil && was.trigger.cron.spec == c.spec && was.trigger.cron.zone == c.zone {
			return nil
		}
	}
	if _, err := tx.Exec(ctx, db.New(tx.Dialect).Write(`DELETE FROM "_flow_schedule" WHERE flow_id = `).Arg(f.id)); err != nil {
		return err
	}
	if !f.enabled || c == nil {
		return nil
	}
	next := c.next(s.now())
	if next.IsZero() {
		return nil
	}
	b := db.New(tx.Dialect).Write(`INSERT INTO "_flow_schedule" (id, flow_id, next_at, slot) VALUES (`).Arg(core.NewID()).Write(", ").Arg(f.id).
		Write(", ").Value(&moment, next).Write(", ").Arg(next.UnixMicro()).Write(")")
	_, err := tx.Exec(ctx, b)
	return err
}

// fire starts the runs whose time has come. Of several processes that see a tick, one moves it on, and its run comes with that.
func (s *Service) fire(ctx context.Context) error {
	const op = "flows.fire"
	var due []int64
	var flows []core.ID
	b := db.New(s.db.Dialect).Write(`SELECT CAST(flow_id AS text), slot FROM "_flow_schedule" WHERE slot <= `).Arg(s.now().UnixMicro()).Write(" ORDER BY slot")
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		var slot int64
		err := scan(&id, &slot)
		flows, due = append(flows, id), append(due, slot)
		return err
	})
	if err != nil {
		return core.E(op, err)
	}
	for i, id := range flows {
		if err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return s.fireOne(ctx, tx, id, due[i]) }); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

func (s *Service) fireOne(ctx context.Context, tx *db.Tx, id core.ID, slot int64) error {
	set, err := s.flows(ctx, tx)
	if err != nil {
		return err
	}
	for _, f := range set.flows {
		if f.id == id && f.enabled && f.def.trigger.cron != nil {
			return s.fireFlow(ctx, tx, f, slot)
		}
	}
	return nil // it cannot run with this program; the tick stays for one that can
}

func (s *Service) fireFlow(ctx context.Context, tx *db.Tx, f *flow, slot int64) error {
	c, now, at := f.def.trigger.cron, s.now(), time.UnixMicro(slot).UTC()
	next := c.next(at)
	missed := now.Sub(at) > late
	if missed && !next.IsZero() && !next.After(now) {
		next = c.next(now)
	}
	ours, err := s.move(ctx, tx, f.id, slot, next)
	if err != nil || !ours {
		return err
	}
	if missed && !c.catchUp {
		s.log.InfoContext(ctx, "flows: missed a tick", "flow", f.name, "at", at)
		return nil
	}
	if !c.queue {
		busy, err := s.busy(ctx, tx, f.id)
		if err != nil {
			return err
		}
		if busy {
			s.log.InfoContext(ctx, "flows: left out a tick, since a run is still at work", "flow", f.name, "at", at)
			return nil
		}
	}
	input, err := toJSON(map[string]any{"kind": "cron", "at": at})
	if err != nil {
		return err
	}
	n := newRun{flow: f, kind: "cron", input: input, key: at.Format(time.RFC3339), cause: core.Cause{Kind: "schedule"}, startedBy: core.SystemID, due: now}
	as, err := s.store.Snapshot().Policy.Caller(f.runAs, core.Cause{})
	if err != nil {
		n.refused = core.E("flows.fire", core.Denied, "the user that the flow acts as cannot: "+core.AsError(err).Msg)
	}
	n.unit = as.Unit
	err = tx.Savepoint(ctx, func() error {
		_, err := s.insert(ctx, tx, []newRun{n})
		return err
	})
	if err != nil && core.KindOf(err) == core.Exists {
		return nil // the clock was set back, and the tick has had its run
	}
	return err
}

// move sets the next tick, and reports whether it was still the one of slot.
func (s *Service) move(ctx context.Context, tx *db.Tx, id core.ID, slot int64, next time.Time) (bool, error) {
	b := db.New(tx.Dialect)
	if next.IsZero() {
		b.Write(`DELETE FROM "_flow_schedule"`)
	} else {
		b.Write(`UPDATE "_flow_schedule" SET next_at = `).Value(&moment, next).Write(", slot = ").Arg(next.UnixMicro())
	}
	n, err := tx.Exec(ctx, b.Write(" WHERE flow_id = ").Arg(id).Write(" AND slot = ").Arg(slot))
	return n > 0, err
}

func (s *Service) busy(ctx context.Context, tx *db.Tx, id core.ID) (busy bool, err error) {
	b := db.New(tx.Dialect).Write(`SELECT 1 FROM "_flow_run" WHERE status IN ('waiting', 'running') AND flow_id = `).Arg(id).Write(" LIMIT 1")
	err = tx.Query(ctx, b, func(scan func(...any) error) error {
		var one int64
		busy = true
		return scan(&one)
	})
	return busy, err
}
