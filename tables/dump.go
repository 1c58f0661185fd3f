package tables

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// A dump is everything that a database holds, table by table as it is stored, in a form that is the same whatever the
// database: two that hold the same give the same dump. Left out is what a database makes by itself: the index of full-text
// search, the jobs of the work queue, and the key of feed cursors. Places in the stream of events are numbers that rise by
// the order of the stream.

// Part is one table of a dump.
type Part struct {
	Name    string       `json:"table"`
	Columns []PartColumn `json:"columns"` // by name
}

// PartColumn is a column of a [Part].
type PartColumn struct {
	Name string  `json:"name"`
	Form db.Form `json:"form"`
}

// Dumping takes a dump. Between two calls of Part the rows of the first come, in an order that is the same for every
// database.
type Dumping interface {
	Part(p Part) error

	// Row takes the values of a row, in the order of the columns; nil is NULL. They are good until Row returns.
	Row(values [][]byte) error
}

// Dump gives everything that the database holds, all of one moment, to an administrator. Writers do not wait.
func (s *Store) Dump(ctx context.Context, to Dumping) error {
	const op = "tables.Dump"
	if err := MayDump(core.CallerFrom(ctx)); err != nil {
		return core.E(op, err)
	}
	return core.E(op, s.db.View(ctx, func(v *db.View) error {
		d := dump{Dialect: s.db.Dialect, q: v, to: to}
		return d.run(ctx, s.o.Builtin)
	}))
}

// MayDump returns nil when the caller may have a dump: it holds what no right to records gives, and so takes all of them.
func MayDump(c core.Caller) error {
	if c.IsSystem() || c.HasRole(authz.Administrator) && c.Scope == nil {
		return nil
	}
	return core.E("tables.MayDump", core.Denied, "a copy of the whole database is for administrators")
}

// defining are the tables with the definitions of others. They come first, the last of them at the very beginning.
var defining = []string{"_table", "_option_set", "_data_class", "_operation"}

// notCopied are the system tables that are no part of a dump.
var notCopied = []string{"_migration", "_search"}

// systemJSON are the columns of system tables that hold JSON, which SQLite does not know of a text.
var systemJSON = map[string]bool{
	"_table.definition": true, "_rule_version.definition": true, "_change.statements": true, "_history.data": true, "_flow_run.input": true, "_api_key.scope": true, "_credential.settings": true, "_provider.scopes": true, "_provider.group_roles": true, "_provider.default_roles": true, "_flow_run.output": true,
	"_flow_step.input": true, "_flow_step.output": true, "_flow_run.kept_input": true, "_flow_step.kept_input": true, "_flow_step.kept_output": true, "_flow_wait.event": true, "_flow_signal.event": true, "_flow_approval.details": true, "_model.settings": true, "_model.report": true, "_import_batch.settings": true,
	"_import_batch.header": true, "_import_failure.cells": true,
}

// copyKeys order the rows of tables whose primary key is not the same on all databases, or not there. No columns stand for all.
var copyKeys = map[string][]string{"_history": {"record_id", "version", "table_name"}, "_event": {"seq"}, "_deletion": {}}

// dump is a dump that is being made.
type dump struct {
	db.Dialect
	q  db.Querier
	to Dumping

	schema *core.Schema
	base   int64 // no event that came from another database has a place above it
	floors map[string]Cursor
	last   Cursor           // the place that was numbered last
	number int64            // and its number
	placed map[Cursor]int64 // the numbers of the places in the table under way
}

// placeColumns are the columns that hold places in the stream of events: the transaction, and the number in it.
var placeColumns = map[string][][2]string{"_cursor": {{"tx", "seq"}}, "_seal": {{"from_tx", "from_seq"}, {"to_tx", "to_seq"}}}

func (d *dump) run(ctx context.Context, builtin []core.Table) error {
	var err error
	if d.schema, err = readSchema(ctx, d.Dialect, d.q, builtin); err != nil {
		return err
	}
	if err := d.places(ctx); err != nil {
		return err
	}
	stored, err := db.Catalogue(ctx, d.Dialect, d.q)
	if err != nil {
		return err
	}
	slices.SortStableFunc(stored, func(a, b db.Stored) int { return slices.Index(defining, b.Name) - slices.Index(defining, a.Name) })
	for i := range stored {
		t := &stored[i]
		if !inDump(d.schema, t.Name) {
			continue
		}
		if err := d.table(ctx, t); err != nil {
			if core.AsError(err).Table != "" { // who takes the dump is perhaps at the table before
				return err
			}
			return core.E("tables.dump", core.At{Table: t.Name}, err)
		}
	}
	return nil
}

// inDump reports whether the table is part of a dump.
func inDump(schema *core.Schema, name string) bool {
	if strings.HasPrefix(name, "_") {
		return !slices.ContainsFunc(notCopied, func(n string) bool { return name == n || strings.HasPrefix(name, n+"_") })
	}
	t, ok := schema.At(name)
	return ok && !t.Builtin && !t.Purged
}

