package rules

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"
)

// decimalType is the CEL type of exact numbers.
var decimalType = cel.OpaqueType("decimal")

// dec is a value of that type.
type dec struct{ d decimal.Decimal }

var _ ref.Val = dec{}

// ConvertToNative implements ref.Val.
func (d dec) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeFor[decimal.Decimal]().AssignableTo(t) {
		return d.d, nil
	}
	return nil, fmt.Errorf("a decimal is no %v", t)
}

// ConvertToType implements ref.Val.
func (d dec) ConvertToType(t ref.Type) ref.Val {
	switch t.TypeName() {
	case decimalType.TypeName():
		return d
	case types.StringType.TypeName():
		return types.String(decimalText(d.d))
	}
	return types.NewErr("a decimal is no %s", t.TypeName())
}

// Equal implements ref.Val.
func (d dec) Equal(other ref.Val) ref.Val {
	o, ok := toDecimal(other)
	return types.Bool(ok && d.d.Equal(o))
}

// Type implements ref.Val.
func (d dec) Type() ref.Type { return decimalType }

// Value implements ref.Val.
func (d dec) Value() any { return d.d }

// quotientScale is how many digits a quotient has after the point.
const quotientScale = 20

// numberDigits is how many digits a number read from a text or a float has, on each side of the point.
const numberDigits = 30

var numberBound = decimal.New(1, numberDigits)

// toDecimal returns any number as a decimal; a float as its shortest text.
func toDecimal(v ref.Val) (decimal.Decimal, bool) {
	switch v := v.(type) {
	case dec:
		return v.d, true
	case types.Int:
		return decimal.NewFromInt(int64(v)), true
	case types.Double:
		return floatDecimal(float64(v))
	}
	return decimal.Decimal{}, false
}

func floatDecimal(f float64) (decimal.Decimal, bool) {
	d, err := decimal.NewFromString(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil || d.Abs().Cmp(numberBound) >= 0 {
		return d, false
	}
	return d.Round(numberDigits), true
}

// textDecimal reads -?digits(.digits)? with at most 30 digits on each side.
func textDecimal(s string) (decimal.Decimal, bool) {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if !digits(whole) || point && !digits(fraction) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(s)
	return d, err == nil
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

// decimalText writes d without zeros at the end of the fraction.
func decimalText(d decimal.Decimal) string {
	s := d.String()
	if strings.IndexByte(s, '.') >= 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
