package rules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/formula"
)

// TestDiffer compares random expressions over random rows, evaluated in memory and on every database: each is equal
// everywhere, or was refused when it was compiled.
//
//	COLONNADE_DIFFER=1000000    comparisons on each database; 50,000 when not set
//	COLONNADE_DIFFER_SEED=7     to repeat a run whose seed was printed
//
// See also FuzzDiffer, which `make fuzz` runs.
func TestDiffer(t *testing.T) {
	want, seed := 50_000, uint64(time.Now().UnixNano())
	if n, err := strconv.Atoi(os.Getenv("COLONNADE_DIFFER")); err == nil {
		want = n
	}
	if n, err := strconv.ParseUint(os.Getenv("COLONNADE_DIFFER_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("COLONNADE_DIFFER_SEED=%d", seed)
	d := newDiffer(t, seed)
	for d.compared < want && !t.Failed() {
		d.round(t, seed)
		seed++
	}
	t.Logf("%d comparisons on each of %d databases, %d of them NULL; %d expressions, %d more refused", d.compared, len(d.w.dbs), d.nulls/len(d.w.dbs), d.expressions, d.refused)
	if d.refused > d.expressions/3 || d.nulls/len(d.w.dbs) > d.compared*2/3 {
		t.Error("the generator makes too many expressions that say nothing")
	}
}

// TestCollationStaysInside compares expressions in which decimals are compared within a text: the collation of the decimals is
// not that of the text.
func TestCollationStaysInside(t *testing.T) {
	rows := make([]core.Record, differRows)
	g := generator{rand.New(rand.NewPCG(1, 0))}
	for i := range rows {
		rows[i] = g.row(i)
		rows[i]["d2"] = decimal.NewFromInt(int64(i - differRows/2))
	}
	d := &differ{w: newWorld(t, rows)}
	var exprs []*Expr
	for _, source := range []string{
		`(d2 < -2.5 ? "open" : "007") >= "1.50"`,
		`(d2 in [1.0, 2.0, 3.5] ? "open" : "007") >= "1.50"`,
		`"1.50" <= (abs(d2) >= 3.0 ? "open" : "007")`,
		`(d2 == 3.0 ? "1.5" : "007") in ["1.50", "7"]`,
		`string(d2 > 1.0) < "trud"`,
		`(d2 < 1.0 || !(d2 > -1.0) ? d2 : d1) > 0.5`,
	} {
		e, err := Compile(nil, &d.w.table, source, Options{})
		if err != nil {
			t.Fatal(err)
		}
		exprs = append(exprs, e)
	}
	d.compare(t, 0, exprs, g.caller(), false, g.moment())
}

// FuzzDiffer is TestDiffer with seeds from the fuzzer.
func FuzzDiffer(f *testing.F) {
	f.Add(uint64(1))
	d := newDiffer(f, 1)
	f.Fuzz(func(t *testing.T, seed uint64) { d.round(t, seed) })
}

const (
	differRows  = 25
	differBatch = 8 // expressions in one statement
)

type differ struct {
	w                                     *world
	compared, nulls, expressions, refused int
}

func newDiffer(t testing.TB, seed uint64) *differ {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	rows := make([]core.Record, differRows)
	for i := range rows {
		rows[i] = g.row(i)
	}
	return &differ{w: newWorld(t, rows)}
}

// round compares one batch of expressions.
func (d *differ) round(t *testing.T, seed uint64) {
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	c, now, fold := g.caller(), g.moment(), g.IntN(2) == 0
	var exprs []*Expr
	for len(exprs) < differBatch {
		source := g.expr([]string{"bool", "bool", "string", "int", "decimal", "timestamp", "double", "choices", "datetime", "duration"}[g.IntN(10)], 4)
		e, err := Compile(nil, &d.w.table, source, Options{})
		if err != nil {
			if core.KindOf(err) != core.Invalid {
				t.Fatalf("seed %d: %s: %v", seed, source, err)
			}
			d.refused++
			continue
		}
		exprs = append(exprs, e)
	}
	d.compare(t, seed, exprs, c, fold, now)
}

// compare evaluates the expressions over all rows in memory and in every database.
func (d *differ) compare(t *testing.T, seed uint64, exprs []*Expr, c core.Caller, fold bool, now time.Time) {
	d.expressions += len(exprs)
	d.compared += len(exprs) * len(d.w.rows)
	for _, database := range d.w.dbs {
		out, b, err := d.w.ask(t, database, exprs, c, fold, now)
		if err != nil {
			d.blame(t, seed, database.Name(), exprs, c, fold, now)
			t.Fatalf("seed %d: %s: %v\n%s\n%v", seed, database.Name(), err, b, b.Args())
		}
		for i, e := range exprs {
			for n, r := range d.w.rows {
				v, err := e.eval(&row{e: e, record: r, caller: &c, moment: now})
				if err != nil {
					t.Fatalf("seed %d: %s: %v", seed, e.Source, err)
				}
				if v == nil {
					d.nulls++
				}
				if got := goText(v, database.Name()); got != out[n][i] {
					t.Errorf("seed %d, fold %v, row %d: %s\nmemory   %s\n%-8s %s\n%s", seed, fold, n, e.Source, got, database.Name(), out[n][i], d.facts(e, r))
					break
				}
			}
		}
	}
}

// blame finds which of the expressions a database refuses.
func (d *differ) blame(t *testing.T, seed uint64, name string, exprs []*Expr, c core.Caller, fold bool, now time.Time) {
	for _, database := range d.w.dbs {
		for _, e := range exprs {
			if database.Name() != name {
				continue
			}
			if _, b, err := d.w.ask(t, database, []*Expr{e}, c, fold, now); err != nil {
				t.Errorf("seed %d: %s: %s: %v\n%s\n%v", seed, name, e.Source, err, b, b.Args())
			}
		}
	}
}

func (d *differ) facts(e *Expr, r core.Record) string {
	var out []string
	for _, c := range e.Columns {
		out = append(out, fmt.Sprintf("%s = %#v", c, fmt.Sprint(r[c])))
	}
	return strings.Join(out, "\n")
}

// generator makes random rows and expressions.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) text() string {
	return pick(g, "", "a", "B", "ab", "Ab", "äö", "ÄÖ", "ß", "acme", "100%", "a_b", `a\b`, "it's", " a ", "\ta\n", "\u00a0b\u3000", "日本語", "e\u0301", "12", "-7", "1.50", "007", "99999999999999999999", "12abc", ".5", "z", "😀x", `"q"`, "$1")
}

func (g generator) integer() int64 {
	return pick(g, 0, 1, -1, 2, 3, 7, -12, 100, 1<<31, 1<<53+1, 9223372036854775807, -9223372036854775808, g.Int64N(2000)-1000)
}

func (g generator) decimal(scale int32) decimal.Decimal {
	return decimal.New(pick(g, 0, 1, -1, 5, 50, 150, -250, 99999, g.Int64N(2000000)-1000000), -scale)
}

func (g generator) float() float64 {
	return pick(g, 0, 1, -1, 0.1, 0.5, 2.5, 1e-5, 1e20, 1e29, -1e31, 1e300, 1e-320, 123456.789, g.Float64()*1000)
}

func (g generator) moment() time.Time {
	return time.Date(pick(g, 1, 1899, 1970, 1999, 2000, 2023, 2024, 2024, 9999), time.Month(1+g.IntN(12)), 1+g.IntN(31), g.IntN(24), g.IntN(60), g.IntN(60), pick(g, 0, 500_000_000, 123_456_000, 1000), time.UTC).
		AddDate(pick(g, 0, 0, 0), 0, 0)
}

func (g generator) day() time.Time {
	t := midnight(g.moment())
	if !inCalendar(t) {
		return g.day()
	}
	return t
}

// clock returns a time of day.
func (g generator) clock() time.Duration {
	return time.Duration(g.Int64N(24*60*60))*time.Second + pick(g, 0, 0, 500*time.Millisecond, time.Microsecond, 123456*time.Microsecond)
}

func (g generator) span() core.Span {
	return pick(g, 0, core.Hour, -core.Minute, core.Day, 36*core.Hour+core.Microsecond, core.MaxSpan, -core.MaxSpan, 300*365*core.Day+7, core.Span(g.Int64N(int64(core.MaxSpan))), core.Span(g.Int64N(int64(core.Day))))
}

func (g generator) uuid() string {
	return fmt.Sprintf("0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a%02x", g.IntN(4))
}

// values are choices; one of their texts is like JSON.
func (g generator) values() any {
	all := []string{`"q"`, "a", "acme", "it's", "äö"}
	var out []string
	for _, s := range all {
		if g.IntN(2) == 0 {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (g generator) row(n int) core.Record {
	r := core.Record{
		"s1": g.text(), "s2": g.text(), "c1": pick(g, "open", "done"), "i1": g.integer(), "i2": g.integer(), "d1": g.decimal(2), "d2": g.decimal(10), "a1": g.decimal(pick(g, int32(0), 2, 3)),
		"f1": g.float(), "f2": g.float(), "b1": g.IntN(2) == 0, "b2": g.IntN(2) == 0, "day1": g.day(), "day2": g.day(), "t1": g.moment(), "t2": g.moment(),
		"u1": g.uuid(), "u2": g.uuid(), "owner_id": g.uuid(), "w1": core.CivilTimeOf(g.day().Add(g.clock())), "w2": core.CivilTimeOf(g.day().Add(g.clock())), "p1": g.span(), "p2": g.span(), "m1": g.values(), "m2": g.values(), "st1": pick(g, "open", "done", "a"),
		"j1": json.RawMessage(pick(g, `null`, `"x"`, `{"a":"\u00e4b"}`, `{"a":{"b":[1,2]}}`, `["x",{"b":true}]`, `{"a":12.50}`, `{"a b":{"c":"$1 #1"},"a":true}`, `{"0":"zero"}`, `{"a":{"b":123456789012345678901234567890123}}`)),
	}
	for _, t := range []string{"t1", "t2"} {
		if m := r[t].(time.Time); !inCalendar(m) {
			r[t] = g.day()
		}
	}
	for name := range r {
		if n > 0 && name != "owner_id" && g.IntN(5) == 0 {
			r[name] = nil
		}
	}
	return r
}

func (g generator) caller() core.Caller {
	list := func() []core.ID {
		var out []core.ID
		for range g.IntN(3) {
			out = append(out, core.ID(g.uuid()))
		}
		return out
	}
	return core.Caller{User: core.ID(pick(g, "", g.uuid(), g.uuid())), Unit: core.ID(g.uuid()), Below: list(), Teams: list(), Roles: []string{"a", "acme"}[:g.IntN(3)]}
}

// expr returns a random expression of the type.
func (g generator) expr(typ string, depth int) string {
	if depth <= 0 || g.IntN(8) == 0 {
		return g.leaf(typ)
	}
	x := func(typ string) string { return g.expr(typ, depth-1) }
	num := func() string { return x(pick(g, "int", "decimal", "decimal")) }
	if g.IntN(10) == 0 {
		return pick(g, fmt.Sprintf("(%s ? %s : %s)", x("bool"), x(typ), x(typ)), fmt.Sprintf("coalesce(%s, %s)", x(typ), x(typ)), fmt.Sprintf("nullIf(%s, %s)", x(typ), x(typ)))
	}
	if g.IntN(3) == 0 {
		if s := g.call(typ, x); s != "" {
			return s
		}
	}
	switch typ {
	case "bool":
		compare := func() string { return pick(g, "==", "!=", "<", "<=", ">", ">=") }
		some := pick(g, "string", "int", "decimal", "timestamp", "double", "datetime", "duration")
		switch g.IntN(17) {
		case 14:
			return fmt.Sprintf("(%s in %s)", x("string"), x("choices"))
		case 15:
			return fmt.Sprintf("(%s %s %s)", x("choices"), pick(g, "==", "!="), x("choices"))
		case 16:
			return fmt.Sprintf("isNull(%s)", x("choices"))
		case 0:
			return fmt.Sprintf("(%s && %s)", x("bool"), x("bool"))
		case 1:
			return fmt.Sprintf("(%s || %s)", x("bool"), x("bool"))
		case 2:
			return fmt.Sprintf("!%s", x("bool"))
		case 3:
			return fmt.Sprintf("isNull(%s)", x(pick(g, some, "bool")))
		case 4:
			return fmt.Sprintf("(%s %s %s)", x("bool"), pick(g, "==", "!="), x("bool"))
		case 5:
			return fmt.Sprintf("(%s in [%s, %s])", x(some), g.literal(some), g.literal(some))
		case 6:
			return fmt.Sprintf("%s.%s(%s)", x("string"), pick(g, "contains", "startsWith", "endsWith"), x("string"))
		case 7:
			return fmt.Sprintf("(%s in caller.%s)", pick(g, "u1", "u2", "owner_id", "s1", "caller.user", x("string")), pick(g, "teams", "below", "roles"))
		case 8:
			return fmt.Sprintf("(%s %s %s)", pick(g, "u1", "u2", "owner_id"), compare(), pick(g, "u1", "u2", "caller.user", "'"+g.uuid()+"'", "'"+strings.ToUpper(g.uuid())+"'", "'x'", x("string")))
		case 9:
			return fmt.Sprintf("(%s %s %s)", num(), compare(), num())
		case 10:
			return fmt.Sprintf("(%s %s %s)", pick(g, "day1", "day2", x("timestamp")), compare(), pick(g, "day1", "day2", x("timestamp"), g.literal("timestamp")))
		}
		return fmt.Sprintf("(%s %s %s)", x(some), compare(), x(some))
	case "string":
		switch g.IntN(10) {
		case 8:
			return fmt.Sprintf("pick(%s, '{\"a\": \"x\", \"acme\": \"\", \"open\": \"o\\\\n\"}')", x("string"))
		case 0, 1:
			return fmt.Sprintf("(%s + %s)", x("string"), x("string"))
		case 2:
			return fmt.Sprintf("%s.%s()", x("string"), pick(g, "lower", "upper", "trim"))
		case 3:
			return fmt.Sprintf("substring(%s, %s)", x("string"), x("int"))
		case 4:
			return fmt.Sprintf("%s.substring(%d, %s)", x("string"), g.IntN(3), pick(g, "1", "2", "4", x("int")))
		case 5:
			return fmt.Sprintf("replace(%s, %s, %s)", x("string"), x("string"), x("string"))
		case 6:
			return fmt.Sprintf("string(%s)", x(pick(g, "int", "decimal", "bool")))
		case 7:
			return fmt.Sprintf("%s.replace(%s, %s)", x("string"), g.literal("string"), g.literal("string"))
		}
	case "int":
		switch g.IntN(15) {
		case 12:
			return fmt.Sprintf("size(%s)", x("choices"))
		case 13:
			return fmt.Sprintf("%s(%s)", pick(g, "hours", "minutes", "seconds"), x("duration"))
		case 14:
			return pick(g, fmt.Sprintf("%s(%s)", pick(g, "year", "month", "day"), x("datetime")), fmt.Sprintf("%s(%s, %s)", pick(g, "daysBetween", "yearsBetween"), x("datetime"), x("datetime")))
		case 0, 1, 2:
			return fmt.Sprintf("(%s %s %s)", x("int"), pick(g, "+", "-", "*", "/", "%"), x("int"))
		case 3:
			return "-" + g.paren(x("int"))
		case 4:
			return fmt.Sprintf("size(%s)", x("string"))
		case 5:
			return fmt.Sprintf("int(%s)", x(pick(g, "string", "decimal")))
		case 6:
			return fmt.Sprintf("%s(%s)", pick(g, "year", "month", "day", "age"), x("timestamp"))
		case 7:
			return fmt.Sprintf("%s(%s, %s)", pick(g, "daysBetween", "yearsBetween"), x("timestamp"), x("timestamp"))
		case 8:
			return fmt.Sprintf("%s(%s, %s)", pick(g, "min", "max"), x("int"), x("int"))
		case 9:
			return fmt.Sprintf("abs(%s)", x("int"))
		}
	case "choices":
		if g.IntN(2) == 0 {
			return fmt.Sprintf(`pickAll(%s, '{"a": ["a"], "open": ["\\\\"q\\\\"", "done"], "done": ["acme", "it\\'s"]}')`, x("string"))
		}
	case "datetime":
		switch g.IntN(6) {
		case 0:
			return fmt.Sprintf("addDays(%s, %s)", x("datetime"), pick(g, "1", "-30", "999999", "1000001", x("int")))
		case 1:
			return fmt.Sprintf("addMonths(%s, %s)", x("datetime"), pick(g, "1", "-1", "-24000", "24001", x("int")))
		case 2:
			return fmt.Sprintf("datetime(%s)", x("timestamp"))
		case 3:
			return fmt.Sprintf("%s(%s, %s)", pick(g, "min", "max"), x("datetime"), x("datetime"))
		case 4:
			return pick(g, fmt.Sprintf("(%s %s %s)", x("datetime"), pick(g, "+", "-"), x("duration")), fmt.Sprintf("(%s + %s)", x("duration"), x("datetime")))
		}
	case "duration":
		switch g.IntN(6) {
		case 0:
			some := pick(g, "timestamp", "datetime", "duration")
			return fmt.Sprintf("(%s - %s)", x(some), x(some))
		case 1:
			return fmt.Sprintf("(%s + %s)", x("duration"), x("duration"))
		case 2:
			return pick(g, fmt.Sprintf("(%s * %s)", x("duration"), x("int")), fmt.Sprintf("(%s * %s)", x("int"), x("duration")))
		case 3:
			return "-" + g.paren(x("duration"))
		case 4:
			return fmt.Sprintf("%s(%s, %s)", pick(g, "min", "max"), x("duration"), x("duration"))
		}
	case "decimal":
		switch g.IntN(12) {
		case 10:
			return fmt.Sprintf("decimal(%s)", x("duration"))
		case 0, 1, 2, 3:
			return fmt.Sprintf("(%s %s %s)", x("decimal"), pick(g, "+", "-", "*", "/"), num())
		case 4:
			return "-" + g.paren(x("decimal"))
		case 5:
			return fmt.Sprintf("round(%s, %d)", x("decimal"), g.IntN(8)-2)
		case 6:
			return fmt.Sprintf("%s(%s)", pick(g, "floor", "ceil", "abs", "round"), x("decimal"))
		case 7:
			return fmt.Sprintf("decimal(%s)", x(pick(g, "int", "double", "string")))
		case 8:
			return fmt.Sprintf("%s(%s, %s)", pick(g, "min", "max"), x("decimal"), num())
		case 9:
			return fmt.Sprintf("coalesce(%s, %s)", x("decimal"), g.literal("int"))
		}
	case "timestamp":
		switch g.IntN(8) {
		case 4:
			return pick(g, fmt.Sprintf("(%s %s %s)", x("timestamp"), pick(g, "+", "-"), x("duration")), fmt.Sprintf("(%s + %s)", x("duration"), x("timestamp")))
		case 5:
			return fmt.Sprintf("timestamp(%s)", x("datetime"))
		case 6:
			return fmt.Sprintf("date(%s)", x("datetime"))
		case 0:
			return fmt.Sprintf("addDays(%s, %s)", x("timestamp"), pick(g, "1", "-30", "400", "999999", "1000001", x("int")))
		case 1:
			return fmt.Sprintf("addMonths(%s, %s)", x("timestamp"), pick(g, "1", "-1", "13", "-24000", "24001", x("int")))
		case 2:
			return fmt.Sprintf("date(%s)", x("timestamp"))
		case 3:
			return fmt.Sprintf("%s(%s, %s)", pick(g, "min", "max"), x("timestamp"), x("timestamp"))
		}
	}
	return g.leaf(typ)
}

// call returns a call of a function that is told by its templates, of that type.
func (g generator) call(typ string, x func(string) string) string {
	time := func() string { return x(pick(g, "timestamp", "datetime")) }
	zone := func() string {
		return pick(g, "'Europe/Berlin'", "'America/New_York'", "'UTC'", "'Asia/Kolkata'", "'Pacific/Apia'", "'Africa/Casablanca'", "'Australia/Lord_Howe'", "'Africa/Monrovia'")
	}
	json := func() string {
		return pick(g, "j1", "j1", `json('{"a": {"b": [1, -2.50, "x", null, true]}, "0": "n"}')`)
	}
	path := func() string {
		return pick(g, "'a'", "'a.b'", "'a.b[0]'", "'a.b[2]'", "'[1]'", "'[0]'", `'["a b"].c'`, "'a.b[4]'", "'x'")
	}
	holidays := func() string {
		return pick(g, "", ", ''", ", '2024-12-25;2024-12-26;2025-01-01;2024-05-01'", ", '2023-12-30'")
	}
	calls := map[string][]func() string{
		"bool": {
			func() string { return fmt.Sprintf("isBlank(%s)", x("string")) },
			func() string {
				return fmt.Sprintf("%s(%s, %s)", pick(g, "containsAll", "containsAny"), x("choices"), x("choices"))
			},
			func() string { return fmt.Sprintf("%s(%s, %s)", pick(g, "booleanAt", "hasAt"), json(), path()) },
		},
		"string": {
			func() string {
				return fmt.Sprintf("%s(%s, %s)", pick(g, "left", "right"), x("string"), pick(g, "1", "2", x("int")))
			},
			func() string { return fmt.Sprintf("%s(%s)", pick(g, "title", "capitalize"), x("string")) },
			func() string {
				return fmt.Sprintf("%s(%s, %s, %s)", pick(g, "padLeft", "padRight"), x("string"), pick(g, "3", "5", x("int")), pick(g, "'0'", "'xy'", x("string")))
			},
			func() string { return fmt.Sprintf("repeat(%s, %s)", x("string"), pick(g, "2", "3", x("int"))) },
			func() string {
				return fmt.Sprintf("splitPart(%s, %s, %s)", x("string"), pick(g, "'a'", "' '", x("string")), pick(g, "0", "1", x("int")))
			},
			func() string {
				return fmt.Sprintf("join(%s, %s, %s, %s)", pick(g, "' '", "''", "', '"), x("string"), x("string"), x("string"))
			},
			func() string {
				return fmt.Sprintf("format(%s, %s)", x(pick(g, "int", "decimal")), pick(g, "'#,##0.00'", "'#.##0,0##'", "'0'", "'0000.###'", `"#'##0"`))
			},
			func() string {
				return fmt.Sprintf("format(%s, %s)", time(), pick(g, "'yyyy-MM-dd'", "'d.M.yy'", `"EEE EEEE MMM MMMM 'at' HH:mm:ss"`, `'"yyyy\\\\MM"'`))
			},
			func() string { return fmt.Sprintf("format(%s, 'yyyy-MM-dd HH:mm', %s)", x("timestamp"), zone()) },
			func() string { return fmt.Sprintf("textAt(%s, %s)", json(), path()) },
			func() string { return "label(c1)" },
		},
		"int": {
			func() string {
				return fmt.Sprintf("find(%s, %s%s)", x("string"), pick(g, "'a'", x("string")), pick(g, "", ", 1", ", "+x("int")))
			},
			func() string { return fmt.Sprintf("sign(%s)", x(pick(g, "int", "decimal"))) },
			func() string { return fmt.Sprintf("mod(%s, %s)", x("int"), x("int")) },
			func() string { return fmt.Sprintf("power(%s, %s)", x("int"), pick(g, "2", "3", "63", x("int"))) },
			func() string {
				return fmt.Sprintf("%s(%s)", pick(g, "weekday", "week", "weekYear", "quarter", "dayOfYear", "hour", "minute", "second"), time())
			},
			func() string {
				return fmt.Sprintf("%s(%s, %s)", pick(g, "weekday", "day", "hour", "minute", "week", "year"), x("timestamp"), zone())
			},
			func() string {
				t := pick(g, "timestamp", "datetime")
				return pick(g, fmt.Sprintf("monthsBetween(%s, %s)", x(t), x(t)), fmt.Sprintf("workdaysBetween(%s, %s%s)", x(t), x(t), holidays()))
			},
			func() string { return fmt.Sprintf("sizeAt(%s, %s)", json(), path()) },
			func() string { return fmt.Sprintf("clamp(%s, %s, %s)", x("int"), x("int"), x("int")) },
		},
		"decimal": {
			func() string { return fmt.Sprintf("trunc(%s, %d)", x("decimal"), g.IntN(8)-2) },
			func() string { return fmt.Sprintf("mod(%s, %s)", x("decimal"), x(pick(g, "int", "decimal"))) },
			func() string { return fmt.Sprintf("power(%s, %d)", x("decimal"), g.IntN(4)) },
			func() string { return fmt.Sprintf("sqrt(%s)", x(pick(g, "int", "decimal"))) },
			func() string { return fmt.Sprintf("numberAt(%s, %s)", json(), path()) },
			func() string { return fmt.Sprintf("clamp(%s, %s, %s)", x("decimal"), x("int"), x("decimal")) },
		},
		"timestamp": {
			func() string { return fmt.Sprintf("startOf(%s, '%s')", x("timestamp"), pick(g, formula.Periods...)) },
			func() string { return fmt.Sprintf("endOf(%s, '%s')", x("timestamp"), pick(g, formula.Days...)) },
			func() string {
				return fmt.Sprintf("startOf(%s, '%s', %s)", x("timestamp"), pick(g, formula.Periods...), zone())
			},
			func() string {
				return fmt.Sprintf("endOf(%s, '%s', %s)", x("timestamp"), pick(g, formula.Days...), zone())
			},
			func() string {
				return fmt.Sprintf("addWorkdays(%s, %s%s)", x("timestamp"), pick(g, "1", "-1", "5", "-23", "260", x("int")), holidays())
			},
			func() string { return fmt.Sprintf("fromZone(%s, %s)", x("datetime"), zone()) },
			func() string { return fmt.Sprintf("date(%s, %s)", x("timestamp"), zone()) },
			func() string {
				return fmt.Sprintf("parseDate(%s, %s)", pick(g, `format(`+x("timestamp")+`, 'dd.MM.yyyy')`, "'31.4.2024'", "'29.2.2024'", x("string")), pick(g, "'dd.MM.yyyy'", "'d.M.yyyy'"))
			},
			func() string {
				return fmt.Sprintf("%s(%s, %s)", pick(g, "addWeeks", "addYears", "addHours"), x("timestamp"), pick(g, "1", "-2", x("int")))
			},
		},
		"datetime": {
			func() string { return fmt.Sprintf("startOf(%s, '%s')", x("datetime"), pick(g, formula.Periods...)) },
			func() string { return fmt.Sprintf("endOf(%s, '%s')", x("datetime"), pick(g, formula.Days...)) },
			func() string {
				return fmt.Sprintf("addWorkdays(%s, %s%s)", x("datetime"), pick(g, "1", "-1", "7", x("int")), holidays())
			},
			func() string { return fmt.Sprintf("inZone(%s, %s)", x("timestamp"), zone()) },
		},
	}[typ]
	if len(calls) == 0 {
		return ""
	}
	return calls[g.IntN(len(calls))]()
}

func (g generator) paren(s string) string { return "(" + s + ")" }

// leaf returns a column or a literal.
func (g generator) leaf(typ string) string {
	if g.IntN(3) == 0 && typ != "bool" {
		return g.literal(typ)
	}
	return map[string]string{
		"bool": pick(g, "b1", "b2", "b1", "true", "false"), "string": pick(g, "s1", "s2", "s1", "s2", "c1", "st1", "u1", "u2", "caller.user", "caller.unit"),
		"choices": pick(g, "m1", "m2"), "int": pick(g, "i1", "i2"), "decimal": pick(g, "d1", "d2", "a1"), "double": pick(g, "f1", "f2"), "datetime": pick(g, "w1", "w2"), "duration": pick(g, "p1", "p2"),
		"timestamp": pick(g, "day1", "day2", "t1", "t2", "now()", "today()"),
	}[typ]
}

// literal returns a literal of the type.
func (g generator) literal(typ string) string {
	switch typ {
	case "string":
		return strconv.QuoteToASCII(g.text())
	case "int":
		return fmt.Sprint(pick(g, 0, 1, 2, -1, 3, 10, 100, g.integer()))
	case "decimal":
		return pick(g, "0.5", "1.19", "-2.5", "100.0", "dec('3')", "0.0", "12345678901234.5678", "1e3")
	case "choices":
		return pick(g, "choices('a')", "choices('acme;a')", "choices('')", "choices('it\\'s; \"q\"')")
	case "double":
		return pick(g, "0.5", "1.19", "-2.5", "100.0", "1e3")
	case "datetime":
		return pick(g, "datetime('2024-02-29T12:00:00')", "datetime('0001-01-01T00:00')", "datetime('9999-12-31T23:59:59.999999')")
	case "duration":
		return pick(g, "duration('PT0S')", "duration('-P1DT2H')", "duration('1h30m')", "duration('P4000000D')", "duration('PT0.000001S')")
	case "timestamp":
		return pick(g, "date('2024-02-29')", "date('2023-12-31')", "timestamp('2024-01-01T00:00:00Z')", "timestamp('2024-05-05T12:30:00.5+02:00')", "date('0001-01-01')", "date('9999-12-31')")
	}
	return "true"
}
