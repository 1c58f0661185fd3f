package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// simulated sends a request as the user, who looks at what another one sees.
func (s *scenario) simulated(t *testing.T, user, other, method, path, body string, headers ...string) string {
	t.Helper()
	headers = append(headers, "Colonnade-Simulate: "+other)
	if strings.HasPrefix(body, "{") {
		headers = append(headers, "Content-Type: application/json")
	}
	res, out := s.request(t, user, method, path, []byte(body), []byte(strings.Join(headers, "\n")))
	return res.Status + "\n" + string(out)
}

// Who simulates a user gets every answer that the user gets, byte by byte: what is hidden from the one stays hidden from the other,
// and no right of the administrator is added.
func TestSimulateSeesWhatTheUserSees(t *testing.T) {
	for _, way := range []string{"hidden", "masked"} {
		t.Run(way, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, c *config) {
				s := hospital(t, c, way)
				s.must(t, "admin", `mutation {
					create_table(name: "diary", columns: [{name: "text", kind: "text"}]) { version }
					a: put_role(name: "writer", grants: [{table: "diary", privileges: ["create"]}]) { role }
					assign_role(role: "writer", user: "clerk@example.com") { role }
				}`)
				s.must(t, "admin", `mutation { insert_diary_one(object: {text: "canary"}) { id } update_patient(where: {name: {_eq: "Cy"}}, _set: {code: "ABtiger"}) { affected_rows } }`)
				const list = `{ patient(order_by: {name: asc}) { name code size loud kept doctor { name total } } }`
				for _, q := range []string{
					list, `{ patient_aggregate { aggregate { count } nodes { name code size } } }`, `{ patient_by_pk(id: "00000000-0000-4000-8000-00000000000a") { name code size } }`,
					`{ patient(where: {code: {_eq: "ABcanary"}}) { name } }`, `{ patient(order_by: {size: asc}) { name } }`, `{ patient_aggregate { aggregate { sum { size } } } }`,
					`{ patient(where: {_search: "canary"}) { name } }`, `{ patient_by_code(code: "ABcanary") { name } }`, `{ diary { text } }`, `{ unknown { text } }`, `{ _user { email } }`,
					`{ patient_as_of(at: "2040-01-01T00:00:00Z", order_by: {name: asc}) { name code } }`, `{ patient_changes { changes { version before after actor behalf } } }`, `{ patient_versions(id: "00000000-0000-4000-8000-00000000000c") { version data actor } }`,
					`{ __schema { queryType { fields { name } } mutationType { fields { name } } types { name fields { name } inputFields { name } } } }`,
				} {
					body := fmt.Sprintf(`{"query": %q}`, q)
					res, want := s.request(t, "clerk", http.MethodPost, "/graphql", []byte(body), []byte("Content-Type: application/json"))
					for _, name := range []string{"clerk@example.com", s.idOf(t, "_user", "name", `"clerk"`)} {
						if got := s.simulated(t, "admin", name, http.MethodPost, "/graphql", body); got != res.Status+"\n"+string(want) {
							t.Errorf("%s\nsimulated %s\nthe user  %s", q, got, want)
						}
					}
				}
				for _, path := range []string{"/data/export/patient?format=csv&columns=name", "/data/export/patient?format=csv&columns=code", "/data/export/diary?format=csv", "/data/backup", "/debug/pprof/heap", "/data/imports/00000000-0000-4000-8000-00000000000a"} {
					res, want := s.request(t, "clerk", http.MethodGet, path, nil, nil)
					if got := s.simulated(t, "admin", "clerk@example.com", http.MethodGet, path, ""); masked(got) != masked(res.Status+"\n"+string(want)) {
						t.Errorf("%s\nsimulated %s\nthe user  %s", path, got, want)
					}
				}
				if got := s.simulated(t, "admin", "clerk@example.com", http.MethodPost, "/graphql", fmt.Sprintf(`{"query": %q}`, list)); !strings.Contains(got, "Ann") || strings.Contains(got, "canary") {
					t.Error("the clerk sees", got)
				}
			})
		})
	}
}

// masked is a text without what is another in every request.
func masked(text string) string { return uuidPattern.ReplaceAllString(text, "<id>") }

