package core

import (
	"fmt"
	"slices"
	"strings"
)

// A lookup of several tables is two columns: the id, of the kind [AnyLookup], and beside it the table, a choice whose Of is
// the name of the first. No reference of the database keeps them whole; the table layer does.

// TargetColumn returns the column that holds the table of a lookup of several.
func (t *Table) TargetColumn(c *Column) (*Column, bool) {
	i := slices.IndexFunc(t.Columns, func(o Column) bool { return o.Of == c.Name })
	if i < 0 {
		return nil, false
	}
	return &t.Columns[i], true
}

// withParts returns the columns with those that hold the other parts of lookups of several tables and of currencies.
func (d *draft) withParts(t *Table, columns []Column) []Column {
	return withMoney(d.withTargets(t, columns))
}

// withTargets returns the columns with the column of the table after each lookup of several that lacks it.
func (d *draft) withTargets(t *Table, columns []Column) []Column {
	var out []Column
	for _, c := range columns {
		out = append(out, c)
		if c.Kind != AnyLookup || slices.ContainsFunc(columns, func(o Column) bool { return o.Of == c.Name }) {
			continue
		}
		of := Column{Name: relationOf(&c) + "_table", Kind: Choice, Of: c.Name, Doc: "The table that " + c.Name + " leads to."}
		for _, name := range c.Targets {
			of.Options = append(of.Options, Option{Value: d.targetValue(t, name)})
		}
		out = append(out, of)
	}
	return out
}

// targetValue is what records say that look up the table: its physical name, which stays when it is renamed.
func (d *draft) targetValue(own *Table, name string) string {
	if name == own.Name {
		return own.SQL()
	}
	return d.physicalTarget(name)
}

// relationOf returns the field that leads to what c looks up.
func relationOf(c *Column) string {
	if c.Relation != "" {
		return c.Relation
	}
	return relationName(c.Name)
}

// eachTarget replaces the names of the tables that c looks up.
func (c *Column) eachTarget(to func(string) (string, error)) (err error) {
	if c.Target != "" {
		c.Target, err = to(c.Target)
		return err
	}
	c.Targets = slices.Clone(c.Targets)
	for i, name := range c.Targets {
		if c.Targets[i], err = to(name); err != nil {
			return err
		}
	}
	return nil
}

// leadsTo reports whether c looks up records of the table.
func (c *Column) leadsTo(table string) bool {
	return c.Target != "" && c.Target == table || slices.Contains(c.Targets, table)
}

// retarget brings the column of the table up to the targets of a lookup, to which some were added.
func (d *draft) retarget(t *Table, was, c *Column) error {
	if c.Kind != AnyLookup {
		return nil
	}
	at := At{Table: t.Name, Column: c.Name}
	for i, name := range was.Targets {
		if i >= len(c.Targets) || c.Targets[i] != name {
			return E("core.retarget", Invalid, at, "targets can be added at the end, and none taken away: records may lead there")
		}
	}
	of, ok := t.TargetColumn(c)
	if !ok {
		return nil
	}
	of.Options = slices.Clone(of.Options)
	for _, name := range c.Targets[len(was.Targets):] {
		of.Options = append(of.Options, Option{Value: d.targetValue(t, name)})
	}
	return nil
}

// checkTargets finds what is wrong with the lookups of several tables of t, apart from their targets.
func (t *Table) checkTargets() error {
	const op = "core.checkTargets"
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Of != "" && c.Kind == Choice {
			of, ok := t.Column(c.Of)
			if !ok || of.Kind != AnyLookup || c.Required || c.Default != "" {
				return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "the column does not hold the table of a lookup")
			}
		}
		if c.Kind != AnyLookup {
			continue
		}
		if of, ok := t.TargetColumn(c); !ok || len(of.Options) != len(c.Targets) {
			return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "a lookup of several tables has a column beside it that says which")
		}
	}
	return nil
}

// relateTargets names the fields of a lookup of several tables: one that leads to the record, and one of each target, of the
// same name, that leads back.
func (s *Schema) relateTargets(t *Table, c *Column, taken map[string]bool) error {
	const op = "core.relateTargets"
	for i, name := range c.Targets {
		switch {
		case s.tables[name] == nil:
			return s.leadsNowhere(op, name)
		case s.tables[name].Builtin:
			return E(op, Invalid, fmt.Sprintf("the lookup leads to %q, and one of several tables cannot lead to a built-in one", name))
		case slices.Contains(c.Targets[:i], name):
			return E(op, Invalid, fmt.Sprintf("the lookup names %q twice", name))
		}
	}
	if err := s.take(taken, "relation", t.Name, c.Relation); err != nil {
		return err
	}
	if c.Inverse == "" {
		c.Inverse = strings.TrimLeft(t.Name, "_")
		if slices.ContainsFunc(c.Targets, func(name string) bool { return taken[name+"."+c.Inverse] }) {
			c.Inverse += "_by_" + c.Name
		}
	}
	of, _ := t.TargetColumn(c)
	for i, name := range c.Targets {
		if err := s.take(taken, "inverse relation", name, c.Inverse); err != nil {
			return err
		}
		s.inverse[name] = append(s.inverse[name], Relation{
			Name: c.Inverse, Many: true, Table: t.Name, Column: c.Name, Which: of.Name, Target: of.Options[i].Value,
		})
	}
	return nil
}

// take gives a field of a table its name.
func (s *Schema) take(taken map[string]bool, what, table, name string) error {
	const op = "core.relate"
	if err := CheckName(what, name); err != nil {
		return E(op, err)
	}
	field := table + "." + name
	if taken[field] {
		return E(op, Exists, fmt.Sprintf("the relation would be %s, which is taken: name it with relation and inverse", field))
	}
	taken[field] = true
	return nil
}

// Union is a relation that leads to a record of one of several tables.
type Union struct {
	Name    string
	Column  string // the lookup
	Which   string // the column that says which table
	Targets []Target
}

// Target is one of the tables of a [Union].
type Target struct {
	Table string
	Value string // of the column that says which
}

// Unions returns the relations of the table that lead to one of several tables.
func (s *Schema) Unions(table string) []Union {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	var out []Union
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind != AnyLookup {
			continue
		}
		of, _ := t.TargetColumn(c)
		u := Union{Name: c.Relation, Column: c.Name, Which: of.Name}
		for j, name := range c.Targets {
			u.Targets = append(u.Targets, Target{name, of.Options[j].Value})
		}
		out = append(out, u)
	}
	return out
}

// Union returns the relation of that name which leads to one of several tables.
func (s *Schema) Union(table, name string) (Union, bool) {
	for _, u := range s.Unions(table) {
		if u.Name == name {
			return u, true
		}
	}
	return Union{}, false
}

// parseAnyLookup takes an id, or the table and the id: account:0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b.
func parseAnyLookup(c *Column, v any) (any, string) {
	s, _ := v.(string)
	table, id, ok := strings.Cut(s, ":")
	if !ok {
		return parseUUID(c, v)
	}
	p, problem := parseUUID(c, id)
	if problem != "" {
		return nil, problem
	}
	if len(c.Targets) > 0 && !slices.Contains(c.Targets, table) {
		return nil, fmt.Sprintf("%q is not one of %s", table, strings.Join(c.Targets, ", "))
	}
	return table + ":" + p.(string), ""
}
