package rules

import (
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// SQL writes e as one operand over the record r. Everything but its columns is an argument of the statement; what does not
// depend on the row, such as addDays(today(), -30), is computed now. An error sticks in b.
// A statement that depends on the time is marked by [db.Builder.Once].
//
// A boolean is a condition; other results have the form that [Overload] tells. See [Expr.SQLAs] for a calculated column.
func (e *Expr) SQL(b *db.Builder, r Row, c core.Caller) {
	e.sql(b, r, c, false)
}

func (e *Expr) sql(b *db.Builder, r Row, c core.Caller, inner bool) {
	if e.memory != "" {
		b.Fail(core.E("rules.SQL", core.Invalid, core.At{Table: e.table.Name}, e.memory))
		return
	}
	p := e.printer(b, r, &c)
	p.inner = inner
	p.operand(e.ast.Expr())
	if !p.in.moment.IsZero() {
		b.Once()
	}
}

// SQLAs writes e in the form in which the column k is stored: the twin of [Expr.As].
func (e *Expr) SQLAs(b *db.Builder, k *core.Column, r Row, c core.Caller) {
	before, after := storing(b.Dialect().Name(), e.Type, k)
	b.Write(before)
	e.sql(b, r, c, true)
	b.Write(after)
}

func (e *Expr) printer(b *db.Builder, r Row, c *core.Caller) *printer {
	rows := make([]Row, 1+len(e.aggregates))
	rows[0] = r
	return &printer{b: b, d: dialects[b.Dialect().Name()], rows: rows, e: e, fold: true, in: row{e: e, caller: c}}
}

// printer writes one expression. Each method writes one operand, which needs no parentheses around it.
type printer struct {
	b    *db.Builder
	d    *dialect
	rows []Row // that the expression is over, and those of the aggregates
	old  Row   // the record before the change
	e    *Expr
	in   row  // for what does not depend on the row
	fold bool // such parts are computed, not printed; tests print them

	// What is printed is part of a value, not a condition of the statement. A COLLATE in there would be taken for the
	// collation of the whole value (https://sqlite.org/datatype3.html, 7.1), and no index could serve it anyway.
	inner bool
}

func (p *printer) typ(n ast.Expr) string { return typeName(p.e.ast.GetType(n.ID())) }

func (p *printer) operand(n ast.Expr) {
	if v, ok := p.constant(n); ok {
		p.value(v, p.typ(n))
		return
	}
	switch n.Kind() {
	case ast.IdentKind:
		if right := sharedRight(n.AsIdent()); right != 0 {
			p.shared(right)
			return
		}
		v := p.e.vars[n.AsIdent()]
		p.b.Write(p.d.loadBefore[v.column.Kind])
		p.raw(v)
		p.b.Write(p.d.loadAfter[v.column.Kind])
	case ast.CallKind:
		p.call(n)
	default:
		p.b.Fail(core.E("rules.SQL", "a part of the expression has no SQL form"))
	}
}

// constant returns the value of a part that does not depend on the row.
func (p *printer) constant(n ast.Expr) (ref.Val, bool) {
	switch n.Kind() {
	case ast.LiteralKind:
		return n.AsLiteral(), true
	case ast.IdentKind:
		if _, ok := p.e.vars[n.AsIdent()]; ok || sharedRight(n.AsIdent()) != 0 {
			return nil, false
		}
		v, ok := p.in.ResolveName(n.AsIdent())
		if !ok {
			return nil, false
		}
		return v.(ref.Val), true
	}
	plan, ok := p.e.constants[n.ID()]
	if !ok || !p.fold {
		return nil, false
	}
	program, err := plan()
	if err != nil {
		p.b.Fail(core.E("rules.SQL", err))
		return null, true
	}
	v, _, err := program.Eval(&p.in)
	if err != nil {
		return null, true
	}
	return v, true
}

// value writes v, of that type, as an argument; NULL is a word, since the database could not tell its type.
func (p *printer) value(v ref.Val, typ string) {
	cast := p.d.cast[typ]
	if missing(v) {
		p.b.Write("NULL", cast)
		return
	}
	p.b.Arg(p.d.bind(v)).Write(cast)
}

func (p *printer) call(n ast.Expr) {
	c := n.AsCall()
	name, args := c.FunctionName(), c.Args()
	if g := p.e.aggregates[n.ID()]; g != nil {
		p.aggregate(n, g)
		return
	}
	switch {
	case name == operators.In && p.typ(args[1]) != "choices":
		p.in_(args[0], args[1])
		return
	case name == "isNull" && args[0].Kind() == ast.IdentKind:
		if v, ok := p.e.vars[args[0].AsIdent()]; ok {
			p.b.Write("(")
			p.raw(v) // without a conversion, which an index would not have
			p.b.Write(" IS NULL)")
			return
		}
	case comparisons[name] != "":
		p.compare(comparisons[name], args[0], args[1])
		return
	}
	outer := p.inner
	p.inner = p.inner || !logical[name]
	o := p.e.overloads[n.ID()]
	p.template(p.d.template(o), func(i int) { p.operand(args[i]) }, p.derived(o, args)...)
	p.inner = outer
}

// logical are the operators whose operands are conditions themselves.
var logical = map[string]bool{operators.LogicalAnd: true, operators.LogicalOr: true, operators.LogicalNot: true}

// derived returns what the templates of a function make of its literal argument.
func (p *printer) derived(o *Overload, args []ast.Expr) []any {
	if o.derive == nil {
		return nil
	}
	return o.derive(string(args[o.Literal-1].AsLiteral().(types.String)))
}

// template writes text with $1, $2 ... replaced by the operands and #1, #2 ... by the arguments that are derived.
func (p *printer) template(text string, operand func(i int), derived ...any) {
	from := 0
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '$' && text[i] != '#' || text[i+1] < '1' || text[i+1] > '9' {
			continue
		}
		p.b.Write(text[from:i])
		if n := text[i+1] - '1'; text[i] == '$' {
			operand(int(n))
		} else {
			p.b.Arg(derived[n])
		}
		from = i + 2
	}
	p.b.Write(text[from:])
}