// readSchema reads the definitions, without compiling more of them.
func readSchema(ctx context.Context, d db.Dialect, q db.Querier, builtin []core.Table) (*core.Schema, error) {
	defined, err := readTables(ctx, d, q)
	if err != nil {
		return nil, err
	}
	shared, err := readShared(ctx, d, q)
	if err != nil {
		return nil, err
	}
	return core.NewSchemaOf(0, shared, append(defined, builtin...)...)
}

// table gives one table.
func (d *dump) table(ctx context.Context, t *db.Stored) error {
	columns := d.columns(t)
	p := Part{Name: t.Name, Columns: make([]PartColumn, len(columns))}
	for i, c := range columns {
		if c.Form == "" {
			return core.E("tables.dump", core.At{Column: c.Name}, fmt.Errorf("a column of the type %s cannot be copied", c.Type))
		}
		p.Columns[i] = PartColumn{c.Name, c.Form}
	}
	if err := d.to.Part(p); err != nil {
		return err
	}
	switch t.Name {
	case "_counter":
		return d.counters(ctx)
	case "_meta":
		return d.meta(ctx)
	}
	if err := d.numberPlaces(ctx, t.Name); err != nil {
		return err
	}
	b := db.New(d.Dialect).Write("SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		if t.Name == "_event" && c.Name == "seq" {
			b.Write("CAST(")
			d.EventPlace(b, d.base)
			b.Write(" AS text)")
			continue
		}
		d.CopyOut(b, c)
	}
	b.Write(" FROM ").Name(t.Name).Write(" AS e")
	if t.Name == "_event" {
		b.Write(" ORDER BY ", d.EventOrder(false))
	} else {
		d.order(b, t, columns)
	}
	return d.rows(ctx, b, t.Name, columns)
}

// columns are those of the table that are copied.
func (d *dump) columns(t *db.Stored) []db.StoredColumn {
	var own map[string]string
	if t.Name == "_event" {
		own = d.EventColumns()
	}
	var out []db.StoredColumn
	for _, c := range t.Columns {
		if _, ok := own[c.Name]; ok {
			continue
		}
		if systemJSON[t.Name+"."+c.Name] {
			c.Form = db.FormJSON
		}
		out = append(out, c)
	}
	return out
}

func (d *dump) order(b *db.Builder, t *db.Stored, columns []db.StoredColumn) {
	key, ok := copyKeys[t.Name]
	if !ok {
		key = t.Key
	}
	comma := " ORDER BY "
	for _, c := range columns {
		if len(key) == 0 {
			b.Write(comma)
			d.CopyOrder(b, c)
			comma = ", "
		}
	}
	for _, name := range key {
		i := slices.IndexFunc(columns, func(c db.StoredColumn) bool { return c.Name == name })
		b.Write(comma)
		d.CopyOrder(b, columns[i])
		comma = ", "
	}
}

// rows gives what a query yields.
func (d *dump) rows(ctx context.Context, b *db.Builder, table string, columns []db.StoredColumn) error {
	places := d.placesOf(table, columns)
	values := make([][]byte, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	return d.q.Query(ctx, b, func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		for i, c := range columns {
			values[i] = canonical(c.Form, values[i])
		}
		for _, at := range places {
			if err := d.renumber(values, at); err != nil {
				return err
			}
		}
		return d.to.Row(values)
	})
}

// canonical returns the form of a value that all databases share. JSON that only SQLite keeps stays as it is.
func canonical(f db.Form, v []byte) []byte {
	switch {
	case v == nil:
	case f == db.FormFloat:
		if x, err := strconv.ParseFloat(string(v), 64); err == nil {
			return core.AppendFloat(nil, x)
		}
	case f == db.FormJSON:
		if x, err := core.CanonicalJSON(v); err == nil {
			return x
		}
	}
	return v
}

