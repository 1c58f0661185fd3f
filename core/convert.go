package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// conversions are the kinds that the values of a kind can become, besides a text, a long text and the kind itself. What is
// not here goes by way of a text.
var conversions = map[Kind][]Kind{
	Integer:   {Decimal, Float, Boolean, Duration, JSON},
	Decimal:   {Integer, Float, Duration, JSON},
	Float:     {Integer, Decimal, JSON},
	Boolean:   {Integer, JSON},
	Date:      {Timestamp, DateTime, JSON},
	Timestamp: {Date, DateTime, JSON},
	DateTime:  {Date, Timestamp, JSON},
	Duration:  {Integer, Decimal, JSON},
	UUID:      {Lookup, JSON},
	Lookup:    {UUID, JSON},
	Choice:    {Choices, Status, JSON},
	Choices:   {JSON},
	Status:    {Choice, Choices, JSON},

	Autonumber: {JSON},
}

// Convertible reports whether the values of one column can become those of another, all or some.
func Convertible(from, to *Column) bool {
	if to.Kind == Autonumber { // whose values come from its sequence
		return false
	}
	if from.Kind.Info().File || to.Kind.Info().File { // who may define tables may not read every file
		return from.Kind == to.Kind || from.Kind == Image && to.Kind == File
	}
	return isText(from.Kind) || isText(to.Kind) || from.Kind == to.Kind || from.Kind == JSON || slices.Contains(conversions[from.Kind], to.Kind)
}

func isText(k Kind) bool { return k == Text || k == LongText }

// Convert returns a value of one column as a value of another, each in the Go form of its kind; NULL stays NULL. It is
// exact: where something of the value would be lost, as with 1.5 for an integer, the error says what, and carries neither
// table nor column.
//
//   - A text is read as a cell of a text file is, see [Column.ParseText].
//   - A value becomes the text that JSON has for it, without the quotes.
//   - Numbers keep their value or are refused; a boolean is 1 or 0.
//   - A date is midnight UTC, and only such a timestamp becomes a date.
//   - What has no time zone is taken to be in UTC, where it becomes a timestamp or is made of one.
//   - A duration is a number of seconds.
func Convert(from, to *Column, v any) (any, error) {
	const op = "core.Convert"
	if v == nil {
		return nil, nil
	}
	out, problem := convert(from, to, v)
	if problem != "" {
		return nil, E(op, Invalid, problem)
	}
	parsed, err := to.Parse(out)
	if err != nil {
		return nil, E(op, Invalid, AsError(err).Msg)
	}
	if changes(parsed, out) {
		return nil, E(op, Invalid, fmt.Sprintf("%s would become %s", plain(from, v), plain(to, parsed)))
	}
	return parsed, nil
}

// changes reports whether a number is another one after it was parsed.
func changes(parsed, out any) bool {
	a, ok := parsed.(decimal.Decimal)
	b, also := out.(decimal.Decimal)
	return ok && also && !a.Equal(b)
}

func convert(from, to *Column, v any) (out any, problem string) {
	switch {
	case isText(to.Kind):
		return plain(from, v), ""
	case isText(from.Kind), from.Kind.chooses() && from.Kind != Choices && to.Kind.chooses():
		parsed, err := exactly(to).ParseText(v.(string))
		if err != nil {
			return nil, AsError(err).Msg
		}
		return parsed, ""
	case to.Kind == JSON:
		return json.RawMessage(from.AppendJSON(nil, v)), ""
	case from.Kind == JSON:
		return convertJSON(to, v.(json.RawMessage))
	}
	switch x := v.(type) {
	case int64:
		return convertInteger(to, x)
	case decimal.Decimal:
		return convertNumber(to, x)
	case float64:
		return convertNumber(to, decimal.NewFromFloat(x))
	case bool:
		if to.Kind == Integer {
			return map[bool]int64{true: 1}[x], ""
		}
	case time.Time:
		return convertTime(to, x, plain(from, v))
	case CivilTime:
		if to.Kind != DateTime {
			return convertTime(to, x.Time(), x.String())
		}
	case Span:
		if to.Kind != Duration {
			return convertNumber(to, decimal.New(int64(x), -6))
		}
	}
	return v, ""
}

// convertTime converts a moment, which is written as text.
func convertTime(to *Column, t time.Time, text string) (any, string) {
	if to.Kind != Date {
		return t, ""
	}
	if !t.Equal(t.Truncate(24 * time.Hour)) {
		return nil, text + " has a time of day"
	}
	return t.Format(time.DateOnly), ""
}

func convertInteger(to *Column, n int64) (any, string) {
	switch {
	case to.Kind == Boolean && (n == 0 || n == 1):
		return n == 1, ""
	case to.Kind == Boolean:
		return nil, fmt.Sprintf("%d is neither 0 nor 1", n)
	case to.Kind == Integer:
		return n, ""
	}
	return convertNumber(to, decimal.NewFromInt(n))
}

func convertNumber(to *Column, d decimal.Decimal) (any, string) {
	switch to.Kind {
	case Integer:
		if !d.IsInteger() {
			return nil, d.String() + " has a fraction"
		}
		return json.Number(d.String()), ""
	case Float:
		f := d.InexactFloat64()
		if !decimal.NewFromFloat(f).Equal(d) {
			return nil, d.String() + " has more digits than a float keeps"
		}
		return f, ""
	case Duration:
		us := d.Shift(6)
		if !us.IsInteger() || us.Abs().GreaterThan(decimal.NewFromInt(int64(MaxSpan))) {
			return nil, d.String() + " seconds are no duration, which has at most 4,000,000 days, and no part of a microsecond"
		}
		return Span(us.IntPart()), ""
	}
	return d, ""
}

func convertJSON(to *Column, raw json.RawMessage) (any, string) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, "the JSON cannot be read"
	}
	if s, ok := v.(string); ok {
		parsed, err := exactly(to).ParseText(s)
		if err != nil {
			return nil, AsError(err).Msg
		}
		return parsed, ""
	}
	parsed, err := exactly(to).Parse(v)
	if err != nil {
		return nil, AsError(err).Msg
	}
	return parsed, ""
}

// exactly returns the column as one that rounds no number.
func exactly(c *Column) *Column {
	if c.Kind != Decimal {
		return c
	}
	out := *c
	out.Precision, out.Scale = 0, 0
	return &out
}

// plain is a value as text.
func plain(c *Column, v any) string {
	raw := c.AppendJSON(nil, v)
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil && c.Kind != JSON {
		return s
	}
	return string(raw)
}
