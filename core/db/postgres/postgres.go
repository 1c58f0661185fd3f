package postgres

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/formula"
)

// Dialect is the PostgreSQL dialect.
type Dialect struct{}

var _ db.Dialect = Dialect{}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations implements db.Dialect.
func (Dialect) Migrations() fs.FS {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return dir
}

// Name implements db.Dialect.
func (Dialect) Name() string { return "postgres" }

// AppendPlaceholder implements db.Dialect.
func (Dialect) AppendPlaceholder(b []byte, n int) []byte {
	return strconv.AppendInt(append(b, '$'), int64(n), 10)
}

// storage is how a kind is kept, without precision and collation.
var storage = map[core.Kind]string{
	core.Text: "text", core.LongText: "text", core.Integer: "bigint", core.Decimal: "numeric", core.Currency: "numeric", core.Float: "float8",
	core.Boolean: "boolean", core.Date: "date", core.Timestamp: "timestamptz", core.DateTime: "timestamp", core.Duration: "bigint", core.UUID: "uuid", core.Choice: "text",
	core.Choices: "jsonb", core.Status: "text", core.Autonumber: "text", core.Lookup: "uuid", core.AnyLookup: "uuid",
	core.File: "uuid", core.Image: "uuid", core.JSON: "jsonb",
}

// ColumnType implements db.Dialect.
func (Dialect) ColumnType(c *core.Column) string {
	switch t := storage[c.Kind]; t {
	case "numeric":
		if c.Precision > 0 {
			return "numeric(" + strconv.Itoa(c.Precision) + "," + strconv.Itoa(c.Scale) + ")"
		}
		return t
	case "text":
		return `text COLLATE "C"`
	default:
		return t
	}
}

// Bind implements db.Dialect. pgx sends a string as text, whatever the type of the parameter.
func (Dialect) Bind(c *core.Column, v any) any {
	switch v := v.(type) {
	case time.Time:
		if c.Kind == core.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(core.TimeLayout)
	case core.CivilTime:
		return v.String()
	case core.Span: // in microseconds: sums and averages of intervals are not exact
		return int64(v)
	case decimal.Decimal:
		if c.Kind == core.Currency {
			return v.StringFixed(max(0, -v.Exponent()))
		}
		return v.String()
	case core.ID:
		return string(v)
	case json.RawMessage:
		return string(v)
	case nil, string, int64, float64, bool:
		return v
	}
	return string(core.AppendValue(nil, v))
}

