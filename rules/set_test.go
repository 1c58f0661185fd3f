package rules

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

func schema(t testing.TB, tables ...core.Table) *core.Schema {
	t.Helper()
	s, err := core.NewSchema(1, tables...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var orders = core.Table{Name: "orders", Ownership: core.OrgOwned, Columns: []core.Column{
	{Name: "name", Kind: core.Text}, {Name: "state", Kind: core.Choice, Options: []core.Option{{Value: "open"}, {Value: "done"}}, Default: "'open'"},
	{Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "amount", Kind: core.Integer, Default: "1"}, {Name: "score", Kind: core.Float, Default: "0.5"},
	{Name: "due", Kind: core.Date, Default: "addDays(today(), 30)"}, {Name: "closed_by", Kind: core.UUID},
	{Name: "gross", Kind: core.Decimal, Precision: 10, Scale: 2, Formula: "net * 1.19"},
	{Name: "net", Kind: core.Decimal, Precision: 12, Scale: 4, Formula: "price * amount"},
	{Name: "label", Kind: core.Text, Formula: "name + ': ' + string(gross)"},
}}

func TestFormulas(t *testing.T) {
	s, err := NewSet(schema(t, orders))
	if err != nil {
		t.Fatal(err)
	}
	r := core.Record{"name": "tea", "price": decimal.RequireFromString("9.99"), "amount": int64(3)}
	if err := s.Calculate("orders", r, core.Caller{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %v %v", r["net"], r["gross"], r["label"]); got != "29.97 35.66 tea: 35.66" {
		t.Errorf("calculated %s", got)
	}
	r["price"] = nil
	if err := s.Calculate("orders", r, core.Caller{}, nil); err != nil || r["label"] != nil {
		t.Errorf("of a NULL: %v, %v", r, err)
	}
	if got := fmt.Sprint(s.Reads("orders", "label")); got != "[amount gross name net price]" {
		t.Errorf("label reads %v", got)
	}
	if e, ok := s.Formula("orders", "gross"); !ok || e.Columns[0] != "net" || e.Type != "decimal" {
		t.Error("gross has no formula")
	}
	if _, ok := s.Formula("orders", "name"); ok || s.HasRules("orders", core.Create) {
		t.Error("there is what should not be")
	}
}

func TestDefaults(t *testing.T) {
	s, err := NewSet(schema(t, orders))
	if err != nil {
		t.Fatal(err)
	}
	r := core.Record{"amount": nil}
	if err := s.Defaults("orders", r, core.Caller{}, nil); err != nil {
		t.Fatal(err)
	}
	want := core.Record{"amount": nil, "state": "open", "score": 0.5, "due": midnight(time.Now()).AddDate(0, 0, 30)}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %v", r)
	}
}

func TestApply(t *testing.T) {
	const user = "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a01"
	price := decimal.RequireFromString("9.99")
	for _, c := range []struct {
		name   string
		rules  []core.Rule
		op     core.Op
		r, old core.Record
		want   core.Record // what is not named is not looked at
		fails  string      // rule.column: message
	}{
		{name: "set", op: core.Create, rules: []core.Rule{{Name: "a", When: "amount > 2", Do: []core.Deed{{Do: "set", Column: "state", Value: "'done'"}, {Do: "set", Column: "closed_by", Value: "caller.user"}}}},
			r: core.Record{"amount": int64(3)}, want: core.Record{"state": "done", "closed_by": user}},
		{name: "a condition of NULL does not hold", op: core.Create, rules: []core.Rule{{Name: "a", When: "amount > 2 || amount <= 2", Do: []core.Deed{{Do: "fail", Message: "no"}}}},
			r: core.Record{"amount": nil}},
		{name: "in order, each sees the one before", op: core.Create, rules: []core.Rule{
			{Name: "b", Order: 1, When: "amount == 5", Do: []core.Deed{{Do: "set", Column: "name", Value: "'five'"}}}, {Name: "z", Do: []core.Deed{{Do: "set", Column: "amount", Value: "amount + 1"}}}},
			r: core.Record{"amount": int64(4)}, want: core.Record{"name": "five", "amount": int64(5)}},
		{name: "default", op: core.Update, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "default", Column: "name", Value: "'x'"}, {Do: "default", Column: "amount", Value: "9"}}}},
			r: core.Record{"name": "kept"}, want: core.Record{"name": "kept", "amount": int64(9)}},
		{name: "clear", op: core.Update, rules: []core.Rule{{Name: "a", When: "state == 'open'", Do: []core.Deed{{Do: "clear", Column: "closed_by"}}}},
			r: core.Record{"state": "open", "closed_by": user}, want: core.Record{"closed_by": nil}},
		{name: "require", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "require", Column: "name"}}}}, r: core.Record{}, fails: "a.name: a value is required"},
		{name: "require is satisfied", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "require", Column: "name"}}}}, r: core.Record{"name": "x"}},
		{name: "require a calculated column", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "require", Column: "label", Message: "complete the price"}}}}, r: core.Record{"name": "x"}, fails: "a.label: complete the price"},
		{name: "lock", op: core.Update, rules: []core.Rule{{Name: "a", When: "old.state == 'done'", Do: []core.Deed{{Do: "lock", Column: "price"}}}},
			r: core.Record{"price": price}, old: core.Record{"state": "done", "price": decimal.NewFromInt(1)}, fails: "a.price: the value cannot be changed"},
		{name: "lock, the same value with other zeros", op: core.Update, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "lock", Column: "price"}}}},
			r: core.Record{"price": decimal.RequireFromString("1.00")}, old: core.Record{"price": decimal.NewFromInt(1)}},
		{name: "lock, absent", op: core.Update, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "lock", Column: "price"}}}}, r: core.Record{}, old: core.Record{"price": price}},
		{name: "lock, a calculated column", op: core.Update, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "lock", Column: "gross"}}}},
			r: core.Record{"price": price, "amount": int64(2)}, old: core.Record{"price": price, "amount": int64(1)}, fails: "a.gross: the value cannot be changed"},
		{name: "lock does nothing on create", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "lock", Column: "price"}}}}, r: core.Record{"price": price}},
		{name: "fail", op: core.Create, rules: []core.Rule{{Name: "a", When: "due < today()", Do: []core.Deed{{Do: "fail", Column: "due", Message: "the day has passed"}}}},
			r: core.Record{"due": time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}, fails: "a.due: the day has passed"},
		{name: "on another operation", op: core.Create, rules: []core.Rule{{Name: "a", On: []core.Op{core.Update}, Do: []core.Deed{{Do: "fail", Message: "no"}}}}, r: core.Record{}},
		{name: "old is NULL on create", op: core.Create, rules: []core.Rule{{Name: "a", When: "isNull(old.state) && isNull(old.gross)", Do: []core.Deed{{Do: "fail", Message: "new"}}}}, r: core.Record{}, fails: "a.: new"},
		{name: "a condition over calculated columns, old and new", op: core.Update, rules: []core.Rule{{Name: "a", When: "gross > old.gross", Do: []core.Deed{{Do: "fail", Message: "dearer"}}}},
			r: core.Record{"price": price, "amount": int64(2)}, old: core.Record{"price": price, "amount": int64(1)}, fails: "a.: dearer"},
		{name: "a pattern", op: core.Create, rules: []core.Rule{{Name: "a", When: "!name.matches('^[a-z]+$')", Do: []core.Deed{{Do: "fail", Message: "letters only"}}}}, r: core.Record{"name": "a1"}, fails: "a.: letters only"},
		{name: "a value is rounded to its column", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "set", Column: "price", Value: "10 / 3.0"}}}}, r: core.Record{}, want: core.Record{"price": decimal.RequireFromString("3.33")}},
		{name: "a value outside of a choice", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "set", Column: "state", Value: "'lost'"}}}}, r: core.Record{}, fails: `a.state: "lost" is not one of open, done`},
		{name: "else", op: core.Create, rules: []core.Rule{{Name: "a", When: "amount > 2", Do: []core.Deed{{Do: "set", Column: "name", Value: "'many'"}}, Else: []core.Deed{{Do: "set", Column: "name", Value: "'few'"}}}},
			r: core.Record{"amount": int64(1)}, want: core.Record{"name": "few"}},
		{name: "else of NULL", op: core.Create, rules: []core.Rule{{Name: "a", When: "amount > 2", Do: []core.Deed{{Do: "clear", Column: "name"}}, Else: []core.Deed{{Do: "fail", Message: "say how many"}}}},
			r: core.Record{}, fails: "a.: say how many"},
		{name: "a message with values", op: core.Update, rules: []core.Rule{{Name: "a", When: "gross > 10", Do: []core.Deed{{Do: "fail", Message: "{gross} on {due} for {name} was {old.price}, {price * 2} {{x}}, {closed_by}"}}}},
			r: core.Record{"price": price, "amount": int64(2), "due": time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC), "name": "tea"}, old: core.Record{"price": decimal.NewFromInt(1)},
			fails: "a.: 23.78 on 2020-01-02 for tea was 1.00, 19.98 {x}, (empty)"},
		{name: "changed", op: core.Update, rules: []core.Rule{{Name: "a", When: "changed(price) && !changed(name) && !changed(amount) && changed(closed_by) && isUpdate()", Do: []core.Deed{{Do: "fail", Message: "changed"}}}},
			r: core.Record{"price": price, "name": "x", "closed_by": nil}, old: core.Record{"price": decimal.NewFromInt(1), "name": "x", "closed_by": user}, fails: "a.: changed"},
		{name: "changed on create", op: core.Create, rules: []core.Rule{{Name: "a", When: "isCreate() && changed(name) && !changed(price) && !isDelete()", Do: []core.Deed{{Do: "fail", Message: "new"}}}}, r: core.Record{"name": "x"}, fails: "a.: new"},
		{name: "delete", op: core.Delete, rules: []core.Rule{{Name: "a", On: []core.Op{core.Delete}, When: "isDelete() && state == 'done'", Do: []core.Deed{{Do: "fail", Column: "state", Message: "{state} stays"}}}},
			r: core.Record{"state": "done"}, old: core.Record{"state": "done"}, fails: "a.state: done stays"},
		{name: "advice changes nothing", op: core.Create, rules: []core.Rule{{Name: "a", Do: []core.Deed{{Do: "hide", Column: "name"}, {Do: "recommend", Column: "amount", Value: "7"}}}}, r: core.Record{"name": "x"}, want: core.Record{"name": "x", "amount": nil}},
		{name: "disabled", op: core.Create, rules: []core.Rule{{Name: "a", Disabled: true, Do: []core.Deed{{Do: "fail", Message: "no"}}}}, r: core.Record{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := orders
			table.Rules = c.rules
			s, err := NewSet(schema(t, table))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			var e *core.Error
			if err := s.Apply("orders", &Write{Op: c.op, Record: c.r, Old: c.old, Caller: core.Caller{User: user}}); errors.As(err, &e) {
				got = fmt.Sprintf("%s.%s: %s", e.Rule, e.Column, e.Msg)
				if e.Table != "orders" || e.Kind != core.Failed && e.Kind != core.Invalid {
					t.Errorf("the error is %v", err)
				}
			}
			if got != c.fails {
				t.Errorf("got %q, want %q", got, c.fails)
			}
			for name, want := range c.want {
				if !same(c.r[name], want) {
					t.Errorf("%s is %v, want %v", name, c.r[name], want)
				}
			}
		})
	}
}

