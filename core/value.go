package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// TimeLayout is how a timestamp is written in JSON and stored as text. Texts of this form sort like the moments.
const TimeLayout = "2006-01-02T15:04:05.999999+00:00"

// Each parse function returns the Go form of v, or a sentence about what is wrong with it.

func parseText(c *Column, v any) (any, string) {
	s, ok := v.(string)
	if !ok {
		return nil, describe(v) + " is no text"
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return nil, "the text is not valid UTF-8 or holds a NUL character"
	}
	s, problem := c.checkText(s)
	if problem != "" {
		return nil, problem
	}
	return s, ""
}

func parseInteger(c *Column, v any) (any, string) {
	n, problem := toInteger(v)
	if problem == "" && (c.Min != nil || c.Max != nil) {
		d := decimal.NewFromInt(n)
		problem = c.checkNumber(c.Min != nil && d.LessThan(*c.Min), c.Max != nil && d.GreaterThan(*c.Max), d.String())
	}
	if problem != "" {
		return nil, problem
	}
	return n, ""
}

func toInteger(v any) (int64, string) {
	switch n := v.(type) {
	case int64:
		return n, ""
	case int:
		return int64(n), ""
	case int32:
		return int64(n), ""
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), ""
		}
	case json.Number:
		if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
			return i, ""
		}
	case string:
		if i, err := strconv.ParseInt(n, 10, 64); err == nil {
			return i, ""
		}
	case decimal.Decimal:
		if n.IsInteger() && n.BigInt().IsInt64() {
			return n.IntPart(), ""
		}
	}
	return 0, describe(v) + " is no whole number of 64 bits"
}

func parseDecimal(c *Column, v any) (any, string) {
	var d decimal.Decimal
	var err error
	switch n := v.(type) {
	case decimal.Decimal:
		d = n
	case int64:
		d = decimal.NewFromInt(n)
	case int:
		d = decimal.NewFromInt(int64(n))
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, describe(v) + " is no number"
		}
		d, err = decimal.NewFromString(strconv.FormatFloat(n, 'g', -1, 64))
	case json.Number:
		return parseDecimal(c, string(n))
	case []byte:
		return parseDecimal(c, string(n))
	case string:
		if len(n) > 220 { // what parses to 100 digits is shorter, with 100 zeros in front of them
			return nil, "the number has too many digits"
		}
		d, err = decimal.NewFromString(n)
	default:
		return nil, describe(v) + " is no number"
	}
	if err != nil || d.Exponent() > 100 || d.Exponent() < -100 {
		return nil, describe(v) + " is no number"
	}
	if d.NumDigits()+max(0, int(d.Exponent())) > 100 {
		return nil, "the number has too many digits"
	}
	if c.Min != nil || c.Max != nil {
		if problem := c.checkNumber(c.Min != nil && d.LessThan(*c.Min), c.Max != nil && d.GreaterThan(*c.Max), d.String()); problem != "" {
			return nil, problem
		}
	}
	if c.Precision == 0 {
		return d, ""
	}
	rounded := d.Round(int32(c.Scale))
	if d.Exponent() < int32(-c.Scale) && !rounded.Equal(d) {
		return nil, fmt.Sprintf("%s has more than %s after the point", d, Count(c.Scale, "digit"))
	}
	if rounded.NumDigits() > c.Precision { // its last digit is that of the scale
		return nil, fmt.Sprintf("%s has more than %s before the point", d, Count(c.Precision-c.Scale, "digit"))
	}
	return rounded, ""
}

func parseFloat(c *Column, v any) (any, string) {
	var f float64
	switch n := v.(type) {
	case float64:
		f = n
	case int64:
		f = float64(n)
	case int:
		f = float64(n)
	case decimal.Decimal:
		f = n.InexactFloat64()
	case json.Number:
		return parseFloat(c, string(n))
	case string:
		x, err := strconv.ParseFloat(n, 64)
		if err != nil {
			return nil, describe(v) + " is no number"
		}
		f = x
	default:
		return nil, describe(v) + " is no number"
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, describe(v) + " is out of range"
	}
	if f == 0 {
		f = 0 // SQLite has no negative zero
	}
	if c.Min != nil || c.Max != nil {
		below, above := c.Min != nil && f < c.Min.InexactFloat64(), c.Max != nil && f > c.Max.InexactFloat64()
		if problem := c.checkNumber(below, above, string(AppendFloat(nil, f))); problem != "" {
			return nil, problem
		}
	}
	return f, ""
}

func parseBool(_ *Column, v any) (any, string) {
	switch b := v.(type) {
	case bool:
		return b, ""
	case int64: // SQLite has no boolean
		if b == 0 || b == 1 {
			return b == 1, ""
		}
	}
	return nil, describe(v) + " is neither true nor false"
}

