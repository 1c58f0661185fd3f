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
	Text       Kind = "text"       // string, at most MaxLength characters
	LongText   Kind = "long_text"  // string
	Integer    Kind = "integer"    // int64
	Decimal    Kind = "decimal"    // decimal.Decimal with the scale of its column
	Currency   Kind = "currency"   // decimal.Decimal: an amount with the digits of its currency, which a column beside it holds
	Float      Kind = "float"      // float64, never NaN or infinite
	Boolean    Kind = "boolean"    // bool
	Date       Kind = "date"       // time.Time at midnight UTC
	Timestamp  Kind = "timestamp"  // time.Time in UTC, to the microsecond
	DateTime   Kind = "datetime"   // [CivilTime]
	Duration   Kind = "duration"   // [Span]
	UUID       Kind = "uuid"       // string in the form of [ID]
	Choice     Kind = "choice"     // string: the value of an [Option]
	Choices    Kind = "choices"    // []string: values of options in the order of their bytes, none twice; never empty
	Status     Kind = "status"     // string: the value of an option, which says what may follow it
	Autonumber Kind = "autonumber" // string: made by the template of its column when a record is created
	Lookup     Kind = "lookup"     // string: the [ID] of a record of the target table
	AnyLookup  Kind = "any_lookup" // string: the [ID] of a record of one of the target tables
	File       Kind = "file"       // string: the [ID] of a file that was uploaded
	Image      Kind = "image"      // string: the [ID] of a file that was uploaded and is an image
	JSON       Kind = "json"       // json.RawMessage in the canonical form of [CanonicalJSON]
	Object     Kind = "object"     // map[string]any; only in the description of an [Action]
)

// KindInfo is what the layers call a kind. A new kind is a new row of the table of kinds, and one of each dialect.
type KindInfo struct {
	Doc     string
	CEL     string // the type of an expression over the column
	GraphQL string // the scalar of the API
	Ordered bool   // has <, >, min, max
	Number  bool   // has sum, avg, _inc
	Like    bool   // has the text operators
	Many    bool   // a value is a list of the scalar
	Table   bool   // only of a table: no kind of an argument
	File    bool   // a value names a file: the API answers with what is known of it
	parse   func(c *Column, v any) (any, string)
	append  func(b []byte, v any) []byte // as JSON
}

