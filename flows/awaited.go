package flows

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// A run that waits has a row for what it waits for, and nothing else: its job has ended, and the run is due at no time. What comes, or the
// clock, wakes it in the transaction in which that is written down.

// When a run is due: claims by force take what is due before noTime, a run that waits for something is due behind it.
const (
	noTime    = int64(1) << 62
	suspended = noTime + 1
	never     = noTime + 2 // a wait without a timeout
)

// The states of waits.
const (
	fired = int64(1) // what it waits for has come
)

// What a wait is for: the source begins with one of these.
const (
	rowEvents = "row "   // and the physical names of table and column
	emitted   = "event " // and the name
	ofRun     = "run "   // and the id of the run that was called
	ofClock   = "retry " // for the next try of a step in a branch
)

// expected is a row of _flow_wait that is about to be.
type expected struct {
	path, iter  string
	source, key string
	due         int64 // microseconds
}

// suspend has the run wait, unless what it waits for has come already. Its time stands still.
func (s *Service) suspend(ctx context.Context, tx *db.Tx, r *run) error {
	now := s.now()
	left := max(r.deadline.Sub(now), time.Microsecond).Microseconds()
	err := s.mine(ctx, tx, r, waiting, time.Time{}, func(b *db.Builder) {
		b.Write(", worker = NULL, deadline = 0, timeout = ").Arg(left).Write(", due = ").Arg(suspended)
	})
	if err != nil {
		return err
	}
	ready := false
	b := db.New(tx.Dialect).Write(`SELECT 1 FROM "_flow_wait" WHERE run_id = `).Arg(r.id).Write(" AND (state = 1 OR state = 0 AND due <= ").Arg(now.UnixMicro()).Write(") LIMIT 1")
	err = tx.Query(ctx, b, func(scan func(...any) error) error {
		var one int64
		ready = true
		return scan(&one)
	})
	if err == nil && ready {
		err = s.wakeRun(ctx, tx, r.id)
	}
	if err != nil {
		return err
	}
	return s.queue.Done(ctx, tx)
}

// wakeRun gives a run that waits for something to the queue. One that does not wait yet looks by itself.
func (s *Service) wakeRun(ctx context.Context, tx *db.Tx, id core.ID) error {
	now := s.now()
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_run" SET due = `).Arg(now.UnixMicro()).Write(", lease = ").Arg(now.Add(s.o.Lease).UnixMicro()).
		Write(" WHERE status = 'waiting' AND due = ").Arg(suspended).Write(" AND id = ").Arg(id)
	n, err := tx.Exec(ctx, b)
	if err != nil || n == 0 {
		return err
	}
	return s.queue.Put(ctx, tx, id)
}

// deliver gives a wait what has come. The run is locked first, as by the one that suspends it: either sees the other.
func (s *Service) deliver(ctx context.Context, tx *db.Tx, wait, run core.ID, event json.RawMessage, signal core.ID) error {
	if _, err := tx.Exec(ctx, db.New(tx.Dialect).Write(`UPDATE "_flow_run" SET due = due WHERE id = `).Arg(run)); err != nil {
		return err
	}
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_wait" SET state = 1, event = `).Value(&anyJSON, event)
	if signal != "" {
		b.Write(", signal_id = ").Arg(signal)
	}
	n, err := tx.Exec(ctx, b.Write(" WHERE state = 0 AND id = ").Arg(wait))
	if err != nil || n == 0 {
		return err
	}
	return s.wakeRun(ctx, tx, run)
}

// writeWait keeps what a run begins to wait for. An event that was emitted since the run began has come already.
func (s *Service) writeWait(ctx context.Context, tx *db.Tx, r *run, w *expected) error {
	id := core.NewID()
	b := db.New(tx.Dialect).Write(`INSERT INTO "_flow_wait" (id, run_id, path, iteration, source, key, flow_id, version, owner_id, due, state) VALUES (`).Arg(id)
	for _, v := range []any{r.id, w.path, w.iter, w.source, w.key, r.flowID, r.version, r.owner, w.due, int64(0)} {
		b.Write(", ").Arg(v)
	}
	// A step that is tried again waits again.
	b.Write(") ON CONFLICT (run_id, path, iteration) DO UPDATE SET source = excluded.source, key = excluded.key, due = excluded.due, state = 0, event = NULL, signal_id = NULL")
	if _, err := tx.Exec(ctx, b); err != nil {
		return err
	}
	if !strings.HasPrefix(w.source, emitted) {
		return nil
	}
	var signal core.ID
	var event []byte
	b = db.New(tx.Dialect).Write(`SELECT CAST(id AS text), CAST(event AS text) FROM "_flow_signal" AS s WHERE source = `).Arg(w.source).Write(" AND key = ").Arg(w.key).
		Write(" AND id > ").Arg(r.id).Write(" AND until > ").Arg(s.now().UnixMicro()).
		Write(` AND NOT EXISTS (SELECT 1 FROM "_flow_wait" AS w WHERE w.signal_id = s.id AND w.run_id = `).Arg(r.id).Write(") ORDER BY id LIMIT 1")
	if err := tx.Query(ctx, b, func(scan func(...any) error) error { return scan(&signal, &event) }); err != nil || signal == "" {
		return err
	}
	return s.deliver(ctx, tx, id, r.id, event, signal)
}

