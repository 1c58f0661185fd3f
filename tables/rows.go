package tables

import (
	"fmt"
	"slices"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// rows is a planned selection of rows: FROM, WHERE, ORDER BY and LIMIT.
type rows struct {
	*node
	query    *Query
	link     writeFunc
	where    writeFunc
	distinct []ref // of rows that are equal in all of them there is only the first
	terms    []*term
	within   []writeFunc // what cursors ask of a row
	skip     any         // the argument of OFFSET
	few      bool        // few rows are in reach: they are found first, and then sorted
}

func (p *planner) rows(n *node, q *Query, link writeFunc) (*rows, error) {
	r := &rows{node: n, query: q, link: link, skip: int64(q.Offset)}
	if q.Skip != 0 {
		r.skip = p.leaveOpen(operand{param: q.Skip, column: &core.Column{Kind: core.Integer}})
	}
	if err := r.seek(); err != nil {
		return nil, err
	}
	var err error
	if r.where, err = n.where(r.leadOff(q.Where)); err != nil {
		return nil, err
	}
	if n.rank, err = n.ranking(q.Where); err != nil {
		return nil, err
	}
	if err := r.distinguish(); err != nil {
		return nil, err
	}
	if r.terms, err = n.terms(r.order()); err != nil {
		return nil, err
	}
	if err := r.bound(); err != nil {
		return nil, err
	}
	if q.Offset < 0 || q.Limit < NoLimit {
		return nil, core.E("tables.rows", core.Invalid, core.At{Table: n.table.Name}, "limit and offset cannot be negative")
	}
	if q.Limit > p.snap.maxLimit {
		return nil, core.E("tables.rows", core.Limit, core.At{Table: n.table.Name}, fmt.Sprintf("limit is at most %d: read the rest with offset, or with the cursor of the last record", p.snap.maxLimit))
	}
	return r, nil
}

// seek chooses how the rows are found, where that is by the rights of the caller.
func (r *rows) seek() (err error) {
	if r.link != nil || namesIDs(r.query.Where) || r.found != rules.AtHand {
		return nil
	}
	r.found = rules.ByReach
	if limit := r.limit(); limit != NoLimit && r.p.breadth != nil && r.may.Rows != nil && r.past == nil {
		r.found, err = r.p.breadth(r.node, limit+r.query.Offset)
		r.few = r.found == rules.ByReach
	}
	return err
}

// limit returns how many rows are asked for; it may be NoLimit.
func (r *rows) limit() int {
	switch q := r.query; {
	case q.Form == One:
		return 1
	case q.Limit != 0:
		return q.Limit + q.ahead
	case q.Form == Aggregate:
		return NoLimit
	}
	return DefaultLimit
}

// namesIDs reports whether the condition names the ids of the records.
func namesIDs(c Cond) bool {
	switch c := c.(type) {
	case Compare:
		return c.Column == "id" && (c.Op == Eq || c.Op == In)
	case And:
		return slices.ContainsFunc(c, namesIDs)
	}
	return false
}

// filter writes FROM and WHERE.
func (r *rows) filter(b *db.Builder) {
	b.Write(" FROM ")
	r.node.from(b)
	b.Write(" WHERE ")
	if r.link != nil {
		r.link(b)
	} else {
		b.Write("TRUE")
	}
	r.scope(b)
	if r.where != nil {
		b.Write(" AND ")
		r.where(b)
	}
	if len(r.distinct) == 0 {
		r.bounds(b)
	}
}

// bounds writes what cursors ask of a row.
func (r *rows) bounds(b *db.Builder) {
	for _, w := range r.within {
		b.Write(" AND ")
		w(b)
	}
}

// wrap writes a derived table of the rows that from writes, under their alias.
func (r *rows) wrap(b *db.Builder, from func()) {
	b.Write(" FROM (SELECT ", r.alias, ".*")
	from()
	b.Write(") AS ", r.alias)
}

// matching writes the rows, in any order.
func (r *rows) matching(b *db.Builder) {
	if len(r.distinct) > 0 {
		r.firsts(b)
		return
	}
	r.filter(b)
}

// from writes everything from FROM on; limit may be NoLimit.
func (r *rows) from(b *db.Builder, limit int) {
	if r.query.Last {
		r.wrap(b, func() { r.cut(b, limit) })
		r.sort(b, false)
		return
	}
	r.cut(b, limit)
}

// cut writes the rows as far as limit and offset go, which with [Query.Last] count from the end.
func (r *rows) cut(b *db.Builder, limit int) {
	if fence := b.Dialect().Fence(); fence != "" && r.few && limit != NoLimit && r.query.Form == List {
		r.wrap(b, func() { r.matching(b); b.Write(fence) })
	} else {
		r.matching(b)
	}
	r.sort(b, r.query.Last)
	if limit != NoLimit {
		b.Write(" LIMIT ", strconv.Itoa(limit))
	}
	if r.skips() {
		if limit == NoLimit {
			b.Write(" LIMIT 9223372036854775807")
		}
		b.Write(" OFFSET ").Arg(r.skip)
	}
}

// skips reports whether there is an offset.
func (r *rows) skips() bool { return r.query.Offset > 0 || r.query.Skip != 0 }

// unbounded reports whether all rows are looked at, of which the order then says nothing.
func (r *rows) unbounded(limit int) bool { return limit == NoLimit && !r.skips() }

// sort writes ORDER BY, which ends with the primary key, or the reverse of it.
func (r *rows) sort(b *db.Builder, reverse bool) {
	if r.query.Form == One && len(r.terms) == 1 { // one row by its key needs no order
		return
	}
	sortBy(b, r.terms, reverse)
}

func sortBy(b *db.Builder, terms []*term, reverse bool) {
	b.Write(" ORDER BY ")
	for i, t := range terms {
		if i > 0 {
			b.Write(", ")
		}
		t.write(b, reverse)
	}
}

// page is [rows.from] for a selection with nested ones: the rows are cut first, since a database computes nested values for
// the rows that OFFSET skips too.
func (r *rows) page(b *db.Builder, limit int) {
	if !r.skips() || r.query.Last {
		r.from(b, limit)
		return
	}
	r.wrap(b, func() { r.from(b, limit) })
	r.sort(b, false)
}
