package tables

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// Result tells what a write did.
type Result struct {
	IDs      []core.ID // of the records, in the order of the input
	Inserted int
	Updated  int // includes records that had the new values already
	Changed  int // of the updated ones, those that are different now
	Deleted  int
}

// Affected is the number of records that the write was about.
func (r Result) Affected() int { return r.Inserted + r.Updated + r.Deleted }

// writer is a write to one table by one caller.
type writer struct {
	tx     *Tx
	table  *core.Table
	caller core.Caller
	may    map[core.Op]*authz.Decision
	stored []*core.Column
	batch  changes
}

// changes are the records that a write has prepared, with what they were before.
type changes struct {
	op     []core.Op
	before []core.Record
	after  []core.Record
}

func (tx *Tx) writer(ctx context.Context, table string, ops ...core.Op) (*writer, error) {
	t, err := tx.snap.Schema.Table(table)
	if err != nil {
		return nil, err
	}
	w := &writer{tx: tx, table: t, caller: core.CallerFrom(ctx), may: map[core.Op]*authz.Decision{}}
	if t.Builtin && !w.caller.IsSystem() {
		return nil, core.E("tables.writer", core.Denied, core.At{Table: table}, "the table is kept by Colonnade: use the action that changes it")
	}
	for _, op := range ops {
		if w.may[op], err = tx.snap.Policy.Decide(w.caller, table, authz.Privilege(op)); err != nil {
			return nil, err
		}
	}
	for c := range t.Stored {
		w.stored = append(w.stored, c)
	}
	return w, nil
}

// names checks that the caller may write the columns that the values name.
func (w *writer) names(op core.Op, values core.Record) error {
	for name := range values {
		c, err := w.table.Need(name)
		if err != nil {
			return err
		}
		at := core.At{Table: w.table.Name, Column: name}
		switch {
		case c.Formula != "":
			return core.E("tables.names", core.Invalid, at, "the column is calculated and cannot be written")
		case w.caller.IsSystem():
			continue
		case c.System && !(name == "id" && op == core.Create) && name != "owner_id":
			return core.E("tables.names", core.Invalid, at, "the column is kept by Colonnade and cannot be written")
		}
		if visible, guard := w.may[op].Column(name); !visible || guard != nil {
			return core.E("tables.names", core.Denied, at, "you may not write this column")
		}
	}
	return nil
}

// prepare brings the values of one record through the rules to what will be written. old is nil for a new record.
func (w *writer) prepare(op core.Op, values, old core.Record) (core.Record, error) {
	next := core.Record{}
	maps.Copy(next, old)
	for name, v := range values {
		c, _ := w.table.Column(name)
		p, err := c.Parse(v)
		if err != nil {
			return nil, core.E("tables.prepare", core.At{Table: w.table.Name}, err)
		}
		next[name] = p
	}
	snap := w.tx.snap
	if op == core.Create {
		w.identify(next)
		if err := snap.Rules.Defaults(w.table.Name, next, w.caller); err != nil {
			return nil, err
		}
		for _, c := range w.stored {
			if _, ok := next[c.Name]; !ok {
				next[c.Name] = nil
			}
		}
	}
	if err := snap.Rules.Apply(w.table.Name, op, next, old, w.caller); err != nil {
		return nil, err
	}
	for _, c := range w.stored {
		v, err := c.Parse(next[c.Name])
		if err != nil {
			return nil, core.E("tables.prepare", core.At{Table: w.table.Name}, err)
		}
		if v == nil && c.Required {
			return nil, core.E("tables.prepare", core.Invalid, core.At{Table: w.table.Name, Column: c.Name}, "a value is required")
		}
		next[c.Name] = v
	}
	return next, w.inReach(op, next)
}

// inReach checks that a record, as it is or will be, is one that the caller may touch.
func (w *writer) inReach(op core.Op, r core.Record) error {
	rows := w.may[op].Rows
	if rows == nil {
		return nil
	}
	calculated := r.Clone()
	if err := w.tx.snap.Rules.Calculate(w.table.Name, calculated, w.caller); err != nil {
		return err
	}
	ok, err := rows.True(calculated, nil, w.caller)
	if err != nil {
		return err
	}
	if !ok {
		return core.E("tables.inReach", core.Denied, core.At{Table: w.table.Name}, fmt.Sprintf("the record is, or would be, out of your reach to %s", op))
	}
	return nil
}

