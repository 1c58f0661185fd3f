package tables

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// A plan turns a [Query] into SQL for one caller. Planning resolves and authorizes every name and returns functions
// that write; printing calls them in the order of the text.
type planner struct {
	snap   *Snapshot
	caller core.Caller
	use    core.Use      // of what is shown
	at     time.Time     // not zero: every table is read as it was then
	were   []*core.Table // that are read as they were
	lasts  time.Time     // not zero: shares count that are in force then
	n      int           // aliases given
	open   []operand

	pageKey func() (*pageKey, error) // nil where there are no cursors
	lists   []string                 // of which there are cursors in the answer: see [rows.about]
	pages   paging

	breadth func(*node, int) (rules.Search, error) // see [Store.breadth]; nil where few rows are searched for
	until   time.Time                              // when that is to be asked again; zero where it does not matter

	patient bool  // nothing leads: see lead
	lead    *lead // the condition that does
	way     *led

	witnesses []*witness
	decided   []string // the tables that the caller's rights were asked for
}

// writeFunc writes a part of a statement.
type writeFunc func(*db.Builder)

// node is one table in a query, as the caller may see it.
type node struct {
	p     *planner
	table *core.Table
	alias string
	may   *authz.Decision
	past  *past     // where its rows come from, when that is not the table
	rank  writeFunc // how well a row answers the search of the query; nil without one

	sought Search // that the rank is about
	list   *rows  // of which it is a row; nil where it is not one of several

	group *aggregates // instead of rows, in a condition on groups

	found   rules.Search // how its rows are found by the rights of the caller, where not by their ids or from another row
	witness *witness     // nil for a table whose reads are not audited
}

// decide returns the table and how far the caller's privilege on it reaches. Who defines tables learns which there are;
// for others a table that is not there is like one out of reach.
func (n *Snapshot) decide(c core.Caller, table string, priv core.Op) (*core.Table, *authz.Decision, error) {
	may, err := n.Policy.Decide(c, table, authz.Privilege(priv))
	if err == nil || n.Policy.May(c, "define_tables") == nil {
		t, unknown := n.Schema.Table(table)
		if unknown != nil {
			return nil, nil, unknown
		}
		if err == nil {
			return t, may, nil
		}
	}
	return nil, nil, err
}

func (p *planner) node(table string, priv core.Op) (*node, error) {
	t, may, err := p.snap.decide(p.caller, table, priv)
	if err != nil {
		return nil, err
	}
	p.decided = append(p.decided, t.Name)
	return p.then(p.alias(t, may)), nil
}

// then has the rows of n be as they were at the moment of the query, if it has one.
func (p *planner) then(n *node) *node {
	if !p.at.IsZero() && !n.table.Builtin {
		n.past = pastAt(n.table, p.at)
		if !slices.Contains(p.were, n.table) {
			p.were = append(p.were, n.table)
		}
	}
	return n
}

// alias returns a node of the table with an alias of its own.
func (p *planner) alias(t *core.Table, may *authz.Decision) *node {
	p.n++
	return &node{p: p, table: t, alias: "t" + strconv.Itoa(p.n-1), may: may, witness: p.watch(t)}
}

// from writes where the rows of n come from, under its alias.
func (n *node) from(b *db.Builder) {
	if n.past == nil {
		b.Name(n.table.SQL())
	} else {
		b.Write("(")
		n.past.source(b)
		b.Write(")")
	}
	b.Write(" AS ", n.alias)
}

// raw writes the column without asking whether the caller may see it; a virtual column becomes its formula.
func (n *node) raw(b *db.Builder, c *core.Column) { n.row(true).Column(b, c) }

// expr writes an expression of the policy or a rule over the row of n. It reads everything.
func (n *node) expr(b *db.Builder, e *rules.Expr) { e.SQL(b, n.row(false), n.p.caller) }

// ref is a column that the caller may name.
type ref struct {
	column *core.Column
	write  writeFunc
	plain  bool // a stored column as it is: with its collation, and never NULL when it is required
}

// resolve is the one way from a name to a column, for every use: it returns the SQL together with the guard that the
// policy puts around it. A hidden column is refused like one that does not exist.
func (n *node) resolve(name string) (ref, error) {
	c, ok := n.table.Column(name)
	if !ok {
		return ref{}, n.unknown(name)
	}
	visible, guard := n.may.Column(name)
	if !visible {
		return ref{}, n.unknown(name)
	}
	n.names(name)
	within, err := n.derived(c)
	if err != nil {
		return ref{}, err
	}
	value := func(b *db.Builder) { n.raw(b, c) }
	if guard == nil && within == nil {
		return ref{c, value, n.p.snap.ShowsStored(n.p.caller, n.table, c) && n.past == nil}, nil
	}
	return ref{c, n.guarded(guard, within, value), false}, nil
}

