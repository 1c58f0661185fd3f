package core

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is one step from a schema to the next.
type Change interface {
	apply(*draft) error
	Table() string // the table that it is about, as it is called before; "" of what is about none
}

// EditOptions is what some changes need from outside; the zero value works for the others.
type EditOptions struct {
	// Rename returns an expression over a row with other names for its columns. Without it, a column that an expression
	// names cannot be renamed.
	Rename func(source string, columns map[string]string) (string, error)

	// Follow returns an expression over the records of a table, by its physical name, with the names that everything has in
	// the schema to; it calls everything as in from. Without it, expressions that reach other tables keep their names.
	Follow func(from, to *Schema, table, source string) (string, error)

	Now time.Time // when what is dropped was dropped
}

// draft is a schema in the making.
type draft struct {
	EditOptions
	tables  map[string]Table // by name
	dropped []Table
	sets    []OptionSet
	classes []DataClass

	operations     []Operation
	onlyRegistered bool
}

// shared is what the draft has besides tables.
func (d *draft) shared() Shared {
	return Shared{Options: d.sets, Classes: d.classes, Operations: d.operations, OnlyRegistered: d.onlyRegistered}
}

// With returns the schema after the changes, one version on. The receiver stays as it is.
func (s *Schema) With(changes ...Change) (*Schema, error) { return s.Edit(EditOptions{}, changes...) }

// Edit is [Schema.With] for every change there is.
func (s *Schema) Edit(o EditOptions, changes ...Change) (*Schema, error) {
	d := draft{
		EditOptions: o, tables: map[string]Table{}, sets: slices.Clone(s.sets), classes: slices.Clone(s.classes),
		operations: slices.Clone(s.operations), onlyRegistered: s.onlyRegistered,
	}
	for _, t := range s.sorted {
		d.tables[t.Name] = *t
	}
	for _, t := range s.dropped {
		d.dropped = append(d.dropped, *t)
	}
	for i, c := range changes {
		if err := d.step(c); err != nil {
			if len(changes) > 1 {
				err = E("core.Edit", At{Item: i + 1}, err)
			}
			return nil, E("core.Edit", err)
		}
	}
	var tables []Table
	for _, name := range slices.Sorted(maps.Keys(d.tables)) { // in an order, so that the first mistake is always the same
		tables = append(tables, d.tables[name])
	}
	return NewSchemaOf(s.version+1, d.shared(), append(tables, d.dropped...)...)
}

// table returns the table for a change.
func (d *draft) table(name string) (Table, error) {
	t, ok := d.tables[name]
	if !ok {
		return t, noTable("core.Change", name, slices.Sorted(maps.Keys(d.tables)))
	}
	if t.Builtin {
		return t, E("core.Change", Denied, At{Table: name}, "a built-in table cannot be changed")
	}
	t.index = nil
	return t, nil
}

// own returns the table and the place of a column in it, which the change may touch.
func (d *draft) own(table, column string) (t Table, i int, err error) {
	if t, err = d.table(table); err != nil {
		return t, 0, err
	}
	c, err := t.Need(column)
	if err != nil {
		return t, 0, err
	}
	if c.System {
		return t, 0, E("core.Change", Invalid, At{Table: table, Column: column}, "every table has this column: it stays as it is")
	}
	if c.Part != "" {
		return t, 0, E("core.Change", Invalid, At{Table: table, Column: column}, "the column comes with "+c.Part+": change that one")
	}
	t.Columns = slices.Clone(t.Columns)
	return t, slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column }), nil
}

// taken reports whether a table has or had the physical name.
func (d *draft) taken(name string) bool {
	for _, t := range d.tables {
		if t.SQL() == name {
			return true
		}
	}
	return slices.ContainsFunc(d.dropped, func(t Table) bool { return t.SQL() == name })
}

// stored returns the live table with the physical name.
func (d *draft) stored(physical string) (Table, bool) {
	for _, t := range d.tables {
		if t.SQL() == physical {
			return t, true
		}
	}
	return Table{}, false
}

// overlay returns v with the members of set, which are JSON names; null takes a member away. Members that are fixed, and
// such as v does not have, are refused.
func overlay[T any](v T, set map[string]any, fixed ...string) (out T, err error) {
	const op = "core.overlay"
	whole := map[string]any{}
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &whole)
	}
	if err != nil {
		return out, E(op, err)
	}
	for name, value := range set {
		if slices.Contains(fixed, name) {
			return out, E(op, Invalid, name+" is not changed like this: there is a change of its own for it")
		}
		whole[name] = value
		if value == nil {
			delete(whole, name)
		}
	}
	raw, err = json.Marshal(whole)
	if err != nil {
		return out, E(op, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		msg := strings.TrimPrefix(err.Error(), "json: ")
		return out, E(op, Invalid, "the settings do not fit: "+msg, err)
	}
	return out, nil
}
