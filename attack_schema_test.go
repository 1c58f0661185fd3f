package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The attacks of this file are on the names of things: who learns what there is. A test of a family is named by it; each
// is sent over HTTP on every database.

const introspectAll = `{ __schema { queryType { name fields { name args { name type { name } } } } mutationType { fields { name } }
	types { kind name description fields { name args { name } type { ...T } } inputFields { name type { ...T } } enumValues { name } possibleTypes { name } } } }
	fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`

// what one may not know of is answered as if it were not there, by every operation and by the description of the
// types. The twin of the world has no secret table; what a clerk sees of both is the same to the byte.
func TestAttackA12SchemaEnumeration(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
			put_options(name: "flavours", options: [{value: "sweet"}]) { version }
			a: create_table(name: "shop", columns: [{name: "name", kind: "text"}, {name: "income", kind: "integer"}]) { version }
		}`)
		s.must(t, "admin", `mutation {
			clerk: put_role(name: "clerk", grants: [{table: "shop", privileges: ["read"], hidden: ["income"]}]) { role }
			keeper: put_role(name: "keeper", grants: [{table: "shop", privileges: ["read"]}], actions: ["manage_access", "manage_flows", "run_flows", "import_data", "allow_duplicates", "manage_models", "purge_records", "verify_history"]) { role }
		}`)
		s.sure(t, "clerk", []string{"clerk"})
		s.sure(t, "keeper", []string{"keeper"})
		s.sure(t, "guest", nil)
		users := []string{"clerk", "keeper", "guest", "nobody"}
		before := map[string][]byte{}
		for _, user := range users {
			before[user] = s.send(t, user, introspectAll, nil)
		}
		s.must(t, "admin", `mutation {
			secret: create_table(name: "plot", label: "The plot", columns: [
				{name: "name", kind: "text"}, {name: "shop_id", kind: "lookup", target: "shop", inverse: "plots"}, {name: "taste", kind: "choice", option_set: "flavours"},
				{name: "mood", kind: "choice", options: [{value: "grim"}]}, {name: "proof", kind: "file"}, {name: "cost", kind: "currency"}],
				keys: [{name: "by_name", columns: ["name"]}]) { version }
			any: add_lookup(table: "plot", name: "about_id", targets: ["shop", "plot"], inverse: "named_by") { version }
		}`)
		s.must(t, "admin", `mutation { insert_plot_one(object: {name: "x"}) { id } }`)
		for user, was := range before {
			now := s.send(t, user, introspectAll, nil)
			if !bytes.Equal(was, now) {
				t.Errorf("%s learns of a table from introspection: %s", user, difference(was, now))
			}
		}
		if all := s.send(t, "admin", introspectAll, nil); !bytes.Contains(all, []byte(`"insert_plot"`)) || !bytes.Contains(all, []byte(`"create_table"`)) {
			t.Error("the administrator does not see the types")
		}
		if clerk := before["clerk"]; !bytes.Contains(clerk, []byte(`"shop_by_pk"`)) || bytes.Contains(clerk, []byte("insert_shop")) || bytes.Contains(clerk, []byte("create_table")) {
			t.Error("the clerk does not see what he can use")
		}

		// Guessing names: what is hidden is answered like what is not there, whatever is said about it.
		for _, q := range []string{
			`{ plot { id } }`, `{ plot_by_pk(id: "00000000-0000-7000-8000-000000000000") { id } }`, `{ plot_by_by_name(name: "x") { id } }`, `{ plot_aggregate { aggregate { count } } }`,
			`{ plot(where: {nam: {_eq: "x"}}) { id } }`, `{ plot(limit: "x") { nothing } }`, `{ plot { id(a: 1) } }`, `{ plot }`, `{ plot_as_of(at: "2026-01-01T00:00:00Z") { id } }`,
			`{ plot_history(id: "00000000-0000-7000-8000-000000000000") { version } }`, `{ plot_deleted { id } }`, `{ plot_changes { nodes { id } } }`,
			`{ shop { plots { id } } }`, `{ shop { plots_aggregate { aggregate { count } } } }`, `{ shop(where: {plots: {name: {_eq: "x"}}}) { id } }`, `{ shop(order_by: {plots_aggregate: {count: asc}}) { id } }`,
			`{ shop { named_by { id } } }`, `{ shop { name ... on plot { id } } }`, `fragment F on plot { id } { shop { ...F } }`, `query($v: plot_bool_exp) { shop { id } }`,
			`mutation { insert_plot_one(object: {name: "x"}) { id } }`, `mutation { insert_plot(objects: [{nam: 1}]) { affected_rows } }`, `mutation { update_plot(where: {}, _set: {name: "y"}) { affected_rows } }`,
			`mutation { update_plot_by_pk(pk_columns: {id: "00000000-0000-7000-8000-000000000000"}, _set: {name: "y"}) { id } }`, `mutation { delete_plot(where: {}) { affected_rows } }`,
			`mutation { delete_plot_by_pk(id: "00000000-0000-7000-8000-000000000000") { id } }`, `mutation { restore_plot(ids: ["00000000-0000-7000-8000-000000000000"]) { affected_rows } }`,
			`mutation { purge_plot(ids: ["00000000-0000-7000-8000-000000000000"]) { records } }`, `mutation { merge_plot(winner: "00000000-0000-7000-8000-000000000000", losers: ["00000000-0000-7000-8000-000000000000"]) { merge_id } }`,
			`{ __type(name: "plot") { name } }`, `{ __type(name: "plot_bool_exp") { name fields { name } inputFields { name } } }`, `{ __type(name: "plot_mood_enum") { name } }`,
			`mutation { link_records(table: "plot", field: "shop", id: "00000000-0000-7000-8000-000000000000", to: []) { linked } }`,
			`mutation { search(text: "x", tables: ["plot"]) { hits { id } } }`, `mutation { find_duplicates(table: "plot", rule: "r") { state } }`,
			`mutation { describe_options(table: "plot", column: "mood") { options { value } } }`, `mutation { table_rules(table: "plot") { rules { name } } }`,
			`mutation { evaluate_rules(table: "plot", op: "create", record: {name: "x"}) { ok } }`, `mutation { rule_versions(table: "plot", name: "r") { versions { name } } }`,
			`mutation { check_expression(table: "plot", source: "name") { type } }`, `mutation { evaluate_expression(table: "plot", source: "1") { value } }`,
			`mutation { complete_expression(table: "plot", source: "na", position: 2) { candidates { text } } }`, `mutation { dependents(table: "plot", column: "name") { dependents { name } } }`,
			`mutation { grant(role: "clerk", table: "plot", privileges: ["read"]) { role } }`, `mutation { grant(role: "clerk", table: "plot", privileges: ["read"], condition: "nam == 'x'", hidden: ["nam"]) { role } }`,
			`mutation { revoke(role: "clerk", table: "plot", privileges: ["read"]) { role } }`,
			`mutation { verify_history(table: "plot") { ok } }`, `mutation { alter_column(table: "plot", name: "name", set: {required: true}) { version } }`,
			`mutation { put_role(name: "mine", grants: [{table: "plot", privileges: ["read"]}]) { role } }`,
		} {
			for _, user := range users {
				got, want := s.send(t, user, q, nil), s.send(t, user, strings.ReplaceAll(q, "plot", "pl0t"), nil)
				if want = bytes.ReplaceAll(want, []byte("pl0t"), []byte("plot")); !bytes.Equal(got, want) {
					t.Errorf("%s: %s\ngot  %s\nwant %s", user, q, got, want)
				}
			}
		}
		for _, path := range []string{
			"/data/export/plot", "/data/export/plot?where=" + url.QueryEscape(`{"nam":{"_eq":1}}`), "/data/export/plot?columns=name,nam", "/data/file/plot/00000000-0000-7000-8000-000000000000/proof",
			"POST /data/import/plot", "POST /data/suggest/plot",
		} {
			method, rest, post := strings.Cut(path, " ")
			if !post {
				method, rest = http.MethodGet, path
			}
			for _, user := range users {
				got, want := s.whole(t, user, method, rest), s.whole(t, user, method, strings.ReplaceAll(rest, "plot", "pl0t"))
				if want = strings.ReplaceAll(want, "pl0t", "plot"); got != want {
					t.Errorf("%s: %s\ngot  %s\nwant %s", user, path, got, want)
				}
			}
		}
		// Nobody who may not define tables is told what is near to a mistake that he makes.
		for _, q := range []string{`{ plt { id } }`, `{ shp { id } }`, `{ shop { nme } }`, `{ shop(where: {incom: {_eq: 1}}) { id } }`, `mutation { serch(text: "x") { hits { id } } }`} {
			if got := s.send(t, "clerk", q, nil); bytes.Contains(bytes.ToLower(got), []byte("did you mean")) {
				t.Errorf("%s: %s", q, got)
			}
		}
		if got := s.send(t, "admin", `{ plt { id } }`, nil); !bytes.Contains(got, []byte("plot")) {
			t.Errorf("a builder is helped: %s", got)
		}
	})
}

// must sends a request that has to succeed.
func (s *scenario) must(t *testing.T, user, query string) json.RawMessage {
	t.Helper()
	var out struct {
		Data   json.RawMessage
		Errors json.RawMessage
	}
	answer := s.send(t, user, query, nil)
	if err := json.Unmarshal(answer, &out); err != nil || out.Errors != nil {
		t.Fatalf("%s: %s\n%s", user, query, answer)
	}
	return out.Data
}

// whole returns the answer with status, but for what differs from one request to the next.
func (s *scenario) whole(t *testing.T, user, method, path string) string {
	t.Helper()
	var body []byte
	if method == http.MethodPost {
		body = []byte("name\nx\n")
	}
	res, out := s.request(t, user, method, path, body, nil)
	var e struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code, Kind string }
		}
	}
	if json.Unmarshal(out, &e) == nil && e.Errors != nil {
		var b strings.Builder
		for _, one := range e.Errors {
			b.WriteString(one.Message + " " + one.Extensions.Code + " " + one.Extensions.Kind + "\n")
		}
		out = []byte(b.String())
	}
	return res.Status + " " + res.Header.Get("Content-Type") + "\n" + string(out)
}

// difference shows where two texts begin to differ.
func difference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	cut := func(s []byte) string { return string(s[max(0, i-100):min(len(s), i+200)]) }
	return "was\n" + cut(a) + "\nis\n" + cut(b)
}
