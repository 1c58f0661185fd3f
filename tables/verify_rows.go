package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"

	"colonnade/core"
	"colonnade/core/db"
)

// buckets compare two sets of versions without keeping them: each version is put into one bucket by its hash, and where the
// sets are the same, every bucket is empty at the end.
type buckets struct {
	sums [1 << 14]uint64
	seed maphash.Seed
}

func (b *buckets) of(k versionKey) (int, uint64) {
	h := maphash.Comparable(b.seed, k)
	return int(h % uint64(len(b.sums))), h
}

// flip adds the version, or takes it out again.
func (b *buckets) flip(k versionKey) {
	i, h := b.of(k)
	b.sums[i] ^= h
}

// unsealed adds the versions that are not sealed yet.
func (v *verifier) unsealed(ctx context.Context) error {
	return v.tail(ctx, func(k versionKey, at int64) {
		v.out.Unsealed++
		if at <= v.start {
			v.known.flip(k)
		}
	})
}

// tail yields the versions of events behind the last seal.
func (v *verifier) tail(ctx context.Context, each func(k versionKey, at int64)) error {
	b := db.New(v.db.Dialect).Write(`SELECT e.table_name, CAST(e.record_id AS text), CAST(e.version AS bigint), CAST(e.at AS text) FROM "_event" AS e WHERE `)
	v.db.EventsBetween(b, v.last.to.Tx, v.last.to.Seq, math.MaxInt64, math.MaxInt64)
	return v.db.Query(ctx, b, func(scan func(...any) error) error {
		var k versionKey
		var at string
		err := scan(&k.table, &k.id, &k.version, &at)
		if err == nil && v.looks(k.table) {
			each(k, micros(at))
		}
		return err
	})
}

// history yields the versions of the history until the start.
func (v *verifier) history(ctx context.Context, each func(versionKey)) error {
	b := db.New(v.db.Dialect).Write(`SELECT table_name, CAST(record_id AS text), CAST(version AS bigint), CAST(at AS text) FROM "_history"`)
	if v.table != "" {
		b.Write(" WHERE table_name = ").Arg(v.table)
	}
	return v.db.Query(ctx, b, func(scan func(...any) error) error {
		var k versionKey
		var at string
		err := scan(&k.table, &k.id, &k.version, &at)
		if err == nil && micros(at) <= v.start {
			each(k)
		}
		return err
	})
}

// forged finds versions that were never sealed and have no event that waits for it.
func (v *verifier) forged(ctx context.Context) error {
	if err := v.history(ctx, v.known.flip); err != nil {
		return err
	}
	dirty := map[int]bool{}
	for i, sum := range v.known.sums {
		if sum != 0 {
			dirty[i] = true
		}
	}
	if len(dirty) == 0 {
		return nil
	}
	suspects := map[versionKey]bool{}
	err := v.history(ctx, func(k versionKey) {
		if i, _ := v.known.of(k); dirty[i] && len(suspects) < maxSuspects {
			suspects[k] = true
		}
	})
	if err != nil {
		return err
	}
	// What is read from here on is newer than the suspects: what was written properly meanwhile is in it.
	if err := v.acquit(ctx, suspects); err != nil {
		return err
	}
	for k := range suspects {
		v.about(ProblemForged, k, 0, "the version was never sealed: it was written past Colonnade")
	}
	return nil
}

// maxSuspects bounds what is kept in memory while forged versions are looked for.
const maxSuspects = 1 << 20

// acquit takes out the suspects that a seal or an event tells of.
func (v *verifier) acquit(ctx context.Context, suspects map[versionKey]bool) error {
	v.last = seal{}
	for {
		page, err := v.nextSeals(ctx)
		if err != nil {
			return err
		}
		for _, s := range page {
			erased, err := erasedOf(ctx, v.db, v.db.Dialect, s)
			if err != nil {
				return err
			}
			for i := range s.leaves {
				if !erased[i] {
					delete(suspects, s.leaves[i].versionKey)
				}
			}
			v.last = seal{number: s.number, to: s.to}
		}
		if len(page) == 0 {
			return v.tail(ctx, func(k versionKey, _ int64) { delete(suspects, k) })
		}
	}
}

// idsBehind writes the query for the next ids of a table, in their order. Without the t the order would be that of the result, which
// is a text: PostgreSQL would read and sort the whole table for each part of it.
func idsBehind(d db.Dialect, of *core.Table, after any, limit int) *db.Builder {
	b := db.New(d).Write("SELECT CAST(t.id AS text) FROM ").Name(of.SQL()).Write(" AS t")
	if after != nil {
		b.Write(" WHERE t.id > ").Value(&core.Column{Kind: core.UUID}, after)
	}
	return b.Write(" ORDER BY t.id LIMIT ").Arg(int64(limit))
}

