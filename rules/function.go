package rules

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"
)

// Function is one function of the language, in memory and on every database. f(a, b) and a.f(b) are the same.
type Function struct {
	Name      string
	Doc       string
	Overloads []Overload
	Examples  []string // expressions that are true; they run in memory and on every database
}

// Signatures are how f is called, in the words of authors, without those that differ only in the type of a number.
func (f Function) Signatures() []string {
	if len(f.Overloads) == 0 {
		return []string{f.Name + "()"}
	}
	var out []string
	for _, o := range f.Overloads {
		before, result, _ := strings.Cut(o.Signature, ": ")
		args := strings.Split(before, ", ")
		mixed := slices.ContainsFunc(args, func(a string) bool {
			return a != args[0] && slices.Contains(numbers, a) && slices.Contains(numbers, args[0])
		})
		if mixed && o.Literal == 0 {
			continue
		}
		args = wordsOf(args)
		if o.Literal > 0 {
			args[o.Literal-1] = "literal " + args[o.Literal-1]
		}
		out = append(out, f.Name+"("+strings.Join(args, ", ")+"): "+word(result))
	}
	return out
}

// Overload is one signature of a [Function].
//
// The templates are SQL text in which $1, $2 ... stand for the arguments. An argument is one operand: it needs no
// parentheses, and neither must the template. A text is text, an integer is bigint, a decimal is numeric (in SQLite a
// text, to be compared with COLLATE decimal), a moment is timestamptz (in SQLite a text in core.TimeLayout), a datetime is
// timestamp (in SQLite a text in core.CivilLayout), a duration is bigint, a JSON value is jsonb (in SQLite a text).
// Without a template the overload works in memory only.
type Overload struct {
	Signature string // of the types string, int, double, bool, timestamp, datetime, duration, decimal, choices, json and dyn, like "string, int: bool"
	SQLite    string
	Postgres  string
	Literal   int // the argument, counted from 1, that must be a literal; 0 for none

	check  func(string) error         // of a literal text that stays one; without it call makes a value of the text
	derive func(literal string) []any // what the template of PostgreSQL calls #1, #2 ...: arguments that are made of the literal
	most   int64                      // of a literal number, which is not negative then; -30 to 30 when not given

	call    any  // func of one, two or more ref.Val to ref.Val; nil where CEL itself evaluates
	std     bool // CEL's own library has it
	lenient bool // is called with NULLs too
	macro   bool // the parser writes other functions in its place: the signature is for readers
}

// Topic is a part of the table of functions.
type Topic struct {
	Name      string
	Functions []Function
}

// Topics are the functions by topic, in the order of the reference. A new function is a new row in one of their tables.
var Topics = []Topic{
	{"Values", valueFunctions}, {"Texts", textFunctions}, {"Numbers", numberFunctions}, {"Dates and times", dateFunctions}, {"Time zones", zoneFunctions},
	{"Working days", workdayFunctions}, {"Durations", durationFunctions}, {"Choices", choiceFunctions}, {"JSON", jsonFunctions},
}

// Functions are the functions of all topics.
var Functions = func() (all []Function) {
	for _, t := range Topics {
		all = append(all, t.Functions...)
	}
	return all
}()

var valueFunctions = []Function{
	{"isNull", "Whether there is no value.", []Overload{
		{Signature: "dyn: bool", SQLite: "($1 IS NULL)", Postgres: "($1 IS NULL)", lenient: true, call: isNull},
	}, []string{"isNull(1 / 0)", "!isNull('')"}},

	{"isBlank", "Whether a text has nothing in it but white space, or is not there.", []Overload{
		{Signature: "string: bool", SQLite: "(trim(coalesce($1, ''), " + blanksSQLite + ") = '')", Postgres: "(btrim(coalesce($1, ''), " + blanksPostgres + ") = '')", lenient: true, call: isBlank},
	}, []string{"isBlank('')", "isBlank(' \t')", "isBlank(string(1 / 0))", "!isBlank(' a ')"}},

	{"coalesce", "The first of the arguments that has a value.", pairs("(coalesce($1, $2))", "(coalesce($1, $2))", true, coalesce),
		[]string{"coalesce(1 / 0, 2) == 2", "coalesce(1 / 0, 2.5) == 2.5", "coalesce('', 'a') == ''", "coalesce(1 / 0, 2 / 0, 3) == 3"}},

	{"nullIf", "A value, or NULL where it equals another.", nullIfs(), []string{"isNull(nullIf('n/a', 'n/a'))", "nullIf(1, 2) == 1", "isNull(nullIf(1.50, 1.5))", "nullIf(2.5, 2) == 2.5", "nullIf('a', string(1 / 0)) == 'a'"}},

	{"min", "The smaller of two values, NULL when one is NULL.", ordered("CASE WHEN $1 <= $2 THEN $1 WHEN $1 > $2 THEN $2 END", "min($1, $2)", "decimal_min($1, $2)", func(c int) bool { return c <= 0 }),
		[]string{"min(1, 2) == 1", "min(1.5, 1) == 1", "isNull(min(1, 1 / 0))", "min(date('2024-01-01'), date('2023-01-01')) == date('2023-01-01')"}},

	{"max", "The greater of two values, NULL when one is NULL.", ordered("CASE WHEN $1 >= $2 THEN $1 WHEN $1 < $2 THEN $2 END", "max($1, $2)", "decimal_max($1, $2)", func(c int) bool { return c >= 0 }),
		[]string{"max(1, 2) == 2", "max(1.5, 1) == 1.5", "isNull(max(1 / 0, 1))"}},

	{"clamp", "A value, or the nearer of two bounds where it is outside them.", []Overload{
		{Signature: "int, int, int: int", macro: true}, {Signature: "decimal, decimal, decimal: decimal", macro: true}, {Signature: "timestamp, timestamp, timestamp: timestamp", macro: true},
		{Signature: "datetime, datetime, datetime: datetime", macro: true}, {Signature: "duration, duration, duration: duration", macro: true},
	}, []string{"clamp(7, 1, 5) == 5", "clamp(-2.5, 0, 100) == 0", "clamp(3, 1, 5) == 3"}},
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

// nullIfs are the signatures of nullIf.
func nullIfs() []Overload {
	out := pairs("nullif($1, $2)", "nullif($1, $2)", true, nullIf)
	for i := range out {
		if out[i].Signature == "decimal, decimal: decimal" {
			out[i].SQLite = "decimal_nullif($1, $2)"
		}
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
		if !first(c) {
			a, b = b, a
		}
		if d, ok := toDecimal(a); ok && a.Type() != b.Type() {
			return dec{d} // numbers of two types make one of the greater
		}
		return a
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

func isBlank(v ref.Val) ref.Val {
	s, ok := v.(types.String)
	return types.Bool(!ok || trimmed(string(s)) == "")
}

func nullIf(a, b ref.Val) ref.Val {
	if missing(a) || !missing(b) && equal(a, b) == types.True {
		return null
	}
	return a
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

// perhaps returns the value of a function of package core/formula, which may have none.
func perhaps[T ref.Val](v T, ok bool) ref.Val {
	if !ok {
		return null
	}
	return v
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

// index finds the functions and operators by name.
var index = sync.OnceValue(func() map[string]*Function {
	out := map[string]*Function{}
	for _, table := range [][]Function{operatorTable, aggregateTable, Functions} {
		for i := range table {
			out[table[i].Name] = &table[i]
		}
	}
	return out
})

func overloadID(name string, i int) string { return name + "#" + strconv.Itoa(i) }
