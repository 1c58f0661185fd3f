package sqlite

import (
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
)

// Answer implements db.Dialect: the answer travels as one text. To fetch a value from the driver costs more than to write it there.
func (d Dialect) Answer(b *db.Builder, s *db.Shape, value func(i int), from func()) {
	b.Write("SELECT ")
	d.json(b, s, value, from)
}

// Nest implements db.Dialect.
func (d Dialect) Nest(b *db.Builder, s *db.Shape, value func(i int), from func()) {
	b.Write("(SELECT ")
	d.json(b, s, value, from)
	b.Write(")")
}

// json writes what follows SELECT. The values of a list are chosen, ordered and limited inside, and formatted outside: nothing is written
// of rows that are sorted and then cut. The JSON is put together as a text, which SQLite does faster than json_object and
// json_group_array, and which need not be parsed anew where it is nested.
func (Dialect) json(b *db.Builder, s *db.Shape, value func(i int), from func()) {
	if !s.Many {
		object(b, s, value)
		b.Write(" AS a") // or the driver copies the whole expression as the name of the column
		from()
		return
	}
	b.Write("concat('[', group_concat(")
	object(b, s, func(i int) { b.Write("x.c", strconv.Itoa(i)) })
	b.Write("), ']') AS a FROM (SELECT ")
	if !s.Values(b, value, func(i int) string { return "c" + strconv.Itoa(i) }) {
		b.Write("1")
	}
	from()
	b.Write(") AS x")
}

// maxParts is how many parts one concat joins: SQLite passes at most 127 arguments to a function.
const maxParts = 100

// object writes an expression for the text of one object. It is never NULL, and has each value once.
func object(b *db.Builder, s *db.Shape, value func(i int)) {
	t := text{b: b}
	b.Write("concat(")
	if !s.Bare {
		t.constant("{")
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		if i > 0 {
			t.constant(",")
		}
		if !s.Bare {
			t.fixed = append(core.AppendString(t.fixed, f.Key), ':')
		}
		if f.Text != "" {
			t.fixed = core.AppendString(t.fixed, f.Text)
			continue
		}
		t.member(f, func() { value(i) })
	}
	if !s.Bare {
		t.constant("}")
	}
	t.flush()
	for range t.open {
		b.Write(")")
	}
	b.Write(")")
}

// text writes the arguments of concat.
type text struct {
	b     *db.Builder
	fixed []byte // not written yet
	parts int    // of the innermost concat
	open  int    // concats within the first
}

func (t *text) constant(s string) { t.fixed = append(t.fixed, s...) }

// flush writes the constant that is waiting.
func (t *text) flush() {
	if len(t.fixed) > 0 {
		t.part()
		t.b.Literal(string(t.fixed))
		t.fixed = t.fixed[:0]
	}
}

// part begins an argument, in a concat of its own when the last one is full.
func (t *text) part() {
	if t.parts > 0 {
		t.b.Write(", ")
	}
	if t.parts++; t.parts == maxParts {
		t.b.Write("concat(")
		t.open++
		t.parts = 1
	}
}

// member writes a value as JSON.
func (t *text) member(f *db.ShapeField, value func()) {
	quoted := false
	before, after := "json_quote(", ")"
	switch {
	case f.JSON || f.Kind == core.JSON || f.Kind == core.Choices || f.Kind == core.Integer || exact(f.Kind):
		if before, after = "coalesce(", ", 'null')"; f.Set {
			before, after = "", ""
		}
	case f.Kind == core.Float:
		before, after = "coalesce(float_json(", "), 'null')"
	case f.Kind == core.Duration:
		before, after = "json_quote(duration_text(", "))"
	case f.Kind == core.Boolean:
		before, after = "CASE ", " WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END"
	case f.Set && unescaped[f.Kind]:
		before, after, quoted = "", "", true
	}
	if quoted {
		t.constant(`"`)
	}
	t.flush()
	t.part()
	t.b.Write(before)
	value()
	t.b.Write(after)
	if quoted {
		t.constant(`"`)
	}
}

// unescaped are the kinds whose texts hold nothing that JSON escapes.
var unescaped = map[core.Kind]bool{core.UUID: true, core.Lookup: true, core.AnyLookup: true, core.Date: true, core.Timestamp: true, core.DateTime: true}
