package core_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

func text(name string) core.Column { return core.Column{Name: name, Kind: core.Text} }

func lookup(name, target string) core.Column {
	return core.Column{Name: name, Kind: core.Lookup, Target: target}
}

func number(s string) *decimal.Decimal { d := decimal.RequireFromString(s); return &d }

func table(name string, columns ...core.Column) core.Table {
	return core.Table{Name: name, Columns: columns}
}

// TestRefusals are the mistakes of an app builder, and what he reads.
func TestRefusals(t *testing.T) {
	with := func(c core.Column, f func(*core.Column)) core.Column { f(&c); return c }
	one := func(c core.Column) []core.Table { return []core.Table{table("item", c)} }
	for _, test := range []struct {
		name   string
		tables []core.Table
		kind   core.ErrKind
		want   string
	}{
		{"upper case", []core.Table{table("Item")}, core.Invalid, `Item: "Item" is no name for a table: use lower-case letters, digits and single underscores, a letter first, at most 59 characters, like order_line`},
		{"reserved word", []core.Table{table("import")}, core.Invalid, `import: "import" is a word of the expression language: choose another name for the table`},
		{"taken prefix", []core.Table{table("pg_thing")}, core.Invalid, `pg_thing: table names that start with "pg_" are taken by the database`},
		{"two tables", []core.Table{table("item"), table("item")}, core.Exists, `item: there is a table of this name already`},
		{"ownership", []core.Table{{Name: "item", Ownership: "nobody"}}, core.Invalid, `item: ownership is "nobody": choose user or organization`},
		{"system column", one(text("version")), core.Exists, `item.version: every table has this column already; choose another name`},
		{"two columns", []core.Table{table("item", text("a"), text("a"))}, core.Exists, `item.a: the table has two columns of this name`},
		{"column name", one(text("a__b")), core.Invalid, `item.a__b: "a__b" is no name for a column: use lower-case letters, digits and single underscores, a letter first, at most 59 characters, like order_line`},
		{"kind", one(core.Column{Name: "a", Kind: "string"}), core.Invalid, `item.a: "string" is no kind; there are: any_lookup, autonumber, boolean, choice, choices, currency, date, datetime, decimal, duration, file, float, image, integer, json, long_text, lookup, status, text, timestamp, uuid`},
		{"object", one(core.Column{Name: "a", Kind: core.Object}), core.Invalid, `item.a: "object" is no kind; there are: any_lookup, autonumber, boolean, choice, choices, currency, date, datetime, decimal, duration, file, float, image, integer, json, long_text, lookup, status, text, timestamp, uuid`},
		{"precision", one(core.Column{Name: "a", Kind: core.Decimal}), core.Invalid, `item.a: a decimal has a precision of 1 to 38 digits, and a scale of at most that many`},
		{"scale", one(core.Column{Name: "a", Kind: core.Decimal, Precision: 2, Scale: 3}), core.Invalid, `item.a: a decimal has a precision of 1 to 38 digits, and a scale of at most that many`},
		{"scale of an integer", one(core.Column{Name: "a", Kind: core.Integer, Scale: 3}), core.Invalid, `item.a: only a decimal has a precision and a scale`},
		{"length", one(core.Column{Name: "a", Kind: core.Integer, MaxLength: 3}), core.Invalid, `item.a: only a text has a minimal length, a maximal length, a pattern and a message`},
		{"lengths", one(core.Column{Name: "a", Kind: core.LongText, MaxLength: 1<<20 + 1}), core.Invalid, `item.a: the lengths of a text are between 0 and 1048576, and the minimal one is not above the maximal one`},
		{"lengths crossed", one(core.Column{Name: "a", Kind: core.Text, MinLength: 4, MaxLength: 3}), core.Invalid, `item.a: the lengths of a text are between 0 and 1048576, and the minimal one is not above the maximal one`},
		{"format", one(core.Column{Name: "a", Kind: core.Text, Format: "iban"}), core.Invalid, `item.a: the format of a text is one of currency, email, phone, url; other kinds have none`},
		{"format of a long text", one(core.Column{Name: "a", Kind: core.LongText, Format: core.Email}), core.Invalid, `item.a: the format of a text is one of currency, email, phone, url; other kinds have none`},
		{"region", one(core.Column{Name: "a", Kind: core.Text, Format: core.Phone, Region: "Germany"}), core.Invalid, `item.a: the region of a telephone number is a country such as DE; nothing else has one`},
		{"pattern", one(core.Column{Name: "a", Kind: core.Text, Pattern: "(?=a)"}), core.Invalid, "item.a: the pattern is no regular expression (RE2): error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		{"large pattern", one(core.Column{Name: "a", Kind: core.Text, Pattern: "[a-z]{1000}[0-9]{1000}"}), core.Invalid, `item.a: the pattern is too large: use smaller repetitions`},
		{"message", one(core.Column{Name: "a", Kind: core.Text, Message: "no"}), core.Invalid, `item.a: a message needs a pattern`},
		{"least of a text", one(core.Column{Name: "a", Kind: core.Text, Min: number("1")}), core.Invalid, `item.a: only a number has a least and a greatest value`},
		{"least above greatest", one(core.Column{Name: "a", Kind: core.Integer, Min: number("2"), Max: number("1")}), core.Invalid, `item.a: the least value is above the greatest one`},
		{"no options", one(core.Column{Name: "a", Kind: core.Choice}), core.Invalid, `item.a: a choice needs options`},
		{"options", one(core.Column{Name: "a", Kind: core.Text, Options: []core.Option{{Value: "x"}}}), core.Invalid, `item.a: only a choice, choices and a status have options`},
		{"option twice", one(core.Column{Name: "a", Kind: core.Choice, Options: []core.Option{{Value: "x"}, {Value: "x"}}}), core.Invalid, `item.a: option "x" is empty, too long or there twice`},
		{"option text", one(core.Column{Name: "a", Kind: core.Choice, Options: []core.Option{{Value: "x\x00"}}}), core.Invalid, `item.a: option "x\x00" is not valid UTF-8 or holds a NUL character`},
		{"semicolon", one(core.Column{Name: "a", Kind: core.Choices, Options: []core.Option{{Value: "x;y"}}}), core.Invalid, `item.a: option "x;y" holds a semicolon, or a blank at an end: several values are written with semicolons between them`},
		{"all retired", one(core.Column{Name: "a", Kind: core.Choice, Options: []core.Option{{Value: "x", Retired: true}}}), core.Invalid, `item.a: all options are retired: nothing is left to choose`},
		{"state of a choice", one(core.Column{Name: "a", Kind: core.Choice, Options: []core.Option{{Value: "x", State: "active"}}}), core.Invalid, `item.a: only the options of a status have a state, are initial and have others that follow`},
		{"no state", one(core.Column{Name: "a", Kind: core.Status, Options: []core.Option{{Value: "x"}}}), core.Invalid, `item.a: option "x" needs a state, such as active or inactive`},
		{"next", one(core.Column{Name: "a", Kind: core.Status, Options: []core.Option{{Value: "x", State: "s", Next: []string{"y"}}}}), core.Invalid, `item.a: option "x" is followed by "y", which is no option, itself, or there twice`},
		{"retired initial", one(core.Column{Name: "a", Kind: core.Status, Options: []core.Option{{Value: "x", State: "s", Initial: true, Retired: true}, {Value: "y", State: "s"}}}), core.Invalid, `item.a: option "x" is retired, so no record begins with it`},
		{"name of a part", []core.Table{table("item", text("a_state"), core.Column{Name: "a", Kind: core.Status, Options: []core.Option{{Value: "x", State: "s"}}})}, core.Exists, `item.a_state: the table has two columns of this name`},
		{"option set", one(core.Column{Name: "a", Kind: core.Choice, OptionSet: "b"}), core.Invalid, `item.a: there is no option set "b": make it with put_options`},
		{"option set of a status", one(core.Column{Name: "a", Kind: core.Status, Options: []core.Option{{Value: "x", State: "s"}}, OptionSet: "b"}), core.Invalid, `item.a: there is no option set "b": make it with put_options`},
		{"no target", one(core.Column{Name: "a", Kind: core.Lookup}), core.Invalid, `item.a: a lookup needs a target table`},
		{"target of a text", one(core.Column{Name: "a", Kind: core.Text, Target: "item"}), core.Invalid, `item.a: only a lookup has a target, a relation, an inverse and on_delete`},
		{"unknown target", one(lookup("a", "itme")), core.Invalid, `item.a: the lookup leads to "itme", and there is no such table; did you mean item?`},
		{"on_delete", one(with(lookup("a", "item"), func(c *core.Column) { c.OnDelete = "explode" })), core.Invalid, `item.a: on_delete is one of restrict, set_null, cascade`},
		{"required and set_null", one(with(lookup("a", "item"), func(c *core.Column) { c.OnDelete, c.Required = core.SetNull, true })), core.Invalid, `item.a: a required lookup cannot be set to null: choose restrict or cascade`},
		{"required formula", one(core.Column{Name: "a", Kind: core.Text, Formula: "'x'", Required: true}), core.Invalid, `item.a: a calculated column is not required and has no default`},
		{"unique formula", one(core.Column{Name: "a", Kind: core.Text, Formula: "'x'", Unique: true}), core.Invalid, `item.a: a calculated column is unique only when it is stored: set stored`},
		{"stored without a formula", one(core.Column{Name: "a", Kind: core.Text, Stored: true}), core.Invalid, `item.a: stored is said of a calculated column: give it a formula, or leave stored out`},
		{"formula of a lookup", one(with(lookup("a", "item"), func(c *core.Column) { c.Formula = "'x'" })), core.Invalid, `item.a: a calculated column is a text, a number, a boolean, a date, a time or a duration`},
		{"unique JSON", one(core.Column{Name: "a", Kind: core.JSON, Unique: true}), core.Invalid, `item.a: a column of the kind json cannot be unique: one JSON value can be written in several ways`},
		{"relation name", one(with(lookup("a", "item"), func(c *core.Column) { c.Relation = "A" })), core.Invalid, `item.a: "A" is no name for a relation: use lower-case letters, digits and single underscores, a letter first, at most 59 characters, like order_line`},
		{"relation taken", []core.Table{table("item", text("parent"), lookup("parent_id", "item"))}, core.Exists, `item.parent_id: the relation would be item.parent, which is taken: name it with relation and inverse`},
		{"inverse taken", []core.Table{table("item", text("x"), with(lookup("parent_id", "item"), func(c *core.Column) { c.Inverse = "x" }))}, core.Exists, `item.parent_id: the relation would be item.x, which is taken: name it with relation and inverse`},
		{"key of nothing", []core.Table{{Name: "item", Keys: []core.Key{{Name: "k"}}}}, core.Invalid, `item: key k names no column`},
		{"key of an unknown column", []core.Table{{Name: "item", Columns: []core.Column{text("name")}, Keys: []core.Key{{Name: "k", Columns: []string{"namme"}}}}}, core.Invalid, `item.namme: there is no such column; did you mean name?`},
		{"key of JSON", []core.Table{{Name: "item", Columns: []core.Column{{Name: "a", Kind: core.JSON}}, Keys: []core.Key{{Name: "k", Columns: []string{"a"}}}}}, core.Invalid, `item.a: a column of the kind json cannot be part of a key: one JSON value can be written in several ways`},
		{"key twice", []core.Table{{Name: "item", Columns: []core.Column{text("a")}, Keys: []core.Key{{Name: "k", Columns: []string{"a"}}, {Name: "k", Columns: []string{"a"}}}}}, core.Exists, `item: the table has two keys named k`},
		{"column twice in a key", []core.Table{{Name: "item", Columns: []core.Column{text("a")}, Keys: []core.Key{{Name: "k", Columns: []string{"a", "a"}}}}}, core.Invalid, `item.a: key k names the column twice`},
		{"rule without a name", []core.Table{{Name: "item", Rules: []core.Rule{{}}}}, core.Invalid, `item: a rule needs a name of its own`},
		{"rule twice", []core.Table{{Name: "item", Rules: []core.Rule{{Name: "r"}, {Name: "r"}}}}, core.Invalid, `item, rule "r": a rule needs a name of its own`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := core.NewSchema(1, test.tables...)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if e := core.AsError(err); e.Kind != test.kind || e.Public() != test.want {
				t.Errorf("got  %s %s\nwant %s %s", e.Kind, e.Public(), test.kind, test.want)
			}
		})
	}
	wide := table("item")
	for i := range 501 {
		wide.Columns = append(wide.Columns, text(fmt.Sprintf("c%d", i)))
	}
	if _, err := core.NewSchema(1, wide); core.KindOf(err) != core.Limit {
		t.Errorf("501 columns: %v", err)
	}
}

