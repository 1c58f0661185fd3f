package sqlite

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"modernc.org/sqlite"
)

// decimalCollation compares decimal texts by value.
const decimalCollation = "decimal"

// register teaches the driver, once in a process, what SQLite lacks: exact decimals and text functions whose meaning
// does not depend on ASCII.
var register = sync.OnceValue(func() error {
	if err := sqlite.RegisterCollationUtf8(decimalCollation, compareDecimals); err != nil {
		return err
	}
	for _, table := range []map[string]scalar{scalars, expressionScalars, choiceScalars, timeScalars, formulaScalars} {
		for name, f := range table {
			if err := sqlite.RegisterDeterministicScalarFunction(name, f.args, f.call); err != nil {
				return fmt.Errorf("function %s: %w", name, err)
			}
		}
	}
	return registerAggregates()
})

type scalar struct {
	args int32
	call scalarFunc
}

type scalarFunc = func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error)

// scalars are the functions by name. Each gives NULL when an argument is NULL.
var scalars = map[string]scalar{
	"decimal_add": {2, arithmetic(func(a, b decimal.Decimal) (decimal.Decimal, bool) { return a.Add(b), true })},
	"decimal_sub": {2, arithmetic(func(a, b decimal.Decimal) (decimal.Decimal, bool) { return a.Sub(b), true })},
	"decimal_mul": {2, arithmetic(func(a, b decimal.Decimal) (decimal.Decimal, bool) { return a.Mul(b), true })},
	"decimal_div": {2, arithmetic(func(a, b decimal.Decimal) (decimal.Decimal, bool) {
		if b.IsZero() {
			return a, false
		}
		return a.DivRound(b, 20), true
	})},
	"decimal_round": {2, roundDecimal},
	"float_finite":  {1, floatFinite},
	"float_json":    {1, floatJSON},
	"json_float":    {1, jsonFloat},
	"json_spaced":   {1, jsonSpaced},
	"search_score":  {3, searchScore},
	"text_like":     {2, like(func(s string) string { return s })},
	"text_ilike":    {2, like(strings.ToLower)},
	"text_lower":    {1, textual(strings.ToLower)},
	"text_upper":    {1, textual(strings.ToUpper)},
}

// parseDecimal reads an argument: a text as we store it, or a number that SQL made.
func parseDecimal(v driver.Value) (decimal.Decimal, bool) {
	switch n := v.(type) {
	case string:
		d, err := decimal.NewFromString(n)
		return d, err == nil
	case int64:
		return decimal.NewFromInt(n), true
	case float64:
		return decimal.NewFromFloat(n), true
	}
	return decimal.Decimal{}, false
}

func arithmetic(op func(a, b decimal.Decimal) (decimal.Decimal, bool)) func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		a, ok := parseDecimal(args[0])
		b, ok2 := parseDecimal(args[1])
		if !ok || !ok2 {
			return nil, nil
		}
		d, ok := op(a, b)
		if !ok {
			return nil, nil
		}
		return plain(d), nil
	}
}

// plain writes d with all digits that it has, as numeric does in PostgreSQL.
func plain(d decimal.Decimal) string {
	if e := d.Exponent(); e < 0 {
		return d.StringFixed(-e)
	}
	return d.String()
}

func roundDecimal(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	d, ok := parseDecimal(args[0])
	scale, ok2 := args[1].(int64)
	if !ok || !ok2 {
		return nil, nil
	}
	return d.StringFixed(int32(scale)), nil
}

// compareDecimals orders two decimal texts. Most are of one scale, so equal lengths and no sign compare as bytes.
func compareDecimals(a, b string) int {
	if len(a) == len(b) && len(a) > 0 && a[0] != '-' && b[0] != '-' && strings.IndexByte(a, '.') == strings.IndexByte(b, '.') {
		return strings.Compare(a, b)
	}
	x, err := decimal.NewFromString(a)
	y, err2 := decimal.NewFromString(b)
	if err != nil || err2 != nil {
		return strings.Compare(a, b)
	}
	return x.Cmp(y)
}

// jsonSpaced puts a space behind each colon and comma of a canonical JSON text.
func jsonSpaced(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	out := make([]byte, 0, len(s)+len(s)/8)
	quoted := false
	for i := 0; i < len(s); i++ {
		out = append(out, s[i])
		switch c := s[i]; {
		case quoted && c == '\\' && i+1 < len(s):
			i++
			out = append(out, s[i])
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ':' || c == ','):
			out = append(out, ' ')
		}
	}
	return string(out), nil
}

func textual(f func(string) string) func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		s, ok := args[0].(string)
		if !ok {
			return nil, nil
		}
		return f(s), nil
	}
}

func like(fold func(string) string) func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		text, ok := args[0].(string)
		pattern, ok2 := args[1].(string)
		if !ok || !ok2 {
			return nil, nil
		}
		if matches(fold(text), fold(pattern)) {
			return int64(1), nil
		}
		return int64(0), nil
	}
}

// matches reports whether text matches a LIKE pattern: % is any text, _ any character, \ takes the next as it is.
// It goes back to the last % only, so it takes at most len(text) times len(pattern) steps.
func matches(text, pattern string) bool {
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '%':
				star, mark = p, t
				p++
				continue
			case c == '_':
				_, n := utf8.DecodeRuneInString(text[t:])
				t += n
				p++
				continue
			case c == '\\' && p+1 < len(pattern) && pattern[p+1] == text[t]:
				p += 2
				t++
				continue
			case c != '\\' && c == text[t]:
				p++
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[mark:])
		mark += n
		p, t = star+1, mark
	}
	return strings.Trim(pattern[p:], "%") == ""
}
