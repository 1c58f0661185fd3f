package tables

import (
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// past is where a node finds versions of records instead of the records of its table.
type past struct {
	source writeFunc // a SELECT of the stored columns, and others whose names begin with an underscore
	last   bool      // only of records that are gone, as they last were
}

// writeVersion writes the columns of the table after SELECT: the id as it is given, the others from the history row h, to which
// it returns the join.
func writeVersion(b *db.Builder, t *core.Table, id string) (join string) {
	object, join := b.Dialect().Version()
	comma := ""
	for c := range t.Stored {
		b.Write(comma)
		comma = ", "
		if c.Name == "id" {
			b.Write(id)
		} else {
			b.Dialect().Member(b, c, func() { b.Write(object) }, c.SQL())
		}
		b.Write(" AS ").Name(c.SQL())
	}
	return join
}

// pastAt is the records as they were at a moment: the last version until then of each that was not deleted before.
func pastAt(t *core.Table, at time.Time) *past {
	moment := &core.Column{Kind: core.Timestamp}
	return &past{source: func(b *db.Builder) {
		b.Write("SELECT ")
		join := writeVersion(b, t, "h.record_id")
		object, _ := b.Dialect().Version()
		b.Write(", ", object, ` AS _data, h.at AS _at FROM "_history" AS h`, join, ` WHERE h.table_name = `).Arg(t.SQL()).Write(" AND h.data IS NOT NULL AND h.at <= ").Value(moment, at).
			Write(` AND NOT EXISTS (SELECT 1 FROM "_history" AS l WHERE l.record_id = h.record_id AND l.table_name = h.table_name AND l.version > h.version AND l.at <= `).
			Value(moment, at).Write(")")
	}}
}

// pastVersions is all versions of the records, with the number as _version. A deleted record has none at its end.
func pastVersions(t *core.Table) *past {
	return &past{source: func(b *db.Builder) {
		b.Write("SELECT ")
		join := writeVersion(b, t, "h.record_id")
		b.Write(`, h.version AS _version FROM "_history" AS h`, join, ` WHERE h.table_name = `).Arg(t.SQL()).Write(" AND h.data IS NOT NULL")
	}}
}

// pastDeleted is the records that are gone, as they last were, with _deleted_at, _deleted_by, _deletion and the version
// of the deletion as _deleted.
func pastDeleted(t *core.Table) *past {
	return &past{last: true, source: func(b *db.Builder) {
		b.Write("SELECT ")
		join := writeVersion(b, t, "d.record_id")
		b.Write(`, d.at AS _deleted_at, d.actor AS _deleted_by, d.version AS _deleted,
(SELECT x.deletion_id FROM "_deletion" AS x WHERE x.record_id = d.record_id AND x.version = d.version AND x.table_name = d.table_name AND x.kind = 'gone') AS _deletion
FROM "_history" AS d JOIN "_history" AS h ON h.record_id = d.record_id AND h.version = d.version - 1 AND h.table_name = d.table_name`, join, `
WHERE d.op = 'delete' AND d.table_name = `).Arg(t.SQL()).Write(` AND h.data IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM "_history" AS l WHERE l.record_id = d.record_id AND l.table_name = d.table_name AND l.version > d.version)`)
	}}
}

// wasKept writes the value of a stored calculated column in a version: what the formula makes of the records of then, where the
// column was not stored yet, or has not been all the time since.
func (r *formulaRow) wasKept(b *db.Builder, c *core.Column) {
	b.Write("CASE WHEN ").Name(r.node.alias, "_data").Write(" -> ").Literal(c.SQL()).Write(" IS NOT NULL")
	if c.StoredSince != nil {
		b.Write(" AND ").Name(r.node.alias, "_at").Write(" >= ").Value(&core.Column{Kind: core.Timestamp}, *c.StoredSince)
	}
	b.Write(" THEN ")
	r.column(b, c)
	b.Write(" ELSE ")
	r.formula(b, c)
	b.Write(" END")
}

// nowHolds writes that the expression holds for the record of n as it is now, or as it last was, with other records as they
// are now.
func (n *node) nowHolds(b *db.Builder, e *rules.Expr) {
	at := n.p.at
	n.p.at = time.Time{}
	defer func() { n.p.at = at }()
	now := &node{p: n.p, table: n.table, may: n.may, alias: n.alias + "n"}
	gone := &node{p: n.p, table: n.table, may: n.may, alias: n.alias + "n", past: pastDeleted(n.table)}
	b.Write("(")
	for i, m := range []*node{now, gone} {
		if i > 0 {
			b.Write(" OR ")
		}
		b.Write("EXISTS (SELECT 1 FROM ")
		m.from(b)
		b.Write(" WHERE ").Name(m.alias, "id").Write(" = ").Name(n.alias, "id").Write(" AND ")
		m.expr(b, e)
		b.Write(")")
	}
	b.Write(")")
}
