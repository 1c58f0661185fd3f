package rules

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"colonnade/core"
)

// cost is how large an expression is as SQL.
type cost struct {
	weight int            // nodes, counted as often as they stand in the text
	depth  int            // of the tree
	uses   map[string]int // how often each variable stands in the text
}

// analysis visits a settled tree once and finds what printing needs to know.
type analysis struct {
	e        *Expr
	nodes    int
	cost     cost
	memoryAt ast.Expr

	unchanged bool // see [Options.Unchanged]
	within    int  // aggregates around
}

// shape is what a node tells its parent.
type shape struct {
	free            bool // of columns of the row: the same for every row
	depth           int
	whole, fraction int // how many digits a decimal may have on each side of the point
}

// analyse fills what the other methods need to know of the tree, and refuses a tree that is too large.
func (e *Expr) analyse(o Options) error {
	a := analysis{e: e, cost: cost{uses: map[string]int{}}, unchanged: o.Unchanged}
	root := e.ast.Expr()
	s, err := a.visit(root, 1)
	if err != nil {
		return err
	}
	if s.free {
		a.constant(root)
	}
	if e.memory != "" && !o.Memory {
		return refuse(e.ast, a.memoryAt, e.memory)
	}
	a.cost.depth = s.depth
	e.cost = a.cost
	return nil
}

// visit looks at a node that stands times in the SQL text.
func (a *analysis) visit(n ast.Expr, times int) (shape, error) {
	a.nodes++
	a.cost.weight += times
	if a.nodes > maxNodes || a.cost.weight > maxWeight {
		return shape{}, refuse(a.e.ast, n, "the expression is too large: make parts of it calculated columns")
	}
	switch n.Kind() {
	case ast.IdentKind:
		return a.ident(n, times), nil
	case ast.LiteralKind:
		s := shape{free: true, depth: 1}
		if d, ok := n.AsLiteral().(dec); ok {
			s.whole, s.fraction = numberDigits, max(0, -int(d.d.Exponent()))
		}
		return s, nil
	case ast.ListKind:
		for _, x := range n.AsList().Elements() {
			if _, err := a.visit(x, times); err != nil {
				return shape{}, err
			}
		}
		return shape{free: true, depth: 1}, nil
	}
	return a.call(n, times)
}

func (a *analysis) ident(n ast.Expr, times int) shape {
	name := n.AsIdent()
	v, ok := a.e.vars[name]
	if !ok {
		a.e.Outside = true // of the caller, or the time
		if sharedRight(name) != 0 {
			a.cost.weight += stepWeight * len(a.e.sharers) * times
			return shape{depth: 1 + maxSteps}
		}
		return shape{free: true, depth: 1}
	}
	c := v.column
	if v.old && a.unchanged {
		v.old = false
		a.e.vars[name] = v
	}
	if v.old {
		a.inMemory(n, "old.<column> works in business rules only")
	}
	a.cost.uses[name] += times
	a.cost.weight += stepWeight * len(v.steps) * times
	s := shape{depth: 1 + len(v.steps), whole: c.Precision - c.Scale, fraction: c.Scale}
	if (c.Kind == core.Decimal || c.Kind == core.Currency) && c.Precision == 0 {
		s.whole, s.fraction = numberDigits, numberDigits
	}
	return s
}

// inMemory notes that a part has no SQL form, or none by itself.
func (a *analysis) inMemory(n ast.Expr, why string) {
	if a.e.memory == "" {
		a.e.memory, a.memoryAt = why, n
	}
}

// stepWeight is what a relation adds to the SQL, in nodes.
const stepWeight = 5

func (a *analysis) call(n ast.Expr, times int) (shape, error) {
	c := n.AsCall()
	name, args := c.FunctionName(), c.Args()
	o, err := a.overload(n, name, args)
	if err != nil {
		return shape{}, err
	}
	out := shape{free: true}
	g := a.e.aggregates[n.ID()]
	if g != nil {
		out = shape{depth: len(g.of.steps)}
		a.cost.weight += stepWeight * len(g.of.steps) * times
		g.of.old = g.of.old && !a.unchanged
		if g.of.old {
			a.inMemory(n, "old.<column> works in business rules only")
		}
		a.within++
		defer func() { a.within-- }()
	}
	shapes := make([]shape, len(args))
	for i, x := range args {
		placeholder := fmt.Sprintf("$%d", i+1)
		stands := max(1, strings.Count(o.SQLite, placeholder), strings.Count(o.Postgres, placeholder))
		if g != nil && g.form.by {
			stands = 2
		}
		s, err := a.visit(x, times*stands)
		if err != nil {
			return shape{}, err
		}
		out.free = out.free && s.free
		out.depth = max(out.depth, s.depth)
		shapes[i] = s
	}
	out.depth++
	if out.depth > maxDepth {
		return shape{}, refuse(a.e.ast, n, "the expression is nested too deeply: at most 100 levels")
	}
	if !out.free {
		for i, x := range args {
			if shapes[i].free {
				a.constant(x)
			}
		}
	}
	return out, a.digits(n, name, args, shapes, &out)
}

