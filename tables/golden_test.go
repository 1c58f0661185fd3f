package tables

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
	"colonnade/rules"
)

var update = flag.Bool("update", false, "write testdata anew")

// shapes are the main shapes of a query, by name, for a seller of one unit who does not see what things cost.
var shapes = []struct {
	name  string
	query Query
}{
	{"list", Query{Table: "product", Where: Compare{Column: "price", Op: Gt, Value: "1.5"}, Order: []Order{{Column: "title", Desc: true}}, Limit: 50, Offset: 20, Fields: columnsNamed("id", "title", "price", "gross")}},
	{"by id", Query{Table: "shop", Form: One, Where: ByID("01900000-0000-7000-8000-000000000001"), Fields: columnsNamed("id", "code")}},
	{"hidden and guarded", Query{Table: "product", Where: Compare{Column: "stock", Op: In, Value: []any{1, 2, 3}}, Order: []Order{{Column: "stock"}}, Fields: columnsNamed("cost", "stock")}},
	{"conditions", Query{Table: "product", Where: And{Or{Compare{Column: "title", Op: ILike, Value: "%tea%"}, Compare{Column: "title", Op: StartsWith, Value: "50%"}}, Not{Compare{Column: "price", Op: Between, Value: []any{"1", "2"}}}, Compare{Column: "sku", Op: NotIn, Value: []any{"a", "b"}}, Compare{Column: "shop_id", Op: IsNull, Value: false}}, Fields: columnsNamed("id")}},
	{"nested", Query{Table: "product", Fields: append(columnsNamed("id"),
		Field{As: "shop", Relation: "shop", Query: &Query{Fields: columnsNamed("code")}},
		Field{As: "purchases", Relation: "purchase", Query: &Query{Limit: 3, Order: []Order{{Column: "at", Desc: true, NullsSet: true}}, Fields: columnsNamed("amount", "note")}},
		Field{As: "total", Relation: "purchase", Query: &Query{Form: Aggregate, Fields: []Field{{As: "sum", Func: "sum", Column: "amount"}}}})}},
	{"related", Query{Table: "shop", Where: Related{Relation: "product", Where: Related{Relation: "purchase", Where: Compare{Column: "paid", Op: Eq, Value: true}}}, Fields: columnsNamed("id")}},
	{"order by relation", Query{Table: "purchase", Order: []Order{{Column: "code", Relation: []string{"product", "shop"}}}, Fields: columnsNamed("id")}},
	{"aggregate", Query{Table: "product", Form: Aggregate, Where: Compare{Column: "stock", Op: Gte, Value: 0}, Fields: []Field{
		{As: "aggregate", Group: []Field{{As: "count", Func: "count"}, {As: "titles", Func: "count", Columns: []string{"title"}, Distinct: true}, {As: "avg", Group: []Field{{As: "price", Func: "avg", Column: "price"}}}, {As: "max", Group: []Field{{As: "gross", Func: "max", Column: "gross"}}}}},
		{As: "nodes", Query: &Query{Fields: columnsNamed("id")}},
	}}},
	{"aggregate of a page", Query{Table: "product", Form: Aggregate, Limit: 10, Order: []Order{{Column: "price"}}, Fields: []Field{{As: "min", Func: "min", Column: "price"}}}},
}

func columnsNamed(names ...string) (out []Field) {
	for _, n := range names {
		out = append(out, Field{As: n, Column: n})
	}
	return out
}

// TestGolden compares the SQL of the main shapes with testdata/query.sql; -update writes it.
func TestGolden(t *testing.T) {
	t.Parallel()
	var tables []core.Table
	for _, c := range shop() {
		tables = append(tables, c.(core.CreateTable).Define)
	}
	schema, err := core.NewSchema(1, append(authz.Tables(), tables...)...)
	must(t, err)
	seller := func(table string, level authz.Level, condition string, hidden ...string) authz.Grant {
		return authz.Grant{Role: "seller", Table: table, Privilege: authz.Read, Level: level, Condition: condition, Hidden: hidden}
	}
	snap := &Snapshot{Schema: schema, maxLimit: MaxLimit, access: policyData([]string{"seller"}, []authz.Grant{
		seller("product", authz.Unit, "", "cost", "stock"), seller("product", authz.Own, "", "cost"), seller("purchase", authz.Own, "amount > 0"), seller("shop", authz.Organization, ""),
	})}
	must(t, snap.compile())
	caller := core.Caller{User: core.SystemID, Unit: core.RootUnit, Below: []core.ID{core.RootUnit}, Roles: []string{"seller"}}
	var out bytes.Buffer
	for _, shape := range shapes {
		for _, d := range []db.Dialect{sqlite.Dialect{}, postgres.Dialect{}} {
			few := func(*node, int) (rules.Search, error) { return rules.ByReach, nil }
			b, _, err := (&planner{snap: snap, caller: caller, breadth: few}).print(d, &shape.query)
			must(t, err)
			fmt.Fprintf(&out, "-- %s: %s\n%s\n", shape.name, d.Name(), broken(b.String()))
			for _, a := range b.Args() {
				fmt.Fprintf(&out, "-- %v\n", a)
			}
			out.WriteByte('\n')
		}
	}
	const file = "testdata/query.sql"
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, out.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if !bytes.Equal(want, out.Bytes()) {
		t.Fatalf("the SQL has changed; look at it with -update and git diff:\n%s", out.String())
	}
}

// broken breaks a statement into lines.
func broken(text string) string {
	for _, word := range []string{" FROM ", " WHERE ", " ORDER BY "} {
		text = strings.ReplaceAll(text, word, "\n"+strings.TrimPrefix(word, " "))
	}
	return text
}

// policyData is the grants as the policy is made of them.
func policyData(roles []string, grants []authz.Grant) *authz.Data {
	d := &authz.Data{Units: []authz.BusinessUnit{{ID: core.RootUnit, Name: "all"}}, Roles: []authz.Role{{ID: core.NewID(), Name: authz.Administrator}}}
	for _, r := range roles {
		d.Roles = append(d.Roles, authz.Role{ID: core.NewID(), Name: r})
	}
	for _, g := range grants {
		hidden, err := json.Marshal(append([]string{}, g.Hidden...))
		if err != nil {
			panic(err)
		}
		d.Rules = append(d.Rules, authz.Rule{ID: core.NewID(), Ptype: "p", V0: "role:" + g.Role, V1: g.Table, V2: string(g.Privilege), V3: g.Level.String(), V4: g.Condition, V5: string(hidden)})
	}
	return d
}
