package tables

import (
	"fmt"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
)

// PagePart is what a field of a [Connection] is.
type PagePart int

// The parts: those of the connection, then those within [PageEdges] and [PageInfo]. Fields of [PageNode] are those of a record.
const (
	_         PagePart = iota
	PageEdges          // the records of the page, each in an edge
	PageInfo           // where the page is
	PageTotal          // how many records there are, whatever the page

	PageCursor // of an edge: the cursor of its record
	PageNode   // of an edge: the record

	PageNext     // whether there are records behind the page
	PagePrevious // whether there are records in front of the page
	PageStart    // the cursor of the first record; null when there is none
	PageEnd      // the cursor of the last record; null when there is none
)

// connection is a planned [Connection]: what is put together of the rows that the statement gives. A page is read with one row more than it
// has where that tells whether there are others. Keys of the statement's object are "r", the rows, each with its place first; "t", the total;
// "b" and "f", whether there are records at or behind the one cursor, and at or in front of the other. Where there is nothing but rows, they
// stand by themselves.
type connection struct {
	fields []Field
	keep   int  // how many rows are shown at most
	last   bool // the others are in front
	alone  bool // the rows stand by themselves
	nodes  int  // how many records are asked for in an edge, when it is not one
}

// has reports whether a part is asked for.
func (c *connection) has(p PagePart) bool { return hasPart(c.fields, p) }

func hasPart(fields []Field, p PagePart) bool {
	for i := range fields {
		if f := &fields[i]; f.Page == p || f.Page != PageNode && hasPart(f.Group, p) {
			return true
		}
	}
	return false
}

// Records returns what is asked of each record of the query: of a [Connection] all that its nodes have, of the others its fields.
func (q *Query) Records() []Field {
	if q.Form != Connection {
		return q.Fields
	}
	var out []Field
	for _, n := range nodesOf(q.Fields) {
		out = append(out, n.Group...)
	}
	return out
}

// nodesOf returns the fields that are records.
func nodesOf(fields []Field) (out []*Field) {
	for i := range fields {
		switch f := &fields[i]; f.Page {
		case PageNode:
			out = append(out, f)
		case PageEdges:
			out = append(out, nodesOf(f.Group)...)
		}
	}
	return out
}

// connection plans a [Connection].
func (p *planner) connection(n *node, q *Query, link writeFunc) (*selection, error) {
	if q.Limit < 0 || q.Limit > p.snap.maxLimit {
		return nil, core.E("tables.connection", core.Limit, core.At{Table: q.Table}, fmt.Sprintf("a page has up to %d records: read the next one with the cursor of its end", p.snap.maxLimit))
	}
	c := &connection{fields: q.Fields, keep: q.Limit, last: q.Last}
	if c.keep == 0 && !q.None {
		c.keep = DefaultLimit
	}
	p.pages.list = append(p.pages.list, c)
	parts := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	if c.has(PageEdges) || c.has(PageInfo) {
		rows, err := p.edges(n, q, link, c)
		if err != nil {
			return nil, err
		}
		if c.alone = !c.has(PageTotal) && (q.Before == "" || !c.has(PageNext)) && (q.After == "" || !c.has(PagePrevious)); c.alone {
			return rows, nil
		}
		parts.add(db.ShapeField{Key: "r", JSON: true, Set: true}, rows.nest)
	}
	if c.has(PageTotal) {
		all, err := p.rows(n, &Query{Table: q.Table, Form: Aggregate, Where: q.Where, Distinct: q.Distinct, Order: q.Order}, link)
		if err != nil {
			return nil, err
		}
		parts.add(db.ShapeField{Key: "t", Kind: core.Integer, Set: true}, func(b *db.Builder) {
			b.Write("(SELECT count(*)")
			all.matching(b)
			b.Write(")")
		})
	}
	if q.Before != "" && c.has(PageNext) {
		if err := p.beside(n, q, link, parts, "b", q.Before, false); err != nil {
			return nil, err
		}
	}
	if q.After != "" && c.has(PagePrevious) {
		if err := p.beside(n, q, link, parts, "f", q.After, true); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// edges plans the rows of a page, each with its place.
func (p *planner) edges(n *node, q *Query, link writeFunc, c *connection) (*selection, error) {
	page := *q
	page.Form, page.Limit, page.Fields = List, max(c.keep, 1), []Field{{As: placeKey, Cursor: true}}
	if c.keep > 0 && (!c.last && c.has(PageNext) || c.last && c.has(PagePrevious)) {
		page.ahead = 1
	}
	nodes := nodesOf(q.Fields)
	if c.nodes = len(nodes); c.nodes == 1 {
		page.Fields = append(page.Fields, nodes[0].Group...)
	} else {
		for i, f := range nodes {
			page.Fields = append(page.Fields, Field{As: nodeKey(i), Group: f.Group})
		}
	}
	return p.selection(n, &page, link)
}

// placeKey is the key of the place in a row of a connection, the first of its keys.
const placeKey = "at"

// nodeKey is the key of a record in a row of a connection of which an edge has several.
func nodeKey(i int) string { return "n" + strconv.Itoa(i) }

// beside plans whether there are records at the cursor or beyond it.
func (p *planner) beside(n *node, q *Query, link writeFunc, s *selection, key, cursor string, reverse bool) error {
	r, err := p.rows(n, &Query{Table: q.Table, Form: Aggregate, Where: q.Where, Distinct: q.Distinct, Order: q.Order}, link)
	if err != nil {
		return err
	}
	place, err := r.place(cursor)
	if err != nil {
		return err
	}
	r.within = append(r.within, from(r.terms, place, reverse))
	s.add(db.ShapeField{Key: key, Kind: core.Boolean}, func(b *db.Builder) {
		b.Write("EXISTS (SELECT 1")
		r.matching(b)
		b.Write(")")
	})
	return nil
}

// from is [beyond] with the place itself.
func from(terms []*term, place []any, reverse bool) writeFunc {
	past := beyond(terms, place, reverse)
	return func(b *db.Builder) {
		b.Write("(")
		past(b)
		b.Write(" OR ")
		for i, t := range terms {
			if i > 0 {
				b.Write(" AND ")
			}
			t.equals(b, place[i])
		}
		b.Write(")")
	}
}

// fieldConnection plans a connection within a record.
func (p *planner) fieldConnection(to *node, f *Field, link writeFunc, s *selection) error {
	key := pageMark + connectionMark + strconv.Itoa(len(p.pages.list)) + "." + f.As
	sub, err := p.selection(to, f.Query, link)
	if err != nil {
		return err
	}
	s.add(db.ShapeField{Key: key, JSON: true, Set: true}, sub.nest)
	return nil
}
