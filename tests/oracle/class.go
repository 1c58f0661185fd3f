package oracle

import (
	"slices"

	"colonnade/core"
)

// private is a data class, which a role may deny to those who hold it.
var private = core.DataClass{Name: "private"}

// carries reports whether the values of a column are private: by its definition, or because they are made of private ones.
func (w *world) carries(table, column string) bool {
	t, err := w.schema.Table(table)
	if err != nil {
		panic(err)
	}
	c, _ := t.Column(column)
	if c.Of != "" {
		return w.carries(table, c.Of)
	}
	made := func(of string) bool { return w.carries(table, of) }
	d := w.meanings[table+"."+column]
	return slices.Contains(c.Classes, private.Name) || slices.ContainsFunc(simpleFormulas[column].reads, made) ||
		d != nil && slices.ContainsFunc(d.means.reads, func(n mention) bool { return w.carries(n.table, n.column) })
}

// denied reports whether a column is kept from the person by a role that denies its class, whatever else gives it.
func (p *person) denied(table, column string) bool {
	return p.denying != "" && p.carries(table, column) &&
		slices.ContainsFunc(p.holdings, func(h holding) bool { return p.includes(h.role, p.denying) })
}
