package tables

import (
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// stale says that values of a level are to be computed anew: those of the records from which the first steps of a way lead
// to the record.
type stale struct {
	watch *watch
	steps int // that lead to the record; 0 for a record of the level itself, onward for one that may lead elsewhere than before
	id    string
}

// onward is said in place of steps of a record whose ways are to be locked.
const onward = -1

// note notes what the changes of a batch make stale. done says that the records themselves were computed when they were
// written.
func (tx *Tx) note(t *core.Table, caller core.Caller, changes []change, done bool) {
	watches := tx.snap.derivation.watches[t.Name]
	if len(watches) == 0 {
		return
	}
	n := staling{seen: map[stale]struct{}{}, done: done && tx.db.Lock() == ""}
	for _, w := range watches {
		for i := range changes {
			n.change(w, &changes[i])
		}
	}
	tx.stale = append(tx.stale, n.out...)
	tx.staled = caller
}

// staling is what one batch makes stale, each once.
type staling struct {
	seen map[stale]struct{}
	done bool // the records themselves are current, and nobody can have changed meanwhile what they read
	out  []stale
}

func (n *staling) add(w *watch, steps int, id any) {
	s, ok := id.(string)
	if !ok {
		return
	}
	one := stale{w, steps, s}
	if _, known := n.seen[one]; !known {
		n.seen[one] = struct{}{}
		n.out = append(n.out, one)
	}
}

// sees reports whether the change is one of what is watched.
func (w *watch) sees(c *change) bool {
	return c.op != core.Update || slices.ContainsFunc(w.columns, func(of *core.Column) bool { return !equal(c.before[of.Name], c.after[of.Name]) })
}

// change notes what a change makes stale for one watch.
func (n *staling) change(w *watch, c *change) {
	if !w.sees(c) {
		return
	}
	id, last := c.record()["id"], len(w.path)
	if last == 0 {
		if c.after != nil && !n.done {
			n.add(w, 0, id)
		}
		return
	}
	step := w.path[last-1]
	rel := step.Relation
	if len(w.ways) > 0 && c.after != nil {
		if w.link {
			n.add(w, onward, c.after[rel.Column])
		} else {
			n.add(w, onward, id)
		}
	}
	if !w.link && (!rel.Many || rel.Through != "") {
		if c.after != nil { // a record that goes is one that nothing leads to any more
			n.add(w, last, id)
		}
		return
	}
	column := rel.Column
	if w.link {
		column = rel.Near
	}
	for _, r := range []core.Record{c.before, c.after} {
		if r == nil || !w.link && rel.Which != "" && r[rel.Which] != rel.Target {
			continue
		}
		n.add(w, last-1, r[column])
		if step.Down { // and those above
			n.add(w, last, r[column])
		}
	}
}

// noteGone notes what the deletion of records makes stale, before it.
func (tx *Tx) noteGone(ctx context.Context, table string, caller core.Caller, ids []any) error {
	t, err := tx.snap.Schema.Table(table)
	if err != nil {
		return err
	}
	finds := tx.snap.derivation.finds(t)
	if len(finds) == 0 {
		return nil
	}
	id, _ := t.Column("id")
	finds = append([]*core.Column{id}, finds...)
	for part := range slices.Chunk(ids, maxBatch) {
		r, err := tx.reach(ctx, table, "", Compare{Column: "id", Op: In, Value: part})
		if err != nil {
			return err
		}
		records, err := tx.read(ctx, r, slices.Values(finds), "")
		if err != nil {
			return err
		}
		changes := make([]change, len(records))
		for i := range records {
			changes[i] = change{op: core.Delete, before: records[i]}
		}
		tx.note(t, caller, changes, true)
	}
	return nil
}

// maxStale is how many records a unit of work computes anew for one level: their ids are kept in memory.
const maxStale = 1_000_000

// affected returns the records of the level whose values are to be computed anew, in the order of their ids.
func (tx *Tx) affected(ctx context.Context, l *level) ([]any, error) {
	marks := map[*watch][]map[any]struct{}{} // by the number of steps
	var leads map[*watch]map[any]struct{}
	for _, s := range tx.stale[tx.settled:] {
		if s.watch.level != l {
			continue
		}
		if s.steps == onward {
			if leads == nil {
				leads = map[*watch]map[any]struct{}{}
			}
			of := leads[s.watch]
			join(&of, s.id)
			leads[s.watch] = of
			continue
		}
		if marks[s.watch] == nil {
			marks[s.watch] = make([]map[any]struct{}, len(s.watch.path)+1)
		}
		join(&marks[s.watch][s.steps], s.id)
	}
	all := map[any]struct{}{}
	for _, w := range l.watches {
		if err := tx.lockWays(ctx, w.ways, sortedIDs(leads[w])); err != nil {
			return nil, err
		}
		at := marks[w]
		if at == nil {
			continue
		}
		for steps := len(w.path); steps > 0; steps-- {
			if w.turns(steps) {
				to, err := tx.snap.Schema.Table(w.path[steps-1].Relation.Table)
				if err == nil {
					err = tx.lockRows(ctx, to, sortedIDs(at[steps]), tx.db.LockRow())
				}
				if err != nil {
					return nil, err
				}
			}
			found, err := tx.back(ctx, l.table, w.path[:steps], sortedIDs(at[steps]))
			if err != nil {
				return nil, err
			}
			join(&at[steps-1], found...)
		}
		join(&all, sortedIDs(at[0])...)
		if len(all) > maxStale {
			return nil, core.E("tables.affected", core.Limit, core.At{Table: l.table.Name}, "the change makes the stored columns of more than 1,000,000 records stale: change less at once")
		}
	}
	return sortedIDs(all), nil
}

func join[T any](set *map[any]struct{}, ids ...T) {
	if *set == nil {
		*set = make(map[any]struct{}, len(ids))
	}
	for _, id := range ids {
		(*set)[id] = struct{}{}
	}
}

// back returns the records from which the last step of the path leads to one of the ids. Records in between keep their
// lookups until the end of the unit, so that none leads elsewhere meanwhile.
func (tx *Tx) back(ctx context.Context, from *core.Table, path []rules.Step, ids []any) (out []any, err error) {
	for part := range slices.Chunk(ids, maxBatch) {
		found, err := tx.backPart(ctx, from, path, part)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (tx *Tx) backPart(ctx context.Context, from *core.Table, path []rules.Step, ids []any) ([]any, error) {
	step := path[len(path)-1]
	rel := step.Relation
	if len(path) > 1 {
		var err error
		if from, err = tx.snap.Schema.Table(step.From); err != nil {
			return nil, err
		}
	}
	to, err := tx.snap.Schema.Table(rel.Table)
	if err != nil {
		return nil, err
	}
	switch {
	case step.Down:
		return tx.above(ctx, to, rel, ids)
	case rel.Through != "":
		links, err := tx.snap.Schema.Table(rel.Through)
		if err != nil {
			return nil, err
		}
		return tx.hop(ctx, links, rel.Near, rel.Column, core.Relation{}, ids)
	case rel.Many:
		return tx.hop(ctx, to, rel.Column, "id", rel, ids)
	}
	return tx.hop(ctx, from, "id", rel.Column, rel, ids)
}

// hop returns the values of one column in the records that have one of the ids in another, and that the relation is about. All
// of these records keep their lookups until the end of the unit, those too that lead nowhere now.
func (tx *Tx) hop(ctx context.Context, t *core.Table, want, by string, rel core.Relation, ids []any) (out []any, err error) {
	wanted, err := t.Need(want)
	if err != nil {
		return nil, err
	}
	given, err := t.Need(by)
	if err != nil {
		return nil, err
	}
	from := func(b *db.Builder) *db.Builder {
		b.Write(" FROM ").Name(t.SQL()).Write(" AS t WHERE ")
		b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Name("t", given.SQL()) }, ids)
		return b
	}
	if tx.hasTrees(t) {
		found, err := queryKeys(ctx, tx.db, from(db.New(tx.db.Dialect).Write("SELECT t.id")))
		if err == nil {
			err = tx.lockTrees(ctx, t, found)
		}
		if err != nil {
			return nil, err
		}
	}
	b := db.New(tx.db.Dialect).Write("SELECT ")
	if rel.Which == "" {
		b.Name("t", wanted.SQL())
	} else {
		which, err := t.Need(rel.Which)
		if err != nil {
			return nil, err
		}
		b.Write("CASE WHEN ").Name("t", which.SQL()).Write(" = ").Arg(rel.Target).Write(" THEN ").Name("t", wanted.SQL()).Write(" END")
	}
	err = tx.db.Query(ctx, from(b).Write(" ORDER BY t.id", tx.db.LockKey()), func(scan func(...any) error) error {
		var id core.ID // empty for NULL
		err := scan(&id)
		if err == nil && id != "" {
			out = append(out, string(id))
		}
		return err
	})
	return out, err
}

// above returns all records above those with the ids, each once, so that a circle ends.
func (tx *Tx) above(ctx context.Context, t *core.Table, rel core.Relation, ids []any) ([]any, error) {
	var all map[any]struct{}
	for len(ids) > 0 {
		up, err := tx.hop(ctx, t, rel.Column, "id", rel, ids)
		if err != nil {
			return nil, err
		}
		var next map[any]struct{}
		for _, id := range up {
			if _, known := all[id]; !known {
				join(&next, id)
			}
		}
		ids = sortedIDs(next)
		join(&all, ids...)
	}
	return sortedIDs(all), nil
}
