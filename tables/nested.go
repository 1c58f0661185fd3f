package tables

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"colonnade/core"
)

// Nest is an insert that belongs to a row of another: its records are what a relation of the row leads to. They are
// created before the row when the row looks them up, after it when they look up the row.
type Nest struct {
	Row      int // of the outer insert, counted from 0
	Relation string
	Insert   Insert // its Table is that of the relation
}

// insertNested inserts rows with everything that belongs to them. Records of one relation are inserted together.
func (tx *Tx) insertNested(ctx context.Context, in Insert) (Result, error) {
	const op = "tables.insertNested"
	var before, after []*bundle
	for _, b := range bundles(in.With) {
		rel, ok := tx.snap.Schema.Relation(in.Table, b.relation)
		if !ok || rel.Through != "" {
			return Result{}, core.E(op, core.Invalid, core.At{Table: in.Table}, fmt.Sprintf("the table has no relation %q by which records are created", b.relation))
		}
		b.which, b.target = rel.Which, rel.Target
		b.of, b.many, b.lookup, b.insert.Table = in.Table, rel.Many, rel.Column, rel.Table
		if rel.Many {
			after = append(after, b)
		} else {
			before = append(before, b)
		}
	}
	in.Rows, in.With = slices.Clone(in.Rows), nil
	in.trusted = maps.Clone(in.trusted)
	if in.trusted == nil {
		in.trusted = map[any]bool{}
	}
	var related Result
	for _, b := range before {
		if err := tx.insertParents(ctx, &in, b, &related); err != nil {
			return Result{}, err
		}
	}
	res, err := tx.insertFlat(ctx, in)
	if err == nil {
		err = tx.Flush(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	for _, b := range after {
		if err := tx.insertChildren(ctx, res, b, &related); err != nil {
			return Result{}, err
		}
	}
	res.sum(related)
	return res, nil
}

// bundle is what is inserted by one relation of several rows, and with one answer to conflicts.
type bundle struct {
	of       string // the table of the rows
	relation string
	many     bool
	lookup   string // the column that makes the relation: of the rows, or of what is inserted
	which    string // of a lookup of several tables: the column that says which,
	target   string // and what it says
	insert   Insert
	origin   []origin // by row of the insert
}

// origin is where a row of a bundle was in the input.
type origin struct{ row, place int }

// bundles puts together what can be inserted together.
func bundles(with []Nest) (out []*bundle) {
	byRelation := map[string][]*bundle{}
	for _, n := range with {
		same := byRelation[n.Relation]
		i := slices.IndexFunc(same, func(b *bundle) bool {
			return b.insert.Find == n.Insert.Find && reflect.DeepEqual(b.insert.OnConflict, n.Insert.OnConflict)
		})
		if i < 0 {
			b := &bundle{relation: n.Relation, insert: Insert{OnConflict: n.Insert.OnConflict, OnDuplicate: n.Insert.OnDuplicate, Find: n.Insert.Find}}
			out, same = append(out, b), append(same, b)
			byRelation[n.Relation] = same
			i = len(same) - 1
		}
		same[i].add(n)
	}
	return out
}

func (b *bundle) add(n Nest) {
	from := len(b.insert.Rows)
	for i, r := range n.Insert.Rows {
		b.insert.Rows = append(b.insert.Rows, r)
		b.origin = append(b.origin, origin{n.Row, i})
	}
	for _, inner := range n.Insert.With {
		inner.Row += from
		b.insert.With = append(b.insert.With, inner)
	}
}

// run inserts the bundle, adds up what it did, and returns the ids of its records.
func (b *bundle) run(ctx context.Context, tx *Tx, total *Result) ([]core.ID, []Item, error) {
	if b.insert.Find != "" {
		ids, err := tx.named(ctx, b.insert)
		return ids, make([]Item, len(ids)), b.locate(err)
	}
	res, err := tx.Insert(ctx, b.insert)
	if err == nil {
		err = tx.Flush(ctx) // an error that came later would have lost its place
	}
	if err != nil {
		return nil, nil, b.locate(err)
	}
	total.sum(res)
	ids, err := tx.identified(ctx, b.insert.Table, res.Items)
	return ids, res.Items, b.locate(err)
}

// locate gives an error of a row of the bundle its place in the whole input.
func (b *bundle) locate(err error) error {
	if err == nil {
		return nil
	}
	at := core.AsError(err).At
	o := b.origin[max(at.Item-1, 0)]
	inner := at.Input // which begins with the row
	outer := place(o.row) + "." + b.relation
	if b.insert.Find != "" {
		return core.E("tables.locate", core.At{Item: o.row + 1, Input: outer + ".key"}, err)
	}
	outer += ".data"
	if b.many {
		outer += place(o.place)
	}
	return core.E("tables.locate", core.At{Item: o.row + 1, Input: outer + inner[indexEnd(inner):]}, err)
}

func place(i int) string { return "[" + strconv.Itoa(i) + "]" }

// indexEnd returns where the index ends that a place begins with, such as [12].
func indexEnd(place string) int {
	for i := range place {
		if place[i] == ']' {
			return i + 1
		}
	}
	return 0
}

// identified returns the ids of what an insert was about, also of records that a conflict has left as they were, when
// the caller may read them.
func (tx *Tx) identified(ctx context.Context, table string, items []Item) ([]core.ID, error) {
	out := make([]core.ID, len(items))
	var held []core.ID
	for i, it := range items {
		if out[i] = it.ID; it.Outcome == Ignored {
			held = append(held, it.held)
		}
	}
	if len(held) == 0 {
		return out, nil
	}
	seen, err := tx.ids(ctx, table, core.Read, ByID(held...))
	if err != nil {
		return nil, err
	}
	for i, it := range items {
		if it.Outcome != Ignored {
			continue
		}
		if !slices.Contains(seen, it.held) {
			return nil, core.E("tables.identified", core.Denied, core.At{Table: table, Item: item(len(items), i)}, "a record with this key exists, and you may not read it")
		}
		out[i] = it.held
	}
	return out, nil
}

// insertParents inserts what the rows look up, and has them look it up.
func (tx *Tx) insertParents(ctx context.Context, in *Insert, b *bundle, total *Result) error {
	for i, o := range b.origin {
		at := core.At{Table: in.Table, Column: b.lookup, Item: item(len(in.Rows), o.row)}
		if _, given := in.Rows[o.row][b.lookup]; given || i > 0 && b.origin[i-1].row == o.row {
			return core.E("tables.insertParents", core.Invalid, at, fmt.Sprintf("the lookup has two values, one of them by %s: leave one out", b.relation))
		}
	}
	b.insert.trusted = in.trusted
	ids, items, err := b.run(ctx, tx, total)
	if err != nil {
		return err
	}
	for i, o := range b.origin {
		row := in.Rows[o.row].Clone()
		row[b.lookup] = string(ids[i])
		in.Rows[o.row] = row
		if items[i].Outcome == Created {
			in.trusted[string(ids[i])] = true
		}
	}
	return nil
}

// insertChildren inserts what looks up the rows.
func (tx *Tx) insertChildren(ctx context.Context, parents Result, b *bundle, total *Result) error {
	ids, err := tx.identified(ctx, b.of, parents.Items)
	if err != nil {
		return err
	}
	b.insert.trusted = map[any]bool{}
	for i, o := range b.origin {
		if _, given := b.insert.Rows[i][b.lookup]; given {
			return b.locate(core.E("tables.insertChildren", core.Invalid, core.At{Table: b.insert.Table, Column: b.lookup, Item: i + 1}, "the lookup leads to the record that this one is nested in: leave it out"))
		}
		row := b.insert.Rows[i].Clone()
		row[b.lookup] = string(ids[o.row])
		if b.which != "" {
			row[b.which] = b.target
		}
		b.insert.Rows[i] = row
		if parents.Items[o.row].Outcome == Created {
			b.insert.trusted[string(ids[o.row])] = true
		}
	}
	_, _, err = b.run(ctx, tx, total)
	return err
}