func parseDate(_ *Column, v any) (any, string) {
	switch t := v.(type) {
	case time.Time:
		y, m, d := t.Date()
		return checkYear(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	case string:
		if d, err := time.Parse(time.DateOnly, t); err == nil {
			return checkYear(d)
		}
	}
	return nil, describe(v) + " is no date: write it like 2024-12-31"
}

func parseTimestamp(_ *Column, v any) (any, string) {
	switch t := v.(type) {
	case time.Time:
		return checkYear(t.UTC().Truncate(time.Microsecond))
	case string:
		if m, err := time.Parse(time.RFC3339Nano, t); err == nil {
			return checkYear(m.UTC().Truncate(time.Microsecond))
		}
		if problem := leapSecond(t, time.RFC3339Nano); problem != "" {
			return nil, problem
		}
	}
	return nil, describe(v) + " is no timestamp: write it like 2024-12-31T23:59:59Z"
}

func checkYear(t time.Time) (any, string) {
	if t.Year() < 1 || t.Year() > 9999 {
		return nil, "the year is not between 1 and 9999"
	}
	return t, ""
}

func parseUUID(_ *Column, v any) (any, string) {
	switch s := v.(type) {
	case ID:
		return parseUUID(nil, string(s))
	case string:
		if id, err := ParseID(s); err == nil {
			return string(id), ""
		}
	case [16]byte:
		return formatUUID(s), ""
	}
	return nil, describe(v) + " is no uuid"
}

func formatUUID(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func parseJSON(_ *Column, v any) (any, string) {
	var raw []byte
	var err error
	switch j := v.(type) {
	case json.RawMessage:
		raw = j
	case []byte:
		raw = j
	case map[string]any, []any, Record, string, bool, int64, int, float64, json.Number, decimal.Decimal, time.Time, CivilTime, Span, ID:
		raw = appendAny(nil, v) // the forms that our own values have in JSON, not those of their Go types
	default:
		raw, err = json.Marshal(v)
	}
	if err == nil {
		raw, err = CanonicalJSON(raw)
	}
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, e.Msg
		}
		return nil, "the value is not valid JSON"
	}
	if string(raw) == "null" {
		return nil, "" // a column has one way to hold nothing
	}
	return json.RawMessage(raw), ""
}

// ParseInput normalises the arguments of an action: unknown names and missing required ones are refused.
func ParseInput(columns []Column, in map[string]any) (Record, error) {
	out := make(Record, len(in))
	for name, v := range in {
		i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return nil, E("core.ParseInput", Invalid, At{Column: name}, "there is no such argument; there are: "+names(columns))
		}
		p, err := columns[i].Parse(v)
		if err != nil {
			return nil, err
		}
		out[name] = p
	}
	for _, c := range columns {
		if c.Required && out[c.Name] == nil {
			return nil, E("core.ParseInput", Invalid, At{Column: c.Name}, "a value is required")
		}
	}
	return out, nil
}

func names(columns []Column) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return strings.Join(out, ", ")
}

func describe(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 40 {
			v = strings.ToValidUTF8(v[:40], "") + "..."
		}
		return strconv.Quote(v)
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case []byte, json.RawMessage:
		return "a JSON value"
	}
	return fmt.Sprint(v)
}

func appendString(b []byte, v any) []byte {
	switch s := v.(type) {
	case string:
		return AppendString(b, s)
	case ID:
		return AppendString(b, string(s))
	}
	return appendAny(b, v)
}

func appendInteger(b []byte, v any) []byte { return strconv.AppendInt(b, v.(int64), 10) }
func appendDecimal(b []byte, v any) []byte { return append(b, v.(decimal.Decimal).String()...) }
func appendBool(b []byte, v any) []byte    { return strconv.AppendBool(b, v.(bool)) }
func appendJSON(b []byte, v any) []byte    { return append(b, v.(json.RawMessage)...) }

// AppendFixed appends d rounded to that many digits after the point, all of which are written.
func AppendFixed(b []byte, d decimal.Decimal, places int) []byte {
	const most = 18 // digits of an int64
	if places <= 0 || d.Exponent() != int32(-places) || d.NumDigits() > most {
		return append(b, d.StringFixed(int32(places))...)
	}
	n := d.CoefficientInt64()
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	start := len(b)
	b = strconv.AppendInt(b, n, 10)
	for len(b)-start <= places {
		b = slices.Insert(b, start, '0')
	}
	return slices.Insert(b, len(b)-places, '.')
}

// AppendFloat appends f, a finite number, as PostgreSQL writes it: the fewest digits that name it, with an exponent
// below 0.0001 and from 1e15 on.
func AppendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if a := math.Abs(f); a != 0 && a < 1e-4 || a >= 1e15 {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

func appendFloat(b []byte, v any) []byte { return AppendFloat(b, v.(float64)) }

func appendDate(b []byte, v any) []byte {
	return append(v.(time.Time).AppendFormat(append(b, '"'), time.DateOnly), '"')
}

func appendTimestamp(b []byte, v any) []byte {
	return append(v.(time.Time).AppendFormat(append(b, '"'), TimeLayout), '"')
}
