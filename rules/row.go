package rules

import (
	"slices"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
	"colonnade/core/db"
)

// Row is a record as SQL sees it. Whoever prints an expression decides through it what records are called, which of them are
// there for whom, and as of when.
type Row interface {
	// Column writes a column of the record, in the form in which it is stored: a physical name under an alias, or a
	// formula written in.
	Column(b *db.Builder, c *core.Column)

	// Open returns a record that the step leads to, under an alias of its own.
	Open(s Step) Row

	// From writes FROM and WHERE of a subquery over the records that Open has led to from the one around; AND and a further
	// condition may follow.
	From(b *db.Builder)
}

// via writes what is over the record to which the steps lead from r: NULL where there is none.
func (p *printer) via(r Row, steps []Step, write func(r Row)) {
	if len(steps) == 0 {
		write(r)
		return
	}
	to := r.Open(steps[0])
	p.b.Write("(SELECT ")
	p.via(to, steps[1:], write)
	to.From(p.b)
	p.b.Write(")")
}

// start returns the record at which a place begins.
func (p *printer) start(of *target) Row {
	if of.old {
		return p.old
	}
	return p.rows[of.scope]
}

// raw writes a column in the form in which it is stored.
func (p *printer) raw(v target) {
	if c := v.column; p.search() == ByOrder && v.scope == 0 && len(v.steps) == 0 && (c.Name == "owner_id" || c.Name == "unit_id") {
		p.b.Write(p.d.aside)
	}
	p.via(p.start(&v), v.steps, func(r Row) { r.Column(p.b, v.column) })
}

// aggregate writes the value of an aggregate.
func (p *printer) aggregate(n ast.Expr, g *aggregate) {
	last := len(g.of.steps) - 1
	value, by, filter := g.form.parts(n.AsCall().Args())
	outer := p.inner
	p.via(p.start(&g.of), g.of.steps[:last], func(r Row) {
		r = r.Open(g.of.steps[last])
		p.rows[g.scope] = r
		switch {
		case g.form.name == "exists" || g.form.name == "all":
			p.quantify(r, g.form.name, filter)
		case g.form.by:
			p.edge(r, value, by, filter, g.form.name == "last")
		default:
			p.total(r, p.d.template(p.e.overloads[n.ID()]), g, value, filter)
		}
	})
	p.inner = outer
}

// total writes a function of the values of the records. SQL takes an aggregate of nothing but columns from outside for one of
// the query outside, so that such values are first computed in a query of their own.
func (p *printer) total(r Row, text string, g *aggregate, value, filter ast.Expr) {
	p.b.Write("(SELECT ")
	p.inner = true
	if value == nil || p.e.direct(value, g.scope) {
		p.template(text, func(int) { p.operand(value) })
		p.among(r, filter)
		p.b.Write(")")
		return
	}
	p.template(text, func(int) { p.b.Write("f.v") })
	p.b.Write(" FROM (SELECT ")
	p.operand(value)
	p.b.Write(" AS v")
	p.among(r, filter)
	p.b.Write(") AS f)")
}

// direct reports whether the expression reads a stored column of a record of the scope by itself.
func (e *Expr) direct(x ast.Expr, scope int) bool {
	switch x.Kind() {
	case ast.IdentKind:
		t, ok := e.vars[x.AsIdent()]
		return ok && t.scope == scope && len(t.steps) == 0 && !t.column.Calculated()
	case ast.CallKind:
		return e.aggregates[x.ID()] == nil && slices.ContainsFunc(x.AsCall().Args(), func(x ast.Expr) bool { return e.direct(x, scope) })
	}
	return false
}

// among writes FROM and WHERE of the records for which the filter holds.
func (p *printer) among(r Row, filter ast.Expr) {
	r.From(p.b)
	if filter != nil {
		p.inner = false // a condition of the subquery
		p.b.Write(" AND ")
		p.operand(filter)
	}
}

// quantify writes whether a condition holds for some or for all of the records; one that is not known does not hold.
func (p *printer) quantify(r Row, name string, condition ast.Expr) {
	if name == "all" {
		p.b.Write("(NOT ")
		defer p.b.Write(")")
	}
	p.b.Write("EXISTS (SELECT 1")
	r.From(p.b)
	p.inner = name == "all"
	p.b.Write(" AND ")
	p.operand(condition)
	if name == "all" {
		p.b.Write(" IS NOT TRUE")
	}
	p.b.Write(")")
}

// edge writes the value of the first or the last of the records that have one, in an order.
func (p *printer) edge(r Row, value, by, filter ast.Expr, last bool) {
	p.b.Write("(SELECT ")
	p.inner = true
	p.operand(value)
	p.among(r, filter)
	p.inner = true
	for _, x := range []ast.Expr{value, by} {
		p.b.Write(" AND ")
		p.operand(x)
		p.b.Write(" IS NOT NULL")
	}
	direction := ""
	if last {
		direction = " DESC"
	}
	p.b.Write(" ORDER BY ")
	p.operand(by)
	p.b.Write(p.d.order[p.typ(by)], direction, ", ")
	r.Column(p.b, &core.Column{Name: "id", Kind: core.UUID})
	p.b.Write(direction, " LIMIT 1)")
}
