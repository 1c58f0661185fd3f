package graphql

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// direct answers a query without a plan: everything is compiled and planned with the values of this request.
func (w *world) direct(ctx context.Context, r Request) Response {
	snap := w.store.Snapshot()
	a := w.api(snap)
	caller := core.CallerFrom(ctx)
	limits := snap.Policy.Limits(caller)
	doc, errs := a.parse(r.Query, limits, readerOf(snap, caller))
	if errs != nil {
		return refused(errs...)
	}
	op, _ := doc.operation("")
	vars, err := a.coerceVariables(op, r.Variables)
	if err != nil {
		return refused(requestError(err))
	}
	steps, err := w.compileQuery(a, op, vars, limits)
	if err != nil {
		return refused(requestError(err))
	}
	return w.read(ctx, steps, scope{snap: snap}, nil)
}

// kept reports whether the answer to a request comes from a plan of an earlier one.
func (w *world) kept(t testing.TB, ctx context.Context, r Request) bool {
	t.Helper()
	snap := w.store.Snapshot()
	doc, errs := w.api(snap).parse(r.Query, core.UserLimits, reader{})
	if errs != nil {
		t.Fatal(errs)
	}
	op, _ := doc.operation("")
	vars, err := w.api(snap).coerceVariables(op, r.Variables)
	if err != nil {
		return false
	}
	caller := core.CallerFrom(ctx)
	p, ok := w.plans(snap).get(planKey{op.id, caller.User, vars.structure})
	return ok && p.caller.Alike(caller)
}

// newRights is a shop with records, and users who see different parts of it: ann the accounts of Germany without their
// revenue, eve her own contacts and where she sees accounts only what is gold, tim what is not from the future.
func newRights(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := newShop(t, d, Options{})
	w.must(t, "root", `mutation {
  german: put_role(name: "german", grants: [{table: "account", privileges: ["read"], condition: "country == 'DE'", hidden: ["revenue"]}, {table: "contact", privileges: ["read"]}]) { role }
  own: put_role(name: "own", grants: [
    {table: "account", privileges: ["read"], condition: "tier == 'gold'"}
    {table: "account", privileges: ["read", "append_to"], hidden: ["score", "since", "data"]}
    {table: "contact", privileges: ["create", "read", "append"], level: "own"}
  ]) { role }
  timely: put_role(name: "timely", grants: [{table: "account", privileges: ["read"], condition: "created_at <= now()"}]) { role }
  ann: create_user(name: "Ann", email: "ann@example.com", roles: ["german"]) { id }
  eve: create_user(name: "Eve", email: "eve@example.com", roles: ["own"]) { id }
  tim: create_user(name: "Tim", email: "tim@example.com", roles: ["timely"]) { id }
}`, "")
	var accounts, contacts, invoices []map[string]any
	for i := range 12 {
		id, person := fmt.Sprintf("00000000-0000-4000-8000-%012d", i), fmt.Sprintf("00000000-0000-4000-9000-%012d", i)
		accounts = append(accounts, map[string]any{
			"id": id, "name": fmt.Sprintf("Account %d", i), "country": []any{"DE", "US", nil}[i%3], "revenue": fmt.Sprintf("%d.50", i*7%5), "score": float64(i) / 4,
			"size": i % 4, "active": i%2 == 0, "since": fmt.Sprintf("2024-01-%02d", i+1), "seen": fmt.Sprintf("2024-01-%02dT10:00:00Z", i+1),
			"data": map[string]any{"n": i}, "tier": []any{"gold", "silver", nil}[i%3],
		})
		contacts = append(contacts, map[string]any{"id": person, "name": fmt.Sprintf("Contact_%d%%", i), "email": nil, "account_id": id})
		invoices = append(invoices, map[string]any{"amount": i, "contact_id": person})
	}
	for _, c := range []struct {
		user, table string
		rows        []map[string]any
	}{{"root", "account", accounts}, {"root", "contact", contacts[:8]}, {"eve", "contact", contacts[8:]}, {"root", "invoice", invoices}} {
		raw, err := json.Marshal(map[string]any{"o": c.rows})
		if err != nil {
			t.Fatal(err)
		}
		w.must(t, c.user, fmt.Sprintf("mutation($o:[%[1]s_insert_input!]!){insert_%[1]s(objects:$o){affected_rows}}", c.table), string(raw))
	}
	return w
}

