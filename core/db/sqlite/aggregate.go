package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/shopspring/decimal"
	"modernc.org/sqlite"

	"colonnade/core"
)

func registerAggregates() error {
	for name, result := range map[string]func(*total) driver.Value{"decimal_sum": (*total).sum, "decimal_avg": (*total).avg, "duration_avg": (*total).avgWhole} {
		err := sqlite.RegisterFunction(name, &sqlite.FunctionImpl{
			NArgs: 1, Deterministic: true,
			MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) {
				return &total{result: result}, nil
			},
		})
		if err != nil {
			return err
		}
	}
	return registerSpreads()
}

// total is the aggregate over decimals: exact, NULL over no value. Numbers that fit are added as integers of one scale.
type total struct {
	result func(*total) driver.Value
	count  int64
	scale  int
	small  int64           // of scale digits after the point
	large  decimal.Decimal // what did not fit
}

// Step implements sqlite.AggregateFunction.
func (t *total) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	t.add(args[0], 1)
	return nil
}

// WindowInverse implements sqlite.AggregateFunction.
func (t *total) WindowInverse(_ *sqlite.FunctionContext, args []driver.Value) error {
	t.add(args[0], -1)
	return nil
}

// WindowValue implements sqlite.AggregateFunction.
func (t *total) WindowValue(*sqlite.FunctionContext) (driver.Value, error) {
	if t.count == 0 {
		return nil, nil
	}
	return t.result(t), nil
}

// Final implements sqlite.AggregateFunction.
func (t *total) Final(*sqlite.FunctionContext) {}

func (t *total) add(v driver.Value, sign int64) {
	if s, ok := v.(string); ok {
		if n, scale, ok := smallDecimal(s); ok && t.addSmall(sign*n, scale) {
			t.count += sign
			return
		}
	}
	d, ok := parseDecimal(v)
	if !ok {
		return
	}
	if sign < 0 {
		d = d.Neg()
	}
	t.large = t.large.Add(d)
	t.count += sign
}

func (t *total) addSmall(n int64, scale int) bool {
	if scale != t.scale {
		if t.small != 0 || scale < t.scale {
			return false
		}
		t.scale = scale
	}
	sum := t.small + n
	if (sum > t.small) != (n > 0) && n != 0 { // overflow
		return false
	}
	t.small = sum
	return true
}

// smallDecimal reads a number of at most 18 digits.
func smallDecimal(s string) (n int64, scale int, ok bool) {
	negative := false
	if s != "" && s[0] == '-' {
		negative, s = true, s[1:]
	}
	if s == "" || len(s) > 19 {
		return 0, 0, false
	}
	point := -1
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return 0, 0, false
		}
	}
	if point < 0 && len(s) > 18 || point == len(s)-1 {
		return 0, 0, false
	}
	if point >= 0 {
		scale = len(s) - point - 1
	}
	if negative {
		n = -n
	}
	return n, scale, true
}

func (t *total) exact() decimal.Decimal {
	return t.large.Add(decimal.NewFromBigInt(big.NewInt(t.small), int32(-t.scale)))
}

func (t *total) sum() driver.Value { return plain(t.exact()) }

// avg is the double nearest to the exact average.
func (t *total) avg() driver.Value {
	f, _ := new(big.Rat).Quo(t.exact().Rat(), new(big.Rat).SetInt64(t.count)).Float64()
	return f
}

// avgWhole is the whole number nearest to the exact average, half away from zero.
func (t *total) avgWhole() driver.Value {
	return t.exact().DivRound(decimal.NewFromInt(t.count), 0).IntPart()
}

// errFloatOverflow reads like SQLite's own error for integers.
var errFloatOverflow = errors.New("float overflow")

// floatFinite refuses the sum of floats that is too large for one.
func floatFinite(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	if f, ok := args[0].(float64); ok && math.IsInf(f, 0) {
		return nil, errFloatOverflow
	}
	return args[0], nil
}

// floatJSON writes a float as every database answers it; SQLite's own JSON keeps 15 digits or so.
func floatJSON(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	switch v := args[0].(type) {
	case float64:
		if math.IsInf(v, 0) {
			return nil, fmt.Errorf("a float is %v, for which JSON has no word", v)
		}
		return string(core.AppendFloat(nil, v)), nil
	case int64:
		return string(core.AppendFloat(nil, float64(v))), nil
	}
	return nil, nil
}

// jsonFloat is the reverse of floatJSON: the nearest double, which SQLite's own reading of a number need not be.
func jsonFloat(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil { // null
		return nil, nil
	}
	return f, nil
}
