package tables

import (
	"colonnade/core"
	"colonnade/core/db"
)

// through returns the node at the other end of a relation of many to many, and the condition that links it to n: one of the
// links that the caller may read joins the two. A link is as good as not there when he may not see one of its ends.
func (n *node) through(rel core.Relation) (to *node, link writeFunc, err error) {
	between, err := n.p.node(rel.Through, core.Read)
	if err != nil {
		return nil, nil, err
	}
	near, err := between.resolve(rel.Near)
	if err != nil {
		return nil, nil, err
	}
	far, err := between.resolve(rel.Column)
	if err != nil {
		return nil, nil, err
	}
	if to, err = n.p.node(rel.Table, core.Read); err != nil {
		return nil, nil, err
	}
	return to, func(b *db.Builder) {
		b.Name(to.alias, "id").Write(" IN (SELECT ")
		far.write(b)
		b.Write(" FROM ")
		between.from(b)
		b.Write(" WHERE ")
		near.write(b)
		b.Write(" = ").Name(n.alias, "id")
		between.scope(b)
		b.Write(")")
	}, nil
}
