package tables

import (
	"fmt"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
)

// aggregates gathers the functions of an aggregate: inner are the values per row, outer the functions over them.
type aggregates struct {
	p     *planner
	rows  *rows
	keys  []ref // of groups
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
			s.add(db.ShapeField{Key: f.As, JSON: true, Set: true}, sub.nest)
		case f.Group != nil:
			g, err := a.group(f.Group)
			if err != nil {
				return nil, err
			}
			s.add(db.ShapeField{Key: f.As, JSON: true, Set: true}, g.nest)
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
	if len(a.outer)+len(a.keys) == 0 {
		return
	}
	comma := ""
	b.Write(" FROM (SELECT ")
	for i := range a.keys {
		b.Write(comma, "r.k", strconv.Itoa(i), " AS k", strconv.Itoa(i))
		comma = ", "
	}
	for i, w := range a.outer {
		b.Write(comma)
		comma = ", "
		w(b)
		b.Write(" AS a", strconv.Itoa(i))
	}
	a.source(b, limit)
	for i := range a.keys {
		b.Write([]string{" GROUP BY ", ", "}[min(i, 1)], "r.k", strconv.Itoa(i))
	}
	b.Write(") AS a")
}

// source writes the rows with the values of each as a derived table r.
func (a *aggregates) source(b *db.Builder, limit int) {
	b.Write(" FROM (SELECT 1 AS one")
	for i, k := range a.keys {
		b.Write(", ")
		k.write(b)
		b.Write(" AS k", strconv.Itoa(i))
	}
	for i, w := range a.inner {
		b.Write(", ")
		w(b)
		b.Write(" AS v", strconv.Itoa(i))
	}
	if a.rows.unbounded(limit) { // over all rows, in any order
		a.rows.matching(b)
	} else {
		a.rows.from(b, limit)
	}
	b.Write(") AS r")
}

func (a *aggregates) group(fields []Field) (*selection, error) {
	s := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Text != "":
			s.add(db.ShapeField{Key: f.As, Text: f.Text}, nil)
		case f.Key > 0:
			k := a.keyOf(f.Key - 1)
			s.add(db.ShapeField{Key: f.As, Kind: k.column.Kind}, k.write)
		case f.Group != nil:
			g, err := a.group(f.Group)
			if err != nil {
				return nil, err
			}
			s.add(db.ShapeField{Key: f.As, JSON: true, Set: true}, g.nest)
		default:
			if err := a.function(f, s); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// function plans one key of an aggregate.
func (a *aggregates) function(f *Field, s *selection) error {
	of := Function{Name: f.Func, Columns: f.Columns, Distinct: f.Distinct}
	if f.Column != "" {
		of.Columns = []string{f.Column}
	}
	if f.AtMost > 0 && len(a.keys) == 0 {
		return a.countUpTo(f, of, s)
	}
	r, err := a.plan(of)
	if err != nil {
		return err
	}
	v := a.name(r)
	if f.AtMost > 0 { // of a group, all of which is looked at anyway
		most, all := strconv.Itoa(f.AtMost), v
		v = func(b *db.Builder) {
			b.Write("CASE WHEN ")
			all(b)
			b.Write(" > ", most, " THEN ", most, " ELSE ")
			all(b)
			b.Write(" END")
		}
	}
	s.add(db.ShapeField{Key: f.As, Kind: r.column.Kind}, v)
	return nil
}

// name gives a value over the rows a name outside.
func (a *aggregates) name(r ref) writeFunc {
	a.outer = append(a.outer, r.write)
	name := "a.a" + strconv.Itoa(len(a.outer)-1)
	return func(b *db.Builder) { b.Write(name) }
}

// plan plans a function over the rows r. The column that it returns is what the value is like.
func (a *aggregates) plan(f Function) (ref, error) {
	const op = "tables.function"
	where, err := a.rows.node.where(f.Where)
	if err != nil {
		return ref{}, err
	}
	columns := make([]ref, len(f.Columns))
	for i, name := range f.Columns {
		if columns[i], err = a.rows.resolve(name); err != nil {
			return ref{}, err
		}
	}
	if f.Name == "count" {
		return ref{column: &core.Column{Name: "count", Kind: core.Integer, Required: true}, write: a.count(columns, f.Distinct, where)}, nil
	}
	if len(columns) != 1 {
		return ref{}, core.E(op, core.Invalid, core.At{Table: a.rows.table.Name}, f.Name+" takes one column")
	}
	r := columns[0]
	kind, ok := resultOf(f.Name, r.column.Kind)
	if !ok {
		return ref{}, core.E(op, core.Invalid, core.At{Table: a.rows.table.Name, Column: r.column.Name}, fmt.Sprintf("a %s has no %s", r.column.Kind, f.Name))
	}
	out := *r.column
	out.Kind, out.Required = kind, false
	return ref{column: &out, write: a.aggregate(f.Name, r, where)}, nil
}

// resultOf returns the kind of a function over values of a kind.
func resultOf(function string, k core.Kind) (core.Kind, bool) {
	info := k.Info()
	switch function {
	case "sum":
		return k, info.Number
	case "avg":
		if k == core.Duration {
			return k, true
		}
		return core.Float, info.Number
	case "min", "max":
		return k, info.Ordered
	case "stddev_pop", "stddev_samp", "var_pop", "var_samp":
		return core.Float, info.Number && k != core.Duration
	case "bool_and", "bool_or":
		return k, k == core.Boolean
	}
	return k, false
}

// aggregate adds the column to the rows, and returns what writes the function of it. Of options, the first and the last are those of
// their order.
func (a *aggregates) aggregate(function string, r ref, where writeFunc) writeFunc {
	if !r.column.HasOrder() {
		v := a.value(when(where, r.operand))
		return func(b *db.Builder) { b.Dialect().Aggregate(b, function, r.column.Kind, func() { b.Write(v) }) }
	}
	v := a.value(when(where, r.position))
	return func(b *db.Builder) {
		b.Dialect().Placed(b, func() {
			b.Dialect().Aggregate(b, function, core.Integer, func() { b.Write(v) })
		}, r.column.Values())
	}
}

// when writes the value where the condition holds, and NULL elsewhere; without one, the value.
func when(condition, value writeFunc) writeFunc {
	if condition == nil {
		return value
	}
	return func(b *db.Builder) {
		b.Write("CASE WHEN ")
		condition(b)
		b.Write(" THEN ")
		value(b)
		b.Write(" END")
	}
}

// value adds a value per row and returns its name.
func (a *aggregates) value(w writeFunc) string {
	a.inner = append(a.inner, w)
	return "r.v" + strconv.Itoa(len(a.inner)-1)
}

// count returns what writes how many rows there are that meet the condition, and where one of the columns, if there are any, is not
// null; or how many different ones.
func (a *aggregates) count(columns []ref, distinct bool, where writeFunc) writeFunc {
	one := func(b *db.Builder) { b.Write("1") }
	switch {
	case len(columns) == 0 && where == nil:
		return func(b *db.Builder) { b.Write("count(*)") }
	case len(columns) == 1:
		one = columns[0].operand
	case len(columns) > 1:
		if distinct { // the number of a row among those that differ
			one = func(b *db.Builder) {
				b.Write("dense_rank() OVER (ORDER BY ")
				operands(b, columns)
				b.Write(")")
			}
		}
		one = when(anyValue(columns), one)
	}
	v := a.value(when(where, one))
	if distinct && len(columns) > 0 {
		return func(b *db.Builder) { b.Write("count(DISTINCT ", v, ")") }
	}
	return func(b *db.Builder) { b.Write("count(", v, ")") }
}

// anyValue is the condition that one of the columns is not null.
func anyValue(columns []ref) writeFunc {
	return func(b *db.Builder) {
		for i, c := range columns {
			b.Write([]string{"(", " OR "}[min(i, 1)])
			c.write(b)
			b.Write(" IS NOT NULL")
		}
		b.Write(")")
	}
}

func operands(b *db.Builder, columns []ref) {
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		c.operand(b)
	}
}

