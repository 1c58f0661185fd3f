package tables

import (
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/search"
)

// searched is a column that a search looks at, as the caller may see it.
type searched struct {
	ref
	tag    string
	weight int
	guard  writeFunc // the condition under which he may; nil for always
}

// searched returns what the caller may search. A column that he may not read is not looked at, so that it neither matches
// nor counts.
func (n *node) searched() ([]searched, error) {
	if n.past != nil {
		return nil, core.E("tables.search", core.Invalid, core.At{Table: n.table.Name}, "full-text search finds records as they are, not as they were: use _ilike")
	}
	var out []searched
	for _, s := range n.table.Search {
		visible, guard := n.may.Column(s.Column)
		if !visible {
			continue
		}
		r, err := n.resolve(s.Column)
		if err != nil {
			return nil, err
		}
		c := searched{ref: r, tag: search.Tag(n.table.SQL(), r.column.SQL()), weight: max(1, s.Weight)}
		if guard != nil {
			c.guard = func(b *db.Builder) { n.holds(b, guard) }
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, core.E("tables.search", core.Invalid, core.At{Table: n.table.Name}, "the table has no full-text search")
	}
	return out, nil
}

func (n *node) parseSearch(c Search) (search.Query, []searched, error) {
	columns, err := n.searched()
	if err != nil {
		return nil, nil, err
	}
	q, err := search.Parse(c.Text)
	if err != nil {
		return nil, nil, core.E("tables.search", core.At{Table: n.table.Name}, err)
	}
	return q, columns, nil
}

// search plans the condition that every clause of the query is met by a column, not all by the same.
func (n *node) search(c Search) (writeFunc, error) {
	q, columns, err := n.parseSearch(c)
	if err != nil {
		return nil, err
	}
	var together [][]search.Term // clauses that one look into the index answers
	var parts []writeFunc
	for _, clause := range q {
		free, guarded := split(clause, columns)
		if len(guarded) == 0 && !clause.Not {
			together = append(together, free)
			continue
		}
		parts = append(parts, n.clause(clause, free, guarded))
	}
	if len(together) > 0 {
		parts = append(parts, func(b *db.Builder) { n.match(b, together) })
	}
	return func(b *db.Builder) {
		b.Write("(")
		for i, w := range parts {
			if i > 0 {
				b.Write(" AND ")
			}
			w(b)
		}
		b.Write(")")
	}, nil
}

// split returns what a clause asks of the columns that are visible in every row, and of each of the others.
func split(c search.Clause, columns []searched) (free []search.Term, guarded []searched) {
	for _, col := range columns {
		if col.guard == nil {
			free = append(free, c.Term(col.tag))
		} else {
			guarded = append(guarded, col)
		}
	}
	return free, guarded
}

// clause writes that one of the columns meets the clause, where it is visible. A guard that is unknown holds nowhere.
func (n *node) clause(c search.Clause, free []search.Term, guarded []searched) writeFunc {
	return func(b *db.Builder) {
		if c.Not {
			b.Write("NOT ")
		}
		b.Write("(")
		if len(free) > 0 {
			n.match(b, [][]search.Term{free})
		} else {
			b.Write("FALSE")
		}
		for _, g := range guarded {
			b.Write(" OR CASE WHEN ")
			g.guard(b)
			b.Write(" THEN ")
			n.match(b, [][]search.Term{{c.Term(g.tag)}})
			b.Write(" ELSE FALSE END")
		}
		b.Write(")")
	}
}

func (n *node) match(b *db.Builder, groups [][]search.Term) {
	b.Dialect().SearchMatch(b, n.table.SQL(), func() { b.Name(n.alias, "id") }, groups)
}

// ranking plans how well a row answers the search in a condition; nil when the condition does not hold one for every row.
func (n *node) ranking(c Cond) (writeFunc, error) {
	s, ok := searchIn(c)
	if !ok {
		return nil, nil
	}
	q, columns, err := n.parseSearch(s)
	if err != nil {
		return nil, err
	}
	n.sought = s
	return func(b *db.Builder) {
		list := make([]db.SearchColumn, len(columns))
		for i, c := range columns {
			list[i] = db.SearchColumn{Tag: c.tag, Weight: c.weight, Share: search.Share(len(n.table.Search)), Value: func() { c.write(b) }}
			if c.guard != nil {
				list[i].Guard = func() { c.guard(b) }
			}
		}
		b.Dialect().SearchScore(b, n.table.SQL(), func() { b.Name(n.alias, "id") }, s.Text, q, list)
	}, nil
}

// searchIn returns the first search that a row must meet for the condition to hold.
func searchIn(c Cond) (Search, bool) {
	switch c := c.(type) {
	case Search:
		return c, true
	case And:
		for _, inner := range c {
			if s, ok := searchIn(inner); ok {
				return s, true
			}
		}
	}
	return Search{}, false
}

func (n *node) orderByRank(o Order) (*term, error) {
	if n.rank == nil || len(o.Relation) > 0 {
		return nil, core.E("tables.order", core.Invalid, core.At{Table: n.table.Name}, "_rank sorts what _search has found: give the list a where with _search")
	}
	t := &term{name: "rank of " + n.sought.Text, value: n.rank, column: &core.Column{Kind: core.Integer}, never: true}
	t.direct(o)
	return t, nil
}