func schema(t *testing.T, tables ...core.Table) *core.Schema {
	t.Helper()
	s, err := core.NewSchema(1, tables...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func with(t *testing.T, s *core.Schema, changes ...core.Change) *core.Schema {
	t.Helper()
	out, err := s.With(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func relations(s *core.Schema, table string) string {
	var out []string
	for _, r := range s.Relations(table) {
		form := "%s->%s(%s)"
		if r.Many {
			form = "%s<-%s(%s)"
		}
		out = append(out, fmt.Sprintf(form, r.Name, r.Table, r.Column))
	}
	return strings.Join(out, " ")
}

// TestRelationsAreStable adds lookups in every order that once changed the name of an old relation.
func TestRelationsAreStable(t *testing.T) {
	s := schema(t, table("account"), table("order_line", lookup("account_id", "account")))
	if got := relations(s, "account"); got != "order_line<-order_line(account_id)" {
		t.Error(got)
	}
	s2 := with(t, s, core.AddColumn{To: "order_line", Add: lookup("payer", "account")}) // a second one of the same table
	if got := relations(s2, "account"); got != "order_line<-order_line(account_id) order_line_by_payer<-order_line(payer)" {
		t.Error(got)
	}
	if got := relations(s2, "order_line"); got != "account->account(account_id) payer_record->account(payer)" {
		t.Error(got)
	}
	named := lookup("account_id", "account")
	named.Inverse = "alpha"
	s3 := with(t, s2, core.CreateTable{Define: table("zeta", named)})
	s4 := with(t, s3, core.CreateTable{Define: table("alpha", lookup("account_id", "account"))}) // whose name is taken by an old relation
	if got := relations(s4, "account"); got != "alpha_by_account_id<-alpha(account_id) order_line<-order_line(account_id) order_line_by_payer<-order_line(payer) alpha<-zeta(account_id)" {
		t.Error(got)
	}
	s5 := with(t, s4, core.AddColumn{To: "account", Add: lookup("parent_id", "account")})
	if r, ok := s5.Relation("account", "parent"); !ok || r.Table != "account" {
		t.Error(relations(s5, "account"))
	}
	if _, ok := s5.Relation("account", "nothing"); ok || s5.Relations("nothing") != nil {
		t.Error("there is a relation too many")
	}
	two := schema(t, table("account"), table("deal", lookup("buyer_id", "account"), lookup("seller_id", "account")))
	if got := relations(two, "account"); got != "deal_by_buyer_id<-deal(buyer_id) deal_by_seller_id<-deal(seller_id)" {
		t.Error(got)
	}
}

func TestWith(t *testing.T) {
	s := schema(t, core.Table{Name: "_log", Builtin: true, Columns: []core.Column{{Name: "id", Kind: core.UUID, System: true}}}, table("item", text("name")))
	before := fmt.Sprintf("%+v", *s.Tables()[1])
	next := with(t, s, core.AddColumn{To: "item", Add: text("code")}, core.PutRule{On: "item", Put: core.Rule{Name: "b"}}, core.PutRule{On: "item", Put: core.Rule{Name: "a"}}, core.PutRule{On: "item", Put: core.Rule{Name: "z", Order: -1}})
	next = with(t, next, core.PutRule{On: "item", Put: core.Rule{Name: "b", Doc: "new"}}, core.DropPart{Part: core.PartRule, Of: "item", Name: "a"})
	if after := fmt.Sprintf("%+v", *s.Tables()[1]); after != before {
		t.Errorf("With changed its receiver:\n%s\n%s", before, after)
	}
	item, err := next.Table("item")
	if err != nil || next.Version() != 3 || s.Version() != 1 {
		t.Fatal(err, next.Version(), s.Version())
	}
	var names []string
	for _, c := range item.Columns {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "id version created_at created_by updated_at updated_by owner_id unit_id name code" {
		t.Error(got)
	}
	if len(item.Rules) != 2 || item.Rules[0].Name != "z" || item.Rules[1].Doc != "new" {
		t.Errorf("%+v", item.Rules)
	}
	again, err := core.NewSchema(3, *item, *next.Tables()[0]) // what is stored makes the same schema
	if err != nil || !reflect.DeepEqual(again.Tables()[1], item) {
		t.Errorf("%+v\n%+v\n%v", again.Tables()[1], item, err)
	}
	for want, c := range map[string]core.Change{
		"item: there is a table of this name already; add to it with add_column": core.CreateTable{Define: table("item")},
		"_log: a built-in table cannot be changed":                               core.AddColumn{To: "_log", Add: text("x")},
		"none: there is no such table":                                           core.PutRule{On: "none"},
		"item.name: the table has a column of this name already":                 core.AddColumn{To: "item", Add: text("name")},
		`item, rule "none": the table has no rule "none"`:                        core.DropPart{Part: core.PartRule, Of: "item", Name: "none"},
	} {
		if _, err := s.With(c); err == nil || core.AsError(err).Public() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	org := schema(t, core.Table{Name: "country", Ownership: core.OrgOwned})
	if c, _ := org.Table("country"); c.Owned() || len(c.Columns) != 6 {
		t.Errorf("%+v", c)
	}
	if _, err := s.Table("itme"); core.KindOf(err) != core.NotFound || core.AsError(err).Public() != "itme: there is no such table; did you mean item?" {
		t.Error(err)
	}
	for range 20 { // the first mistake is always the same one
		_, err := s.With(core.CreateTable{Define: table("zzz", lookup("a", "none"))}, core.CreateTable{Define: table("bbb", lookup("a", "none"))}, core.CreateTable{Define: table("x__y")}, core.CreateTable{Define: table("a__b")})
		if !strings.HasPrefix(core.AsError(err).Public(), "a__b: ") {
			t.Fatal(err)
		}
	}
}

func TestNormalize(t *testing.T) {
	s := schema(t, table("item", text("name"), core.Column{Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}, core.Column{Name: "total", Kind: core.Integer, Formula: "1"}))
	item, _ := s.Table("item")
	r := core.Record{"name": "x", "price": "1.5", "version": "3"}
	if err := item.Normalize(r); err != nil {
		t.Fatal(err)
	}
	if got := string(item.AppendJSON(nil, r)); got != `{"version":3,"name":"x","price":1.50}` {
		t.Error(got)
	}
	if got := string(item.AppendJSON(nil, nil)); got != "null" {
		t.Error(got)
	}
	if err := item.Normalize(core.Record{"namme": "x"}); core.AsError(err).Public() != "item.namme: there is no such column; did you mean name?" {
		t.Error(err)
	}
	if err := item.Normalize(core.Record{"price": "x"}); core.AsError(err).Public() != `item.price: "x" is no number` {
		t.Error(err)
	}
	var stored []string
	for c := range item.Stored {
		if c.Name == "price" {
			break
		}
		stored = append(stored, c.Name)
	}
	if len(stored) != 9 || stored[8] != "name" {
		t.Error(stored)
	}
}

func TestSuggest(t *testing.T) {
	have := []string{"name", "first_name", "email", "phone", "x"}
	for name, want := range map[string]string{"namme": "name", "fist_name": "first_name", "e_mail": "email", "completely_different": "", "": "x", "name": "name", "telephone": "phone"} {
		if got := core.Suggest(name, have); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := core.Suggest("x", nil); got != "" {
		t.Error(got)
	}
}

// TestStoredWriter writes records one after the other, and what they have in common is there in each.
func TestStoredWriter(t *testing.T) {
	table := &core.Table{Name: "item", Columns: append(core.SystemColumns(core.OrgOwned), core.Column{Name: "n", Kind: core.Integer}, core.Column{Name: "note", Kind: core.Text, Physical: "note__2"})}
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	w := table.StoredWriter()
	for _, test := range []struct {
		record core.Record
		want   string
	}{
		{core.Record{}, `{}`},
		{core.Record{"id": "a", "version": int64(1), "updated_at": at, "n": int64(1), "note": "x"}, `{"id":"a","version":1,"updated_at":"2024-01-02T03:04:05+00:00","n":1,"note__2":"x"}`},
		{core.Record{"id": "b", "version": int64(1), "updated_at": at, "n": int64(1), "note": nil}, `{"id":"b","version":1,"updated_at":"2024-01-02T03:04:05+00:00","n":1,"note__2":null}`},
		{core.Record{"id": "b", "version": nil, "updated_at": at.Add(time.Second), "n": int64(2)}, `{"id":"b","version":null,"updated_at":"2024-01-02T03:04:06+00:00","n":2}`},
		{core.Record{"id": "b", "version": int64(2), "updated_at": at}, `{"id":"b","version":2,"updated_at":"2024-01-02T03:04:05+00:00"}`},
	} {
		if got := string(w.Append(nil, test.record)); got != test.want {
			t.Errorf("%v: %s, want %s", test.record, got, test.want)
		}
	}
}
