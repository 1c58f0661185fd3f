package tables

import (
	"colonnade/core"
	"colonnade/core/db"
)

// bridge is a relation of many to many from a node: the links that the caller may read, and what they lead to. A link is as
// good as not there when he may not see one of its ends.
type bridge struct {
	from      *node
	links, to *node
	near, far ref // the ends of a link
}

func (n *node) bridge(rel core.Relation) (*bridge, error) {
	x := &bridge{from: n}
	var err error
	if x.links, err = n.p.node(rel.Through, core.Read); err != nil {
		return nil, err
	}
	if x.near, err = x.links.resolve(rel.Near); err != nil {
		return nil, err
	}
	if x.far, err = x.links.resolve(rel.Column); err != nil {
		return nil, err
	}
	x.to, err = n.p.node(rel.Table, core.Read)
	return x, err
}

// link writes the condition that a link joins the row of the one end with that of the other. Each record is found once.
func (x *bridge) link(b *db.Builder) {
	b.Name(x.to.alias, "id").Write(" IN (SELECT ")
	x.far.write(b)
	b.Write(" FROM ")
	x.links.from(b)
	b.Write(" WHERE ")
	x.near.write(b)
	b.Write(" = ").Name(x.from.alias, "id")
	x.links.scope(b)
	b.Write(")")
}

// exists plans the condition that a link leads to a record that meets another. PostgreSQL makes a join of it, which it
// could not of [bridge.link] within a condition.
func (x *bridge) exists(c Cond) (writeFunc, error) {
	inner, err := x.to.where(c)
	if err != nil {
		return nil, err
	}
	return func(b *db.Builder) {
		b.Write("EXISTS (SELECT 1 FROM ")
		x.links.from(b)
		b.Write(" JOIN ")
		x.to.from(b)
		b.Write(" ON ").Name(x.to.alias, "id").Write(" = ")
		x.far.write(b)
		b.Write(" WHERE ")
		x.near.write(b)
		b.Write(" = ").Name(x.from.alias, "id")
		x.links.scope(b)
		x.to.scope(b)
		if inner != nil {
			b.Write(" AND ")
			inner(b)
		}
		b.Write(")")
	}, nil
}

// relatedThrough plans [Related] for a relation of many to many; ok is false when it is none.
func (n *node) relatedThrough(c Related) (w writeFunc, ok bool, err error) {
	rel, found := n.p.snap.Schema.Relation(n.table.Name, c.Relation)
	if !found || rel.Through == "" {
		return nil, false, nil
	}
	x, err := n.bridge(rel)
	if err != nil {
		return nil, true, core.E("tables.relation", core.Invalid, core.At{Table: n.table.Name, Column: c.Relation}, "there is no such relation")
	}
	w, err = x.exists(c.Where)
	return w, true, err
}
