package formula

import (
	"math/big"

	"github.com/shopspring/decimal"
)

// Mod is what is left of a division rounded down: it has the sign of the divisor.
func Mod(a, b decimal.Decimal) (decimal.Decimal, bool) {
	if b.IsZero() {
		return a, false
	}
	return a.Mod(b).Add(b).Mod(b), true
}

// MaxPower is the greatest exponent of [Power].
const MaxPower = 100

// Power multiplies n times with d.
func Power(d decimal.Decimal, n int64) (decimal.Decimal, bool) {
	if n < 0 || n > MaxPower {
		return d, false
	}
	out := decimal.NewFromInt(1)
	for range n {
		out = out.Mul(d)
	}
	return out, true
}

// The digits after the point with which a root is computed, and to which it is rounded.
const (
	rootDigits = 40
	rootScale  = 20
)

// Sqrt is the square root, rounded to 20 digits after the point.
func Sqrt(d decimal.Decimal) (decimal.Decimal, bool) {
	if d.IsNegative() {
		return d, false
	}
	n := d.Round(rootDigits).Shift(2 * rootDigits).BigInt()
	root := new(big.Int).Sqrt(n)
	rest := new(big.Int).Sub(n, new(big.Int).Mul(root, root))
	if rest.Cmp(root) > 0 { // the square of half a unit more is not above n
		root.Add(root, big.NewInt(1))
	}
	return decimal.NewFromBigInt(root, -rootDigits).Round(rootScale), true
}
