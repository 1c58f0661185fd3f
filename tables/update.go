package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
)

// Update changes records.
type Update struct {
	Table       string
	Where       Cond
	Set         core.Record
	Inc         core.Record // to add to numbers
	Mul         core.Record // to multiply numbers with; a decimal is rounded to its scale, half away from zero
	Edit        []Edit      // of JSON values
	Named       []Named     // what the records are to look up
	IfVersion   int64       // the version that the record must have; 0 for any
	OnDuplicate Duplicates
	AtMost      int // refuse to change more records; 0 for no limit

	trusted map[any]bool // files that the record, or one merged into it, has had before
}

// Named is a record that another is to look up, by one of its keys. The caller must be able to read it.
type Named struct {
	Relation string      // by which it is looked up
	Key      string      // as in [OnConflict]
	Values   core.Record // of the key
}

// Update runs an update in a unit of work.
func (tx *Tx) Update(ctx context.Context, u Update) (Result, error) {
	since := len(tx.late)
	res, err := tx.update(ctx, u)
	if err == nil {
		err = tx.verify(ctx, since)
	}
	return res, core.E("tables.Update", tx.keep(err))
}

func (tx *Tx) update(ctx context.Context, u Update) (res Result, err error) {
	w, err := tx.writer(ctx, u.Table, core.Update)
	if err != nil {
		return Result{}, err
	}
	w.trusted = u.trusted
	w.onDuplicate = u.OnDuplicate
	if u.Set, err = w.lookUp(ctx, u); err != nil {
		return Result{}, err
	}
	set, err := w.parse(core.Update, u.Set)
	if err != nil {
		return Result{}, err
	}
	deltas, err := w.deltas(u)
	if err != nil {
		return Result{}, err
	}
	if err := tx.settleFor(ctx, u.Table, true, u.Where, w.update); err != nil {
		return Result{}, err
	}
	if err := tx.moves(ctx, w.table, set.values); err != nil {
		return Result{}, err
	}
	parts, n, err := tx.recordParts(ctx, u.Table, core.Update, u.Where, true)
	if err != nil {
		return Result{}, err
	}
	if err := w.limit(n, u.AtMost); err != nil {
		return Result{}, err
	}
	i := 0
	for old, err := range parts {
		if err == nil {
			err = w.foreseeChanges(set.values, old)
		}
		if err != nil {
			return Result{}, err
		}
		for _, r := range old {
			at := item(n, i)
			i++
			changed, err := w.updateOne(ctx, u.IfVersion, set, deltas, r, at)
			if err != nil {
				return Result{}, core.E("tables.update", core.At{Item: at}, err)
			}
			res.updated(core.ID(r["id"].(string)), changed)
		}
		if err := w.flush(ctx); err != nil {
			return Result{}, err
		}
	}
	res.like(w.likened)
	return res, nil
}

// lookUp returns the new values with the lookups that are named by keys, which the caller must be able to write before it is told
// a word about what there is.
func (w *writer) lookUp(ctx context.Context, u Update) (core.Record, error) {
	const op = "tables.lookUp"
	if len(u.Named) == 0 {
		return u.Set, nil
	}
	set := make(core.Record, len(u.Set)+len(u.Named))
	maps.Copy(set, u.Set)
	for _, n := range u.Named {
		rel, ok := w.tx.snap.Schema.Relation(u.Table, n.Relation)
		if !ok || rel.Many {
			return nil, core.E(op, core.Invalid, core.At{Table: u.Table}, fmt.Sprintf("the table has no lookup %q", n.Relation))
		}
		if _, err := w.column(core.Update, rel.Column); err != nil {
			return nil, err
		}
		if _, given := set[rel.Column]; given {
			return nil, core.E(op, core.Invalid, w.at(rel.Column), fmt.Sprintf("the lookup has two values, one of them by %s: leave one out", n.Relation))
		}
		ids, err := w.tx.named(ctx, Insert{Table: rel.Table, Find: n.Key, Rows: []core.Record{n.Values}})
		if err != nil {
			at := core.AsError(err).At
			at.Item = 0 // of the list that it was asked for in
			return nil, core.E(op, core.KindOf(err), at, core.AsError(err).Msg)
		}
		set[rel.Column] = string(ids[0])
	}
	return set, nil
}

