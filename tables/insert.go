package tables

import (
	"context"
	"fmt"
	"slices"

	"colonnade/core"
)

// Insert creates records, or changes those that exist already when OnConflict says so.
type Insert struct {
	Table      string
	Rows       []core.Record // values as they came from the client
	OnConflict *OnConflict
}

// OnConflict says what to do with a record whose key is taken.
type OnConflict struct {
	Key    string   // "<table>_pkey", a unique column or the name of a key
	Update []string // the columns to take over, from rows that have them; none to leave the record as it is
	Where  Cond     // only records that meet it are changed
}

// maxRaces is how often an insert looks again for the record that has its key, when another transaction was faster.
const maxRaces = 3

// Insert runs an insert in a unit of work.
func (tx *Tx) Insert(ctx context.Context, in Insert) (res Result, err error) {
	const op = "tables.Insert"
	if in.OnConflict == nil {
		res, err = tx.insert(ctx, in)
		return res, core.E(op, tx.keep(err))
	}
	for try := 1; ; try++ {
		err = tx.Savepoint(ctx, func() error {
			res, err = tx.insert(ctx, in)
			return err
		})
		if err == nil {
			return res, nil
		}
		if core.KindOf(err) != core.Exists || try == maxRaces {
			return Result{}, core.E(op, tx.keep(err))
		}
	}
}

func (tx *Tx) insert(ctx context.Context, in Insert) (res Result, err error) {
	w, err := tx.writer(ctx, in.Table, core.Create)
	if err != nil {
		return Result{}, err
	}
	var u *upsert
	if in.OnConflict != nil {
		if u, err = w.upsert(ctx, in); err != nil {
			return Result{}, err
		}
	}
	w.batch = make([]change, 0, len(in.Rows))
	res.IDs = make([]core.ID, 0, len(in.Rows))
	for i, values := range in.Rows {
		at := item(len(in.Rows), i)
		if u != nil && u.existing[i] != nil {
			err = w.merge(u, values, u.existing[i], &res, at)
		} else {
			var id core.ID
			id, err = w.add(values, at)
			res.IDs = append(res.IDs, id)
			res.Inserted++
		}
		if err != nil {
			return Result{}, core.E("tables.insert", core.At{Item: at}, err)
		}
	}
	return res, w.flush(ctx)
}

// upsert is what an insert with OnConflict has found out before it begins.
type upsert struct {
	*OnConflict
	existing []core.Record    // by row: the record that has its key, nil where there is none
	reach    map[core.ID]bool // those of them that the caller may change
}

func (w *writer) upsert(ctx context.Context, in Insert) (u *upsert, err error) {
	u = &upsert{OnConflict: in.OnConflict, reach: map[core.ID]bool{}}
	columns, err := w.key(u.Key)
	if err != nil {
		return nil, err
	}
	for _, c := range columns { // what may not be written must not be asked for either
		if _, err := w.parse(core.Create, core.Record{c.Name: nil}); err != nil {
			return nil, err
		}
	}
	if len(u.Update) > 0 {
		if _, w.update, err = w.tx.snap.decide(w.caller, in.Table, core.Update); err != nil {
			return nil, err
		}
		for _, name := range u.Update { // refused even when no row needs it
			if _, err := w.parse(core.Update, core.Record{name: nil}); err != nil {
				return nil, err
			}
		}
	}
	if u.existing, err = w.existing(ctx, in.Rows, columns); err != nil {
		return nil, err
	}
	if len(u.Update) == 0 {
		return u, nil
	}
	var ids []core.ID
	for _, r := range u.existing {
		if r != nil {
			ids = append(ids, core.ID(r["id"].(string)))
		}
	}
	reach, err := w.tx.ids(ctx, in.Table, core.Update, And{ByID(ids...), orTrue(u.Where)})
	for _, id := range reach {
		u.reach[id] = true
	}
	return u, err
}

// key returns the columns of a key by its name. Their values must be the caller's to ask for.
func (w *writer) key(name string) ([]*core.Column, error) {
	if name == w.table.Name+"_pkey" || name == "id" {
		c, _ := w.table.Column("id")
		return []*core.Column{c}, nil
	}
	if i := slices.IndexFunc(w.table.Keys, func(k core.Key) bool { return k.Name == name }); i >= 0 {
		var out []*core.Column
		for _, column := range w.table.Keys[i].Columns {
			c, err := w.table.Need(column)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
		return out, nil
	}
	if c, ok := w.table.Column(name); ok && c.Unique {
		return []*core.Column{c}, nil
	}
	return nil, core.E("tables.key", core.Invalid, core.At{Table: w.table.Name}, fmt.Sprintf("%q is neither the primary key nor a key nor a unique column of the table", name))
}

// maxOr is how many keys of several columns one statement looks for.
const maxOr = 200

// existing finds the record that each of the rows collides with, nil where there is none, and locks it.
func (w *writer) existing(ctx context.Context, rows []core.Record, columns []*core.Column) ([]core.Record, error) {
	const op = "tables.existing"
	at := map[string]int{} // by key
	var single []any
	var several []Cond
	for i, r := range rows {
		var key []byte
		var all And
		for _, c := range columns {
			v, err := c.Parse(r[c.Name])
			if err != nil {
				return nil, core.E(op, core.At{Table: w.table.Name, Item: item(len(rows), i)}, err)
			}
			if v == nil {
				all = nil
				break
			}
			key = append(c.AppendJSON(key, v), 0)
			all = append(all, Compare{Column: c.Name, Op: Eq, Value: v})
		}
		if all == nil {
			continue // a key with a NULL is like no other
		}
		if j, ok := at[string(key)]; ok {
			return nil, core.E(op, core.Invalid, core.At{Table: w.table.Name, Item: i + 1}, fmt.Sprintf("the row has the same key as row %d: send one of them", j+1))
		}
		at[string(key)] = i
		if len(columns) == 1 {
			single = append(single, all[0].(Compare).Value)
		} else {
			several = append(several, all)
		}
	}
	var parts []Cond
	for part := range slices.Chunk(single, MaxLimit) {
		parts = append(parts, Compare{Column: columns[0].Name, Op: In, Value: part})
	}
	for part := range slices.Chunk(several, maxOr) {
		parts = append(parts, Or(part))
	}
	out := make([]core.Record, len(rows))
	for _, part := range parts {
		found, err := w.tx.records(ctx, w.table.Name, "", part, true)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			var key []byte
			for _, c := range columns {
				key = append(c.AppendJSON(key, r[c.Name]), 0)
			}
			if i, ok := at[string(key)]; ok {
				out[i] = r
			}
		}
	}
	return out, nil
}

// merge changes the record that an inserted row collides with. The caller needs the right to update it.
func (w *writer) merge(u *upsert, values, old core.Record, res *Result, item int) error {
	id := core.ID(old["id"].(string))
	if len(u.Update) == 0 {
		return nil
	}
	if !u.reach[id] {
		if u.Where != nil {
			return nil
		}
		return core.E("tables.merge", core.Denied, core.At{Table: w.table.Name}, "a record with this key exists, and you may not change it")
	}
	set := core.Record{}
	for _, name := range u.Update {
		if v, ok := values[name]; ok {
			set[name] = v
		}
	}
	in, err := w.parse(core.Update, set)
	if err != nil {
		return err
	}
	res.Updated++
	res.IDs = append(res.IDs, id)
	return res.count(w.change(in, old, item))
}

// count notes whether an update changed anything.
func (r *Result) count(changed bool, err error) error {
	if changed {
		r.Changed++
	}
	return err
}

func orTrue(c Cond) Cond {
	if c == nil {
		return And{}
	}
	return c
}