// overload remembers which row of the table of functions the call means.
func (a *analysis) overload(n ast.Expr, name string, args []ast.Expr) (*Overload, error) {
	b := builder{a: a.e.ast}
	i, f := b.overload(name, args)
	if name == operators.In && b.typ(args[1]) != "choices" {
		return &Overload{}, nil
	}
	if i < 0 {
		return nil, refuse(a.e.ast, n, name+" does not take these")
	}
	o := &f.Overloads[i]
	if name == "replace" && shrinks(args[1], args[2]) {
		o = &plainReplace
	}
	a.e.overloads[n.ID()] = o
	if o.Postgres == "" && comparisons[name] == "" && a.e.aggregates[n.ID()] == nil {
		if a.within > 0 {
			return nil, refuse(a.e.ast, n, name+" works in memory only, and not over the records of a relation")
		}
		a.inMemory(n, name+" works in memory only: in conditions and values of business rules, and in flows")
	}
	return o, nil
}

// plainReplace needs no look at the length of the result.
var plainReplace = Overload{Signature: "string, string, string: string", SQLite: "replace($1, $2, $3)", Postgres: "replace($1, $2, $3)"}

func shrinks(from, to ast.Expr) bool {
	if from.Kind() != ast.LiteralKind || to.Kind() != ast.LiteralKind {
		return false
	}
	return utf8.RuneCountInString(string(to.AsLiteral().(types.String))) <= utf8.RuneCountInString(string(from.AsLiteral().(types.String)))
}

// digits bounds the digits of decimals, so that no database meets its own limit.
func (a *analysis) digits(n ast.Expr, name string, args []ast.Expr, in []shape, out *shape) error {
	if !a.e.ast.GetType(n.ID()).IsExactType(decimalType) {
		return nil
	}
	for _, s := range in {
		out.whole, out.fraction = max(out.whole, s.whole), max(out.fraction, s.fraction)
	}
	switch name {
	case operators.Multiply:
		out.whole, out.fraction = in[0].whole+in[1].whole, in[0].fraction+in[1].fraction
	case operators.Divide:
		out.whole, out.fraction = in[0].whole+in[1].fraction, quotientScale
	case "@sum":
		out.whole += 19 // of as many records as a database can hold
	case "@avg":
		out.fraction = quotientScale
	case "@min", "@max", "@first", "@last":
	case "decimal":
		if !a.e.ast.GetType(args[0].ID()).IsExactType(decimalType) {
			out.whole, out.fraction = numberDigits, numberDigits
		}
		if a.e.ast.GetType(args[0].ID()).IsExactType(cel.IntType) {
			out.fraction = 0
		}
	case "power":
		n := int(args[1].AsLiteral().(types.Int))
		out.whole, out.fraction = max(1, in[0].whole*n), in[0].fraction*n
	case "numberAt":
		out.whole, out.fraction = numberDigits, numberDigits
	case "sqrt":
		out.whole, out.fraction = out.whole+1, quotientScale
	default:
		out.whole++
	}
	if out.whole > maxDigits || out.fraction > maxDigits {
		return refuse(a.e.ast, n, "the number could have more than 1,000 digits: round a part of it")
	}
	return nil
}

// constant plans a part that is the same for every row, to be computed before the SQL is written.
func (a *analysis) constant(n ast.Expr) {
	if n.Kind() == ast.LiteralKind || n.Kind() == ast.ListKind || a.e.ast.GetType(n.ID()).Kind() == types.ListKind {
		return
	}
	tree, env := a.e.ast, a.e.env
	a.e.constants[n.ID()] = sync.OnceValues(func() (cel.Program, error) {
		part := ast.NewCheckedAST(ast.NewAST(n, tree.SourceInfo()), tree.TypeMap(), tree.ReferenceMap())
		return env.PlanProgram(part)
	})
}