// Constant implements db.Dialect: a text that PostgreSQL reads as the type of the column, whatever its settings.
func (d Dialect) Constant(b *db.Builder, c *core.Column, v any) {
	var text string
	switch v := d.Bind(c, v).(type) {
	case nil:
		b.Write("NULL")
		return
	case string:
		text = v
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	default:
		b.Fail(core.E("postgres.Constant", fmt.Errorf("%T is no constant", v)))
		return
	}
	b.Write("E").Literal(strings.ReplaceAll(text, `\`, `\\`))
}

// Online implements db.Dialect.
func (Dialect) Online() string { return "CONCURRENTLY " }

// BrokenIndexes implements db.Dialect.
func (Dialect) BrokenIndexes(b *db.Builder) {
	b.Write(`SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace`)
}

// Answer implements db.Dialect: the answer travels as rows, and session.Answer writes the JSON.
func (d Dialect) Answer(b *db.Builder, s *db.Shape, value func(i int), from func()) {
	b.Write("SELECT ")
	s.Values(b, value, func(i int) string { return "c" + strconv.Itoa(i) })
	from()
}

// Nest implements db.Dialect.
func (d Dialect) Nest(b *db.Builder, s *db.Shape, value func(i int), from func()) {
	item := "row_to_json(x)"
	if s.Bare || !names(s) {
		item = "x.c0"
	}
	if s.Many {
		b.Write("(SELECT coalesce(json_agg(", item, "), '[]') FROM (SELECT ")
	} else {
		b.Write("(SELECT ", item, " FROM (SELECT ")
	}
	switch {
	case s.Bare && s.Fields[0].Text != "":
		b.Literal(s.Fields[0].Text).Write("::text AS c0")
	case s.Bare:
		nestedValue(b, &s.Fields[0], func() { value(0) })
		b.Write(" AS c0")
	case !names(s):
		spelled(b, s, value)
	default:
		nested(b, s, value)
	}
	from()
	b.Write(") AS x)")
}

// names reports whether the keys of s can be names of columns, of which PostgreSQL keeps 63 bytes.
func names(s *db.Shape) bool {
	if len(s.Fields) == 0 {
		return false
	}
	for _, f := range s.Fields {
		if f.Key == "" || len(f.Key) > 63 {
			return false
		}
	}
	return true
}

// spelled writes one column c0: the object, put together from texts.
func spelled(b *db.Builder, s *db.Shape, value func(i int)) {
	b.Write("('{'")
	for i, f := range s.Fields {
		key := core.AppendString(nil, f.Key)
		if i > 0 {
			key = append([]byte{','}, key...)
		}
		b.Write(" || ").Literal(string(append(key, ':'))).Write(" || ")
		if f.Text != "" {
			b.Literal(string(core.AppendString(nil, f.Text)))
			continue
		}
		b.Write("coalesce(to_json(")
		nestedValue(b, &s.Fields[i], func() { value(i) })
		b.Write(")::text, 'null')")
	}
	b.Write(" || '}')::json AS c0")
}

// nested writes the columns of a nested object, whose names are the keys; a constant is a column too.
func nested(b *db.Builder, s *db.Shape, value func(i int)) {
	for i, f := range s.Fields {
		if i > 0 {
			b.Write(", ")
		}
		if f.Text != "" {
			b.Literal(f.Text).Write("::text")
		} else {
			nestedValue(b, &s.Fields[i], func() { value(i) })
		}
		b.Write(" AS ").Name(f.Key)
	}
}

// nestedValue writes a value as PostgreSQL's JSON functions take it. Sessions write intervals in the form of ISO 8601, but for the
// sign, which stands in front of ours.
func nestedValue(b *db.Builder, f *db.ShapeField, value func()) {
	if f.JSON || f.Kind != core.Duration {
		value()
		return
	}
	b.Write("(SELECT CASE WHEN d.n < 0 THEN '-' ELSE '' END || (abs(d.n) / 86400000000 * interval '1 day' + abs(d.n) % 86400000000 * interval '1 microsecond')::text FROM (SELECT ")
	value()
	b.Write(" AS n) AS d)")
}

// Member implements db.Dialect.
func (d Dialect) Member(b *db.Builder, c *core.Column, object func(), key string) {
	if c.Kind == core.JSON {
		b.Write("nullif((")
		object()
		b.Write(" -> ").Literal(key).Write(")::jsonb, 'null')")
		return
	}
	if c.Kind == core.Duration {
		b.Write("(SELECT (CASE WHEN d.t LIKE '-%' THEN -1000000 ELSE 1000000 END * extract(epoch from ltrim(d.t, '-')::interval))::bigint FROM (SELECT ")
		object()
		b.Write(" ->> ").Literal(key).Write(" AS t) AS d)")
		return
	}
	b.Write("(")
	object()
	b.Write(" ->> ").Literal(key).Write(")")
	if t := storage[c.Kind]; t != "text" {
		b.Write("::", t)
	}
	b.Write(d.Collate(c.Kind))
}

// Version implements db.Dialect. OFFSET keeps the planner from parsing the version again for each member.
func (Dialect) Version() (object, join string) {
	return "j.data", " CROSS JOIN LATERAL (SELECT h.data::jsonb AS data OFFSET 0) AS j"
}

// AnyOf implements db.Dialect.
func (d Dialect) AnyOf(b *db.Builder, c *core.Column, expr func(), list []any) {
	expr()
	b.Write(" = ANY(")
	d.array(b, c, list)
	b.Write(")")
}

// Among implements db.Dialect. The sub-select becomes a hash, beside other conditions and, by the comparison, alone; the members of
// ANY are each compared with the statistics of the column whenever a plan is made.
func (d Dialect) Among(b *db.Builder, c *core.Column, expr func(), list []any) {
	b.Write("(")
	expr()
	b.Write(" IN (SELECT unnest(")
	d.array(b, c, list)
	b.Write("))) = TRUE")
}

// array writes a list of values of the column's kind as one argument.
func (d Dialect) array(b *db.Builder, c *core.Column, list []any) {
	texts := make([]string, 0, len(list))
	for _, v := range list {
		switch v := d.Bind(c, v).(type) {
		case nil: // equals nothing
		case string:
			texts = append(texts, v)
		default:
			texts = append(texts, string(core.AppendValue(nil, v)))
		}
	}
	b.Arg(texts).Write("::text[]")
	if t := storage[c.Kind]; t != "text" {
		b.Write("::", t, "[]")
	}
}

// Like implements db.Dialect. Texts compare by bytes, and so would fold ASCII only: the case of letters is that of the
// database.
func (Dialect) Like(b *db.Builder, text, pattern func(), fold bool) {
	if !fold {
		text()
		b.Write(" LIKE ")
		pattern()
		return
	}
	b.Write("lower((")
	text()
	b.Write(`) COLLATE "default") LIKE lower((`)
	pattern()
	b.Write(`) COLLATE "default")`)
}

// Choices implements db.Dialect.
func (d Dialect) Choices(b *db.Builder, operator db.ChoicesOp, expr func(), list []string) {
	b.Write("(coalesce(")
	expr()
	b.Write(", '[]')")
	switch operator {
	case db.ContainsAll:
		b.Write(" @> ").Arg(string(core.AppendValue(nil, list))).Write("::jsonb)")
	case db.ContainedIn:
		b.Write(" <@ ").Arg(string(core.AppendValue(nil, list))).Write("::jsonb)")
	default:
		b.Write(" ?| ").Arg(list).Write("::text[])")
	}
}

// Matches implements db.Dialect.
func (Dialect) Matches(b *db.Builder, text func(), regex string) {
	own := ""
	if r, err := formula.ParseRegex(regex); err == nil {
		own = r.Postgres()
	}
	b.Write("((")
	text()
	b.Write(") ~ ").Arg(own).Write(")")
}

var jsonOps = map[db.JSONOp]string{db.JSONContains: " @> ", db.JSONContainedIn: " <@ ", db.JSONAnyKey: " ?| ", db.JSONAllKeys: " ?& "}

// JSON implements db.Dialect.
func (Dialect) JSON(b *db.Builder, operator db.JSONOp, expr func(), value json.RawMessage, keys []string) {
	b.Write("(")
	expr()
	b.Write(jsonOps[operator])
	if value != nil {
		b.Arg(string(value)).Write("::jsonb)")
		return
	}
	b.Arg(keys).Write("::text[])")
}

// Text implements db.Dialect.
func (Dialect) Text(b *db.Builder, _ core.Kind, expr func()) {
	b.Write("((")
	expr()
	b.Write(`)::text COLLATE "C")`)
}

// Position implements db.Dialect.
func (d Dialect) Position(b *db.Builder, k core.Kind, text func(), list []string) {
	b.Write("array_position(").Arg(list).Write("::text[], ")
	text()
	b.Write(d.Collate(k), ")")
}

// Placed implements db.Dialect.
func (Dialect) Placed(b *db.Builder, position func(), list []string) {
	b.Write("(").Arg(list).Write("::text[])[")
	position()
	b.Write("]")
}

// Aggregate implements db.Dialect.
func (Dialect) Aggregate(b *db.Builder, function string, k core.Kind, expr func()) {
	switch {
	case k != core.Float && (function == "var_pop" || function == "stddev_pop"):
		spread(b, function == "stddev_pop", "count(", expr)
	case k != core.Float && (function == "var_samp" || function == "stddev_samp"):
		spread(b, function == "stddev_samp", "-1 + count(", expr)
	case function == "avg" && k == core.Duration: // half away from zero
		sum, count := func() { b.Write("sum("); expr(); b.Write(")") }, func() { b.Write("count("); expr(); b.Write(")") }
		b.Write("div(2 * ")
		sum()
		b.Write(" + sign(")
		sum()
		b.Write(") * ")
		count()
		b.Write(", nullif(2 * ")
		count()
		b.Write(", 0))::bigint")
	case function == "avg" && k != core.Float:
		// avg() itself stops at 16 digits, which is one too few to find the nearest double.
		b.Write("((sum(")
		expr()
		b.Write(") + 0e-40) / nullif(count(")
		expr()
		b.Write("), 0))::float8")
	case function == "avg": // avg() itself also sums the squares, which may be too large when the sum is not
		b.Write("(sum(")
		expr()
		b.Write(") / nullif(count(")
		expr()
		b.Write("), 0))")
	case function == "sum" && (k == core.Integer || k == core.Duration):
		b.Write("sum(")
		expr()
		b.Write(")::bigint")
	case (k == core.UUID || k == core.Lookup || k == core.AnyLookup) && (function == "min" || function == "max"):
		b.Write(function, "(")
		expr()
		b.Write("::text)")
	default:
		b.Write(function, "(")
		expr()
		b.Write(")")
	}
}

// spread writes the variance of whole numbers or decimals, or the root of it, which is exact until the last step: the functions of
// PostgreSQL stop at 16 digits, which is one too few to find the nearest double. by begins the number that it is divided by.
func spread(b *db.Builder, root bool, by string, expr func()) {
	write := func(before, after string) { b.Write(before); expr(); b.Write(after) }
	if root {
		b.Write("sqrt")
	}
	write("((count(", ") * sum((")
	write("", ")::numeric * (")
	write("", ")::numeric)")
	write(" - sum((", ")::numeric)")
	write(" * sum((", ")::numeric) + 0e-40)")
	write(" / nullif(count(", ")")
	write(" * ("+by, ")), 0))::float8")
}

// Order implements db.Dialect.
func (Dialect) Order(b *db.Builder, expr func(), _ core.Kind, desc, nullsFirst bool) {
	expr()
	if desc {
		b.Write(" DESC")
	}
	if nullsFirst != desc { // PostgreSQL holds NULL for the largest value
		if nullsFirst {
			b.Write(" NULLS FIRST")
		} else {
			b.Write(" NULLS LAST")
		}
	}
}

// NullsFirst implements db.Dialect: PostgreSQL holds NULL for the largest value.
func (Dialect) NullsFirst(desc bool) bool { return desc }

// Collate implements db.Dialect. An expression that reads no column of a table has the collation of the database.
func (Dialect) Collate(k core.Kind) string {
	if storage[k] == "text" {
		return ` COLLATE "C"`
	}
	return ""
}

// HasStatistics implements db.Dialect.
func (Dialect) HasStatistics() bool { return true }

// Fence implements db.Dialect. With ORDER BY and LIMIT beside them, conditions that are taken for independent of the order are
// looked for along its index, which passes by any number of rows before the first.
func (Dialect) Fence() string { return " OFFSET 0" }

// Lock implements db.Dialect.
func (Dialect) Lock() string { return " FOR UPDATE" }

// LockRow implements db.Dialect: it does not wait for the locks of references.
func (Dialect) LockRow() string { return " FOR NO KEY UPDATE" }

// LockName implements db.Dialect: those who wait get it in the order in which they came.
func (Dialect) LockName(b *db.Builder, name string, alone bool) {
	f := "pg_advisory_xact_lock_shared"
	if alone {
		f = "pg_advisory_xact_lock"
	}
	b.Write("SELECT ", f, "(hashtext(").Arg(name).Write("), coalesce(current_schema()::regnamespace::oid::int, 0))")
}

// LockKey implements db.Dialect: it is the lock of a reference.
func (Dialect) LockKey() string { return " FOR KEY SHARE" }

// Defer implements db.Dialect.
func (Dialect) Defer(on bool) string {
	if on {
		return "SET CONSTRAINTS ALL DEFERRED"
	}
	return "SET CONSTRAINTS ALL IMMEDIATE"
}

// Sizes implements db.Dialect. What is stored out of line counts with its table.
func (Dialect) Sizes(b *db.Builder) {
	b.Write("SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace")
}

// Explain implements db.Dialect.
func (Dialect) Explain(b *db.Builder) func(scan func(...any) error) (string, error) {
	b.Write("EXPLAIN ")
	return func(scan func(...any) error) (line string, err error) {
		err = scan(&line)
		return line, err
	}
}
