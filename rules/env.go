package rules

import (
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"colonnade/core"
)

// The limits of an expression.
const (
	maxSource = 10_000  // bytes
	maxNodes  = 1_000   // of the tree
	maxDepth  = 100     // of the tree
	maxWeight = 10_000  // nodes of the SQL, in which some operands stand more than once
	maxDigits = 1_000   // of a decimal, on each side of the point
	maxCost   = 500_000 // of an evaluation with loops
)

// null is NULL: see the comment of the package.
var null = &types.Unknown{}

// nowName is the variable that now() reads; no source can spell it.
const (
	nowName   = "@now"
	todayName = "@today"
)

var celTypes = map[string]*cel.Type{
	"string": cel.StringType, "int": cel.IntType, "double": cel.DoubleType, "bool": cel.BoolType,
	"timestamp": cel.TimestampType, "datetime": datetimeType, "duration": durationType, "decimal": decimalType, "choices": choicesType, "json": jsonType, "dyn": cel.DynType,
}

var callerFields = []string{"user", "unit", "below", "teams", "roles"}

// rowEnv is the environment of expressions over a row, still without its columns.
var rowEnv = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{DisableMacros: true, IncludeFunctions: []*env.Function{
			{Name: "_&&_"}, {Name: "_||_"}, {Name: "!_"}, {Name: overloads.Matches},
		}})),
		cel.Macros(macros...),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(2 * maxDepth),
		cel.ExpressionNodeLimit(2 * maxNodes),
		cel.RegexProgramSizeLimit(1000),
		cel.Variable(nowName, cel.TimestampType), cel.Variable(todayName, cel.TimestampType),
		cel.Variable("caller.user", cel.StringType), cel.Variable("caller.unit", cel.StringType),
	}
	for _, list := range callerFields[2:] {
		opts = append(opts, cel.Variable("caller."+list, cel.ListType(cel.StringType)))
	}
	for _, f := range operatorTable {
		opts = append(opts, declare(f, func(o Overload) bool { return !o.std }, false))
	}
	for _, f := range aggregateTable {
		opts = append(opts, declare(f, func(Overload) bool { return true }, false))
	}
	for _, f := range Functions {
		if len(f.Overloads) > 0 && f.Name != overloads.Matches {
			opts = append(opts, declare(f, func(Overload) bool { return true }, true))
		}
	}
	return cel.NewCustomEnv(opts...)
})

// language is the environment of expressions over one table.
type language struct {
	*cel.Env
	schema *core.Schema // nil where no relation is reached
}

// tableEnv adds the columns of t.
func tableEnv(s *core.Schema, t *core.Table, o Options) (language, error) {
	base, err := rowEnv()
	if err != nil {
		return language{}, err
	}
	vars := make([]cel.EnvOption, 0, 2*len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		typ := celTypes[c.Kind.Info().CEL]
		if typ == nil {
			continue // of an action's argument
		}
		vars = append(vars, cel.Variable(c.Name, typ))
		if o.Old {
			vars = append(vars, cel.Variable(oldPrefix+c.Name, typ))
		}
	}
	if o.Old {
		vars = append(vars, ruleWords(o)...)
	}
	env, err := base.Extend(append(vars, policyVariables(o)...)...)
	return language{env, s}, err
}

const oldPrefix = "old."

// targetsEnv adds what reads other records.
func targetsEnv(base *cel.Env, targets map[string]target) (*cel.Env, error) {
	var vars []cel.EnvOption
	for key, p := range targets {
		if p.scope > 0 || len(p.steps) > 0 {
			vars = append(vars, cel.Variable(key, celTypes[p.column.Kind.Info().CEL]))
		}
	}
	if len(vars) == 0 {
		return base, nil
	}
	return base.Extend(vars...)
}

// declare makes f known to CEL, with those of its overloads that pass. When members is true, a.f(b) is f(a, b).
func declare(f Function, pass func(Overload) bool, members bool) cel.EnvOption {
	var opts []cel.FunctionOpt
	for i, o := range f.Overloads {
		if o.macro || !pass(o) {
			continue
		}
		args, result := o.types()
		id := overloadID(f.Name, i)
		opts = append(opts, cel.Overload(id, args, result, o.binding()...))
		if members {
			opts = append(opts, cel.MemberOverload(id+"m", args, result, o.binding()...))
		}
	}
	if len(opts) == 0 {
		return func(e *cel.Env) (*cel.Env, error) { return e, nil }
	}
	return cel.Function(f.Name, opts...)
}

// types reads the signature.
func (o Overload) types() (args []*cel.Type, result *cel.Type) {
	before, after, _ := strings.Cut(o.Signature, ": ")
	if before == "" {
		return nil, typeNamed(after)
	}
	for _, name := range strings.Split(before, ", ") {
		args = append(args, typeNamed(name))
	}
	return args, typeNamed(after)
}

func typeNamed(name string) *cel.Type {
	if item, ok := strings.CutPrefix(name, "list("); ok {
		return cel.ListType(typeNamed(strings.TrimSuffix(item, ")")))
	}
	return celTypes[name]
}

// typeName is the inverse of typeNamed, in the words of core.KindInfo.
func typeName(t *cel.Type) string {
	if t == nil {
		return ""
	}
	if t.IsExactType(cel.TimestampType) {
		return "timestamp"
	}
	return t.String()
}

func (o Overload) binding() []cel.OverloadOpt {
	var out []cel.OverloadOpt
	switch f := o.call.(type) {
	case func(ref.Val) ref.Val:
		out = append(out, cel.UnaryBinding(f))
	case func(ref.Val, ref.Val) ref.Val:
		out = append(out, cel.BinaryBinding(f))
	case func(...ref.Val) ref.Val:
		out = append(out, cel.FunctionBinding(f))
	}
	if o.lenient {
		out = append(out, cel.OverloadIsNonStrict())
	}
	return out
}
