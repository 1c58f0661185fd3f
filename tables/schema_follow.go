package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// Dependant is something that names a table or a column which a change renames or takes away.
type Dependant struct {
	Kind   string // rule, formula, default, role, flow, ...
	Name   string
	Table  string // that it is about, as it is called before the change
	Column string // empty when it is about the table
	Effect string // what the change does to it
}

// Following is a change of the schema as those see it who keep names of tables and columns.
type Following struct {
	From, To *core.Schema
	Moves    core.Moves
}

// Follower is a layer above that keeps definitions which name tables and columns, such as flows. It returns those that the
// change is about, and a function that writes them with the new names, or nil; that runs in the same unit of work, after
// the database was altered. An error refuses the change.
type Follower func(ctx context.Context, tx *Tx, f Following) ([]Dependant, func(context.Context) error, error)

// Follow has f asked about every change of the schema. Call it before Load.
func (s *Store) Follow(f Follower) { s.followers = append(s.followers, f) }

// depend finds what names the tables and columns that move. What would name something dropped refuses the change.
func (c *candidate) depend(caller core.Caller) error {
	var blocked []string
	c.hideRoles = c.from.Policy.May(caller, "manage_access") != nil
	for _, t := range c.from.Schema.Tables() {
		if t.Builtin {
			continue
		}
		if to, ok := c.moves.Tables[t.Name]; ok && !core.IsDroppedName(to) {
			c.lookups(t, to)
		}
		is, live := c.next.Schema.Stored(t.SQL())
		if !live || len(c.moves.Columns[t.Name]) == 0 {
			continue
		}
		c.renamed(t)
		blocked = append(blocked, c.missing(t, is)...)
	}
	blocked = append(blocked, c.reaching()...)
	for _, m := range c.grants {
		if m.Profile != nil {
			c.dependants = append(c.dependants, c.profile(m))
			continue
		}
		d := Dependant{Kind: "role", Name: strings.TrimPrefix(c.roleName(m.Role), "the role "), Table: m.Table, Effect: effectOn(m)}
		if !slices.Contains(c.dependants, d) {
			c.dependants = append(c.dependants, d)
		}
	}
	if len(blocked) > 0 {
		return core.E("tables.depend", core.Invalid, "something names what the change takes away: "+strings.Join(blocked, "; ")+". Change or drop it first, in the same plan")
	}
	return nil
}

// roleName is the role, for those who may know which there are.
func (c *candidate) roleName(role string) string {
	if c.hideRoles {
		return "a role"
	}
	return "the role " + role
}

// profile tells that a column profile follows, to those who may know which there are.
func (c *candidate) profile(m authz.Moved) Dependant {
	d := Dependant{Kind: "column profile", Name: m.Profile.Name, Effect: "follows"}
	if c.hideRoles {
		d.Name = "a column profile"
	}
	return d
}

func effectOn(m authz.Moved) string {
	switch {
	case m.After == nil:
		return "goes"
	case core.IsDroppedName(m.After.V1):
		return "waits until the table comes back"
	}
	return "follows"
}

func (c *candidate) lookups(t *core.Table, to string) {
	for _, other := range c.from.Schema.Tables() {
		for i := range other.Columns {
			if other.Columns[i].Target == t.Name {
				c.dependants = append(c.dependants, Dependant{Kind: "lookup", Name: other.Name + "." + other.Columns[i].Name, Table: t.Name, Effect: "leads to " + to})
			}
		}
	}
}

// renamed adds what follows the columns of t that have other names.
func (c *candidate) renamed(t *core.Table) {
	for from := range c.moves.Renamed(t.Name) {
		add := func(kind, name string) {
			c.dependants = append(c.dependants, Dependant{Kind: kind, Name: name, Table: t.Name, Column: from, Effect: "follows"})
		}
		for what, source := range t.Expressions {
			if c.mentions(t, *source, from) != "" {
				kind, name, _ := strings.Cut(strings.TrimPrefix(what, "the "), " ")
				add(kind, strings.TrimPrefix(name, "of "))
			}
		}
		for _, k := range t.Keys {
			if slices.Contains(k.Columns, from) {
				add("key", k.Name)
			}
		}
		for _, r := range t.Duplicates {
			if slices.ContainsFunc(r.Columns, func(dc core.DuplicateColumn) bool { return dc.Column == from }) {
				add("duplicate rule", r.Name)
			}
		}
		for _, x := range t.Indexes {
			if slices.ContainsFunc(x.Columns, func(ic core.IndexColumn) bool { return ic.Column == from }) {
				add("index", x.Name)
			}
		}
	}
}

