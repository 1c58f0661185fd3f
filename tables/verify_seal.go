package tables

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
)

// finding is what is wrong with a version.
type finding struct {
	kind string
	key  versionKey
	says string
}

// versions compares the versions and events that a seal is about with what is there. What does not fit is looked at a second
// time while nobody can erase anything, so that an erasure at the same time is none.
func (v *verifier) versions(ctx context.Context, s *seal) error {
	found, err := v.compare(ctx, v.db, s)
	if err == nil && len(found.wrong) > 0 {
		err = v.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			if err := tx.lockAudit(ctx); err != nil {
				return err
			}
			if err := v.reload(ctx, tx.db); err != nil {
				return err
			}
			found, err = v.compare(ctx, tx.db, s)
			return err
		})
	}
	if err != nil {
		return err
	}
	for _, f := range found.wrong {
		v.about(f.kind, f.key, s.number, "%s", f.says)
	}
	for i, l := range s.leaves {
		if !found.gone[i] && l.at <= v.start && v.looks(l.table) {
			v.known.flip(l.versionKey)
		}
	}
	v.out.Versions += found.good
	v.out.Erased += found.erased
	return nil
}

// looks reports whether the verifier looks at the table.
func (v *verifier) looks(table string) bool { return v.table == "" || v.table == table }

// compared is what a comparison of a seal with the history found.
type compared struct {
	wrong        []finding
	gone         []bool // of each leaf: the history has no such version, be it erased or removed
	good, erased int64
}

func (v *verifier) compare(ctx context.Context, conn db.Conn, s *seal) (c compared, err error) {
	if len(s.leaves) == 0 {
		return c, nil
	}
	erased, err := erasedOf(ctx, conn, v.db.Dialect, s)
	if err != nil {
		return c, err
	}
	c.gone = make([]bool, len(s.leaves))
	good := make([]bool, len(s.leaves))
	add := func(kind string, k versionKey, says string) { c.wrong = append(c.wrong, finding{kind, k, says}) }
	stored, err := v.stored(ctx, conn, s.leaves)
	if err != nil {
		return c, err
	}
	for i := range s.leaves {
		l, row := &s.leaves[i], &stored[i]
		switch {
		case !v.looks(l.table):
		case erased[i]: // and when there is a version, the id was used again; that version has a leaf of its own
			c.erased++
			c.gone[i] = true
		case !row.there:
			c.gone[i] = true
			add(ProblemRemoved, l.versionKey, "the version is gone from the history")
		case row.hash(s.salt(i)) != l.hash:
			add(ProblemEdited, l.versionKey, "the version is not what was sealed: its record, its actor, its time or its cause was changed")
		default:
			c.good++
			good[i] = true
		}
	}
	events, err := v.events(ctx, conn, s)
	if err != nil {
		return c, err
	}
	v.compareEvents(s, stored, good, events, add)
	return c, nil
}

// erasedOf returns which leaves of the seal were erased, as the audit says.
func erasedOf(ctx context.Context, conn db.Conn, d db.Dialect, s *seal) ([]bool, error) {
	out := make([]bool, len(s.leaves))
	b := db.New(d).Write(`SELECT data FROM "_audit" WHERE seal = `).Arg(s.number)
	err := conn.Query(ctx, b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		var data erasedLeaves
		if json.Unmarshal(raw, &data) != nil {
			return nil // the chain of the audit tells
		}
		for _, i := range data.Positions {
			if i >= 0 && i < len(out) {
				out[i] = true
			}
		}
		return nil
	})
	return out, err
}

// writeKeys writes rows of VALUES: record, version, table, and the index of the key.
func writeKeys(b *db.Builder, keys []versionKey) {
	uuid := b.Dialect().ColumnType(&core.Column{Kind: core.UUID})
	for i, k := range keys {
		if i > 0 {
			b.Write(", ")
		}
		b.Write("(CAST(").Arg(k.id).Write(" AS ", uuid, "), CAST(").Arg(k.version).Write(" AS bigint), ").Arg(k.table).Write(", ", strconv.Itoa(i), ")")
	}
}

