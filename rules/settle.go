package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"

	"colonnade/core"
)

// admit refuses what the language does not have, makes a decimal of each literal with a point, and gives what reads other
// records the names by which the checker knows it. The tree is not checked yet.
func (b *builder) admit(e ast.Expr, n *names) error {
	switch e.Kind() {
	case ast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.Null:
			return refuse(b.a, e, noNull)
		case types.Uint, types.Bytes:
			return refuse(b.a, e, "write a number without u, and a text without b")
		case types.String:
			if strings.ContainsRune(string(v), 0) {
				return refuse(b.a, e, "a text holds no NUL character")
			}
		case types.Double:
			text := b.spelled(e, float64(v))
			if _, ok := textDecimal(text); !ok {
				return refuse(b.a, e, "a number has at most 30 digits on each side of the point")
			}
			e.SetKindCase(b.f.NewCall(e.ID(), "dec", b.f.NewLiteral(b.id(), types.String(text))))
		}
	case ast.MapKind, ast.StructKind:
		return refuse(b.a, e, "there are no maps here")
	case ast.ComprehensionKind:
		return refuse(b.a, e, "there are no loops here; to ask for a member of a list, write x in list")
	case ast.IdentKind, ast.SelectKind:
		return b.admitName(e, n)
	case ast.ListKind:
		exact := false
		for _, x := range e.AsList().Elements() {
			if err := b.admit(x, n); err != nil {
				return err
			}
			exact = exact || x.Kind() == ast.CallKind && x.AsCall().FunctionName() == "dec"
		}
		for _, x := range e.AsList().Elements() { // [1, 2.5] holds decimals
			if i, ok := literalInt(x); ok && exact {
				x.SetKindCase(b.f.NewCall(x.ID(), "dec", b.f.NewLiteral(b.id(), types.String(strconv.FormatInt(i, 10)))))
			}
		}
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() == operators.Index {
			return refuse(b.a, e, "lists and maps are not indexed here; to ask for a member of a list, write x in list")
		}
		if form, of, down := n.aggregateOf(e); form != nil {
			return b.admitAggregate(e, n, form, of, down)
		}
		for _, x := range operands(c) {
			if err := b.admit(x, n); err != nil {
				return err
			}
		}
		if c.FunctionName() == "label" {
			return b.label(e)
		}
	}
	return nil
}

// exactNumber is a literal with a point or an exponent.
var exactNumber = regexp.MustCompile(`^-?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]{1,3})?`)