func (w *writer) updateOne(ctx context.Context, version int64, set input, deltas []delta, old core.Record, at int) (changed bool, err error) {
	if err := w.checkVersion(ctx, old, version, set.values); err != nil {
		return false, err
	}
	in, err := w.derive(set, deltas, old)
	if err != nil {
		return false, err
	}
	return w.change(in, old, at)
}

// delta is a change of a column that depends on what the record has. Who may not read it cannot make it.
type delta struct {
	column *core.Column
	may    input // with the guards of the write
	read   *guard
	verb   string
	apply  func(old any) (any, error)
}

// deltas checks what is to be done with what the records have.
func (w *writer) deltas(u Update) (out []delta, err error) {
	seen := map[string]bool{}
	add := func(name, verb string, prepare func(c *core.Column) (func(any) (any, error), error)) error {
		const op = "tables.deltas"
		c, err := w.column(core.Update, name)
		if err != nil {
			return err
		}
		d := delta{column: c.Column, verb: verb}
		d.may.guard(c)
		if d.read, err = w.readable(d.column, verb); err != nil {
			return err
		}
		if _, set := u.Set[name]; set || seen[name] {
			return core.E(op, core.Invalid, w.at(name), "two operators change the column, and both cannot be done: leave one out")
		}
		seen[name] = true
		if d.apply, err = prepare(d.column); err != nil {
			return core.E(op, w.at(name), err)
		}
		out = append(out, d)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(u.Inc)) {
		if err := add(name, "increase", increment(u.Inc[name])); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Mul)) {
		if err := add(name, "multiply", multiply(u.Mul[name])); err != nil {
			return nil, err
		}
	}
	for _, e := range u.Edit {
		if err := add(e.Column, "edit", e.prepare); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readable returns the guard under which the caller reads the column, of which the change tells the value.
func (w *writer) readable(c *core.Column, verb string) (*guard, error) {
	read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read)
	if err != nil {
		return nil, err
	}
	switch visible, holds := read.Column(c.Name); {
	case !visible:
		return nil, core.E("tables.readable", core.Denied, w.at(c.Name), "you may not read this column, so you can set it, but not "+verb+" it")
	case holds != nil:
		return &guard{c.Name, holds}, nil
	}
	return nil, nil
}

// derive returns what to set: the values, and what the deltas make of those that the record has. NULL stays NULL.
func (w *writer) derive(set input, deltas []delta, old core.Record) (input, error) {
	if len(deltas) == 0 {
		return set, nil
	}
	out := input{values: maps.Clone(set.values), guards: slices.Clone(set.guards)}
	for _, d := range deltas {
		name := d.column.Name
		if d.read != nil {
			if ok, err := w.holds(d.read.holds, old); err != nil || !ok {
				return input{}, core.E("tables.derive", core.Denied, w.at(name), "you may not read this column in this record, so you cannot "+d.verb+" it", err)
			}
		}
		out.guards = append(out.guards, d.may.guards...)
		out.values[name] = nil
		if old[name] == nil {
			continue
		}
		v, err := d.apply(old[name])
		if err == nil {
			out.values[name], err = d.column.Parse(v)
		}
		if err != nil {
			return input{}, core.E("tables.derive", w.at(name), err)
		}
	}
	return out, nil
}

// increment returns what prepares the addition of by, which is nothing when by is NULL.
func increment(by any) func(c *core.Column) (func(any) (any, error), error) {
	return func(c *core.Column) (func(any) (any, error), error) {
		if !c.Kind.Info().Number {
			return nil, core.E("tables.increment", core.Invalid, "only a number and a duration can be increased")
		}
		by, err := c.Unlimited().Parse(by) // the limits are those of the sum
		return func(old any) (any, error) {
			if by == nil {
				return nil, nil
			}
			return plus(old, by)
		}, err
	}
}

