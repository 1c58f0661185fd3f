package transfer

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"

	"colonnade/core"
)

// value returns what takes the place of v, a value in the Go form of its kind (of one that chooses options: bytes), in the record. Equal values get equal pseudonyms,
// whatever the column, but for those of kinds with few values or with a meaning in their size: these are drawn for each record.
func (m *Masker) value(c *core.Column, record string, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte: // of options
		return m.options(c, record, v)
	case bool:
		return m.key.Pick(2, record, c.SQL()) == 1
	case int64:
		out := m.key.Number(decimal.NewFromInt(v), or(c.Min, math.MinInt64), or(c.Max, math.MaxInt64))
		return out.IntPart()
	case decimal.Decimal:
		if c.Kind == core.Currency { // an amount, or what it is worth: both change alike
			return v.Mul(m.factor(record)).Round(max(0, -v.Exponent()))
		}
		return m.key.Number(v.Truncate(int32(c.Scale)), c.Min, c.Max)
	case float64:
		return v * m.factor(record).InexactFloat64()
	case core.Span:
		return m.span(v)
	case core.CivilTime:
		return core.CivilTimeOf(m.key.Moment(v.Time()))
	case time.Time:
		if c.Kind == core.Date {
			return m.key.Day(v)
		}
		return m.key.Moment(v)
	case json.RawMessage:
		return m.json(record, v)
	}
	s, _ := v.(string)
	switch {
	case c.Kind == core.UUID:
		return m.uuid(s)
	case c.Format == core.Email:
		return m.key.Email(s)
	case c.Format == core.URL:
		return m.key.URL(s)
	}
	return m.key.Text(s)
}

// or returns the limit, or the number.
func or(limit *decimal.Decimal, n int64) *decimal.Decimal {
	if limit != nil {
		return limit
	}
	d := decimal.NewFromInt(n)
	return &d
}

// factor is what amounts of the record are multiplied with: from 0.5 to 1.5.
func (m *Masker) factor(record string) decimal.Decimal {
	return decimal.New(500+int64(m.key.Pick(1001, record, "factor")), -3)
}

// span returns a length of time in the unit of s: days, hours, minutes, seconds or microseconds.
func (m *Masker) span(s core.Span) core.Span {
	for _, unit := range []core.Span{core.Day, core.Hour, core.Minute, core.Second} {
		if s%unit == 0 {
			out := m.key.Number(decimal.NewFromInt(int64(s/unit)), nil, or(nil, int64(core.MaxSpan/unit)))
			return core.Span(out.IntPart()) * unit
		}
	}
	return core.Span(m.key.Number(decimal.NewFromInt(int64(s)), nil, or(nil, int64(core.MaxSpan))).IntPart())
}

// uuid returns an id of version 8, which says nothing of where it comes from.
func (m *Masker) uuid(s string) string {
	id, err := uuid.Parse(s)
	if err != nil {
		return m.key.Text(s)
	}
	out := uuid.UUID(m.key.Block(id))
	out[6], out[8] = 0x80|out[6]&0x0f, 0x80|out[8]&0x3f
	return out.String()
}

// options draws one option for a choice, and as many as there were for choices.
func (m *Masker) options(c *core.Column, record string, v []byte) any {
	var open []string
	for _, o := range c.Options {
		if !o.Retired {
			open = append(open, o.Value)
		}
	}
	if len(open) == 0 {
		return nil
	}
	at := int(m.key.Pick(uint64(len(open)), record, c.SQL()))
	if c.Kind != core.Choices {
		return open[at]
	}
	var out []string
	for range min(len(gjson.ParseBytes(v).Array()), len(open)) {
		out = append(out, open[at%len(open)])
		at++
	}
	slices.Sort(out)
	return out
}

// json replaces the values in JSON; the names of members stay.
func (m *Masker) json(record string, raw json.RawMessage) json.RawMessage {
	var b []byte
	var write func(v gjson.Result)
	write = func(v gjson.Result) {
		switch {
		case v.IsObject() || v.IsArray():
			open, end := byte('['), byte(']')
			if v.IsObject() {
				open, end = '{', '}'
			}
			b = append(b, open)
			first := true
			v.ForEach(func(key, item gjson.Result) bool {
				if !first {
					b = append(b, ',')
				}
				first = false
				if v.IsObject() {
					b = append(append(b, key.Raw...), ':')
				}
				write(item)
				return true
			})
			b = append(b, end)
		case v.Type == gjson.String:
			b = core.Text.AppendJSON(b, m.key.Text(v.Str))
		case v.IsBool():
			b = strconv.AppendBool(b, m.key.Pick(2, record, "json", strconv.Itoa(len(b))) == 1)
		case v.Type == gjson.Number:
			d, err := decimal.NewFromString(v.Raw)
			if err != nil {
				b = append(b, '0')
				return
			}
			b = append(b, m.key.Number(d, nil, nil).String()...)
		default:
			b = append(b, "null"...)
		}
	}
	write(gjson.ParseBytes(raw))
	if out, err := core.CanonicalJSON(b); err == nil {
		return out
	}
	return json.RawMessage("null")
}

// appendForm writes a value for a dump.
func appendForm(c *core.Column, v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return []byte(v)
	case bool:
		if v {
			return []byte("1")
		}
		return []byte("0")
	case core.Span:
		return strconv.AppendInt(nil, int64(v), 10)
	case core.CivilTime:
		return []byte(v.String())
	case time.Time:
		if c.Kind == core.Date {
			return []byte(v.Format(time.DateOnly))
		}
		return []byte(v.Format(core.TimeLayout))
	case decimal.Decimal:
		switch {
		case c.Kind == core.Currency && v.Exponent() < 0:
			return []byte(v.StringFixed(-v.Exponent()))
		case c.Scale > 0:
			return core.AppendFixed(nil, v, c.Scale)
		}
		return []byte(v.String())
	}
	return c.AppendJSON(nil, v)
}