// comparisons are the operators that are printed by hand, for the sake of indexes.
var comparisons = map[string]string{
	operators.Equals: "=", operators.NotEquals: "<>",
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
}

var mirrored = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (p *printer) compare(op string, l, r ast.Expr) {
	if p.stored(op, l, r) || p.stored(mirrored[op], r, l) {
		return
	}
	if form := p.d.inner[p.typ(l)]; p.inner && form.compare != "" {
		p.b.Write("(")
		p.template(form.compare, func(i int) { p.operand([]ast.Expr{l, r}[i]) })
		p.b.Write(" ", op, " 0)")
		return
	}
	p.b.Write("(")
	p.operand(l)
	p.b.Write(" ", op, " ")
	p.operand(r)
	if op == "=" || op == "<>" {
		p.b.Write(p.d.equality[p.typ(l)], ")")
	} else {
		p.b.Write(p.d.order[p.typ(l)], ")")
	}
}

// stored compares a column with a column or a constant in the form in which the column is stored, where that form is not
// the one of its type: a date with a day, a uuid with a uuid. It reports whether it did.
func (p *printer) stored(op string, l, r ast.Expr) bool {
	x, ok := p.variable(l)
	if !ok || !p.d.converts(x.column.Kind) {
		return false
	}
	c := x.column
	ordered := op != "=" && op != "<>"
	if y, ok := p.variable(r); ok {
		if ordered && !c.Kind.Info().Ordered || p.d.form(c.Kind) != p.d.form(y.column.Kind) {
			return false
		}
		p.b.Write("(")
		p.raw(x)
		p.b.Write(" ", op, " ")
		p.raw(y)
		p.b.Write(")")
		return true
	}
	v, ok := p.constant(r)
	if !ok {
		return false
	}
	switch v := v.(type) {
	case types.Timestamp:
		day := midnight(v.Time)
		if !day.Equal(v.Time) { // a moment within a day: no day equals it
			switch op {
			case "<":
				op = "<="
			case ">=":
				op = ">"
			case "=", "<>":
				return false
			}
		}
		p.b.Write("(")
		p.raw(x)
		p.b.Write(" ", op, " ").Arg(day.Format(time.DateOnly)).Write(p.d.kindCast[c.Kind], ")")
		return true
	case types.String:
		if ordered || !canonical(string(v)) {
			return false
		}
		p.b.Write("(")
		p.raw(x)
		p.b.Write(" ", op, " ").Arg(string(v)).Write(p.d.kindCast[c.Kind], ")")
		return true
	}
	return false
}

