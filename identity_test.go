package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core/secret"
)

// people is a program over HTTP, and what its users send to it.
type people struct {
	*scenario
	t      *testing.T
	config *config
}

// eachPeople runs f on a program over each database, with a table customer that the role clerk reads and writes.
func eachPeople(t *testing.T, f func(t *testing.T, p *people)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, c *config) {
		c.SecretsKey = filepath.Join(t.TempDir(), "keys")
		if _, err := secret.AddKey(c.SecretsKey); err != nil {
			t.Fatal(err)
		}
		p := &people{newScenario(t, c), t, c}
		p.must("admin", `mutation {
			a: create_table(name: "customer", columns: [{name: "name", kind: "text"}], ownership: "user") { table }
			b: create_table(name: "invoice", columns: [{name: "title", kind: "text"}]) { table }
			c: put_role(name: "clerk", actions: ["run_flows"], grants: [{table: "customer", privileges: ["create", "read", "update", "delete"]}, {table: "invoice", privileges: ["read"]}]) { role }
		}`)
		f(t, p)
	})
}

// do sends a document as the user of that name, whose key is in p.keys.
func (p *people) do(user, query string) string {
	p.t.Helper()
	return string(p.send(p.t, user, query, nil))
}

// must is do for what is not refused.
func (p *people) must(user, query string) map[string]any {
	p.t.Helper()
	out := p.do(user, query)
	var answer struct {
		Data   map[string]any
		Errors []any
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Errors) > 0 {
		p.t.Fatalf("%s: %s\n%s", user, query, out)
	}
	return answer.Data
}

// wants sends a document whose answer must hold each of the words, and none after "!".
func (p *people) wants(user, query string, words ...string) {
	p.t.Helper()
	out := p.do(user, query)
	for _, w := range words {
		not, found := strings.CutPrefix(w, "!")
		if strings.Contains(out, not) == found {
			p.t.Errorf("%s: %s\nanswers %s\nwhere %q is found: %t", user, query, out, not, found)
		}
	}
}

// key makes a key with the arguments and keeps it under the name.
func (p *people) key(by, name, args string) {
	p.t.Helper()
	p.keys[name] = p.must(by, fmt.Sprintf(`mutation { k: create_api_key(name: %q%s) { secret } }`, name, args))["k"].(map[string]any)["secret"].(string)
}

