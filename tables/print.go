package tables

import (
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// selection is a planned query: the shape of its answer and how to write it.
type selection struct {
	shape *db.Shape
	value []writeFunc
	from  writeFunc

	beyond bool // a value is more than what a row holds
}

func (s *selection) answer(b *db.Builder) {
	b.Dialect().Answer(b, s.shape, func(i int) { s.value[i](b) }, func() { s.from(b) })
}

func (s *selection) nest(b *db.Builder) {
	b.Dialect().Nest(b, s.shape, func(i int) { s.value[i](b) }, func() { s.from(b) })
}

func (s *selection) add(f db.ShapeField, w writeFunc) {
	s.shape.Fields = append(s.shape.Fields, f)
	s.value = append(s.value, w)
}

// selection plans q over the node; link ties it to the row around it.
func (p *planner) selection(n *node, q *Query, link writeFunc) (*selection, error) {
	switch q.Form {
	case Groups:
		return p.groups(n, q, link)
	case Connection:
		return p.connection(n, q, link)
	}
	r, err := p.rows(n, q, link)
	if err != nil {
		return nil, err
	}
	if q.Form == Aggregate {
		return p.aggregate(r)
	}
	limit := r.limit()
	if n.list = nil; q.Form == List {
		n.list = r
	}
	s := &selection{
		shape: &db.Shape{Many: q.Form == List, Fields: make([]db.ShapeField, 0, len(q.Fields))},
		value: make([]writeFunc, 0, len(q.Fields)),
		from:  func(b *db.Builder) { r.from(b, limit) },
	}
	if slices.ContainsFunc(q.Fields, func(f Field) bool { return f.Query != nil }) {
		s.from = func(b *db.Builder) { r.page(b, limit) }
	}
	for i := range q.Fields {
		if err := p.field(n, &q.Fields[i], s); err != nil {
			return nil, err
		}
	}
	n.identify(s)
	s.shape.Brief = link == nil && n.may.Rows == nil && !s.beyond && byID(q)
	return s, nil
}

// byID reports whether the query is for one record by its id, and nothing else.
func byID(q *Query) bool {
	c, ok := q.Where.(Compare)
	return ok && q.Form == One && c.Column == "id" && c.Op == Eq
}

// field plans one key of a row.
func (p *planner) field(n *node, f *Field, s *selection) error {
	if f.Text != "" {
		s.add(db.ShapeField{Key: f.As, Text: f.Text}, nil)
		return nil
	}
	s.beyond = s.beyond || f.Column == "" || f.Group != nil
	switch {
	case f.Rank && n.rank == nil:
		s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) { b.Write("NULL") })
	case f.Rank:
		s.add(db.ShapeField{Key: f.As, Kind: core.Integer}, n.rank)
	case f.Cursor:
		p.fieldCursor(n, f, s)
	case f.Global:
		s.add(db.ShapeField{Key: f.As, Kind: core.Text, Set: true}, n.globalID)
	case f.Union != nil:
		return p.fieldUnion(n, f, s)
	case f.Query != nil:
		to, rel, link, err := n.relation(f.Relation)
		if err != nil {
			return err
		}
		q := *f.Query
		if q.Form == Connection {
			return p.fieldConnection(to, f, link, s)
		}
		if !rel.Many {
			q.Form = One
		}
		sub, err := p.selection(to, &q, link)
		if err != nil {
			return err
		}
		s.add(db.ShapeField{Key: f.As, JSON: true, Set: rel.Many}, sub.nest)
	case f.Group != nil && f.Column != "":
		return p.fieldFile(n, f, s)
	case f.Group != nil:
		g := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
		for i := range f.Group {
			if err := p.field(n, &f.Group[i], g); err != nil {
				return err
			}
		}
		s.add(db.ShapeField{Key: f.As, JSON: true, Set: true}, g.nest)
	default:
		c, ok := n.table.Column(f.Column)
		if !ok {
			return n.unknown(f.Column)
		}
		r, shown, err := n.display(c)
		if err != nil {
			return err
		}
		if !shown {
			s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) { b.Write("NULL") })
			return nil
		}
		s.beyond = s.beyond || !r.plain
		s.add(db.ShapeField{Key: f.As, Kind: c.Kind, Set: r.plain && !n.table.Builtin && filled(c)}, r.write)
	}
	return nil
}
