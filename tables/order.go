package tables

import (
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// order plans one term of a sort order.
func (n *node) order(o Order) (writeFunc, error) {
	if o.Rank {
		return n.orderByRank(o)
	}
	path := []*node{n}
	var links []writeFunc
	for _, name := range o.Relation {
		to, rel, link, err := path[len(path)-1].relation(name)
		if err != nil {
			return nil, err
		}
		if rel.Many {
			return nil, core.E("tables.order", core.Invalid, core.At{Table: n.table.Name, Column: name}, "a list has no order among others: sort by the column of a lookup")
		}
		path, links = append(path, to), append(links, link)
	}
	last := path[len(path)-1]
	r, err := last.resolve(o.Column)
	if err != nil {
		return nil, err
	}
	if !r.column.Kind.Info().Ordered && r.column.Kind != core.Boolean {
		return nil, core.E("tables.order", core.Invalid, core.At{Table: last.table.Name, Column: o.Column}, fmt.Sprintf("a %s has no order", r.column.Kind))
	}
	write, kind := r.operand, r.column.Kind
	if r.column.HasOrder() {
		write, kind = r.position, core.Integer
	}
	for i := len(links) - 1; i >= 0; i-- {
		to, link, inner := path[i+1], links[i], write
		write = func(b *db.Builder) {
			b.Write("(SELECT ")
			inner(b)
			b.Write(" FROM ")
			to.from(b)
			b.Write(" WHERE ")
			link(b)
			to.scope(b)
			b.Write(")")
		}
	}
	never := len(links) == 0 && r.column.Required && r.plain
	return func(b *db.Builder) {
		nullsFirst := o.Desc
		if o.NullsSet {
			nullsFirst = o.NullsFirst
		}
		if never {
			nullsFirst = b.Dialect().NullsFirst(o.Desc)
		}
		b.Dialect().Order(b, func() { write(b) }, kind, o.Desc, nullsFirst)
	}, nil
}
