package tables

import (
	"fmt"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// formulaRow is a record as an expression reads it: [rules.Row]. Conditions of the policy, rules and columns of the definer's
// rights read everything. A formula of the reader's rights reads of other records what the reader may: those that lookups
// lead to are made sure of by [node.within], around the whole value, and what an aggregate is over is limited here.
type formulaRow struct {
	p      *planner
	table  *core.Table
	column func(b *db.Builder, c *core.Column) // writes a column that is at hand
	reader bool                                // with the reader's rights
	among  bool                                // it is one of those that an aggregate is over, or led to from there
	node   *node                               // where it is found; nil where the record is at hand
	link   writeFunc                           // that ties it to the record around
	search rules.Search                        // see [node]
	anew   *level                              // its columns are computed, though they are stored
	err    error
}

// row returns the record of the node for a formula.
func (n *node) row(reader bool) *formulaRow {
	return &formulaRow{p: n.p, table: n.table, node: n, reader: reader, column: func(b *db.Builder, c *core.Column) { b.Name(n.alias, c.SQL()) }}
}

// Search implements rules.Searched.
func (r *formulaRow) Search() rules.Search { return r.search }

// SharedAt implements rules.Lasting.
func (r *formulaRow) SharedAt() (time.Time, bool) { return r.p.lasts, !r.p.lasts.IsZero() }

// readers reports whether a calculated column is computed with the reader's rights.
func readers(c *core.Column) bool { return c.Rights != core.DefinerRights }

// Column implements rules.Row.
func (r *formulaRow) Column(b *db.Builder, c *core.Column) {
	switch {
	case r.err != nil:
		b.Fail(r.err)
	case r.reader && r.among:
		named, err := r.node.resolve(c.Name)
		if err != nil { // which makes the whole column a hidden one
			b.Write("NULL")
			return
		}
		named.write(b)
	case r.kept(c) && c.Calculated() && r.node.past != nil && !r.p.at.IsZero():
		r.wasKept(b, c)
	case r.kept(c):
		r.column(b, c)
	default:
		r.formula(b, c)
	}
}

// kept reports whether the value of the column is the one that the database keeps, or that is at hand.
func (r *formulaRow) kept(c *core.Column) bool {
	if !c.Calculated() || r.node == nil {
		return !c.Calculated()
	}
	if r.anew != nil && r.anew.has(c) {
		return false
	}
	return c.Stored && (!r.reader || r.p.snap.ShowsStored(r.p.caller, r.table, c))
}

// formula writes the formula of a calculated column.
func (r *formulaRow) formula(b *db.Builder, c *core.Column) {
	e, ok := r.p.snap.Rules.Formula(r.table.Name, c.Name)
	if !ok {
		b.Fail(core.E("tables.formula", core.At{Table: r.table.Name, Column: c.Name}, fmt.Errorf("the formula is not compiled")))
		return
	}
	inner := *r
	inner.reader = r.reader && readers(c)
	e.SQLAs(b, c, &inner, r.p.caller)
}

// Open implements rules.Row.
func (r *formulaRow) Open(s rules.Step) rules.Row {
	rel := s.Relation
	among := r.among || rel.Many
	if r.err != nil {
		return r
	}
	to, err := r.open(rel.Table, r.reader && among)
	if err != nil {
		return &formulaRow{err: err}
	}
	out := to.row(r.reader)
	out.among = among
	strict := r.reader && among
	if rel.Many {
		out.link, out.err = r.many(to, s, strict)
	} else {
		out.link = func(b *db.Builder) { b.Name(to.alias, "id").Write(" = "); r.lookup(b, rel) }
	}
	if out.err != nil {
		return &formulaRow{err: out.err}
	}
	return out
}

// From implements rules.Row.
func (r *formulaRow) From(b *db.Builder) {
	if r.err != nil {
		b.Fail(r.err)
		return
	}
	b.Write(" FROM ")
	r.node.from(b)
	b.Write(" WHERE ")
	r.link(b)
	if r.reader && r.among {
		r.node.scope(b)
	}
}

// open returns a node of the table: as the caller may read it, or all of it.
func (r *formulaRow) open(table string, strict bool) (*node, error) {
	if strict {
		return r.p.node(table, core.Read)
	}
	t, err := r.p.snap.Schema.Table(table)
	if err != nil {
		return nil, err
	}
	return r.p.then(r.p.alias(t, nil)), nil
}

func (r *formulaRow) id(b *db.Builder) {
	r.column(b, &core.Column{Name: "id", Kind: core.UUID})
}

// lookup writes where a lookup of the record leads, as far as the relation is about it.
func (r *formulaRow) lookup(b *db.Builder, rel core.Relation) {
	c, _ := r.table.Column(rel.Column)
	r.Column(b, c)
	if rel.Which == "" {
		return
	}
	of, _ := r.table.Column(rel.Which)
	b.Write(" AND ")
	r.Column(b, of)
	b.Write(" = ").Arg(rel.Target)
}

// lookup returns what writes the lookup of n that leads back by the relation, and the condition that it leads to that table.
func (n *node) lookup(rel core.Relation, strict bool) (lookup, which writeFunc) {
	write := func(name string) writeFunc {
		c, _ := n.table.Column(name)
		if strict {
			named, err := n.resolve(name)
			if err != nil {
				return func(b *db.Builder) { b.Write("NULL") }
			}
			return named.write
		}
		return func(b *db.Builder) { b.Name(n.alias, c.SQL()) }
	}
	if rel.Which == "" {
		return write(rel.Column), func(*db.Builder) {}
	}
	of := write(rel.Which)
	return write(rel.Column), func(b *db.Builder) { b.Write(" AND "); of(b); b.Write(" = ").Arg(rel.Target) }
}

// many returns the link of a step to several records; with strict, as far as the caller may read what ties them to the record.
func (r *formulaRow) many(to *node, s rules.Step, strict bool) (writeFunc, error) {
	switch {
	case s.Down:
		return r.below(to, s.Relation, strict)
	case s.Relation.Through != "":
		return r.across(to, s.Relation, strict)
	}
	lookup, which := to.lookup(s.Relation, strict)
	return func(b *db.Builder) { lookup(b); b.Write(" = "); r.id(b); which(b) }, nil
}

// across returns the link of a relation of many to many.
func (r *formulaRow) across(to *node, rel core.Relation, strict bool) (writeFunc, error) {
	links, err := r.open(rel.Through, strict)
	if err != nil {
		return nil, err
	}
	near, _ := links.lookup(core.Relation{Column: rel.Near}, strict)
	far, _ := links.lookup(core.Relation{Column: rel.Column}, strict)
	return func(b *db.Builder) {
		b.Name(to.alias, "id").Write(" IN (SELECT ")
		far(b)
		b.Write(" FROM ")
		links.from(b)
		b.Write(" WHERE ")
		near(b)
		b.Write(" = ")
		r.id(b)
		if strict {
			links.scope(b)
		}
		b.Write(")")
	}, nil
}

// below returns the link of all records below one. Each is visited once, so that a circle ends; the reader gets to those
// that he reaches step by step.
func (r *formulaRow) below(to *node, rel core.Relation, strict bool) (writeFunc, error) {
	first, err := r.open(rel.Table, strict)
	if err != nil {
		return nil, err
	}
	next, err := r.open(rel.Table, strict)
	if err != nil {
		return nil, err
	}
	down := "d" + to.alias
	firstUp, _ := first.lookup(rel, strict)
	nextUp, _ := next.lookup(rel, strict)
	return func(b *db.Builder) {
		b.Name(to.alias, "id").Write(" IN (WITH RECURSIVE ", down, "(id) AS (SELECT ").Name(first.alias, "id").Write(" FROM ")
		first.from(b)
		b.Write(" WHERE ")
		firstUp(b)
		b.Write(" = ")
		r.id(b)
		if strict {
			first.scope(b)
		}
		b.Write(" UNION SELECT ").Name(next.alias, "id").Write(" FROM ", down, " JOIN ")
		next.from(b)
		b.Write(" ON ")
		nextUp(b)
		b.Write(" = ", down, ".id")
		if strict {
			next.scope(b)
		}
		b.Write(") SELECT id FROM ", down, ") AND ").Name(to.alias, "id").Write(" <> ")
		r.id(b)
	}, nil
}

// within returns the condition that the caller may read every record to which a formula of his rights leads from n, and in
// each the columns that it reads there; nil when he may in any case. What an aggregate is over is no part of it.
func (n *node) within(c *core.Column) (writeFunc, error) {
	root := &passed{}
	for _, r := range n.p.snap.Rules.Reads(n.table.Name, c.Name) {
		root.add(r.Path, r.Column)
	}
	parts, err := root.restrict(n.p, n.row(false))
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	return func(b *db.Builder) {
		for i, part := range parts {
			if i > 0 {
				b.Write(" AND ")
			}
			part(b)
		}
	}, nil
}

// passed is a record that a formula passes: which of its columns it reads, and where it goes on.
type passed struct {
	columns []string
	on      []*passed
	step    rules.Step // by which it was reached
	every   bool       // each record of a list is passed, too; else what an aggregate is over is no part of it
}

func (s *passed) add(path []rules.Step, column string) {
	if len(path) == 0 {
		s.reads(column)
		return
	}
	for _, name := range path[0].Own() {
		s.reads(name)
	}
	if path[0].Relation.Many && !s.every {
		return
	}
	i := slices.IndexFunc(s.on, func(o *passed) bool { return o.step == path[0] })
	if i < 0 {
		i = len(s.on)
		s.on = append(s.on, &passed{step: path[0], every: s.every})
	}
	s.on[i].add(path[1:], column)
}

func (s *passed) reads(column string) {
	if !slices.Contains(s.columns, column) {
		s.columns = append(s.columns, column)
	}
}

// restrict returns the conditions on what is reached from the record at.
func (s *passed) restrict(p *planner, at *formulaRow) (parts []writeFunc, err error) {
	for _, next := range s.on {
		to, err := p.node(next.step.Relation.Table, core.Read)
		if err != nil {
			return nil, err
		}
		conditions, err := next.conditions(to)
		if err != nil {
			return nil, err
		}
		part := at.reached(to, next.step.Relation, conditions)
		if next.step.Relation.Many {
			if part, err = at.reachedEach(to, next.step, conditions); err != nil {
				return nil, err
			}
		} else if len(conditions) == 0 {
			continue
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// conditions are those under which the caller may read the record of the node, the columns of s there, and what it leads on to.
func (s *passed) conditions(to *node) (out []writeFunc, err error) {
	if to.may.Rows != nil {
		out = append(out, func(b *db.Builder) { to.holds(b, to.may.Rows) })
	}
	for _, name := range s.columns {
		visible, guard := to.may.Column(name)
		if !visible {
			return nil, to.unknown(name)
		}
		if guard != nil {
			out = append(out, func(b *db.Builder) { to.holds(b, guard) })
		}
	}
	on, err := s.restrict(to.p, to.row(false))
	return append(out, on...), err
}

// reachedEach writes that the conditions hold for every record to which the step leads from r, and that the caller gets there.
func (r *formulaRow) reachedEach(to *node, s rules.Step, conditions []writeFunc) (writeFunc, error) {
	all, err := r.many(to, s, false)
	if err != nil {
		return nil, err
	}
	his, err := r.many(to, s, true)
	if err != nil {
		return nil, err
	}
	met := joined(append([]writeFunc{his}, conditions...), " AND ", "")
	return func(b *db.Builder) {
		b.Write("NOT EXISTS (SELECT 1 FROM ")
		to.from(b)
		b.Write(" WHERE ")
		all(b)
		b.Write(" AND (")
		met(b)
		b.Write(") IS NOT TRUE)")
	}, nil
}

// reached writes that the relation leads nowhere from r, or to a record for which the conditions hold.
func (r *formulaRow) reached(to *node, rel core.Relation, conditions []writeFunc) writeFunc {
	lookup, _ := r.table.Column(rel.Column)
	which, _ := r.table.Column(rel.Which)
	return func(b *db.Builder) {
		b.Write("(")
		r.column(b, lookup)
		b.Write(" IS NULL OR ")
		if which != nil {
			r.column(b, which)
			b.Write(" <> ").Arg(rel.Target).Write(" OR ")
		}
		b.Write("EXISTS (SELECT 1 FROM ")
		to.from(b)
		b.Write(" WHERE ").Name(to.alias, "id").Write(" = ")
		r.column(b, lookup)
		for _, c := range conditions {
			b.Write(" AND ")
			c(b)
		}
		b.Write("))")
	}
}
