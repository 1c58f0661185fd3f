package rules

import (
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
	"colonnade/core/db"
)

// A right to a record that is shared with the caller is a condition such as caller.shared_read. It is for the expressions of a
// policy: see [Options.Shares]. It reads the table of shares, at the time of the statement, and so it is a [Need] in memory.
const sharedName = callerName + ".shared_"

// Shared returns how an expression of a policy names that the right to the record is shared with the caller.
func Shared(right core.Op) string { return sharedName + string(right) }

// sharedRight is the reverse of [Shared]; it is empty for another name.
func sharedRight(name string) core.ShareRights {
	right, _ := strings.CutPrefix(name, sharedName)
	return core.ShareRight(core.Op(right))
}

// Lasting is a [Row] for which shares count that are in force at another time than that of the statement.
type Lasting interface {
	// SharedAt returns the time, and false for that of the statement.
	SharedAt() (time.Time, bool)
}

// Search says how a statement finds the rows of which the expression holds.
type Search int

// The ways to search.
const (
	AtHand  Search = iota // the row is found by something else, and an index tells whether there is a share of it
	ByReach               // few rows are meant: indexes lead from owners, units and shares to them
	ByOrder               // many rows are meant: they are met in the order of the statement, and judged like one at hand
)

// Searched is a [Row] that a statement searches for by the expression.
type Searched interface {
	Search() Search
}

// search returns how the statement finds the record of the expression.
func (p *printer) search() Search {
	if r, ok := p.rows[0].(Searched); ok {
		return r.Search()
	}
	return AtHand
}

// sharer is a record whose shares count for the record of an expression: the record itself, or one to which lookups lead.
type sharer struct {
	table string // its physical name
	way   []Step // from the record of the expression to the one that has the column
	id    *core.Column

	lookups []lookup // those of the way and the column, as they are kept
}

// lookup is a column by which a record is led to another.
type lookup struct {
	table  string // the physical name of the one that has it
	column *core.Column
}

// sharers returns whose shares count for records of the table: their own, and those that they inherit.
func sharers(s *core.Schema, t *core.Table) []sharer {
	id, _ := t.Column("id")
	out := []sharer{{table: t.SQL(), id: id, lookups: []lookup{{t.SQL(), id}}}}
	if s == nil {
		return out
	}
	for from := range s.Sharers(t.Name) {
		of := sharer{table: from.Table.SQL(), id: from.Lookup}
		near := t
		for _, rel := range from.Way {
			of.way = append(of.way, Step{From: near.Name, Relation: rel})
			column, _ := near.Column(rel.Column)
			of.lookups = append(of.lookups, lookup{near.SQL(), column})
			near, _ = s.Table(rel.Table)
		}
		of.lookups = append(of.lookups, lookup{near.SQL(), from.Lookup})
		out = append(out, of)
	}
	return out
}

// shared writes that a right to the record is shared.
func (p *printer) shared(right core.ShareRights) {
	for i, s := range p.e.sharers {
		p.b.Write([]string{"(", " OR "}[min(i, 1)])
		if p.search() == ByReach {
			p.rows[0].Column(p.b, s.lookups[0].column)
			p.sharedAmong(right, s, 0)
			continue
		}
		p.b.Write(`EXISTS (SELECT 1 FROM "_share" AS sh WHERE sh.table_name = `).Arg(s.table).Write(" AND sh.record_id = ")
		p.via(p.rows[0], s.way, func(r Row) { r.Column(p.b, s.id) })
		p.b.Write(" AND ")
		p.inForce(right)
		p.b.Write(")")
	}
	p.b.Write(")")
}

// sharedAmong writes that what stands before it, the i-th lookup of the way, leads to a record that is shared, or from there on to one.
func (p *printer) sharedAmong(right core.ShareRights, s sharer, i int) {
	p.b.Write(p.d.among[0])
	if i+1 == len(s.lookups) {
		p.b.Write(`SELECT sh.record_id FROM "_share" AS sh WHERE sh.table_name = `).Arg(s.table).Write(" AND ")
		p.inForce(right)
	} else {
		next, alias := s.lookups[i+1], "w"+strconv.Itoa(i)
		p.b.Write("SELECT ", alias, ".id FROM ").Name(next.table).Write(" AS ", alias, " WHERE ").Name(alias, next.column.SQL())
		p.sharedAmong(right, s, i+1)
	}
	p.b.Write(p.d.among[1])
}

// inForce writes that the share sh gives the right to the caller.
func (p *printer) inForce(right core.ShareRights) {
	c := p.in.caller
	who := []any{string(c.User), string(core.Everyone)}
	for _, team := range c.Teams {
		who = append(who, string(team))
	}
	p.b.Dialect().AnyOf(p.b, &core.Column{Kind: core.UUID}, func() { p.b.Write("sh.principal_id") }, onlyCanonical(who))
	p.b.Write(" AND (sh.rights & ", strconv.FormatInt(int64(right), 10), ") <> 0 AND (sh.expires_at IS NULL OR sh.expires_at > ")
	InForceAt(p.b, p.rows[0])
	p.b.Write(")")
}

// InForceAt writes the time at which shares count for the record, in the form in which a timestamp is stored.
func InForceAt(b *db.Builder, r Row) {
	if l, ok := r.(Lasting); ok {
		if at, ok := l.SharedAt(); ok {
			Value(b, &core.Column{Kind: core.Timestamp}, at)
			return
		}
	}
	now, _ := b.Dialect().Clock()
	b.Write(now)
}

// own returns the columns of the record of the expression by which the sharer is found.
func (s sharer) own() []string {
	if len(s.way) > 0 {
		return s.way[0].Own()
	}
	return []string{s.id.Name}
}

// namesShares reports whether the tree depends on what is shared with the caller.
func (e *Expr) namesShares(root ast.Expr) (found bool) {
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(n ast.Expr) {
		found = found || n.Kind() == ast.IdentKind && sharedRight(n.AsIdent()) != 0
	}))
	return found
}

// Shared reports whether n is that a right is shared with the caller.
func (n *Need) Shared() bool {
	return n.node.Kind() == ast.IdentKind && sharedRight(n.node.AsIdent()) != 0
}
