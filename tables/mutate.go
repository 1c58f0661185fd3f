package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
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
	Update []string // the columns to take over; none to leave the record as it is
	Where  Cond     // only records that meet it are changed
}

// Update changes records.
type Update struct {
	Table     string
	Where     Cond
	Set       core.Record
	Inc       core.Record // to add to numbers
	IfVersion int64       // the version that the record must have; 0 for any
	AtMost    int         // refuse to change more records; 0 for no limit
}

// Remove deletes records.
type Remove struct {
	Table     string
	Where     Cond
	IfVersion int64
	AtMost    int
	Before    func(ids []core.ID) error // called with the records in reach, before they go
}

// Insert runs an insert in a unit of work.
func (tx *Tx) Insert(ctx context.Context, in Insert) (Result, error) {
	const op = "tables.Insert"
	w, err := tx.writer(ctx, in.Table, core.Create)
	if err != nil {
		return Result{}, core.E(op, err)
	}
	res := Result{IDs: make([]core.ID, len(in.Rows))}
	var existing []core.Record
	if in.OnConflict != nil {
		if existing, err = w.existing(ctx, in.Rows, in.OnConflict); err != nil {
			return Result{}, core.E(op, err)
		}
	}
	for i, values := range in.Rows {
		if existing != nil && existing[i] != nil {
			err = w.merge(ctx, values, existing[i], in.OnConflict, &res, i)
		} else {
			res.Inserted++
			res.IDs[i], err = w.add(values)
		}
		if err != nil {
			return Result{}, core.E(op, item(len(in.Rows), i), err)
		}
	}
	if err := w.flush(ctx); err != nil {
		return Result{}, core.E(op, err)
	}
	return res, nil
}

// item is the place of the i-th of n inputs; a single one needs none.
func item(n, i int) core.At {
	if n == 1 {
		return core.At{}
	}
	return core.At{Item: i + 1}
}

// existing finds the record that each of the rows collides with, nil where there is none.
func (w *writer) existing(ctx context.Context, rows []core.Record, o *OnConflict) ([]core.Record, error) {
	columns, err := w.keyColumns(o.Key)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(rows))
	var any []Cond
	first := map[string]int{}
	for i, r := range rows {
		var all And
		for _, c := range columns {
			v, err := c.Parse(r[c.Name])
			if err != nil {
				return nil, core.E("tables.existing", core.At{Table: w.table.Name, Item: i + 1}, err)
			}
			if v == nil {
				all = nil
				break
			}
			keys[i] += string(c.AppendJSON(nil, v)) + "\x00"
			all = append(all, Compare{Column: c.Name, Op: Eq, Value: v})
		}
		if all == nil {
			keys[i] = ""
			continue
		}
		if j, ok := first[keys[i]]; ok {
			return nil, core.E("tables.existing", core.Invalid, core.At{Table: w.table.Name, Item: i + 1}, fmt.Sprintf("the row has the same key as row %d", j+1))
		}
		first[keys[i]] = i
		any = append(any, all)
	}
	out := make([]core.Record, len(rows))
	for part := range slices.Chunk(any, 200) {
		found, err := w.tx.records(ctx, system(w.table.Name), Or(part), true)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			key := ""
			for _, c := range columns {
				key += string(c.AppendJSON(nil, r[c.Name])) + "\x00"
			}
			if i, ok := first[key]; ok {
				out[i] = r
			}
		}
	}
	return out, nil
}

