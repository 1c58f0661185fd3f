package core

import (
	"slices"
	"strings"
)

// step does a change. The expressions of all tables say afterwards what they said before, whatever tables, columns and
// relations are called then.
func (d *draft) step(c Change) error {
	if d.Follow == nil || !d.reaches() {
		return c.apply(d)
	}
	renames := false
	switch c.(type) {
	case RenameTables, RenameColumns:
		renames = true
	case AlterColumn, AlterTable: // the fields of lookups and links
	default:
		return c.apply(d)
	}
	before, err := d.schema()
	if err != nil { // a step on the way; what cannot follow is found in the end
		return c.apply(d)
	}
	if err := c.apply(d); err != nil {
		return err
	}
	after, err := d.schema()
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	for name, t := range d.tables {
		if t.Builtin {
			continue
		}
		if d.tables[name], err = d.followed(t, before, after, renames); err != nil {
			return E("core.Edit", At{Table: t.Name}, err)
		}
	}
	return nil
}

// schema is the draft as it is now.
func (d *draft) schema() (*Schema, error) {
	var tables []Table
	for _, t := range d.tables {
		tables = append(tables, t)
	}
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	return NewSchemaOf(1, d.shared(), append(tables, d.dropped...)...)
}

// reaches reports whether an expression may name something of another table.
func (d *draft) reaches() bool {
	for _, t := range d.tables {
		for _, source := range t.Expressions {
			if strings.Contains(*source, ".") {
				return true
			}
		}
	}
	return false
}

// followed returns t with expressions that say in the schema after what they said before. renames says that the change is
// about nothing but names, so that every expression is still the one that it was.
func (d *draft) followed(t Table, before, after *Schema, renames bool) (Table, error) {
	was, ok := before.Stored(t.SQL())
	if !ok {
		return t, nil
	}
	var old []string
	for _, source := range was.Expressions {
		old = append(old, *source)
	}
	t.Columns, t.Duplicates, t.Rules = slices.Clone(t.Columns), slices.Clone(t.Duplicates), slices.Clone(t.Rules)
	for i := range t.Rules {
		t.Rules[i] = t.Rules[i].renamed(nil)
	}
	n := 0
	for range t.Expressions {
		n++
	}
	if n != len(old) {
		return t, nil
	}
	i := -1
	for what, source := range t.Expressions {
		if i++; !renames && old[i] != *source {
			continue
		}
		next, err := d.Follow(before, after, t.SQL(), old[i])
		if err != nil {
			return t, E("core.Edit", err, what+" cannot follow the rename")
		}
		*source = next
	}
	return t, nil
}
