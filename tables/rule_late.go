package tables

import (
	"context"
	"maps"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// lateWrite is a record that was written, and that rules still have to check by what other records hold.
type lateWrite struct {
	*rules.Write
	table   *core.Table
	item    int
	defined bool // the definition of the tables writes it, not the caller himself
}

// verifyBatch is how many records are checked together.
const verifyBatch = 1000

// noteLate remembers the records of the batch that rules have to check when everything is written that is written with them.
func (w *writer) noteLate() {
	for i := range w.batch {
		if c := &w.batch[i]; c.late != nil {
			c.late.Record = maps.Clone(c.late.Record)
			for _, d := range w.derived {
				if w.tx.snap.Rules.Reaches(w.table.Name, d.Name) { // it may be another by then
					delete(c.late.Record, d.Name)
				}
			}
			w.tx.late = append(w.tx.late, lateWrite{c.late, w.table, c.item, w.defined})
		}
	}
}

// verify asks the rules that check by other records about the records that were written since the queue had that length. Those
// of a table and an operation are asked together.
func (tx *Tx) verify(ctx context.Context, since int) error {
	for len(tx.late) > since {
		next := tx.late[since:]
		n := slices.IndexFunc(next, func(l lateWrite) bool {
			return l.table != next[0].table || l.Op != next[0].Op || !l.Caller.Alike(next[0].Caller)
		})
		if n < 0 {
			n = len(next)
		}
		n = min(n, verifyBatch)
		if err := tx.verifySome(ctx, next[:n]); err != nil {
			return err
		}
		tx.late = slices.Delete(tx.late, since, since+n)
	}
	return nil
}

// verifySome asks about records of one table, all created or all changed.
func (tx *Tx) verifySome(ctx context.Context, late []lateWrite) error {
	first := &late[0]
	if err := tx.anchor(ctx, late); err != nil {
		return err
	}
	if err := tx.settle(ctx); err != nil { // they may read what the writes have made stale
		return err
	}
	tx.wrote() // others may have committed what we have waited for
	records, old := make([]core.Record, len(late)), make([]core.Record, len(late))
	for i, l := range late {
		records[i], old[i] = l.Record, l.Old
	}
	if err := tx.Foresee(first.Caller, tx.snap.Rules.VerifyNeeds(first.table.Name, first.Op), records, old); err != nil {
		return err
	}
	for i := range late {
		err := tx.snap.Rules.Verify(first.table.Name, late[i].Write)
		if err != nil && late[i].defined {
			err = authority{tx, first.Caller, ""}.conceal(ctx, first.table.Name, late[i].Record, err)
		}
		if err != nil {
			return core.E("tables.verify", core.At{Item: late[i].item}, err)
		}
	}
	return nil
}

// anchor locks the records on which the checks hang, in the order of their ids, so that transactions that could break a rule
// together come one after the other.
func (tx *Tx) anchor(ctx context.Context, late []lateWrite) error {
	lock := tx.db.Dialect.LockRow()
	if lock == "" { // there is one writer
		return nil
	}
	t := late[0].table
	anchors, wide := tx.snap.Rules.Anchors(t.Name, late[0].Op)
	if wide {
		b := db.New(tx.db.Dialect).Write(`SELECT name FROM "_table" WHERE name = `).Arg(t.SQL()).Write(lock)
		if _, err := queryKeys(ctx, tx.db, b); err != nil {
			return err
		}
	}
	for _, a := range anchors {
		ids := map[any]bool{}
		for _, l := range late {
			r := l.Record
			if a.Old {
				r = l.Old
			}
			if rel := a.Path[0].Relation; r[rel.Column] != nil && (rel.Which == "" || r[rel.Which] == rel.Target) {
				ids[r[rel.Column]] = true
			}
		}
		if err := tx.lockPath(ctx, a.Path, ids); err != nil {
			return err
		}
	}
	return nil
}

// lockPath locks the records to which the lookups of a way lead.
func (tx *Tx) lockPath(ctx context.Context, path []rules.Step, ids map[any]bool) error {
	for i, step := range path {
		if len(ids) == 0 {
			return nil
		}
		t, err := tx.snap.Schema.Table(step.Relation.Table)
		if err != nil {
			return err
		}
		next := map[any]bool{}
		id, _ := t.Column("id")
		if err := tx.lockTrees(ctx, t, sortedIDs(ids)); err != nil {
			return err
		}
		for part := range slices.Chunk(sortedIDs(ids), maxBatch) {
			b := db.New(tx.db.Dialect).Write("SELECT coalesce(CAST(")
			if i+1 < len(path) {
				c, _ := t.Column(path[i+1].Relation.Column)
				b.Name(c.SQL())
			} else {
				b.Name("id")
			}
			b.Write(" AS text), '') FROM ").Name(t.SQL()).Write(" WHERE ")
			b.Dialect().AnyOf(b, id, func() { b.Name("id") }, part)
			b.Write(" ORDER BY id", b.Dialect().LockRow())
			err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
				var to string
				err := scan(&to)
				if to != "" {
					next[to] = true
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		ids = next
	}
	return nil
}

// unplaced is err without its item.
func unplaced(err error) error {
	if err == nil {
		return nil
	}
	e := *core.AsError(err)
	e.Item = 0
	return &e
}
