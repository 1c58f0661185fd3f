package graphql

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	gql "github.com/graphql-go/graphql"
	"github.com/graphql-go/graphql/language/ast"

	"colonnade/core"
)

// scalars are the scalars of the API by name: their types, and how an input becomes the Go form of its kind.
var scalars = map[string]scalar{
	"Int":         {gql.Int, "", parseInt},
	"Float":       {gql.Float, "", parseFloat},
	"String":      {gql.String, "", parseString},
	"Boolean":     {gql.Boolean, "", parseBoolean},
	"ID":          {gql.ID, "", parseID},
	"bigint":      custom("bigint", "A whole number of 64 bits. As an input it may be a number or, for clients without such numbers, a string.", "", core.Integer),
	"numeric":     custom("numeric", "An exact decimal number. As an input it may be a number or, for clients without such numbers, a string.", "", core.Decimal),
	"float8":      custom("float8", "An approximate number of 64 bits.", "", core.Float),
	"date":        custom("date", "A day, such as \"2024-12-31\".", "https://www.rfc-editor.org/rfc/rfc3339#section-5.6", core.Date),
	"timestamptz": custom("timestamptz", "A moment, such as \"2024-12-31T23:59:59Z\", kept to the microsecond.", "https://www.rfc-editor.org/rfc/rfc3339", core.Timestamp),
	"timestamp":   custom("timestamp", "A date and a time of day without a time zone, such as \"2024-12-31T23:59:59\", kept to the microsecond.", "https://html.spec.whatwg.org/#local-dates-and-times", core.DateTime),
	"interval":    custom("interval", "A length of time, such as \"P1DT2H30M\" or \"-PT0.5S\", exact to the microsecond.", "https://www.w3.org/TR/xmlschema11-2/#dayTimeDuration", core.Duration),
	"uuid":        custom("uuid", "A universally unique identifier.", "https://www.rfc-editor.org/rfc/rfc9562", core.UUID),
	"jsonb":       custom("jsonb", "Any JSON value.", "https://www.rfc-editor.org/rfc/rfc8259", core.JSON),
}

// scalar is one row of the table of scalars. parse takes a string, a bool, a json.Number, an [enumName], an [object] or an
// []any, never nil, and returns the value or what is wrong with it.
type scalar struct {
	*gql.Scalar
	specifiedBy string
	parse       func(v any) (any, string)
}

// enumName is an enum value as a literal, which no scalar takes.
type enumName string

func custom(name, doc, specifiedBy string, k core.Kind) scalar {
	kind := core.Column{Kind: k}
	parse := func(v any) (any, string) {
		v, ok := plain(v)
		if !ok {
			return nil, describe(v) + " is no " + name
		}
		out, err := kind.Parse(v)
		if err != nil {
			return nil, core.AsError(err).Msg
		}
		return out, ""
	}
	return scalar{gql.NewScalar(gql.ScalarConfig{
		Name: name, Description: doc,
		Serialize:  func(v any) any { return v },
		ParseValue: func(v any) any { return v },
		// Values reach us through gqlparser; nothing has graphql-go parse a literal.
		ParseLiteral: func(ast.Value) any { return nil },
	}), specifiedBy, parse}
}

// plain returns v with Go maps in place of our objects; ok is false when there is an enum value in it.
func plain(v any) (out any, ok bool) {
	switch v := v.(type) {
	case enumName:
		return v, false
	case object:
		m := make(map[string]any, len(v))
		for _, f := range v {
			if m[f.name], ok = plain(f.value); !ok {
				return m[f.name], false
			}
		}
		return m, true
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			if list[i], ok = plain(item); !ok {
				return list[i], false
			}
		}
		return list, true
	}
	return v, true
}

func parseInt(v any) (any, string) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, "Int cannot represent non-integer value: " + describe(v)
	}
	if i, err := strconv.ParseInt(string(n), 10, 32); err == nil {
		return i, ""
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) {
		return nil, "Int cannot represent non-integer value: " + describe(v)
	}
	if f < math.MinInt32 || f > math.MaxInt32 {
		return nil, "Int cannot represent non 32-bit signed integer value: " + describe(v)
	}
	return int64(f), ""
}

func parseFloat(v any) (any, string) {
	if n, ok := v.(json.Number); ok {
		if f, err := strconv.ParseFloat(string(n), 64); err == nil {
			return f, ""
		}
	}
	return nil, "Float cannot represent non numeric value: " + describe(v)
}

func parseString(v any) (any, string) {
	if s, ok := v.(string); ok {
		return s, ""
	}
	return nil, "String cannot represent a non string value: " + describe(v)
}

func parseID(v any) (any, string) {
	switch v := v.(type) {
	case string:
		return v, ""
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return strconv.FormatInt(n, 10), ""
		}
	}
	return nil, "ID cannot represent value: " + describe(v)
}

func parseBoolean(v any) (any, string) {
	if b, ok := v.(bool); ok {
		return b, ""
	}
	return nil, "Boolean cannot represent a non boolean value: " + describe(v)
}

// describe names an input in a message; what is long is cut.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case object:
		return "an object"
	case []any:
		return "a list"
	case string:
		return strconv.Quote(cut(v))
	case json.Number:
		return cut(string(v))
	case enumName:
		return cut(string(v))
	}
	return fmt.Sprint(v)
}
