package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestMask makes a masked copy beside a running server, into the same kind of database and into the other one: nothing personal is
// in any value of the copy, and whatever checks a database finds it whole.
func TestMask(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation {
  put_data_class(name: "personal") { version }
  put_exchange_rates(rates: [{currency: "USD", base: "EUR", valid_from: "2020-01-01", rate: "0.5"}]) { __typename }
  set_base_currency(currency: "EUR") { __typename }
  put_options(name: "sexes", options: [{value: "f"}, {value: "m"}, {value: "x"}]) { version }
  town: create_table(name: "town", columns: [{name: "name", kind: "text"}]) { version }
  person: create_table(name: "person", columns: [
    {name: "name", kind: "text", required: true, classes: ["personal"]}
    {name: "mail", kind: "text", format: "email", unique: true, classes: ["personal"]}
    {name: "page", kind: "text", format: "url", classes: ["personal"]}
    {name: "phone", kind: "text", format: "phone", classes: ["personal"]}
    {name: "born", kind: "date", classes: ["personal"]}
    {name: "met", kind: "timestamp", classes: ["personal"]}
    {name: "calls_at", kind: "datetime", classes: ["personal"]}
    {name: "took", kind: "duration", classes: ["personal"]}
    {name: "salary", kind: "decimal", precision: 12, scale: 2, classes: ["personal"]}
    {name: "debt", kind: "currency", classes: ["personal"]}
    {name: "size", kind: "integer", min: 100, max: 250, classes: ["personal"]}
    {name: "weight", kind: "float", classes: ["personal"]}
    {name: "member", kind: "boolean", classes: ["personal"]}
    {name: "token", kind: "uuid", classes: ["personal"]}
    {name: "sex", kind: "choice", option_set: "sexes", classes: ["personal"]}
    {name: "likes", kind: "choices", options: [{value: "tea"}, {value: "coffee"}], classes: ["personal"]}
    {name: "more", kind: "json", classes: ["personal"]}
    {name: "note", kind: "long_text", classes: ["personal"]}
    {name: "colour", kind: "text"}
    {name: "line", kind: "text", formula: "name + ', ' + colour", stored: true}
    {name: "former", kind: "text"}
  ]) { version }
  add_lookup(table: "person", target: "town", inverse: "people") { version }
  best: add_column(table: "town", name: "best", kind: "decimal", precision: 12, scale: 2, formula: "people.max(p, p.salary)", stored: true) { version }
  put_search(table: "person", columns: [{column: "note"}]) { version }
  put_role(name: "reader", grants: [{table: "person", privileges: ["read", "share"]}]) { role }
  put_duplicate_rule(table: "person", name: "same", columns: [{column: "name"}]) { version }
  gone: create_table(name: "gone", columns: [{name: "text", kind: "text"}]) { version }
}`)
		s.must(t, "admin", `mutation {
  insert_town_one(object: {id: "01900000-0000-7000-8000-000000000001", name: "Ulm"}) { id }
  insert_gone_one(object: {text: "quennell in a dropped table"}) { id }
  insert_person(objects: [
    {id: "01900000-0000-7000-8000-000000000011", name: "Ann Quennell", mail: "ann@quennell.test", page: "https://quennell.test/ann", phone: "+4715471547", born: "1971-02-28", met: "2024-03-01T10:20:30Z", calls_at: "2024-03-01T08:15:00",
     took: "PT1H17M15.471547S", salary: "4715471547.71", debt: "4715471547.20", debt_currency: "USD", size: 171, weight: 47.154715, member: true, token: "47154715-4715-4715-8715-471547154715", sex: "f", likes: ["tea"], more: {name: "Quennell", list: [4715471547.5, true, null, "quennell"]}, note: "Quennell met us, of the Quennells", colour: "red", former: "Quennell in a dropped column", town_id: "01900000-0000-7000-8000-000000000001"}
    {id: "01900000-0000-7000-8000-000000000012", name: "Bob Quennell", mail: "bob@quennell.test", born: "1984-11-05", salary: "-4715471547.00", size: 100, colour: "blue", town_id: "01900000-0000-7000-8000-000000000001"}
    {id: "01900000-0000-7000-8000-000000000013", name: "Cleo Quennell", mail: "cleo@quennell.test", salary: "0.00", colour: "green"}
  ]) { affected_rows }
  update_person_by_pk(pk_columns: {id: "01900000-0000-7000-8000-000000000012"}, _set: {name: "Robert Quennell", colour: "white"}) { id }
  delete_person_by_pk(id: "01900000-0000-7000-8000-000000000013") { id }
}`)
		s.must(t, "admin", `mutation {
  drop_column(table: "person", name: "former") { version }
  drop_table(table: "gone") { version }
  create_user(name: "Quentin Quennell", email: "quentin@quennell.test", password: "seven blue birds fly over", roles: ["reader"]) { id }
}`)
		s.must(t, "admin", `mutation {
  share_record(table: "person", id: "01900000-0000-7000-8000-000000000011", user: "quentin@quennell.test", rights: ["read"], reason: "Quennell is her name") { rights }
  put_flow(definition: """
name: greet
trigger: {manual: {}}
steps:
  - action: import_csv
    with: {table: town, csv: "name\nBonn"}
""") { version }
}`)
		if _, err := s.app.db.Exec(t.Context(), db.New(s.app.db.Dialect).Write(`DELETE FROM "_event" WHERE version = 1`)); err != nil { // as old events go
			t.Fatal(err)
		}
		for _, other := range []bool{false, true} {
			to := &config{Dev: true, Data: t.TempDir()}
			if (c.Database == "") == other {
				if !dbtest.HasPostgres() {
					continue
				}
				to.Database = dbtest.EmptyPostgresDSN(t)
			}
			at := placeOf(to.Data, to.Database, "").at
			out := cli(t, "mask", "--keep-login", "admin@example.com", placeOf(c.Data, c.Database, "").at, at)
			if !strings.Contains(out, "person.mail, person.member") || !strings.Contains(out, "town.best") || strings.Contains(out, "person.colour") {
				t.Errorf("mask says %s", out)
			}
			cli(t, "verify", "--data", to.Data, "--database", to.Database)
			nothingPersonal(t, at)
			s.useMasked(t, to)
		}
	})
}

// nothingPersonal looks for what is personal in each value of a database: for words that are too long to stand in a random id by
// chance, and for dates of birth, one of which may be its own pseudonym, but not both.
func nothingPersonal(t *testing.T, at string) {
	t.Helper()
	born := map[string]bool{}
	err := place{at: at}.using(t.Context(), db.Options{ReadOnly: true}, func(ctx context.Context, c *copying) error {
		seen := &values{look: func(where string, text []byte) {
			text = bytes.ToLower(text)
			for _, word := range []string{"quennell", "quentin", "4715471547", "47.15471547", "t10:20:30", "t08:15:00", "pt1h17m15.471547s", "4635471547", "2357735773.6"} {
				if bytes.Contains(text, []byte(word)) {
					t.Errorf("%s: %s", where, text)
				}
			}
			for _, day := range []string{"1971-02-28", "1984-11-05"} {
				if bytes.Contains(text, []byte(day)) {
					born[day] = true
				}
			}
		}}
		err := c.store.Dump(ctx, seen)
		for _, table := range []string{"_session", "_api_key", "_secret", "_seal", "_access_log"} {
			if seen.seen[table] > 0 {
				t.Errorf("%s has %d rows", table, seen.seen[table])
			}
		}
		if seen.seen["person"] != 2 || seen.seen["_history"] < 7 || seen.seen["_audit"] < 3 {
			t.Errorf("the copy has %v", seen.seen)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(born) == 2 {
		t.Errorf("the copy holds both dates of birth: %v", born)
	}
}

// useMasked works with a masked copy as the one whose login was kept.
func (s *scenario) useMasked(t *testing.T, c *config) {
	t.Helper()
	of := &scenario{keys: map[string]string{}}
	of.open(t, c)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(of.url, "/graphql")+"/auth/login", strings.NewReader(`{"email": "admin@example.com", "password": "a password for tests"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Token": {"1"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var in struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&in); err != nil || in.Token == "" {
		t.Fatal(res.Status, err)
	}
	of.keys["kept"] = in.Token
	for _, q := range []struct {
		query string
		words []string
	}{
		{`{ person(order_by: {id: asc}) { colour salary debt_rate size sex town { name } } person_history(id: "01900000-0000-7000-8000-000000000012") { version } }`, []string{`"colour":"red"`, `"debt_rate":0.5`, `"name":"Ulm"`, `{"version":2},{"version":1}]`}},
		{`{ find: person(where: {_search: "Quennell"}) { id } }`, []string{`"find":[]`}},
		{`{ _user(where: {email: {_like: "%.example"}}) { id } }`, []string{`"id"`}},
		{`{ _flow { name enabled } }`, []string{`"enabled":false`}},
		{`mutation { record_shares(table: "person", id: "01900000-0000-7000-8000-000000000011") { shares { reason } } }`, []string{`"reason":null`}},
		{`mutation { update_person(where: {colour: {_eq: "white"}}, _set: {colour: "black"}) { returning { line } } }`, []string{`, black"`}},
		{`mutation { insert_person_one(object: {name: "New", mail: "new@example.com", salary: "9999999999.99", town_id: "01900000-0000-7000-8000-000000000001"}) { town { best } } }`, []string{`"best":9999999999.99`}},
	} {
		if out := string(of.send(t, "kept", q.query, nil)); !containsAll(out, q.words...) {
			t.Errorf("%s\nanswers %s", q.query, out)
		}
	}
	of.stop(t)
}

