package tables

import (
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// distinguish plans [Query.Distinct].
func (r *rows) distinguish() error {
	for _, name := range r.query.Distinct {
		c, err := r.resolve(name)
		if err != nil {
			return err
		}
		if !sortable(c.column.Kind) {
			return core.E("tables.distinguish", core.Invalid, core.At{Table: r.table.Name, Column: name}, fmt.Sprintf("records cannot be told apart by a %s", c.column.Kind))
		}
		r.distinct = append(r.distinct, c)
	}
	return nil
}

// order returns the order of the rows: that of the columns by which they differ, when none is asked for.
func (r *rows) order() []Order {
	if len(r.query.Order) > 0 || len(r.distinct) == 0 {
		return r.query.Order
	}
	order := make([]Order, len(r.query.Distinct))
	for i, name := range r.query.Distinct {
		order[i] = Order{Column: name}
	}
	return order
}

// firsts writes the rows, and of those that are equal in the distinct columns only the first.
func (r *rows) firsts(b *db.Builder) {
	b.Write(" FROM (SELECT ", r.alias, ".*, row_number() OVER (PARTITION BY ")
	for i, c := range r.distinct {
		if i > 0 {
			b.Write(", ")
		}
		c.operand(b)
	}
	r.sort(b, false)
	b.Write(") AS _nth")
	r.filter(b)
	b.Write(") AS ", r.alias, " WHERE ", r.alias, "._nth = 1")
	r.bounds(b)
}
