package sqlite

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"time"
	"unsafe"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// Dialect is the SQLite dialect.
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
func (Dialect) Name() string { return "sqlite" }

// AppendPlaceholder implements db.Dialect.
func (Dialect) AppendPlaceholder(b []byte, _ int) []byte { return append(b, '?') }

// storage is how a kind is kept. A decimal is a text of fixed scale whose collation compares by value; a moment is a
// text that sorts like the moment, and a duration the number of its microseconds.
var storage = map[core.Kind]string{
	core.Text: "TEXT", core.LongText: "TEXT", core.Integer: "INTEGER", core.Decimal: "TEXT COLLATE " + decimalCollation,
	core.Currency: "TEXT COLLATE " + decimalCollation,
	core.Float:    "REAL", core.Boolean: "INTEGER", core.Date: "TEXT", core.Timestamp: "TEXT", core.DateTime: "TEXT", core.Duration: "INTEGER", core.UUID: "TEXT",
	core.Choice: "TEXT", core.Choices: "TEXT", core.Status: "TEXT", core.Autonumber: "TEXT", core.Lookup: "TEXT", core.AnyLookup: "TEXT",
	core.File: "TEXT", core.Image: "TEXT", core.JSON: "TEXT",
}

// exact reports whether values of the kind are decimals.
func exact(k core.Kind) bool { return k == core.Decimal || k == core.Currency }

// ColumnType implements db.Dialect.
func (Dialect) ColumnType(c *core.Column) string { return storage[c.Kind] }

// Bind implements db.Dialect.
func (Dialect) Bind(c *core.Column, v any) any {
	switch v := v.(type) {
	case time.Time:
		if c.Kind == core.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(core.TimeLayout)
	case core.CivilTime:
		return v.String()
	case core.Span:
		return int64(v)
	case decimal.Decimal:
		switch {
		case c.Kind == core.Currency:
			return plain(v)
		case c.Scale > 0:
			return string(core.AppendFixed(nil, v, c.Scale))
		}
		return v.String()
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case core.ID:
		return string(v)
	case json.RawMessage:
		return unsafe.String(unsafe.SliceData(v), len(v)) // a value is never written over
	case nil, string, int64, float64:
		return v
	}
	return string(core.AppendValue(nil, v))
}

// Constant implements db.Dialect.
func (d Dialect) Constant(b *db.Builder, c *core.Column, v any) {
	switch v := d.Bind(c, v).(type) {
	case nil:
		b.Write("NULL")
	case int64:
		b.Write("(", strconv.FormatInt(v, 10), ")")
	case float64:
		b.Write("(", strconv.FormatFloat(v, 'e', -1, 64), ")")
	case string:
		b.Literal(v)
	default:
		b.Fail(core.E("sqlite.Constant", fmt.Errorf("%T is no constant", v)))
	}
}

// Online implements db.Dialect: there is one writer.
func (Dialect) Online() string { return "" }

// BrokenIndexes implements db.Dialect.
func (Dialect) BrokenIndexes(b *db.Builder) { b.Write("SELECT name FROM sqlite_schema WHERE FALSE") }

// Member implements db.Dialect. What -> gives is the text of the value, without the loss that a number would bring.
func (Dialect) Member(b *db.Builder, c *core.Column, object func(), key string) {
	path := func(operator string) { object(); b.Write(operator).Literal(`$."` + key + `"`) }
	switch c.Kind {
	case core.Decimal, core.Currency, core.JSON:
		b.Write("nullif(")
		path(" -> ")
		b.Write(", 'null')")
		b.Write(Dialect{}.Collate(c.Kind))
	case core.Float:
		b.Write("json_float(")
		path(" -> ")
		b.Write(")")
	case core.Duration:
		b.Write("text_duration(")
		path(" ->> ")
		b.Write(")")
	default:
		b.Write("(")
		path(" ->> ")
		b.Write(")")
	}
}

// Version implements db.Dialect: the last versions that were parsed are kept.
func (Dialect) Version() (object, join string) { return "h.data", "" }

// AnyOf implements db.Dialect.
func (d Dialect) AnyOf(b *db.Builder, c *core.Column, expr func(), list []any) {
	json := append(make([]byte, 0, 40*len(list)+2), '[')
	for _, v := range list {
		if v == nil {
			continue // equals nothing
		}
		if len(json) > 1 {
			json = append(json, ',')
		}
		json = core.AppendValue(json, d.Bind(c, v))
	}
	expr()
	b.Write(" IN (SELECT value FROM json_each(").Arg(string(append(json, ']'))).Write("))")
}

