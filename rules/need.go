package rules

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"

	"colonnade/core"
	"colonnade/core/db"
)

// Need is a value of other records that an expression reads: what a lookup leads to, or an aggregate. In memory the
// expression asks for it; a database answers with [Need.SQL]. It is the same for records that have the same values in
// Columns and OldColumns.
type Need struct {
	Type       string   // of the value, as in core.KindInfo.CEL
	Columns    []string // of the record that it depends on, sorted
	OldColumns []string // of the record before the change, sorted

	e    *Expr
	node ast.Expr
}

// Ask returns the value of a need for a record, in the Go form of [Need.Column]. old is the record before the change.
type Ask func(n *Need, record, old core.Record) (any, error)

// Table returns the name of the table of the record.
func (n *Need) Table() string { return n.e.table.Name }

// String returns what is read as it is written, with spaces and quotes in one form.
func (n *Need) String() string {
	at, ok := n.e.ast.SourceInfo().GetOffsetRange(n.node.ID())
	tree, err := parseSource(n.e.Source)
	if !ok || err != nil {
		return n.e.Source
	}
	var out string
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if r, ok := tree.SourceInfo().GetOffsetRange(x.ID()); ok && r.Start == at.Start && err == nil {
			out, err = parser.Unparse(x, tree.SourceInfo())
		}
	}))
	return cmp.Or(out, n.e.Source)
}

// Column returns a column that takes the value of n.
func (n *Need) Column() *core.Column { return &core.Column{Name: "value", Kind: typeKinds[n.Type]} }

// WriteNeeds returns what the defaults and the rules of the table read of other records when one of its records is created,
// updated or deleted. The slice is shared: do not change it.
func (s *Set) WriteNeeds(table string, op core.Op) []*Need {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	return t.writes[op]
}

// findWrites finds what [Set.WriteNeeds] returns.
func (t *tableSet) findWrites() {
	t.writes = map[core.Op][]*Need{}
	for _, op := range []core.Op{core.Create, core.Update, core.Delete} {
		var of []*Expr
		if op == core.Create {
			for _, d := range t.defaults {
				of = append(of, d.value)
			}
		}
		for i := range t.rules {
			if !t.rules[i].source.Runs(op) || t.rules[i].late && op != core.Delete { // which ask later
				continue
			}
			for e := range t.rules[i].expressions {
				of = append(of, e)
			}
		}
		t.writes[op] = t.needsOf(of, map[*Expr]bool{})
	}
}

// Value writes v, in the Go form of the column's kind, as an argument whose type the database knows.
func Value(b *db.Builder, c *core.Column, v any) {
	d := dialects[b.Dialect().Name()]
	cast := d.kindCast[c.Kind]
	if cast == "" {
		cast = d.cast[c.Kind.Info().CEL]
	}
	b.Value(c, v).Write(cast)
}

// typeKinds are kinds whose columns are stored in the form of a type.
var typeKinds = map[string]core.Kind{
	"string": core.LongText, "int": core.Integer, "decimal": core.Currency, "double": core.Float, "bool": core.Boolean,
	"timestamp": core.Timestamp, "datetime": core.DateTime, "duration": core.Duration, "choices": core.Choices,
}

// SQL writes n over a record, and over the same record before the change, which may be nil where n has no OldColumns.
func (n *Need) SQL(b *db.Builder, record, old Row, c core.Caller) {
	p := n.e.printer(b, record, &c)
	p.old, p.inner = old, true
	p.operand(n.node)
	if !p.in.moment.IsZero() {
		b.Once()
	}
}

// Fixed reports whether n is the same at every moment and for every caller.
func (n *Need) Fixed() bool { return !n.e.Outside }

// need asks for n.
func (in *row) need(n *Need) ref.Val {
	if in.ask == nil {
		in.fail(core.E("rules.Eval", core.Invalid, core.At{Table: in.e.table.Name}, "the expression reads other records, which are not at hand here"))
		return null
	}
	v, err := in.ask(n, in.record, in.old)
	if err != nil {
		in.fail(err)
		return null
	}
	return wrap(v)
}

func (in *row) fail(err error) {
	if in.failed == nil {
		in.failed = err
	}
}