// identify fills the system columns of a new record.
func (w *writer) identify(r core.Record) {
	if w.table.Builtin {
		return
	}
	if r["id"] == nil {
		r["id"] = string(core.NewID())
	}
	user := string(w.caller.User)
	if user == "" {
		user = string(core.SystemID)
	}
	r["version"] = int64(1)
	for _, name := range []string{"created_at", "updated_at"} {
		r[name] = w.tx.now
	}
	for _, name := range []string{"created_by", "updated_by"} {
		r[name] = user
	}
	if w.table.Owned() {
		if r["owner_id"] == nil {
			r["owner_id"] = user
		}
		if r["unit_id"] == nil {
			unit, ok := w.tx.snap.owners[core.ID(r["owner_id"].(string))]
			if !ok {
				unit = core.RootUnit
			}
			r["unit_id"] = string(unit)
		}
	}
}

// add prepares an insert.
func (w *writer) add(values core.Record) (core.ID, error) {
	if err := w.names(core.Create, values); err != nil {
		return "", err
	}
	next, err := w.prepare(core.Create, values, nil)
	if err != nil {
		return "", err
	}
	w.batch.put(core.Create, nil, next)
	id, _ := next["id"].(string)
	return core.ID(id), nil
}

// change prepares an update of old by the values. A record that has them already is left as it is.
func (w *writer) change(values, old core.Record) (changed bool, err error) {
	next, err := w.prepare(core.Update, values, old)
	if err != nil || w.same(old, next) {
		return false, err
	}
	if !w.table.Builtin {
		next["version"] = old["version"].(int64) + 1
		next["updated_at"] = w.tx.now
		next["updated_by"] = string(actorOf(w.caller))
		if next["owner_id"] != old["owner_id"] {
			unit, ok := w.tx.snap.owners[core.ID(next["owner_id"].(string))]
			if !ok {
				return false, core.E("tables.change", core.Invalid, core.At{Table: w.table.Name, Column: "owner_id"}, "there is no such user or team")
			}
			next["unit_id"] = string(unit)
		}
	}
	w.batch.put(core.Update, old, next)
	return true, nil
}

func actorOf(c core.Caller) core.ID {
	if c.User == "" {
		return core.SystemID
	}
	return c.User
}

// same compares what the columns would look like in JSON, which is exact for every kind.
func (w *writer) same(a, b core.Record) bool {
	var x, y []byte
	for _, c := range w.stored {
		x, y = c.AppendJSON(x[:0], a[c.Name]), c.AppendJSON(y[:0], b[c.Name])
		if string(x) != string(y) {
			return false
		}
	}
	return true
}

func (b *changes) put(op core.Op, before, after core.Record) {
	b.op, b.before, b.after = append(b.op, op), append(b.before, before), append(b.after, after)
}

// flush writes what was prepared: the rows, their history and their events.
func (w *writer) flush(ctx context.Context) error {
	b := &w.batch
	if len(b.op) == 0 {
		return nil
	}
	if err := w.lookups(ctx); err != nil {
		return err
	}
	var inserts []core.Record
	for i, op := range b.op {
		if op == core.Create {
			inserts = append(inserts, b.after[i])
		}
	}
	if len(inserts) > 0 {
		if err := w.tx.db.InsertRows(ctx, w.table.Name, w.stored, inserts); err != nil {
			return w.explain(err)
		}
	}
	for i, op := range b.op {
		var err error
		switch op {
		case core.Update:
			err = w.updateRow(ctx, b.before[i], b.after[i])
		case core.Delete:
			err = w.deleteRow(ctx, b.before[i])
		}
		if err != nil {
			return w.explain(err)
		}
	}
	if !w.table.Builtin {
		if err := w.record(ctx); err != nil {
			return err
		}
	}
	w.batch = changes{}
	return nil
}

