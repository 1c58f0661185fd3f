package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// The attacks of this file are in what requests say: texts that want to become SQL, requests that want to be many, keys that
// hide within others, lists that are too long.

// payloads are texts that mean something to a database, a parser or a template.
var payloads = []string{
	`'`, `"`, "`", `\`, `'; DROP TABLE "item"; --`, `" ; DELETE FROM "item" WHERE '1'='1`, `' OR '1'='1`, `') OR 1=1 --`, `$1`, `?`, `?1`, `:name`, `@p1`, `%`, `_`, `%' ESCAPE '\`, `--`, `/*`, `*/`, `;`, `)`, `(`, `]`,
	`$$`, `$tag$`, `E'\x27'`, `x" = "x`, `a.b`, `a->>'b'`, `a#>>'{}'`, `{"$gt": ""}`, `{{7*7}}`, `${7*7}`, `day'); SELECT pg_sleep(9); --`, `C" COLLATE "x`, "a\nb", "a\tb", "a\r\nb: c", "\u2028", "é'", "😀\"", `NULL`, `true`, `0x27`, `CAST('1' AS int)`,
	`Robert'); DROP TABLE students;--`, `\'`, `''`, `""`, `'''`, `\\'`, `<script>`, `=1+1`, `../../x`, `asc; DROP`, `name DESC, (SELECT 1)`,
}

// answer is an answer of GraphQL, read.
type answer struct {
	Data   map[string]json.RawMessage
	Errors []struct {
		Message    string
		Extensions struct{ Code, Kind string }
	}
}

func (s *scenario) ask(t *testing.T, user, query string, variables any) (a answer) {
	t.Helper()
	raw, err := json.Marshal(variables)
	if err != nil {
		t.Fatal(err)
	}
	out := s.send(t, user, query, raw)
	if err := json.Unmarshal(out, &a); err != nil || a.Data == nil && len(a.Errors) == 0 {
		t.Fatalf("%s\n%s\nis no answer: %v", query, out, err)
	}
	for _, e := range a.Errors {
		if e.Extensions.Kind == "INTERNAL" || e.Extensions.Kind == "" {
			t.Errorf("%s %s: %s", query, raw, out)
		}
	}
	return a
}

