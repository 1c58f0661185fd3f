package tables

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// A condition on related records can be asked of each row of a list, until there are enough rows, or can lead: what meets it is found
// first, by an index, and the rows from there. Which of the two is better by a factor of thousands depends on how many rows there are.
// PostgreSQL has statistics of that. For a database that has none they are counted, up to a number, for each list of values once a
// minute; see [Store.breadth], which does the same for what is in reach.

// lead is a condition on related records that may lead to the rows.
type lead struct {
	rows, related *node
	here, there   writeFunc // the columns that are equal, of both
	link, meets   writeFunc // meets may be nil

	first bool // it leads
}

// leading is the condition of a [lead].
type leading struct{ Related }

func (leading) cond() {}

// leadOff has the first of the conditions that can lead do so. A condition can when rows must meet it, it is on a table that is read
// as it is, one way and by plain lookups, and something in it is searched with an index.
func (r *rows) leadOff(c Cond) Cond {
	if r.p.patient || r.link != nil || r.p.lead != nil || r.past != nil || r.query.Form == One || namesIDs(c) {
		return c
	}
	switch c := c.(type) {
	case Related:
		if r.leads(c) {
			return leading{c}
		}
	case And:
		for i, part := range c {
			if rel, ok := part.(Related); ok && r.leads(rel) {
				out := append(And{}, c...)
				out[i] = leading{rel}
				return out
			}
		}
	}
	return c
}

func (r *rows) leads(c Related) bool {
	rel, ok := r.p.snap.Schema.Relation(r.table.Name, c.Relation)
	if !ok || c.Target != "" || rel.Through != "" || rel.Which != "" {
		return false
	}
	t, err := r.p.snap.Schema.Table(rel.Table)
	return err == nil && !t.Builtin && !r.table.Builtin && indexed(t, c.Where)
}

// indexed reports whether an index of the table finds the records that meet the condition, or a part of it that all must meet.
func indexed(t *core.Table, c Cond) bool {
	switch c := c.(type) {
	case And:
		return slices.ContainsFunc(c, func(part Cond) bool { return indexed(t, part) })
	case Compare:
		if c.Op != Eq && c.Op != In {
			return false
		}
		if c.Column == "id" {
			return true
		}
		return slices.ContainsFunc(indexes(t), func(x index) bool { return x.columns[0].Name == c.Column })
	}
	return false
}

// leads plans the condition, in both ways: which one is written is decided when the statement is.
func (n *node) leads(c leading) (writeFunc, error) {
	to, rel, link, err := n.relation(c.Relation)
	if err != nil {
		return nil, err
	}
	meets, err := to.where(c.Where)
	if err != nil {
		return nil, err
	}
	id := func(n *node) writeFunc { return func(b *db.Builder) { b.Name(n.alias, "id") } }
	l := &lead{rows: n, related: to, link: link, meets: meets}
	var lookup ref
	if rel.Many {
		lookup, err = to.resolve(rel.Column)
		l.here, l.there = id(n), lookup.write
	} else {
		lookup, err = n.resolve(rel.Column)
		l.here, l.there = lookup.write, id(to)
	}
	if err != nil {
		return nil, err
	}
	if lookup.plain {
		n.p.lead = l
	}
	return l.write, nil
}

func (l *lead) write(b *db.Builder) {
	if l.first {
		l.among(b, NoLimit)
		return
	}
	b.Write("EXISTS (SELECT 1")
	l.found(b, l.link)
	b.Write(")")
}

// among writes that a row belongs to one of the related records, or to one of so many.
func (l *lead) among(b *db.Builder, most int) {
	l.here(b)
	b.Write(" IN (SELECT ")
	l.there(b)
	l.found(b, everyRow)
	if most != NoLimit {
		b.Write(" LIMIT ", strconv.Itoa(most))
	}
	b.Write(")")
}

func everyRow(b *db.Builder) { b.Write("TRUE") }

// found writes FROM and WHERE over the related records.
func (l *lead) found(b *db.Builder, link writeFunc) {
	b.Write(" FROM ")
	l.related.from(b)
	b.Write(" WHERE ")
	link(b)
	l.related.scope(b)
	if l.meets != nil {
		b.Write(" AND ")
		l.meets(b)
	}
}