// keyColumns returns the columns of a key by its name.
func (w *writer) keyColumns(name string) ([]*core.Column, error) {
	if name == w.table.Name+"_pkey" || name == "id" {
		c, _ := w.table.Column("id")
		return []*core.Column{c}, nil
	}
	for _, k := range w.table.Keys {
		if k.Name != name {
			continue
		}
		var out []*core.Column
		for _, column := range k.Columns {
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
	return nil, core.E("tables.keyColumns", core.Invalid, core.At{Table: w.table.Name}, fmt.Sprintf("%q is neither the primary key nor a key nor a unique column", name))
}

// merge changes the record that an inserted row collides with. The caller needs the right to update it.
func (w *writer) merge(ctx context.Context, values, old core.Record, o *OnConflict, res *Result, i int) error {
	res.IDs[i] = core.ID(old["id"].(string))
	if len(o.Update) == 0 {
		return nil
	}
	if w.may[core.Update] == nil {
		u, err := w.tx.writer(ctx, w.table.Name, core.Update)
		if err != nil {
			return err
		}
		w.may[core.Update] = u.may[core.Update]
	}
	in, err := w.tx.records(ctx, target{w.table.Name, core.Update}, And{ByID(res.IDs[i]), orTrue(o.Where)}, false)
	if err != nil {
		return err
	}
	if len(in) == 0 {
		if o.Where != nil {
			return nil
		}
		return core.E("tables.merge", core.Denied, core.At{Table: w.table.Name}, "a record with this key exists, and you may not change it")
	}
	set := core.Record{}
	for _, name := range o.Update {
		set[name] = values[name]
	}
	if err := w.names(core.Update, set); err != nil {
		return err
	}
	res.Updated++
	return res.count(w.change(set, old))
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

// Update runs an update in a unit of work.
func (tx *Tx) Update(ctx context.Context, u Update) (Result, error) {
	const op = "tables.Update"
	w, err := tx.writer(ctx, u.Table, core.Update)
	if err != nil {
		return Result{}, core.E(op, err)
	}
	for _, values := range []core.Record{u.Set, u.Inc} {
		if err := w.names(core.Update, values); err != nil {
			return Result{}, core.E(op, err)
		}
	}
	old, err := tx.records(ctx, target{u.Table, core.Update}, u.Where, true)
	if err != nil {
		return Result{}, core.E(op, err)
	}
	if err := w.limit(len(old), u.AtMost); err != nil {
		return Result{}, core.E(op, err)
	}
	var res Result
	for i, r := range old {
		if err := w.checkVersion(r, u.IfVersion); err != nil {
			return Result{}, core.E(op, err)
		}
		set, err := w.increase(u, r)
		if err == nil {
			err = res.count(w.change(set, r))
		}
		if err != nil {
			return Result{}, core.E(op, item(len(old), i), err)
		}
		res.Updated++
		res.IDs = append(res.IDs, core.ID(r["id"].(string)))
	}
	if err := w.flush(ctx); err != nil {
		return Result{}, core.E(op, err)
	}
	return res, nil
}

// increase returns what to set: Set, and Inc added to what the record has.
func (w *writer) increase(u Update, old core.Record) (core.Record, error) {
	if len(u.Inc) == 0 {
		return u.Set, nil
	}
	set := core.Record{}
	for name, v := range u.Set {
		set[name] = v
	}
	for name, v := range u.Inc {
		c, _ := w.table.Column(name)
		at := core.At{Table: w.table.Name, Column: name}
		if !c.Kind.Info().Number {
			return nil, core.E("tables.increase", core.Invalid, at, "only a number can be increased")
		}
		if _, ok := u.Set[name]; ok {
			return nil, core.E("tables.increase", core.Invalid, at, "the column is both set and increased")
		}
		by, err := c.Parse(v)
		if err != nil {
			return nil, core.E("tables.increase", at, err)
		}
		if old[name] == nil || by == nil {
			set[name] = nil
			continue
		}
		if set[name], err = plus(old[name], by); err != nil {
			return nil, core.E("tables.increase", at, err)
		}
	}
	return set, nil
}

func (w *writer) checkVersion(r core.Record, version int64) error {
	if version == 0 || r["version"] == version {
		return nil
	}
	return core.E("tables.checkVersion", core.Conflict, core.At{Table: w.table.Name, Column: "version"}, fmt.Sprintf("the record has moved on to version %d: read it again and repeat the change", r["version"]))
}

func (w *writer) limit(n, most int) error {
	if most > 0 && n > most {
		return core.E("tables.limit", core.Limit, core.At{Table: w.table.Name}, fmt.Sprintf("the condition holds for %d records, and at_most allows %d: nothing was changed", n, most))
	}
	return nil
}

// Delete runs a delete in a unit of work. What looks the records up goes too, is set to null or stands in the way, as
// the lookups say.
func (tx *Tx) Delete(ctx context.Context, d Remove) (Result, error) {
	const op = "tables.Delete"
	w, err := tx.writer(ctx, d.Table, core.Delete)
	if err != nil {
		return Result{}, core.E(op, err)
	}
	old, err := tx.records(ctx, target{d.Table, core.Delete}, d.Where, true)
	if err != nil {
		return Result{}, core.E(op, err)
	}
	if err := w.limit(len(old), d.AtMost); err != nil {
		return Result{}, core.E(op, err)
	}
	var res Result
	for _, r := range old {
		if err := w.checkVersion(r, d.IfVersion); err != nil {
			return Result{}, core.E(op, err)
		}
		res.IDs = append(res.IDs, core.ID(r["id"].(string)))
	}
	if d.Before != nil && len(old) > 0 {
		if err := d.Before(res.IDs); err != nil {
			return Result{}, core.E(op, err)
		}
	}
	res.Deleted = len(old)
	if err := w.remove(ctx, old, 0); err != nil {
		return Result{}, core.E(op, err)
	}
	return res, nil
}

// maxCascade is how many lookups a delete follows.
const maxCascade = 16

// remove deletes the records after what depends on them.
func (w *writer) remove(ctx context.Context, old []core.Record, depth int) error {
	if len(old) == 0 {
		return nil
	}
	if depth > maxCascade {
		return core.E("tables.remove", core.Limit, core.At{Table: w.table.Name}, "the delete cascades too deep")
	}
	ids := make([]any, len(old))
	for i, r := range old {
		ids[i] = r["id"]
	}
	for _, rel := range w.tx.snap.Schema.Relations(w.table.Name) {
		if !rel.Many {
			continue
		}
		if err := w.detach(ctx, rel, ids, depth); err != nil {
			return err
		}
	}
	for _, r := range old {
		w.batch.put(core.Delete, r, nil)
	}
	return w.flush(ctx)
}

// detach deals with the records that look up what is about to be deleted. They follow by definition of the lookup,
// whoever deletes, and history names him.
func (w *writer) detach(ctx context.Context, rel core.Relation, ids []any, depth int) error {
	children, err := w.tx.records(ctx, system(rel.Table), Compare{Column: rel.Column, Op: In, Value: ids}, true)
	if err != nil || len(children) == 0 {
		return err
	}
	t, err := w.tx.snap.Schema.Table(rel.Table)
	if err != nil {
		return err
	}
	c, _ := t.Column(rel.Column)
	may, err := w.tx.snap.Policy.Decide(core.System("cascade"), rel.Table, authz.Update)
	if err != nil {
		return err
	}
	child := &writer{tx: w.tx, table: t, caller: w.caller, may: map[core.Op]*authz.Decision{core.Update: may, core.Delete: may}}
	for s := range t.Stored {
		child.stored = append(child.stored, s)
	}
	switch c.OnDelete {
	case core.Cascade:
		return child.remove(ctx, children, depth+1)
	case core.SetNull:
		for _, r := range children {
			if _, err := child.change(core.Record{rel.Column: nil}, r); err != nil {
				return err
			}
		}
		return child.flush(ctx)
	}
	return core.E("tables.detach", core.Invalid, core.At{Table: w.table.Name}, fmt.Sprintf("%d records of %s refer to it by %s, which restricts the delete: delete or change them first", len(children), rel.Table, rel.Column))
}

// target is a table, and the privilege with which its records are looked for; without one, every record is in reach.
type target struct {
	table string
	priv  core.Op
}

func system(table string) target { return target{table: table} }

// records reads whole records of the condition, and locks them when asked.
func (tx *Tx) records(ctx context.Context, t target, where Cond, lock bool) ([]core.Record, error) {
	caller := core.CallerFrom(ctx)
	priv := t.priv
	if priv == "" {
		caller, priv = core.System("tables"), core.Read
	}
	p := &planner{snap: tx.snap, caller: caller}
	n, err := p.node(t.table, priv)
	if err != nil {
		return nil, err
	}
	cond, err := p.conditionNode(n, t)
	if err != nil {
		return nil, err
	}
	filter, err := cond.where(where)
	if err != nil {
		return nil, err
	}
	s := &selection{shape: &db.Shape{Many: true}}
	for c := range n.table.Stored {
		s.add(db.ShapeField{Key: c.Name, Kind: c.Kind}, func(b *db.Builder) { n.raw(b, c) })
	}
	s.from = func(b *db.Builder) {
		b.Write(" FROM ").Name(n.table.Name).Write(" AS ", n.alias, " WHERE TRUE")
		n.scope(b)
		if filter != nil {
			b.Write(" AND ")
			filter(b)
		}
		b.Write(" ORDER BY ").Name(n.alias, "id") // one order of locking for all
		if lock {
			b.Write(b.Dialect().Lock())
		}
	}
	b := db.New(tx.db.Dialect)
	s.answer(b)
	raw, err := tx.db.Answer(ctx, b, s.shape, nil)
	if err != nil {
		return nil, err
	}
	return decode(n.table, raw)
}

// conditionNode is the same row for the condition of an update or a delete: the caller may name what he may read.
func (p *planner) conditionNode(n *node, t target) (*node, error) {
	if t.priv == "" || t.priv == core.Read {
		return n, nil
	}
	read, err := p.node(t.table, core.Read)
	if err != nil {
		return nil, core.E("tables.conditionNode", err, "to change records by a condition you need the right to read them")
	}
	read.alias = n.alias
	return read, nil
}

// ids returns the ids of the records in reach that meet the condition.
func (tx *Tx) ids(ctx context.Context, table string, priv core.Op, where Cond) ([]core.ID, error) {
	p := &planner{snap: tx.snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(table, priv)
	if err != nil {
		return nil, err
	}
	filter, err := n.where(where)
	if err != nil {
		return nil, err
	}
	b := db.New(tx.db.Dialect).Write("SELECT ").Name(n.alias, "id").Write(" FROM ").Name(table).Write(" AS ", n.alias, " WHERE TRUE")
	n.scope(b)
	if filter != nil {
		b.Write(" AND ")
		filter(b)
	}
	var out []core.ID
	err = tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// decode reads a JSON list of records.
func decode(t *core.Table, raw []byte) ([]core.Record, error) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var out []core.Record
	if err := d.Decode(&out); err != nil {
		return nil, core.E("tables.decode", core.At{Table: t.Name}, err)
	}
	for _, r := range out {
		for name, v := range r {
			c, ok := t.Column(name)
			if !ok {
				continue
			}
			loose := *c
			loose.MaxLength, loose.Options = 0, nil
			if c.Kind == core.Choice {
				loose.Kind = core.Text // a value that was an option when it was written
			}
			p, err := loose.Parse(v)
			if err != nil {
				return nil, core.E("tables.decode", core.At{Table: t.Name}, fmt.Errorf("the database holds what the column cannot: %w", err))
			}
			r[name] = p
		}
	}
	return out, nil
}

// RowUpdate is what one record gets.
type RowUpdate struct {
	ID  core.ID
	Set core.Record
}

// UpdateRows changes records, each in its own way. Records that are gone or out of reach are left out.
func (tx *Tx) UpdateRows(ctx context.Context, table string, rows []RowUpdate) (Result, error) {
	const op = "tables.UpdateRows"
	w, err := tx.writer(ctx, table, core.Update)
	if err != nil {
		return Result{}, core.E(op, err)
	}
	sets := make(map[string]core.Record, len(rows))
	ids := make([]core.ID, len(rows))
	for i, r := range rows {
		if err := w.names(core.Update, r.Set); err != nil {
			return Result{}, core.E(op, item(len(rows), i), err)
		}
		sets[string(r.ID)], ids[i] = r.Set, r.ID
	}
	var res Result
	for part := range slices.Chunk(ids, MaxLimit) {
		old, err := tx.records(ctx, target{table, core.Update}, ByID(part...), true)
		if err != nil {
			return Result{}, core.E(op, err)
		}
		for _, r := range old {
			id := r["id"].(string)
			if err := res.count(w.change(sets[id], r)); err != nil {
				return Result{}, core.E(op, err)
			}
			res.IDs = append(res.IDs, core.ID(id))
			res.Updated++
		}
		if err := w.flush(ctx); err != nil {
			return Result{}, core.E(op, err)
		}
	}
	return res, nil
}
