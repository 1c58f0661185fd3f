package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Schema is an immutable set of tables. A change makes a new one: see [Schema.With].
type Schema struct {
	version int64
	tables  map[string]*Table
	stored  map[string]*Table // by physical name
	sorted  []*Table
	dropped []*Table
	retired map[string][]Retired
	inverse map[string][]Relation
	links   map[string][]Relation
	sets    []OptionSet // by name
	classes []DataClass // by name

	operations     []Operation // by name
	hashed         map[string]*Operation
	onlyRegistered bool
}

// Relation is one side of a lookup, as a table sees it, or of a [Link].
type Relation struct {
	Name   string // the field
	Many   bool   // seen from the target: several records
	Table  string // where the field leads
	Column string // the lookup column: of this table, or when Many of the other one

	Which  string // of a lookup of several tables, seen from a target: the column of the other table that says which
	Target string // and what it says then

	Through string // of many to many: the table of the links, whose Column leads to Table
	Near    string // and its lookup that leads to this table
}

// NewSchema completes the tables with their system columns and default names, checks them and returns their schema.
// The arguments stay as they are.
func NewSchema(version int64, tables ...Table) (*Schema, error) {
	return NewSchemaOf(version, Shared{}, tables...)
}

// Shared is what a schema has besides tables: what the columns of several of them name, and operations over all of them.
type Shared struct {
	Options    []OptionSet
	Classes    []DataClass
	Operations []Operation

	OnlyRegistered bool // see [Schema.OnlyRegistered]
}

// NewSchemaOf is [NewSchema] with what the columns of the tables share.
func NewSchemaOf(version int64, shared Shared, tables ...Table) (*Schema, error) {
	const op = "core.NewSchema"
	sets := slices.SortedFunc(slices.Values(shared.Options), func(a, b OptionSet) int { return strings.Compare(a.Name, b.Name) })
	for _, set := range sets {
		if err := set.check(); err != nil {
			return nil, E(op, err)
		}
	}
	classes := slices.SortedFunc(slices.Values(shared.Classes), func(a, b DataClass) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range classes {
		if err := c.check(); err != nil {
			return nil, E(op, err)
		}
	}
	s := &Schema{
		operations: slices.SortedFunc(slices.Values(shared.Operations), func(a, b Operation) int { return strings.Compare(a.Name, b.Name) }), onlyRegistered: shared.OnlyRegistered,
		version: version, sets: sets, classes: classes, tables: make(map[string]*Table, len(tables)), stored: make(map[string]*Table, len(tables)),
		inverse: map[string][]Relation{}, links: map[string][]Relation{},
	}
	if err := s.register(); err != nil {
		return nil, E(op, err)
	}
	for _, t := range tables {
		if t.DroppedAt != nil {
			if !t.Purged { // to come back as it was
				t = t.complete()
			}
			s.dropped = append(s.dropped, &t)
			continue
		}
		if _, ok := s.tables[t.Name]; ok {
			return nil, E(op, Exists, At{Table: t.Name}, "there is a table of this name already")
		}
		t = t.complete()
		err := s.choose(&t)
		if err == nil {
			err = t.check()
		}
		if err == nil {
			err = s.classify(&t)
		}
		if err != nil {
			return nil, E(op, err)
		}
		s.tables[t.Name], s.stored[t.SQL()] = &t, &t
	}
	s.sorted = slices.SortedFunc(maps.Values(s.tables), func(a, b *Table) int { return strings.Compare(a.Name, b.Name) })
	if err := s.relate(); err != nil {
		return nil, E(op, err)
	}
	s.retire()
	return s, nil
}

// complete returns a copy of t with everything that a definition may leave out.
func (t Table) complete() Table {
	if t.Ownership == "" {
		t.Ownership = UserOwned
	}
	own := t.Columns
	t.Columns = nil
	if !t.Builtin {
		t.Columns = SystemColumns(t.Ownership)
	}
	for _, c := range own {
		if c.System && !t.Builtin || c.Part != "" {
			continue // t comes from a schema
		}
		if c.Kind == Lookup || c.Kind == AnyLookup {
			c.Relation = relationOf(&c)
		}
		if (c.Kind == Lookup || c.Kind == AnyLookup) && c.OnDelete == "" {
			c.OnDelete = Restrict
		}
		if c.OnAssign == AssignNone {
			c.OnAssign = ""
		}
		c.Required = c.Required || c.Kind == Status || c.Kind == Autonumber
		c.Unique = c.Unique || c.Kind == Autonumber
		t.Columns = append(append(t.Columns, c), c.parts()...)
	}
	t.Rules = slices.Clone(t.Rules)
	SortRules(t.Rules)
	t.index = make(map[string]int, len(t.Columns))
	for i, c := range t.Columns {
		t.index[c.Name] = i
	}
	t.completeKeys()
	t.completeDuplicates()
	return t
}

// relate checks the lookups and names their two fields. Names that are given, by hand or by an earlier version of the
// schema, are taken first, so that a new table never changes or takes the name of an old relation.
func (s *Schema) relate() error {
	taken := map[string]bool{} // table.field
	for _, t := range s.sorted {
		for _, c := range t.Columns {
			taken[t.Name+"."+c.Name] = true
		}
	}
	for _, given := range []bool{true, false} {
		for _, t := range s.sorted {
			for i := range t.Columns {
				c := &t.Columns[i]
				if c.Kind != Lookup && c.Kind != AnyLookup || (c.Inverse != "") != given {
					continue
				}
				relate := s.relateColumn
				if c.Kind == AnyLookup {
					relate = s.relateTargets
				}
				if err := relate(t, c, taken); err != nil {
					return E("core.NewSchema", At{Table: t.Name, Column: c.Name}, err)
				}
			}
		}
	}
	for _, t := range s.sorted {
		for _, c := range t.Columns {
			if c.Kind == Lookup {
				s.inverse[c.Target] = append(s.inverse[c.Target], Relation{Name: c.Inverse, Many: true, Table: t.Name, Column: c.Name})
			}
		}
	}
	if err := s.checkOnAssign(); err != nil {
		return err
	}
	if err := s.checkSharers(); err != nil {
		return err
	}
	return s.relateLinks(taken)
}

func (s *Schema) relateColumn(t *Table, c *Column, taken map[string]bool) error {
	const op = "core.relate"
	target, ok := s.tables[c.Target]
	if !ok {
		return s.leadsNowhere(op, c.Target)
	}
	if err := s.take(taken, "relation", t.Name, c.Relation); err != nil {
		return err
	}
	if c.Inverse == "" {
		c.Inverse = strings.TrimLeft(t.Name, "_")
		if taken[target.Name+"."+c.Inverse] || s.lookups(t, c.Target) > 1 {
			c.Inverse += "_by_" + c.Name
		}
	}
	return s.take(taken, "inverse relation", target.Name, c.Inverse)
}

func (s *Schema) lookups(t *Table, target string) int {
	n := 0
	for _, c := range t.Columns {
		if c.Kind == Lookup && c.Target == target {
			n++
		}
	}
	return n
}

// OptionSets returns the option sets by name. The slice is shared: do not change it.
func (s *Schema) OptionSets() []OptionSet { return s.sets }

// choose gives the columns of t the options of the sets that they name.
func (s *Schema) choose(t *Table) error {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.OptionSet == "" {
			continue
		}
		at := slices.IndexFunc(s.sets, func(o OptionSet) bool { return o.Name == c.OptionSet })
		if at < 0 {
			return E("core.NewSchema", Invalid, At{Table: t.Name, Column: c.Name}, fmt.Sprintf("there is no option set %q: make it with put_options", c.OptionSet))
		}
		c.Options = s.sets[at].Options
	}
	return nil
}