// expected reads how a wait stands.
func (s *Service) expected(ctx context.Context, r *run, m *mark) (due, state int64, event any, err error) {
	due = never
	b := db.New(s.db.Dialect).Write(`SELECT due, state, CAST(event AS text) FROM "_flow_wait" WHERE run_id = `).Arg(r.id).Write(" AND path = ").Arg(m.path).Write(" AND iteration = ").Arg(m.iter)
	err = s.db.Query(context.WithoutCancel(ctx), b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&due, &state, &raw); err != nil {
			return err
		}
		return unmarshal(raw, &event)
	})
	return due, state, event, core.E("flows.expected", err)
}

// dropWaits forgets what an ended run waited for.
func (s *Service) dropWaits(ctx context.Context, tx *db.Tx, run core.ID) error {
	if _, err := tx.Exec(ctx, db.New(tx.Dialect).Write(`DELETE FROM "_flow_wait" WHERE run_id = `).Arg(run)); err != nil {
		return err
	}
	return s.closeApprovals(ctx, tx, run, nil)
}

// awaiting is a wait that is open.
type awaiting struct {
	id, run, flow, owner core.ID
	version              int64
	path, key            string
}

const selectAwaiting = `SELECT CAST(id AS text), CAST(run_id AS text), CAST(flow_id AS text), CAST(owner_id AS text), version, path, key FROM "_flow_wait" WHERE state = 0`

func awaitings(ctx context.Context, c db.Conn, b *db.Builder) (out []awaiting, err error) {
	err = c.Query(ctx, b.Write(" ORDER BY run_id, id"), func(scan func(...any) error) error {
		var w awaiting
		err := scan(&w.id, &w.run, &w.flow, &w.owner, &w.version, &w.path, &w.key)
		out = append(out, w)
		return err
	})
	return out, err
}

// awaitedColumns returns the columns by which somebody waits for changes of records: by the physical name of the table. It looks from one
// source to the next, for there are few, and many who wait.
func (s *Service) awaitedColumns(ctx context.Context, c db.Conn) (map[string][]string, error) {
	out := map[string][]string{}
	for last := rowEvents; ; {
		next := ""
		b := db.New(s.db.Dialect).Write(`SELECT source FROM "_flow_wait" WHERE state = 0 AND source > `).Arg(last).Write(" ORDER BY source LIMIT 1")
		if err := c.Query(ctx, b, func(scan func(...any) error) error { return scan(&next) }); err != nil {
			return nil, core.E("flows.awaited", err)
		}
		rest, ok := strings.CutPrefix(next, rowEvents)
		if !ok {
			return out, nil
		}
		table, column, _ := strings.Cut(rest, " ")
		out[table] = append(out[table], column)
		last = next
	}
}

// correlate fires the waits for changes of these records.
func (s *Service) correlate(ctx context.Context, tx *tables.Tx, events []core.Event, awaited map[string][]string) error {
	if len(awaited) == 0 {
		return nil
	}
	byKey := map[string]map[string][]core.Event{} // by source and key
	for _, e := range events {
		t, err := tx.Snapshot().Schema.Table(e.Table)
		if err != nil {
			continue // the table is gone
		}
		for _, physical := range awaited[t.SQL()] {
			i := slices.IndexFunc(t.Columns, func(c core.Column) bool { return c.SQL() == physical })
			if i < 0 {
				continue
			}
			for _, r := range []core.Record{e.After, e.Before} {
				key, err := columnKey(t, t.Columns[i].Name, r)
				if err != nil {
					return err
				}
				source := rowEvents + t.SQL() + " " + physical
				if byKey[source] == nil {
					byKey[source] = map[string][]core.Event{}
				}
				if of := byKey[source][key]; key != "" && (len(of) == 0 || of[len(of)-1].Seq != e.Seq) {
					byKey[source][key] = append(of, e)
				}
			}
		}
	}
	var found []awaiting
	of := map[core.ID][]core.Event{}
	for _, source := range slices.Sorted(maps.Keys(byKey)) {
		keys := []any{}
		for _, k := range slices.Sorted(maps.Keys(byKey[source])) {
			keys = append(keys, k)
		}
		if len(keys) == 0 {
			continue
		}
		b := db.New(s.db.Dialect).Write(selectAwaiting, " AND source = ").Arg(source).Write(" AND ")
		s.db.AnyOf(b, &core.Column{Kind: core.Text}, func() { b.Write("key") }, keys)
		some, err := awaitings(ctx, tx.DB(), b)
		if err != nil {
			return err
		}
		for _, w := range some {
			of[w.id] = byKey[source][w.key]
		}
		found = append(found, some...)
	}
	slices.SortStableFunc(found, func(a, b awaiting) int { return strings.Compare(string(a.run), string(b.run)) })
	for _, w := range found {
		if err := s.offer(ctx, tx, w, of[w.id]); err != nil {
			return err
		}
	}
	return nil
}

