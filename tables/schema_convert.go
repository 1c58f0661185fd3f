package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// convertPage is how many records are read and written together when a column is filled.
const convertPage = 1000

// convert fills a column with the values of the one whose place it took.
func (a *alteration) convert(ctx context.Context, t *core.Table, r core.RetypeColumn, c *core.Column) error {
	was, _ := a.before(t)
	i := slices.IndexFunc(t.Dropped, func(x core.Dropped) bool { return x.Column != nil && x.By == c.SQL() })
	from := t.Dropped[i].Column.Loose()
	s := Step{What: fmt.Sprintf("values become those of the kind %s", c.Kind), Column: c.Name, Lock: LockWrites}
	if err := a.mayBlock(ctx, t, s); err != nil {
		return err
	}
	a.noteFill(t, c, func(ctx context.Context, raw, next []core.Record) error {
		values, _, err := a.converted(ctx, from, c, raw)
		for i, r := range next {
			r[c.Name] = values[raw[i]["id"].(string)]
		}
		return err
	})
	empty := int64(0)
	err := a.pages(ctx, was, []*core.Column{from}, func(page []core.Record) error {
		next, lost, err := a.converted(ctx, from, c, page)
		if err != nil {
			return err
		}
		s.Lost += int64(len(lost))
		s.Examples = append(s.Examples, lost[:min(len(lost), maxExamples-len(s.Examples))]...)
		empty += int64(len(page) - len(next))
		s.Rows += int64(len(next))
		return a.fill(ctx, t, c, next)
	})
	if err != nil {
		return err
	}
	if a.dry {
		if s.Examples, err = a.tx.readable(ctx, was, t.Dropped[i].Column, s.Examples); err != nil {
			return err
		}
	}
	a.steps = append(a.steps, s.of(t))
	switch {
	case a.dry:
	case s.Lost > 0 && r.OnLoss != "null":
		return core.E("tables.convert", core.Invalid, fmt.Sprintf("%d values cannot become those of the kind %s: plan_change shows which; change them first, or apply with on_loss null, which empties them", s.Lost, c.Kind))
	case c.Required && empty > 0:
		return core.E("tables.convert", core.Invalid, fmt.Sprintf("%s would have no value, and the column is required: change that first, or make the column not required", core.Count(empty, "record")))
	}
	return nil
}

func (s Step) of(t *core.Table) Step {
	s.Table = t.Name
	return s
}

// mayBlock refuses a step that would keep writers waiting; the step is noted later.
func (a *alteration) mayBlock(ctx context.Context, t *core.Table, s Step) error {
	steps := a.steps
	err := a.step(ctx, t, s)
	a.steps = steps
	return err
}

// pages reads columns of all records, by primary key. The records hold id and the columns by their physical names.
func (a *alteration) pages(ctx context.Context, t *core.Table, columns []*core.Column, each func([]core.Record) error) error {
	id := &core.Column{Name: "id", Kind: core.UUID}
	for last := any(nil); ; {
		b := db.New(a.tx.db.Dialect)
		all := append([]*core.Column{id}, columns...)
		shape := &db.Shape{Many: true}
		for _, c := range all {
			shape.Fields = append(shape.Fields, db.ShapeField{Key: c.SQL(), Kind: c.Kind})
		}
		b.Dialect().Answer(b, shape, func(i int) { b.Name("t", all[i].SQL()) }, func() {
			b.Write(" FROM ").Name(t.SQL()).Write(" AS t")
			if last != nil {
				b.Write(" WHERE t.id > ").Value(id, last)
			}
			b.Write(fmt.Sprintf(" ORDER BY t.id LIMIT %d", convertPage))
		})
		raw, err := a.tx.db.Answer(ctx, b, shape, nil)
		if err != nil {
			return err
		}
		page, err := decodeColumns(raw, all)
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1]["id"]
		if err := each(page); err != nil || len(page) < convertPage {
			return err
		}
	}
}

