package tables

import (
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// flush writes what was prepared: the rows, their history and their events.
func (w *writer) flush(ctx context.Context) error {
	if err := w.giveBack(ctx); err != nil {
		return err
	}
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.mustBeRuled(); err != nil {
		return err
	}
	if err := w.deepen(); err != nil {
		return err
	}
	if err := w.lockTrees(ctx); err != nil {
		return err
	}
	if err := w.lookups(ctx); err != nil {
		return err
	}
	if err := w.targets(ctx); err != nil {
		return err
	}
	if err := w.files(ctx); err != nil {
		return err
	}
	creates, err := w.creates(ctx)
	if err != nil {
		return err
	}
	marks, err := w.marks(ctx)
	if err != nil {
		return err
	}
	sets := make([]db.Rows, 0, 4)
	if len(creates) > 0 {
		sets = append(sets, w.created(creates))
	}
	if len(creates) > 0 && len(creates) < len(w.batch) { // what the statements change may refer to what they find
		if err := w.tx.db.Insert(ctx, sets...); err != nil {
			return w.explain(ctx, err, creates)
		}
		sets = sets[:0]
	}
	if err := w.statements(ctx); err != nil {
		return w.explain(ctx, err, nil)
	}
	if err := w.index(ctx); err != nil {
		return err
	}
	if err := w.keepOwners(ctx); err != nil {
		return err
	}
	if len(marks) > 0 {
		sets = append(sets, markRows(marks))
	}
	if !w.table.Builtin {
		imprints := w.imprints()
		sets = append(sets, w.history(imprints), w.events(imprints))
		w.tx.events = true
	}
	creates = slices.Clone(creates) // the batch is used again before a late error comes
	err = w.tx.db.InsertLater(ctx, func(err error) error { return w.explainMarks(ctx, err, marks, creates) }, sets...)
	if err != nil {
		return err
	}
	w.tx.remember(w)
	w.noteLate()
	w.tx.wrote()
	given := w.givenAway()
	w.batch = w.batch[:0]
	return w.followOwners(ctx, given)
}

// creates returns the new records in an order in which each comes after those of them that it looks up, with the versions
// that follow on their history.
func (w *writer) creates(ctx context.Context) ([]change, error) {
	creates := w.batch
	if slices.ContainsFunc(w.batch, func(c change) bool { return c.op != core.Create }) {
		creates = nil
		for _, c := range w.batch {
			if c.op == core.Create {
				creates = append(creates, c)
			}
		}
	}
	if len(creates) == 0 {
		return nil, nil
	}
	if err := w.resume(ctx, creates); err != nil {
		return nil, err
	}
	for _, c := range w.stored {
		if c.Kind == core.Lookup && c.Target == w.table.Name && len(creates) > 1 {
			return w.parentsFirst(creates), nil
		}
	}
	return creates, nil
}

// resume gives records whose ids were used before the versions that come next, and ends what was shared of the records that had
// these ids.
func (w *writer) resume(ctx context.Context, creates []change) error {
	if w.table.Builtin {
		return nil
	}
	var given []any
	byID := map[string]core.Record{}
	for _, c := range creates {
		if c.given {
			id := c.after["id"].(string)
			given = append(given, id)
			byID[id] = c.after
		}
	}
	if len(given) == 0 {
		return nil
	}
	id := &core.Column{Name: "record_id", Kind: core.UUID}
	b := db.New(w.tx.db.Dialect).Write(`SELECT record_id, max(version) FROM "_history" WHERE table_name = `).Arg(w.table.SQL()).Write(" AND ")
	b.Dialect().AnyOf(b, id, func() { b.Write("record_id") }, given)
	var used []any
	err := w.tx.db.Query(ctx, b.Write(" GROUP BY record_id"), func(scan func(...any) error) error {
		var id core.ID
		var version int64
		err := scan(&id, &version)
		byID[string(id)]["version"] = version + 1
		used = append(used, string(id))
		return err
	})
	if err != nil || len(used) == 0 {
		return err
	}
	_, err = w.tx.dropShares(ctx, w.table, ofRecords(used))
	return err
}

// parentsFirst sorts records of a table that looks up itself.
func (w *writer) parentsFirst(creates []change) []change {
	byID := make(map[any]int, len(creates))
	for i, c := range creates {
		byID[c.after["id"]] = i
	}
	out := make([]change, 0, len(creates))
	seen := make([]bool, len(creates))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, c := range w.stored {
			if c.Kind == core.Lookup && c.Target == w.table.Name {
				if j, ok := byID[creates[i].after[c.Name]]; ok {
					visit(j)
				}
			}
		}
		out = append(out, creates[i])
	}
	for i := range creates {
		visit(i)
	}
	return out
}

