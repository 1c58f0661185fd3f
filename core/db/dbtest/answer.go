package dbtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// testAnswers stores records of random values and asks for them as a list, one by one and nested. What comes back is, byte for byte,
// the JSON that package core writes of the same values.
func testAnswers(t *testing.T, d *db.DB) {
	makeThing(t, d)
	rnd := rand.New(rand.NewPCG(7, 11))
	var rows []core.Record
	for i := range 200 {
		r := core.Record{"id": number(i + 1)}
		for _, c := range columns[1:] {
			if v := randomValue(rnd, c); c.Name != "lookup" {
				r[c.Name] = v
			}
		}
		rows = append(rows, r)
	}
	insert(t, d, rows...)

	s := &db.Shape{Many: true}
	for _, c := range columns {
		s.Fields = append(s.Fields, db.ShapeField{Key: c.Name, Kind: c.Kind, Set: c.Name == "id"})
	}
	value := func(b *db.Builder, alias string) func(int) {
		return func(i int) { b.Name(alias, columns[i].Name) }
	}
	answer := func(b *db.Builder, s *db.Shape) string {
		t.Helper()
		out, err := d.Answer(t.Context(), b, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	var list []string
	for _, r := range rows {
		b := []byte{}
		for i, c := range columns {
			b = core.AppendString(append(b, "{,"[min(i, 1)]), c.Name)
			b = c.AppendJSON(append(b, ':'), r[c.Name])
		}
		list = append(list, string(append(b, '}')))
	}
	want := "[" + strings.Join(list, ",") + "]"

	b := db.New(d.Dialect)
	d.Dialect.Answer(b, s, value(b, "t"), func() { b.Write(` FROM "thing" AS t ORDER BY t.id`) })
	diff(t, "a list", answer(b, s), want)
	b = db.New(d.Dialect)
	top := &db.Shape{Fields: []db.ShapeField{{Key: "n", JSON: true, Set: true}}}
	d.Dialect.Answer(b, top, func(int) {
		d.Nest(b, s, value(b, "t"), func() { b.Write(` FROM "thing" AS t ORDER BY t.id`) })
	}, func() {})
	diff(t, "a nested list", answer(b, top), `{"n":`+want+"}")
	one := &db.Shape{Fields: s.Fields}
	for i := range rows {
		b := db.New(d.Dialect)
		from := func(alias string) func() {
			return func() {
				b.Write(` FROM "thing" AS `, alias, " WHERE ").Name(alias, "id").Write(" = ").Arg(number(i + 1))
			}
		}
		d.Dialect.Answer(b, one, value(b, "t"), from("t"))
		diff(t, "one record", answer(b, one), list[i])
		b = db.New(d.Dialect)
		top := &db.Shape{Many: true, Bare: true, Fields: []db.ShapeField{{JSON: true}}}
		d.Dialect.Answer(b, top, func(int) { d.Nest(b, one, value(b, "u"), from("u")) }, from("t"))
		diff(t, "a nested record", answer(b, top), "["+list[i]+"]")
	}
}

// diff tells where two answers part.
func diff(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-60)
	t.Fatalf("%s: byte %d: got ...%.120s\nwant ...%.120s", what, i, got[from:], want[from:])
}

// randomValue is a value of the column as it comes from a client, nil in one case of six.
func randomValue(rnd *rand.Rand, c *core.Column) any {
	if rnd.IntN(6) == 0 {
		return nil
	}
	whole := func() int64 { return int64(rnd.Uint64()) >> rnd.IntN(64) }
	moment := func() time.Time {
		return time.UnixMicro(rnd.Int64N(9e16) - 3e16).UTC().Truncate([]time.Duration{time.Microsecond, time.Millisecond, time.Second, time.Hour}[rnd.IntN(4)])
	}
	switch c.Kind {
	case core.Text, core.LongText:
		return randomText(rnd)
	case core.Integer:
		return whole()
	case core.Decimal:
		if c.Scale == 0 {
			return strconv.FormatInt(whole(), 10)
		}
		return fmt.Sprintf("%d.%0*d", whole(), 1+rnd.IntN(c.Scale), rnd.IntN(10))
	case core.Currency:
		return fmt.Sprintf("%d.%02d", whole()>>8, rnd.IntN(100))
	case core.Float:
		for {
			f := math.Float64frombits(rnd.Uint64())
			if rnd.IntN(2) == 0 {
				f = float64(rnd.Int64N(2e9)-1e9) / math.Pow10(rnd.IntN(9))
			}
			if !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
	case core.Boolean:
		return rnd.IntN(2) == 0
	case core.Date:
		return moment().Format(time.DateOnly)
	case core.Timestamp:
		return moment().Format(time.RFC3339Nano)
	case core.DateTime:
		return moment().Format("2006-01-02T15:04:05.999999")
	case core.Duration:
		return core.Span(rnd.Int64N(2e15) - 1e15)
	case core.Choice:
		return c.Options[rnd.IntN(len(c.Options))].Value
	case core.JSON:
		return map[string]any{randomText(rnd): []any{randomText(rnd), whole(), nil, rnd.IntN(2) == 0, map[string]any{}}}
	}
	return nil
}

// randomText is made of what JSON, SQL and Unicode treat in ways of their own.
func randomText(rnd *rand.Rand) string {
	pieces := []string{"a", "B", " ", "'", `"`, `\`, `\u0041`, "/", "\b", "\f", "\n", "\r", "\t", "\x01", "\x1f", "\x7f", "é", "日", "😀", "\u2028", "\ufffd", "%", "?", "$1", "{", "[", ",", "null", "<", "&", "1e5"}
	var b strings.Builder
	for range rnd.IntN(8) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}
