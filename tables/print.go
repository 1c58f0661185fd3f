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
	query *Query
	link  writeFunc
	where writeFunc
	order []writeFunc
	skip  any  // the argument of OFFSET
	few   bool // few rows are in reach: they are found first, and then sorted
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
	if r.where, err = n.where(q.Where); err != nil {
		return nil, err
	}
	if n.rank, err = n.ranking(q.Where); err != nil {
		return nil, err
	}
	for _, o := range q.Order {
		w, err := n.order(o)
		if err != nil {
			return nil, err
		}
		r.order = append(r.order, w)
	}
	if q.Offset < 0 || q.Limit < NoLimit {
		return nil, core.E("tables.rows", core.Invalid, core.At{Table: n.table.Name}, "limit and offset cannot be negative")
	}
	if q.Limit > p.snap.maxLimit {
		return nil, core.E("tables.rows", core.Limit, core.At{Table: n.table.Name}, fmt.Sprintf("limit is at most %d: read the rest with offset, or with a condition on the last value seen", p.snap.maxLimit))
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
		return q.Limit
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
}

// from writes everything from FROM on; limit may be NoLimit.
func (r *rows) from(b *db.Builder, limit int) {
	if fence := b.Dialect().Fence(); fence != "" && r.few && limit != NoLimit && r.query.Form == List {
		b.Write(" FROM (SELECT ", r.alias, ".*")
		r.filter(b)
		b.Write(fence, ") AS ", r.alias)
	} else {
		r.filter(b)
	}
	r.sort(b)
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

// sort writes ORDER BY, which ends with the primary key.
func (r *rows) sort(b *db.Builder) {
	if r.query.Form == One && len(r.order) == 0 { // one row by its key needs no order
		return
	}
	b.Write(" ORDER BY ")
	for i, w := range r.order {
		if i > 0 {
			b.Write(", ")
		}
		w(b)
	}
	if n := len(r.query.Order); n > 0 {
		if last := r.query.Order[n-1]; last.Column == "id" && len(last.Relation) == 0 {
			return
		}
		b.Write(", ")
	}
	b.Name(r.alias, "id")
}

// page is [rows.from] for a selection with nested ones: the rows are cut first, since a database computes nested values for
// the rows that OFFSET skips too.
func (r *rows) page(b *db.Builder, limit int) {
	if !r.skips() {
		r.from(b, limit)
		return
	}
	b.Write(" FROM (SELECT ", r.alias, ".*")
	r.from(b, limit)
	b.Write(") AS ", r.alias)
	r.sort(b)
}

// selection is a planned query: the shape of its answer and how to write it.
type selection struct {
	shape *db.Shape
	value []writeFunc
	from  writeFunc
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
	r, err := p.rows(n, q, link)
	if err != nil {
		return nil, err
	}
	if q.Form == Aggregate {
		return p.aggregate(r)
	}
	limit := r.limit()
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
	return s, nil
}

// field plans one key of a row.
func (p *planner) field(n *node, f *Field, s *selection) error {
	switch {
	case f.Text != "":
		s.add(db.ShapeField{Key: f.As, Text: f.Text}, nil)
	case f.Rank && n.rank == nil:
		s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) { b.Write("NULL") })
	case f.Rank:
		s.add(db.ShapeField{Key: f.As, Kind: core.Integer}, n.rank)
	case f.Union != nil:
		return p.fieldUnion(n, f, s)
	case f.Query != nil:
		to, rel, link, err := n.relation(f.Relation)
		if err != nil {
			return err
		}
		q := *f.Query
		if !rel.Many {
			q.Form = One
		}
		sub, err := p.selection(to, &q, link)
		if err != nil {
			return err
		}
		s.add(db.ShapeField{Key: f.As, JSON: true}, sub.nest)
	case f.Group != nil && f.Column != "":
		return p.fieldFile(n, f, s)
	case f.Group != nil:
		g := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
		for i := range f.Group {
			if err := p.field(n, &f.Group[i], g); err != nil {
				return err
			}
		}
		s.add(db.ShapeField{Key: f.As, JSON: true}, g.nest)
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
		s.add(db.ShapeField{Key: f.As, Kind: c.Kind}, r.write)
	}
	return nil
}

// aggregates gathers the functions of an aggregate: inner are the values per row, outer the functions over them.
type aggregates struct {
	p     *planner
	rows  *rows
	inner []writeFunc
	outer []writeFunc
}