func (w *writer) updateRow(ctx context.Context, old, next core.Record) error {
	b := db.New(w.tx.db.Dialect).Write("UPDATE ").Name(w.table.Name).Write(" SET ")
	comma := false
	var x, y []byte
	for _, c := range w.stored {
		x, y = c.AppendJSON(x[:0], old[c.Name]), c.AppendJSON(y[:0], next[c.Name])
		if string(x) == string(y) {
			continue
		}
		if comma {
			b.Write(", ")
		}
		comma = true
		b.Name(c.Name).Write(" = ").Value(c, next[c.Name])
	}
	_, err := w.tx.db.Exec(ctx, b.Write(" WHERE id = ").Arg(old["id"]))
	return err
}

func (w *writer) deleteRow(ctx context.Context, old core.Record) error {
	_, err := w.tx.db.Exec(ctx, db.New(w.tx.db.Dialect).Write("DELETE FROM ").Name(w.table.Name).Write(" WHERE id = ").Arg(old["id"]))
	return err
}

// lookups checks that what the records look up exists and is in the caller's reach. Where everything is in reach the
// database's own reference is check enough.
func (w *writer) lookups(ctx context.Context) error {
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		may, err := w.tx.snap.Policy.Decide(w.caller, c.Target, authz.Privilege(core.Read))
		if err == nil && may.Rows == nil {
			continue
		}
		at := core.At{Table: w.table.Name, Column: c.Name}
		var wanted []any
		for i, r := range w.batch.after {
			if r == nil || r[c.Name] == nil || w.batch.before[i] != nil && w.batch.before[i][c.Name] == r[c.Name] {
				continue
			}
			if err != nil {
				return core.E("tables.lookups", core.Denied, at, "you may not read the table that the lookup leads to")
			}
			wanted = append(wanted, r[c.Name])
		}
		if err := w.visible(ctx, c, wanted); err != nil {
			return core.E("tables.lookups", at, err)
		}
	}
	return nil
}

func (w *writer) visible(ctx context.Context, c *core.Column, ids []any) error {
	if len(ids) == 0 {
		return nil
	}
	seen := map[any]bool{}
	found, err := w.tx.ids(ctx, c.Target, core.Read, Compare{Column: "id", Op: In, Value: ids})
	if err != nil {
		return err
	}
	for _, id := range found {
		seen[string(id)] = true
	}
	for i, id := range ids {
		if !seen[id] {
			return core.E("tables.visible", core.Invalid, core.At{Item: i + 1}, fmt.Sprintf("there is no %s with the id %v", c.Target, id))
		}
	}
	return nil
}

// explain gives a broken constraint the name of its column or key.
func (w *writer) explain(err error) error {
	var v *db.Violation
	if !errors.As(err, &v) {
		return err
	}
	at := core.At{Table: w.table.Name}
	if !v.Unique {
		for _, c := range w.stored {
			if c.Kind == core.Lookup && v.Constraint == w.table.Name+"_"+c.Name+"_fkey" {
				at.Column = c.Name
			}
		}
		if at.Column == "" && v.Columns == nil {
			at.Column = w.missingLookup()
		}
		if at.Column != "" {
			return core.E("tables.explain", core.Invalid, at, "the lookup leads to a record that does not exist", err)
		}
		return core.E("tables.explain", at, err)
	}
	for _, i := range append(indexes(w.table), index{name: w.table.Name + "_pkey", unique: true, columns: []core.IndexColumn{{Column: "id"}}}) {
		var columns []string
		for _, c := range i.columns {
			columns = append(columns, c.Column)
		}
		if i.unique && (i.name == v.Constraint || slices.Equal(columns, v.Columns)) {
			if len(columns) == 1 {
				at.Column = columns[0]
				return core.E("tables.explain", core.Exists, at, "another record has this value, and the column is unique", err)
			}
			return core.E("tables.explain", core.Exists, at, fmt.Sprintf("another record has the same values in %v, which are a key", columns), err)
		}
	}
	return core.E("tables.explain", at, err)
}

// missingLookup guesses which lookup a database that names no constraint means: the only one that is set.
func (w *writer) missingLookup() string {
	name := ""
	for _, c := range w.stored {
		if c.Kind != core.Lookup {
			continue
		}
		if name != "" {
			return ""
		}
		name = c.Name
	}
	return name
}