// TestNewSetRefuses looks at where the first mistake of a schema is said to be.
func TestNewSetRefuses(t *testing.T) {
	integer := func(name, formula string) core.Column {
		return core.Column{Name: name, Kind: core.Integer, Formula: formula}
	}
	rule := func(when string, do ...core.Deed) core.Table {
		return core.Table{Name: "t", Columns: []core.Column{integer("n", ""), integer("f", "n + 1")}, Rules: []core.Rule{{Name: "r", When: when, Do: do}}}
	}
	fail := core.Deed{Do: "fail", Message: "no"}
	doubled := []core.Column{integer("c0", "")}
	for i := range 20 {
		doubled = append(doubled, integer(fmt.Sprintf("c%d", i+1), fmt.Sprintf("c%d + c%d", i, i)))
	}
	for name, c := range map[string]struct {
		table core.Table
		want  string
	}{
		"cycle":        {core.Table{Name: "t", Columns: []core.Column{integer("a", "b + 1"), integer("b", "c * 2"), integer("c", "a + x"), integer("x", "")}}, "t.a: the formulas read each other in a circle: a -> b -> c -> a"},
		"self":         {core.Table{Name: "t", Columns: []core.Column{integer("a", "a + 1")}}, "t.a: the formulas read each other in a circle: a -> a"},
		"doubling":     {core.Table{Name: "t", Columns: doubled}, "t.c12: the formula and the formulas that it reads are too large together"},
		"formula":      {core.Table{Name: "t", Columns: []core.Column{integer("a", "1 +\n bb")}}, "t.a, line 2:2: there is nothing called bb"},
		"formula type": {core.Table{Name: "t", Columns: []core.Column{integer("a", "1.5")}}, "t.a, line 1:1: the expression is a decimal, and the column is an integer: convert with int(x)"},
		"default":      {core.Table{Name: "t", Columns: []core.Column{{Name: "a", Kind: core.Text, Default: "1"}}}, "t.a, line 1:1: the expression is an integer, and the column is a text"},
		"condition":    {rule("n + 1", fail), `t, rule "r", line 1:1: the condition is an integer, and should be true or false`},
		"no action":    {rule("n > 1"), `t, rule "r": the rule does nothing: add an action`},
		"action":       {rule("", core.Deed{Do: "explode"}), `t, rule "r", item 1: there is no action "explode"; there are clear, default, fail, hide, lock, recommend, require, set`},
		"no message":   {rule("", core.Deed{Do: "fail"}), `t, rule "r", item 1: fail needs a message that tells the writer what to do`},
		"no column":    {rule("", fail, core.Deed{Do: "set", Value: "1"}), `t, rule "r", item 2: set needs a column`},
		"column":       {rule("", core.Deed{Do: "clear", Column: "m"}), `t.m, rule "r", item 1: there is no such column; did you mean n?`},
		"calculated":   {rule("", core.Deed{Do: "set", Column: "f", Value: "1"}), `t.f, rule "r", item 1: a calculated column, an autonumber or a system column is not written by rules`},
		"system":       {rule("", core.Deed{Do: "set", Column: "version", Value: "1"}), `t.version, rule "r", item 1: a calculated column, an autonumber or a system column is not written by rules`},
		"value type":   {rule("", core.Deed{Do: "set", Column: "n", Value: "'a'"}), `t.n, rule "r", item 1, line 1:1: the expression is a text, and the column is an integer`},
		"message":      {rule("", core.Deed{Do: "fail", Message: "{nn} is much"}), `t, rule "r", item 1, line 1:1: the message, {nn}: there is nothing called nn; did you mean n?`},
		"brace":        {rule("", core.Deed{Do: "fail", Message: "a { b"}), `t, rule "r", item 1: a { in the message is not closed: write {{ for the character`},
		"changed":      {rule("changed(n + 1)", fail), `t, rule "r", line 1:11: changed takes a column, such as changed(price)`},
		"delete sets":  {core.Table{Name: "t", Columns: []core.Column{integer("n", "")}, Rules: []core.Rule{{Name: "r", On: []core.Op{core.Delete}, Do: []core.Deed{{Do: "clear", Column: "n"}}}}}, `t.n, rule "r", item 1: a rule that runs on delete only checks, with fail and require: make another rule for clear`},
		"else":         {core.Table{Name: "t", Columns: []core.Column{integer("n", "")}, Rules: []core.Rule{{Name: "r", When: "n > 1", Else: []core.Deed{{Do: "set", Column: "n", Value: "m"}}}}}, `t.n, rule "r", item 1, line 1:1: else: there is nothing called m; did you mean n?`},
		"lone else":    {core.Table{Name: "t", Columns: []core.Column{integer("n", "")}, Rules: []core.Rule{{Name: "r", Else: []core.Deed{fail}}}}, `t, rule "r": else needs a condition: without one the rule always does the other actions`},
		"value":        {rule("", core.Deed{Do: "set", Column: "n", Value: "nn"}), `t.n, rule "r", item 1, line 1:1: there is nothing called nn; did you mean n?`},
	} {
		_, err := NewSet(schema(t, c.table))
		if err == nil || core.AsError(err).Public() != c.want || core.KindOf(err) != core.Invalid {
			t.Errorf("%s: got %v\nwant %s", name, err, c.want)
		}
	}
}

