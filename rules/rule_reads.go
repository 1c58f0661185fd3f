package rules

import (
	"slices"

	"colonnade/core"
)

// Needs returns what the rule reads of other records, directly or through calculated columns.
func (c *Check) Needs() []*Need { return c.t.needsOf(c.t.computed(&c.rule), map[*Expr]bool{}) }

// Reads returns the columns on which it depends what the rule makes of a record: those of the record, and those of other records,
// the ones by which they are found included. Formulas are followed, whoever's rights they have.
func (c *Check) Reads() (own, others []core.At) {
	w := reading{set: c.set}
	w.rule(c.t.table.Name, &c.rule)
	return w.own, w.others
}

// Definition is a default or a rule of a table. Both read with everybody's eyes, and what they read comes out: in other columns, or by
// what is refused.
type Definition struct {
	Column string    // whose default it is
	Rule   string    // or the rule
	Reads  []core.At // columns of the table and of others, formulas followed; of a rule those too that it names
}

// Definitions returns the defaults and the rules of the table.
func (s *Set) Definitions(table string) (out []Definition) {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	for _, d := range t.defaults {
		w := reading{set: s}
		w.expression(table, d.value, false)
		out = append(out, Definition{Column: d.column.Name, Reads: slices.Concat(w.own, w.others)})
	}
	for i := range t.rules {
		w := reading{set: s}
		w.rule(table, &t.rules[i])
		out = append(out, Definition{Rule: t.rules[i].source.Name, Reads: slices.Concat(w.own, w.others)})
	}
	return out
}

// reading collects columns, each once.
type reading struct {
	set         *Set
	own, others []core.At
}

// rule adds what a rule reads and names.
func (w *reading) rule(table string, r *rule) {
	for e := range r.expressions {
		w.expression(table, e, false)
	}
	for _, deeds := range [][]deed{r.do, r.otherwise} {
		for i := range deeds {
			if deeds[i].column != nil {
				w.column(table, deeds[i].column.Name, false)
			}
		}
	}
}

// expression adds what an expression over records of the table reads. far says that they are other records.
func (w *reading) expression(table string, e *Expr, far bool) {
	for _, r := range e.Reads {
		for _, name := range r.From() {
			w.column(table, name, far)
		}
		for i, step := range r.Path {
			if rel := step.Relation; rel.Through != "" {
				w.column(rel.Through, rel.Near, true)
				w.column(rel.Through, rel.Column, true)
			}
			for _, name := range r.At(i) {
				w.column(step.Relation.Table, name, true)
			}
		}
	}
}

func (w *reading) column(table, name string, far bool) {
	into, at := &w.own, core.At{Table: table, Column: name}
	if far {
		into = &w.others
	}
	if slices.Contains(*into, at) {
		return
	}
	*into = append(*into, at)
	if e, ok := w.set.Formula(table, name); ok {
		w.expression(table, e, far)
	}
}
