package rules

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// open returns the databases to test with: SQLite, and PostgreSQL where COLONNADE_TEST_POSTGRES names a server.
func open(t testing.TB) []*db.DB {
	t.Helper()
	out := []*db.DB{dbtest.SQLite(t)}
	if dbtest.HasPostgres() {
		out = append(out, dbtest.Postgres(t))
	}
	return out
}

// asText writes the operand of that type as a text that is the same on every database, with "null" for NULL.
func asText(b *db.Builder, typ string, operand func()) {
	around := map[string][2]string{
		"sqlite string": {"", ""}, "sqlite int": {"CAST(", " AS TEXT)"}, "sqlite decimal": {"decimal_text(", ")"},
		"sqlite bool": {"CASE ", " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"}, "sqlite timestamp": {"", ""}, "sqlite choices": {"", ""}, "postgres choices": {"replace(", "::text, '\", \"', '\",\"')"}, "sqlite double": {"", ""}, "sqlite datetime": {"", ""}, "sqlite duration": {"CAST(", " AS TEXT)"},
		"postgres string": {"", ""}, "postgres int": {"", "::text"}, "postgres decimal": {"trim_scale(", ")::text"},
		"postgres bool": {"(", ")::text"}, "postgres timestamp": {"to_char(", ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')`},
		"postgres double": {"", "::text"}, "postgres duration": {"", "::text"}, "postgres datetime": {"to_char(", `, 'YYYY-MM-DD"T"HH24:MI:SS.US')`},
	}[b.Dialect().Name()+" "+typ]
	b.Write("coalesce(", around[0])
	operand()
	b.Write(around[1], ", 'null')")
}

// goText is the text that asText makes, of a value in memory.
func goText(v any, dialect string) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case decimal.Decimal:
		return decimalText(v)
	case []string:
		return string(core.AppendValue(nil, v))
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		if dialect == "postgres" {
			return v.Format("2006-01-02T15:04:05.000000")
		}
		return v.Format(core.TimeLayout)
	case core.CivilTime:
		if dialect == "postgres" {
			return v.Time().Format("2006-01-02T15:04:05.000000")
		}
	case core.Span:
		return strconv.FormatInt(int64(v), 10)
	}
	return fmt.Sprint(v)
}

// world is a table in each database, with rows that are also in memory.
type world struct {
	table core.Table
	rows  []core.Record
	dbs   []*db.DB
	name  string
}

var worldTable = core.Table{Name: "world", Columns: []core.Column{
	{Name: "s1", Kind: core.Text}, {Name: "s2", Kind: core.LongText}, {Name: "c1", Kind: core.Choice, Options: []core.Option{{Value: "open", Label: "Still open"}, {Value: "done"}}},
	{Name: "i1", Kind: core.Integer}, {Name: "i2", Kind: core.Integer},
	{Name: "d1", Kind: core.Decimal, Precision: 12, Scale: 2}, {Name: "d2", Kind: core.Decimal, Precision: 30, Scale: 10}, {Name: "a1", Kind: core.Currency},
	{Name: "f1", Kind: core.Float}, {Name: "f2", Kind: core.Float}, {Name: "b1", Kind: core.Boolean}, {Name: "b2", Kind: core.Boolean},
	{Name: "day1", Kind: core.Date}, {Name: "day2", Kind: core.Date}, {Name: "t1", Kind: core.Timestamp}, {Name: "t2", Kind: core.Timestamp},
	{Name: "u1", Kind: core.UUID}, {Name: "u2", Kind: core.Lookup}, {Name: "owner_id", Kind: core.UUID, System: true, Required: true}, {Name: "j1", Kind: core.JSON},
	{Name: "w1", Kind: core.DateTime}, {Name: "w2", Kind: core.DateTime}, {Name: "p1", Kind: core.Duration}, {Name: "p2", Kind: core.Duration},
	{Name: "m1", Kind: core.Choices}, {Name: "m2", Kind: core.Choices}, {Name: "st1", Kind: core.Status},
}}

// newWorld makes the table and writes the rows.
func newWorld(t testing.TB, rows []core.Record) *world {
	t.Helper()
	w := &world{table: worldTable, rows: rows, dbs: open(t), name: "world"}
	for _, d := range w.dbs {
		b := db.New(d.Dialect).Write("CREATE TABLE ").Name(w.name).Write(" (n INTEGER")
		for i := range w.table.Columns {
			c := &w.table.Columns[i]
			b.Write(", ").Name(c.Name).Write(" ", d.ColumnType(c))
		}
		run(t, d, b.Write(")"))
		for n, r := range rows {
			b := db.New(d.Dialect).Write("INSERT INTO ").Name(w.name).Write(" VALUES (").Arg(int64(n))
			for i := range w.table.Columns {
				c := &w.table.Columns[i]
				b.Write(", ").Value(c, r[c.Name])
			}
			run(t, d, b.Write(")"))
		}
	}
	return w
}

func run(t testing.TB, d *db.DB, b *db.Builder) {
	t.Helper()
	if _, err := d.Exec(contextOf(t), b); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

// ask computes the expressions over all rows in the database, as texts.
func (w *world) ask(t testing.TB, d *db.DB, exprs []*Expr, c core.Caller, fold bool, now time.Time) ([][]string, *db.Builder, error) {
	b := db.New(d.Dialect).Write("SELECT ")
	for i, e := range exprs {
		if i > 0 {
			b.Write(", ")
		}
		asText(b, e.Type, func() {
			p := e.printer(b, plainRow("w"), &c)
			p.fold, p.in.moment = fold, now
			p.operand(e.ast.Expr())
		})
	}
	b.Write(" FROM ").Name(w.name).Write(" AS w ORDER BY n")
	var out [][]string
	err := d.Query(contextOf(t), b, func(scan func(dest ...any) error) error {
		row := make([]string, len(exprs))
		dest := make([]any, len(exprs))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		for i, e := range exprs {
			if e.Type == "double" {
				row[i] = sameFloat(row[i])
			}
		}
		out = append(out, row)
		return nil
	})
	return out, b, err
}

// sameFloat writes the float in the text as Go does; databases choose other exponents.
func sameFloat(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// plainRow is a record of a table whose columns are called as they are, under that alias; it leads nowhere.
type plainRow string

func (r plainRow) Column(b *db.Builder, c *core.Column) { b.Name(string(r), c.Name) }
func (plainRow) Open(Step) Row                          { panic("the table has no relations") }
func (plainRow) From(*db.Builder)                       {}