var kinds = map[Kind]*KindInfo{
	Text:       {Doc: "A line of text.", CEL: "string", GraphQL: "String", Ordered: true, Like: true, parse: parseText, append: appendString},
	LongText:   {Doc: "Text of any length.", CEL: "string", GraphQL: "String", Ordered: true, Like: true, parse: parseText, append: appendString},
	Integer:    {Doc: "A whole number of 64 bits.", CEL: "int", GraphQL: "bigint", Ordered: true, Number: true, parse: parseInteger, append: appendInteger},
	Decimal:    {Doc: "An exact number with a fixed number of digits after the point.", CEL: "decimal", GraphQL: "numeric", Ordered: true, Number: true, parse: parseDecimal, append: appendDecimal},
	Currency:   {Doc: "An amount of money: exact, in a currency that a column beside it holds, with its worth in the base currency in another.", CEL: "decimal", GraphQL: "numeric", Ordered: true, Number: true, Table: true, parse: parseAmount, append: appendAmount},
	Float:      {Doc: "An approximate number of 64 bits.", CEL: "double", GraphQL: "float8", Ordered: true, Number: true, parse: parseFloat, append: appendFloat},
	Boolean:    {Doc: "True or false.", CEL: "bool", GraphQL: "Boolean", parse: parseBool, append: appendBool},
	Date:       {Doc: "A day without a time.", CEL: "timestamp", GraphQL: "date", Ordered: true, parse: parseDate, append: appendDate},
	Timestamp:  {Doc: "A moment, kept in UTC to the microsecond.", CEL: "timestamp", GraphQL: "timestamptz", Ordered: true, parse: parseTimestamp, append: appendTimestamp},
	DateTime:   {Doc: "A date and a time of day without a time zone: what calendar and clock show, wherever they hang, to the microsecond. Such as the opening of a shop.", CEL: "datetime", GraphQL: "timestamp", Ordered: true, parse: parseCivilTime, append: appendCivilTime},
	Duration:   {Doc: "A length of time, forward or backward, exact to the microsecond; at most 4,000,000 days of 24 hours.", CEL: "duration", GraphQL: "interval", Ordered: true, Number: true, parse: parseSpan, append: appendSpan},
	UUID:       {Doc: "A universally unique identifier.", CEL: "string", GraphQL: "uuid", Ordered: true, parse: parseUUID, append: appendString},
	Choice:     {Doc: "One of a list of options, in whose order records are sorted.", CEL: "string", GraphQL: "String", Ordered: true, parse: parseChoice, append: appendString},
	Choices:    {Doc: "Several of a list of options.", CEL: "choices", GraphQL: "String", Many: true, parse: parseChoices, append: appendChoices},
	Status:     {Doc: "One of a list of options, which are grouped under states and say what may follow them. It is sorted like a choice, and always has a value.", CEL: "string", GraphQL: "String", Ordered: true, Like: true, Table: true, parse: parseChoice, append: appendString},
	Autonumber: {Doc: "A number that each new record gets, made by a template. No two are equal, and nobody writes it.", CEL: "string", GraphQL: "String", Ordered: true, Like: true, Table: true, parse: parseNumber, append: appendString},
	Lookup:     {Doc: "A link to one record of another table.", CEL: "string", GraphQL: "uuid", Ordered: true, Table: true, parse: parseUUID, append: appendString},
	AnyLookup:  {Doc: "A link to one record of one of several tables. A second column says which.", CEL: "string", GraphQL: "uuid", Ordered: true, Table: true, parse: parseAnyLookup, append: appendString},
	File:       {Doc: "A file of any type, kept beside the database. A record names a file that was uploaded before.", CEL: "string", GraphQL: "uuid", Table: true, File: true, parse: parseUUID, append: appendString},
	Image:      {Doc: "A file that is a picture: PNG, JPEG, GIF or WebP. It has thumbnails.", CEL: "string", GraphQL: "uuid", Table: true, File: true, parse: parseUUID, append: appendString},
	JSON:       {Doc: "Any JSON value.", CEL: "json", GraphQL: "jsonb", parse: parseJSON, append: appendJSON},
	Object:     {Doc: "A group of named values.", CEL: "map", append: appendAny},
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

// info returns the row of the column's kind, without looking for it where check has.
func (c *Column) info() *KindInfo {
	if c.limits != nil && c.limits.kind == c.Kind {
		return c.limits.info
	}
	return c.Kind.row()
}

// Info returns the row of k; an unknown kind is a mistake in the program.
func (k Kind) Info() KindInfo { return *k.row() }

func (k Kind) row() *KindInfo {
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
	out, problem := c.info().parse(c, v)
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
	return k.row().append(b, v)
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
			return AppendFixed(b, x, c.Scale)
		}
	}
	if v == nil {
		return append(b, "null"...)
	}
	return c.info().append(b, v)
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
	case DateTime:
		for _, layout := range []string{time.DateOnly, "1/2/2006", "1/2/2006 15:04", "1/2/2006 15:04:05"} {
			if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
				return c.Parse(t)
			}
		}
	case Duration:
		d, problem := readSpan(strings.TrimSpace(s))
		if problem != "" {
			return nil, E("core.ParseText", Invalid, At{Column: c.Name}, problem)
		}
		return d, nil
	case JSON:
		return c.Parse(json.RawMessage(s))
	case Choice, Status:
		return c.Parse(c.readOption(strings.TrimSpace(s)))
	case Choices:
		if strings.HasPrefix(s, "[") {
			return c.Parse(json.RawMessage(s))
		}
		values := strings.Split(s, ";")
		for i := range values {
			values[i] = c.readOption(strings.TrimSpace(values[i]))
		}
		return c.Parse(values)
	}
	return c.Parse(strings.TrimSpace(s))
}
