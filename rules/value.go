package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/shopspring/decimal"

	"colonnade/core"
)

// wrap returns the CEL form of a value in the Go form of its kind.
func wrap(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return null
	case string:
		return types.String(v)
	case int64:
		return types.Int(v)
	case decimal.Decimal:
		return dec{v}
	case bool:
		return types.Bool(v)
	case time.Time:
		return types.Timestamp{Time: v}
	case core.CivilTime:
		return civil(v)
	case core.Span:
		return span(v)
	case float64:
		return types.Double(v)
	case core.ID:
		return types.String(v)
	case []string:
		return newChoices(v)
	case json.RawMessage:
		return document(v)
	}
	return types.NewErr("no such overload: %T is not the form of a value", v)
}

// native returns the Go form of a scalar.
func native(v ref.Val) any {
	switch v := v.(type) {
	case types.String:
		return string(v)
	case types.Int:
		return int64(v)
	case dec:
		return v.d
	case types.Bool:
		return bool(v)
	case types.Timestamp:
		return v.Time
	case civil:
		return core.CivilTime(v)
	case span:
		return core.Span(v)
	case types.Double:
		return float64(v)
	case choices:
		return []string(v)
	}
	return nil
}

// idList is a list of ids of the caller that answers what it contains without a copy of itself.
type idList struct {
	traits.Lister // what an expression over a row does not ask
	ids           []core.ID
}

func newIDList(in []core.ID) idList {
	if len(in) == 0 {
		return idList{Lister: noIDs}
	}
	// Before a call CEL looks at the type of the first item.
	return idList{Lister: types.NewStringList(types.DefaultTypeAdapter, []string{string(in[0])}), ids: in}
}

var noIDs = types.NewStringList(types.DefaultTypeAdapter, nil)

// Contains implements traits.Container.
func (l idList) Contains(v ref.Val) ref.Val {
	s, ok := v.(types.String)
	return types.Bool(ok && slices.Contains(l.ids, core.ID(s)))
}

// As brings v, a result of [Expr.Eval], into the Go form of the column k, for which [Expr.Fits] must hold: a decimal is
// rounded half away from zero to the scale, and NULL when it has too many digits before the point; a moment becomes the
// day that it is in.
func (e *Expr) As(k *core.Column, v any) any {
	switch k.Kind {
	case core.Decimal, core.Currency:
		return asDecimal(k, v)
	case core.Float:
		switch v := v.(type) {
		case decimal.Decimal:
			return v.InexactFloat64()
		case int64:
			return float64(v)
		}
	case core.Date:
		if t, ok := v.(time.Time); ok {
			return midnight(t)
		}
	}
	return v
}

func asDecimal(k *core.Column, v any) any {
	var d decimal.Decimal
	switch v := v.(type) {
	case decimal.Decimal:
		d = v
	case int64:
		d = decimal.NewFromInt(v)
	default:
		return v
	}
	if k.Precision == 0 {
		return d
	}
	d = d.Round(int32(k.Scale))
	if d.Abs().Cmp(decimal.New(1, int32(k.Precision-k.Scale))) >= 0 {
		return nil
	}
	if d.Exponent() != int32(-k.Scale) {
		d = decimal.NewFromBigInt(d.Shift(int32(k.Scale)).BigInt(), int32(-k.Scale))
	}
	return d
}

// fits are the types of an expression that a column of a CEL type takes.
var fits = map[string][]string{
	"string": {"string"}, "int": {"int"}, "bool": {"bool"}, "timestamp": {"timestamp"}, "datetime": {"datetime"}, "duration": {"duration"}, "choices": {"choices"},
	"decimal": {"decimal", "int"}, "double": {"double", "decimal", "int"},
}

// Fits returns an error unless the column k takes the values of e.
func (e *Expr) Fits(k *core.Column) error {
	want := k.Kind.Info().CEL
	if slices.Contains(fits[want], e.Type) {
		return nil
	}
	msg := fmt.Sprintf("the expression is %s, and the column is %s", aWord(e.Type), aWord(want))
	if want == "int" && e.Type == "decimal" {
		msg += ": convert with int(x)"
	}
	if want == "datetime" && e.Type == "timestamp" || want == "timestamp" && e.Type == "datetime" {
		msg += ": " + zoneHint
	}
	return core.E("rules.Fits", core.Invalid, core.At{Table: e.table.Name, Column: k.Name, Line: 1, Pos: 1}, msg)
}