// inMemory returns the tree that is evaluated in memory: what reads other records is a variable there.
func (e *Expr) inMemory() *ast.AST {
	e.needs = map[string]*Need{}
	tree := e.ast
	if len(e.aggregates) > 0 {
		tree = ast.Copy(e.ast)
	}
	e.need(e.ast.Expr(), tree)
	if tree == e.ast {
		return tree
	}
	f := ast.NewExprFactory()
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(n ast.Expr) {
		if name := needName(n.ID()); e.needs[name] != nil {
			n.SetKindCase(f.NewIdent(n.ID(), name))
			tree.SetReference(n.ID(), ast.NewIdentReference(name, nil))
		}
	}))
	return tree
}

func needName(id int64) string { return "@need" + strconv.FormatInt(id, 10) }

// need finds the outermost parts of a tree that read other records.
func (e *Expr) need(n ast.Expr, tree *ast.AST) {
	name := ""
	switch n.Kind() {
	case ast.ListKind:
		for _, x := range n.AsList().Elements() {
			e.need(x, tree)
		}
	case ast.IdentKind:
		if v, ok := e.vars[n.AsIdent()]; ok && len(v.steps) > 0 || sharedRight(n.AsIdent()) != 0 {
			name = n.AsIdent()
		}
	case ast.CallKind:
		if e.aggregates[n.ID()] != nil {
			name = needName(n.ID())
			break
		}
		for _, x := range operands(n.AsCall()) {
			e.need(x, tree)
		}
	}
	if name == "" || e.needs[name] != nil {
		return
	}
	need := &Need{e: e, node: n, Type: typeName(e.ast.GetType(n.ID()))}
	need.Columns, need.OldColumns = e.ownColumns(n)
	e.needs[name] = need
	e.Needs = append(e.Needs, need)
}

// own returns the columns of the record where p begins that it depends on.
func (p *target) own() []string {
	if len(p.steps) > 0 {
		return p.steps[0].Own()
	}
	return []string{p.column.Name}
}

// ownColumns returns the columns of the record, as it is and as it was, that the tree depends on; both are sorted.
func (e *Expr) ownColumns(root ast.Expr) (now, before []string) {
	own, old := map[string]bool{}, map[string]bool{}
	e.targets(root, func(p *target) {
		if p.scope > 0 {
			return
		}
		into := own
		if p.old {
			into = old
		}
		for _, name := range p.own() {
			into[name] = true
		}
	})
	if e.namesShares(root) {
		for _, s := range e.sharers {
			for _, name := range s.own() {
				own[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(old))
}

// targets yields where the names of the tree lead, those of aggregates included.
func (e *Expr) targets(root ast.Expr, yield func(p *target)) {
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(n ast.Expr) {
		if n.Kind() == ast.IdentKind {
			if p, ok := e.vars[n.AsIdent()]; ok {
				yield(&p)
			}
		}
		if g := e.aggregates[n.ID()]; g != nil {
			yield(&g.of)
		}
	}))
}

// findReads fills Columns, OldColumns and Reads.
func (e *Expr) findReads() {
	scopes := map[int]Read{0: {}} // how to get to the records of each aggregate
	for len(scopes) <= len(e.aggregates) {
		for _, g := range e.aggregates {
			if from, ok := scopes[g.of.scope]; ok {
				scopes[g.scope] = from.on(&g.of)
			}
		}
	}
	all := map[string]Read{}
	e.targets(e.ast.Expr(), func(p *target) {
		r := scopes[p.scope].on(p)
		r.Table, r.Column = p.table.Name, "id"
		if p.column != nil {
			r.Column = p.column.Name
		}
		all[r.String()] = r
	})
	e.Columns, e.OldColumns = e.ownColumns(e.ast.Expr())
	e.Reads = slices.SortedFunc(maps.Values(all), compareReads)
}

func compareReads(a, b Read) int {
	return cmp.Or(len(a.Path)-len(b.Path), strings.Compare(a.String(), b.String()))
}

// on returns the way on to p.
func (r Read) on(p *target) Read {
	r.Old = r.Old || p.old
	r.Path = append(slices.Clone(r.Path), p.steps...)
	return r
}