// script writes documents at random, and values for their variables.
type script struct {
	*rand.Rand
	declared []declared
}

type declared struct {
	name, typ string
	literal   bool // of its default
}

// samples are values by type, as JSON, most of them good. What is a literal too may be a default.
var samples = map[string][]string{
	"String":                {`"DE"`, `"US"`, `"gold"`, `"silver"`, `"Account%"`, `"Contact_"`, `"A_c%"`, `""`, `"é\\"`, `"x\u0000"`, `5`, `["DE"]`},
	"bigint":                {`0`, `1`, `2`, `"3"`, `-1`, `9007199254740993`, `1.5`, `"x"`, `true`},
	"numeric":               {`0`, `1.5`, `"3.50"`, `-2`, `1e3`, `0.123456789012345678901234567890`, `"x"`},
	"float8":                {`0`, `0.25`, `1e300`, `-0.0`, `"1.5"`, `"nan"`},
	"Boolean":               {`true`, `false`, `"true"`, `1`},
	"date":                  {`"2024-01-03"`, `"2024-02-30"`, `"0000-01-01"`},
	"timestamptz":           {`"2024-01-03T10:00:00Z"`, `"2024-01-03T11:00:00+01:00"`, `"2024-01-03"`},
	"uuid":                  {`"00000000-0000-4000-8000-000000000003"`, `"00000000-0000-4000-9000-000000000009"`, `"00000000-0000-4000-9000-00000000000A"`, `"x"`, `7`},
	"jsonb":                 {`{"n":3}`, `[1]`, `"x"`, `{"n":1e400}`},
	"Int":                   {`0`, `1`, `2`, `3`, `1000`, `1001`, `-1`, `2147483648`, `"1"`},
	"[String!]":             {`[]`, `["DE"]`, `["DE","US"]`, `"gold"`, `[null]`},
	"[uuid!]":               {`[]`, `["00000000-0000-4000-8000-000000000003"]`, `["00000000-0000-4000-8000-000000000003","00000000-0000-4000-8000-000000000004"]`, `["x","00000000-0000-4000-8000-000000000004"]`},
	"order_by":              {`"asc"`, `"desc_nulls_last"`, `"up"`},
	"account_bool_exp":      {`{}`, `{"country":{"_eq":"DE"}}`, `{"size":{"_gt":1},"active":{"_eq":true}}`, `{"revenue":{"_gt":1}}`, `{"_or":[{"size":{"_eq":0}},{"tier":{"_eq":"gold"}}]}`, `{"nam":{}}`},
	"[account_order_by!]":   {`[]`, `[{"size":"desc"},{"name":"asc"}]`, `{"score":"asc"}`},
	"String_comparison_exp": {`{}`, `{"_eq":"DE"}`, `{"_in":["DE","US"]}`, `{"_like":"D%"}`},
}

func (s *script) one(list ...string) string { return list[s.IntN(len(list))] }

// operand is a literal or a variable of the type, which may end with "!".
func (s *script) operand(want string) string {
	typ := strings.TrimSuffix(want, "!")
	if s.IntN(5) == 0 && !strings.Contains(typ, "_") && typ != "jsonb" {
		return s.one(samples[typ][:2]...)
	}
	for _, d := range s.declared {
		if (d.typ == want || d.typ == typ+"!") && s.IntN(2) == 0 {
			return "$" + d.name
		}
	}
	d := declared{name: fmt.Sprint("v", len(s.declared)), typ: want, literal: s.IntN(6) == 0}
	if s.IntN(6) == 0 {
		d.typ = typ + "!"
	}
	s.declared = append(s.declared, d)
	return "$" + d.name
}

var fieldTypes = map[string]map[string]string{
	"account": {"id": "uuid", "name": "String", "country": "String", "revenue": "numeric", "score": "float8", "size": "bigint", "active": "Boolean", "since": "date", "seen": "timestamptz", "data": "jsonb", "tier": "String"},
	"contact": {"id": "uuid", "name": "String", "email": "String", "account_id": "uuid"},
	"invoice": {"id": "uuid", "amount": "numeric", "contact_id": "uuid"},
}

var fieldNames = map[string][]string{
	"account": {"id", "name", "country", "revenue", "score", "size", "active", "since", "seen", "data", "tier"},
	"contact": {"id", "name", "email", "account_id"},
	"invoice": {"id", "amount", "contact_id"},
}

