package rules

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/shopspring/decimal"
)

// operatorTable are the operators as functions. Those without a template are printed by hand; those of mixed numbers are
// gone before printing, see settle.
var operatorTable = []Function{
	{Name: operators.LogicalAnd, Overloads: []Overload{{Signature: "bool, bool: bool", SQLite: "($1 AND $2)", Postgres: "($1 AND $2)", std: true}}},
	{Name: operators.LogicalOr, Overloads: []Overload{{Signature: "bool, bool: bool", SQLite: "($1 OR $2)", Postgres: "($1 OR $2)", std: true}}},
	{Name: operators.LogicalNot, Overloads: []Overload{{Signature: "bool: bool", SQLite: "(NOT $1)", Postgres: "(NOT $1)", std: true}}},

	{Name: operators.Add, Overloads: arithmetic("int_add($1, $2)", "$1::numeric + $2", types.Int.Add, "decimal_add($1, $2)", "($1 + $2)", decimal.Decimal.Add,
		append([]Overload{{Signature: "string, string: string", SQLite: "($1 || $2)", Postgres: "($1 || $2)", call: func(a, b ref.Val) ref.Val { return a.(types.String) + b.(types.String) }}}, addTimes...)...)},
	{Name: operators.Subtract, Overloads: arithmetic("int_sub($1, $2)", "$1::numeric - $2", types.Int.Subtract, "decimal_sub($1, $2)", "($1 - $2)", decimal.Decimal.Sub, subtractTimes...)},
	{Name: operators.Multiply, Overloads: arithmetic("int_mul($1, $2)", "$1::numeric * $2", types.Int.Multiply, "decimal_mul($1, $2)", "($1 * $2)", decimal.Decimal.Mul, multiplyTimes...)},
	{Name: operators.Divide, Overloads: arithmetic("int_div($1, $2)", "div($1::numeric, nullif($2, 0))", types.Int.Divide, "decimal_div($1, $2)",
		// The digits after the 20th decide the rounding by their first one, so 21 truncated digits are enough.
		"round(div($1 * 1000000000000000000000, nullif($2, 0)) * 0.000000000000000000001, 20)", nil)},
	{Name: operators.Modulo, Overloads: []Overload{
		{Signature: "int, int: int", SQLite: "($1 % $2)", Postgres: "mod($1, nullif($2, 0))", call: modulo},
	}},
	{Name: operators.Negate, Overloads: append([]Overload{
		{Signature: "int: int", SQLite: "int_sub(0, $1)", Postgres: integer("- $1::numeric"), call: func(v ref.Val) ref.Val { return v.(types.Int).Negate() }},
		{Signature: "decimal: decimal", SQLite: "decimal_sub('0', $1)", Postgres: "(- $1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Neg()} })},
	}, negateTimes...)},

	{Name: operators.Equals, Overloads: comparison(nil, "bool", "choices")},
	{Name: operators.NotEquals, Overloads: comparison(nil, "bool", "choices")},
	{Name: operators.Less, Overloads: comparison(func(c int) bool { return c < 0 })},
	{Name: operators.LessEquals, Overloads: comparison(func(c int) bool { return c <= 0 })},
	{Name: operators.Greater, Overloads: comparison(func(c int) bool { return c > 0 })},
	{Name: operators.GreaterEquals, Overloads: comparison(func(c int) bool { return c >= 0 })},

	{Name: operators.Conditional, Overloads: conditional()},
	{Name: operators.In, Overloads: membership()},
}

// arithmetic are the signatures of an operator of numbers. f is nil for the division.
func arithmetic(sqliteInt, postgresInt string, integers func(types.Int, ref.Val) ref.Val, sqliteDecimal, postgresDecimal string, f func(a, b decimal.Decimal) decimal.Decimal, more ...Overload) []Overload {
	call := func(a, b ref.Val) ref.Val {
		x, ok := toDecimal(a)
		y, ok2 := toDecimal(b)
		switch {
		case !ok || !ok2:
			return null
		case f != nil:
			return dec{f(x, y)}
		case y.IsZero():
			return null
		}
		return dec{x.DivRound(y, quotientScale)}
	}
	return append([]Overload{
		{Signature: "int, int: int", SQLite: sqliteInt, Postgres: integer(postgresInt), call: func(a, b ref.Val) ref.Val { return integers(a.(types.Int), b) }},
		{Signature: "decimal, decimal: decimal", SQLite: sqliteDecimal, Postgres: postgresDecimal, call: call},
		{Signature: "decimal, int: decimal", call: call},
		{Signature: "int, decimal: decimal", call: call},
	}, more...)
}

func modulo(a, b ref.Val) ref.Val {
	switch b := b.(types.Int); b {
	case 0:
		return null
	case -1: // where Go overflows
		return types.IntZero
	default:
		return a.(types.Int) % b
	}
}

// numbers are the types that meet in a comparison.
var numbers = []string{"int", "decimal", "double"}

// comparison are the signatures of a comparison: of values of one type, and of any two numbers. holds is nil for
// == and !=, which CEL evaluates itself.
func comparison(holds func(int) bool, more ...string) []Overload {
	var call any
	if holds != nil {
		call = func(a, b ref.Val) ref.Val {
			c, ok := compare(a, b)
			if !ok {
				return null
			}
			return types.Bool(holds(c))
		}
	}
	var out []Overload
	for _, t := range append([]string{"string", "timestamp", "datetime", "duration"}, more...) {
		out = append(out, Overload{Signature: t + ", " + t + ": bool", call: call})
	}
	for _, a := range numbers {
		for _, b := range numbers {
			out = append(out, Overload{Signature: a + ", " + b + ": bool", call: call})
		}
	}
	return out
}

func conditional() []Overload {
	var out []Overload
	for _, p := range pairs("", "", false, nil) {
		p.Signature = "bool, " + p.Signature
		p.SQLite = "CASE $1 WHEN TRUE THEN $2 WHEN FALSE THEN $3 END" // the condition stands once, and NULL meets no branch
		p.Postgres = p.SQLite
		out = append(out, p)
	}
	return out
}

func membership() []Overload {
	call := func(v, list ref.Val) ref.Val { return list.(traits.Container).Contains(v) }
	out := []Overload{{Signature: "string, choices: bool", SQLite: "choices_has($2, $1)", Postgres: "(coalesce($2, '[]') ? $1)", lenient: true, call: includes}}
	for _, s := range []string{
		"string, list(string)", "int, list(int)", "timestamp, list(timestamp)", "datetime, list(datetime)", "duration, list(duration)", "decimal, list(decimal)", "double, list(double)",
		"int, list(decimal)", "decimal, list(int)", "double, list(int)", "double, list(decimal)",
	} {
		out = append(out, Overload{Signature: s + ": bool", call: call})
	}
	return out
}
