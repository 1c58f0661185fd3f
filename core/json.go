package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// What CanonicalJSON takes: enough for any document of a business, little enough that both databases keep it.
const (
	maxJSONDepth  = 200  // objects and lists within each other
	maxJSONDigits = 1000 // of a number, written without an exponent
)

// CanonicalJSON returns raw without white space and with the keys of each object sorted by length, then by bytes,
// the last of equal keys kept, and numbers without exponents: what PostgreSQL makes of a jsonb, so that every
// database answers alike.
func CanonicalJSON(raw []byte) ([]byte, error) { return canonical(raw, 0) }

// CanonicalRecord is [CanonicalJSON] for a record, each value of which may be nested as deep as one by itself.
func CanonicalRecord(raw []byte) ([]byte, error) { return canonical(raw, -1) }

func canonical(raw []byte, depth int) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the value")
	}
	if HasLoneSurrogate(raw) {
		return nil, jsonLimit("the JSON value holds half of a surrogate pair, which is no character")
	}
	return appendCanonical(make([]byte, 0, len(raw)), v, depth)
}

func appendCanonical(b []byte, v any, depth int) (out []byte, err error) {
	if depth > maxJSONDepth {
		return nil, jsonLimit(fmt.Sprintf("the JSON value is nested deeper than %d levels", maxJSONDepth))
	}
	switch v := v.(type) {
	case map[string]any:
		b = append(b, '{')
		for i, k := range canonicalKeys(v) {
			if strings.IndexByte(k, 0) >= 0 {
				return nil, jsonLimit("the JSON value holds a NUL character")
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, k), ':')
			if b, err = appendCanonical(b, v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendCanonical(b, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case json.Number:
		b, ok := appendNumber(b, string(v))
		if !ok {
			return nil, jsonLimit(fmt.Sprintf("a number of the JSON value has more than %d digits", maxJSONDigits))
		}
		return b, nil
	case string:
		if strings.IndexByte(v, 0) >= 0 {
			return nil, jsonLimit("the JSON value holds a NUL character")
		}
		return AppendString(b, v), nil
	}
	return appendAny(b, v), nil
}

// HasLoneSurrogate reports whether an escape in raw, which is valid JSON or a string of GraphQL, is one half of a surrogate pair without the other.
// It stands for no character, and a decoder puts U+FFFD in its place.
func HasLoneSurrogate(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		r, n := escape(raw[i:])
		raw = raw[i+n:]
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, n := escape(raw)
		if utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		raw = raw[n:]
	}
}

// escape returns the number of an escape such as \u00e9, 0 where there is none, and how many bytes it takes.
func escape(raw []byte) (r rune, n int) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, min(2, len(raw))
	}
	u, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil { // GraphQL has \u{1F600} too
		return 0, 2
	}
	return rune(u), 6
}

func jsonLimit(msg string) error { return E("core.CanonicalJSON", Invalid, msg) }

func canonicalKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y string) int {
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	})
	return keys
}

// appendNumber appends a JSON number without an exponent and with as many digits after the point as it names:
// 1e2 is 100, 1.50e1 is 15.0, 1e-2 is 0.01, -0.0 is 0.0. It reports false for more than maxJSONDigits.
func appendNumber(b []byte, s string) ([]byte, bool) {
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > maxJSONDigits || n < -maxJSONDigits {
			return b, false
		}
		mantissa, exponent = s[:i], n
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, point := whole+fraction, len(whole)+exponent
	scale := max(0, len(fraction)-exponent)
	if len(digits) > maxJSONDigits || point > maxJSONDigits || scale > maxJSONDigits {
		return b, false
	}
	if negative && strings.Trim(digits, "0") != "" {
		b = append(b, '-')
	}
	digit := func(i int) byte {
		if i < 0 || i >= len(digits) {
			return '0'
		}
		return digits[i]
	}
	start := len(b)
	for i := range point {
		if c := digit(i); c != '0' || len(b) > start {
			b = append(b, c)
		}
	}
	if len(b) == start {
		b = append(b, '0')
	}
	if scale > 0 {
		b = append(b, '.')
		for i := range scale {
			b = append(b, digit(point+i))
		}
	}
	return b, true
}

// CompactJSON appends raw, which is valid JSON, without the white space between its parts.
func CompactJSON(b, raw []byte) []byte {
	from, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			b = append(b, raw[from:i]...)
			from = i + 1
		}
	}
	return append(b, raw[from:]...)
}

// AppendValue appends v, in any of the Go forms, as JSON.
func AppendValue(b []byte, v any) []byte { return appendAny(b, v) }

func appendAny(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case map[string]any:
		b = append(b, '{')
		for i, k := range canonicalKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, k), ':')
			b = appendAny(b, v[k])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAny(b, item)
		}
		return append(b, ']')
	case []string:
		return appendChoices(b, v)
	case string:
		return AppendString(b, v)
	case json.Number:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		return AppendFloat(b, v)
	case decimal.Decimal:
		return append(b, v.String()...)
	case time.Time:
		return appendTimestamp(b, v)
	case CivilTime:
		return appendCivilTime(b, v)
	case Span:
		return appendSpan(b, v)
	case json.RawMessage:
		return append(b, v...)
	case ID:
		return AppendString(b, string(v))
	case Record:
		return appendAny(b, map[string]any(v))
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

// AppendString appends s as a JSON string; it escapes what JSON demands and nothing more.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		from = i + 1
	}
	return append(append(b, s[from:]...), '"')
}