// countUpTo plans a count that stops at a number. It is a statement within the statement, since other functions look at all rows.
func (a *aggregates) countUpTo(f *Field, of Function, s *selection) error {
	columns := make([]ref, len(of.Columns))
	for i, name := range of.Columns {
		var err error
		if columns[i], err = a.rows.resolve(name); err != nil {
			return err
		}
	}
	limit := a.rows.limit()
	s.add(db.ShapeField{Key: f.As, Kind: core.Integer}, func(b *db.Builder) {
		b.Write("(SELECT count(*) FROM (SELECT ")
		if of.Distinct && len(columns) > 0 {
			b.Write("DISTINCT ")
			operands(b, columns)
		} else {
			b.Write("1")
		}
		if a.rows.unbounded(limit) {
			a.rows.matching(b)
		} else {
			b.Write(" FROM (SELECT ", a.rows.alias, ".*")
			a.rows.from(b, limit)
			b.Write(") AS ", a.rows.alias, " WHERE TRUE")
		}
		if len(columns) > 0 {
			b.Write(" AND ")
			anyValue(columns)(b)
		}
		b.Write(" LIMIT ", strconv.Itoa(f.AtMost), ") AS k)")
	})
	return nil
}

// among plans a value made of the records that a relation leads to, as the caller sees them.
func (n *node) among(relation string, f Function) (ref, error) {
	to, rel, link, err := n.relation(relation)
	if err != nil {
		return ref{}, err
	}
	if !rel.Many {
		return ref{}, core.E("tables.among", core.Invalid, core.At{Table: n.table.Name, Column: relation}, "the relation leads to one record, of which there is no aggregate")
	}
	r, err := n.p.rows(to, &Query{Table: rel.Table, Form: Aggregate, Where: f.Where}, link)
	if err != nil {
		return ref{}, err
	}
	f.Where = nil
	a := &aggregates{p: n.p, rows: r}
	out, err := a.plan(f)
	if err != nil {
		return ref{}, err
	}
	value := out.write
	out.write = func(b *db.Builder) {
		b.Write("(SELECT ")
		value(b)
		a.source(b, NoLimit)
		b.Write(")")
	}
	return out, nil
}