// Among implements db.Dialect.
func (d Dialect) Among(b *db.Builder, c *core.Column, expr func(), list []any) {
	d.AnyOf(b, c, expr, list)
}

// Like implements db.Dialect.
func (Dialect) Like(b *db.Builder, text, pattern func(), fold bool) {
	if fold {
		b.Write("text_ilike(")
	} else {
		b.Write("text_like(")
	}
	text()
	b.Write(", ")
	pattern()
	b.Write(")")
}

// Choices implements db.Dialect.
func (d Dialect) Choices(b *db.Builder, operator db.ChoicesOp, expr func(), list []string) {
	b.Write(map[db.ChoicesOp]string{db.ContainsAll: "choices_contains(", db.ContainedIn: "choices_within(", db.HasAny: "choices_any("}[operator])
	expr()
	b.Write(", ").Arg(string(core.AppendValue(nil, list))).Write(")")
}

// Matches implements db.Dialect.
func (Dialect) Matches(b *db.Builder, text func(), regex string) {
	b.Write("text_matches(")
	text()
	b.Write(", ").Arg(regex).Write(")")
}

var jsonOps = map[db.JSONOp]string{
	db.JSONContains: "json_contains(", db.JSONContainedIn: "json_within(", db.JSONAnyKey: "json_any_key(", db.JSONAllKeys: "json_all_keys(",
}

// JSON implements db.Dialect.
func (Dialect) JSON(b *db.Builder, operator db.JSONOp, expr func(), value json.RawMessage, keys []string) {
	if value == nil {
		value = core.AppendValue(nil, keys)
	}
	b.Write(jsonOps[operator])
	expr()
	b.Write(", ").Arg(string(value)).Write(")")
}

// Text implements db.Dialect. What is concatenated has no collation.
func (Dialect) Text(b *db.Builder, k core.Kind, expr func()) {
	if k == core.JSON {
		b.Write("json_spaced(")
		expr()
		b.Write(")")
		return
	}
	b.Write("(")
	expr()
	b.Write(" || '')")
}

// Position implements db.Dialect.
func (Dialect) Position(b *db.Builder, _ core.Kind, text func(), list []string) {
	b.Write("(SELECT key FROM json_each(").Arg(string(core.AppendValue(nil, list))).Write(") WHERE value = ")
	text()
	b.Write(")")
}

// Placed implements db.Dialect.
func (Dialect) Placed(b *db.Builder, position func(), list []string) {
	b.Write("json_extract(").Arg(string(core.AppendValue(nil, list))).Write(", '$[' || ")
	position()
	b.Write(" || ']')")
}

// Aggregate implements db.Dialect.
func (Dialect) Aggregate(b *db.Builder, function string, k core.Kind, expr func()) {
	_, spread := spreads[function]
	switch {
	case spread && k == core.Float:
		b.Write("float_finite(float_", function, "(")
		expr()
		b.Write("))")
		return
	case spread:
		b.Write("decimal_", function, "(")
	case function == "bool_and":
		b.Write("min(")
	case function == "bool_or":
		b.Write("max(")
	case function == "avg" && exact(k):
		b.Write("decimal_avg(")
	case function == "avg" && k == core.Duration:
		b.Write("duration_avg(")
	case function == "sum" && exact(k):
		b.Write("decimal_sum(")
	case k == core.Float && (function == "sum" || function == "avg"):
		b.Write("float_finite(", function, "(")
		expr()
		b.Write("))")
		return
	default:
		b.Write(function, "(")
	}
	expr()
	if exact(k) && (function == "min" || function == "max") {
		b.Write(" COLLATE ", decimalCollation)
	}
	b.Write(")")
}

// Order implements db.Dialect.
func (Dialect) Order(b *db.Builder, expr func(), k core.Kind, desc, nullsFirst bool) {
	expr()
	if exact(k) {
		b.Write(" COLLATE ", decimalCollation)
	}
	if desc {
		b.Write(" DESC")
	}
	if nullsFirst == desc { // SQLite holds NULL for the smallest value
		if nullsFirst {
			b.Write(" NULLS FIRST")
		} else {
			b.Write(" NULLS LAST")
		}
	}
}