func (p *planner) aggregate(r *rows) (*selection, error) {
	limit := r.limit()
	a := &aggregates{p: p, rows: r}
	s := &selection{shape: &db.Shape{}}
	for i := range r.query.Fields {
		f := &r.query.Fields[i]
		switch {
		case f.Text != "":
			s.add(db.ShapeField{Key: f.As, Text: f.Text}, nil)
		case f.Query != nil: // nodes
			q := *r.query
			q.Form, q.Fields = List, f.Query.Fields
			if q.Limit == NoLimit {
				q.Limit = 0
			}
			sub, err := p.selection(r.node, &q, r.link)
			if err != nil {
				return nil, err
			}
			s.add(db.ShapeField{Key: f.As, JSON: true}, sub.nest)
		case f.Group != nil:
			g, err := a.group(f.Group)
			if err != nil {
				return nil, err
			}
			s.add(db.ShapeField{Key: f.As, JSON: true}, g.nest)
		default:
			if err := a.function(f, s); err != nil {
				return nil, err
			}
		}
	}
	s.from = func(b *db.Builder) { a.from(b, limit) }
	return s, nil
}

// from writes the functions as the columns a0, a1, ... of a derived table a.
func (a *aggregates) from(b *db.Builder, limit int) {
	if len(a.outer) == 0 {
		return
	}
	b.Write(" FROM (SELECT ")
	for i, w := range a.outer {
		if i > 0 {
			b.Write(", ")
		}
		w(b)
		b.Write(" AS a", strconv.Itoa(i))
	}
	b.Write(" FROM (SELECT 1 AS one")
	for i, w := range a.inner {
		b.Write(", ")
		w(b)
		b.Write(" AS v", strconv.Itoa(i))
	}
	if limit == NoLimit && !a.rows.skips() { // over all rows, in any order
		a.rows.filter(b)
	} else {
		a.rows.from(b, limit)
	}
	b.Write(") AS r) AS a")
}

func (a *aggregates) group(fields []Field) (*selection, error) {
	s := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Text != "":
			s.add(db.ShapeField{Key: f.As, Text: f.Text}, nil)
		case f.Group != nil:
			g, err := a.group(f.Group)
			if err != nil {
				return nil, err
			}
			s.add(db.ShapeField{Key: f.As, JSON: true}, g.nest)
		default:
			if err := a.function(f, s); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// function plans count, sum, avg, min or max.
func (a *aggregates) function(f *Field, s *selection) error {
	const op = "tables.function"
	outer := "a.a" + strconv.Itoa(len(a.outer))
	use := func(k core.Kind) {
		s.add(db.ShapeField{Key: f.As, Kind: k}, func(b *db.Builder) { b.Write(outer) })
	}
	if f.Func == "count" {
		if f.Distinct && len(f.Columns) != 1 {
			return core.E(op, core.Invalid, core.At{Table: a.rows.table.Name}, "count with distinct takes one column")
		}
		var args []string
		for _, name := range f.Columns {
			r, err := a.rows.resolve(name)
			if err != nil {
				return err
			}
			args = append(args, a.value(r.write))
		}
		a.outer = append(a.outer, func(b *db.Builder) { writeCount(b, args, f.Distinct) })
		use(core.Integer)
		return nil
	}
	r, err := a.rows.resolve(f.Column)
	if err != nil {
		return err
	}
	info := r.column.Kind.Info()
	if numeric := f.Func == "sum" || f.Func == "avg"; numeric && !info.Number || !numeric && !info.Ordered {
		return core.E(op, core.Invalid, core.At{Table: a.rows.table.Name, Column: f.Column}, fmt.Sprintf("a %s has no %s", r.column.Kind, f.Func))
	}
	a.outer = append(a.outer, a.aggregate(f.Func, r))
	kind := r.column.Kind
	if f.Func == "avg" && kind != core.Duration {
		kind = core.Float
	}
	use(kind)
	return nil
}

// aggregate adds the column to the rows, and returns what writes the function of it. Of options, the first and the last are those of
// their order.
func (a *aggregates) aggregate(function string, r ref) writeFunc {
	if !r.column.HasOrder() {
		v := a.value(r.operand)
		return func(b *db.Builder) { b.Dialect().Aggregate(b, function, r.column.Kind, func() { b.Write(v) }) }
	}
	v := a.value(r.position)
	return func(b *db.Builder) {
		b.Dialect().Placed(b, func() {
			b.Dialect().Aggregate(b, function, core.Integer, func() { b.Write(v) })
		}, r.column.Values())
	}
}

// value adds a value per row and returns its name.
func (a *aggregates) value(w writeFunc) string {
	a.inner = append(a.inner, w)
	return "r.v" + strconv.Itoa(len(a.inner)-1)
}

func writeCount(b *db.Builder, args []string, distinct bool) {
	switch {
	case len(args) == 0:
		b.Write("count(*)")
	case distinct:
		b.Write("count(DISTINCT ", args[0], ")")
	case len(args) == 1:
		b.Write("count(", args[0], ")")
	default:
		b.Write("count(coalesce(")
		for i, a := range args {
			if i > 0 {
				b.Write(", ")
			}
			b.Write("CASE WHEN ", a, " IS NOT NULL THEN 1 END")
		}
		b.Write("))")
	}
}