func containsAll(s string, words ...string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s, w) })
}

// TestMaskRefuses sees what is no masked copy.
func TestMaskRefuses(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.must(t, "admin", `mutation { create_table(name: "person", columns: [{name: "name", kind: "text"}]) { version } }`)
		from := placeOf(c.Data, c.Database, "").at
		for _, r := range []struct {
			want string
			args []string
		}{
			{"nobody could sign in to the copy", nil},
			{"no column carries a data class", []string{"--keep-login", "admin@example.com"}},
			{"there is no user with the address ann@example.com", []string{"--keep-login", "ann@example.com", "--column", "person.name"}},
			{"such as customer.name", []string{"--keep-login", "admin@example.com", "--column", "person"}},
			{"which record is which", []string{"--keep-login", "admin@example.com", "--column", "person.id"}},
			{"namen", []string{"--keep-login", "admin@example.com", "--column", "person.namen"}},
		} {
			to := filepath.Join(t.TempDir(), "to")
			if got := refusal(t, append(append([]string{"mask"}, r.args...), from, to)...); !strings.Contains(got, r.want) {
				t.Errorf("%v: %s", r.args, got)
			}
			if _, err := os.Stat(to); err == nil {
				t.Errorf("%v: the target was made", r.args)
			}
		}
		if got := refusal(t, "mask", "--keep-login", "admin@example.com", "--column", "person.name", from, from); !strings.Contains(got, "the same database") {
			t.Error(got)
		}
	})
}
