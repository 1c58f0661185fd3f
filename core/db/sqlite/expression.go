package sqlite

import (
	"database/sql/driver"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"modernc.org/sqlite"
)

// expressionScalars are the functions of the expression language of package rules that SQL cannot say; each is the twin of
// one there. A test of that package compares the two at random.
var expressionScalars = map[string]scalar{
	"int_add": {2, integers(func(a, b int64) (int64, bool) { c := a + b; return c, (c > a) == (b > 0) })},
	"int_sub": {2, integers(func(a, b int64) (int64, bool) { c := a - b; return c, (c < a) == (b > 0) })},
	"int_mul": {2, integers(multiply)},
	"int_div": {2, integers(func(a, b int64) (int64, bool) {
		if b == 0 || a == math.MinInt64 && b == -1 {
			return 0, false
		}
		return a / b, true
	})},
	"int_abs": {1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		n, ok := args[0].(int64)
		if !ok || n == math.MinInt64 {
			return nil, nil
		}
		return max(n, -n), nil
	}},

	"decimal_abs":     {1, oneDecimal(func(d decimal.Decimal) driver.Value { return plain(d.Abs()) })},
	"decimal_floor":   {1, oneDecimal(func(d decimal.Decimal) driver.Value { return plain(d.Floor()) })},
	"decimal_ceil":    {1, oneDecimal(func(d decimal.Decimal) driver.Value { return plain(d.Ceil()) })},
	"decimal_int":     {1, oneDecimal(decimalInt)},
	"decimal_float":   {1, oneDecimal(func(d decimal.Decimal) driver.Value { return d.InexactFloat64() })},
	"decimal_text":    {1, oneDecimal(decimalText)},
	"decimal_fit":     {3, decimalFit},
	"decimal_compare": {2, compareScalars},
	"decimal_min": {2, arithmetic(func(a, b decimal.Decimal) (decimal.Decimal, bool) {
		if a.Cmp(b) <= 0 {
			return a, true
		}
		return b, true
	})},
	"decimal_max": {2, arithmetic(func(a, b decimal.Decimal) (decimal.Decimal, bool) {
		if a.Cmp(b) >= 0 {
			return a, true
		}
		return b, true
	})},
	"float_decimal": {1, floatDecimal},

	"text_int":     {1, textInt},
	"text_decimal": {1, textDecimal},
	"text_ends":    {2, textEnds},
	"text_part":    {3, textPart},
	"text_after":   {2, textAfter},
}

func integers(op func(a, b int64) (int64, bool)) scalarFunc {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		a, ok := args[0].(int64)
		b, ok2 := args[1].(int64)
		if !ok || !ok2 {
			return nil, nil
		}
		if n, ok := op(a, b); ok {
			return n, nil
		}
		return nil, nil
	}
}

func multiply(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	negative := (a < 0) != (b < 0)
	switch {
	case high != 0 || low > 1<<63 || low == 1<<63 && !negative:
		return 0, false
	case negative:
		return -int64(low), true
	}
	return int64(low), true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func oneDecimal(f func(decimal.Decimal) driver.Value) scalarFunc {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		d, ok := parseDecimal(args[0])
		if !ok {
			return nil, nil
		}
		return f(d), nil
	}
}

func decimalInt(d decimal.Decimal) driver.Value {
	if b := d.Truncate(0).BigInt(); b.IsInt64() {
		return b.Int64()
	}
	return nil
}

// compareScalars tells the order of two decimals, as the collation does.
func compareScalars(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	a, ok := parseDecimal(args[0])
	b, ok2 := parseDecimal(args[1])
	if !ok || !ok2 {
		return nil, nil
	}
	return int64(a.Cmp(b)), nil
}

// decimalText writes d without zeros at the end of the fraction.
func decimalText(d decimal.Decimal) driver.Value {
	s := d.String()
	if strings.IndexByte(s, '.') >= 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// decimalFit rounds to a scale; NULL when the precision does not hold the number.
func decimalFit(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	d, ok := parseDecimal(args[0])
	precision, ok2 := args[1].(int64)
	scale, ok3 := args[2].(int64)
	if !ok || !ok2 || !ok3 {
		return nil, nil
	}
	d = d.Round(int32(scale))
	if d.Abs().Cmp(decimal.New(1, int32(precision-scale))) >= 0 {
		return nil, nil
	}
	return d.StringFixed(int32(scale)), nil
}

// numberDigits is how many digits a number read from a text or a float has, on each side of the point.
const numberDigits = 30

// floatDecimal is the number of the shortest text of a float.
func floatDecimal(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	f, ok := args[0].(float64)
	if !ok {
		return nil, nil
	}
	d, err := decimal.NewFromString(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil || d.Abs().Cmp(decimal.New(1, numberDigits)) >= 0 {
		return nil, nil
	}
	return plain(d.Round(numberDigits)), nil
}

func textInt(c *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	if s, ok := args[0].(string); !ok || strings.IndexByte(s, '.') >= 0 {
		return nil, nil
	}
	v, err := textDecimal(c, args)
	if d, ok := parseDecimal(v); ok && v != nil {
		return decimalInt(d), err
	}
	return nil, err
}

// textDecimal reads -?digits(.digits)? with at most 30 digits on each side.
func textDecimal(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if !digits(whole) || point && !digits(fraction) {
		return nil, nil
	}
	return s, nil
}

func digits(s string) bool {
	if s == "" || len(s) > numberDigits {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func textEnds(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	end, ok2 := args[1].(string)
	if !ok || !ok2 {
		return nil, nil
	}
	if strings.HasSuffix(s, end) {
		return int64(1), nil
	}
	return int64(0), nil
}

// maxSpan is the greatest position or length of a text.
const maxSpan = 1_000_000_000

// textPart returns the characters from a position, counted from 0, up to another.
func textPart(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	from, ok2 := args[1].(int64)
	to, ok3 := args[2].(int64)
	if !ok || !ok2 || !ok3 || from < 0 || from > maxSpan || to < from || to-from > maxSpan {
		return nil, nil
	}
	return firstChars(afterChars(s, from), to-from), nil
}

func textAfter(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	from, ok2 := args[1].(int64)
	if !ok || !ok2 || from < 0 || from > maxSpan {
		return nil, nil
	}
	return afterChars(s, from), nil
}

func afterChars(s string, n int64) string {
	for ; n > 0 && s != ""; n-- {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	return s
}

func firstChars(s string, n int64) string {
	end := 0
	for ; n > 0 && end < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end]
}
