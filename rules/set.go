package rules

import (
	"maps"
	"slices"

	"colonnade/core"
)

// Set holds the compiled formulas, defaults and business rules of one schema. It is safe for concurrent use.
type Set struct{ tables map[string]*tableSet }

// tableSet is the part of one table.
type tableSet struct {
	schema   *core.Schema
	table    *core.Table
	formulas map[string]*Expr
	masks    map[string]*Expr
	classes  map[string][]string // see [Set.Classes]
	order    []string            // the calculated columns, each after those that it reads
	stored   []*core.Column      // those of them that the database keeps
	watches  map[string][]Read   // see [Set.Watches]
	reads    map[string][]Read   // see [Set.Reads]
	needs    map[string]bool     // the calculated columns that depend on other records
	writes   map[core.Op][]*Need
	defaults []assignment // each after those that it reads
	rules    []rule
}

// assignment is an expression whose value goes to a column.
type assignment struct {
	column *core.Column
	value  *Expr
}

// NewSet compiles every formula, default and rule of the schema. The first mistake refuses them all; its error names the
// table, the column or the rule, the line and the character.
func NewSet(s *core.Schema) (*Set, error) {
	if err := checkClasses(s); err != nil {
		return nil, err
	}
	set := &Set{tables: make(map[string]*tableSet, len(s.Tables()))}
	for _, t := range s.Tables() {
		compiled, err := compileTable(s, t)
		if err != nil {
			return nil, core.E("rules.NewSet", core.At{Table: t.Name}, err)
		}
		set.tables[t.Name] = compiled
	}
	if err := set.arrange(s); err != nil {
		return nil, err
	}
	set.findClasses(s)
	for _, t := range s.Tables() {
		if err := set.checkStored(set.tables[t.Name]); err != nil {
			return nil, err
		}
		if err := set.sortDefaults(set.tables[t.Name]); err != nil {
			return nil, err
		}
		if err := set.tables[t.Name].sortRules(); err != nil {
			return nil, core.E("rules.NewSet", core.At{Table: t.Name}, err)
		}
		set.tables[t.Name].findWrites()
	}
	return set, nil
}

func compileTable(s *core.Schema, t *core.Table) (*tableSet, error) {
	out := &tableSet{schema: s, table: t, formulas: map[string]*Expr{}, masks: map[string]*Expr{}, classes: map[string][]string{}, reads: map[string][]Read{}, needs: map[string]bool{}, watches: map[string][]Read{}}
	if err := out.compileMasks(); err != nil {
		return nil, err
	}
	if !derives(t) {
		return out, nil
	}
	env, err := tableEnv(s, t, Options{})
	if err != nil {
		return nil, err
	}
	for i := range t.Columns {
		if err := out.compileColumn(env, &t.Columns[i]); err != nil {
			return nil, core.E("rules.NewSet", core.At{Column: t.Columns[i].Name}, err)
		}
	}
	if len(t.Rules) == 0 {
		return out, nil
	}
	if env, err = tableEnv(s, t, Options{Old: true}); err != nil {
		return nil, err
	}
	return out, out.compileRules(env)
}

// derives reports whether there is anything to compile.
func derives(t *core.Table) bool {
	return len(t.Rules) > 0 || slices.ContainsFunc(t.Columns, func(c core.Column) bool { return c.Calculated() || c.DefaultSource() != "" })
}

func (t *tableSet) compileColumn(env language, c *core.Column) error {
	source, o := c.Formula, Options{}
	if source == "" {
		source, o = c.DefaultSource(), Options{Memory: true}
	}
	if source == "" {
		return nil
	}
	e, err := compile(env, t.table, source, o)
	if err != nil {
		return err
	}
	if err := e.Fits(c); err != nil {
		return err
	}
	if c.Calculated() {
		t.formulas[c.Name] = e
	} else {
		t.defaults = append(t.defaults, assignment{c, e})
	}
	return nil
}

// Formula returns the formula of a calculated column.
func (s *Set) Formula(table, column string) (*Expr, bool) {
	t, ok := s.tables[table]
	if !ok {
		return nil, false
	}
	e, ok := t.formulas[column]
	return e, ok
}