func (s *script) condition(table string, depth int) string {
	if table == "account" && s.IntN(12) == 0 {
		return s.operand("account_bool_exp")
	}
	switch n := s.IntN(12); {
	case n == 0 && depth > 0:
		return "{_or: [" + s.condition(table, depth-1) + ", " + s.condition(table, depth-1) + "]}"
	case n == 1 && depth > 0:
		return "{_not: " + s.condition(table, depth-1) + "}"
	case n == 2 && depth > 0 && table == "contact":
		return "{account: " + s.condition("account", depth-1) + "}"
	case n == 3 && depth > 0 && table == "account":
		return "{contacts: " + s.condition("contact", depth-1) + "}"
	}
	name := s.one(fieldNames[table]...)
	typ := fieldTypes[table][name]
	op := s.one("_eq", "_eq", "_neq", "_gt", "_lte", "_in", "_is_null")
	if typ == "String" {
		op = s.one(op, "_like", "_nilike", "_starts_with", "_between")
	}
	operand := typ
	switch op {
	case "_is_null":
		operand = "Boolean"
	case "_in":
		if typ == "String" || typ == "uuid" {
			operand = "[" + typ + "!]"
		} else {
			return fmt.Sprintf("{%s: {_in: [%s, %s]}}", name, s.operand(typ+"!"), s.operand(typ+"!"))
		}
	case "_between":
		return fmt.Sprintf("{%s: {_between: [%s, %s]}}", name, s.operand(typ+"!"), s.operand(typ+"!"))
	}
	if typ == "String" && s.IntN(10) == 0 {
		return fmt.Sprintf("{%s: %s}", name, s.operand("String_comparison_exp"))
	}
	if typ == "jsonb" && op == "_eq" && s.IntN(2) == 0 {
		return fmt.Sprintf("{%s: {_eq: {n: %s}}}", name, s.operand("bigint"))
	}
	return fmt.Sprintf("{%s: {%s: %s}}", name, op, s.operand(operand))
}