// Who simulates a user writes nothing, calls nothing, and gains nothing; only administrators do it, and each time it is kept.
func TestAttackSimulate(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation {
			a: put_role(name: "chief", inherits: ["clerk"], actions: ["manage_access", "act_on_behalf", "define_tables", "verify_history"]) { role }
			b: add_column(table: "customer", name: "ssn", kind: "text", secured: true, mask: "'***'") { version }
			c: add_column(table: "customer", name: "photo", kind: "file") { version }
			d: put_column_profile(name: "opener", columns: [{table: "customer", column: "ssn", read: "masked", unmask: "many"}]) { profile }
		}`)
		for user, role := range map[string]string{"amy": "clerk", "eve": "chief", "dan": "clerk"} {
			p.sure(t, user, []string{role})
		}
		p.must("admin", `mutation { assign_column_profile(profile: "opener", user: "amy@example.com") { profile } disable_user(user: "dan@example.com") { id } }`)
		p.must("admin", `mutation { insert_customer_one(object: {id: "00000000-0000-4000-8000-00000000000a", name: "Bob", ssn: "canary"}) { id } }`)
		p.key("admin", "narrow", `, read_only: true, actions: ["manage_access", "verify_history"]`)

		before := p.must("admin", `{ customer { name version ssn } }`)
		for _, q := range []string{
			`mutation { insert_customer_one(object: {name: "Eve"}) { id } }`, `mutation { update_customer(where: {}, _set: {name: "Eve"}) { affected_rows } }`, `mutation { delete_customer(where: {}) { affected_rows } }`,
			`mutation { update_customer(where: {}, _set: {name: "Eve"}, dry_run: true) { affected_rows } }`,
			`mutation { unmask(table: "customer", id: "00000000-0000-4000-8000-00000000000a", columns: ["ssn"], reason: "to see it") { values } }`,
			`mutation { unmask_many(table: "customer", ids: ["00000000-0000-4000-8000-00000000000a"], columns: ["ssn"], reason: "to see it") { records { values } } }`,
			`mutation { create_api_key(name: "x") { secret } }`, `mutation { list_sessions { sessions { id } } }`, `mutation { end_sessions { ended } }`, `mutation { change_password(old: "a password for tests", new: "another long password") { id } }`,
			`mutation { run_flow(name: "x") { run_id } }`, `mutation { search(text: "Bob") { hits { title } } }`, `mutation { read_access_log { entries { id } } }`, `mutation { enroll_totp { secret } }`,
			`mutation { import_csv(table: "customer", csv: "name\nEve\n") { batch } }`, `mutation { share_record(table: "customer", id: "00000000-0000-4000-8000-00000000000a", everyone: true, rights: ["read"]) { __typename } }`,
		} {
			for other, name := range map[string]string{"amy@example.com": "amy", "admin@example.com": "Administrator"} {
				got := p.simulated(t, "admin", other, http.MethodPost, "/graphql", fmt.Sprintf(`{"query": %q}`, q))
				if !strings.Contains(got, `"errors"`) || strings.Contains(got, "canary") || strings.Contains(got, "col_") || !strings.Contains(got, "the request simulates "+name) {
					t.Errorf("%s as %s: %s", q, other, got)
				}
			}
		}
		for path, body := range map[string]string{"/data/file?name=x.txt": "hello", "/data/import/customer": "name\nEve\n", "/auth/passkeys/options": "{}", "/auth/passkeys": `{"name": "x"}`} {
			if got := p.simulated(t, "admin", "amy@example.com", http.MethodPost, path, body); !strings.HasPrefix(got, "403") {
				t.Errorf("%s: %s", path, got)
			}
		}
		if after := p.must("admin", `{ customer { name version ssn } }`); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("it was %v and is %v", before, after)
		}

		const list = `{"query": "{ customer { name } }"}`
		for _, c := range []struct{ user, other, status, words string }{
			{"eve", "amy@example.com", "403", "simulating a user is for administrators"},
			{"eve", "eve@example.com", "403", "simulating a user is for administrators"},
			{"eve", "nobody@example.com", "403", "simulating a user is for administrators"}, // and does not tell who there is
			{"narrow", "amy@example.com", "403", "simulating a user is for administrators"},
			{"nobody", "amy@example.com", "401", "sign in first"},
			{"admin", "nobody@example.com", "404", "there is no user"},
			{"admin", "dan@example.com", "400", "the account of this user is disabled"},
		} {
			if got := p.simulated(t, c.user, c.other, http.MethodPost, "/graphql", list); !strings.HasPrefix(got, c.status) || !strings.Contains(got, c.words) || strings.Contains(got, "Bob") {
				t.Errorf("%s simulates %s: %s", c.user, c.other, got)
			}
		}
		if got := p.simulated(t, "admin", "amy@example.com", http.MethodPost, "/graphql", list, "Colonnade-On-Behalf-Of: eve@example.com"); !strings.HasPrefix(got, "400") || strings.Contains(got, "Bob") {
			t.Error("both at once:", got)
		}
		me := p.simulated(t, "admin", "amy@example.com", http.MethodGet, "/auth/me", "")
		if want := fmt.Sprintf(`{"user":{"id":%q,"name":"amy","roles":["clerk"]},"behalf":{"id":%q,"name":"Administrator","roles":["administrator"]},"simulated":true}`, p.idOf(t, "_user", "name", `"amy"`), p.idOf(t, "_user", "email", `"admin@example.com"`)); !strings.Contains(me, want) {
			t.Errorf("me is %s, not %s", me, want)
		}
	})
}

// The access log names both for each request of who simulates a user, one that nothing came of too.
func TestSimulateIsKept(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.sure(t, "amy", []string{"clerk"})
		p.must("admin", `mutation { apply_change(changes: [{change: "alter_table", table: "customer", set: {audit_reads: true}}]) { version } }`)
		p.must("admin", `mutation { insert_customer_one(object: {name: "Bob"}) { id } }`)
		for _, q := range []string{`{ customer { name } a: customer_aggregate { aggregate { count } } }`, `{ unknown { name } }`, `mutation { delete_customer(where: {}) { affected_rows } }`} {
			p.simulated(t, "admin", "amy@example.com", http.MethodPost, "/graphql", fmt.Sprintf(`{"query": %q}`, q))
		}
		log := func(user, kind string) (out []string) {
			got := p.must(user, fmt.Sprintf(`mutation { l: read_access_log(kind: %q) { entries { actor behalf records } } }`, kind))
			for _, e := range got["l"].(map[string]any)["entries"].([]any) {
				out = append(out, fmt.Sprint(e))
			}
			return out
		}
		amy, admin := p.idOf(t, "_user", "name", `"amy"`), p.idOf(t, "_user", "email", `"admin@example.com"`)
		entry := fmt.Sprint(map[string]any{"actor": amy, "behalf": admin, "records": []any{amy}})
		if got := log("admin", "simulate"); !slices.Equal(got, []string{entry, entry, entry}) {
			t.Errorf("the log has %q", got)
		}
		if got := log("amy", "simulate"); len(got) != 3 { // it is about her account
			t.Errorf("she sees %q", got)
		}
		if got := log("admin", "read"); !strings.Contains(strings.Join(got, ""), "behalf:"+admin) {
			t.Errorf("what was read is kept as %q", got)
		}
	})
}