// NullsFirst implements db.Dialect: SQLite holds NULL for the smallest value.
func (Dialect) NullsFirst(desc bool) bool { return !desc }

// Collate implements db.Dialect.
func (Dialect) Collate(k core.Kind) string {
	if exact(k) {
		return " COLLATE " + decimalCollation
	}
	return ""
}

// HasStatistics implements db.Dialect: ANALYZE is not run.
func (Dialect) HasStatistics() bool { return false }

// Fence implements db.Dialect: without statistics, what an index finds seems to be less than what an order passes by.
func (Dialect) Fence() string { return "" }

// Lock implements db.Dialect: there is one writer, so its rows need no lock.
func (Dialect) Lock() string { return "" }

// LockRow implements db.Dialect: there is one writer.
func (Dialect) LockRow() string { return "" }

// LockName implements db.Dialect: there is one writer.
func (Dialect) LockName(*db.Builder, string, bool) {}

// LockKey implements db.Dialect: there is one writer.
func (Dialect) LockKey() string { return "" }

// Defer implements db.Dialect. The pragma counts for all that share the transaction, so it must be taken back.
func (Dialect) Defer(on bool) string {
	if on {
		return "PRAGMA defer_foreign_keys = ON"
	}
	return "PRAGMA defer_foreign_keys = OFF"
}

// EventsAfter implements db.Dialect. There is one writer, so numbers appear in their order.
func (Dialect) EventsAfter(b *db.Builder, _, seq int64, limit int) {
	b.Write(`SELECT 0, e.seq, e.table_name, e.record_id, e.version, e.op, e.actor, e.cause, e.cause_id, e.depth, e.at, o.data, n.data
FROM "_event" AS e
LEFT JOIN "_history" AS o ON o.record_id = e.record_id AND o.version = e.version - 1 AND o.table_name = e.table_name
LEFT JOIN "_history" AS n ON n.record_id = e.record_id AND n.version = e.version AND n.table_name = e.table_name
WHERE e.seq > `).Arg(seq).Write(" ORDER BY e.seq LIMIT ", strconv.Itoa(limit))
}

// EventsMark implements db.Dialect.
func (Dialect) EventsMark() string {
	return `(SELECT CAST(coalesce(max(seq), 0) AS text) FROM "_event")`
}

// EventsUnmarked implements db.Dialect.
func (Dialect) EventsUnmarked(b *db.Builder, mark string) {
	b.Write("e.seq > CAST(").Arg(mark).Write(" AS INTEGER)")
}

// Clock implements db.Dialect. The text is without a zone: it sorts among texts of core.TimeLayout.
func (Dialect) Clock() (now, micros string) {
	return "strftime('%Y-%m-%dT%H:%M:%f', 'now')", "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)"
}

// HeldEvents implements db.Dialect: there is one writer, and so none.
func (Dialect) HeldEvents(b *db.Builder) { b.Write("SELECT 0") }

// LastEvent implements db.Dialect.
func (Dialect) LastEvent(b *db.Builder) {
	b.Write(`SELECT 0, seq FROM "_event" ORDER BY seq DESC LIMIT 1`)
}

// EventTx implements db.Dialect.
func (Dialect) EventTx() string { return "0" }

// EventsBetween implements db.Dialect.
func (Dialect) EventsBetween(b *db.Builder, _, seq, _, toSeq int64) {
	b.Write("e.seq > ").Arg(seq).Write(" AND e.seq <= ").Arg(toSeq)
}

// EventOrder implements db.Dialect.
func (Dialect) EventOrder(desc bool) string {
	if desc {
		return "e.seq DESC"
	}
	return "e.seq"
}

// Sizes implements db.Dialect: SQLite counts the pages of the whole file.
func (Dialect) Sizes(b *db.Builder) {
	b.Write(`SELECT m.tbl_name, sum(iif(m.type = 'table', s.pgsize, 0)), sum(iif(m.type = 'index', s.pgsize, 0))
FROM dbstat AS s JOIN sqlite_schema AS m ON m.name = s.name WHERE s.aggregate = TRUE GROUP BY m.tbl_name`)
}

// Explain implements db.Dialect.
func (Dialect) Explain(b *db.Builder) func(scan func(...any) error) (string, error) {
	b.Write("EXPLAIN QUERY PLAN ")
	return func(scan func(...any) error) (line string, err error) {
		var id, parent, unused int64
		err = scan(&id, &parent, &unused, &line)
		return line, err
	}
}
