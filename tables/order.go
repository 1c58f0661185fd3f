package tables

import (
	"fmt"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// term is one term of a sort order, planned.
type term struct {
	name   string // says what is sorted by, and how, to nobody but us
	value  writeFunc
	column *core.Column // whose kind the value has
	plain  bool         // a stored column as it is: see [ref]
	never  bool         // NULL never

	desc, nullsFirst bool
}

// write writes the term, or the opposite of it.
func (t *term) write(b *db.Builder, reverse bool) {
	desc, nullsFirst := t.desc != reverse, t.nullsFirst != reverse
	if t.never {
		nullsFirst = b.Dialect().NullsFirst(desc)
	}
	b.Dialect().Order(b, func() { t.value(b) }, t.column.Kind, desc, nullsFirst)
}

// operand writes the value as one side of a comparison.
func (t *term) operand(b *db.Builder) {
	t.value(b)
	if !t.plain {
		b.Write(b.Dialect().Collate(t.column.Kind))
	}
}

// byID is the last term of every sort order.
func (n *node) byID() *term {
	return &term{
		name: "id", value: func(b *db.Builder) { b.Name(n.alias, "id") }, column: &core.Column{Name: "id", Kind: core.UUID}, plain: n.past == nil, never: true,
	}
}

// terms plans a sort order, with the primary key as its last term.
func (n *node) terms(order []Order) ([]*term, error) {
	out := make([]*term, 0, len(order)+1)
	for _, o := range order {
		t, err := n.order(o)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if k := len(order); k > 0 && order[k-1].Column == "id" && order[k-1].plain() {
		return out, nil
	}
	return append(out, n.byID()), nil
}

// plain reports whether the term is a column of the record itself.
func (o *Order) plain() bool { return len(o.Relation) == 0 && o.Children == "" && !o.Rank }

// order plans one term of a sort order.
func (n *node) order(o Order) (*term, error) {
	if o.Rank {
		return n.orderByRank(o)
	}
	last, up, err := n.follow(o.Relation)
	if err != nil {
		return nil, err
	}
	r := ref{}
	if o.Children != "" {
		r, err = last.among(o.Children, Function{Name: o.Func, Columns: columnList(o.Column)})
	} else {
		r, err = last.resolve(o.Column)
	}
	if err != nil {
		return nil, err
	}
	t, err := r.term(last.table)
	if err != nil {
		return nil, err
	}
	t.never = t.never && len(o.Relation) == 0
	t.plain = t.plain && len(o.Relation) == 0
	t.value = up(t.value)
	t.name = fmt.Sprintf("%s.%s.%s.%s.%s", strings.Join(o.Relation, "."), o.Children, o.Func, o.Column, t.name)
	t.direct(o)
	return t, nil
}

// direct gives a term the direction that is asked for.
func (t *term) direct(o Order) {
	t.desc, t.nullsFirst = o.Desc, o.Desc
	if o.NullsSet {
		t.nullsFirst = o.NullsFirst
	}
	t.name += fmt.Sprintf(" %v %v", t.desc, t.nullsFirst)
}

// term returns the column as what is sorted by, in ascending order.
func (r ref) term(of *core.Table) (*term, error) {
	if !sortable(r.column.Kind) {
		return nil, core.E("tables.order", core.Invalid, core.At{Table: of.Name, Column: r.column.Name}, fmt.Sprintf("a %s has no order", r.column.Kind))
	}
	t := &term{value: r.write, column: loosely(r.column), plain: r.plain, never: r.column.Required && r.plain}
	if r.column.HasOrder() {
		t.value, t.column, t.plain = r.position, &core.Column{Name: r.column.Name, Kind: core.Integer}, false
		t.name = strings.Join(r.column.Values(), "\x00")
	} else if !r.plain {
		t.value = r.operand
	}
	return t, nil
}

// sortable reports whether records can be sorted by columns of the kind.
func sortable(k core.Kind) bool { return k.Info().Ordered || k == core.Boolean }

// columnList returns the list of the column, if there is one.
func columnList(column string) []string {
	if column == "" {
		return nil
	}
	return []string{column}
}

// follow returns the record that lookups lead to, one after the other, and what makes a value of it one of n: NULL where the caller
// may not see a record on the way.
func (n *node) follow(path []string) (last *node, up func(writeFunc) writeFunc, err error) {
	type step struct {
		to   *node
		link writeFunc
	}
	var steps []step
	last = n
	for _, name := range path {
		to, rel, link, err := last.relation(name)
		if err != nil {
			return nil, nil, err
		}
		if rel.Many {
			return nil, nil, core.E("tables.follow", core.Invalid, core.At{Table: last.table.Name, Column: name}, "a list has no order among others: sort by the column of a lookup, or by an aggregate of the list")
		}
		steps, last = append(steps, step{to, link}), to
	}
	return last, func(value writeFunc) writeFunc {
		for i := len(steps) - 1; i >= 0; i-- {
			s, inner := steps[i], value
			value = func(b *db.Builder) {
				b.Write("(SELECT ")
				inner(b)
				b.Write(" FROM ")
				s.to.from(b)
				b.Write(" WHERE ")
				s.link(b)
				s.to.scope(b)
				b.Write(")")
			}
		}
		return value
	}, nil
}