func (s *script) args(table string) string {
	var out []string
	if s.IntN(3) > 0 {
		out = append(out, "where: "+s.condition(table, 2))
	}
	if s.IntN(3) == 0 {
		out = append(out, "limit: "+s.operand("Int"))
	}
	if s.IntN(3) == 0 {
		out = append(out, "offset: "+s.operand("Int"))
	}
	switch s.IntN(6) {
	case 0:
		out = append(out, "order_by: {"+s.one(fieldNames[table]...)+": "+s.operand("order_by")+"}")
	case 1:
		if table == "account" {
			out = append(out, "order_by: "+s.operand("[account_order_by!]"))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "(" + strings.Join(out, ", ") + ")"
}

func (s *script) fields(table string, depth int) string {
	out := []string{s.one(fieldNames[table]...)}
	for range s.IntN(4) {
		f := s.one(fieldNames[table]...)
		if s.IntN(5) == 0 {
			f += s.one(" @include(if: ", " @skip(if: ") + s.operand("Boolean!") + ")"
		}
		out = append(out, f)
	}
	if depth > 0 && s.IntN(2) == 0 {
		switch table {
		case "account":
			out = append(out, "contacts"+s.args("contact")+" {"+s.fields("contact", depth-1)+"}")
			out = append(out, "contacts_aggregate"+s.args("contact")+" { aggregate { count } nodes { id } }")
		case "contact":
			out = append(out, "account {"+s.fields("account", depth-1)+"}", "invoices"+s.args("invoice")+" {"+s.fields("invoice", 0)+"}")
		}
	}
	return strings.Join(out, " ")
}

// document writes a query with fragments, aliases and variables.
func (s *script) document() string {
	s.declared = nil
	var text, fragments string
	for i := range 1 + s.IntN(2) {
		table := s.one("account", "account", "contact", "invoice")
		fields := s.fields(table, 2)
		switch s.IntN(3) {
		case 0:
			fragments += fmt.Sprintf(" fragment f%d on %s {%s}", i, table, fields)
			fields = fmt.Sprintf("...f%d", i)
		case 1:
			fields = fmt.Sprintf("__typename ... on %s @include(if: %s) {%s}", table, s.operand("Boolean!"), fields)
		}
		switch s.IntN(5) {
		case 0:
			text += fmt.Sprintf(" r%d: %s_by_pk(id: %s) {%s}", i, table, s.operand("uuid!"), fields)
		case 1:
			text += fmt.Sprintf(" r%d: %s_aggregate%s { aggregate { count max { id } } nodes {%s} }", i, table, s.args(table), fields)
		default:
			text += fmt.Sprintf(" r%d: %s%s {%s}", i, table, s.args(table), fields)
		}
	}
	if len(s.declared) == 0 {
		return "{" + text + " __typename}" + fragments
	}
	var decl []string
	for _, d := range s.declared {
		one := "$" + d.name + ": " + d.typ
		if d.literal && !strings.Contains(d.typ, "_") && d.typ != "jsonb" {
			one += " = " + s.one(samples[strings.TrimSuffix(d.typ, "!")][:2]...)
		}
		decl = append(decl, one)
	}
	return "query(" + strings.Join(decl, ", ") + ") {" + text + "}" + fragments
}

// values gives the variables values: mostly good ones, which leave the structure as it is.
func (s *script) values() string {
	var out []string
	for _, d := range s.declared {
		list := samples[strings.TrimSuffix(d.typ, "!")]
		switch n := s.IntN(30); {
		case n == 0:
			continue
		case n == 1:
			out = append(out, fmt.Sprintf("%q: null", d.name))
		case n < 4:
			out = append(out, fmt.Sprintf("%q: %s", d.name, s.one(list...)))
		default:
			out = append(out, fmt.Sprintf("%q: %s", d.name, s.one(list[:min(2, len(list))]...)))
		}
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// TestPlanOracle compares answers from plans with answers without, byte by byte: for random documents, several values
// each, and users with different rights in turns.
func TestPlanOracle(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newRights(t, d)
		s := &script{Rand: rand.New(rand.NewPCG(7, 11))}
		documents := 400
		if raceFactor > 1 || testing.Short() {
			documents = 60
		}
		users := []string{"root", "ann", "eve", "tim"}
		asked, kept, good := 0, 0, 0
		for range documents {
			query := s.document()
			for range 6 {
				variables := s.values()
				for _, user := range users {
					ctx, r := w.as(t, t.Context(), user), Request{Query: query, Variables: json.RawMessage(variables)}
					want := w.direct(ctx, r)
					if want.Kind == OK {
						good++
						if w.kept(t, ctx, r) {
							kept++
						}
					}
					for range 2 { // to make a plan, and to use it
						asked++
						if got := w.Do(ctx, r, false); got.Kind != want.Kind || string(got.Body) != string(want.Body) {
							t.Fatalf("as %s:\n%s\n%s\nwith a plan:\n%s\nwithout:\n%s", user, query, variables, got.Body, want.Body)
						}
					}
				}
			}
		}
		t.Logf("%d requests, %d good ones of which %d found the plan of another request", asked, good, kept)
		if good < documents || kept < good/4 {
			t.Errorf("of %d requests %d are good, and %d found a plan: the documents prove little", asked, good, kept)
		}
	})
}

// Users who send the same document with the same variables get what their own rights give, whoever came first.
func TestAttackA27PlanOfAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newRights(t, d)
		r := Request{
			Query:     `query($n: bigint) { account(where: {size: {_eq: $n}}, order_by: {name: asc}, limit: 2) { name revenue score contacts { name } } }`,
			Variables: json.RawMessage(`{"n": 0}`),
		}
		root := `{"data":{"account":[{"name":"Account 0","revenue":0.50,"score":0,"contacts":[{"name":"Contact_0%"}]},{"name":"Account 4","revenue":3.50,"score":1,"contacts":[{"name":"Contact_4%"}]}]}}`
		want := map[string]string{
			"root":   root,
			"ann":    `{"data":{"account":[{"name":"Account 0","revenue":null,"score":0,"contacts":[{"name":"Contact_0%"}]}]}}`,
			"eve":    `{"data":{"account":[{"name":"Account 0","revenue":0.50,"score":0,"contacts":[]},{"name":"Account 4","revenue":3.50,"score":null,"contacts":[]}]}}`,
			"nobody": `{"errors":[{"message":"sign in first","extensions":{"code":"access-denied","kind":"UNAUTHENTICATED"}}]}`,
		}
		users := []string{"root", "ann", "eve", "nobody"}
		for i := range 12 {
			user := users[i*7%len(users)]
			if i >= 8 {
				user = users[i%len(users)]
			}
			if got := string(w.Do(w.as(t, t.Context(), user), r, false).Body); got != want[user] {
				t.Errorf("as %s: %s", user, got)
			}
		}

		// One user, who has other rights from one request to the next on the same snapshot.
		ann, eve := core.CallerFrom(w.as(t, t.Context(), "ann")), core.CallerFrom(w.as(t, t.Context(), "eve"))
		for range 3 {
			for _, c := range []struct {
				as   string
				turn func(*core.Caller)
			}{
				{"ann", func(*core.Caller) {}},
				{"eve", func(c *core.Caller) { c.Roles = eve.Roles }},
				{"ann", func(c *core.Caller) { c.Name, c.Behalf, c.Cause = "Someone", eve.User, core.Cause{Kind: "flow"} }},
			} {
				as := ann
				c.turn(&as)
				if got := string(w.Do(core.WithCaller(t.Context(), as), r, false).Body); got != want[c.as] {
					t.Errorf("like %s: %s", c.as, got)
				}
			}
		}
	})
}

