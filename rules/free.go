package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/parser"
	"github.com/shopspring/decimal"

	"colonnade/core"
)

// Free is an expression over values whose types are known only when it runs, such as the inputs of a flow. It runs in
// memory only, and may loop over lists. It is safe for concurrent use.
type Free struct {
	Source  string
	names   []string
	program cel.Program
}

// freeEnv is CEL with the functions of [Functions], still without variables.
var freeEnv = sync.OnceValues(func() (*cel.Env, error) {
	except := &env.LibrarySubset{}
	for _, f := range Functions {
		if f.Name != "size" && f.Name != overloads.Matches {
			except.ExcludeFunctions = append(except.ExcludeFunctions, &env.Function{Name: f.Name})
		}
	}
	opts := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(except)),
		cel.Macros(macros...),
		cel.CustomTypeAdapter(adapter{types.DefaultTypeAdapter}),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(2 * maxDepth),
		cel.ExpressionNodeLimit(2 * maxNodes),
		cel.RegexProgramSizeLimit(1000),
		cel.Variable(nowName, cel.TimestampType), cel.Variable(todayName, cel.TimestampType),
		cel.Function(orNullName, cel.Overload(orNullName, []*cel.Type{cel.DynType}, cel.DynType, cel.OverloadIsNonStrict(), cel.UnaryBinding(orNull))),
	}
	for name, f := range loose {
		result := cel.DynType
		if comparisons[name] != "" || name == operators.In {
			result = cel.BoolType
		}
		opts = append(opts, cel.Function(looseName(name), cel.Overload(looseName(name), []*cel.Type{cel.DynType, cel.DynType}, result, cel.BinaryBinding(f))))
	}
	for _, f := range Functions {
		switch f.Name {
		case "size", overloads.Matches:
			continue
		case "choices", "pickAll", "with", "without", "containsAll", "containsAny":
			f.Overloads = asLists(f.Overloads)
		case "coalesce":
			f.Overloads = []Overload{{Signature: "dyn, dyn: dyn", lenient: true, call: coalesce}}
		case "nullIf":
			f.Overloads = []Overload{{Signature: "dyn, dyn: dyn", lenient: true, call: nullIf}}
		case "json":
			f.Overloads = []Overload{{Signature: "string: dyn", call: unaryText(plainJSON)}}
		}
		if found[f.Name] != nil {
			f.Overloads = inMaps(f)
		}
		f.Overloads = append(floatsToo(f.Overloads), freeOverloads[f.Name]...)
		if len(f.Overloads) > 0 {
			opts = append(opts, declare(f, func(Overload) bool { return true }, true))
		}
	}
	return cel.NewCustomEnv(opts...)
})

// floatsToo adds the signatures in which a float stands for a decimal.
func floatsToo(in []Overload) []Overload {
	out := slices.Clone(in)
	for _, o := range in {
		before, result, _ := strings.Cut(o.Signature, ": ")
		floats := Overload{Signature: strings.ReplaceAll(before, "decimal", "double") + ": " + result, call: o.call}
		if !slices.ContainsFunc(out, func(x Overload) bool {
			return strings.HasPrefix(x.Signature, strings.ReplaceAll(before, "decimal", "double")+":")
		}) {
			out = append(out, floats)
		}
	}
	return out
}

// freeOverloads are what the functions can do in memory besides.
var freeOverloads = map[string][]Overload{
	"string": {
		{Signature: "timestamp: string", call: unaryTime(func(t time.Time) ref.Val { return types.String(t.Format(core.TimeLayout)) })},
		{Signature: "datetime: string", call: func(v ref.Val) ref.Val { return types.String(core.CivilTime(v.(civil)).String()) }},
		{Signature: "duration: string", call: func(v ref.Val) ref.Val { return types.String(core.Span(v.(span)).String()) }},
	},
	"datetime":  {{Signature: "datetime: datetime", call: func(v ref.Val) ref.Val { return v }}},
	"duration":  {{Signature: "duration: duration", call: func(v ref.Val) ref.Val { return v }}},
	"timestamp": {{Signature: "timestamp: timestamp", call: func(v ref.Val) ref.Val { return v }}},
}