// TestScopedKeys has keys of one user who may do more than they.
func TestScopedKeys(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.sure(t, "ann", []string{"clerk"})
		p.must("ann", `mutation { insert_customer_one(object: {name: "Bob"}) { id } }`)
		p.key("ann", "reading", `, read_only: true`)
		p.key("ann", "customers", `, tables: ["customer"]`)
		p.key("ann", "nothing", `, tables: [], actions: []`)
		p.key("ann", "all", ``)
		p.key("admin", "chief", `, actions: ["manage_access"]`)

		for _, c := range []struct {
			key, query string
			want       []string
		}{
			{"all", `{ customer { name } invoice { title } }`, []string{"Bob", "!errors"}},
			{"all", `mutation { insert_customer_one(object: {name: "Eve"}) { name } }`, []string{"Eve", "!errors"}},
			{"reading", `{ customer { name } invoice { title } }`, []string{"Bob", "!errors"}},
			{"reading", `mutation { insert_customer_one(object: {name: "Eve"}) { id } }`, []string{"permission-error", "reading only"}},
			{"reading", `mutation { update_customer(where: {}, _set: {name: "Eve"}) { affected_rows } }`, []string{"permission-error", "reading only"}},
			{"reading", `mutation { delete_customer(where: {}) { affected_rows } }`, []string{"permission-error", "reading only"}},
			{"reading", `mutation { run_flow(name: "x") { run_id } }`, []string{"permission-error", "not made to run flows"}},
			{"reading", `mutation { create_api_key(name: "more") { secret } }`, []string{"permission-error"}},
			{"reading", `mutation { list_api_keys { keys { name } } }`, []string{"permission-error"}},
			{"customers", `{ customer { name } }`, []string{"Bob", "!errors"}},
			{"customers", `mutation { insert_customer_one(object: {name: "Jim"}) { name } }`, []string{"Jim", "!errors"}},
			{"customers", `mutation { create_api_key(name: "more") { secret } }`, []string{"permission-error"}},
			{"nothing", `{ customer { name } }`, []string{"errors", "!Bob"}},
			{"chief", `{ customer { name } }`, []string{"Bob", "!errors"}},
			{"chief", `mutation { put_role(name: "new") { role } }`, []string{"new", "!errors"}},
			{"chief", `mutation { create_table(name: "more", columns: []) { table } }`, []string{"permission-error", "not made to define tables"}},
			{"chief", `mutation { create_api_key(name: "more", user: "ann@example.com") { secret } }`, []string{"permission-error"}},
			{"chief", `mutation { rotate_secrets { rewrapped } }`, []string{"permission-error"}},
		} {
			p.wants(c.key, c.query, c.want...)
		}
		// A table that a key is not made for is like one that is not there.
		there, absent := p.do("customers", `{ invoice { title } }`), p.do("customers", `{ absents { title } }`)
		if strings.ReplaceAll(there, "invoice", "absents") != absent {
			t.Errorf("a table out of the scope:\n%s\none that is not there:\n%s", there, absent)
		}
		if res, _ := p.request(t, "chief", "GET", "/data/backup", nil, nil); res.StatusCode != 403 {
			t.Error("a key for less takes a backup:", res.Status)
		}
		// The scope goes with the table when that gets another name, and not to another that takes the old one.
		p.must("admin", `mutation { a: rename_table(table: "customer", to: "client") { table } b: create_table(name: "customer", columns: [{name: "name", kind: "text"}]) { table } c: grant(role: "clerk", table: "customer", privileges: ["read"]) { role } }`)
		p.wants("customers", `{ client { name } }`, "Bob", "!errors")
		p.wants("customers", `{ customer { name } }`, "errors")
		p.wants("ann", `mutation { list_api_keys { keys { name tables actions read_only used_at } } }`, `"customers","tables":["client"]`, `"read_only":true`, `"used_at":"2`)
		p.wants("ann", `mutation { create_api_key(name: "x", tables: ["_users"]) { secret } }`, "there is no table", "tables, item 1")
		p.wants("ann", `mutation { create_api_key(name: "x", actions: ["fly"]) { secret } }`, "there is no right")
	})
}

// TestServices has a service administered by somebody who holds all of its rights, and by somebody who does not.
func TestServices(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation {
			a: put_role(name: "lead", inherits: ["clerk"], actions: ["manage_access"]) { role }
			b: put_role(name: "boss", actions: ["manage_access"]) { role }
			c: create_user(name: "Robot", email: "robot@example.com", kind: "service", roles: ["clerk"]) { id }
		}`)
		p.sure(t, "lea", []string{"lead"})
		p.sure(t, "bea", []string{"boss"})
		p.key("lea", "robot", `, user: "robot@example.com", tables: ["customer"]`)
		p.wants("robot", `mutation { insert_customer_one(object: {name: "Bob"}) { name } }`, `"Bob"`, "!errors")
		p.wants("admin", `{ _user(where: {kind: {_eq: "service"}}) { name } }`, `{"_user":[{"name":"Robot"}]}`)
		for _, query := range []string{
			`mutation { create_api_key(name: "x", user: "robot@example.com") { secret } }`,
			`mutation { create_api_key(name: "x", user: "nobody@example.com") { secret } }`,
			`mutation { create_api_key(name: "x", user: "lea@example.com") { secret } }`,
			`mutation { list_api_keys(user: "robot@example.com") { keys { id } } }`,
		} {
			p.wants("bea", query, "permission-error", "only an administrator makes, sees or ends keys")
		}
		p.wants("lea", `mutation { list_api_keys(user: "robot@example.com") { keys { name } } }`, "robot")
		p.wants("admin", `mutation { create_user(name: "x", email: "x@example.com", kind: "service", password: "a long enough sentence") { id } }`, "a service has no password")
		p.wants("admin", `mutation { create_user(name: "x", email: "x@example.com", kind: "robot") { id } }`, "a user is a person or a service")
		if _, err := p.app.logins.Login(t.Context(), "robot@example.com", "", authz.Peer{Address: "127.0.0.1"}); err == nil {
			t.Error("a service signs in with a password")
		}
	})
}
