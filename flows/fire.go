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

// fire starts the runs whose time has come, one of each flow, and returns how many ticks it has moved on. Of several processes that see a tick, one moves it on, and its run comes with that.
func (s *Service) fire(ctx context.Context) (moved int, err error) {
	const op = "flows.fire"
	var due []int64
	var flows []core.ID
	b := db.New(s.db.Dialect).Write(`SELECT CAST(flow_id AS text), slot FROM "_flow_schedule" WHERE slot <= `).Arg(s.now().UnixMicro()).Write(" ORDER BY slot")
	err = s.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		var slot int64
		err := scan(&id, &slot)
		flows, due = append(flows, id), append(due, slot)
		return err
	})
	if err != nil {
		return 0, core.E(op, err)
	}
	for i, id := range flows {
		ours := false
		err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) (err error) {
			ours, err = s.fireOne(ctx, tx, id, due[i])
			return err
		})
		if err != nil {
			return moved, core.E(op, err)
		}
		if ours {
			moved++
		}
	}
	return moved, nil
}

// fireAll fires until no tick is due any more: of a schedule that makes up for all of them there may be many.
func (s *Service) fireAll(ctx context.Context) error {
	for {
		n, err := s.fire(ctx)
		if err != nil || n == 0 || s.stopped() {
			return err
		}
	}
}

// fireOne reports whether the tick was ours to move on.
func (s *Service) fireOne(ctx context.Context, tx *db.Tx, id core.ID, slot int64) (ours bool, err error) {
	set, err := s.flows(ctx, tx)
	if err != nil {
		return false, err
	}
	for _, f := range set.flows {
		if f.id == id && f.enabled && f.def.trigger.cron != nil {
			return s.fireFlow(ctx, tx, f, slot)
		}
	}
	return false, nil // it cannot run with this program; the tick stays for one that can
}

func (s *Service) fireFlow(ctx context.Context, tx *db.Tx, f *flow, slot int64) (ours bool, err error) {
	c, now, at := f.def.trigger.cron, s.now(), time.UnixMicro(slot).UTC()
	next := c.next(at)
	missed := now.Sub(at) > late
	if missed && !c.all && !next.IsZero() && !next.After(now) {
		next = c.next(now)
	}
	if ours, err = s.move(ctx, tx, f.id, slot, next); err != nil || !ours {
		return ours, err
	}
	if missed && !c.catchUp && !c.all {
		s.log.InfoContext(ctx, "flows: missed a tick", "flow", f.name, "at", at)
		return true, nil
	}
	goes, err := s.overlap(ctx, tx, f, at)
	if err != nil || !goes {
		return true, err
	}
	n, err := s.ticked(f, slot)
	if err != nil {
		return true, err
	}
	err = tx.Savepoint(ctx, func() error {
		_, err := s.insert(ctx, tx, []newRun{n})
		return err
	})
	if err != nil && core.KindOf(err) == core.Exists {
		return true, nil // the clock was set back, and the tick has had its run
	}
	return true, err
}

// overlap does what the schedule says of a run that is still at work, and reports whether the tick has a run of its own.
func (s *Service) overlap(ctx context.Context, tx *db.Tx, f *flow, at time.Time) (bool, error) {
	c := f.def.trigger.cron
	if c.queue {
		return true, nil
	}
	if c.replace {
		n, err := s.cancelAll(ctx, tx, f.id)
		if n > 0 {
			s.log.InfoContext(ctx, "flows: cancelled what was still at work for the next tick", "flow", f.name, "at", at, "runs", n)
		}
		return true, err
	}
	busy, err := s.busy(ctx, tx, f.id)
	if busy {
		s.log.InfoContext(ctx, "flows: left out a tick, since a run is still at work", "flow", f.name, "at", at)
	}
	return !busy, err
}

// ticked is the run of a tick.
func (s *Service) ticked(f *flow, slot int64) (newRun, error) {
	at, due := time.UnixMicro(slot).UTC(), s.now()
	if later := at.Add(f.def.trigger.cron.delay(f.id, slot)); later.After(due) {
		due = later
	}
	input, err := toJSON(map[string]any{"kind": "cron", "at": at})
	if err != nil {
		return newRun{}, err
	}
	n := newRun{flow: f, kind: "cron", input: input, key: at.Format(time.RFC3339), cause: core.Cause{Kind: "schedule"}, startedBy: core.SystemID, due: due}
	as, err := s.store.Snapshot().Policy.Caller(f.runAs, core.Cause{})
	if err != nil {
		n.refused = core.E("flows.fire", core.Denied, "the user that the flow acts as cannot: "+core.AsError(err).Msg)
	}
	n.unit = as.Unit
	return n, nil
}

// cancelAll ends the runs of a flow that have not ended, with those that they have called, and returns how many there were.
func (s *Service) cancelAll(ctx context.Context, tx *db.Tx, flow core.ID) (n int, err error) {
	var ids []core.ID
	b := db.New(tx.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE status IN ('waiting', 'running') AND flow_id = `).Arg(flow).Write(" ORDER BY id")
	err = tx.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		var found bool
		if found, err = s.cancelRun(ctx, tx, id); found {
			n++
		}
	}
	return n, err
}

// letGo has this process stop working on runs that were cancelled, and tells of their end.
func (s *Service) letGo(ids []core.ID) {
	held := s.held()
	for _, id := range ids {
		if drop := held[id]; drop != nil {
			drop(errLost)
		}
	}
	s.tell()
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
