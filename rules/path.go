package rules

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

// maxSteps is how many relations one way leads through, and how deep aggregates stand in each other.
const maxSteps = 8

// Step leads from a record to another, or to several.
type Step struct {
	From     string        // the table that has the relation
	Relation core.Relation // with Many, to several records
	Down     bool          // to what the relation leads to, to what it leads to from there, and so on
}

// Read is a column that an expression reads, and the way from its record there. The lookups on the way are in the steps.
type Read struct {
	Old    bool // the way begins at the record before the change
	Path   []Step
	Table  string // that has the column
	Column string // the id where only the records count
}

// String returns the names of the way, joined by dots.
func (r Read) String() string {
	var names []string
	if r.Old {
		names = append(names, strings.TrimSuffix(oldPrefix, "."))
	}
	for _, s := range r.Path {
		name := s.Relation.Name
		if s.Down {
			name = downName + "(" + name + ")"
		}
		names = append(names, name)
	}
	return strings.Join(append(names, r.Column), ".")
}

// Own returns the columns of the record at the near end on which it depends where the step leads.
func (s Step) Own() []string {
	switch {
	case s.Relation.Many:
		return []string{"id"}
	case s.Relation.Which != "":
		return []string{s.Relation.Column, s.Relation.Which}
	}
	return []string{s.Relation.Column}
}

// From returns the columns of the record of the expression that r is about.
func (r Read) From() []string {
	if len(r.Path) > 0 {
		return r.Path[0].Own()
	}
	return []string{r.Column}
}

// At returns the columns that r is about in the records to which its i-th step leads, those included by which they are found.
func (r Read) At(i int) []string {
	rest := Read{Path: r.Path[i+1:], Column: r.Column}
	columns := rest.From()
	if rel := r.Path[i].Relation; rel.Many && rel.Through == "" {
		columns = append(columns, rel.Column)
		if rel.Which != "" {
			columns = append(columns, rel.Which)
		}
	}
	return columns
}

// names says what the names of an expression mean: those of its table, and those of the records that the aggregates around
// are over.
type names struct {
	schema  *core.Schema // nil where no relation is reached
	table   *core.Table
	old     bool    // there is a record before the change
	bases   int     // how many there are of the caller
	reports bool    // so have those below the caller names
	shares  bool    // and what is shared with him
	mask    bool    // there is one value, and no record
	locals  []local // the innermost last
}

// local is a name that an aggregate gives to each record that it is over.
type local struct {
	name  string
	scope int
	table *core.Table
}

// target is where a chain of names such as order.account.region leads: to a column, or to a record or several.
type target struct {
	scope  int // of the record where it begins; 0 is the record of the expression
	old    bool
	steps  []Step
	table  *core.Table  // where it ends
	column *core.Column // nil for records
	means  []entity     // what each name stands for
}

// many reports whether the chain ends at several records.
func (p *target) many() bool {
	return p.column == nil && len(p.steps) > 0 && p.steps[len(p.steps)-1].Relation.Many
}

// key is the name of the variable that the checker knows p by.
func (p *target) key() string {
	var names []string
	for _, s := range p.steps {
		names = append(names, s.Relation.Name)
	}
	if p.column != nil {
		names = append(names, p.column.Name)
	}
	key := strings.Join(names, ".")
	if p.old {
		key = oldPrefix + key
	}
	if p.scope > 0 {
		return fmt.Sprintf("@%d.%s", p.scope, key)
	}
	return key
}

// find follows a chain of names. When it leads nowhere, at is the name that is wrong, and problem says why.
func (n *names) find(chain []string) (p target, at int, problem string) {
	p.table = n.table
	if i := slices.IndexFunc(n.locals, func(l local) bool { return l.name == chain[0] }); i >= 0 {
		for j := range n.locals { // the innermost of the name
			if n.locals[j].name == chain[0] {
				i = j
			}
		}
		p.scope, p.table = n.locals[i].scope, n.locals[i].table
		p.means, at = append(p.means, entity{}), 1
	} else if n.old && chain[0]+"." == oldPrefix {
		p.old = true
		p.means, at = append(p.means, entity{}), 1
	}
	for ; at < len(chain); at++ {
		if c, ok := p.table.Column(chain[at]); ok {
			if at < len(chain)-1 {
				return p, at, n.notFurther(&p, c)
			}
			p.column = c
			p.means = append(p.means, entity{table: p.table.SQL(), column: c.SQL()})
			return p, at, ""
		}
		step, used, problem := n.step(p.table, chain[at:])
		if problem != "" {
			return p, at, problem
		}
		if p.many() {
			return p, at, fmt.Sprintf("%s are several records: say what of them, such as %s.sum(x, x.%s)", chain[at-1], chain[at-1], chain[at])
		}
		p.means = append(p.means, n.meaning(step, used)...)
		p.steps = append(p.steps, step)
		if len(p.steps) > maxSteps {
			return p, at, fmt.Sprintf("the way leads through more than %d relations", maxSteps)
		}
		if p.table, _ = n.schema.Table(step.Relation.Table); p.table == nil {
			return p, at, "there is no table " + step.Relation.Table
		}
		at += used - 1
	}
	return p, at, ""
}