// places finds out how places in the stream of events are to be numbered.
func (d *dump) places(ctx context.Context) (err error) {
	if d.floors, err = floors(ctx, d.Dialect, d.q); err != nil {
		return err
	}
	for _, floor := range d.floors {
		if floor.Tx == 0 {
			d.base = max(d.base, floor.Seq)
		}
	}
	for _, text := range []string{`SELECT coalesce(max(seq), 0) FROM "_cursor" WHERE tx = 0`, `SELECT coalesce(max(e.seq), 0) FROM "_event" AS e WHERE ` + d.EventTx() + ` = 0`} {
		err := d.q.Query(ctx, db.New(d.Dialect).Write(text), func(scan func(...any) error) error {
			var seq int64
			err := scan(&seq)
			d.base = max(d.base, seq)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// floors returns the places behind which feeds begin, by their keys.
func floors(ctx context.Context, d db.Dialect, q db.Querier) (map[string]Cursor, error) {
	out := map[string]Cursor{}
	err := q.Query(ctx, db.New(d).Write(`SELECT key, value FROM "_meta"`), func(scan func(...any) error) error {
		var key, value string
		if err := scan(&key, &value); err != nil {
			return err
		}
		if key != feedFloor && !strings.HasPrefix(key, feedFloor+":") {
			return nil
		}
		var floor Cursor
		err := floor.parse(value)
		out[key] = floor
		return err
	})
	return out, err
}

// place returns the number of a place. It counts from the last one, and so is fast when they rise.
func (d *dump) place(ctx context.Context, c Cursor) (int64, error) {
	if d.EventColumns() == nil || c.Tx == 0 {
		return c.Seq, nil
	}
	if d.number == 0 || c.before(d.last) {
		d.last, d.number = Cursor{0, math.MaxInt64}, d.base
	}
	b := db.New(d.Dialect).Write(`SELECT count(*) FROM "_event" AS e WHERE `)
	d.EventsBetween(b, d.last.Tx, d.last.Seq, c.Tx, c.Seq)
	var n int64
	err := d.q.Query(ctx, b, func(scan func(...any) error) error { return scan(&n) })
	d.last, d.number = c, d.number+n
	return d.number, err
}

// numberPlaces numbers the places that the table holds.
func (d *dump) numberPlaces(ctx context.Context, table string) error {
	if d.EventColumns() == nil || placeColumns[table] == nil {
		return nil
	}
	b, union := db.New(d.Dialect), ""
	for _, pair := range placeColumns[table] {
		b.Write(union, "SELECT ").Names(pair[:]...).Write(" FROM ").Name(table)
		union = " UNION "
	}
	var all []Cursor
	err := d.q.Query(ctx, b.Write(" ORDER BY 1, 2"), func(scan func(...any) error) error {
		var c Cursor
		err := scan(&c.Tx, &c.Seq)
		all = append(all, c)
		return err
	})
	d.placed = make(map[Cursor]int64, len(all))
	for i := 0; err == nil && i < len(all); i++ {
		d.placed[all[i]], err = d.place(ctx, all[i])
	}
	return err
}

// placesOf returns where the places are in the rows of a table; none where they stay as they are.
func (d *dump) placesOf(table string, columns []db.StoredColumn) (out [][2]int) {
	if d.EventColumns() == nil {
		return nil
	}
	for _, pair := range placeColumns[table] {
		var at [2]int
		for i := range at {
			at[i] = slices.IndexFunc(columns, func(c db.StoredColumn) bool { return c.Name == pair[i] })
		}
		out = append(out, at)
	}
	return out
}

// renumber puts the number of a place where the place is.
func (d *dump) renumber(values [][]byte, at [2]int) (err error) {
	var c Cursor
	if c.Tx, err = strconv.ParseInt(string(values[at[0]]), 10, 64); err != nil {
		return err
	}
	if c.Seq, err = strconv.ParseInt(string(values[at[1]]), 10, 64); err != nil {
		return err
	}
	values[at[0]], values[at[1]] = []byte("0"), strconv.AppendInt(nil, d.placed[c], 10)
	return nil
}

// metaKept are the settings that are no part of a dump: what every database has of its own.
var metaKept = []string{"cursor_key", "unfinished"}

// meta gives the numbers and settings of the database.
func (d *dump) meta(ctx context.Context) error {
	values := map[string]string{}
	var names []string
	err := d.q.Query(ctx, db.New(d.Dialect).Write(`SELECT key, value FROM "_meta"`), func(scan func(...any) error) error {
		var key, value string
		if err := scan(&key, &value); err != nil || slices.Contains(metaKept, key) {
			return err
		}
		names = append(names, key)
		values[key] = value
		return nil
	})
	slices.Sort(names)
	for i := 0; err == nil && i < len(names); i++ {
		value := values[names[i]]
		if floor, ok := d.floors[names[i]]; ok {
			var n int64
			if n, err = d.place(ctx, floor); err != nil {
				return err
			}
			value = "0 " + strconv.FormatInt(n, 10)
		}
		err = d.to.Row([][]byte{[]byte(names[i]), []byte(value)})
	}
	return err
}

// counters gives the next numbers of all autonumbers, those included that are sequences of the database.
func (d *dump) counters(ctx context.Context) error {
	for _, c := range countersOf(d.schema) {
		b := db.New(d.Dialect)
		d.NextNumber(b, c)
		next := int64(-1)
		if err := d.q.Query(ctx, b, func(scan func(...any) error) error { return scan(&next) }); err != nil {
			return err
		}
		if next < 0 {
			return core.E("tables.dump", fmt.Errorf("the sequence %s is not there", c.Name))
		}
		if err := d.to.Row([][]byte{[]byte(c.Name), strconv.AppendInt(nil, next, 10)}); err != nil {
			return err
		}
	}
	return nil
}

// countersOf returns the counters behind the autonumbers, by name.
func countersOf(schema *core.Schema) []db.Counter {
	var out []db.Counter
	for _, t := range kept(schema) {
		for _, c := range t.Kept() {
			if c.Kind == core.Autonumber {
				out = append(out, counter(t, c))
			}
		}
	}
	slices.SortFunc(out, func(a, b db.Counter) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// kept returns the tables of the user that the database has, dropped ones included.
func kept(schema *core.Schema) []*core.Table {
	return slices.DeleteFunc(slices.Concat(schema.Tables(), schema.Dropped()), func(t *core.Table) bool { return t.Builtin || t.Purged })
}
