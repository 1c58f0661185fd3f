package rules

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"

	"colonnade/core"
)

// Function is one function of the language, in memory and on every database. f(a, b) and a.f(b) are the same.
type Function struct {
	Name      string
	Doc       string
	Overloads []Overload
	Examples  []string // expressions that are true; they run in memory and on every database
}

// Overload is one signature of a [Function].
//
// The templates are SQL text in which $1, $2 ... stand for the arguments. An argument is one operand: it needs no
// parentheses, and neither must the template. A text is text, an integer is bigint, a decimal is numeric (in SQLite a
// text, to be compared with COLLATE decimal), a moment is timestamptz (in SQLite a text in core.TimeLayout), a datetime is
// timestamp (in SQLite a text in core.CivilLayout), a duration is bigint.
// Without a template the overload works in memory only.
type Overload struct {
	Signature string // of the types string, int, double, bool, timestamp, datetime, duration, decimal and dyn, like "string, int: bool"
	SQLite    string
	Postgres  string
	Literal   int // the argument, counted from 1, that must be a literal; 0 for none

	check func(string) error // of a literal text that stays one; without it call makes a value of the text

	call    any  // func of one, two or more ref.Val to ref.Val; nil where CEL itself evaluates
	std     bool // CEL's own library has it
	lenient bool // is called with NULLs too
}

