package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Kind is the type of a column.
type Kind string

// The kinds. A value of each has one Go form, whatever it came from: see the table of kinds.
const (
	Text      Kind = "text"      // string, at most MaxLength characters
	LongText  Kind = "long_text" // string
	Integer   Kind = "integer"   // int64
	Decimal   Kind = "decimal"   // decimal.Decimal with the scale of its column
	Float     Kind = "float"     // float64, never NaN or infinite
	Boolean   Kind = "boolean"   // bool
	Date      Kind = "date"      // time.Time at midnight UTC
	Timestamp Kind = "timestamp" // time.Time in UTC, to the microsecond
	UUID      Kind = "uuid"      // string in the form of [ID]
	Choice    Kind = "choice"    // string: the value of an [Option]
	Lookup    Kind = "lookup"    // string: the [ID] of a record of the target table
	JSON      Kind = "json"      // json.RawMessage in the canonical form of [CanonicalJSON]
	Object    Kind = "object"    // map[string]any; only in the description of an [Action]
)

// KindInfo is what the layers call a kind. A new kind is a new row of the table of kinds, and one of each dialect.
type KindInfo struct {
	Doc     string
	CEL     string // the type of an expression over the column
	GraphQL string // the scalar of the API
	Ordered bool   // has <, >, min, max
	Number  bool   // has sum, avg, _inc
	Like    bool   // has the text operators
	parse   func(c *Column, v any) (any, string)
	append  func(b []byte, v any) []byte // as JSON
}

var kinds = map[Kind]KindInfo{
	Text:      {"A line of text.", "string", "String", true, false, true, parseText, appendString},
	LongText:  {"Text of any length.", "string", "String", true, false, true, parseText, appendString},
	Integer:   {"A whole number of 64 bits.", "int", "bigint", true, true, false, parseInteger, appendInteger},
	Decimal:   {"An exact number with a fixed number of digits after the point.", "decimal", "numeric", true, true, false, parseDecimal, appendDecimal},
	Float:     {"An approximate number of 64 bits.", "double", "float8", true, true, false, parseFloat, appendFloat},
	Boolean:   {"True or false.", "bool", "Boolean", false, false, false, parseBool, appendBool},
	Date:      {"A day without a time.", "timestamp", "date", true, false, false, parseDate, appendDate},
	Timestamp: {"A moment, kept in UTC to the microsecond.", "timestamp", "timestamptz", true, false, false, parseTimestamp, appendTimestamp},
	UUID:      {"A universally unique identifier.", "string", "uuid", true, false, false, parseUUID, appendString},
	Choice:    {"One of a list of values.", "string", "String", true, false, false, parseChoice, appendString},
	Lookup:    {"A link to one record of another table.", "string", "uuid", true, false, false, parseUUID, appendString},
	JSON:      {"Any JSON value.", "json", "jsonb", false, false, false, parseJSON, appendJSON},
	Object:    {"A group of named values.", "map", "", false, false, false, nil, appendAny},
}

// Kinds returns every kind that a column of a table can have, by name.
func Kinds() []Kind {
	var out []Kind
	for k := range kinds {
		if k != Object {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Known reports whether k is a kind.
func (k Kind) Known() bool { _, ok := kinds[k]; return ok }

// Info returns the row of k; an unknown kind is a mistake in the program.
func (k Kind) Info() KindInfo {
	i, ok := kinds[k]
	if !ok {
		panic("core: unknown kind " + string(k))
	}
	return i
}

// Parse brings v, as it came from JSON, GraphQL, a file or a driver, into the Go form of the column's kind.
// nil stays nil. The error says what the column takes instead; it carries no table, which the caller adds.
func (c *Column) Parse(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if c.List {
		return c.parseList(v)
	}
	if c.Kind == Object {
		return c.parseObject(v)
	}
	out, problem := c.Kind.Info().parse(c, v)
	if problem != "" {
		return nil, E("core.Parse", Invalid, At{Column: c.Name}, problem)
	}
	return out, nil
}

func (c *Column) parseList(v any) (any, error) {
	items, ok := v.([]any)
	if !ok {
		items = []any{v} // GraphQL coerces a single value to a list of one
	}
	one := *c
	one.List = false
	out := make([]any, len(items))
	for i, item := range items {
		if item == nil {
			return nil, E("core.Parse", Invalid, At{Column: c.Name, Item: i + 1}, "a list holds no null")
		}
		p, err := one.Parse(item)
		if err != nil {
			return nil, E("core.Parse", At{Column: c.Name, Item: i + 1}, err)
		}
		out[i] = p
	}
	return out, nil
}

func (c *Column) parseObject(v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, E("core.Parse", Invalid, At{Column: c.Name}, describe(v)+" is no object")
	}
	out, err := ParseInput(c.Fields, m)
	if err != nil {
		return nil, err
	}
	return map[string]any(out), nil
}

// AppendJSON appends the JSON form of v, a value in the Go form of k.
func (k Kind) AppendJSON(b []byte, v any) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return k.Info().append(b, v)
}

// AppendJSON appends the JSON form of v, a value in the Go form of the column.
func (c *Column) AppendJSON(b []byte, v any) []byte {
	switch x := v.(type) {
	case []any:
		b = append(b, '[')
		for i, item := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = c.Kind.AppendJSON(b, item)
		}
		return append(b, ']')
	case decimal.Decimal:
		if c.Kind == Decimal && c.Scale > 0 {
			return append(b, x.StringFixed(int32(c.Scale))...)
		}
	}
	return c.Kind.AppendJSON(b, v)
}

// ParseText is [Column.Parse] for a cell of a text file: it also reads the words and forms that people write,
// such as "yes" for a boolean or 12/31/2024 for a date. An empty cell is NULL.
func (c *Column) ParseText(s string) (any, error) {
	if s == "" {
		return nil, nil
	}
	switch c.Kind {
	case Text, LongText:
		return c.Parse(s)
	case Boolean:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true", "t", "yes", "y", "1":
			return true, nil
		case "false", "f", "no", "n", "0":
			return false, nil
		}
		return nil, E("core.ParseText", Invalid, At{Column: c.Name}, fmt.Sprintf("%q is neither yes nor no", s))
	case Date:
		for _, layout := range []string{time.DateOnly, "1/2/2006", time.RFC3339} {
			if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
				return c.Parse(t.Format(time.DateOnly))
			}
		}
	case Timestamp:
		for _, layout := range []string{"2006-01-02 15:04:05", time.DateOnly, "1/2/2006"} {
			if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
				return c.Parse(t)
			}
		}
	case JSON:
		return c.Parse(json.RawMessage(s))
	}
	return c.Parse(strings.TrimSpace(s))
}
