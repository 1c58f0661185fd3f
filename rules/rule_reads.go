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
	for e := range c.rule.expressions {
		w.expression(c.t.table.Name, e, false)
	}
	for _, deeds := range [][]deed{c.rule.do, c.rule.otherwise} {
		for i := range deeds {
			if deeds[i].column != nil {
				w.column(c.t.table.Name, deeds[i].column.Name, false)
			}
		}
	}
	return w.own, w.others
}

// reading collects columns, each once.
type reading struct {
	set         *Set
	own, others []core.At
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