// CompileFree checks source, in which the names and caller are variables of any type.
func CompileFree(names []string, source string) (_ *Free, err error) {
	defer func() { err = shown(err, source) }()
	const op = "rules.CompileFree"
	if len(source) > maxSource {
		return nil, core.E(op, core.Invalid, "the expression is too long: at most 10,000 bytes")
	}
	base, err := freeEnv()
	if err != nil {
		return nil, core.E(op, err)
	}
	all := append(slices.Clone(names), "caller")
	slices.Sort(all)
	all = slices.Compact(all)
	vars := make([]cel.EnvOption, len(all))
	for i, name := range all {
		vars[i] = cel.Variable(name, cel.DynType)
	}
	env, err := base.Extend(vars...)
	if err != nil {
		return nil, core.E(op, err)
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, core.E(op, explain(issues, all))
	}
	if err := loosen(parsed.NativeRep(), source); err != nil {
		return nil, core.E(op, err)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, core.E(op, explain(issues, all))
	}
	foldNumbers(checked.NativeRep())
	program, err := env.PlanProgram(checked.NativeRep(), cel.EvalOptions(cel.OptOptimize), cel.CostTracking(sizes{}), cel.CostLimit(maxCost))
	if err != nil {
		return nil, core.E(op, core.Invalid, "the expression cannot be planned: a regular expression in it may not be valid", err)
	}
	return &Free{Source: source, names: all, program: program}, nil
}

// sizes charges a call by what it makes: one, and one for every ten characters.
type sizes struct{}

// one is the cost of most calls. The tracker only reads it.
var one uint64 = 1

// CallCost implements cost.ActualCostEstimator.
func (sizes) CallCost(_, _ string, _ []ref.Val, result ref.Val) *uint64 {
	if s, ok := result.(types.String); ok && len(s) >= 10 {
		n := 1 + uint64(len(s))/10
		return &n
	}
	return &one
}

// loosen compares any numbers, lets lists and maps hold NULL, and refuses the literal null.
func loosen(a *ast.AST, source string) error {
	b := newBuilder(a)
	b.text = []rune(source)
	var problem error
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(n ast.Expr) {
		switch n.Kind() {
		case ast.LiteralKind:
			if problem == nil {
				problem = b.admit(n, nil)
			}
		case ast.CallKind:
			c := n.AsCall()
			name := c.FunctionName()
			if name == operators.NotEquals {
				n.SetKindCase(b.f.NewCall(n.ID(), operators.LogicalNot, b.f.NewCall(b.id(), looseName(operators.Equals), c.Args()...)))
			} else if loose[name] != nil && !accumulates(c) {
				n.SetKindCase(b.f.NewCall(n.ID(), looseName(name), c.Args()...))
			}
		case ast.ListKind:
			items := slices.Clone(n.AsList().Elements())
			for i, x := range items {
				items[i] = b.orNull(x)
			}
			n.SetKindCase(b.f.NewList(n.ID(), items, n.AsList().OptionalIndices()))
		case ast.MapKind:
			entries := slices.Clone(n.AsMap().Entries())
			for i, x := range entries {
				m := x.AsMapEntry()
				entries[i] = b.f.NewMapEntry(x.ID(), m.Key(), b.orNull(m.Value()), m.IsOptional())
			}
			n.SetKindCase(b.f.NewMap(n.ID(), entries))
		}
	}))
	return problem
}

// foldNumbers makes values of the numbers with a point, which loosen has left as calls, so that no evaluation reads them again.
func foldNumbers(a *ast.AST) {
	f := ast.NewExprFactory()
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(n ast.Expr) {
		if n.Kind() != ast.CallKind || n.AsCall().FunctionName() != "dec" {
			return
		}
		if x := n.AsCall().Args()[0]; x.Kind() == ast.LiteralKind {
			n.SetKindCase(f.NewLiteral(n.ID(), decimalFrom(string(x.AsLiteral().(types.String)))))
		}
	}))
}

// accumulates reports whether the call is the step of a loop, which grows its list in place as long as it is CEL's own.
func accumulates(c ast.CallExpr) bool {
	x := c.Args()[0]
	return x.Kind() == ast.IdentKind && (x.AsIdent() == parser.HiddenAccumulatorName || x.AsIdent() == parser.AccumulatorName)
}

func (b *builder) orNull(x ast.Expr) ast.Expr {
	if x.Kind() == ast.LiteralKind {
		return x
	}
	return b.f.NewCall(b.id(), orNullName, x)
}