// step finds the relation that the first of the names leads through, and how many of them it takes: a lookup of several
// tables takes the name of one, too.
func (n *names) step(t *core.Table, chain []string) (s Step, used int, problem string) {
	if n.schema != nil {
		if r, ok := n.schema.Relation(t.Name, chain[0]); ok {
			return Step{From: t.Name, Relation: r}, 1, ""
		}
		if u, ok := n.schema.Union(t.Name, chain[0]); ok {
			return n.union(t, u, chain)
		}
	}
	return s, 0, n.nothing(t, chain[0])
}

func (n *names) union(t *core.Table, u core.Union, chain []string) (s Step, used int, problem string) {
	var tables []string
	for _, target := range u.Targets {
		tables = append(tables, target.Table)
		if len(chain) > 1 && chain[1] == target.Table {
			r := core.Relation{Name: u.Name + "." + target.Table, Table: target.Table, Column: u.Column, Which: u.Which, Target: target.Value}
			return Step{From: t.Name, Relation: r}, 2, ""
		}
	}
	return s, 0, fmt.Sprintf("%s leads to records of several tables: name one of them, such as %s.%s; there are %s", u.Name, u.Name, tables[0], strings.Join(tables, ", "))
}

// notFurther says that a name does not follow that of a column.
func (n *names) notFurther(p *target, c *core.Column) string {
	msg := c.Name + " is a column, and nothing follows it"
	if c.Relation != "" && n.schema != nil {
		msg += fmt.Sprintf("; the record that it leads to is %s: write %s.<column>", c.Relation, c.Relation)
	}
	return msg
}

// nothing says that the table has nothing of that name.
func (n *names) nothing(t *core.Table, name string) string {
	msg := fmt.Sprintf("%s has no column and no relation %s", t.Name, name)
	if near := core.Suggest(name, n.of(t)); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return msg
}

// of returns what the table has: its columns and relations.
func (n *names) of(t *core.Table) []string {
	var out []string
	for i := range t.Columns {
		out = append(out, t.Columns[i].Name)
	}
	return append(out, n.relations(t)...)
}

func (n *names) relations(t *core.Table) []string {
	if n.schema == nil {
		return nil
	}
	var out []string
	for _, r := range slices.Concat(n.schema.Relations(t.Name), n.schema.Links(t.Name)) {
		out = append(out, r.Name)
	}
	for _, u := range n.schema.Unions(t.Name) {
		out = append(out, u.Name)
	}
	return out
}

// isLocal reports whether an aggregate around gives the name to its records.
func (n *names) isLocal(name string) bool {
	return slices.ContainsFunc(n.locals, func(l local) bool { return l.name == name })
}

// chainOf returns the names of a.b.c, nil for anything else.
func chainOf(e ast.Expr) []string {
	switch e.Kind() {
	case ast.IdentKind:
		return []string{strings.TrimPrefix(e.AsIdent(), ".")}
	case ast.SelectKind:
		if s := e.AsSelect(); !s.IsTestOnly() {
			if before := chainOf(s.Operand()); before != nil {
				return append(before, s.FieldName())
			}
		}
	}
	return nil
}

// The names of who asks. A table may have a column or a relation called user, which goes before.
const (
	callerName = "caller"
	userName   = "user"
)

// ambiguous says that user.id and the like could mean two things, where the table has a relation called user.
func (n *names) ambiguous(chain []string) string {
	if len(chain) != 2 || chain[1] != "id" && !slices.Contains(callerFields, chain[1]) {
		return ""
	}
	p, _, problem := n.find(chain)
	if problem != "" || len(p.steps) == 0 {
		return ""
	}
	field := chain[1]
	if field == "id" {
		field = userName
	}
	return fmt.Sprintf("%s.%s could be of the caller or of the record that %s leads to: write %s.%s, or the column %s", userName, chain[1], userName, callerName, field, p.steps[0].Relation.Column)
}

// unknown says that there is nothing of the name.
func (n *names) unknown(name string) string {
	if n.mask {
		return fmt.Sprintf("there is nothing called %s: a mask sees only %s, which is what the column holds", name, core.MaskValue)
	}
	return unknownName(name, n.known())
}

// known are the names for suggestions.
func (n *names) known() []string {
	out := callerNames()
	for _, l := range n.locals {
		out = append(out, l.name)
	}
	for _, name := range n.of(n.table) {
		out = append(out, name)
		if n.old {
			out = append(out, oldPrefix+name)
		}
	}
	return out
}