// Functions are the functions, in the order of the reference. A new one is a new row.
var Functions = []Function{
	{"isNull", "Whether there is no value.", []Overload{
		{Signature: "dyn: bool", SQLite: "($1 IS NULL)", Postgres: "($1 IS NULL)", lenient: true, call: isNull},
	}, []string{"isNull(1 / 0)", "!isNull('')"}},

	{"coalesce", "The first of the arguments that has a value.", pairs("(coalesce($1, $2))", "(coalesce($1, $2))", true, coalesce),
		[]string{"coalesce(1 / 0, 2) == 2", "coalesce(1 / 0, 2.5) == 2.5", "coalesce('', 'a') == ''", "coalesce(1 / 0, 2 / 0, 3) == 3"}},

	{"contains", "Whether a text has another in it. Upper and lower case differ.", []Overload{
		{Signature: "string, string: bool", SQLite: "(instr($1, $2) > 0)", Postgres: "(strpos($1, $2) > 0)", call: testTexts(strings.Contains)},
	}, []string{"'acme'.contains('cm')", "!'acme'.contains('CM')", "'acme'.contains('')", "'100%'.contains('%')"}},

	{"startsWith", "Whether a text begins with another.", []Overload{
		{Signature: "string, string: bool", SQLite: "(substr($1, 1, length($2)) = $2)", Postgres: "starts_with($1, $2)", call: testTexts(strings.HasPrefix)},
	}, []string{"'acme'.startsWith('ac')", "!'acme'.startsWith('cm')", "'äö'.startsWith('ä')", "'a'.startsWith('')"}},

	{"endsWith", "Whether a text ends with another.", []Overload{
		{Signature: "string, string: bool", SQLite: "text_ends($1, $2)", Postgres: "(right($1, length($2)) = $2)", call: testTexts(strings.HasSuffix)},
	}, []string{"'acme'.endsWith('me')", "!'acme'.endsWith('cm')", "'äö'.endsWith('ö')", "'a'.endsWith('')", "!'a'.endsWith('aa')"}},

	{"matches", "Whether a regular expression (RE2) finds something in a text. In memory only: not in formulas and row conditions.", []Overload{
		{Signature: "string, string: bool", std: true, Literal: 2, check: checkPattern},
	}, []string{"'acme'.matches('^a.*e$')"}},

	{"size", "The number of characters of a text, or of values of choices.", []Overload{
		{Signature: "string: int", SQLite: "length($1)", Postgres: "(length($1)::bigint)", call: unaryText(func(s string) ref.Val { return types.Int(utf8.RuneCountInString(s)) })},
		{Signature: "choices: int", SQLite: "json_array_length(coalesce($1, '[]'))", Postgres: "(jsonb_array_length(coalesce($1, '[]'))::bigint)", lenient: true, call: countChoices},
	}, []string{"size('äö') == 2", "''.size() == 0", "size(choices('a;b')) == 2"}},

	{"lower", "A text with the letters A to Z made small. Other letters stay, so that every database agrees.", []Overload{
		{Signature: "string: string", SQLite: "lower($1)", Postgres: `(lower($1 COLLATE "C"))`, call: unaryText(func(s string) ref.Val { return types.String(mapASCII(s, 'A', 'Z', 32)) })},
	}, []string{"'AcMe'.lower() == 'acme'", "lower('Ä') == 'Ä'"}},

	{"upper", "A text with the letters a to z made capital. Other letters stay, so that every database agrees.", []Overload{
		{Signature: "string: string", SQLite: "upper($1)", Postgres: `(upper($1 COLLATE "C"))`, call: unaryText(func(s string) ref.Val { return types.String(mapASCII(s, 'a', 'z', -32)) })},
	}, []string{"'AcMe'.upper() == 'ACME'", "upper('ä') == 'ä'"}},

	{"trim", "A text without blanks, tabs and line ends at its ends.", []Overload{
		{Signature: "string: string", SQLite: "trim($1, char(32, 9, 10, 13))", Postgres: `btrim($1, E' \t\n\r')`, call: unaryText(func(s string) ref.Val { return types.String(strings.Trim(s, " \t\n\r")) })},
	}, []string{`' a b\n\t'.trim() == 'a b'`, "trim('') == ''"}},

	{"substring", "The characters from a position, counted from 0, up to another or to the end.", []Overload{
		{Signature: "string, int: string", SQLite: "text_after($1, $2)", Postgres: "substr($1, " + position("$2") + " + 1)", call: func(s, from ref.Val) ref.Val { return substring(s, from) }},
		{Signature: "string, int, int: string", SQLite: "text_part($1, $2, $3)", Postgres: "substr($1, " + position("$2") + " + 1, " + position("$3::numeric - $2") + ")", call: substring},
	}, []string{"'acme'.substring(1) == 'cme'", "'acme'.substring(1, 3) == 'cm'", "'äöü'.substring(1, 9) == 'öü'", "'a'.substring(5) == ''", "isNull('a'.substring(2, 1))", "isNull('a'.substring(-1))"}},

	{"replace", "A text with every occurrence of a part replaced. NULL when the result could exceed a million characters.", []Overload{
		{Signature: "string, string, string: string",
			SQLite:   "CASE WHEN length($3) <= length($2) OR length($1) * length($3) <= 1000000 THEN replace($1, $2, $3) END",
			Postgres: "CASE WHEN length($3) <= length($2) OR length($1)::bigint * length($3) <= 1000000 THEN replace($1, $2, $3) END",
			call:     replace},
	}, []string{"'a-b-c'.replace('-', '') == 'abc'", "'aa'.replace('a', 'aa') == 'aaaa'", "'a'.replace('', 'x') == 'a'"}},

	{"choices", "Several values of a list of options, of a literal text with semicolons between them. Test with in: no value is the same as NULL, and has nothing in it.", []Overload{
		{Signature: "string: choices", Literal: 1, call: unaryText(choicesOf)},
	}, []string{"'b' in choices('a;b')", "choices('b; a') == choices('a;b')", "!('c' in choices('a;b'))"}},

	{"with", "Choices and one more value. In memory only: not in formulas and row conditions.", []Overload{
		{Signature: "choices, string: choices", lenient: true, call: changeChoices(func(c []string, s string) []string { return append(c, s) })},
	}, []string{"choices('a').with('b') == choices('a;b')"}},

	{"without", "Choices without a value. In memory only: not in formulas and row conditions.", []Overload{
		{Signature: "choices, string: choices", lenient: true, call: changeChoices(func(c []string, s string) []string {
			return slices.DeleteFunc(c, func(have string) bool { return have == s })
		})},
	}, []string{"choices('a;b').without('b') == choices('a')", "isNull(choices('a').without('a'))"}},

	{"pick", "The text that a literal JSON object has for a key, NULL when it has none.", []Overload{
		{Signature: "string, string: string", SQLite: "json_pick($1, $2)", Postgres: "($2::jsonb ->> $1)", Literal: 2, check: checkTexts,
			call: pickFrom(func(s string) ref.Val { return types.String(s) })},
	}, []string{`pick('de', '{"de": "Germany", "fr": "France"}') == 'Germany'`, `isNull(pick('us', '{"de": "Germany"}'))`}},

	{"pickAll", "The choices that a literal JSON object has for a key, each a list of texts; NULL when it has none.", []Overload{
		{Signature: "string, string: choices", SQLite: "json_pick($1, $2)", Postgres: "nullif($2::jsonb -> $1, '[]')", Literal: 2, check: checkChoices,
			call: pickFrom(newChoices)},
	}, []string{`'b' in pickAll('x', '{"x": ["a", "b"]}')`}},

	{"abs", "A number without its sign.", []Overload{
		{Signature: "int: int", SQLite: "int_abs($1)", Postgres: integer("abs($1::numeric)"), call: absInt},
		{Signature: "decimal: decimal", SQLite: "decimal_abs($1)", Postgres: "abs($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Abs()} })},
	}, []string{"abs(-2) == 2", "abs(-2.5) == 2.5", "isNull(abs(-9223372036854775807 - 1))"}},

	{"round", "A number rounded to digits after the point, 0 when not given; half away from zero.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_round($1, 0)", Postgres: "round($1, 0)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Round(0)} })},
		{Signature: "decimal, int: decimal", SQLite: "decimal_round($1, $2)", Postgres: "round($1, $2::int)", Literal: 2, call: round},
	}, []string{"round(2.5) == 3", "round(-2.5) == -3", "round(1.005, 2) == 1.01", "round(149.9, -2) == 100"}},

	{"floor", "The greatest whole number that is not above a number.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_floor($1)", Postgres: "floor($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Floor()} })},
	}, []string{"floor(2.9) == 2", "floor(-2.1) == -3"}},

	{"ceil", "The smallest whole number that is not below a number.", []Overload{
		{Signature: "decimal: decimal", SQLite: "decimal_ceil($1)", Postgres: "ceil($1)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return dec{d.Ceil()} })},
	}, []string{"ceil(2.1) == 3", "ceil(-2.9) == -2"}},

	{"min", "The smaller of two values, NULL when one is NULL.", ordered("CASE WHEN $1 <= $2 THEN $1 WHEN $1 > $2 THEN $2 END", "min($1, $2)", "decimal_min($1, $2)", func(c int) bool { return c <= 0 }),
		[]string{"min(1, 2) == 1", "min(1.5, 1) == 1", "isNull(min(1, 1 / 0))", "min(date('2024-01-01'), date('2023-01-01')) == date('2023-01-01')"}},

	{"max", "The greater of two values, NULL when one is NULL.", ordered("CASE WHEN $1 >= $2 THEN $1 WHEN $1 < $2 THEN $2 END", "max($1, $2)", "decimal_max($1, $2)", func(c int) bool { return c >= 0 }),
		[]string{"max(1, 2) == 2", "max(1.5, 1) == 1.5", "isNull(max(1 / 0, 1))"}},

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

	{"string", "A text: of an integer, of a decimal without needless zeros, or of a boolean.", []Overload{
		{Signature: "int: string", SQLite: "CAST($1 AS TEXT)", Postgres: "($1::text)", call: func(v ref.Val) ref.Val { return types.String(strconv.FormatInt(int64(v.(types.Int)), 10)) }},
		{Signature: "decimal: string", SQLite: "decimal_text($1)", Postgres: "(trim_scale($1)::text)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return types.String(decimalText(d)) })},
		{Signature: "bool: string", SQLite: "CASE $1 WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END", Postgres: "CASE $1 WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END", call: func(v ref.Val) ref.Val { return types.String(strconv.FormatBool(bool(v.(types.Bool)))) }},
		{Signature: "string: string", SQLite: "$1", Postgres: "$1", call: func(v ref.Val) ref.Val { return v }},
	}, []string{"string(12) == '12'", "string(1.50) == '1.5'", "string(100.0) == '100'", "string(true) == 'true'"}},

	{"timestamp", "The moment that a literal text spells, as in timestamp('2024-05-01T12:00:00Z'); or that of a date and time without a zone, taken to be in UTC.", []Overload{
		{Signature: "string: timestamp", Literal: 1, call: moment(time.RFC3339Nano)},
		{Signature: "datetime: timestamp", SQLite: "($1 || '+00:00')", Postgres: "($1 AT TIME ZONE 'UTC')", call: func(v ref.Val) ref.Val { return types.Timestamp{Time: core.CivilTime(v.(civil)).Time()} }},
	}, []string{"timestamp(datetime('2024-05-01T12:00:00')) == timestamp('2024-05-01T12:00:00Z')", "timestamp('2024-05-01T12:00:00Z') > date('2024-05-01')"}},

	{"datetime", "The date and time without a zone that a literal text spells, as in datetime('2024-05-01T12:00:00'); or those of a moment in UTC.", []Overload{
		{Signature: "string: datetime", Literal: 1, call: unaryText(civilFrom)},
		{Signature: "timestamp: datetime", SQLite: "substr($1, 1, length($1) - 6)", Postgres: "($1 AT TIME ZONE 'UTC')", call: unaryTime(func(t time.Time) ref.Val { return civil(core.CivilTimeOf(t)) })},
	}, []string{"datetime('2024-05-01T12:00') + duration('PT36H') == datetime('2024-05-03T00:00:00')", "datetime(timestamp('2024-05-01T12:00:00+02:00')) == datetime('2024-05-01T10:00:00')"}},

	{"duration", "The length of time that a literal text spells, as in duration('PT1H30M') or duration('1h30m'). Add it to a time or to another, subtract it, multiply it with a whole number; a difference of two times is one.", []Overload{
		{Signature: "string: duration", Literal: 1, call: unaryText(durationFrom)},
	}, []string{"duration('PT90M') == duration('1h30m')", "timestamp('2024-03-01T00:00:00Z') - date('2024-02-28') == duration('P2D')", "isNull(timestamp('9999-12-31T00:00:00Z') + duration('P1D'))", "duration('PT20M') * 3 == duration('PT1H')"}},

	{"hours", "How many whole hours a duration has, toward zero.", []Overload{
		{Signature: "duration: int", SQLite: "($1 / 3600000000)", Postgres: "($1 / 3600000000)", call: wholeUnits(core.Hour)},
	}, []string{"hours(duration('P1DT1H59M')) == 25", "hours(duration('-PT90M')) == -1"}},

	{"minutes", "How many whole minutes a duration has, toward zero.", []Overload{
		{Signature: "duration: int", SQLite: "($1 / 60000000)", Postgres: "($1 / 60000000)", call: wholeUnits(core.Minute)},
	}, []string{"minutes(duration('PT2H59S')) == 120"}},

	{"seconds", "How many whole seconds a duration has, toward zero. See decimal for all of them.", []Overload{
		{Signature: "duration: int", SQLite: "($1 / 1000000)", Postgres: "($1 / 1000000)", call: wholeUnits(core.Second)},
	}, []string{"seconds(duration('PT1M0.9S')) == 60"}},

	{"date", "The day of a moment, which is its midnight; or the day that a literal text spells, as in date('2024-05-01').", []Overload{
		{Signature: "string: timestamp", Literal: 1, call: moment(time.DateOnly)},
		{Signature: "timestamp: timestamp", SQLite: "(substr($1, 1, 10) || 'T00:00:00+00:00')", Postgres: "(date_trunc('day', $1 AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')", call: unaryTime(func(t time.Time) ref.Val { return types.Timestamp{Time: midnight(t)} })},
		{Signature: "datetime: timestamp", SQLite: "(substr($1, 1, 10) || 'T00:00:00+00:00')", Postgres: "(date_trunc('day', $1) AT TIME ZONE 'UTC')", call: unaryTime(func(t time.Time) ref.Val { return types.Timestamp{Time: midnight(t)} })},
	}, []string{"date(timestamp('2024-05-01T12:00:00Z')) == date('2024-05-01')"}},

	{"now", "The present moment, the same wherever an expression says it.", nil, []string{"now() >= today()"}},

	{"today", "The present day in UTC.", nil, []string{"today() <= now()", "date(now()) == today()"}},

	{"year", "The year of a date.", []Overload{
		{Signature: "timestamp: int", SQLite: "CAST(substr($1, 1, 4) AS INTEGER)", Postgres: "(extract(year from $1 AT TIME ZONE 'UTC')::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Year()) })},
		{Signature: "datetime: int", SQLite: "CAST(substr($1, 1, 4) AS INTEGER)", Postgres: "(extract(year from $1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Year()) })},
	}, []string{"year(date('2024-05-31')) == 2024"}},

	{"month", "The month of a date, 1 for January.", []Overload{
		{Signature: "timestamp: int", SQLite: "CAST(substr($1, 6, 2) AS INTEGER)", Postgres: "(extract(month from $1 AT TIME ZONE 'UTC')::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Month()) })},
		{Signature: "datetime: int", SQLite: "CAST(substr($1, 6, 2) AS INTEGER)", Postgres: "(extract(month from $1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Month()) })},
	}, []string{"month(date('2024-05-31')) == 5"}},

	{"day", "The day of the month of a date, from 1.", []Overload{
		{Signature: "timestamp: int", SQLite: "CAST(substr($1, 9, 2) AS INTEGER)", Postgres: "(extract(day from $1 AT TIME ZONE 'UTC')::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Day()) })},
		{Signature: "datetime: int", SQLite: "CAST(substr($1, 9, 2) AS INTEGER)", Postgres: "(extract(day from $1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Day()) })},
	}, []string{"day(date('2024-05-31')) == 31"}},

	{"addDays", "A moment that many days later, at most a million.", []Overload{
		{Signature: "timestamp, int: timestamp", SQLite: "time_add_days($1, $2)", Postgres: calendar("$1 + " + within("$2", maxDays) + " * interval '24 hours'"), call: later(addDays)},
		{Signature: "datetime, int: datetime", SQLite: "time_add_days($1, $2)", Postgres: civilCalendar("$1 + " + within("$2", maxDays) + " * interval '24 hours'"), call: later(addDays)},
	}, []string{"addDays(date('2024-02-28'), 2) == date('2024-03-01')", "addDays(date('2024-03-01'), -1) == date('2024-02-29')", "isNull(addDays(date('9999-12-31'), 1))"}},

	{"addMonths", "A moment that many months later; the last day of the month where the month is too short. At most 24,000.", []Overload{
		{Signature: "timestamp, int: timestamp", SQLite: "time_add_months($1, $2)", Postgres: calendar("($1 AT TIME ZONE 'UTC' + " + within("$2", maxMonths) + " * interval '1 month') AT TIME ZONE 'UTC'"), call: later(addMonths)},
		{Signature: "datetime, int: datetime", SQLite: "time_add_months($1, $2)", Postgres: civilCalendar("$1 + " + within("$2", maxMonths) + " * interval '1 month'"), call: later(addMonths)},
	}, []string{"addMonths(date('2024-01-31'), 1) == date('2024-02-29')", "addMonths(date('2024-03-31'), -13) == date('2023-02-28')", "isNull(addMonths(date('0001-01-01'), -1))"}},

	{"daysBetween", "How many days lie between the day of one moment and that of another, negative when the other is earlier.", []Overload{
		{Signature: "timestamp, timestamp: int", SQLite: "CAST(julianday(substr($2, 1, 10)) - julianday(substr($1, 1, 10)) AS INTEGER)", Postgres: "((($2 AT TIME ZONE 'UTC')::date - ($1 AT TIME ZONE 'UTC')::date)::bigint)", call: between(daysBetween)},
		{Signature: "datetime, datetime: int", SQLite: "CAST(julianday(substr($2, 1, 10)) - julianday(substr($1, 1, 10)) AS INTEGER)", Postgres: "(($2::date - $1::date)::bigint)", call: between(daysBetween)},
	}, []string{"daysBetween(date('2024-02-28'), date('2024-03-01')) == 2", "daysBetween(date('2024-03-01'), date('2024-02-28')) == -2"}},

	{"yearsBetween", "How many whole years lie between two days.", []Overload{
		{Signature: "timestamp, timestamp: int",
			SQLite:   "((CAST(replace(substr($2, 1, 10), '-', '') AS INTEGER) - CAST(replace(substr($1, 1, 10), '-', '') AS INTEGER)) / 10000)",
			Postgres: "((to_char($2 AT TIME ZONE 'UTC', 'YYYYMMDD')::bigint - to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDD')::bigint) / 10000)", call: between(yearsBetween)},
		{Signature: "datetime, datetime: int",
			SQLite:   "((CAST(replace(substr($2, 1, 10), '-', '') AS INTEGER) - CAST(replace(substr($1, 1, 10), '-', '') AS INTEGER)) / 10000)",
			Postgres: "((to_char($2, 'YYYYMMDD')::bigint - to_char($1, 'YYYYMMDD')::bigint) / 10000)", call: between(yearsBetween)},
	}, []string{"yearsBetween(date('2000-02-29'), date('2018-02-28')) == 17", "yearsBetween(date('2000-02-29'), date('2018-03-01')) == 18"}},

	{"age", "How many whole years ago a day was: yearsBetween(day, today()).", nil, []string{"age(addMonths(today(), -240)) == 20", "age(today()) == 0"}},
}

// pairs are the signatures of a function of two values of one type, or of numbers that can be brought to one.
func pairs(sqlite, postgres string, lenient bool, call any) []Overload {
	var out []Overload
	for _, t := range []string{"string", "int", "double", "bool", "timestamp", "datetime", "duration", "decimal", "choices"} {
		out = append(out, Overload{Signature: t + ", " + t + ": " + t, SQLite: sqlite, Postgres: postgres, call: call, lenient: lenient})
	}
	for _, mixed := range []string{"decimal, int: decimal", "int, decimal: decimal", "double, int: double", "int, double: double", "double, decimal: double", "decimal, double: double"} {
		out = append(out, Overload{Signature: mixed, call: call, lenient: lenient})
	}
	return out
}

// ordered are the signatures of min and max.
func ordered(postgres, sqlite, sqliteDecimal string, first func(int) bool) []Overload {
	call := func(a, b ref.Val) ref.Val {
		c, ok := compare(a, b)
		if !ok {
			return null
		}
		if first(c) {
			return a
		}
		return b
	}
	return []Overload{
		{Signature: "int, int: int", SQLite: sqlite, Postgres: postgres, call: call},
		{Signature: "timestamp, timestamp: timestamp", SQLite: sqlite, Postgres: postgres, call: call},
		{Signature: "datetime, datetime: datetime", SQLite: sqlite, Postgres: postgres, call: call},
		{Signature: "duration, duration: duration", SQLite: sqlite, Postgres: postgres, call: call},
		{Signature: "decimal, decimal: decimal", SQLite: sqliteDecimal, Postgres: postgres, call: call},
		{Signature: "decimal, int: decimal", call: call},
		{Signature: "int, decimal: decimal", call: call},
	}
}

// The following write PostgreSQL in which x stands once, so that nested calls do not double the text. greatest and
// least take no notice of NULL, which nullif then restores.

// bounded is x, or NULL where x is not between the bounds, which are themselves out of bounds.
func bounded(x, above, below string) string {
	return "nullif(nullif(greatest(least(" + x + ", " + above + "), " + below + "), " + above + "), " + below + ")"
}

// integer is the numeric x as a bigint.
func integer(x string) string {
	return "(" + bounded(x, "9223372036854775808", "-9223372036854775809") + "::bigint)"
}

// position is the number x as a position or a length of a text.
func position(x string) string { return bounded(x, "1000000001", "-1") + "::int" }

// within is the integer x between -n and n.
func within(x string, n int) string {
	return bounded(x, strconv.Itoa(n+1), strconv.Itoa(-n-1))
}

// calendar is the timestamptz x within the years 1 to 9999.
func calendar(x string) string {
	return bounded(x, "timestamptz '10000-01-01 00:00:00+00'", "timestamptz '0001-12-31 23:59:59.999999+00 BC'")
}

// civilCalendar is the timestamp x within them.
func civilCalendar(x string) string {
	return bounded(x, "timestamp '10000-01-01 00:00:00'", "timestamp '0001-12-31 23:59:59.999999 BC'")
}

// What follows are the functions in memory.

func isNull(v ref.Val) ref.Val { return types.Bool(missing(v)) }

func coalesce(a, b ref.Val) ref.Val {
	if missing(a) {
		return b
	}
	return a
}

func missing(v ref.Val) bool {
	return types.IsUnknownOrError(v) || v.Type() == types.NullType
}

func testTexts(f func(a, b string) bool) any {
	return func(a, b ref.Val) ref.Val { return types.Bool(f(string(a.(types.String)), string(b.(types.String)))) }
}

func unaryText(f func(string) ref.Val) any {
	return func(v ref.Val) ref.Val { return f(string(v.(types.String))) }
}

func unaryDecimal(f func(decimal.Decimal) ref.Val) any {
	return func(v ref.Val) ref.Val {
		d, ok := toDecimal(v)
		if !ok {
			return null
		}
		return f(d)
	}
}

func unaryTime(f func(time.Time) ref.Val) any {
	return func(v ref.Val) ref.Val {
		t, _, ok := timeOf(v)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		return f(t.UTC())
	}
}

func later(f func(time.Time, int64) (time.Time, bool)) any {
	return func(v, n ref.Val) ref.Val {
		t, back, ok := timeOf(v)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		if t, ok = f(t, int64(n.(types.Int))); !ok {
			return null
		}
		return back(t)
	}
}

func between(f func(from, to time.Time) int64) any {
	return func(from, to ref.Val) ref.Val {
		x, _, ok := timeOf(from)
		y, _, ok2 := timeOf(to)
		if !ok || !ok2 {
			return types.MaybeNoSuchOverloadErr(from)
		}
		return types.Int(f(x, y))
	}
}

func moment(layout string) any {
	return unaryText(func(s string) ref.Val {
		t, ok := parseMoment(s, layout)
		if !ok {
			return null
		}
		return types.Timestamp{Time: t}
	})
}

func mapASCII(s string, from, to byte, by int) string {
	b := []byte(s)
	for i, c := range b {
		if c >= from && c <= to {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}

// maxSpan is the greatest position or length of a text.
const maxSpan = 1_000_000_000

func substring(args ...ref.Val) ref.Val {
	s, from := string(args[0].(types.String)), int64(args[1].(types.Int))
	if from < 0 || from > maxSpan {
		return null
	}
	length := int64(-1)
	if len(args) == 3 {
		to := int64(args[2].(types.Int))
		if to < from || to-from > maxSpan { // to - from cannot overflow, for from is not negative
			return null
		}
		length = to - from
	}
	return types.String(textPart(s, from, length))
}

// textPart returns length characters of s, all when length is negative, from the position from.
func textPart(s string, from, length int64) string {
	for ; from > 0 && s != ""; from-- {
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
	if length < 0 {
		return s
	}
	end := 0
	for ; length > 0 && end < len(s); length-- {
		_, n := utf8.DecodeRuneInString(s[end:])
		end += n
	}
	return s[:end]
}

// maxReplaced is how many characters a growing replacement may make.
const maxReplaced = 1_000_000

func replace(args ...ref.Val) ref.Val {
	s, from, to := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	grown := utf8.RuneCountInString(to)
	if grown > utf8.RuneCountInString(from) && utf8.RuneCountInString(s)*grown > maxReplaced {
		return null
	}
	if from == "" {
		return args[0]
	}
	return types.String(strings.ReplaceAll(s, from, to))
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

func round(v, n ref.Val) ref.Val {
	d, ok := toDecimal(v)
	places := n.(types.Int)
	if !ok || places < -numberDigits || places > numberDigits {
		return null
	}
	return dec{d.Round(int32(places))}
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

// compare orders two values of one type, or two numbers; false when they have no order.
func compare(a, b ref.Val) (int, bool) {
	switch x := a.(type) {
	case types.String:
		y, ok := b.(types.String)
		return strings.Compare(string(x), string(y)), ok
	case types.Timestamp:
		y, ok := b.(types.Timestamp)
		return x.Time.Compare(y.Time), ok
	case civil:
		y, ok := b.(civil)
		return cmp.Compare(x, y), ok
	case span:
		y, ok := b.(span)
		return cmp.Compare(x, y), ok
	case types.Int:
		if y, ok := b.(types.Int); ok {
			return cmp.Compare(x, y), true
		}
	case types.Double:
		if y, ok := b.(types.Double); ok {
			return cmp.Compare(x, y), true
		}
	}
	x, ok := toDecimal(a)
	y, ok2 := toDecimal(b)
	return x.Cmp(y), ok && ok2
}

// checkPattern returns what is wrong with a regular expression.
func checkPattern(s string) error {
	if _, err := regexp.Compile(s); err != nil {
		return errors.New("the regular expression is not valid")
	}
	return nil
}

// index finds the functions and operators by name.
var index = sync.OnceValue(func() map[string]*Function {
	out := map[string]*Function{}
	for _, table := range [][]Function{operatorTable, Functions} {
		for i := range table {
			out[table[i].Name] = &table[i]
		}
	}
	return out
})

func overloadID(name string, i int) string { return name + "#" + strconv.Itoa(i) }