// display is resolve for what is shown and nothing else: of a column that is masked, for the caller or for the use of the query, it
// returns what the mask makes of the value. ok is false where nothing is shown.
func (n *node) display(c *core.Column) (r ref, ok bool, err error) {
	visible, guard := n.may.Column(c.Name)
	mask := (*rules.Expr)(nil)
	if !visible {
		if mask, guard = n.may.Mask(c.Name); mask == nil {
			return ref{}, false, nil
		}
	}
	switch h, class := n.p.snap.Handling(n.table.Name, c.Name, n.p.use); {
	case h == core.Deny:
		return ref{}, false, ErrUse(n.table.Name, c.Name, class, n.p.use)
	case h == core.Mask && visible:
		if mask = n.p.snap.Rules.Mask(n.table.Name, c.Name); mask == nil {
			return ref{}, false, nil
		}
	case visible:
		r, err = n.resolve(c.Name)
		return r, err == nil, err
	}
	n.names(c.Name)
	within, err := n.derived(c)
	if err != nil {
		return ref{}, false, err
	}
	value := func(b *db.Builder) { mask.MaskSQL(b, c, func(b *db.Builder) { n.raw(b, c) }) }
	return ref{c, n.guarded(guard, within, value), false}, true, nil
}

// names has the witness of n note that the query names the column.
func (n *node) names(column string) {
	if n.witness != nil {
		n.witness.columns[column] = true
	}
}

// guarded returns what writes the value where the guard and the condition hold, and NULL elsewhere. Both may be nil.
func (n *node) guarded(guard *rules.Expr, within, value writeFunc) writeFunc {
	if guard == nil && within == nil {
		return value
	}
	return func(b *db.Builder) {
		b.Write("CASE WHEN ")
		if guard != nil {
			n.holds(b, guard)
		}
		if guard != nil && within != nil {
			b.Write(" AND ")
		}
		if within != nil {
			within(b)
		}
		b.Write(" THEN ")
		value(b)
		b.Write(" END")
	}
}

// derived returns the condition under which the caller may see the value of a column as far as it depends on other records,
// nil for none. A version of a record by itself says nothing of others.
func (n *node) derived(c *core.Column) (writeFunc, error) {
	asOf := n.past != nil && !n.p.at.IsZero()
	if !c.Calculated() || !n.p.snap.Rules.Reaches(n.table.Name, c.Name) || n.p.snap.ShowsStored(n.p.caller, n.table, c) && !asOf {
		return nil, nil
	}
	if n.past != nil && !asOf {
		return func(b *db.Builder) { b.Write("FALSE") }, nil
	}
	for _, r := range n.p.snap.Rules.Reads(n.table.Name, c.Name) {
		n.p.passes(r.Path)
		n.p.watchRead(r)
	}
	if !readers(c) {
		return nil, nil
	}
	within, err := n.within(c)
	if core.KindOf(err) == core.Denied || core.KindOf(err) == core.Invalid {
		return nil, n.unknown(c.Name)
	}
	return within, err
}

// passes notes the tables on a way, whose history a query of a moment needs.
func (p *planner) passes(path []rules.Step) {
	if p.at.IsZero() {
		return
	}
	for _, s := range path {
		for _, name := range []string{s.Relation.Table, s.Relation.Through} {
			if t, err := p.snap.Schema.Table(name); err == nil && !t.Builtin && !slices.Contains(p.were, t) {
				p.were = append(p.were, t)
			}
		}
	}
}

// operand writes the column as one side of a comparison.
func (r ref) operand(b *db.Builder) {
	r.write(b)
	if !r.plain {
		b.Write(b.Dialect().Collate(r.column.Kind))
	}
}

// position writes the place of an option among those of the column, by which people sort them.
func (r ref) position(b *db.Builder) {
	b.Dialect().Position(b, r.column.Kind, func() { r.write(b) }, r.column.Values())
}

func (n *node) unknown(name string) error { return unknownColumn(n.table, name, n.may) }

// unknownColumn is the error for a column that the caller cannot name. Its suggestion never names a hidden one.
func unknownColumn(t *core.Table, name string, may ...*authz.Decision) error {
	var have []string
	for _, c := range t.Columns {
		if slices.ContainsFunc(may, func(d *authz.Decision) bool {
			if d == nil {
				return false
			}
			visible, _ := d.Column(c.Name)
			return visible
		}) {
			have = append(have, c.Name)
		}
	}
	msg := "there is no such column"
	if s := core.Suggest(name, have); s != "" && s != name {
		msg += "; did you mean " + s + "?"
	}
	return core.E("tables.resolve", core.Invalid, core.At{Table: t.Name, Column: name}, msg)
}

