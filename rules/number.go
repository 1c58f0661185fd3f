package rules

import (
	"errors"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"

	"colonnade/core/formula"
)

var numberFunctions = []Function{
	{"abs", "A number without its sign.", []Overload{
		{Signature: "int: int", SQLite: "int_abs($1)", Postgres: integer("abs($1::numeric)"), call: absInt},
		{Signature: "decimal: decimal", SQLite: "decimal_abs($1)", Postgres: "abs($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Abs()} })},
	}, []string{"abs(-2) == 2", "abs(-2.5) == 2.5", "isNull(abs(-9223372036854775807 - 1))"}},

	{"sign", "1 for a number above zero, -1 for one below, 0 for zero.", []Overload{
		{Signature: "int: int", SQLite: "decimal_sign($1)", Postgres: "(sign($1::numeric)::bigint)", call: signOf},
		{Signature: "decimal: int", SQLite: "decimal_sign($1)", Postgres: "(sign($1)::bigint)", call: signOf},
	}, []string{"sign(-2.5) == -1", "sign(0) == 0"}},

	{"round", "A number rounded to digits after the point, 0 when not given; half away from zero.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_round($1, 0)", Postgres: "round($1, 0)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Round(0)} })},
		{Signature: "decimal, int: decimal", SQLite: "decimal_round($1, $2)", Postgres: "round($1, $2::int)", Literal: 2, call: round},
	}, []string{"round(2.5) == 3", "round(-2.5) == -3", "round(1.005, 2) == 1.01", "round(149.9, -2) == 100"}},

	{"trunc", "A number without the digits after the point, or after so many of them.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_trunc($1, 0)", Postgres: "trunc($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.RoundDown(0)} })},
		{Signature: "decimal, int: decimal", SQLite: "decimal_trunc($1, $2)", Postgres: "trunc($1, $2::int)", Literal: 2, call: places(decimal.Decimal.RoundDown)},
	}, []string{"trunc(2.9) == 2", "trunc(-2.99, 1) == -2.9", "trunc(199.9, -2) == 100"}},

	{"floor", "The greatest whole number that is not above a number.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_floor($1)", Postgres: "floor($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Floor()} })},
	}, []string{"floor(2.9) == 2", "floor(-2.1) == -3"}},

	{"ceil", "The smallest whole number that is not below a number.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_ceil($1)", Postgres: "ceil($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Ceil()} })},
	}, []string{"ceil(2.1) == 3", "ceil(-2.9) == -2"}},

	{"mod", "What is left of a division rounded down: it has the sign of the divisor. The operator % has that of the dividend.", []Overload{
		{Signature: "int, int: int", SQLite: "CAST(decimal_mod($1, $2) AS INTEGER)", Postgres: "(number_mod($1::numeric, $2)::bigint)", call: modOf},
		{Signature: "decimal, decimal: decimal", SQLite: "decimal_mod($1, $2)", Postgres: "number_mod($1, $2)", call: modOf},
		{Signature: "decimal, int: decimal", call: modOf},
		{Signature: "int, decimal: decimal", call: modOf},
	}, []string{"mod(7, 3) == 1", "mod(-7, 3) == 2", "mod(7, -3) == -2", "mod(5.5, 2) == 1.5", "isNull(mod(1, 0))", "-7 % 3 == -1"}},

	{"power", "A number multiplied with itself so many times, at most 100. The exponent of a decimal is a literal.", []Overload{
		{Signature: "int, int: int", SQLite: "decimal_int(decimal_power($1, $2))", Postgres: integer("number_power($1, $2)"), call: power},
		{Signature: "decimal, int: decimal", SQLite: "decimal_power($1, $2)", Postgres: "number_power($1, $2)", Literal: 2, most: formula.MaxPower, call: power},
	}, []string{"power(2, 10) == 1024", "power(1.05, 2) == 1.1025", "power(7, 0) == 1", "isNull(power(10, 19))", "isNull(power(2, -1))"}},

	{"sqrt", "The square root of a number, rounded to 20 digits after the point. NULL below zero.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_sqrt($1)", Postgres: "number_sqrt($1)", call: sqrt},
		{Signature: "int: decimal", SQLite: "decimal_sqrt($1)", Postgres: "number_sqrt($1)", call: sqrt},
	}, []string{"sqrt(2.25) == 1.5", "sqrt(2) == 1.4142135623730950488", "isNull(sqrt(-1))"}},

	{"int", "A whole number: of a decimal without what follows the point, or read from a text.", []Overload{
		{Signature: "decimal: int", SQLite: "decimal_int($1)", Postgres: integer("trunc($1)"), call: unaryDecimal(decimalInt)},
		{Signature: "string: int", SQLite: "text_int($1)", Postgres: integer(`substring($1 from '^-?[0-9]{1,30}$')::numeric`), call: unaryText(textInt)},
		{Signature: "int: int", SQLite: "$1", Postgres: "$1", call: func(v ref.Val) ref.Val { return v }},
	}, []string{"int(2.9) == 2", "int(-2.9) == -2", "int('12') == 12", "isNull(int('12abc'))", "isNull(int('99999999999999999999'))"}},

	{"decimal", "An exact number: of an integer, of a float, of the seconds of a duration, or read from a text.", []Overload{
		{Signature: "int: decimal", SQLite: "CAST($1 AS TEXT)", Postgres: "($1::numeric)", call: decimalOf},
		{Signature: "double: decimal", SQLite: "float_decimal($1)", Postgres: bounded("round($1::text::numeric, 30)", "1000000000000000000000000000000", "-1000000000000000000000000000000"), call: decimalOf},
		{Signature: "string: decimal", SQLite: "text_decimal($1)", Postgres: `(substring($1 from '^-?[0-9]{1,30}(?:\.[0-9]{1,30})?$')::numeric)`, call: unaryText(decimalFrom)},
		{Signature: "duration: decimal", SQLite: "decimal_mul($1, '0.000001')", Postgres: "($1 * 0.000001)", call: func(v ref.Val) ref.Val { return dec{decimal.New(int64(v.(span)), -6)} }},
		{Signature: "decimal: decimal", SQLite: "$1", Postgres: "$1", call: func(v ref.Val) ref.Val { return v }},
	}, []string{"decimal(duration('PT1M0.5S')) == 60.5", "decimal(2) == 2.0", "decimal('1.50') == 1.5", "isNull(decimal('1.'))"}},

	{"dec", "The number that a literal text spells, as in dec('1.19'); the same as the literal 1.19.", []Overload{
		{Signature: "string: decimal", Literal: 1, call: unaryText(decimalFrom)},
	}, []string{"dec('1.19') * 100 == 119"}},

	{"format", "A number or a time as a text, in the form of a literal pattern. Of numbers: 0 is a digit that is always there, # one that may be missing, and a sign between # and ## groups thousands. Of times: yyyy yy, MMMM MMM MM M, dd d, EEEE EEE, HH, mm, ss, and texts in quotes; names are English.", formats(),
		[]string{"format(1234.5, '#,##0.00') == '1,234.50'", "format(-1234567.891, '#.##0,0') == '-1.234.567,9'", "format(7, '0000') == '0007'", "format(2.50, '0.##') == '2.5'", "format(date('2024-05-01'), 'dd.MM.yyyy') == '01.05.2024'",
			"format(datetime('2024-05-01T08:05:09'), \"EEEE, d MMMM yyyy 'at' HH:mm\") == 'Wednesday, 1 May 2024 at 08:05'", "format(timestamp('2024-05-01T22:30:00Z'), 'yyyy-MM-dd HH:mm', 'Europe/Berlin') == '2024-05-02 00:30'"}},
}