// stored reads the versions of the leaves, in their order.
func (v *verifier) stored(ctx context.Context, conn db.Conn, leaves []leaf) ([]storedVersion, error) {
	out := make([]storedVersion, len(leaves))
	keys := make([]versionKey, len(leaves))
	for i := range leaves {
		keys[i], out[i].versionKey = leaves[i].versionKey, leaves[i].versionKey
	}
	b := db.New(v.db.Dialect).Write("SELECT CAST(k.column4 AS bigint), ", versionColumns, " FROM (VALUES ")
	writeKeys(b, keys)
	b.Write(`) AS k LEFT JOIN "_history" AS h ON h.record_id = k.column1 AND h.version = k.column2 AND h.table_name = k.column3`)
	err := conn.Query(ctx, b, func(scan func(...any) error) error {
		var i int64
		var row storedVersion
		dest, done := row.into()
		if err := scan(append([]any{&i}, dest...)...); err != nil {
			return err
		}
		done()
		row.versionKey = out[i].versionKey
		out[i] = row
		return nil
	})
	return out, err
}

// storedEvent is a row of "_event".
type storedEvent struct {
	versionKey
	op      string
	actor   core.ID
	cause   string
	causeID string
	at      int64
}

// events reads the events that the seal is about, as far as they were not dropped.
func (v *verifier) events(ctx context.Context, conn db.Conn, s *seal) (out []storedEvent, err error) {
	from := s.from
	if from == (Cursor{}) { // nothing of ours comes before
		from.Seq = math.MinInt64
	}
	b := db.New(v.db.Dialect).Write(`SELECT e.table_name, CAST(e.record_id AS text), CAST(e.version AS bigint), e.op, CAST(e.actor AS text), e.cause, e.cause_id, CAST(e.at AS text) FROM "_event" AS e WHERE `)
	v.db.EventsBetween(b, from.Tx, from.Seq, s.to.Tx, s.to.Seq)
	b.Write(" ORDER BY ", v.db.EventOrder(false), " LIMIT ").Arg(int64(2*maxSeal + 1)) // more are forged in any case
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		var e storedEvent
		var at string
		err := scan(&e.table, &e.id, &e.version, &e.op, &e.actor, &e.cause, &e.causeID, &at)
		e.at = micros(at)
		out = append(out, e)
		return err
	})
	return out, err
}

// compareEvents compares the events with the leaves, which are in their order, and with the versions that they tell of.
func (v *verifier) compareEvents(s *seal, stored []storedVersion, good []bool, events []storedEvent, add func(kind string, k versionKey, says string)) {
	at := make(map[versionKey]int, len(s.leaves))
	for i := range s.leaves {
		at[s.leaves[i].versionKey] = i
	}
	there := make([]bool, len(s.leaves))
	last := -1
	for _, e := range events {
		i, ok := at[e.versionKey]
		looks := v.looks(e.table)
		switch {
		case !ok || there[i]:
			if looks {
				add(ProblemEvent, e.versionKey, "the event was never sealed: somebody has put it in between")
			}
			continue
		case i < last && looks:
			add(ProblemEvent, e.versionKey, "the event is not in the place that it had")
		}
		last = max(last, i)
		there[i] = true
		row := &stored[i]
		same := e.at == s.leaves[i].at && (!good[i] || e.op == row.op && e.actor == row.actor && e.cause == row.cause && e.causeID == row.causeID)
		if !same && looks {
			add(ProblemEvent, e.versionKey, "the event does not tell what the version does: it was changed")
		}
	}
	for i := int(min(max(v.dropped-v.walked, 0), int64(len(there)))); i < len(there); i++ {
		if !there[i] && v.looks(s.leaves[i].table) {
			add(ProblemEvent, s.leaves[i].versionKey, "the event of the version is gone")
		}
	}
}