// Eval returns the value of f: nil for NULL, otherwise as what the variables are: a bool, int64, float64, string,
// decimal.Decimal, time.Time, []any or map[string]any. A variable that vars lacks is NULL.
//
// A name that a map lacks, or a value of the wrong type, is an error of the kind Invalid; more work than the limit allows is
// one of the kind Limit.
func (f *Free) Eval(vars map[string]any, c core.Caller) (any, error) {
	const op = "rules.Eval"
	in := &freeRow{vars: vars, caller: c}
	out, _, err := f.program.Eval(in)
	switch {
	case err == nil:
		budget := maxItems
		return thaw(out, 0, &budget)
	case strings.Contains(err.Error(), "limit exceeded"):
		return nil, core.E(op, core.Limit, "the expression needs too much time or memory: loop over shorter lists", err)
	case out == nil:
		return nil, core.E(op, err)
	case strings.Contains(err.Error(), "by zero") || strings.Contains(err.Error(), "overflow"):
		return nil, nil
	}
	return nil, core.E(op, core.Invalid, sentenceOf(err), err)
}

// sentenceOf says what went wrong in an evaluation.
func sentenceOf(err error) string {
	msg := err.Error()
	if name, ok := strings.CutPrefix(msg, "no such key: "); ok {
		return "there is no " + name + " in the value; test with has(x.name), or replace with coalesce(x.name, y)"
	}
	if strings.HasPrefix(msg, "no such overload") {
		return "a value has another type than the expression expects"
	}
	if strings.HasPrefix(msg, "index out of bounds") {
		return "the list is shorter than the expression expects"
	}
	return "the expression cannot be evaluated with these values"
}

// plainJSON reads a JSON value as flows have it.
func plainJSON(s string) ref.Val {
	raw, err := core.CanonicalJSON([]byte(s))
	if err != nil {
		return null
	}
	return adapter{types.DefaultTypeAdapter}.NativeToValue(json.RawMessage(raw))
}

// freeRow is what a free expression sees: it implements cel.Activation.
type freeRow struct {
	vars   map[string]any
	caller core.Caller
	moment time.Time
}

// Parent implements cel.Activation.
func (in *freeRow) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (in *freeRow) ResolveName(name string) (any, bool) {
	switch name {
	case nowName, todayName:
		if in.moment.IsZero() {
			in.moment = time.Now().UTC().Truncate(time.Microsecond)
		}
		if name == todayName {
			return types.Timestamp{Time: midnight(in.moment)}, true
		}
		return types.Timestamp{Time: in.moment}, true
	case "caller":
		return map[string]any{
			"user": string(in.caller.User), "unit": string(in.caller.Unit), "below": ids(in.caller.Below), "teams": ids(in.caller.Teams), "roles": in.caller.Roles,
		}, true
	}
	v, ok := in.vars[name]
	if !ok || v == nil {
		return null, true
	}
	if r, ok := v.(core.Record); ok {
		return map[string]any(r), true // which CEL looks into as it is
	}
	return v, true
}

func ids(in []core.ID) []string {
	out := make([]string, len(in))
	for i, id := range in {
		out[i] = string(id)
	}
	return out
}

// adapter makes CEL values of JSON-like ones; null is NULL.
type adapter struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case ref.Val:
		if v == types.NullValue {
			return null
		}
		return v
	case nil:
		return null
	case string, int64, decimal.Decimal, bool, time.Time, core.CivilTime, core.Span, float64, core.ID:
		return wrap(v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return types.Int(i)
		}
		if d, err := decimal.NewFromString(string(v)); err == nil {
			return dec{d}
		}
	case json.RawMessage:
		var out any
		if err := json.Unmarshal(v, &out); err == nil {
			return a.NativeToValue(out)
		}
	case core.Record:
		return types.NewStringInterfaceMap(a, v)
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case []any:
		return types.NewDynamicList(a, v)
	case []string:
		return types.NewStringList(a, v)
	}
	return a.Adapter.NativeToValue(v)
}

// maxThaw is how deep a result may be nested, maxItems how many values it may hold.
const (
	maxThaw  = 100
	maxItems = 100_000
)

// thaw returns the JSON-like form of a result.
func thaw(v ref.Val, depth int, budget *int) (any, error) {
	if *budget--; depth > maxThaw || *budget < 0 {
		return nil, core.E("rules.Eval", core.Limit, "the result is too large: at most 100,000 values, nested 100 deep")
	}
	switch v := v.(type) {
	case traits.Mapper:
		out := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			item, err := thaw(v.Get(key), depth+1, budget)
			if err != nil {
				return nil, err
			}
			out[fmt.Sprint(key.Value())] = item
		}
		return out, nil
	case traits.Lister:
		out := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, err := thaw(it.Next(), depth+1, budget)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	case types.Uint:
		return decimal.NewFromUint64(uint64(v)), nil
	case types.Bytes:
		return string(v), nil
	}
	return native(v), nil
}