func absInt(v ref.Val) ref.Val {
	i := v.(types.Int)
	if i < 0 {
		i = -i
	}
	if i < 0 {
		return null
	}
	return i
}

var round = places(decimal.Decimal.Round)

// places is a function of a number and how many digits stay after the point.
func places(f func(decimal.Decimal, int32) decimal.Decimal) any {
	return func(v, n ref.Val) ref.Val {
		d, ok := toDecimal(v)
		places := n.(types.Int)
		if !ok || places < -numberDigits || places > numberDigits {
			return null
		}
		return dec{f(d, int32(places))}
	}
}

func signOf(v ref.Val) ref.Val {
	d, ok := toDecimal(v)
	return perhaps(types.Int(d.Sign()), ok)
}

// modOf gives an integer for two of them.
func modOf(a, b ref.Val) ref.Val {
	x, ok := toDecimal(a)
	y, ok2 := toDecimal(b)
	if !ok || !ok2 {
		return null
	}
	d, ok := formula.Mod(x, y)
	if !ok {
		return null
	}
	return likewise(d, a, b)
}

// likewise returns d as an integer where all others are, NULL where that is too large.
func likewise(d decimal.Decimal, others ...ref.Val) ref.Val {
	for _, v := range others {
		if v.Type() != types.IntType {
			return dec{d}
		}
	}
	return decimalInt(d)
}

