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
	Table     string
	Where     Cond
	Set       core.Record
	Inc       core.Record // to add to numbers
	IfVersion int64       // the version that the record must have; 0 for any
	AtMost    int         // refuse to change more records; 0 for no limit
}

// Update runs an update in a unit of work.
func (tx *Tx) Update(ctx context.Context, u Update) (Result, error) {
	res, err := tx.update(ctx, u)
	return res, core.E("tables.Update", tx.keep(err))
}

func (tx *Tx) update(ctx context.Context, u Update) (res Result, err error) {
	w, err := tx.writer(ctx, u.Table, core.Update)
	if err != nil {
		return Result{}, err
	}
	set, err := w.parse(core.Update, u.Set)
	if err != nil {
		return Result{}, err
	}
	inc, err := w.increments(u)
	if err != nil {
		return Result{}, err
	}
	old, err := tx.records(ctx, u.Table, core.Update, u.Where, true)
	if err != nil {
		return Result{}, err
	}
	if err := w.limit(len(old), u.AtMost); err != nil {
		return Result{}, err
	}
	for i, r := range old {
		at := item(len(old), i)
		err := w.checkVersion(r, u.IfVersion)
		var in input
		if err == nil {
			in, err = w.increase(set, inc, r)
		}
		if err == nil {
			err = res.count(w.change(in, r, at))
		}
		if err != nil {
			return Result{}, core.E("tables.update", core.At{Item: at}, err)
		}
		res.Updated++
		res.IDs = append(res.IDs, core.ID(r["id"].(string)))
	}
	return res, w.flush(ctx)
}

// increments checks what is to be added.
func (w *writer) increments(u Update) (inc input, err error) {
	const op = "tables.increments"
	if len(u.Inc) == 0 {
		return inc, nil
	}
	var reads []guard
	for name := range u.Inc {
		c, ok := w.table.Column(name)
		if !ok {
			return inc, w.unknown(name)
		}
		if err := w.writable(core.Update, c, &inc); err != nil {
			return inc, err
		}
		guard, err := w.readable(c)
		if err != nil {
			return inc, err
		}
		if guard != nil {
			reads = append(reads, *guard)
		}
		if !c.Kind.Info().Number {
			return inc, core.E(op, core.Invalid, w.at(name), "only a number can be increased")
		}
		if _, ok := u.Set[name]; ok {
			return inc, core.E(op, core.Invalid, w.at(name), "the column is both set and increased: do one of them")
		}
	}
	inc.values = make(core.Record, len(u.Inc))
	for name, v := range u.Inc {
		c, _ := w.table.Column(name)
		if inc.values[name], err = c.Unlimited().Parse(v); err != nil { // the limits are those of the sum
			return inc, core.E(op, core.At{Table: w.table.Name}, err)
		}
	}
	inc.reads = reads
	return inc, nil
}

// readable returns the guard under which the caller reads the column, of which an increment tells the value.
func (w *writer) readable(c *core.Column) (*guard, error) {
	read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read)
	if err != nil {
		return nil, err
	}
	switch visible, holds := read.Column(c.Name); {
	case !visible:
		return nil, core.E("tables.readable", core.Denied, w.at(c.Name), "you may not read this column, so you can set it, but not increase it")
	case holds != nil:
		return &guard{c.Name, holds}, nil
	}
	return nil, nil
}

// increase returns what to set: the values, and the increments added to what the record has. NULL stays NULL.
func (w *writer) increase(set, inc input, old core.Record) (input, error) {
	if len(inc.values) == 0 {
		return set, nil
	}
	for _, g := range inc.reads {
		if ok, err := w.holds(g.holds, old); err != nil || !ok {
			return input{}, core.E("tables.increase", core.Denied, w.at(g.column), "you may not read this column in this record, so you cannot increase it", err)
		}
	}
	out := input{values: maps.Clone(set.values), guards: slices.Concat(set.guards, inc.guards)}
	for name, by := range inc.values {
		out.values[name] = nil
		if old[name] == nil || by == nil {
			continue
		}
		sum, err := plus(old[name], by)
		if err == nil {
			c, _ := w.table.Column(name)
			out.values[name], err = c.Parse(sum)
		}
		if err != nil {
			return input{}, core.E("tables.increase", w.at(name), err)
		}
	}
	return out, nil
}

func (w *writer) checkVersion(r core.Record, version int64) error {
	if version == 0 || r["version"] == version {
		return nil
	}
	return core.E("tables.checkVersion", core.Conflict, w.at("version"), fmt.Sprintf("the record has moved on to version %d: read it again and repeat the change", r["version"]))
}

func (w *writer) limit(n, most int) error {
	if most > 0 && n > most {
		return core.E("tables.limit", core.Limit, core.At{Table: w.table.Name}, fmt.Sprintf("the condition holds for %d records, and at_most allows %d: nothing was changed", n, most))
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
	res, err := tx.updateRows(ctx, table, rows)
	return res, core.E("tables.UpdateRows", tx.keep(err))
}

func (tx *Tx) updateRows(ctx context.Context, table string, rows []RowUpdate) (res Result, err error) {
	w, err := tx.writer(ctx, table, core.Update)
	if err != nil {
		return Result{}, err
	}
	at := make(map[core.ID]int, len(rows))
	for i, r := range rows {
		if j, ok := at[r.ID]; ok {
			return Result{}, core.E("tables.UpdateRows", core.Invalid, core.At{Table: table, Item: i + 1}, fmt.Sprintf("the record is that of row %d: send one of them", j+1))
		}
		at[r.ID] = i
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
		for _, r := range old {
			id := core.ID(r["id"].(string))
			place := item(len(rows), at[id])
			in, err := w.parse(core.Update, rows[at[id]].Set)
			if err == nil {
				err = res.count(w.change(in, r, place))
			}
			if err != nil {
				return Result{}, core.E("tables.UpdateRows", core.At{Item: place}, err)
			}
			res.IDs = append(res.IDs, id)
			res.Updated++
		}
		if err := w.flush(ctx); err != nil {
			return Result{}, err
		}
	}
	slices.SortFunc(res.IDs, func(a, b core.ID) int { return at[a] - at[b] })
	return res, nil
}
