package tables

import (
	"fmt"
	"slices"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Key is what records are grouped by: a column, of the record itself or of one that lookups lead to.
type Key struct {
	Relation []string
	Column   string
	Period   string // of a time: when the year, quarter, month, week, day or hour began that it is in; "" for the time itself
	Zone     string // of a timestamp with a period: whose calendar and clocks tell it; "" for UTC
}

// groups plans [Groups]: one row for each combination of keys, as the caller sees them.
func (p *planner) groups(n *node, q *Query, link writeFunc) (*selection, error) {
	const op = "tables.groups"
	if len(q.Keys) == 0 {
		return nil, core.E(op, core.Invalid, core.At{Table: n.table.Name}, "say what the records are grouped by")
	}
	if err := checkLimit(p.snap, q.Table, q.Limit); err != nil {
		return nil, core.E(op, err)
	}
	r, err := p.rows(n, &Query{Table: q.Table, Form: Aggregate, Where: q.Where}, link)
	if err != nil {
		return nil, err
	}
	a := &aggregates{p: p, rows: r}
	for _, k := range q.Keys {
		if err := a.key(k); err != nil {
			return nil, err
		}
	}
	terms, err := a.order(q.Order)
	if err != nil {
		return nil, err
	}
	having, err := (&node{p: p, table: n.table, may: n.may, group: a}).where(q.Having)
	if err != nil {
		return nil, err
	}
	s, err := a.group(q.Fields)
	if err != nil {
		return nil, err
	}
	s.shape.Many = true
	limit := q.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	s.from = func(b *db.Builder) {
		a.from(b, NoLimit)
		if having != nil {
			b.Write(" WHERE ")
			having(b)
		}
		sortBy(b, terms, false)
		b.Write(" LIMIT ", strconv.Itoa(limit))
		if q.Offset > 0 {
			b.Write(" OFFSET ").Arg(int64(q.Offset))
		}
	}
	return s, nil
}

// key plans a key.
func (a *aggregates) key(k Key) error {
	last, up, err := a.rows.follow(k.Relation)
	if err != nil {
		return err
	}
	r, err := last.resolve(k.Column)
	if err != nil {
		return err
	}
	at := core.At{Table: last.table.Name, Column: k.Column}
	if !sortable(r.column.Kind) {
		return core.E("tables.key", core.Invalid, at, fmt.Sprintf("records cannot be grouped by a %s", r.column.Kind))
	}
	value := r.write
	if k.Period != "" || k.Zone != "" {
		e, err := rules.CompilePeriod(r.column, k.Period, k.Zone)
		if err != nil {
			return core.E("tables.key", at, err)
		}
		value = func(b *db.Builder) { e.MaskSQL(b, r.column, r.write) }
	}
	value = up(value)
	c := *r.column
	c.Required = false
	a.keys = append(a.keys, ref{column: &c, write: func(b *db.Builder) {
		value(b)
		b.Write(b.Dialect().Collate(c.Kind))
	}})
	return nil
}

// keyOf is the i-th key outside.
func (a *aggregates) keyOf(i int) ref {
	return ref{column: a.keys[i].column, write: func(b *db.Builder) { b.Write("a.k", strconv.Itoa(i)) }}
}

// order plans the order of groups, which ends with their keys.
func (a *aggregates) order(order []Order) (out []*term, err error) {
	for i := range a.keys {
		if !slices.ContainsFunc(order, func(o Order) bool { return o.Key == i+1 }) {
			order = append(order[:len(order):len(order)], Order{Key: i + 1})
		}
	}
	for _, o := range order {
		r := ref{}
		if o.Key > 0 {
			r = a.keyOf(o.Key - 1)
		} else {
			if r, err = a.plan(Function{Name: o.Func, Columns: columnList(o.Column)}); err != nil {
				return nil, err
			}
			r.write = a.name(r)
		}
		t, err := r.term(a.rows.table)
		if err != nil {
			return nil, err
		}
		t.direct(o)
		out = append(out, t)
	}
	return out, nil
}

// aggregated plans [Aggregated].
func (n *node) aggregated(c Aggregated) (writeFunc, error) {
	var r ref
	var err error
	if n.group != nil && c.Relation == "" {
		if r, err = n.group.plan(c.Of); err == nil {
			r.write = n.group.name(r)
		}
	} else {
		r, err = n.among(c.Relation, c.Of)
	}
	if err != nil {
		return nil, err
	}
	at := core.At{Table: n.table.Name, Column: c.Relation}
	all := make([]writeFunc, len(c.Is))
	for i, is := range c.Is {
		if all[i], err = n.p.comparison(r, at, is); err != nil {
			return nil, err
		}
	}
	return joined(all, " AND ", "TRUE"), nil
}