// What a caller is decides what he may see, so that a plan is for callers who are alike in all of it.
func TestCallersAlike(t *testing.T) {
	base := func() core.Caller {
		return core.Caller{User: "u", Name: "U", Unit: "n", Below: []core.ID{"n", "m"}, Teams: []core.ID{"t"}, Roles: []string{"r", "s"}}
	}
	a := base()
	if b := base(); !a.Alike(b) || !a.Alike(a) {
		t.Error("a caller is not like himself")
	}
	for name, change := range map[string]func(*core.Caller){
		"user":    func(c *core.Caller) { c.User = "v" },
		"unit":    func(c *core.Caller) { c.Unit = "m" },
		"below":   func(c *core.Caller) { c.Below = []core.ID{"n", "o"} },
		"fewer":   func(c *core.Caller) { c.Below = c.Below[:1] },
		"teams":   func(c *core.Caller) { c.Teams = nil },
		"roles":   func(c *core.Caller) { c.Roles = []string{"r"} },
		"reports": func(c *core.Caller) { c.Reports = []core.ID{"w"} },
		"further": func(c *core.Caller) { c.ReportsBelow = []core.ID{"w"} },
		"system": func(c *core.Caller) {
			*c = core.System("test")
			c.User, c.Unit, c.Below, c.Teams, c.Roles = a.User, a.Unit, a.Below, a.Teams, a.Roles
		},
	} {
		b := base()
		if change(&b); a.Alike(b) || b.Alike(a) {
			t.Errorf("%s: callers that differ are alike", name)
		}
	}
}

// A change of the schema or of the rights holds for the next request.
func TestPlanAfterChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newRights(t, d)
		const id = "00000000-0000-4000-8000-000000000003"
		r := Request{Query: `query($id: uuid!) { account_by_pk(id: $id) { name country score } }`, Variables: json.RawMessage(`{"id": "` + id + `"}`)}
		ask := func(user, want string) {
			t.Helper()
			ctx := w.as(t, t.Context(), user)
			for range 2 {
				if got := string(w.Do(ctx, r, false).Body); got != want {
					t.Errorf("as %s: %s, want %s", user, got, want)
				}
			}
			if !w.kept(t, ctx, r) {
				t.Errorf("as %s: there is no plan", user)
			}
		}
		open, hidden := `{"data":{"account_by_pk":{"name":"Account 3","country":"DE","score":0.75}}}`, `{"data":{"account_by_pk":{"name":"Account 3","country":"DE","score":null}}}`
		ask("ann", open)
		ask("root", open)
		w.must(t, "root", `mutation { put_role(name: "german", grants: [{table: "account", privileges: ["read"], condition: "country == 'DE'", hidden: ["score"]}]) { role } }`, "")
		ask("ann", hidden)
		ask("root", open)
		w.must(t, "root", `mutation { put_role(name: "german", grants: [{table: "account", privileges: ["read"], condition: "country == 'US'"}]) { role } }`, "")
		ask("ann", `{"data":{"account_by_pk":null}}`)
		w.must(t, "root", `mutation { assign_role(role: "own", user: "ann@example.com") { role } }`, "")
		ask("ann", open)
		w.must(t, "root", `mutation { add_column(table: "account", name: "twice", kind: "integer", formula: "size + size") { table } }`, "")
		r.Query = `query($id: uuid!) { account_by_pk(id: $id) { name country score: twice } }`
		ask("root", `{"data":{"account_by_pk":{"name":"Account 3","country":"DE","score":6}}}`)
		w.must(t, "root", `mutation { update_account_by_pk(pk_columns: {id: "`+id+`"}, _set: {name: "New", size: 4}) { id } }`, "")
		ask("root", `{"data":{"account_by_pk":{"name":"New","country":"DE","score":8}}}`)
	})
}