// Reads returns what the formula of the column reads, of its record and of others, directly or through other calculated
// columns, those included. What a column of the definer's rights reads is its own affair. The order is always the same. The
// slice is shared: do not change it.
func (s *Set) Reads(table, column string) []Read {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	return t.reads[column]
}

// Plain returns the columns of the table from which those that are named come: themselves, or what their formulas read of the
// record. None of them is calculated.
func (s *Set) Plain(table string, columns []string) []string {
	t := s.tables[table]
	if t == nil || !slices.ContainsFunc(columns, func(name string) bool { return t.formulas[name] != nil }) {
		return columns
	}
	out := map[string]bool{}
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		switch e := t.formulas[name]; {
		case e == nil:
			out[name] = true
		case !seen[name]:
			seen[name] = true
			for _, read := range e.Columns {
				visit(read)
			}
		}
	}
	for _, name := range columns {
		visit(name)
	}
	return slices.Sorted(maps.Keys(out))
}

// Reaches reports whether the value of the calculated column depends on other records.
func (s *Set) Reaches(table, column string) bool {
	t, ok := s.tables[table]
	return ok && t.needs[column]
}

// Needs returns what the expressions read of other records, directly or through calculated columns of their own record.
func (s *Set) Needs(table string, of ...*Expr) []*Need {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	return t.needsOf(of, map[*Expr]bool{})
}

func (t *tableSet) needsOf(of []*Expr, seen map[*Expr]bool) (out []*Need) {
	for _, e := range of {
		if e == nil || seen[e] {
			continue
		}
		seen[e] = true
		out = append(out, e.Needs...)
		for _, columns := range [][]string{e.Columns, e.OldColumns} {
			for _, name := range columns {
				if t.needs[name] {
					out = append(out, t.needsOf([]*Expr{t.formulas[name]}, seen)...)
				}
			}
		}
	}
	return out
}

// Calculate computes the calculated columns of r in the order of their dependencies, in place. ask answers what they read of
// other records; without it r gets no column that depends on others.
func (s *Set) Calculate(table string, r core.Record, c core.Caller, ask Ask) error {
	const op = "rules.Calculate"
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	in := row{record: r, caller: &c, ask: ask}
	for _, name := range t.order {
		if ask == nil && t.needs[name] {
			continue
		}
		v, err := t.formula(in, name)
		if err != nil {
			return core.E(op, core.At{Table: table, Column: name}, err)
		}
		r[name] = v
	}
	return nil
}

// formula computes a calculated column.
func (t *tableSet) formula(in row, name string) (any, error) {
	c, _ := t.table.Column(name)
	e := t.formulas[name]
	in.e = e
	v, err := e.eval(&in)
	if err != nil {
		return nil, err
	}
	return e.As(c, v), nil
}

// row returns what an expression sees of a record whose calculated columns are still to be computed.
func (t *tableSet) row(r, old core.Record, c *core.Caller, ask Ask) row {
	in := row{record: r, old: old, caller: c, ask: ask}
	in.calculate = func(record core.Record, column string) (any, error) {
		calculated := in
		calculated.record = record
		return t.formula(calculated, column)
	}
	return in
}

// assign computes a value and puts it into r.
func (t *tableSet) assign(a assignment, r, old core.Record, c *core.Caller, ask Ask) error {
	in := t.row(r, old, c, ask)
	in.e = a.value
	v, err := a.value.eval(&in)
	if err != nil {
		return err
	}
	return a.put(v, r)
}

// put brings a value into the form of the column, and puts it into r.
func (a assignment) put(v any, r core.Record) error {
	stored := a.value.As(a.column, v)
	if v != nil && stored == nil {
		return core.E("rules.assign", core.Invalid, core.At{Column: a.column.Name}, "the value that the rule sets does not fit into the column")
	}
	v, err := a.column.Parse(stored)
	if err != nil {
		return err
	}
	r[a.column.Name] = v
	return nil
}