// multiply returns what prepares the multiplication with by, which is nothing when by is NULL.
func multiply(by any) func(c *core.Column) (func(any) (any, error), error) {
	return func(c *core.Column) (func(any) (any, error), error) {
		if c.Kind != core.Integer && c.Kind != core.Decimal && c.Kind != core.Float {
			return nil, core.E("tables.multiply", core.Invalid, "only an integer, a decimal and a float can be multiplied")
		}
		by, err := loosely(c).Parse(by) // the limits are those of the product
		return func(old any) (any, error) {
			if by == nil {
				return nil, nil
			}
			return product(old, by, c.Scale)
		}, err
	}
}

func (w *writer) limit(n, most int) error {
	if most > 0 && n > most {
		return core.E("tables.limit", core.Limit, core.At{Table: w.table.Name}, fmt.Sprintf("the condition holds for %s, and at_most allows %d: nothing was changed", core.Count(n, "record"), most))
	}
	return nil
}

// RowUpdate is what one record gets.
type RowUpdate struct {
	ID  core.ID
	Set core.Record
}

// UpdateRows changes records, each in its own way. Records that are gone or out of reach are left out.
func (tx *Tx) UpdateRows(ctx context.Context, table string, rows []RowUpdate) (Result, error) {
	since := len(tx.late)
	res, err := tx.updateRows(ctx, table, rows, nil)
	if err == nil {
		err = tx.verify(ctx, since)
	}
	return res, core.E("tables.UpdateRows", tx.keep(err))
}

func (tx *Tx) updateRows(ctx context.Context, table string, rows []RowUpdate, trusted map[any]bool) (res Result, err error) {
	w, err := tx.writer(ctx, table, core.Update)
	if err != nil {
		return Result{}, err
	}
	w.trusted = trusted
	if err := tx.settleFor(ctx, table, true, nil, w.update); err != nil {
		return Result{}, err
	}
	at := make(map[core.ID]int, len(rows))
	for i, r := range rows {
		if j, ok := at[r.ID]; ok {
			return Result{}, core.E("tables.UpdateRows", core.Invalid, core.At{Table: table, Item: i + 1}, fmt.Sprintf("the record is that of row %d: send one of them", j+1))
		}
		at[r.ID] = i
	}
	for _, r := range rows {
		if err := tx.moves(ctx, w.table, r.Set); err != nil {
			return Result{}, err
		}
	}
	for part := range slices.Chunk(rows, MaxLimit) {
		ids := make([]core.ID, len(part))
		for i, r := range part {
			ids[i] = r.ID
		}
		old, err := tx.records(ctx, table, core.Update, ByID(ids...), true)
		if err != nil {
			return Result{}, err
		}
		values := make([]core.Record, len(old))
		for i, r := range old {
			values[i] = rows[at[core.ID(r["id"].(string))]].Set
		}
		if err := w.foreseeUpdates(values, old); err != nil {
			return Result{}, err
		}
		for _, r := range old {
			id := core.ID(r["id"].(string))
			place := item(len(rows), at[id])
			in, err := w.parse(core.Update, rows[at[id]].Set)
			changed := false
			if err == nil {
				changed, err = w.change(in, r, place)
			}
			if err != nil {
				return Result{}, core.E("tables.UpdateRows", core.At{Item: place}, err)
			}
			res.updated(id, changed)
		}
		if err := w.flush(ctx); err != nil {
			return Result{}, err
		}
	}
	slices.SortFunc(res.IDs, func(a, b core.ID) int { return at[a] - at[b] })
	slices.SortFunc(res.Items, func(a, b Item) int { return at[a.ID] - at[b.ID] })
	return res, nil
}
