package core

import (
	"fmt"
	"maps"
	"slices"
)

// Change is one step from a schema to the next: [CreateTable], [AddColumn], [AddIndex], [PutRule], [DropRule] or [PutSearch].
type Change interface {
	apply(*draft) error
	Table() string // the table that it is about
}

type draft struct{ tables map[string]Table }

func (d *draft) table(name string) (Table, error) {
	t, ok := d.tables[name]
	if !ok {
		return t, noTable("core.Change", name, slices.Sorted(maps.Keys(d.tables)))
	}
	if t.Builtin {
		return t, E("core.Change", Denied, At{Table: name}, "a built-in table cannot be changed")
	}
	return t, nil
}

// taken reports whether a table has the physical name.
func (d *draft) taken(name string) bool {
	for _, t := range d.tables {
		if t.SQL() == name {
			return true
		}
	}
	return false
}

// taken reports whether a column of t has the physical name.
func (t *Table) taken(name string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.SQL() == name })
}

// CreateTable adds a table.
type CreateTable struct{ Define Table }

// Table implements [Change].
func (c CreateTable) Table() string { return c.Define.Name }

func (c CreateTable) apply(d *draft) error {
	if _, ok := d.tables[c.Define.Name]; ok {
		return E("core.CreateTable", Exists, At{Table: c.Define.Name}, "there is a table of this name already; add to it with add_column")
	}
	t := c.Define
	t.Columns = slices.Clone(t.Columns)
	t.Physical = physical(t.Name, d.taken)
	for i := range t.Columns {
		t.Columns[i].Physical = "" // the names of a new table are free
	}
	d.tables[t.Name] = t
	return nil
}

// AddColumn adds a column to a table. A required column needs a default, which existing records get.
type AddColumn struct {
	To  string
	Add Column
}

// Table implements [Change].
func (c AddColumn) Table() string { return c.To }

func (c AddColumn) apply(d *draft) error {
	t, err := d.table(c.To)
	if err != nil {
		return err
	}
	at := At{Table: c.To, Column: c.Add.Name}
	if _, ok := t.Column(c.Add.Name); ok {
		return E("core.AddColumn", Exists, at, "the table has a column of this name already")
	}
	add := c.Add
	add.Physical = physical(add.Name, t.taken)
	t.Columns = append(slices.Clone(t.Columns), add)
	t.index = nil
	d.tables[c.To] = t
	return nil
}

// AddIndex adds an index to a table.
type AddIndex struct {
	To  string
	Add Index
}

// Table implements [Change].
func (c AddIndex) Table() string { return c.To }

func (c AddIndex) apply(d *draft) error {
	t, err := d.table(c.To)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(t.Indexes, func(x Index) bool { return x.Name == c.Add.Name }) {
		return E("core.AddIndex", Exists, At{Table: c.To}, "the table has an index named "+c.Add.Name+" already")
	}
	t.Indexes = append(slices.Clone(t.Indexes), c.Add)
	d.tables[c.To] = t
	return nil
}

// PutRule adds a business rule, or replaces the one of its name.
type PutRule struct {
	On  string
	Put Rule
}

// Table implements [Change].
func (c PutRule) Table() string { return c.On }

func (c PutRule) apply(d *draft) error {
	t, err := d.table(c.On)
	if err != nil {
		return err
	}
	t.Rules = slices.Clone(t.Rules)
	if i := slices.IndexFunc(t.Rules, func(r Rule) bool { return r.Name == c.Put.Name }); i >= 0 {
		t.Rules[i] = c.Put
	} else {
		t.Rules = append(t.Rules, c.Put)
	}
	d.tables[c.On] = t
	return nil
}

// DropRule removes a business rule.
type DropRule struct{ On, Name string }

// Table implements [Change].
func (c DropRule) Table() string { return c.On }

func (c DropRule) apply(d *draft) error {
	t, err := d.table(c.On)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(t.Rules, func(r Rule) bool { return r.Name == c.Name })
	if i < 0 {
		return E("core.DropRule", NotFound, At{Table: c.On, Rule: c.Name}, fmt.Sprintf("the table has no rule %q", c.Name))
	}
	t.Rules = slices.Delete(slices.Clone(t.Rules), i, i+1)
	d.tables[c.On] = t
	return nil
}
