package rules

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// macros are what is written in the place of a call when an expression is parsed.
var macros = func() []cel.Macro {
	var out []cel.Macro
	for _, s := range shorthands {
		write := func(eh parser.ExprHelper, target ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
			if target != nil {
				args = append([]ast.Expr{target}, args...)
			}
			return s.write(eh, args), nil
		}
		out = append(out, parser.NewGlobalMacro(s.name, s.args, write))
		if s.args > 0 {
			out = append(out, parser.NewReceiverMacro(s.name, s.args-1, write))
		}
	}
	return append(out, nested("coalesce", 2, 0), nested("join", 3, 1))
}()

// shorthand is a function that is written with others.
type shorthand struct {
	name  string
	args  int
	write func(eh parser.ExprHelper, args []ast.Expr) ast.Expr
}

var shorthands = append([]shorthand{
	{"now", 0, func(eh parser.ExprHelper, _ []ast.Expr) ast.Expr { return eh.NewIdent(nowName) }},
	{"today", 0, func(eh parser.ExprHelper, _ []ast.Expr) ast.Expr { return eh.NewIdent(todayName) }},
	{"age", 1, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall("yearsBetween", a[0], eh.NewIdent(todayName))
	}},
	{"clamp", 3, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall("min", eh.NewCall("max", a[0], a[1]), a[2])
	}},
	{"padLeft", 2, withText("padLeft", " ")}, {"padRight", 2, withText("padRight", " ")},
	{"addWorkdays", 2, withText("addWorkdays", "")}, {"workdaysBetween", 2, withText("workdaysBetween", "")},
	{"addWeeks", 2, times("addDays", 7)}, {"addYears", 2, times("addMonths", 12)},
	{"addHours", 2, longer("PT1H")}, {"addMinutes", 2, longer("PT1M")},

	{"datetime", 2, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr { return eh.NewCall("inZone", a...) }},
	{"timestamp", 2, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr { return eh.NewCall("fromZone", a...) }},
	{"format", 3, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall("format", eh.NewCall("inZone", a[0], a[2]), a[1])
	}},
	{"startOf", 3, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall("fromZone", eh.NewCall("startOf", eh.NewCall("inZone", a[0], a[2]), a[1]), eh.Copy(a[2]))
	}},
	{"endOf", 3, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall("date", eh.NewCall("endOf", eh.NewCall("inZone", a[0], a[2]), a[1]))
	}},
}, inZones("date", "year", "quarter", "month", "week", "weekYear", "day", "dayOfYear", "weekday", "hour", "minute")...)

// inZones are functions of a moment that take a zone besides.
func inZones(names ...string) []shorthand {
	out := make([]shorthand, len(names))
	for i, name := range names {
		out[i] = shorthand{name, 2, func(eh parser.ExprHelper, a []ast.Expr) ast.Expr { return eh.NewCall(name, eh.NewCall("inZone", a...)) }}
	}
	return out
}

// withText adds a literal text as last argument.
func withText(name, text string) func(parser.ExprHelper, []ast.Expr) ast.Expr {
	return func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall(name, append(slices.Clone(a), eh.NewLiteral(types.String(text)))...)
	}
}

// times calls a function with n times the second argument.
func times(name string, n int64) func(parser.ExprHelper, []ast.Expr) ast.Expr {
	return func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall(name, a[0], eh.NewCall(operators.Multiply, a[1], eh.NewLiteral(types.Int(n))))
	}
}

// longer adds so many units to a time.
func longer(unit string) func(parser.ExprHelper, []ast.Expr) ast.Expr {
	return func(eh parser.ExprHelper, a []ast.Expr) ast.Expr {
		return eh.NewCall(operators.Add, a[0], eh.NewCall(operators.Multiply, eh.NewCall("duration", eh.NewLiteral(types.String(unit))), a[1]))
	}
}

// nested is a function of so many arguments or more, of which it takes so many at once: the first ones stay.
func nested(name string, atOnce, stay int) cel.Macro {
	return parser.NewGlobalVarArgMacro(name, func(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		if len(args) <= atOnce {
			return nil, nil // the function itself
		}
		out := args[len(args)-1]
		for i := len(args) - 2; i >= stay; i-- {
			var first []ast.Expr
			for _, x := range args[:stay] {
				first = append(first, eh.Copy(x))
			}
			out = eh.NewCall(name, append(first, args[i], out)...)
		}
		return out, nil
	})
}
