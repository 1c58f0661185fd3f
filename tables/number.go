package tables

import (
	"math"
	"math/big"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// plus adds two numbers of one kind, exactly or with an error.
func plus(a, b any) (any, error) {
	switch a := a.(type) {
	case int64:
		b := b.(int64)
		if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
			return nil, core.E("tables.plus", core.Invalid, "the sum is out of the range of 64 bits")
		}
		return a + b, nil
	case core.Span:
		return a + b.(core.Span), nil // which cannot overflow
	case decimal.Decimal:
		return a.Add(b.(decimal.Decimal)), nil
	case float64:
		return a + b.(float64), nil
	}
	return nil, core.E("tables.plus", core.Invalid, "only numbers and durations can be added")
}

// product multiplies two numbers of one kind, decimals rounded to the scale, or returns an error.
func product(a, b any, scale int) (any, error) {
	switch a := a.(type) {
	case int64:
		b := b.(int64)
		if p := new(big.Int).Mul(big.NewInt(a), big.NewInt(b)); p.IsInt64() {
			return p.Int64(), nil
		}
		return nil, core.E("tables.product", core.Invalid, "the product is out of the range of 64 bits")
	case decimal.Decimal:
		return a.Mul(b.(decimal.Decimal)).Round(int32(scale)), nil
	case float64:
		return a * b.(float64), nil
	}
	return nil, core.E("tables.product", core.Invalid, "only numbers can be multiplied")
}