// no text becomes SQL. Each payload is a value of every operator, a literal in conditions and formulas, and a name.
func TestAttackA10Injection(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
			create_table(name: "item", columns: [{name: "title", kind: "text"}, {name: "more", kind: "json"}, {name: "tags", kind: "choices", options: [{value: "a"}]}, {name: "at", kind: "timestamp"},
				{name: "n", kind: "integer"}, {name: "item_id", kind: "lookup", target: "item", inverse: "parts"}]) { version }
			put_search(table: "item", columns: [{column: "title"}]) { version }
		}`)
		s.must(t, "admin", `mutation { insert_item(objects: [{title: "one", more: {a: 1}, n: 1}, {title: "two", n: 2}]) { affected_rows } }`)
		count := func() string { return string(s.must(t, "admin", `{ item_aggregate { aggregate { count } } }`)) }
		want := count()

		// As values, which are found again as they were.
		for _, p := range payloads {
			v := map[string]any{"p": p, "pp": []string{p, "x"}, "j": map[string]any{p: p}}
			for _, op := range []string{"_eq", "_neq", "_gt", "_gte", "_lt", "_lte", "_like", "_nlike", "_ilike", "_nilike", "_starts_with"} {
				a := s.ask(t, "admin", `query($p: String!) { item(where: {title: {`+op+`: $p}}) { title } item_aggregate(where: {parts: {title: {`+op+`: $p}}}) { aggregate { count } } }`, v)
				if len(a.Errors) > 0 && !strings.HasSuffix(op, "like") { // a pattern that ends in an escape is refused
					t.Errorf("%s %q: %v", op, p, a.Errors)
				}
			}
			a := s.ask(t, "admin", `query($pp: [String!]!, $p: String!, $j: jsonb!) { a: item(where: {title: {_in: $pp}}) { id } b: item(where: {title: {_between: $pp}}) { id } c: item(where: {more: {_eq: $j}}) { id } d: item(where: {_search: $p}) { id } }`, v)
			if len(a.Errors) > 0 && !strings.Contains(a.Errors[0].Message, "_search") && !strings.Contains(a.Errors[0].Message, "search") {
				t.Errorf("%q: %v", p, a.Errors)
			}
			a = s.ask(t, "admin", `mutation($p: String!, $j: jsonb!) { insert_item_one(object: {title: $p, more: $j}) { id title more } update_item(where: {title: {_eq: $p}}, _set: {title: $p, more: $j}) { affected_rows }
				search(text: $p) { hits { id } } delete_item(where: {title: {_eq: $p}, more: {_eq: $j}}) { affected_rows returning { title } } }`, v)
			if len(a.Errors) > 0 && !strings.Contains(a.Errors[0].Message, "search") {
				t.Errorf("%q: %v", p, a.Errors)
			}
			if got := string(a.Data["delete_item"]); len(a.Errors) == 0 && !strings.HasPrefix(got, `{"affected_rows":1,`) {
				t.Errorf("%q was not found again: %s", p, got)
			}
		}
		if got := count(); got != want {
			t.Fatalf("%s, want %s", got, want)
		}

		// As literals of expressions, which print themselves as SQL: a row condition, a formula that filters, and arguments of
		// functions that name units, zones and formats.
		for i, p := range payloads {
			quoted, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range []string{`title == ` + string(quoted), `title.contains(` + string(quoted) + `)`, `title in [` + string(quoted) + `, "one"]`} {
				s.ask(t, "admin", `mutation($c: String!) { put_role(name: "probe", grants: [{table: "item", privileges: ["read"], condition: $c}]) { role } }`, map[string]any{"c": source})
				s.sure(t, "probe", []string{"probe"})
				if a := s.ask(t, "probe", `{ item { title } item_aggregate { aggregate { count } } }`, nil); len(a.Errors) > 0 {
					t.Errorf("%s: %v", source, a.Errors)
				}
			}
			for _, source := range []string{`startOf(at, ` + string(quoted) + `)`, `format(at, ` + string(quoted) + `)`, `inZone(at, ` + string(quoted) + `)`, `parseDate(title, ` + string(quoted) + `)`, `matches(title, ` + string(quoted) + `)`, `join(` + string(quoted) + `, title, title)`, p} {
				s.ask(t, "admin", `mutation($s: String!) { check_expression(table: "item", source: $s) { ok sql } }`, map[string]any{"s": source})
			}
			s.ask(t, "admin", fmt.Sprintf(`mutation($s: String!) { add_column(table: "item", name: "f%d", kind: "text", formula: $s) { version } }`, i), map[string]any{"s": `title + ` + string(quoted)})
			if a := s.ask(t, "admin", fmt.Sprintf(`query($p: String!) { item(where: {f%[1]d: {_eq: $p}}, order_by: {f%[1]d: asc}) { f%[1]d } }`, i), map[string]any{"p": "one" + p}); len(a.Errors) > 0 || string(a.Data["item"]) == "[]" {
				t.Errorf("a formula with %q: %s %v", p, a.Data["item"], a.Errors)
			}
			s.must(t, "admin", fmt.Sprintf(`mutation { drop_column(table: "item", name: "f%d") { version } }`, i))
		}

		// As names. Those of things are refused, labels and texts for people are taken, and kept as they are.
		for _, p := range payloads {
			v := map[string]any{"p": p, "pp": []string{p}}
			for _, q := range []string{
				`mutation($p: String!) { create_table(name: $p, columns: [{name: "a", kind: "text"}]) { version } }`, `mutation($p: String!) { add_column(table: "item", name: $p, kind: "text") { version } }`,
				`mutation($p: String!) { rename_table(table: "item", to: $p) { version } }`, `mutation($p: String!) { rename_column(table: "item", name: "n", to: $p) { version } }`,
				`mutation($p: String!, $pp: [String!]!) { add_key(table: "item", name: $p, columns: ["title"]) { version } b: add_key(table: "item", name: "k", columns: $pp) { version } }`,
				`mutation($p: String!) { put_role(name: $p) { role } }`, `mutation($p: String!) { put_options(name: $p, options: [{value: "a"}]) { version } }`,
				`mutation($p: String!) { add_lookup(table: "item", target: "item", name: $p) { version } }`, `mutation($p: String!) { add_lookup(table: "item", target: $p) { version } }`,
				`mutation($p: String!) { describe_options(table: $p, column: $p) { options { value } } }`, `mutation($p: String!, $pp: [String!]!) { search(text: "one", tables: $pp) { hits { id } } }`,
			} {
				if a := s.ask(t, "admin", q, v); len(a.Errors) == 0 && p != "true" && p != "NULL" {
					t.Errorf("%s took %q", q, p)
				}
			}
			if a := s.ask(t, "admin", `mutation($p: String!) { put_options(name: "marks", label: $p, doc: $p, options: [{value: "a", label: $p}]) { version } }`, v); len(a.Errors) > 0 {
				t.Errorf("%q as a label: %v", p, a.Errors)
			}
			for _, path := range []string{"/data/export/" + url.PathEscape(p), "/data/export/item?columns=" + url.QueryEscape(p), "/data/export/item?where=" + url.QueryEscape(`{`+strconv.Quote(p)+`:{"_eq":1}}`)} {
				if res, out := s.request(t, "admin", http.MethodGet, path, nil, nil); res.StatusCode < 400 || res.StatusCode >= 500 {
					t.Errorf("%s: %s %s", path, res.Status, out)
				}
			}
		}
		if got := count(); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

// what is asked several times counts several times, and signing in is nothing that a document can ask for.
func TestAttackA13Amplification(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation { create_table(name: "item", columns: [{name: "title", kind: "text"}, {name: "item_id", kind: "lookup", target: "item", inverse: "parts"}]) { version }
			put_role(name: "clerk", grants: [{table: "item", privileges: ["read"]}]) { role } }`)
		s.sure(t, "clerk", []string{"clerk"})
		times := func(n int, one string) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(strings.ReplaceAll(one, "#", strconv.Itoa(i)) + " ")
			}
			return b.String()
		}
		for name, x := range map[string]struct{ query, want string }{
			"few aliases":              {`{` + times(20, `a#: item(limit: 10) { id }`) + `}`, ""},
			"aliases of a root":        {`{` + times(21, `a#: item_aggregate { aggregate { count } }`) + `}`, "more than 20 root fields"},
			"aliases in a record":      {`{ item(limit: 1) {` + times(101, `a#: title`) + `} }`, "more than 100 aliases"},
			"a thousand aliases":       {`{` + times(1000, `a#: item { id }`) + `}`, "more than 100 aliases"},
			"aliases of lists":         {`{` + times(20, `a#: item(limit: 1000) { parts(limit: 10) { id } }`) + `}`, "220000 records together"},
			"aliases within a list":    {`{ item(limit: 1000) {` + times(50, `a#: parts(limit: 4) { id }`) + `} }`, "201000 records together"},
			"aggregates within a list": {`{ item(limit: 1000) {` + times(100, `a#: parts_aggregate { aggregate { count } }`) + `} }`, "101000 records together"},
			"by fragments":             {`{` + times(20, `a#: item(limit: 1000) { ...F }`) + `} fragment F on item { parts(limit: 10) { id } }`, "220000 records together"},
			"fields of one key":        {`{ item {` + strings.Repeat("id ", 600) + `} }`, "more than 500 fields"},
		} {
			a := s.ask(t, "clerk", x.query, nil)
			switch {
			case x.want == "" && len(a.Errors) > 0:
				t.Errorf("%s: %v", name, a.Errors)
			case x.want != "" && (len(a.Errors) == 0 || a.Errors[0].Extensions.Kind != "LIMIT" || !strings.Contains(a.Errors[0].Message, x.want)):
				t.Errorf("%s: %v, want %q", name, a.Errors, x.want)
			}
		}
		res, out := s.request(t, "clerk", http.MethodPost, "/graphql", []byte(`[{"query":"{__typename}"},{"query":"{__typename}"}]`), []byte("Content-Type: application/json"))
		if res.StatusCode != http.StatusBadRequest || !bytes.Contains(out, []byte("one operation")) {
			t.Errorf("a list of operations: %s %s", res.Status, out)
		}
		var types struct {
			Schema struct {
				Mutation struct{ Fields []struct{ Name string } } `json:"mutationType"`
			} `json:"__schema"`
		}
		if err := json.Unmarshal(s.must(t, "admin", `{ __schema { mutationType { fields { name } } } }`), &types); err != nil || len(types.Schema.Mutation.Fields) < 50 {
			t.Fatal(err, len(types.Schema.Mutation.Fields))
		}
		for _, f := range types.Schema.Mutation.Fields {
			if strings.HasPrefix(f.Name, "login") || strings.HasPrefix(f.Name, "sign_in") || strings.HasPrefix(f.Name, "authenticate") {
				t.Errorf("%s lets a document try passwords", f.Name)
			}
		}
	})
}

