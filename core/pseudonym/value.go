package pseudonym

import (
	"math/big"
	"time"

	"github.com/shopspring/decimal"
)

// Number returns a number with the same sign and as many digits, and with the digits after the point that d has; from low to high, where
// d is there too. Both may be nil.
func (k *Key) Number(d decimal.Decimal, low, high *decimal.Decimal) decimal.Decimal {
	scale := -min(d.Exponent(), 0)
	unscaled := func(d decimal.Decimal) *big.Int { return d.Shift(scale).Truncate(0).BigInt() }
	size := new(big.Int).Abs(unscaled(d))
	from, to := new(big.Int), big.NewInt(9)
	if digits := len(size.String()); digits > 1 {
		from.Exp(big.NewInt(10), big.NewInt(int64(digits-1)), nil)
		to.Mul(from, big.NewInt(10)).Sub(to, one)
	}
	if d.Sign() < 0 {
		low, high = negative(high), negative(low)
		if from.Sign() == 0 {
			from.Set(one) // it stays below zero
		}
	}
	if low != nil && low.LessThanOrEqual(d.Abs()) {
		if l := unscaled(low.Shift(scale).Ceil().Shift(-scale)); l.Cmp(from) > 0 {
			from = l
		}
	}
	if high != nil && high.GreaterThanOrEqual(d.Abs()) {
		if h := unscaled(*high); h.Cmp(to) < 0 {
			to = h
		}
	}
	n := new(big.Int).Sub(to, from)
	out := k.permute(numberTweak, new(big.Int).Sub(size, from), n.Add(n, one))
	out = new(big.Int).Add(out, from)
	if d.Sign() < 0 {
		out.Neg(out)
	}
	return decimal.NewFromBigInt(out, -scale)
}

// The tweaks of what is no text; those of texts begin at 0.
const (
	numberTweak = 1 + iota
	dayTweak
	momentTweak
	blockTweak
)

func negative(d *decimal.Decimal) *decimal.Decimal {
	if d == nil {
		return nil
	}
	n := d.Neg()
	return &n
}

// Day returns another day of the same year.
func (k *Key) Day(t time.Time) time.Time {
	first := time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, t.Location())
	days := first.AddDate(1, 0, 0).AddDate(0, 0, -1).YearDay()
	day := k.permute(dayTweak, big.NewInt(int64(t.YearDay()-1)), big.NewInt(int64(days)))
	return t.AddDate(0, 0, int(day.Int64())-t.YearDay()+1)
}

// Moment returns another moment of the same year, as exact as t is: at midnight, on a whole second, or between.
func (k *Key) Moment(t time.Time) time.Time {
	unit := time.Microsecond
	switch {
	case t.Nanosecond() == 0 && t.Second() == 0 && t.Minute() == 0 && t.Hour() == 0:
		unit = 24 * time.Hour
	case t.Nanosecond() == 0:
		unit = time.Second
	}
	first := time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, t.Location())
	n := first.AddDate(1, 0, 0).Sub(first) / unit
	at := k.permute(momentTweak, big.NewInt(int64(t.Sub(first)/unit)), big.NewInt(int64(n)))
	return first.Add(time.Duration(at.Int64()) * unit)
}

// Block returns other 16 bytes, which are the id of nothing.
func (k *Key) Block(b [16]byte) [16]byte {
	size := new(big.Int).Lsh(one, 128)
	var out [16]byte
	k.permute(blockTweak, new(big.Int).SetBytes(b[:]), size).FillBytes(out[:])
	return out
}
