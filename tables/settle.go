package tables

import (
	"context"
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// settle computes what the writes of the unit have made stale: level by level, so that what a level reads is current. It
// takes part in the unit like every other write. Reads of the unit come after it, and the commit does.
func (tx *Tx) settle(ctx context.Context) error {
	if tx.settled == len(tx.stale) {
		return nil
	}
	ctx = core.WithCaller(ctx, because(tx.staled, causeDerived, ""))
	for _, l := range tx.snap.derivation.levels {
		ids, err := tx.affected(ctx, l)
		if err == nil {
			err = tx.derive(ctx, l, ids)
		}
		if err != nil {
			return tx.keep(core.E("tables.settle", core.At{Table: l.table.Name}, err))
		}
	}
	tx.settled = len(tx.stale)
	if tx.nested == 0 { // and no savepoint can bring them back
		tx.stale, tx.settled = tx.stale[:0], 0
	}
	return nil
}

// settleFor settles before a write to a table that could see what is stale: by its condition, its rules, the reach of its caller
// or, where records are changed, what they hold. Others leave it to the end, so that a record which many of them make stale is
// computed once.
func (tx *Tx) settleFor(ctx context.Context, table string, changes bool, where Cond, may ...*authz.Decision) error {
	if tx.settled == len(tx.stale) {
		return nil
	}
	byID, ok := where.(Compare)
	sees := where != nil && (!ok || byID.Column != "id") || slices.ContainsFunc([]core.Op{core.Create, core.Update, core.Delete}, func(op core.Op) bool { return tx.snap.Rules.HasRules(table, op) }) ||
		slices.ContainsFunc(may, func(d *authz.Decision) bool { return d != nil && d.Rows != nil }) ||
		changes && slices.ContainsFunc(tx.snap.derivation.levels, func(l *level) bool { return l.table.Name == table })
	if !sees {
		return nil
	}
	return tx.settle(ctx)
}

// derive computes the columns of a level for records, and writes those that have other values than before. The records are
// locked before their values are computed: who changes what they read computes them after us, and sees what we have done.
func (tx *Tx) derive(ctx context.Context, l *level, ids []any) error {
	if len(ids) == 0 {
		return nil
	}
	w, err := authority{tx: tx, caller: core.CallerFrom(ctx)}.writer(l.table.Name)
	if err != nil {
		return err
	}
	w.later, w.unruled = true, true // it is the definition that changes them
	for part := range slices.Chunk(ids, maxBatch) {
		if err := tx.lockWays(ctx, l.ways, part); err != nil {
			return err
		}
		r, err := tx.reach(ctx, l.table.Name, "", Compare{Column: "id", Op: In, Value: part})
		if err != nil {
			return err
		}
		found, err := tx.read(ctx, r, l.table.Stored, tx.db.LockRow())
		if err != nil {
			return err
		}
		values, err := tx.values(ctx, l, part)
		if err != nil {
			return err
		}
		for _, old := range found {
			next := maps.Clone(old)
			maps.Copy(next, values[old["id"]])
			if w.same(old, next) {
				continue
			}
			w.touch(next, old)
			w.batch = append(w.batch, change{op: core.Update, before: old, after: next})
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// values computes the columns of a level for records, by id.
func (tx *Tx) values(ctx context.Context, l *level, ids []any) (map[any]core.Record, error) {
	p := &planner{snap: tx.snap, caller: core.System(causeDerived)}
	n := p.alias(l.table, nil)
	id, _ := l.table.Column("id")
	s := &selection{shape: &db.Shape{Many: true}}
	s.add(db.ShapeField{Key: "id", Kind: id.Kind}, func(b *db.Builder) { b.Name(n.alias, "id") })
	for _, c := range l.columns {
		s.add(db.ShapeField{Key: c.Name, Kind: c.Kind}, func(b *db.Builder) { l.row(n).formula(b, c) })
	}
	s.from = func(b *db.Builder) {
		b.Write(" FROM ")
		n.from(b)
		b.Write(" WHERE ")
		b.Dialect().AnyOf(b, id, func() { b.Name(n.alias, "id") }, ids)
	}
	b := db.New(tx.db.Dialect)
	s.answer(b)
	raw, err := tx.db.Answer(ctx, b, s.shape, nil)
	if err != nil {
		return nil, err
	}
	records, err := decode(l.table, raw)
	if err != nil {
		return nil, err
	}
	out := make(map[any]core.Record, len(records))
	for _, r := range records {
		out[r["id"]] = r
	}
	return out, nil
}

// row returns the record of the node for the formulas of the level.
func (l *level) row(n *node) *formulaRow {
	r := n.row(false)
	r.anew = l
	return r
}

// lockWays locks the records on the ways of the ones given. Who changes one of them waits, or is waited for; and as one lookup
// alone does, they do not wait for those who only refer to them. What is changed at an end without a lock of that record is
// kept from being changed by a lock which those take who do it.
func (tx *Tx) lockWays(ctx context.Context, ways []way, ids []any) error {
	if tx.db.LockKey() == "" {
		return nil
	}
	for _, w := range ways {
		at := ids
		for _, step := range w.steps {
			from, err := tx.snap.Schema.Table(step.From)
			if err != nil {
				return err
			}
			if at, err = tx.hop(ctx, from, step.Relation.Column, "id", step.Relation, at); err != nil {
				return err
			}
		}
		to, err := tx.snap.Schema.Table(w.steps[len(w.steps)-1].Relation.Table)
		if err != nil {
			return err
		}
		lock := tx.db.LockKey()
		if w.row {
			lock = tx.db.LockRow()
		}
		if err := tx.lockRows(ctx, to, at, lock); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) lockRows(ctx context.Context, t *core.Table, ids []any, lock string) error {
	if err := tx.lockTrees(ctx, t, ids); err != nil {
		return err
	}
	return tx.lockIDs(ctx, t, ids, lock)
}

func (tx *Tx) lockIDs(ctx context.Context, t *core.Table, ids []any, lock string) error {
	id, _ := t.Column("id")
	for part := range slices.Chunk(ids, maxBatch) {
		b := db.New(tx.db.Dialect).Write("SELECT t.id FROM ").Name(t.SQL()).Write(" AS t WHERE ")
		b.Dialect().AnyOf(b, id, func() { b.Write("t.id") }, part)
		if _, err := queryKeys(ctx, tx.db, b.Write(" ORDER BY t.id", lock)); err != nil {
			return err
		}
	}
	return nil
}
