package tables

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

const (
	// KeepEvents is how long events are kept, and so cursors of feeds, unless [Options] says otherwise.
	KeepEvents = 30 * 24 * time.Hour
	// retainEvery is how often there is a look at what need not be kept.
	retainEvery = 10 * time.Minute
	// maxRetained is how many seals, and how many deleted records of a table, one look is about. The next goes on behind them.
	maxRetained = 200
)

// retaining drops what need not be kept, until ctx ends.
func (s *Store) retaining(ctx context.Context) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	after := int64(0)
	for {
		next, err := s.Retain(core.WithCaller(ctx, core.System("retention")), time.Now(), after)
		if err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: what need not be kept cannot be dropped", "err", err)
		}
		after = next
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Retain drops what need not be kept at that moment: events and entries of the access log that are older than [Options] says, and what the retention of tables
// says. Nothing is dropped that is not sealed, or that an event which is kept tells of; each part is a transaction. It looks at
// some seals behind the given number, and returns where the next call goes on, 0 for at the beginning.
func (s *Store) Retain(ctx context.Context, now time.Time, after int64) (next int64, err error) {
	const op = "tables.Retain"
	if s.o.KeepEvents > 0 {
		if _, err := s.DropEvents(ctx, time.Since(now)+s.o.KeepEvents); err != nil {
			return after, core.E(op, err)
		}
	}
	if s.o.KeepAccesses > 0 {
		if _, err := s.DropAccesses(ctx, time.Since(now)+s.o.KeepAccesses); err != nil {
			return after, core.E(op, err)
		}
	}
	r := &retention{Store: s, snap: s.Snapshot(), now: now.UTC(), of: map[string]*core.Retention{}}
	for _, t := range r.snap.Schema.Tables() {
		if t.Retention != nil && !t.Builtin {
			r.of[t.SQL()] = t.Retention
		}
	}
	if len(r.of) == 0 {
		return 0, nil
	}
	if err := r.bound(ctx); err != nil {
		return after, core.E(op, err)
	}
	for _, t := range r.snap.Schema.Tables() {
		if of := r.of[t.SQL()]; of != nil && of.BinDays > 0 {
			if err := r.bin(ctx, t); err != nil {
				return after, core.E(op, core.At{Table: t.Name}, err)
			}
		}
	}
	next, err = r.history(ctx, after)
	return next, core.E(op, err)
}

// retention is one call of Retain.
type retention struct {
	*Store
	snap   *Snapshot
	now    time.Time
	of     map[string]*core.Retention // by the physical names of tables
	floor  Cursor                     // events up to here were dropped
	oldest time.Time                  // no event that is kept is older
}

// before returns the moment so many days ago, or that of the oldest event when it is earlier.
func (r *retention) before(days int) time.Time {
	if at := r.now.AddDate(0, 0, -days); at.Before(r.oldest) {
		return at
	}
	return r.oldest
}

// bound finds out which events there are.
func (r *retention) bound(ctx context.Context) error {
	r.oldest = r.now
	d := r.db.Dialect
	b := db.New(d).Write(`SELECT value FROM "_meta" WHERE key = `).Arg(feedFloor)
	err := r.db.Query(ctx, b, func(scan func(...any) error) error {
		var value string
		if err := scan(&value); err != nil {
			return err
		}
		return r.floor.parse(value)
	})
	if err != nil {
		return err
	}
	earlier := func(scan func(...any) error) error {
		var at string
		err := scan(&at)
		if t := time.UnixMicro(micros(at)).UTC(); at != "" && t.Before(r.oldest) {
			r.oldest = t
		}
		return err
	}
	var last Cursor
	b = db.New(d).Write(`SELECT CAST(min(first_at) AS text) FROM "_seal" WHERE to_tx > `).Arg(r.floor.Tx).Write(" OR to_tx = ").Arg(r.floor.Tx).Write(" AND to_seq > ").Arg(r.floor.Seq)
	if err := r.db.Query(ctx, b, earlier); err != nil {
		return err
	}
	if last, err = r.ReadCursor(ctx, sealer); err != nil {
		return err
	}
	b = db.New(d).Write(`SELECT CAST(min(e.at) AS text) FROM "_event" AS e WHERE `)
	d.EventsBetween(b, last.Tx, last.Seq, math.MaxInt64, math.MaxInt64)
	return r.db.Query(ctx, b, earlier)
}