// A plan that depends on the time is for one request.
func TestPlanOfTheMoment(t *testing.T) {
	w := newRights(t, dbtest.SQLite(t))
	r := Request{Query: `query($n: bigint) { account(where: {size: {_eq: $n}}) { id } }`, Variables: json.RawMessage(`{"n": 1}`)}
	for user, lasts := range map[string]bool{"root": true, "ann": true, "tim": false} {
		ctx := w.as(t, t.Context(), user)
		if res := w.Do(ctx, r, false); res.Kind != OK {
			t.Fatalf("%s", res.Body)
		}
		if w.kept(t, ctx, r) != lasts {
			t.Errorf("as %s: a plan that lasts: %v, want %v", user, !lasts, lasts)
		}
	}
}

// Plans take so much memory and no more, and none of that of the requests that they were made for.
func TestPlansAreBounded(t *testing.T) {
	w := newRights(t, dbtest.SQLite(t))
	ctx, snap := w.as(t, t.Context(), "root"), w.store.Snapshot()
	plans := w.plans(snap)
	plans.max = 100_000
	const query = `query($w: account_bool_exp!, $n: bigint) { account(where: {_and: [$w, {size: {_eq: $n}}]}) { id } }`
	ask := func(variables string) {
		t.Helper()
		raw := []byte(variables)
		res := w.Do(ctx, Request{Query: query, Variables: raw}, false)
		if res.Kind != OK {
			t.Fatalf("%s", res.Body)
		}
		for i := range raw {
			raw[i] = 'x' // as the server does with its buffers
		}
	}
	for i := range 200 {
		ask(fmt.Sprintf(`{"w": {"name": {"_eq": "n%d"}}, "n": 1}`, i))
		if plans.weight > plans.max {
			t.Fatalf("%d bytes of plans", plans.weight)
		}
	}
	n := len(plans.entries)
	if n < 5 || n > 100 {
		t.Errorf("%d plans are kept", n)
	}
	ask(`{"w": {"name": {"_eq": "` + strings.Repeat("n", maxStructure) + `"}}, "n": 1}`)
	ask(`{"w": {"name": {"_eq": "n199"}}, "n": 2}`)
	if len(plans.entries) != n {
		t.Errorf("%d plans instead of %d: a long structure was kept, or an open value made a plan", len(plans.entries), n)
	}
	if res := w.Do(ctx, Request{Query: "{__schema{types{name}} account{id}}"}, false); res.Kind != OK || len(plans.entries) != n {
		t.Errorf("a plan of types was kept: %s", res.Body)
	}
}

// Requests of many share plans while others make them and the policy changes.
func TestPlansOfMany(t *testing.T) {
	w := newRights(t, dbtest.SQLite(t))
	const query = `query($n: bigint, $skip: Int, $like: String) { account(where: {size: {_lte: $n}, name: {_like: $like}}, offset: $skip, order_by: {name: asc}) { id name contacts(where: {name: {_neq: $like}}) { name } } }`
	var wg sync.WaitGroup
	for _, user := range []string{"root", "ann", "eve", "tim"} {
		ctx := w.as(t, t.Context(), user)
		for i := range 2 {
			wg.Go(func() {
				for n := range 60 {
					r := Request{Query: query, Variables: fmt.Appendf(nil, `{"n": %d, "skip": %d, "like": "%%%d"}`, n%4, (n+i)%3, n%12)}
					got, want := w.Do(ctx, r, false), w.direct(ctx, r)
					if string(got.Body) != string(want.Body) {
						t.Errorf("as %s, %s: %s, want %s", user, r.Variables, got.Body, want.Body)
						return
					}
				}
			})
		}
	}
	for i := range 5 {
		w.must(t, "root", fmt.Sprintf(`mutation { put_role(name: "other%d", grants: [{table: "account", privileges: ["read"]}]) { role } }`, i), "")
	}
	wg.Wait()
}