// spelled returns the number that the literal spells, of which v is the nearest float.
func (b *builder) spelled(e ast.Expr, v float64) string {
	if r, ok := b.a.SourceInfo().GetOffsetRange(e.ID()); ok && int(r.Start) < len(b.text) {
		d, err := decimal.NewFromString(exactNumber.FindString(string(b.text[r.Start:min(int(r.Start)+100, len(b.text))])))
		if err == nil && d.InexactFloat64() == v {
			return d.String()
		}
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func literalInt(e ast.Expr) (int64, bool) {
	if e.Kind() != ast.LiteralKind {
		return 0, false
	}
	i, ok := e.AsLiteral().(types.Int)
	return int64(i), ok
}

// admitName takes a chain of names such as old.state, caller.unit and order.account.region.
func (b *builder) admitName(e ast.Expr, n *names) error {
	chain := chainOf(e)
	if chain == nil {
		return refuse(b.a, e, "a point stands between the names of relations and columns, and nowhere else")
	}
	if strings.HasPrefix(chain[0], "@") {
		return nil // of a macro
	}
	if !n.isLocal(chain[0]) {
		switch chain[0] {
		case callerName:
			return b.admitCaller(e, chain, n)
		case userName:
			if problem := n.ambiguous(chain); problem != "" {
				return refuse(b.a, e, problem)
			}
			if !slices.Contains(n.of(n.table), userName) {
				return b.admitCaller(e, chain, n)
			}
		}
	}
	p, at, problem := n.find(chain)
	wrong := e // the name that is
	for range len(chain) - 1 - at {
		wrong = wrong.AsSelect().Operand()
	}
	switch {
	case problem != "" && at == 0 && !slices.Contains(n.of(n.table), chain[0]):
		return refuse(b.a, wrong, n.unknown(chain[0]))
	case problem != "" && at > 0 && p.old && len(p.steps) == 0 && len(chain) == 2:
		msg := "there is no " + strings.Join(chain, ".")
		if near := core.Suggest(chain[1], n.of(n.table)); near != "" {
			msg += "; did you mean " + oldPrefix + near + "?"
		}
		return refuse(b.a, e, msg)
	case problem != "":
		return refuse(b.a, wrong, problem)
	case p.many():
		return refuse(b.a, e, chain[len(chain)-1]+" are several records: say what of them, such as "+strings.Join(chain, ".")+".count()")
	case p.column == nil && p.old && len(p.steps) == 0:
		return refuse(b.a, e, unknownName(chain[0], nil))
	case p.column == nil:
		return refuse(b.a, e, strings.Join(chain, ".")+" is a record: name a column of it, such as "+strings.Join(chain, ".")+".id")
	case celTypes[p.column.Kind.Info().CEL] == nil:
		return refuse(b.a, e, unknownName(chain[0], n.known()))
	}
	key := p.key()
	e.SetKindCase(b.f.NewIdent(e.ID(), key))
	b.targets[key] = p
	return nil
}

// admitCaller takes caller.<field>, and user.id for caller.user.
func (b *builder) admitCaller(e ast.Expr, chain []string, n *names) error {
	if len(chain) == 2 {
		field := chain[1]
		if field == "id" && chain[0] == userName {
			field = userName
		}
		_, basis, ok := basisList(field)
		special := ok && basis < n.bases || n.reports && slices.Contains(reportLists, callerName+"."+field) || n.shares && sharedRight(callerName+"."+field) != 0
		if special || slices.Contains(callerFields, field) {
			e.SetKindCase(b.f.NewIdent(e.ID(), callerName+"."+field))
			return nil
		}
		msg := "there is no " + strings.Join(chain, ".")
		if near := core.Suggest(callerName+"."+field, callerNames()); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return refuse(b.a, e, msg)
	}
	return refuse(b.a, e, unknownName(callerName, nil))
}

// settle brings a checked tree into the form that evaluation and printing share: members are arguments, literals of
// dates are values, and where numbers of different types meet, all are of the same.
func settle(a *ast.AST) error {
	return newBuilder(a).settle(a.Expr())
}

// builder changes a tree.
type builder struct {
	a    *ast.AST
	text []rune // of the source, where literals are read
	f    ast.ExprFactory
	next int64

	// What admit has found.
	scopes     int
	targets    map[string]target // by the name of the variable
	aggregates map[int64]*aggregate
}

func newBuilder(a *ast.AST) *builder {
	return &builder{a: a, f: ast.NewExprFactory(), next: lastID(a), targets: map[string]target{}, aggregates: map[int64]*aggregate{}}
}

func lastID(a *ast.AST) int64 {
	last := int64(0)
	for id := range a.IDs() {
		last = max(last, id)
	}
	return last
}

func (b *builder) id() int64 {
	b.next++
	return b.next
}

func operands(c ast.CallExpr) []ast.Expr {
	if c.IsMemberFunction() {
		return append([]ast.Expr{c.Target()}, c.Args()...)
	}
	return c.Args()
}

func (b *builder) typ(e ast.Expr) string { return typeName(b.a.GetType(e.ID())) }

func (b *builder) settle(e ast.Expr) error {
	switch e.Kind() {
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			if err := b.settle(x); err != nil {
				return err
			}
		}
		return nil
	case ast.CallKind:
	default:
		return nil
	}
	c := e.AsCall()
	args := slices.Clone(operands(c))
	for _, x := range args {
		if err := b.settle(x); err != nil {
			return err
		}
	}
	name := c.FunctionName()
	switch {
	case name == operators.In:
		if err := b.settleIn(args); err != nil {
			return err
		}
	case mixes[name]:
		numeric := args
		if name == operators.Conditional {
			numeric = args[1:]
		}
		if err := b.align(numeric); err != nil {
			return err
		}
	}
	e.SetKindCase(b.f.NewCall(e.ID(), name, args...))
	b.refer(e, name, args)
	return b.literal(e, name, args)
}

// mixes are the functions whose numbers may be of different types.
var mixes = map[string]bool{
	operators.Add: true, operators.Subtract: true, operators.Multiply: true, operators.Divide: true,
	operators.Equals: true, operators.NotEquals: true, operators.Less: true, operators.LessEquals: true,
	operators.Greater: true, operators.GreaterEquals: true, operators.Conditional: true,
	"coalesce": true, "min": true, "max": true, "nullIf": true, "mod": true,
}

// align brings two numbers to one type, in place.
func (b *builder) align(args []ast.Expr) error {
	if len(args) != 2 || b.typ(args[0]) == b.typ(args[1]) || !slices.Contains(numbers, b.typ(args[0])) || !slices.Contains(numbers, b.typ(args[1])) {
		return nil
	}
	want := "decimal"
	if b.typ(args[0]) == "double" || b.typ(args[1]) == "double" {
		want = "double"
	}
	for i, x := range args {
		y, ok := b.convert(x, want)
		if !ok {
			return refuse(b.a, x, "a float meets "+aWord(b.typ(x))+" that is no literal: make the float exact with decimal(x)")
		}
		args[i] = y
	}
	return nil
}

// convert returns x as a number of that type; only a literal becomes a float.
func (b *builder) convert(x ast.Expr, want string) (ast.Expr, bool) {
	if b.typ(x) == want {
		return x, true
	}
	if !slices.Contains(numbers, want) || !slices.Contains(numbers, b.typ(x)) {
		return nil, false
	}
	if x.Kind() == ast.LiteralKind {
		d, ok := toDecimal(x.AsLiteral())
		if !ok {
			return nil, false
		}
		if want == "double" {
			return b.value(types.Double(d.InexactFloat64()), want), true
		}
		return b.value(dec{d}, want), true
	}
	if want == "double" {
		return nil, false
	}
	id := b.id()
	call := b.f.NewCall(id, "decimal", x)
	b.a.SetType(id, decimalType)
	b.refer(call, "decimal", []ast.Expr{x})
	return call, true
}

func (b *builder) value(v ref.Val, typ string) ast.Expr {
	id := b.id()
	b.a.SetType(id, celTypes[typ])
	return b.f.NewLiteral(id, v)
}

// settleIn checks that the list holds only literals, of the type of the value.
func (b *builder) settleIn(args []ast.Expr) error {
	list := args[1]
	if list.Kind() != ast.ListKind {
		return nil // of the caller: the types leave nothing else
	}
	items := slices.Clone(list.AsList().Elements())
	if len(items) == 0 {
		return refuse(b.a, list, "the list is empty")
	}
	want := b.typ(args[0])
	if want == "int" && slices.ContainsFunc(items, func(x ast.Expr) bool { return b.typ(x) == "decimal" }) {
		want = "decimal"
		args[0], _ = b.convert(args[0], want)
	}
	for i, x := range items {
		if x.Kind() != ast.LiteralKind {
			return refuse(b.a, x, "a list holds literals only: write a == x || a == y instead")
		}
		y, ok := b.convert(x, want)
		if !ok {
			return refuse(b.a, x, "the list holds "+aWord(b.typ(x))+", and the value is "+aWord(want))
		}
		items[i] = y
	}
	list.SetKindCase(b.f.NewList(list.ID(), items, nil))
	b.a.SetType(list.ID(), cel.ListType(celTypes[want]))
	return nil
}

// refer tells the planner which overload the call means now.
func (b *builder) refer(e ast.Expr, name string, args []ast.Expr) {
	i, f := b.overload(name, args)
	if i < 0 {
		return
	}
	if f.Overloads[i].std {
		return // the checker has named it
	}
	b.a.SetReference(e.ID(), ast.NewFunctionReference(overloadID(name, i)))
}

// overload finds the row of a call, -1 when there is none.
func (b *builder) overload(name string, args []ast.Expr) (int, *Function) {
	f := index()[name]
	if f == nil {
		return -1, nil
	}
	have := make([]string, len(args))
	for i, x := range args {
		have[i] = b.typ(x)
	}
	want := strings.Join(have, ", ")
	for i, o := range f.Overloads {
		before, _, _ := strings.Cut(o.Signature, ": ")
		if !o.macro && (before == want || before == "dyn" && len(args) == 1) {
			return i, f
		}
	}
	return -1, f
}

// literal demands literals where a function does, and makes values of those of dates and numbers.
func (b *builder) literal(e ast.Expr, name string, args []ast.Expr) error {
	i, f := b.overload(name, args)
	if i < 0 || f.Overloads[i].Literal == 0 {
		return nil
	}
	x := args[f.Overloads[i].Literal-1]
	if x.Kind() != ast.LiteralKind {
		return refuse(b.a, x, name+" takes a literal here")
	}
	switch v := x.AsLiteral().(type) {
	case types.Int:
		if most := types.Int(f.Overloads[i].most); most > 0 && (v < 0 || v > most) {
			return refuse(b.a, x, fmt.Sprintf("%s takes 0 to %d", name, most))
		} else if most == 0 && (v < -numberDigits || v > numberDigits) {
			return refuse(b.a, x, name+" takes -30 to 30 digits")
		}
	case types.String:
		if check := f.Overloads[i].check; check != nil {
			if err := check(string(v)); err != nil {
				return refuse(b.a, x, err.Error())
			}
			return nil
		}
		value := f.Overloads[i].call.(func(ref.Val) ref.Val)(v)
		if types.IsUnknown(value) {
			return refuse(b.a, x, strconv.Quote(string(v))+" is no "+strings.Replace(name, "dec", "number", 1))
		}
		e.SetKindCase(b.f.NewLiteral(e.ID(), value))
	}
	return nil
}