// TestIndexes reads the plans of conditions that must use an index.
func TestIndexes(t *testing.T) {
	w := newWorld(t, nil)
	c := core.Caller{User: "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a01", Teams: []core.ID{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a02", "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a03"}}
	for _, d := range w.dbs {
		for _, column := range []string{"owner_id", "s1", "i1", "d1", "day1", "t1"} {
			run(t, d, db.New(d.Dialect).Write("CREATE INDEX ").Name("by_"+column).Write(" ON world (").Name(column).Write(")"))
		}
		for _, source := range []string{
			"owner_id == caller.user", "owner_id in caller.teams", "caller.user == owner_id", "owner_id in ['0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a02']", "s1 == 'a'", "s1 > 'x'", "s1 in ['a', 'b']",
			"i1 in [1, 2]", "i1 > 5", "d1 == 2.5", "d1 > 100", "day1 < today()", "day1 >= now()", "day1 == date('2024-05-01')", "t1 > addDays(now(), -30)", "isNull(owner_id)",
		} {
			e, err := Compile(nil, &w.table, source, Options{})
			if err != nil {
				t.Fatal(err)
			}
			explain := "EXPLAIN QUERY PLAN "
			if d.Name() == "postgres" {
				explain = "EXPLAIN "
			}
			b := db.New(d.Dialect).Write(explain + "SELECT * FROM world AS w WHERE ")
			e.SQL(b, plainRow("w"), c)
			plan := ""
			err = d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
				if d.Name() == "postgres" {
					if _, err := tx.Exec(t.Context(), db.New(d.Dialect).Write("SET LOCAL enable_seqscan = off")); err != nil {
						return err
					}
				}
				return tx.Query(t.Context(), b, func(scan func(dest ...any) error) error {
					var line string
					dest := []any{&line}
					if d.Name() == "sqlite" {
						dest = []any{new(int64), new(int64), new(int64), &line}
					}
					err := scan(dest...)
					plan += line + "\n"
					return err
				})
			})
			if err != nil || !strings.Contains(plan, "by_") || strings.Contains(plan, "Filter") {
				t.Errorf("%s on %s: %v\n%s%s", source, d.Name(), err, plan, b)
			}
		}
	}
}
