package rules

import (
	"slices"

	"cel.dev/cel-go/cel"

	"colonnade/core"
)

// Set holds the compiled formulas, defaults and business rules of one schema. It is safe for concurrent use.
type Set struct{ tables map[string]*tableSet }

// tableSet is the part of one table.
type tableSet struct {
	table    *core.Table
	formulas map[string]*Expr
	order    []string            // the calculated columns, each after those that it reads
	stored   []*core.Column      // those of them that the database keeps
	reads    map[string][]string // the stored columns that each reads
	defaults []assignment
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
	set := &Set{tables: make(map[string]*tableSet, len(s.Tables()))}
	for _, t := range s.Tables() {
		compiled, err := compileTable(t)
		if err != nil {
			return nil, core.E("rules.NewSet", core.At{Table: t.Name}, err)
		}
		set.tables[t.Name] = compiled
	}
	return set, nil
}

func compileTable(t *core.Table) (*tableSet, error) {
	out := &tableSet{table: t, formulas: map[string]*Expr{}, reads: map[string][]string{}}
	if !derives(t) {
		return out, nil
	}
	env, err := tableEnv(t, Options{})
	if err != nil {
		return nil, err
	}
	for i := range t.Columns {
		if err := out.compileColumn(env, &t.Columns[i]); err != nil {
			return nil, core.E("rules.NewSet", core.At{Column: t.Columns[i].Name}, err)
		}
	}
	if err := out.arrange(); err != nil {
		return nil, err
	}
	if err := out.checkStored(); err != nil {
		return nil, err
	}
	if len(t.Rules) == 0 {
		return out, nil
	}
	if env, err = tableEnv(t, Options{Old: true}); err != nil {
		return nil, err
	}
	return out, out.compileRules(env)
}

// derives reports whether there is anything to compile.
func derives(t *core.Table) bool {
	return len(t.Rules) > 0 || slices.ContainsFunc(t.Columns, func(c core.Column) bool { return c.Calculated() || c.DefaultSource() != "" })
}

func (t *tableSet) compileColumn(env *cel.Env, c *core.Column) error {
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

// Reads returns the stored columns that the formula of the column reads, directly or through other calculated columns,
// sorted. The slice is shared: do not change it.
func (s *Set) Reads(table, column string) []string {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	return t.reads[column]
}

// Defaults fills the columns that r lacks and that have a default, in the order of the columns, in place. A column that
// is there and NULL stays NULL.
func (s *Set) Defaults(table string, r core.Record, c core.Caller) error {
	const op = "rules.Defaults"
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	for _, d := range t.defaults {
		if _, ok := r[d.column.Name]; ok {
			continue
		}
		if err := t.assign(d, r, nil, &c); err != nil {
			return core.E(op, core.At{Table: table, Column: d.column.Name}, err)
		}
	}
	return nil
}

// Calculate computes the calculated columns of r in the order of their dependencies, in place.
func (s *Set) Calculate(table string, r core.Record, c core.Caller) error {
	const op = "rules.Calculate"
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	in := row{record: r, caller: &c}
	for _, name := range t.order {
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
func (t *tableSet) row(r, old core.Record, c *core.Caller) row {
	in := row{record: r, old: old, caller: c}
	in.calculate = func(record core.Record, column string) (any, error) {
		calculated := in
		calculated.record = record
		return t.formula(calculated, column)
	}
	return in
}

// assign computes a value and puts it into r.
func (t *tableSet) assign(a assignment, r, old core.Record, c *core.Caller) error {
	in := t.row(r, old, c)
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

// DefaultReads reports whether the default of the column depends on the other columns of the record.
func (s *Set) DefaultReads(table, column string) bool {
	t, ok := s.tables[table]
	return ok && slices.ContainsFunc(t.defaults, func(a assignment) bool { return a.column.Name == column && len(a.value.Columns) > 0 })
}