// variable returns the column that n is.
func (p *printer) variable(n ast.Expr) (target, bool) {
	if n.Kind() != ast.IdentKind {
		return target{}, false
	}
	v, ok := p.e.vars[n.AsIdent()]
	return v, ok
}

// canonical reports whether s is a uuid in the form of core.ID: another text equals none.
func canonical(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// in_ writes a membership: in literals, or in a list of the caller as one argument.
func (p *printer) in_(x, list ast.Expr) {
	var items []any
	if list.Kind() == ast.ListKind {
		for _, item := range list.AsList().Elements() {
			items = append(items, p.d.bind(item.AsLiteral()))
		}
	} else {
		v, _ := p.in.ResolveName(list.AsIdent())
		items = members(v)
	}
	v, isColumn := p.variable(x)
	c := v.column
	uuids := isColumn && p.d.converts(c.Kind) && p.typ(x) == "string"
	if uuids {
		items = onlyCanonical(items)
	}
	if len(items) == 0 {
		p.nothing(x, v)
		return
	}
	write := func() { p.operand(x) }
	if uuids {
		write = func() { p.raw(v) }
	} else {
		c = &core.Column{Kind: core.Text}
	}
	if list.Kind() != ast.ListKind {
		p.b.Write("(")
		if p.search() == ByOrder {
			p.b.Dialect().Among(p.b, c, write, items)
		} else {
			p.b.Dialect().AnyOf(p.b, c, write, items)
		}
		p.b.Write(")")
		return
	}
	cast := p.d.cast[p.typ(x)]
	if uuids {
		cast = p.d.kindCast[c.Kind]
	}
	before, after, equality := "", "", p.d.equality[p.typ(x)]
	if form := p.d.inner[p.typ(x)]; p.inner && form.canonical != "" {
		before, after, equality = form.canonical+"(", ")", ""
	}
	p.b.Write("(", before)
	write()
	p.b.Write(after, equality, " IN (")
	for i, item := range items {
		if i > 0 {
			p.b.Write(", ")
		}
		p.b.Write(before).Arg(item).Write(cast, after)
	}
	p.b.Write("))")
}

// nothing writes what x in [] is: false, or NULL where x is.
func (p *printer) nothing(x ast.Expr, v target) {
	if c := v.column; c != nil && c.System && c.Required && len(v.steps) == 0 {
		p.b.Write("FALSE")
		return
	}
	p.b.Write("CASE WHEN ")
	p.operand(x)
	p.b.Write(" IS NOT NULL THEN FALSE END")
}

func members(v any) []any {
	var out []any
	switch l := v.(type) {
	case idList:
		for _, id := range l.ids {
			out = append(out, string(id))
		}
	case interface{ Value() any }:
		texts, _ := l.Value().([]string)
		for _, s := range texts {
			out = append(out, s)
		}
	}
	return out
}

func onlyCanonical(items []any) []any {
	out := items[:0]
	for _, item := range items {
		if s, ok := item.(string); ok && canonical(s) {
			out = append(out, item)
		}
	}
	return out
}

// bindText is how both databases take a value, except for booleans.
func bindText(v ref.Val) any {
	switch v := v.(type) {
	case dec:
		return plain(v.d)
	case types.Timestamp:
		return v.UTC().Format(core.TimeLayout)
	case civil:
		return core.CivilTime(v).String()
	case span:
		return int64(v)
	case choices:
		return string(core.AppendValue(nil, []string(v)))
	case document:
		return string(v)
	}
	return native(v)
}

func plain(d decimal.Decimal) string { return d.String() }