// rows compares the rows of the tables with the last versions of the records, and calculated columns with their formulas.
func (v *verifier) rows(ctx context.Context) error {
	for _, t := range v.snap.Schema.Tables() {
		if t.Builtin || !v.looks(t.SQL()) {
			continue
		}
		if err := v.rowsOf(ctx, t); err != nil {
			return err
		}
		if err := v.vanished(ctx, t); err != nil {
			return err
		}
		if err := v.derived(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) rowsOf(ctx context.Context, t *core.Table) error {
	after := any(nil)
	for {
		page, err := queryKeys(ctx, v.db, idsBehind(v.db.Dialect, t, after, maxSeal))
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1]
		if err := v.compareRows(ctx, t, page); err != nil {
			return err
		}
	}
}

// compareRows compares some rows. When one of them cannot be read, it is looked for.
func (v *verifier) compareRows(ctx context.Context, t *core.Table, ids []any) error {
	rows, err := v.readRows(ctx, t, ids)
	if err != nil && ctx.Err() == nil && len(ids) > 1 {
		half := len(ids) / 2
		if err := v.compareRows(ctx, t, ids[:half]); err != nil {
			return err
		}
		return v.compareRows(ctx, t, ids[half:])
	}
	if err != nil {
		if k := core.KindOf(err); ctx.Err() != nil || k.Retry() && k != core.Internal {
			return err
		}
		v.current(t, ids[0], 0, "the row cannot be read: it holds what its columns cannot")
		return nil
	}
	for _, r := range rows {
		v.compareRow(t, r)
	}
	return nil
}

func (v *verifier) current(t *core.Table, id any, version int64, format string, args ...any) {
	v.problem(Problem{Kind: ProblemCurrent, Table: t.Name, ID: core.ID(id.(string)), Version: version, Message: fmt.Sprintf(format, args...)})
}

// The names of what readRows adds to a row. No column is called so.
const (
	lastVersion = "_last"
	lastData    = "_data"
)

// readRows reads rows with the version of the history that is theirs, in one statement, so that both are of one moment.
func (v *verifier) readRows(ctx context.Context, t *core.Table, ids []any) ([]core.Record, error) {
	s := &selection{shape: &db.Shape{Many: true}}
	for c := range t.Stored {
		s.add(db.ShapeField{Key: c.Name, Kind: c.Kind}, func(b *db.Builder) { b.Name("r", c.SQL()) })
	}
	s.add(db.ShapeField{Key: lastVersion, Kind: core.Integer}, func(b *db.Builder) {
		b.Write(`(SELECT max(l.version) FROM "_history" AS l WHERE l.record_id = r.id AND l.table_name = `).Arg(t.SQL()).Write(")")
	})
	s.add(db.ShapeField{Key: lastData, Kind: core.Text}, func(b *db.Builder) { b.Write("CAST(h.data AS text)") })
	s.from = func(b *db.Builder) {
		b.Write(" FROM ").Name(t.SQL()).Write(` AS r LEFT JOIN "_history" AS h ON h.record_id = r.id AND h.version = r.version AND h.table_name = `).Arg(t.SQL()).Write(" WHERE ")
		id, _ := t.Column("id")
		b.Dialect().AnyOf(b, id, func() { b.Name("r", "id") }, ids)
	}
	b := db.New(v.db.Dialect)
	s.answer(b)
	raw, err := v.db.Answer(ctx, b, s.shape, nil)
	if err != nil {
		return nil, err
	}
	return decode(t, raw)
}

func (v *verifier) compareRow(t *core.Table, r core.Record) {
	version, _ := r["version"].(int64)
	last, data := fmt.Sprint(r[lastVersion]), r[lastData]
	text, ok := data.(string)
	switch {
	case !ok:
		v.current(t, r["id"], version, "the record has version %d, which the history does not know", version)
		return
	case last != fmt.Sprint(version):
		v.current(t, r["id"], version, "the record has version %d, and the history goes on to version %s", version, last)
		return
	}
	was, err := decodeStored(t, []byte(text))
	if err != nil {
		v.current(t, r["id"], version, "the last version of the record cannot be read")
		return
	}
	for c := range t.Stored {
		if old, ok := was[c.Name]; ok && !alikeValues(old, r[c.Name]) { // the history is silent on a column that came later
			v.current(t, r["id"], version, "%s is not what the last version of the record says: the row was changed past Colonnade", c.Name)
			return
		}
	}
	v.out.Records++
}

func alikeValues(a, b any) bool {
	x, ok := a.(json.RawMessage)
	y, both := b.(json.RawMessage)
	if ok && both {
		return string(appendCanonical(nil, x)) == string(appendCanonical(nil, y))
	}
	return equal(a, b)
}

// vanished finds records that the history knows, and that are not in their table.
func (v *verifier) vanished(ctx context.Context, t *core.Table) error {
	b := db.New(v.db.Dialect).Write(`SELECT CAST(h.record_id AS text), h.version FROM "_history" AS h WHERE h.table_name = `).Arg(t.SQL()).
		Write(` AND h.op <> 'delete' AND NOT EXISTS (SELECT 1 FROM "_history" AS l WHERE l.record_id = h.record_id AND l.table_name = h.table_name AND l.version > h.version)
AND NOT EXISTS (SELECT 1 FROM `).Name(t.SQL()).Write(" AS r WHERE r.id = h.record_id)")
	return v.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		var version int64
		err := scan(&id, &version)
		if err == nil {
			v.current(t, string(id), version, "the record is gone from its table, and the history does not tell of a delete")
		}
		return err
	})
}