// offer fires the wait by the first of the events that it is for and that its flow's user sees.
func (s *Service) offer(ctx context.Context, tx *tables.Tx, w awaiting, events []core.Event) error {
	d, err := s.version(ctx, w.flow, w.version)
	if err != nil {
		s.log.ErrorContext(ctx, "flows: the flow cannot run with this version of the program", "run", w.run, "err", err)
		return nil
	}
	a := d.awaitAt(w.path)
	caller, err := tx.Snapshot().Policy.Caller(w.owner, core.Cause{Kind: "flow"})
	if err != nil || a == nil {
		return nil // the user cannot see anything
	}
	for _, e := range events {
		if !slices.Contains(a.on, e.Op) {
			continue
		}
		seen, err := s.seenBy(tx, caller, e)
		if err != nil {
			return err
		}
		if seen == nil {
			continue
		}
		t, err := tx.Snapshot().Schema.Table(e.Table)
		if err != nil {
			return err
		}
		if yes, err := a.keyed(t, seen, w.key); err != nil || !yes {
			if err != nil {
				return err
			}
			continue
		}
		yes, event, err := a.meets(t, seen, caller)
		if err != nil {
			return err
		}
		if !yes {
			continue
		}
		raw, err := toJSON(event)
		if err != nil {
			return err
		}
		return s.deliver(ctx, tx.DB(), w.id, w.run, raw, "")
	}
	return nil
}

// awaitAt returns what the step at that path waits for.
func (d *definition) awaitAt(path string) (found *await) {
	d.each(func(st *step) {
		if st.path == path {
			found = st.await
		}
	})
	return found
}

// How many waits one look at the clock takes, how far it looks back for events that missed a wait begun at the same moment, and how long those are
// looked for.
const (
	duePage = 1000
	recent  = 30 * time.Second
)

// overdue wakes the runs whose waiting is over, and forgets events that were kept long enough.
func (s *Service) overdue(ctx context.Context) error {
	const op = "flows.overdue"
	now := s.now().UnixMicro()
	for {
		var ids []core.ID
		b := db.New(s.db.Dialect).Write(`SELECT CAST(w.run_id AS text) FROM "_flow_wait" AS w JOIN "_flow_run" AS r ON r.id = w.run_id WHERE w.state = 0 AND w.due <= `).Arg(now).
			Write(" AND r.status = 'waiting' AND r.due = ").Arg(suspended).Write(" ORDER BY w.due LIMIT ").Arg(int64(duePage))
		err := s.db.Query(ctx, b, func(scan func(...any) error) error {
			var id core.ID
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil || len(ids) == 0 {
			if err == nil {
				err = s.missed(ctx, now)
			}
			return core.E(op, err)
		}
		slices.Sort(ids)
		err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			for _, id := range slices.Compact(ids) {
				if err := s.wakeRun(ctx, tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return core.E(op, err)
		}
	}
}

// missed brings events to waits that began in a transaction which did not see them yet, nor they it.
func (s *Service) missed(ctx context.Context, now int64) error {
	type pair struct {
		wait, run, signal core.ID
		event             []byte
	}
	var found []pair
	b := db.New(s.db.Dialect).Write(`SELECT CAST(w.id AS text), CAST(w.run_id AS text), CAST(s.id AS text), CAST(s.event AS text) FROM "_flow_signal" AS s JOIN "_flow_wait" AS w ON w.source = s.source AND w.key = s.key`,
		" WHERE w.state = 0 AND s.id > w.run_id AND s.emitted > ").Arg(now - recent.Microseconds()).Write(" AND s.until > ").Arg(now).
		Write(` AND NOT EXISTS (SELECT 1 FROM "_flow_wait" AS o WHERE o.signal_id = s.id AND o.run_id = w.run_id) ORDER BY w.run_id, s.id LIMIT `).Arg(int64(duePage))
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var p pair
		err := scan(&p.wait, &p.run, &p.signal, &p.event)
		found = append(found, p)
		return err
	})
	if err != nil {
		return err
	}
	if len(found) > 0 {
		err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			for _, p := range found {
				if err := s.deliver(ctx, tx, p.wait, p.run, p.event, p.signal); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, db.New(s.db.Dialect).Write(`DELETE FROM "_flow_signal" WHERE until <= `).Arg(now))
	return err
}