// Version rises by one with every change.
func (s *Schema) Version() int64 { return s.version }

// Table returns the table of that name, or a NotFound error that names the nearest one.
func (s *Schema) Table(name string) (*Table, error) {
	if t, ok := s.tables[name]; ok {
		return t, nil
	}
	have := make([]string, 0, len(s.sorted))
	for _, t := range s.sorted {
		have = append(have, t.Name)
	}
	return nil, noTable("core.Table", name, have)
}

// Stored returns the table with that physical name, which history and events carry.
func (s *Schema) Stored(physical string) (*Table, bool) {
	t, ok := s.stored[physical]
	return t, ok
}

func noTable(op, name string, have []string) error {
	msg := "there is no such table"
	if near := Suggest(name, have); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return E(op, NotFound, At{Table: name}, msg)
}

// leadsNowhere is the error of a lookup whose target is not there.
func (s *Schema) leadsNowhere(op, target string) error {
	msg := fmt.Sprintf("the lookup leads to %q, and there is no such table", target)
	if near := Suggest(target, slices.Sorted(maps.Keys(s.tables))); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return E(op, Invalid, msg)
}

// Tables returns the tables by name. The slice is shared: do not change it.
func (s *Schema) Tables() []*Table { return s.sorted }

// Relations returns the relations that lookups make, as the table sees them: first those of its own, then those that lead
// back to it. See also [Schema.Links] and [Schema.Unions].
func (s *Schema) Relations(table string) []Relation {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	var out []Relation
	for _, c := range t.Columns {
		if c.Kind == Lookup {
			out = append(out, Relation{Name: c.Relation, Table: c.Target, Column: c.Name})
		}
	}
	return append(out, s.inverse[table]...)
}

// Relation returns the relation of the table with that name.
func (s *Schema) Relation(table, name string) (Relation, bool) {
	for _, r := range s.Relations(table) {
		if r.Name == name {
			return r, true
		}
	}
	for _, r := range s.links[table] {
		if r.Name == name {
			return r, true
		}
	}
	return Relation{}, false
}

// At returns the table with that physical name, be it dropped or not.
func (s *Schema) At(physical string) (*Table, bool) {
	t := s.at(physical)
	return t, t != nil
}

// Retired is a dropped lookup, by physical names: the database still keeps its references.
type Retired struct{ Table, Column string }

// Retired returns the dropped lookups that lead to the table. The slice is shared: do not change it.
func (s *Schema) Retired(t *Table) []Retired { return s.retired[t.SQL()] }

func (s *Schema) retire() {
	s.retired = map[string][]Retired{}
	add := func(t *Table, c *Column) {
		if c != nil && c.Kind == Lookup && c.Target != "" {
			s.retired[c.Target] = append(s.retired[c.Target], Retired{t.SQL(), c.SQL()})
		}
	}
	for _, t := range slices.Concat(s.sorted, s.dropped) {
		for _, x := range t.Dropped {
			add(t, x.Column)
		}
		for i := range t.Columns {
			if t.DroppedAt != nil {
				add(t, &t.Columns[i])
			}
		}
	}
}

// Dropped returns the tables that were dropped, those among them that are purged included. The slice is shared: do not
// change it.
func (s *Schema) Dropped() []*Table { return s.dropped }
