package tables

import (
	"context"
	"maps"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Where stored columns read everything below a record (descendants), a write to one record of a tree changes those above it, and in
// a circle those below. Writers who lock the records that they write, and then those above, would wait for each other. So a tree is
// locked before any of its records: by its top, or in a circle by the record of the least id, in the order of these. Which records are
// tops stays, since who changes what hangs together with what holds the trees of the table alone. Others share them, so that writers of
// different trees do not wait for each other.

// trees are those that the records of a table make by a lookup.
type trees struct{ table, column string }

// held are the trees that the unit has locked.
type held struct {
	alone bool            // all
	in    map[string]bool // those with these records
}

// growTrees notes by which relations records of a table hang together that a stored column reads all the way down.
func (d *derivation) growTrees(read rules.Read) {
	for _, step := range read.Path {
		of := step.Relation
		if step.Down && !slices.ContainsFunc(d.trees[of.Table], func(r core.Relation) bool { return r.Column == of.Column }) {
			d.trees[of.Table] = append(d.trees[of.Table], of)
		}
	}
}

// hasTrees reports whether records of the table are in trees that are to be locked.
func (tx *Tx) hasTrees(t *core.Table) bool {
	return len(tx.snap.derivation.trees[t.Name]) > 0 && tx.db.LockRow() != ""
}

// lockTrees locks the trees that records are in, to change their values. Call it before the first lock on one of them.
func (tx *Tx) lockTrees(ctx context.Context, t *core.Table, ids []any) error {
	if !tx.hasTrees(t) {
		return nil
	}
	for _, rel := range tx.snap.derivation.trees[t.Name] {
		if err := tx.lockTree(ctx, t, rel, ids); err != nil {
			return core.E("tables.lockTrees", core.At{Table: t.Name}, err)
		}
	}
	return nil
}

func (tx *Tx) lockTree(ctx context.Context, t *core.Table, rel core.Relation, ids []any) error {
	name := trees{t.Name, rel.Column}
	has := tx.trees[name]
	ids = slices.DeleteFunc(slices.Clone(ids), func(id any) bool {
		s, ok := id.(string)
		return !ok || has != nil && has.in[s]
	})
	if len(ids) == 0 || has != nil && has.alone {
		return nil
	}
	if has == nil {
		if err := tx.lockName(ctx, name, false); err != nil {
			return err
		}
		has = tx.holds(name)
	}
	above, err := tx.upward(ctx, t, rel, ids)
	if err != nil {
		return err
	}
	tops := map[any]bool{}
	for id := range above {
		tops[topOf(above, id)] = true
		has.in[id] = true
	}
	return tx.lockIDs(ctx, t, sortedIDs(tops), tx.db.LockRow())
}

// rearrange locks all trees of a table, to change which records hang together. Call it before the first lock on one of them.
func (tx *Tx) rearrange(ctx context.Context, t *core.Table) error {
	if !tx.hasTrees(t) {
		return nil
	}
	for _, rel := range tx.snap.derivation.trees[t.Name] {
		name := trees{t.Name, rel.Column}
		if has := tx.trees[name]; has != nil && has.alone {
			continue
		}
		if err := tx.lockName(ctx, name, true); err != nil {
			return core.E("tables.rearrange", core.At{Table: t.Name}, err)
		}
		tx.holds(name).alone = true
	}
	return nil
}

func (tx *Tx) lockName(ctx context.Context, of trees, alone bool) error {
	b := db.New(tx.db.Dialect)
	b.Dialect().LockName(b, "trees of "+of.table+" by "+of.column, alone)
	_, err := tx.db.Exec(ctx, b)
	return err
}

func (tx *Tx) holds(name trees) *held {
	if tx.trees == nil {
		tx.trees = map[trees]*held{}
	}
	if tx.trees[name] == nil {
		tx.trees[name] = &held{in: map[string]bool{}}
	}
	return tx.trees[name]
}

// upward returns the records and all above them, with the one that each looks up, "" where there is none.
func (tx *Tx) upward(ctx context.Context, t *core.Table, rel core.Relation, ids []any) (map[string]string, error) {
	lookup, err := t.Need(rel.Column)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for part := range slices.Chunk(ids, maxBatch) {
		b := db.New(tx.db.Dialect).Write("WITH RECURSIVE up (id, above) AS (SELECT t.id, t.").Name(lookup.SQL()).Write(" FROM ").Name(t.SQL()).Write(" AS t WHERE ")
		b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("t.id") }, part)
		b.Write(" UNION SELECT t.id, t.").Name(lookup.SQL()).Write(" FROM ").Name(t.SQL()).Write(" AS t JOIN up ON t.id = up.above) SELECT id, above FROM up")
		err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
			var id, above core.ID // empty for NULL
			err := scan(&id, &above)
			out[string(id)] = string(above)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// topOf returns the record at the top of the tree that a record is in: of a circle the one of the least id.
func topOf(above map[string]string, id string) string {
	seen := map[string]bool{}
	for !seen[id] {
		seen[id] = true
		next := above[id]
		if _, there := above[next]; !there {
			return id
		}
		id = next
	}
	least := id // which is in the circle
	for at := above[id]; at != id; at = above[at] {
		if strings.Compare(at, least) < 0 {
			least = at
		}
	}
	return least
}

// lockTreesOf locks the trees of the records in reach.
func (tx *Tx) lockTreesOf(ctx context.Context, r *reach) error {
	if !tx.hasTrees(r.table) {
		return nil
	}
	b := db.New(tx.db.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	ids, err := queryKeys(ctx, tx.db, b)
	if err != nil {
		return err
	}
	return tx.lockTrees(ctx, r.table, ids)
}

// moves locks the trees of the table where one of the changes sets a lookup by which they hang together.
func (tx *Tx) moves(ctx context.Context, t *core.Table, sets ...core.Record) error {
	if !tx.hasTrees(t) {
		return nil
	}
	for _, set := range sets {
		for _, rel := range tx.snap.derivation.trees[t.Name] {
			if _, ok := set[rel.Column]; ok {
				return tx.rearrange(ctx, t)
			}
		}
	}
	return nil
}

// rearranges reports whether the batch changes which records hang together. A new record does not: it has none below it.
func (w *writer) rearranges() bool {
	return slices.ContainsFunc(w.tx.snap.derivation.trees[w.table.Name], func(rel core.Relation) bool {
		return slices.ContainsFunc(w.batch, func(c change) bool {
			return c.op == core.Delete || c.op == core.Update && !equal(c.before[rel.Column], c.after[rel.Column])
		})
	})
}

// lockTrees locks the trees in which the batch makes values stale, before its rows refer to records there.
func (w *writer) lockTrees(ctx context.Context) error {
	if len(w.tx.snap.derivation.trees) == 0 || w.tx.db.LockRow() == "" {
		return nil
	}
	if w.rearranges() {
		if err := w.tx.rearrange(ctx, w.table); err != nil {
			return err
		}
	}
	n := staling{seen: map[stale]struct{}{}}
	for _, watch := range w.tx.snap.derivation.watches[w.table.Name] {
		for i := range w.batch {
			n.change(watch, &w.batch[i])
		}
	}
	ids := map[string]map[any]bool{}
	for _, s := range n.out {
		if s.steps == onward {
			continue
		}
		table := s.watch.level.table.Name
		if s.steps > 0 {
			table = s.watch.path[s.steps-1].Relation.Table
		}
		if ids[table] == nil {
			ids[table] = map[any]bool{}
		}
		ids[table][s.id] = true
	}
	for _, table := range slices.Sorted(maps.Keys(ids)) {
		t, err := w.tx.snap.Schema.Table(table)
		if err == nil {
			err = w.tx.lockTrees(ctx, t, sortedIDs(ids[table]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
