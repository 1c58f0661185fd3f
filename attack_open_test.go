package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The attacks of this file are on what is open without anybody having meant it: ids of another table, tables that nobody was
// given, texts that a browser would run.

// an id is good in its own table only, also where a record of another table has the same.
func TestAttackA28SameIDs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
			a: create_table(name: "open", columns: [{name: "title", kind: "text"}, {name: "scan", kind: "file"}]) { version }
			b: create_table(name: "secret", columns: [{name: "title", kind: "text"}, {name: "scan", kind: "file"}]) { version }
			put_role(name: "clerk", grants: [{table: "open", privileges: ["create", "read", "update", "delete"]}], actions: ["purge_records"]) { role }
		}`)
		s.sure(t, "clerk", []string{"clerk"})
		upload := func(content string) string {
			var f struct{ ID string }
			if err := json.Unmarshal(s.call(t, "admin", http.MethodPost, "/data/file?name=a.txt", []byte(content), nil), &f); err != nil || f.ID == "" {
				t.Fatal(f, err)
			}
			return f.ID
		}
		file := upload("canary of a file")
		var made struct {
			One struct{ ID string } `json:"insert_secret_one"`
		}
		if err := json.Unmarshal(s.must(t, "admin", fmt.Sprintf(`mutation { insert_secret_one(object: {title: "canary", scan: %q}) { id } }`, file)), &made); err != nil {
			t.Fatal(err)
		}
		id := made.One.ID
		s.must(t, "clerk", `mutation { insert_open_one(object: {title: "mine"}) { id } }`)
		before := s.must(t, "admin", `{ secret { id title version scan { name } } }`)
		for _, q := range []string{
			`{ open_by_pk(id: "ID") { title } }`, `{ open(where: {id: {_eq: "ID"}}) { title } }`, `{ open_history(id: "ID") { version record } }`, `{ open_deleted(where: {id: {_eq: "ID"}}) { record } }`,
			`mutation { update_open_by_pk(pk_columns: {id: "ID"}, _set: {title: "stolen"}) { id title } }`, `mutation { delete_open_by_pk(id: "ID") { id title } }`,
			`mutation { restore_open(ids: ["ID"]) { affected_rows } }`, `mutation { purge_open(ids: ["ID"]) { records } }`, `mutation { restore_open_version(id: "ID", version: 1) { title } }`,
			`mutation { insert_open_one(object: {title: "x", scan: "FILE"}) { id scan { url } } }`,
		} {
			out := s.send(t, "clerk", strings.NewReplacer("ID", id, "FILE", file).Replace(q), nil)
			if bytes.Contains(out, []byte("canary")) || bytes.Contains(out, []byte("stolen")) || bytes.Contains(out, []byte(`"affected_rows":1`)) || bytes.Contains(out, []byte(`"records":1`)) || bytes.Contains(out, []byte(`"url"`)) {
				t.Errorf("%s: %s", q, out)
			}
		}
		for _, path := range []string{"/data/file/open/" + id + "/scan", "/data/file/secret/" + id + "/scan", "/data/file/open/" + id + "/scan?id=" + file} {
			if res, out := s.request(t, "clerk", http.MethodGet, path, nil, nil); res.StatusCode != http.StatusNotFound || bytes.Contains(out, []byte("canary")) {
				t.Errorf("%s: %s %s", path, res.Status, out)
			}
		}
		if after := s.must(t, "admin", `{ secret { id title version scan { name } } }`); !bytes.Equal(before, after) {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// a table is closed, whichever way it came to be: nobody reads of it who was not given it, and nobody knows of it.
func TestAttackA30ClosedByDefault(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
			create_table(name: "open", columns: [{name: "title", kind: "text"}]) { version }
			put_role(name: "clerk", grants: [{table: "open", privileges: ["read"]}]) { role }
		}`)
		s.sure(t, "clerk", []string{"clerk"})
		s.sure(t, "guest", nil)
		users := []string{"nobody", "guest", "clerk"}
		was := map[string][]byte{}
		for _, user := range users {
			was[user] = s.send(t, user, introspectAll, nil)
		}
		for way, make := range map[string]string{
			"action":     `mutation { create_table(name: "action", columns: [{name: "title", kind: "text"}]) { version } }`,
			"file":       `mutation { apply_schema(files: [{path: "tables/file.yaml", text: "name: file\nlabel: File\ncolumns:\n- name: title\n  kind: text\n"}]) { version } }`,
			"plan":       `mutation { apply_change(changes: [{change: "create_table", define: {name: "plan", columns: [{name: "title", kind: "text"}]}}]) { version } }`,
			"user_owned": `mutation { create_table(name: "user_owned", ownership: "user", columns: [{name: "title", kind: "text"}]) { version } }`,
			"link":       `mutation { add_many_to_many(table: "open", target: "open", name: "link", field: "after", inverse: "before_it", column: "a_id", target_column: "b_id") { version } }`,
			"renamed":    `mutation { create_table(name: "before", columns: [{name: "title", kind: "text"}]) { version } rename_table(table: "before", to: "renamed") { version } }`,
		} {
			if a := s.ask(t, "admin", make, nil); len(a.Errors) > 0 {
				t.Errorf("%s: %v", way, a.Errors)
				continue
			}
			if way != "link" {
				s.must(t, "admin", fmt.Sprintf(`mutation { insert_%s_one(object: {title: "canary"}) { id } }`, way))
			}
			for _, user := range users {
				for _, q := range []string{`{ % { id } }`, `{ open { after { id } } }`, `{ open(where: {after: {title: {_eq: "x"}}}) { before_it_aggregate { aggregate { count } } } }`, `{ %_aggregate { aggregate { count } } }`, `{ %_changes { record } }`, `mutation { delete_%(where: {}) { affected_rows } }`} {
					got := s.send(t, user, strings.ReplaceAll(q, "%", way), nil)
					none := s.send(t, user, strings.NewReplacer("%", "n0ne", "after", "aft3r", "before_it", "bef0re_it").Replace(q), nil)
					none = bytes.ReplaceAll(bytes.ReplaceAll(bytes.ReplaceAll(none, []byte("n0ne"), []byte(way)), []byte("aft3r"), []byte("after")), []byte("bef0re_it"), []byte("before_it"))
					if !bytes.Equal(got, none) {
						t.Errorf("%s, %s: %s\ngot  %s\nwant %s", way, user, q, got, none)
					}
				}
				if res, out := s.request(t, user, http.MethodGet, "/data/export/"+way, nil, nil); res.StatusCode == http.StatusOK || bytes.Contains(out, []byte("canary")) {
					t.Errorf("%s, %s: export: %s %s", way, user, res.Status, out)
				}
				if now := s.send(t, user, introspectAll, nil); !bytes.Equal(now, was[user]) {
					t.Errorf("%s, %s learns of it from introspection: %s", way, user, difference(was[user], now))
				}
			}
		}
	})
}