// bin purges records that were deleted long ago, with what went with them.
func (r *retention) bin(ctx context.Context, t *core.Table) error {
	at, uuid := &core.Column{Kind: core.Timestamp}, &core.Column{Kind: core.UUID}
	last := core.ID("00000000-0000-0000-0000-000000000000")
	for {
		b := db.New(r.db.Dialect).Write(`SELECT CAST(d.record_id AS text) FROM "_history" AS d WHERE d.op = 'delete' AND d.table_name = `).Arg(t.SQL()).Write(" AND d.record_id > ").Value(uuid, string(last)).
			Write(" AND d.at < ").Value(at, r.before(r.of[t.SQL()].BinDays)).
			Write(` AND NOT EXISTS (SELECT 1 FROM "_history" AS l WHERE l.record_id = d.record_id AND l.table_name = d.table_name AND l.version > d.version) ORDER BY d.record_id LIMIT `, strconv.Itoa(maxRetained))
		var ids []any
		err := r.db.Query(ctx, b, func(scan func(...any) error) error {
			err := scan(&last)
			ids = append(ids, string(last))
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := r.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { return tx.empty(ctx, t.Name, ids) }); err != nil {
			return err
		}
	}
}

// empty deletes records of the recycle bin for good.
func (tx *Tx) empty(ctx context.Context, table string, ids []any) error {
	e, err := tx.erase(ctx, auditRetention)
	if err != nil {
		return err
	}
	t, err := tx.snap.Schema.Table(table)
	if err != nil {
		return err
	}
	found, err := tx.lost(ctx, table, Compare{Column: "id", Op: In, Value: ids})
	if err != nil || len(found) == 0 { // another process was faster
		return err
	}
	r := newRevival(tx, core.CallerFrom(ctx))
	for _, l := range found {
		r.add(t, l.deletion, l.record["id"])
	}
	if _, err := r.gather(ctx); err != nil {
		return err
	}
	c := &clearing{tx: tx, caller: r.caller, erasure: e, seen: map[string]Erased{}}
	for _, name := range r.order {
		for part := range slices.Chunk(r.comes[name].list, maxSeal) {
			gone, err := tx.lost(ctx, name, Compare{Column: "id", Op: In, Value: part})
			if err != nil {
				return err
			}
			if err := c.clear(ctx, name, part); err != nil {
				return err
			}
			for _, l := range gone {
				e.until(r.physical(name), l.at.UnixMicro())
			}
		}
	}
	if err := e.passed(ctx); err != nil {
		return err
	}
	return e.end(ctx)
}

func (r *revival) physical(table string) string {
	if t, err := r.tx.snap.Schema.Table(table); err == nil {
		return t.SQL()
	}
	return table
}

// history drops versions of the next seals, and returns the number of the last one, 0 when there are no more.
func (r *retention) history(ctx context.Context, after int64) (int64, error) {
	for range maxRetained {
		var s seal
		if err := r.db.Query(ctx, r.seals(r.db, after, 1), s.scan); err != nil {
			return after, err
		}
		if s.number == 0 || r.floor.before(s.to) || s.unreadable != nil {
			return 0, nil
		}
		after = s.number
		if !slices.ContainsFunc(s.tables, func(name string) bool { return r.drops(name) }) {
			continue
		}
		err := r.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			if err := tx.lockAudit(ctx); err != nil {
				return err
			}
			return r.thin(ctx, tx, s.number)
		})
		if err != nil {
			return after, err
		}
	}
	return after, nil
}

func (r *retention) drops(table string) bool {
	of := r.of[table]
	return of != nil && (of.HistoryDays > 0 || of.HistoryVersions > 0)
}

// thin drops the versions of a seal that need not be kept.
func (r *retention) thin(ctx context.Context, tx *Tx, number int64) error {
	var s seal
	b := db.New(r.db.Dialect).Write("SELECT ", sealColumns, ` FROM "_seal" WHERE number = `).Arg(number)
	if err := tx.db.Query(ctx, b, s.scan); err != nil {
		return err
	}
	e := &erasure{tx: tx, kind: auditRetention, id: core.NewID(), done: map[string]*Erased{}}
	old, err := r.replaced(ctx, tx, &s, e)
	if err != nil || len(old) == 0 {
		return err
	}
	left := map[versionKey]int64{}
	for _, k := range old {
		left[k] = 0
	}
	if err := e.unseal(ctx, number, left); err != nil {
		return err
	}
	old = slices.DeleteFunc(old, func(k versionKey) bool { return has(left, k) }) // an id that was used again
	if len(old) == 0 {
		return nil
	}
	if err := e.drop(ctx, old); err != nil {
		return err
	}
	return e.end(ctx)
}

// replaced returns the versions of the seal that need not be kept, and notes since when the history is whole without them. The
// last version of a record is always kept, and so is the one before a delete, which a restore needs.
func (r *retention) replaced(ctx context.Context, tx *Tx, s *seal, e *erasure) (out []versionKey, err error) {
	var keys []versionKey
	for i := range s.leaves {
		if k := s.leaves[i].versionKey; r.drops(k.table) {
			keys = append(keys, k)
		}
	}
	b := db.New(tx.db.Dialect).Write("SELECT CAST(k.column4 AS bigint), n.version, n.op, CAST(n.at AS text), (SELECT max(l.version) FROM \"_history\" AS l WHERE l.record_id = k.column1 AND l.table_name = k.column3) FROM (VALUES ")
	writeKeys(b, keys)
	b.Write(`) AS k JOIN "_history" AS h ON h.record_id = k.column1 AND h.version = k.column2 AND h.table_name = k.column3
JOIN "_history" AS n ON n.record_id = k.column1 AND n.table_name = k.column3 AND n.version = (SELECT min(l.version) FROM "_history" AS l WHERE l.record_id = k.column1 AND l.table_name = k.column3 AND l.version > k.column2)`)
	err = tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var i, next, last int64
		var op, at string
		if err := scan(&i, &next, &op, &at, &last); err != nil {
			return err
		}
		k := keys[i]
		of, since := r.of[k.table], time.UnixMicro(micros(at)).UTC()
		long := of.HistoryDays > 0 && since.Before(r.before(of.HistoryDays))
		many := of.HistoryVersions > 0 && last-k.version >= int64(of.HistoryVersions) && since.Before(r.oldest)
		if inBin := op == string(core.Delete) && next == last; (long || many) && !inBin {
			out = append(out, k)
			e.until(k.table, micros(at))
		}
		return nil
	})
	return out, err
}