// what is allowed is listed, at every depth: a key that is not known is refused wherever it hides.
func TestAttackA33UnknownKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation { create_table(name: "item", columns: [{name: "title", kind: "text"}, {name: "item_id", kind: "lookup", target: "item", inverse: "parts"}]) { version } }`)
		before := s.must(t, "admin", `mutation { export_schema { files { path text } } }`)
		deep := func(n int, inner string) string {
			return strings.Repeat(`{"_and":[`, n) + inner + strings.Repeat(`]}`, n)
		}
		for name, x := range map[string]struct{ key, query, variables string }{
			"a condition":            {"$where", `query($v: item_bool_exp!) { item(where: $v) { id } }`, `{"v":{"title":{"$where":"1"}}}`},
			"behind a good key":      {"$where", `query($v: item_bool_exp!) { item(where: $v) { id } }`, `{"v":{"title":{"_eq":"x"},"$where":{"title":{"_eq":"x"}}}}`},
			"deep in a condition":    {"$where", `query($v: item_bool_exp!) { item(where: $v) { id } }`, `{"v":` + deep(40, `{"title":{"_eq":"x"}},{"title":{"_eq":"x","$where":1}}`) + `}`},
			"behind a relation":      {"__proto__", `query($v: item_bool_exp!) { item(where: $v) { id } }`, `{"v":{"parts":{"parts":{"created_by":{"_eq":null},"__proto__":{}}}}}`},
			"a written record":       {"version", `mutation($v: item_insert_input!) { insert_item_one(object: $v) { id } }`, `{"v":{"title":"x","version":7}}`},
			"a system column":        {"created_by", `mutation($v: item_insert_input!) { insert_item_one(object: $v) { id } }`, `{"v":{"title":"x","created_by":"00000000-0000-7000-8000-000000000000"}}`},
			"a nested record":        {"isAdmin", `mutation($v: item_insert_input!) { insert_item_one(object: $v) { id } }`, `{"v":{"title":"x","parts":{"data":[{"title":"y"},{"title":"z","isAdmin":true}]}}}`},
			"a grant":                {"overrideAccess", `mutation($v: [put_role_grants_input!]) { put_role(name: "r", grants: $v) { role } }`, `{"v":[{"table":"item","privileges":["read"]},{"table":"item","privileges":["read"],"overrideAccess":true}]}`},
			"settings of a table":    {"builtin", `mutation($v: jsonb!) { plan_change(changes: [{change: "alter_table", table: "item", set: $v}]) { version } }`, `{"v":{"label":"x","builtin":true}}`},
			"settings of a column":   {"system", `mutation($v: jsonb!) { alter_column(table: "item", name: "title", set: $v) { version } }`, `{"v":{"label":"x","system":true}}`},
			"a plan":                 {"sql", `mutation($v: jsonb!) { plan_change(changes: [{change: "create_table", define: $v}]) { version } }`, `{"v":{"name":"x","columns":[{"name":"a","kind":"text"},{"name":"b","kind":"text","options":[{"value":"v","sql":"x"}]}]}}`},
			"a file of the schema":   {"__proto__", `mutation($v: String!) { apply_schema(files: [{path: "tables/x.yaml", text: $v}]) { version } }`, `{"v":"name: x\nlabel: X\ncolumns:\n- name: a\n  kind: text\n- name: b\n  kind: text\n  __proto__: {a: 1}\n"}`},
			"a role in a file":       {"system", `mutation($v: String!) { apply_schema(files: [{path: "roles/r.yaml", text: $v}]) { version } }`, `{"v":"role: r\ngrants:\n- table: item\n  privileges: [read]\n  level: organization\n  system: true\n"}`},
			"twice the same in YAML": {"actions", `mutation($v: String!) { apply_schema(files: [{path: "roles/r.yaml", text: $v}]) { version } }`, `{"v":"role: r\nactions: []\nactions: [manage_access]\n"}`},
		} {
			var v any
			if err := json.Unmarshal([]byte(x.variables), &v); err != nil {
				t.Fatal(name, err)
			}
			if a := s.ask(t, "admin", x.query, v); len(a.Errors) == 0 || a.Errors[0].Extensions.Kind != "INVALID" || !strings.Contains(a.Errors[0].Message, x.key) {
				t.Errorf("%s: %v, want an error that names %s", name, a.Errors, x.key)
			}
		}
		for _, path := range []string{"/data/export/item?overrideAccess=1", "/data/export/item?format=csv&Format=csv", "/data/export/item?where=" + url.QueryEscape(deep(5, `{"title":{"_eq":"x"}},{"$where":1}`))} {
			if res, out := s.request(t, "admin", http.MethodGet, path, nil, nil); res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %s %s", path, res.Status, out)
			}
		}
		if after := s.must(t, "admin", `mutation { export_schema { files { path text } } }`); !bytes.Equal(before, after) {
			t.Errorf("the schema has changed:\n%s", difference(before, after))
		}
		if got := s.must(t, "admin", `{ item { title } }`); string(got) != `{"item":[]}` {
			t.Errorf("something was written: %s", got)
		}
	})
}

// a write of many is done or refused as a whole, and says how many it was, at the numbers where drivers and databases
// have their limits.
func TestAttackA34Truncation(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation { create_table(name: "item", columns: [{name: "n", kind: "integer"}]) { version } }`)
		count := func() int {
			var out struct {
				Item struct{ Aggregate struct{ Count int } } `json:"item_aggregate"`
			}
			if err := json.Unmarshal(s.must(t, "admin", `{ item_aggregate { aggregate { count } } }`), &out); err != nil {
				t.Fatal(err)
			}
			return out.Item.Aggregate.Count
		}
		stored := 0
		for _, n := range []int{0, 1, 999, 1000, 1001, 32_767, 65_536} {
			body := []byte(`{"query":"mutation($o: [item_insert_input!]!) { insert_item(objects: $o) { affected_rows } }","variables":{"o":[` + strings.TrimSuffix(strings.Repeat(`{"n":1},`, n), ",") + `]}}`)
			res, out := s.request(t, "admin", http.MethodPost, "/graphql", body, []byte("Content-Type: application/json"))
			var a struct {
				Data struct {
					Insert struct {
						Rows int `json:"affected_rows"`
					} `json:"insert_item"`
				}
				Errors []any
			}
			if err := json.Unmarshal(out, &a); err != nil {
				t.Fatal(err)
			}
			if len(a.Errors) == 0 {
				if a.Data.Insert.Rows != n {
					t.Errorf("%d records: %d were told", n, a.Data.Insert.Rows)
				}
				stored += n
			} else {
				t.Logf("%d records: %s %.200s", n, res.Status, out)
			}
			if got := count(); got != stored {
				t.Fatalf("%d records: %d are there, want %d", n, got, stored)
			}
		}
		if stored < 65_536 {
			t.Errorf("only %d records were taken", stored)
		}
		a := s.ask(t, "admin", `mutation { update_item(where: {}, _set: {n: 2}) { affected_rows } }`, nil)
		if got := string(a.Data["update_item"]); len(a.Errors) == 0 && got != fmt.Sprintf(`{"affected_rows":%d}`, stored) {
			t.Errorf("%s of %d records were changed", got, stored)
		}
		two := s.must(t, "admin", `{ item_aggregate(where: {n: {_eq: 2}}) { aggregate { count } } }`)
		if got := string(two); got != fmt.Sprintf(`{"item_aggregate":{"aggregate":{"count":%d}}}`, map[bool]int{true: stored}[len(a.Errors) == 0]) {
			t.Errorf("changed: %s, %v", got, a.Errors)
		}
	})
}