// what people have written leaves as data: JSON that no browser reads as a page, a file that is saved, and in pages of
// the server itself as text.
func TestAttackA31StoredScripts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation { create_table(name: "item", columns: [{name: "title", kind: "text"}, {name: "shout", kind: "text", formula: "title + '!'"}, {name: "scan", kind: "file"}],
			rules: [{name: "no images", when: "title.contains('img')", do: [{do: "fail", message: "{title} is refused"}]}]) { version } }`)
		for i, p := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `</title><script>alert(1)</script>`, `<svg/onload=alert(1)>`, "\u2028alert(1)", `{{constructor.constructor('alert(1)')()}}`, `data:text/html,<script>alert(1)</script>`} {
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []struct{ method, path, body string }{
				{http.MethodPost, "/graphql", fmt.Sprintf(`{"query":"mutation($t: String!) { insert_item_one(object: {title: $t}) { title shout } }","variables":{"t":%s}}`, text)},
				{http.MethodPost, "/graphql", fmt.Sprintf(`{"query":%s}`, text)},
				{http.MethodPost, "/graphql", fmt.Sprintf(`{"query":"mutation($t: String!) { create_table(name: $t, columns: []) { version } }","variables":{"t":%s}}`, text)},
				{http.MethodGet, "/graphql?query=" + urlQuery(p), ""},
				{http.MethodGet, "/" + urlQuery(p), ""},
				{http.MethodGet, "/data/export/" + urlQuery(p), ""},
				{http.MethodGet, "/data/export/item?format=" + urlQuery(p), ""},
				{http.MethodPost, "/auth/login", fmt.Sprintf(`{"email":%s,"password":"x"}`, text)},
			} {
				res, out := s.request(t, "admin", r.method, r.path, []byte(r.body), []byte("Content-Type: application/json\nAccept: text/html, */*"))
				if kind := res.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") || res.Header.Get("X-Content-Type-Options") != "nosniff" || !json.Valid(out) {
					t.Errorf("%s %s: %s %s", r.method, r.path, kind, out)
				}
				if csp := res.Header.Get("Content-Security-Policy"); csp == "" || strings.Contains(csp, "unsafe") {
					t.Errorf("%s %s: CSP %q", r.method, r.path, csp)
				}
			}
			res, _ := s.request(t, "admin", http.MethodGet, "/data/export/item", nil, nil)
			if !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") {
				t.Errorf("an export is %s, %s", res.Header.Get("Content-Type"), res.Header.Get("Content-Disposition"))
			}
			// A user of that name opens a page of the server.
			user := fmt.Sprintf("user%d", i)
			s.must(t, "admin", fmt.Sprintf(`mutation { create_user(name: %s, email: "%s@example.com") { id } }`, text, user))
			var key struct {
				Made struct{ Secret string } `json:"create_api_key"`
			}
			if err := json.Unmarshal(s.must(t, "admin", fmt.Sprintf(`mutation { create_api_key(name: %s, user: "%s@example.com") { secret } }`, text, user)), &key); err != nil {
				t.Fatal(err)
			}
			s.keys[user] = key.Made.Secret
			for _, path := range []string{"/graphiql", "/login?redirect=" + urlQuery("/"+p)} {
				res, page := s.request(t, user, http.MethodGet, path, nil, nil)
				if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
					t.Fatalf("%s: %s", path, res.Status)
				}
				if p != html.EscapeString(p) && bytes.Contains(page, []byte(p)) {
					t.Errorf("%s holds %s as it is", path, p)
				}
			}
		}
	})
}

func urlQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