// keptSince is the key of the moment since which the history of a table is whole, in microseconds.
const keptSince = "kept_since:"

// until notes that the history of the table is whole only from the moment on.
func (e *erasure) until(table string, at int64) {
	if e.since == nil {
		e.since = map[string]int64{}
	}
	e.since[table] = max(e.since[table], at)
}

// raiseSince keeps since when the histories are whole.
func (e *erasure) raiseSince(ctx context.Context) error {
	for table, at := range e.since {
		was, err := e.tx.store.keptSince(ctx, table)
		if err != nil {
			return err
		}
		if at <= was {
			continue
		}
		b := db.New(e.tx.db.Dialect).Write(`INSERT INTO "_meta" (key, value) VALUES (`).Arg(keptSince + table).Write(", ").Arg(strconv.FormatInt(at, 10)).
			Write(") ON CONFLICT (key) DO UPDATE SET value = excluded.value")
		if _, err := e.tx.db.Exec(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// keptSince returns since when the history of a table is whole, in microseconds; 0 for always.
func (s *Store) keptSince(ctx context.Context, table string) (at int64, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT value FROM "_meta" WHERE key = `).Arg(keptSince + table)
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		var value string
		if err := scan(&value); err != nil {
			return err
		}
		at, err = strconv.ParseInt(value, 10, 64)
		return err
	})
	return at, err
}

// whole returns an error when a table of the query was not kept as it was at the moment that the query asks for. It is asked
// after the query was answered, for what was dropped meanwhile is missing too.
func (s *Store) whole(ctx context.Context, at time.Time, tables []*core.Table) error {
	for _, t := range tables {
		since, err := s.keptSince(ctx, t.SQL())
		if err != nil {
			return err
		}
		if at.UnixMicro() < since {
			return core.E("tables.whole", core.Invalid, core.At{Table: t.Name}, fmt.Sprintf("the history is kept since %s: ask for a moment after that", time.UnixMicro(since).UTC().Format(time.RFC3339)))
		}
	}
	return nil
}

// retention tells in a plan what a change of the retention of a table will drop: not the change itself does, but [Store.Retain].
func (a *alteration) retention(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if !a.dry || isNew || t.Retention == nil || was.Retention != nil && *was.Retention == *t.Retention {
		return nil
	}
	n, err := a.tx.unkept(ctx, t)
	if err != nil {
		return err
	}
	return a.step(ctx, t, Step{What: "old versions and deleted records are dropped by and by, as far as nothing needs them", Lock: LockNone, Lost: n})
}

// unkept counts the versions that the retention of the table does not keep.
func (tx *Tx) unkept(ctx context.Context, t *core.Table) (n int64, err error) {
	at := &core.Column{Kind: core.Timestamp}
	of := t.Retention
	days := func(n int) time.Time { return tx.now.AddDate(0, 0, -n) }
	b := db.New(tx.db.Dialect).Write(`SELECT count(*) FROM "_history" AS h LEFT JOIN "_history" AS n ON n.record_id = h.record_id AND n.table_name = h.table_name
AND n.version = (SELECT min(l.version) FROM "_history" AS l WHERE l.record_id = h.record_id AND l.table_name = h.table_name AND l.version > h.version)
JOIN "_history" AS z ON z.record_id = h.record_id AND z.table_name = h.table_name
AND z.version = (SELECT max(l.version) FROM "_history" AS l WHERE l.record_id = h.record_id AND l.table_name = h.table_name)
WHERE h.table_name = `).Arg(t.SQL()).Write(" AND (FALSE")
	if of.BinDays > 0 {
		b.Write(" OR z.op = 'delete' AND z.at < ").Value(at, days(of.BinDays))
	}
	inBin := " AND NOT (n.op = 'delete' AND n.version = z.version)"
	if of.HistoryDays > 0 {
		b.Write(" OR n.at < ").Value(at, days(of.HistoryDays)).Write(inBin)
	}
	if of.HistoryVersions > 0 {
		b.Write(" OR n.version IS NOT NULL AND z.version - h.version >= ").Arg(int64(of.HistoryVersions)).Write(inBin)
	}
	err = tx.db.Query(ctx, b.Write(")"), func(scan func(...any) error) error { return scan(&n) })
	return n, err
}
