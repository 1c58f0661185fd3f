package rules

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// TestDifferReach compares random expressions over the records of several tables, computed by a naive model, as SQL on every
// database, and in memory with what they need of other records asked of the database. COLONNADE_DIFFER and
// COLONNADE_DIFFER_SEED are those of TestDiffer.
func TestDifferReach(t *testing.T) {
	want, seed := 5_000, uint64(time.Now().UnixNano())
	if n, err := strconv.Atoi(os.Getenv("COLONNADE_DIFFER")); err == nil {
		want = n
	}
	if n, err := strconv.ParseUint(os.Getenv("COLONNADE_DIFFER_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("COLONNADE_DIFFER_SEED=%d", seed)
	w := newReachWorld(t, seed)
	compared, nulls, expressions := 0, 0, 0
	for ; compared < want && !t.Failed(); seed++ {
		g := reachGenerator{Rand: rand.New(rand.NewPCG(seed, 1)), w: w}
		table := pick2(g.Rand, "account", "orders", "line")
		x := g.expr(scope{table: table}, pick2(g.Rand, "decimal", "int", "bool", "string", "timestamp"), 1+g.IntN(3))
		e, err := Compile(w.schema, w.table(table), x.source, Options{})
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, x.source, err)
		}
		expressions++
		n, empty := w.compare(t, seed, table, x, e)
		compared, nulls = compared+n, nulls+empty
	}
	t.Logf("%d expressions, %d comparisons on each of %d databases, %d of them NULL", expressions, compared, len(w.dbs), nulls)
	if nulls > compared*2/3 {
		t.Error("the generator makes too many expressions that say nothing")
	}
}

// reachWorld is tables in each database, whose rows are in memory too.
type reachWorld struct {
	schema *core.Schema
	set    *Set
	rows   map[string][]core.Record
	byID   map[string]core.Record
	dbs    []*db.DB
	known  map[string]map[*Need]map[string]string // by database: what the formulas of the schema need
}