// missing tells what of the table, as it will be, names a column that is dropped.
func (c *candidate) missing(t, is *core.Table) (blocked []string) {
	for from, to := range c.moves.Columns[t.Name] {
		if !core.IsDroppedName(to) {
			continue
		}
		if _, ok := is.Column(from); ok {
			continue // another column has the name now
		}
		for what, source := range is.Expressions {
			if does := c.mentions(t, *source, from); does != "" {
				blocked = append(blocked, fmt.Sprintf("%s of %s %s %s", what, t.Name, does, from))
			}
		}
		for _, r := range is.Rules {
			if slices.ContainsFunc(slices.Concat(r.Do, r.Else), func(d core.Deed) bool { return d.Column == from }) {
				blocked = append(blocked, fmt.Sprintf("the rule %s of %s names %s", r.Name, t.Name, from))
			}
		}
		for role, grants := range c.next.access.Grants() {
			for _, g := range grants {
				if g.Table != is.Name || g.Condition == "" {
					continue
				}
				if does := c.mentions(t, g.Condition, from); does != "" {
					blocked = append(blocked, fmt.Sprintf("a condition of %s %s %s", c.roleName(role), does, from))
				}
			}
		}
	}
	slices.Sort(blocked)
	return slices.Compact(blocked)
}

// reaching adds the expressions that follow the columns of other tables, and tells which name what is taken away.
func (c *candidate) reaching() (blocked []string) {
	for _, t := range c.from.Schema.Tables() {
		for what, source := range t.Expressions {
			for _, n := range named(c.from.Schema, t, *source) {
				of, _ := c.from.Schema.Stored(n.Table)
				column := columnOf(of, n.Column)
				if column == nil || c.moves.Renamed(of.Name)[column.Name] == "" {
					continue
				}
				kind, name, _ := strings.Cut(strings.TrimPrefix(what, "the "), " ")
				c.dependants = append(c.dependants, Dependant{Kind: kind, Name: t.Name + "." + strings.TrimPrefix(name, "of "), Table: of.Name, Column: column.Name, Effect: "follows"})
			}
		}
	}
	for _, t := range c.next.Schema.Tables() {
		was, ok := c.from.Schema.Stored(t.SQL())
		if !ok {
			continue
		}
		for what, source := range t.Expressions {
			for _, n := range named(c.from.Schema, was, *source) {
				if gone := c.gone(n); gone != "" {
					blocked = append(blocked, fmt.Sprintf("%s of %s names %s", what, t.Name, gone))
				}
			}
		}
	}
	return blocked
}

// named returns what an expression names of other tables.
func named(s *core.Schema, t *core.Table, source string) []rules.Named {
	if t.Builtin || !strings.Contains(source, ".") {
		return nil
	}
	all, err := rules.Names(s, t.SQL(), source)
	if err != nil {
		return nil // it is compiled anew, which tells the mistake
	}
	return slices.DeleteFunc(all, func(n rules.Named) bool { return n.Table == t.SQL() })
}

// gone returns what the change takes away of the table or the column, "" when it stays.
func (c *candidate) gone(n rules.Named) string {
	was, _ := c.from.Schema.Stored(n.Table)
	is, live := c.next.Schema.Stored(n.Table)
	switch column := columnOf(was, n.Column); {
	case !live:
		return was.Name
	case column != nil && columnOf(is, n.Column) == nil && !slices.ContainsFunc(is.Dropped, func(x core.Dropped) bool { return x.Column != nil && x.Column.SQL() == n.Column && x.By != "" }):
		return was.Name + "." + column.Name
	}
	return ""
}

// mentions tells what an expression over the records of t, as they were, does with the column: it names it, or follows it to
// other records. "" when it does neither.
func (c *candidate) mentions(t *core.Table, source, column string) string {
	paths, err := rules.Mentions(source)
	if err != nil {
		return "" // it is compiled anew, which tells the mistake
	}
	if slices.Contains(paths, column) || slices.Contains(paths, "old."+column) {
		return "names"
	}
	of, ok := t.Column(column)
	if !ok || of.Kind != core.Lookup && of.Kind != core.AnyLookup {
		return ""
	}
	all, err := rules.Names(c.from.Schema, t.SQL(), source)
	if err == nil && slices.Contains(all, rules.Named{Table: t.SQL(), Column: of.SQL()}) {
		return "follows"
	}
	return ""
}