func decodeColumns(raw []byte, columns []*core.Column) ([]core.Record, error) {
	t := &core.Table{}
	for _, c := range columns {
		of := *c
		of.Name = c.SQL()
		t.Columns = append(t.Columns, of)
	}
	return decode(t, raw)
}

// converted returns the values that are not NULL, by id, and those that cannot be converted.
func (a *alteration) converted(ctx context.Context, from, to *core.Column, page []core.Record) (map[string]any, []Lost, error) {
	next := map[string]any{}
	var lost []Lost
	for _, r := range page {
		id, v := r["id"].(string), r[from.SQL()]
		out, err := core.Convert(from, to, v)
		if err != nil {
			lost = append(lost, Lost{ID: core.ID(id), Value: string(from.AppendJSON(nil, v)), Reason: core.AsError(err).Msg})
		} else if out != nil {
			next[id] = out
		}
	}
	if to.Kind != core.Lookup {
		return next, lost, nil
	}
	target, err := a.next.Schema.Table(to.Target)
	if err != nil {
		return nil, nil, err
	}
	found, err := a.existing(ctx, target, slices.Collect(maps.Values(next)))
	if err != nil {
		return nil, nil, err
	}
	for _, r := range page {
		id := r["id"].(string)
		if v, ok := next[id].(string); ok && !found[v] {
			lost = append(lost, Lost{ID: core.ID(id), Value: v, Reason: fmt.Sprintf("there is no %s with this id", to.Target)})
			delete(next, id)
		}
	}
	return next, lost, nil
}

// existing returns which of the ids are those of records.
func (a *alteration) existing(ctx context.Context, t *core.Table, ids []any) (map[string]bool, error) {
	found := map[string]bool{}
	if _, isNew := a.before(t); isNew && a.dry || len(ids) == 0 {
		return found, nil
	}
	id := &core.Column{Name: "id", Kind: core.UUID}
	b := db.New(a.tx.db.Dialect).Write("SELECT id FROM ").Name(t.SQL()).Write(" WHERE ")
	b.Dialect().AnyOf(b, id, func() { b.Name("id") }, ids)
	err := a.tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		found[string(id)] = true
		return err
	})
	return found, err
}

// fill writes values of a new column.
func (a *alteration) fill(ctx context.Context, t *core.Table, c *core.Column, values map[string]any) error {
	if a.dry {
		return nil
	}
	id := &core.Column{Name: "id", Kind: core.UUID}
	var updates []*db.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		updates = append(updates, db.New(a.tx.db.Dialect).Write("UPDATE ").Name(t.SQL()).Write(" SET ").Name(c.SQL()).Write(" = ").Value(c, values[key]).Write(" WHERE id = ").Value(id, key))
	}
	if len(updates) == 0 {
		return nil
	}
	if len(a.done) == 0 || a.done[len(a.done)-1] != updates[0].String() {
		a.done = append(a.done, updates[0].String())
	}
	return a.tx.db.ExecAll(ctx, updates...)
}

// readable keeps of the examples what the caller may read; of the others, that there are some.
func (tx *Tx) readable(ctx context.Context, t *core.Table, c *core.Column, examples []Lost) ([]Lost, error) {
	if len(examples) == 0 {
		return nil, nil
	}
	caller := core.CallerFrom(ctx)
	may, err := tx.snap.Policy.Decide(caller, t.Name, authz.Read)
	if err != nil {
		return nil, nil
	}
	visible, guard := may.Column(c.Name)
	if guard != nil {
		visible = false
	}
	var ids []core.ID
	for _, e := range examples {
		ids = append(ids, e.ID)
	}
	seen, err := tx.ids(ctx, t.Name, core.Read, ByID(ids...))
	if err != nil {
		return nil, err
	}
	var out []Lost
	for _, e := range examples {
		if !slices.Contains(seen, e.ID) {
			continue
		}
		if !visible {
			e.Value, e.Reason = "", "you may not read the value"
		}
		out = append(out, e)
	}
	return out, nil
}
