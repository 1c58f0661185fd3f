package graphql

import (
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

func TestCollisions(t *testing.T) {
	text := []core.Column{{Name: "a", Kind: core.Text}}
	table := func(name string, more ...core.Column) core.Table {
		return core.Table{Name: name, Columns: append(more, text...)}
	}
	lookup := core.Column{Name: "customer_id", Kind: core.Lookup, Target: "customer", Inverse: "orders"}
	for name, c := range map[string]struct {
		tables  []core.Table
		actions []core.Action
		want    string // the message; "" when all is well
	}{
		"none": {tables: []core.Table{table("customer"), table("order", lookup)}},
		"a table like an aggregate": {
			tables: []core.Table{table("customer"), table("customer_aggregate")},
			want:   "customer_aggregate: the table customer and the table customer_aggregate would both have the type customer_aggregate in the API: choose another name",
		},
		"a table like an input":    {tables: []core.Table{table("customer"), table("customer_set_input")}, want: "the table customer_set_input and the table customer would both have the type"},
		"a table like a function":  {tables: []core.Table{table("customer"), table("customer_max_fields")}, want: "the type customer_max_fields"},
		"a table like a scalar":    {tables: []core.Table{table("uuid")}, want: "uuid: a scalar and the table uuid would both have the type uuid"},
		"a table like an enum":     {tables: []core.Table{table("order_by")}, want: "a type of every API and the table order_by"},
		"a table like a root":      {tables: []core.Table{table("query_root")}, want: "a type of every API and the table query_root"},
		"a table like an operator": {tables: []core.Table{table("uuid_comparison_exp")}, want: "a type of every API and the table uuid_comparison_exp"},
		"a table like a write":     {tables: []core.Table{table("customer"), table("customer_many")}, want: "field update_customer_many"},
		"a column like a relation": {
			tables: []core.Table{table("customer", core.Column{Name: "orders_aggregate", Kind: core.Text}), table("order", lookup)},
			want:   "customer.orders: the column orders_aggregate and the relation orders would both have the field orders_aggregate",
		},
		"a table like a page": {tables: []core.Table{table("customer"), table("customer_connection")}, want: "the table customer and the table customer_connection would both have the field customer_connection"},
		"a column like pages": {
			tables: []core.Table{table("customer", core.Column{Name: "orders_connection", Kind: core.Text}), table("order", lookup)},
			want:   "customer.orders: the column orders_connection and the relation orders would both have the field orders_connection",
		},
		"tables like nodes": {tables: []core.Table{table("node"), table("nodes")}},
		"a key like a column": {
			tables: []core.Table{{Name: "customer", Columns: []core.Column{{Name: "a", Kind: core.Text, Unique: true}}, Keys: []core.Key{{Name: "customer_a_key", Columns: []string{"a"}}}}},
			want:   "the key customer_a_key and the unique column a",
		},
		"an action like a write":      {tables: []core.Table{table("customer")}, actions: []core.Action{{Name: "insert_customer"}}, want: "the table customer and the action insert_customer"},
		"an action like a type":       {tables: []core.Table{table("go_output")}, actions: []core.Action{{Name: "go"}}, want: "the table go_output and the action go"},
		"two actions of one name":     {actions: []core.Action{{Name: "go"}, {Name: "go"}}, want: "the action go and the action go"},
		"an action with a bad name":   {actions: []core.Action{{Name: "Go"}}, want: "is no name for a action"},
		"an object without fields":    {actions: []core.Action{{Name: "go", Input: []core.Column{{Name: "x", Kind: core.Object}}}}, want: "x: the action go has an object without fields"},
		"an output without fields":    {actions: []core.Action{{Name: "go", Output: []core.Column{{Name: "x", Kind: core.Object}}}}, want: "x: the action go has an object without fields"},
		"a table that nobody updates": {tables: []core.Table{{Name: "fixed", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "f", Kind: core.Integer, Formula: "1"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := core.NewSchema(1, append(c.tables, core.Table{Name: "_user", Builtin: true, Columns: []core.Column{{Name: "id", Kind: core.UUID, System: true}}})...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = build(s, c.actions, &tables.Defined{})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(core.AsError(err).Public(), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// A schema that GraphQL cannot express is refused before the database is touched.
func TestRefusedBeforeTheDatabase(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{})
	res := w.do(t, "root", `mutation { create_table(name: "account_aggregate", columns: [{name: "a", kind: "text"}]) { version } }`, "")
	if !strings.Contains(string(res.Body), "the table account and the table account_aggregate would both have the type account_aggregate") {
		t.Errorf("%s", res.Body)
	}
	if err := w.store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.must(t, "root", `mutation { create_table(name: "fine", columns: [{name: "a", kind: "text"}]) { version } }`, "")
	w.must(t, "root", `{ fine { a } }`, "")
}

func TestSDL(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{}, testActions()...)
	all := core.System("test")
	sdl := w.SDL(w.store.Snapshot(), all)
	if os.Getenv("PRINT_SDL") != "" {
		t.Log(sdl)
	}
	if again := w.SDL(w.store.Snapshot(), all); again != sdl {
		t.Error("two prints differ")
	}
	other, err := build(w.store.Snapshot().Schema, w.actions, &tables.Defined{})
	if err != nil {
		t.Fatal(err)
	}
	if other.visibleTo(w.store.Snapshot(), all).sdl() != sdl {
		t.Error("two builds differ")
	}
	s, err := gqlparser.LoadSchema(&ast.Source{Input: sdl})
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range w.api(w.store.Snapshot()).ast.Types {
		if s.Types[name] == nil || s.Types[name].Kind != d.Kind {
			t.Errorf("%s is not in the SDL", name)
		}
	}
	for _, want := range []string{
		"type query_root {", "account_aggregate(", "update_account_by_pk(", "scalar timestamptz @specifiedBy(url:", "update_columns: [account_update_column!]! = []",
		"enum account_constraint {", "account_name_key", "_create_table", "delete__user",
	} {
		has := strings.Contains(sdl, want)
		if not := want == "_create_table" || want == "delete__user"; has == not {
			t.Errorf("%q in the SDL: %v", want, has)
		}
	}
}