func reachSchema(t testing.TB) *core.Schema {
	t.Helper()
	lookup := func(name, target string, more ...func(*core.Column)) core.Column {
		c := core.Column{Name: name, Kind: core.Lookup, Target: target}
		for _, f := range more {
			f(&c)
		}
		return c
	}
	end := func(c *core.Column) { c.Required, c.OnDelete = true, core.Cascade }
	table := func(name string, columns ...core.Column) core.Table {
		return core.Table{Name: name, Ownership: core.OrgOwned, Columns: append(columns,
			core.Column{Name: "s", Kind: core.Text}, core.Column{Name: "i", Kind: core.Integer}, core.Column{Name: "d", Kind: core.Decimal, Precision: 12, Scale: 2},
			core.Column{Name: "b", Kind: core.Boolean}, core.Column{Name: "day", Kind: core.Date}, core.Column{Name: "at", Kind: core.Timestamp},
			core.Column{Name: "twice", Kind: core.Decimal, Precision: 20, Scale: 1, Formula: "d * 2"})}
	}
	s, err := core.NewSchema(1,
		table("account", lookup("parent_id", "account", func(c *core.Column) { c.Inverse = "children" }),
			core.Column{Name: "rollup", Kind: core.Decimal, Precision: 30, Scale: 2, Formula: "orders.sum(o, o.net, o.b)"}),
		table("orders", lookup("account_id", "account"),
			core.Column{Name: "about", Kind: core.AnyLookup, Targets: []string{"account", "product"}, Relation: "subject", Inverse: "mentions"},
			core.Column{Name: "subject_table", Kind: core.Choice, Of: "about", Options: []core.Option{{Value: "account"}, {Value: "product"}}},
			core.Column{Name: "net", Kind: core.Decimal, Precision: 30, Scale: 2, Formula: "coalesce(lines.sum(l, l.d * l.product.d), 0) + d"}),
		table("line", lookup("order_id", "orders", func(c *core.Column) { c.Inverse = "lines" }), lookup("product_id", "product")),
		table("product"),
		core.Table{Name: "tag", Ownership: core.OrgOwned, Columns: []core.Column{lookup("account_id", "account", end), lookup("product_id", "product", end)},
			Keys: []core.Key{{Name: "pair", Columns: []string{"account_id", "product_id"}}},
			Link: &core.Link{From: core.LinkEnd{Column: "account_id", Field: "products"}, To: core.LinkEnd{Column: "product_id", Field: "accounts"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newReachWorld(t testing.TB, seed uint64) *reachWorld {
	t.Helper()
	w := &reachWorld{schema: reachSchema(t), dbs: open(t), rows: map[string][]core.Record{}, byID: map[string]core.Record{}, known: map[string]map[*Need]map[string]string{}}
	var err error
	if w.set, err = NewSet(w.schema); err != nil {
		t.Fatal(err)
	}
	w.fill(generator{rand.New(rand.NewPCG(seed, 2))})
	for _, d := range w.dbs {
		for _, table := range w.schema.Tables() {
			b := db.New(d.Dialect).Write("CREATE TABLE ").Name(table.Name).Write(" (")
			var stored []*core.Column
			for c := range table.Stored {
				if len(stored) > 0 {
					b.Write(", ")
				}
				b.Name(c.Name).Write(" ", d.ColumnType(c))
				stored = append(stored, c)
			}
			run(t, d, b.Write(")"))
			for _, r := range w.rows[table.Name] {
				b := db.New(d.Dialect).Write("INSERT INTO ").Name(table.Name).Write(" VALUES (")
				for i, c := range stored {
					if i > 0 {
						b.Write(", ")
					}
					b.Value(c, r[c.Name])
				}
				run(t, d, b.Write(")"))
			}
		}
	}
	return w
}

// fill makes rows; the hierarchy of accounts has circles.
func (w *reachWorld) fill(g generator) {
	counts := map[string]int{"account": 9, "product": 5, "orders": 14, "line": 25}
	id := func(table string, n int) string {
		return fmt.Sprintf("0190a3c1-7c1e-7a3e-9d0b-%04x%08x", slices.Index([]string{"account", "product", "orders", "line", "tag"}, table), n)
	}
	some := func(table string) any {
		if g.IntN(5) == 0 {
			return nil
		}
		return id(table, g.IntN(counts[table]))
	}
	for _, name := range []string{"account", "product", "orders", "line"} {
		for n := range counts[name] {
			r := core.Record{"s": g.text(), "i": g.Int64N(20) - 5, "d": decimal.New(g.Int64N(400)-100, -2), "b": g.IntN(2) == 0, "day": g.day(), "at": g.day().Add(g.clock())}
			for column := range r {
				if g.IntN(5) == 0 {
					r[column] = nil
				}
			}
			r["id"], r["version"] = id(name, n), int64(1)
			switch name {
			case "account":
				r["parent_id"] = some("account")
			case "orders":
				r["account_id"] = some("account")
				if r["subject_table"] = pick[any](g, nil, "account", "product"); r["subject_table"] != nil {
					table := r["subject_table"].(string)
					r["about"] = id(table, g.IntN(counts[table]))
				}
			case "line":
				r["order_id"], r["product_id"] = some("orders"), some("product")
			}
			w.rows[name], w.byID[r["id"].(string)] = append(w.rows[name], r), r
		}
	}
	for a := range counts["account"] {
		for p := range counts["product"] {
			if g.IntN(3) == 0 {
				w.rows["tag"] = append(w.rows["tag"], core.Record{"id": id("tag", a*100+p), "version": int64(1), "account_id": id("account", a), "product_id": id("product", p)})
			}
		}
	}
}

func (w *reachWorld) table(name string) *core.Table {
	t, _ := w.schema.Table(name)
	return t
}

// modelRow is a record of the world as SQL sees it.
type modelRow struct {
	w     *reachWorld
	table string
	alias string
	n     *int
	link  func(b *db.Builder)
}

func (r modelRow) Column(b *db.Builder, c *core.Column) {
	if c.Formula == "" {
		b.Name(r.alias, c.Name)
		return
	}
	e, _ := r.w.set.Formula(r.table, c.Name)
	e.SQLAs(b, c, r, core.Caller{})
}

func (r modelRow) Open(s Step) Row {
	*r.n++
	to := modelRow{w: r.w, table: s.Relation.Table, alias: "x" + strconv.Itoa(*r.n), n: r.n}
	rel := s.Relation
	switch {
	case s.Down:
		to.link = func(b *db.Builder) {
			b.Name(to.alias, "id").Write(" <> ").Name(r.alias, "id").Write(" AND ").Name(to.alias, "id").Write(" IN (WITH RECURSIVE down(id) AS (SELECT id FROM ").Name(rel.Table).Write(" WHERE ").Name(rel.Column).Write(" = ").Name(r.alias, "id").
				Write(" UNION SELECT t.id FROM down JOIN ").Name(rel.Table).Write(" AS t ON t.").Name(rel.Column).Write(" = down.id) SELECT id FROM down)")
		}
	case rel.Through != "":
		to.link = func(b *db.Builder) {
			b.Name(to.alias, "id").Write(" IN (SELECT ").Name(rel.Column).Write(" FROM ").Name(rel.Through).Write(" WHERE ").Name(rel.Near).Write(" = ").Name(r.alias, "id").Write(")")
		}
	case rel.Many:
		to.link = func(b *db.Builder) {
			b.Name(to.alias, rel.Column).Write(" = ").Name(r.alias, "id")
			if rel.Which != "" {
				b.Write(" AND ").Name(to.alias, rel.Which).Write(" = ").Arg(rel.Target)
			}
		}
	default:
		to.link = func(b *db.Builder) {
			b.Name(to.alias, "id").Write(" = ").Name(r.alias, rel.Column)
			if rel.Which != "" {
				b.Write(" AND ").Name(r.alias, rel.Which).Write(" = ").Arg(rel.Target)
			}
		}
	}
	return to
}

func (r modelRow) From(b *db.Builder) {
	b.Write(" FROM ").Name(r.table).Write(" AS ").Name(r.alias).Write(" WHERE ")
	r.link(b)
}

// compare computes the expression over all records of the table in every way. It returns how many there are, and how many of
// the values are NULL.
func (w *reachWorld) compare(t *testing.T, seed uint64, table string, x modelled, e *Expr) (n, nulls int) {
	for _, d := range w.dbs {
		got := w.ask(t, d, table, e.Type, x.source, func(b *db.Builder, r Row) { e.SQL(b, r, core.Caller{}) })
		needed := map[*Need]map[string]string{}
		for _, need := range e.Needs {
			needed[need] = w.ask(t, d, table, need.Type, x.source, func(b *db.Builder, r Row) { need.SQL(b, r, nil, core.Caller{}) })
		}
		for _, r := range w.rows[table] {
			id := r["id"].(string)
			v := x.value(frame{w: w, records: []core.Record{r}})
			if v == nil {
				nulls++
			}
			want := goText(v, d.Name())
			known := r.Clone()
			if err := w.set.Calculate(table, known, core.Caller{}, w.answer(t, d, table)); err != nil {
				t.Fatal(err)
			}
			in, err := e.Eval(known, nil, core.Caller{}, func(n *Need, _, _ core.Record) (any, error) {
				text, ok := needed[n][id]
				if !ok {
					t.Fatalf("seed %d: %s: nobody asked for the need %v", seed, x.source, n)
				}
				return parseText(t, n.Type, text), nil
			})
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, x.source, err)
			}
			if memory := goText(in, d.Name()); got[id] != want || memory != want {
				t.Errorf("seed %d: %s of %s\nmodel    %s\n%-8s %s\nmemory   %s", seed, x.source, r, want, d.Name(), got[id], memory)
				return len(w.rows[table]), nulls
			}
		}
	}
	return len(w.rows[table]), nulls / len(w.dbs)
}

// answer asks the database for the needs of the formulas of a table.
func (w *reachWorld) answer(t *testing.T, d *db.DB, table string) Ask {
	return func(n *Need, record, _ core.Record) (any, error) {
		if w.known[d.Name()] == nil {
			w.known[d.Name()] = map[*Need]map[string]string{}
		}
		all, ok := w.known[d.Name()][n]
		if !ok {
			all = w.ask(t, d, table, n.Type, "a formula", func(b *db.Builder, r Row) { n.SQL(b, r, nil, core.Caller{}) })
			w.known[d.Name()][n] = all
		}
		return parseText(t, n.Type, all[record["id"].(string)]), nil
	}
}

// ask computes something over all records of the table, as texts by id.
func (w *reachWorld) ask(t *testing.T, d *db.DB, table, typ, source string, write func(b *db.Builder, r Row)) map[string]string {
	t.Helper()
	b := db.New(d.Dialect).Write("SELECT CAST(r.id AS text), ")
	n := 0
	asText(b, typ, func() { write(b, modelRow{w: w, table: table, alias: "r", n: &n}) })
	b.Write(" FROM ").Name(table).Write(" AS r")
	out := map[string]string{}
	ctx, cancel := context.WithTimeout(contextOf(t), 20*time.Second)
	defer cancel()
	err := d.Query(ctx, b, func(scan func(dest ...any) error) error {
		var id, v string
		err := scan(&id, &v)
		out[id] = v
		return err
	})
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s\n%v", d.Name(), source, err, b, b.Args())
	}
	return out
}

// parseText reads what asText has written.
func parseText(t *testing.T, typ, text string) any {
	if text == "null" {
		return nil
	}
	switch typ {
	case "int":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	case "decimal":
		return decimal.RequireFromString(text)
	case "bool":
		return text == "true"
	case "timestamp":
		for _, layout := range []string{core.TimeLayout, "2006-01-02T15:04:05.000000"} {
			if m, err := time.Parse(layout, text); err == nil {
				return m.UTC()
			}
		}
		t.Fatal(text)
	}
	return text
}

// modelled is an expression with the naive way to compute it.
type modelled struct {
	source string
	value  func(f frame) any
}

// frame is what an expression is computed over: the records of the aggregates around, the record itself first.
type frame struct {
	w       *reachWorld
	records []core.Record
}

// scope is what a generated expression may name.
type scope struct {
	table  string
	locals []string // the tables of the aggregates around
}

type reachGenerator struct {
	*rand.Rand
	w *reachWorld
}

func pick2[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// way is a chain of lookups.
type way struct {
	source string
	table  string
	follow func(f frame) core.Record
}

// way returns the record itself, that of an aggregate around, or one that a lookup leads to from there.
func (g reachGenerator) way(s scope, most int) way {
	from := 0
	out := way{table: s.table}
	if n := len(s.locals); n > 0 && g.IntN(4) > 0 {
		from = 1 + g.IntN(n)
		if g.IntN(2) == 0 {
			from = n
		}
		out.table, out.source = s.locals[from-1], "x"+strconv.Itoa(from)+"."
	}
	out.follow = func(f frame) core.Record { return f.records[from] }
	for range g.IntN(most + 1) {
		next, ok := map[string][]way{
			"account": {{source: "parent.", table: "account", follow: g.through("parent_id", "", "")}},
			"orders": {{source: "account.", table: "account", follow: g.through("account_id", "", "")},
				{source: "subject.account.", table: "account", follow: g.through("about", "subject_table", "account")}, {source: "subject.product.", table: "product", follow: g.through("about", "subject_table", "product")}},
			"line": {{source: "order.", table: "orders", follow: g.through("order_id", "", "")}, {source: "product.", table: "product", follow: g.through("product_id", "", "")}},
		}[out.table]
		if !ok {
			break
		}
		step, before := pick2(g.Rand, next...), out.follow
		out.source, out.table = out.source+step.source, step.table
		out.follow = func(f frame) core.Record {
			r := before(f)
			if r == nil {
				return nil
			}
			return step.follow(frame{w: f.w, records: []core.Record{r}})
		}
	}
	return out
}

func (g reachGenerator) through(lookup, which, target string) func(f frame) core.Record {
	return func(f frame) core.Record {
		r := f.records[0]
		if r[lookup] == nil || which != "" && r[which] != target {
			return nil
		}
		return f.w.byID[r[lookup].(string)]
	}
}

// many is a relation to several records.
type many struct {
	source, table string
	of            func(w *reachWorld, r core.Record) []core.Record
}

func back(table, lookup string) func(w *reachWorld, r core.Record) []core.Record {
	return func(w *reachWorld, r core.Record) (out []core.Record) {
		for _, c := range w.rows[table] {
			if c[lookup] == r["id"] && (lookup != "about" || w.table(c["subject_table"].(string)) == w.tableOf(r)) {
				out = append(out, c)
			}
		}
		return out
	}
}

func (w *reachWorld) tableOf(r core.Record) *core.Table {
	for name, rows := range w.rows {
		if slices.ContainsFunc(rows, func(o core.Record) bool { return o["id"] == r["id"] }) {
			return w.table(name)
		}
	}
	return nil
}

// far returns the records at the other end of links.
func far(near, end string) func(w *reachWorld, r core.Record) []core.Record {
	return func(w *reachWorld, r core.Record) (out []core.Record) {
		for _, l := range w.rows["tag"] {
			if l[near] == r["id"] {
				out = append(out, w.byID[l[end].(string)])
			}
		}
		return out
	}
}

// below returns all records below one, however many circles there are.
func below(w *reachWorld, r core.Record) []core.Record {
	seen := map[any]bool{r["id"]: true}
	out := back("account", "parent_id")(w, r)
	out = slices.DeleteFunc(out, func(c core.Record) bool { return seen[c["id"]] })
	for i := 0; i < len(out); i++ {
		seen[out[i]["id"]] = true
		for _, c := range back("account", "parent_id")(w, out[i]) {
			if !seen[c["id"]] && !slices.ContainsFunc(out, func(o core.Record) bool { return o["id"] == c["id"] }) {
				out = append(out, c)
			}
		}
	}
	return out
}

var reachMany = map[string][]many{
	"account": {{"orders", "orders", back("orders", "account_id")}, {"children", "account", back("account", "parent_id")}, {"descendants(children)", "account", below},
		{"products", "product", far("account_id", "product_id")}, {"mentions", "orders", back("orders", "about")}},
	"orders":  {{"lines", "line", back("line", "order_id")}},
	"product": {{"line", "line", back("line", "product_id")}, {"accounts", "account", far("product_id", "account_id")}, {"mentions", "orders", back("orders", "about")}},
}

func (g reachGenerator) expr(s scope, typ string, depth int) modelled {
	if depth <= 0 {
		return g.column(s, typ)
	}
	sub := func(typ string) modelled { return g.expr(s, typ, depth-1) }
	if n := g.IntN(10); n < 5 {
		if x, ok := g.aggregate(s, typ, depth); ok {
			return x
		}
	} else if n == 5 {
		a, b := sub(typ), sub(typ)
		return modelled{fmt.Sprintf("coalesce(%s, %s)", a.source, b.source), func(f frame) any {
			if v := a.value(f); v != nil {
				return v
			}
			return b.value(f)
		}}
	} else if n == 6 {
		c, a, b := sub("bool"), sub(typ), sub(typ)
		return modelled{fmt.Sprintf("(%s ? %s : %s)", c.source, a.source, b.source), func(f frame) any {
			switch c.value(f) {
			case true:
				return a.value(f)
			case false:
				return b.value(f)
			}
			return nil
		}}
	}
	switch typ {
	case "decimal":
		a, b, plus := sub("decimal"), sub(pick2(g.Rand, "decimal", "int")), g.IntN(2) == 0
		return modelled{fmt.Sprintf("(%s %s %s)", a.source, map[bool]string{true: "+", false: "*"}[plus], b.source), func(f frame) any {
			x, y := a.value(f), b.value(f)
			if x == nil || y == nil {
				return nil
			}
			if plus {
				return number(x).Add(number(y))
			}
			return number(x).Mul(number(y))
		}}
	case "bool":
		return g.condition(s, depth)
	}
	return g.column(s, typ)
}

func number(v any) decimal.Decimal {
	if n, ok := v.(int64); ok {
		return decimal.NewFromInt(n)
	}
	return v.(decimal.Decimal)
}

func (g reachGenerator) condition(s scope, depth int) modelled {
	switch g.IntN(4) {
	case 0:
		a := g.expr(s, pick2(g.Rand, "decimal", "string", "bool", "timestamp"), depth-1)
		return modelled{"isNull(" + a.source + ")", func(f frame) any { return a.value(f) == nil }}
	case 1:
		a, b := g.expr(s, "bool", depth-1), g.expr(s, "bool", depth-1)
		return modelled{fmt.Sprintf("(%s && %s)", a.source, b.source), func(f frame) any {
			x, y := a.value(f), b.value(f)
			switch {
			case x == false || y == false:
				return false
			case x == nil || y == nil:
				return nil
			}
			return true
		}}
	}
	typ := pick2(g.Rand, "decimal", "int", "string", "timestamp")
	a, b := g.expr(s, typ, depth-1), g.expr(s, typ, depth-1)
	op := pick2(g.Rand, "<", ">=", "==", "!=")
	return modelled{fmt.Sprintf("(%s %s %s)", a.source, op, b.source), func(f frame) any {
		x, y := a.value(f), b.value(f)
		if x == nil || y == nil {
			return nil
		}
		c := order(x, y)
		return map[string]bool{"<": c < 0, ">=": c >= 0, "==": c == 0, "!=": c != 0}[op]
	}}
}

// order compares two values of one type.
func order(x, y any) int {
	switch a := x.(type) {
	case string:
		return strings.Compare(a, y.(string))
	case time.Time:
		return a.Compare(y.(time.Time))
	}
	return number(x).Cmp(number(y))
}

// column returns a column of the record, or of one that lookups lead to.
func (g reachGenerator) column(s scope, typ string) modelled {
	w := g.way(s, 3)
	name := map[string]string{"decimal": pick2(g.Rand, "d", "d", "twice"), "int": "i", "bool": "b", "string": pick2(g.Rand, "s", "s", "id"), "timestamp": pick2(g.Rand, "day", "at")}[typ]
	if typ == "decimal" && len(s.locals) == 0 && g.IntN(4) == 0 {
		name = map[string]string{"account": "rollup", "orders": "net"}[w.table]
		if name == "" {
			name = "d"
		}
	}
	return modelled{w.source + name, func(f frame) any {
		r := w.follow(f)
		if r == nil {
			return nil
		}
		return f.w.value(r, name)
	}}
}

// value returns a column of a record, its calculated ones included.
func (w *reachWorld) value(r core.Record, name string) any {
	round := func(d decimal.Decimal, scale int32) any { return d.Round(scale) }
	switch name {
	case "twice":
		if r["d"] == nil {
			return nil
		}
		return round(number(r["d"]).Mul(decimal.NewFromInt(2)), 1)
	case "net":
		if r["d"] == nil {
			return nil
		}
		sum := number(r["d"])
		for _, l := range back("line", "order_id")(w, r) {
			if p, _ := l["product_id"].(string); p != "" && l["d"] != nil && w.byID[p]["d"] != nil {
				sum = sum.Add(number(l["d"]).Mul(number(w.byID[p]["d"])))
			}
		}
		return round(sum, 2)
	case "rollup":
		sum := decimal.Zero
		for _, o := range back("orders", "account_id")(w, r) {
			if v := w.value(o, "net"); v != nil && o["b"] == true {
				sum = sum.Add(number(v))
			}
		}
		return round(sum, 2)
	}
	return r[name]
}

// aggregate returns an aggregate of the type over a relation.
func (g reachGenerator) aggregate(s scope, typ string, depth int) (modelled, bool) {
	w := g.way(s, 1)
	if len(reachMany[w.table]) == 0 || len(s.locals) > 1 {
		return modelled{}, false
	}
	m := pick2(g.Rand, reachMany[w.table]...)
	inner := scope{s.table, append(slices.Clone(s.locals), m.table)}
	name := "x" + strconv.Itoa(len(inner.locals))
	functions := map[string][]string{"decimal": {"sum", "sum", "avg", "min", "max", "first", "last"}, "int": {"count", "count", "sum", "max", "countDistinct", "first"}, "bool": {"exists", "all", "last"}, "string": {"min", "max", "first", "last"}, "timestamp": {"min", "max", "first"}}
	f := pick2(g.Rand, functions[typ]...)
	of := typ
	if f == "countDistinct" {
		of = pick2(g.Rand, "decimal", "string", "bool", "int")
	} else if f == "avg" {
		of = pick2(g.Rand, "decimal", "int")
	}
	value, by, filter := modelled{value: func(frame) any { return true }}, modelled{}, modelled{}
	args := []string{name}
	if f != "count" && f != "exists" && f != "all" {
		value = g.expr(inner, of, depth-1)
		args = append(args, value.source)
	}
	if f == "first" || f == "last" {
		by = g.expr(inner, pick2(g.Rand, "decimal", "string", "timestamp", "int"), depth-2)
		args = append(args, by.source)
	}
	if f == "exists" || f == "all" || g.IntN(2) == 0 {
		filter = g.condition(inner, depth-1)
		args = append(args, filter.source)
	}
	if len(args) == 1 {
		args = nil
	}
	source := w.source + m.source
	if down, ok := strings.CutPrefix(m.source, "descendants("); ok {
		source = "descendants(" + w.source + down
	}
	return modelled{source + "." + f + "(" + strings.Join(args, ", ") + ")", func(fr frame) any {
		r := w.follow(fr)
		if r == nil {
			return nil
		}
		var found []candidateValue
		all := true
		for _, c := range m.of(fr.w, r) {
			at := frame{fr.w, append(slices.Clone(fr.records), c)}
			if filter.value != nil && filter.value(at) != true {
				all = false
				continue
			}
			v := valueOf(value, by, at, c)
			if v.value != nil && (by.value == nil || v.by != nil) {
				found = append(found, v)
			}
		}
		return fold(f, found, all)
	}}, true
}

type candidateValue struct {
	value, by any
	id        string
}

func valueOf(value, by modelled, at frame, c core.Record) candidateValue {
	out := candidateValue{value: value.value(at), id: c["id"].(string)}
	if by.value != nil {
		out.by = by.value(at)
	}
	return out
}

// fold computes an aggregate of values none of which is NULL.
func fold(f string, list []candidateValue, all bool) any {
	switch f {
	case "count":
		return int64(len(list))
	case "exists":
		return len(list) > 0
	case "all":
		return all
	case "countDistinct":
		var seen []any
		for _, v := range list {
			if !slices.ContainsFunc(seen, func(s any) bool {
				if b, ok := s.(bool); ok {
					return b == v.value
				}
				return order(s, v.value) == 0
			}) {
				seen = append(seen, v.value)
			}
		}
		return int64(len(seen))
	case "sum", "avg":
		sum := decimal.Zero
		whole := false
		for _, v := range list {
			sum = sum.Add(number(v.value))
			_, whole = v.value.(int64)
		}
		if f == "avg" {
			if len(list) == 0 {
				return nil
			}
			return sum.DivRound(decimal.NewFromInt(int64(len(list))), 20)
		}
		if whole {
			return sum.IntPart()
		}
		return sum
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b candidateValue) int {
		if f == "first" || f == "last" {
			return cmp.Or(order(a.by, b.by), strings.Compare(a.id, b.id))
		}
		return order(a.value, b.value)
	})
	if f == "last" || f == "max" {
		return list[len(list)-1].value
	}
	return list[0].value
}