// statements runs what updates and deletes the records of the batch.
func (w *writer) statements(ctx context.Context) error {
	var changed []*change
	var gone []any
	for i := range w.batch {
		switch c := &w.batch[i]; c.op {
		case core.Update:
			changed = append(changed, c)
		case core.Delete:
			gone = append(gone, c.before["id"])
		}
	}
	if err := w.updateRows(ctx, changed); err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	if err := w.retire(ctx, gone); err != nil {
		return err
	}
	id, _ := w.table.Column("id")
	b := db.New(w.tx.db.Dialect).Write("DELETE FROM ").Name(w.table.SQL()).Write(" WHERE ")
	b.Dialect().AnyOf(b, id, func() { b.Name("id") }, gone)
	_, err := w.tx.db.Exec(ctx, b)
	return err
}

// retire empties the dropped lookups that lead to records which go, so that they do not stand in the way.
func (w *writer) retire(ctx context.Context, gone []any) error {
	for _, r := range w.tx.snap.Schema.Retired(w.table) {
		lookup := &core.Column{Name: r.Column, Kind: core.Lookup}
		b := db.New(w.tx.db.Dialect).Write("UPDATE ").Name(r.Table).Write(" SET ").Name(r.Column).Write(" = NULL WHERE ")
		b.Dialect().AnyOf(b, lookup, func() { b.Name(r.Column) }, gone)
		if _, err := w.tx.db.Exec(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// updateRows updates records, together those that change in the same columns.
func (w *writer) updateRows(ctx context.Context, changed []*change) error {
	if len(changed) == 1 {
		_, err := w.tx.db.Exec(ctx, w.updateRow(changed[0].before, changed[0].after))
		return err
	}
	id, _ := w.table.Column("id")
	for _, g := range w.alike(changed) {
		columns := append([]*core.Column{id}, g.columns...)
		after := func(row int) core.Record { return g.changes[row].after }
		err := w.tx.db.Update(ctx, db.Rows{Table: w.table.SQL(), Columns: columns, N: len(g.changes), Same: sameSystem(columns, len(g.changes), after), Value: func(row, column int) any {
			return after(row)[columns[column].Name]
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// alike are records that change in the same columns.
type alike struct {
	columns []*core.Column
	changes []*change
}

func (w *writer) alike(changed []*change) (out []*alike) {
	byColumns := map[string]*alike{}
	key := make([]byte, len(w.stored))
	for _, c := range changed {
		for i, col := range w.stored {
			key[i] = 0
			if !equal(c.before[col.Name], c.after[col.Name]) {
				key[i] = 1
			}
		}
		g := byColumns[string(key)]
		if g == nil {
			g = &alike{}
			for i, col := range w.stored {
				if key[i] == 1 {
					g.columns = append(g.columns, col)
				}
			}
			byColumns[string(key)] = g
			out = append(out, g)
		}
		g.changes = append(g.changes, c)
	}
	return out
}

func (w *writer) updateRow(old, next core.Record) *db.Builder {
	b := db.New(w.tx.db.Dialect).Write("UPDATE ").Name(w.table.SQL()).Write(" SET ")
	comma := false
	for _, c := range w.stored {
		if equal(old[c.Name], next[c.Name]) {
			continue
		}
		if comma {
			b.Write(", ")
		}
		comma = true
		b.Name(c.SQL()).Write(" = ").Value(c, next[c.Name])
	}
	return b.Write(" WHERE id = ").Arg(old["id"])
}