func power(v, n ref.Val) ref.Val {
	d, ok := toDecimal(v)
	if !ok {
		return null
	}
	d, ok = formula.Power(d, int64(n.(types.Int)))
	if !ok {
		return null
	}
	return likewise(d, v)
}

func sqrt(v ref.Val) ref.Val {
	d, ok := toDecimal(v)
	if !ok {
		return null
	}
	d, ok = formula.Sqrt(d)
	return perhaps(dec{d}, ok)
}

func decimalInt(d decimal.Decimal) ref.Val {
	if b := d.Truncate(0).BigInt(); b.IsInt64() {
		return types.Int(b.Int64())
	}
	return null
}

func decimalOf(v ref.Val) ref.Val {
	d, ok := toDecimal(v)
	if !ok {
		return null
	}
	return dec{d}
}

func decimalFrom(s string) ref.Val {
	d, ok := textDecimal(s)
	if !ok {
		return null
	}
	return dec{d}
}

func textInt(s string) ref.Val {
	d, ok := textDecimal(s)
	if !ok || strings.IndexByte(s, '.') >= 0 {
		return null
	}
	return decimalInt(d)
}

// formats are the signatures of format.
func formats() []Overload {
	number := Overload{SQLite: "decimal_format($1, $2)", Postgres: "number_format($1::numeric, #1::int, #2::int, #3::int, #4::text, #5::text)", Literal: 2, check: checkNumberPattern, call: formatValue, derive: func(literal string) []any {
		p, _ := formula.ParseNumberPattern(literal)
		return []any{int64(p.Whole), int64(p.Least), int64(p.Most), p.Group, p.Point}
	}}
	times := Overload{SQLite: "time_format($1, $2)", Postgres: "to_char(@1, #1::text)", Literal: 2, check: checkTimePattern, call: formatValue, derive: func(literal string) []any {
		p, _ := formula.ParseTimePattern(literal)
		return []any{p.Postgres()}
	}}
	out := []Overload{number, number}
	out[0].Signature, out[1].Signature = "decimal, string: string", "int, string: string"
	return append(append(out, ofTime(", string: string", times)...), Overload{Signature: "timestamp, string, string: string", macro: true})
}

func formatValue(v, pattern ref.Val) ref.Val {
	s := string(pattern.(types.String))
	if t, _, ok := timeOf(v); ok {
		p, ok := formula.ParseTimePattern(s)
		return perhaps(types.String(p.Format(t.UTC())), ok)
	}
	p, ok := formula.ParseNumberPattern(s)
	d, ok2 := toDecimal(v)
	return perhaps(types.String(p.Format(d)), ok && ok2)
}

func checkNumberPattern(s string) error {
	if _, ok := formula.ParseNumberPattern(s); !ok {
		return wrongLiteral(s, "pattern of a number: write one like '#,##0.00', '#.##0,00', '0.##' or '00000'")
	}
	return nil
}

func checkTimePattern(s string) error {
	if _, ok := formula.ParseTimePattern(s); !ok {
		return wrongLiteral(s, "pattern of a time: it consists of yyyy, yy, MMMM, MMM, MM, M, dd, d, EEEE, EEE, HH, mm, ss and texts, whose letters stand in quotes")
	}
	return nil
}

// wrongLiteral says that a literal is not what a function takes.
func wrongLiteral(s, what string) error {
	return errors.New(strconv.Quote(s) + " is no " + what)
}