// led is a query with a condition that may lead: the statement in which it does, and how to find out whether it should.
type led struct {
	statement *db.Builder
	count     *db.Builder // two counts up to one more than most: of the related records, and of the rows
	most      int
	whole     bool // every row of the table is looked at otherwise, and these are counted

	mu   sync.Mutex
	seed maphash.Seed
	of   map[uint64]ledBy // by values
}

// ledBy is what was found out for some values.
type ledBy struct {
	first bool
	until time.Time
}

// maxLed is for how many lists of values a query remembers whether its condition leads.
const maxLed = 1000

// led prints a planned query again for the condition to lead. It should when there are few rows for a list that ends early; for one that
// has to be sorted, and for an aggregate, when the related records are fewer than those of the table.
func (p *planner) led(d db.Dialect, q *Query, sel *selection) *led {
	if p.lead == nil {
		return nil
	}
	rows := q.Limit
	if rows <= 0 {
		rows = DefaultLimit
	}
	out := &led{statement: db.New(d).AtMost(maxStatement), seed: maphash.MakeSeed(), of: map[uint64]ledBy{}}
	p.lead.first = true
	sel.answer(out.statement)
	p.lead.first = false
	out.most = fewFor(rows + q.Offset)
	if out.whole = q.Form == Groups || q.Form == Aggregate && q.Limit == 0 || !inOrder(p.lead.rows.table, q); out.whole {
		out.most = mostRows
	}
	limit := strconv.Itoa(out.most + 1)
	out.count = db.New(d).Write("SELECT count(*) FROM (SELECT 1")
	p.lead.found(out.count, everyRow)
	out.count.Write(" LIMIT ", limit, ") AS r UNION ALL SELECT count(*) FROM (SELECT 1 FROM ")
	p.lead.rows.from(out.count)
	if !out.whole {
		out.count.Write(" WHERE ")
		p.lead.among(out.count, out.most+1)
	}
	out.count.Write(" LIMIT ", limit, ") AS r")
	return out
}

// inOrder reports whether an index gives the rows of the query in its order, so that the first of them are found first.
func inOrder(t *core.Table, q *Query) bool {
	if len(q.Order) == 0 {
		return true // by the primary key
	}
	first := q.Order[0]
	if first.Rank || len(first.Relation) > 0 || first.Children != "" {
		return false
	}
	if first.Column == "id" {
		return true
	}
	for _, x := range indexes(t) {
		for _, c := range x.columns {
			if c.Name == first.Column {
				return true
			}
			if !equals(q.Where, c.Name) {
				break
			}
		}
	}
	return false
}

// equals reports whether the condition asks for one value of the column.
func equals(c Cond, column string) bool {
	switch c := c.(type) {
	case And:
		return slices.ContainsFunc(c, func(part Cond) bool { return equals(part, column) })
	case Compare:
		return c.Column == column && c.Op == Eq
	}
	return false
}

// choose returns the statement that is the better one with the given values.
func (l *led) choose(ctx context.Context, c db.Conn, other *db.Builder, given []any) (*db.Builder, error) {
	if l == nil || l.statement.Err() != nil {
		return other, nil
	}
	count := complete(l.count, given)
	var h maphash.Hash // two lists of values in one place would take each other's way, which costs time and nothing else
	h.SetSeed(l.seed)
	for _, a := range count.Args() {
		_, _ = fmt.Fprintf(&h, "%v\x00", a)
	}
	key, now := h.Sum64(), time.Now()
	l.mu.Lock()
	by, ok := l.of[key]
	l.mu.Unlock()
	if !ok || now.After(by.until) {
		var counts []int64
		err := c.Query(ctx, count, func(scan func(...any) error) error {
			var n int64
			err := scan(&n)
			counts = append(counts, n)
			return err
		})
		if err != nil {
			return nil, err
		}
		related, rows, most := counts[0], counts[1], int64(l.most)
		by.until = now.Add(breadthKept)
		if by.first = related <= most && rows <= most; l.whole {
			by.first = related <= most && related <= rows
		}
		l.mu.Lock()
		if len(l.of) >= maxLed {
			clear(l.of)
		}
		l.of[key] = by
		l.mu.Unlock()
	}
	if by.first {
		return l.statement, nil
	}
	return other, nil
}