// relation returns the node that the relation leads to, and the condition that links it to n.
func (n *node) relation(name string) (to *node, rel core.Relation, link writeFunc, err error) {
	unknown := func() error {
		return core.E("tables.relation", core.Invalid, core.At{Table: n.table.Name, Column: name}, "there is no such relation")
	}
	rel, ok := n.p.snap.Schema.Relation(n.table.Name, name)
	if !ok {
		return nil, rel, nil, unknown()
	}
	if rel.Through != "" {
		x, err := n.bridge(rel)
		if err != nil {
			return nil, rel, nil, unknown()
		}
		return x.to, rel, x.link, nil
	}
	var lookup ref // in the child
	if !rel.Many {
		if lookup, err = n.resolve(rel.Column); err != nil {
			return nil, rel, nil, unknown()
		}
	}
	if to, err = n.p.node(rel.Table, core.Read); err != nil {
		if rel.Many {
			err = unknown()
		}
		return nil, rel, nil, err
	}
	at := to
	var which ref // of a lookup of several tables: in the child
	if rel.Many {
		at = n
		if lookup, err = to.resolve(rel.Column); err != nil {
			return nil, rel, nil, unknown()
		}
	}
	if rel.Which != "" {
		if which, err = to.resolve(rel.Which); err != nil {
			return nil, rel, nil, unknown()
		}
	}
	return to, rel, func(b *db.Builder) {
		b.Name(at.alias, "id").Write(" = ")
		lookup.write(b)
		if rel.Which != "" {
			b.Write(" AND ")
			which.operand(b)
			b.Write(" = ").Arg(rel.Target)
		}
	}, nil
}

// scope writes the condition that limits n to the rows in the caller's reach, or nothing.
func (n *node) scope(b *db.Builder) {
	if n.may.Rows == nil {
		return
	}
	b.Write(" AND ")
	if n.found != rules.AtHand && n.past == nil {
		row := n.row(false)
		row.search = n.found
		n.may.Rows.SQL(b, row, n.p.caller)
		return
	}
	n.holds(b, n.may.Rows)
}

// holds writes that an expression of the policy holds for the row of n: as it is, and for a version of the past for the
// record as it is now too.
func (n *node) holds(b *db.Builder, e *rules.Expr) {
	n.expr(b, e)
	if n.past != nil && !n.past.last {
		b.Write(" AND ")
		n.nowHolds(b, e)
	}
}

// where plans a condition.
func (n *node) where(c Cond) (writeFunc, error) {
	switch c := c.(type) {
	case nil:
		return nil, nil
	case And:
		return n.join([]Cond(c), " AND ", "TRUE")
	case Or:
		return n.join([]Cond(c), " OR ", "FALSE")
	case Not:
		inner, err := n.where(c.Cond)
		if err != nil {
			return nil, err
		}
		if inner == nil {
			return func(b *db.Builder) { b.Write("FALSE") }, nil
		}
		return func(b *db.Builder) { b.Write("NOT ("); inner(b); b.Write(")") }, nil
	case Related:
		if c.Target != "" {
			return n.relatedTo(c)
		}
		if w, ok, err := n.relatedThrough(c); ok {
			return w, err
		}
		to, _, link, err := n.relation(c.Relation)
		if err != nil {
			return nil, err
		}
		return to.exists(link, c.Where)
	case Compare:
		return n.compare(c)
	case Search:
		return n.search(c)
	case HasFile:
		return n.holdsFile(c)
	case Aggregated:
		return n.aggregated(c)
	case leading:
		return n.leads(c)
	}
	return nil, core.E("tables.where", fmt.Errorf("unknown condition %T", c))
}

// exists plans the condition that there is a row of n which the link ties to the row around, and which meets a condition.
func (n *node) exists(link writeFunc, c Cond) (writeFunc, error) {
	inner, err := n.where(c)
	if err != nil {
		return nil, err
	}
	return func(b *db.Builder) {
		b.Write("EXISTS (SELECT 1 FROM ")
		n.from(b)
		b.Write(" WHERE ")
		link(b)
		n.scope(b)
		if inner != nil {
			b.Write(" AND ")
			inner(b)
		}
		b.Write(")")
	}, nil
}

func (n *node) join(conds []Cond, word, empty string) (writeFunc, error) {
	var parts []writeFunc
	for _, c := range conds {
		w, err := n.where(c)
		if err != nil {
			return nil, err
		}
		if w == nil {
			w = func(b *db.Builder) { b.Write("TRUE") }
		}
		parts = append(parts, w)
	}
	return joined(parts, word, empty), nil
}

// joined writes conditions with a word between them.
func joined(parts []writeFunc, word, empty string) writeFunc {
	switch len(parts) {
	case 0:
		return func(b *db.Builder) { b.Write(empty) }
	case 1:
		return parts[0]
	}
	return func(b *db.Builder) {
		b.Write("(")
		for i, w := range parts {
			if i > 0 {
				b.Write(word)
			}
			w(b)
		}
		b.Write(")")
	}
}
