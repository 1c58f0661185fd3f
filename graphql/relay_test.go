package graphql

import (
	"encoding/json"
	"fmt"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// One plan serves all records of a table that are asked for by their global ids, and no record of another table.
func TestPlanOfNode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newRights(t, d)
		const query = `query($id: ID!) { node(id: $id) { _id ... on account { name } ... on contact { email } } }`
		ctx, plans := w.as(t, t.Context(), "root"), w.plans(w.store.Snapshot())
		for i, c := range []struct {
			id, want string
			plans    int
		}{
			{"account:00000000-0000-4000-8000-000000000003", `"name":"Account 3"`, 1},
			{"account:00000000-0000-4000-8000-000000000004", `"name":"Account 4"`, 1},
			{"contact:00000000-0000-4000-9000-000000000009", `"email":`, 2},
			{"account:00000000-0000-4000-8000-000000000003", `"name":"Account 3"`, 2},
			{"contact:00000000-0000-4000-8000-000000000003", "", 2},
			{"account:00000000-0000-4000-8000-00000000000A", "", 3}, // no form of an id that we have written
			{"account", "", 4},
		} {
			want := `{"data":{"node":null}}`
			if c.want != "" {
				want = fmt.Sprintf(`{"data":{"node":{"_id":%q,%s`, c.id, c.want)
			}
			r := Request{Query: query, Variables: json.RawMessage(fmt.Sprintf(`{"id": %q}`, c.id))}
			got := string(w.Do(ctx, r, false).Body)
			if len(got) < len(want) || got[:len(want)] != want || len(plans.entries) != c.plans {
				t.Errorf("%d: %s, want %s; %d plans, want %d", i, got, want, len(plans.entries), c.plans)
			}
			if direct := string(w.direct(ctx, r).Body); direct != got {
				t.Errorf("%d: without a plan it is %s", i, direct)
			}
		}
	})
}

// Fields of one key on several types are another field each, as long as their answers have one shape.
func TestMergeableByType(t *testing.T) {
	w := newRights(t, dbtest.SQLite(t))
	a := w.api(w.store.Snapshot())
	for query, ok := range map[string]bool{
		`{ node(id: "x") { ... on account { n: name } ... on contact { n: email } } }`:                                                true,
		`{ node(id: "x") { ... on account { n: name } ... on contact { n: id } } }`:                                                   false,
		`{ node(id: "x") { n: _id ... on contact { n: id } } }`:                                                                       false,
		`{ node(id: "x") { ... on account { n: contacts { name } } ... on contact { n: account { name } } } }`:                        false,
		`{ node(id: "x") { ... on account { c: contacts { n: name } } ... on invoice { c: contact { n: name } } } }`:                  false,
		`{ node(id: "x") { ... on invoice { c: contact { n: name } } ... on contact { c: account { n: country } } } }`:                true,
		`{ node(id: "x") { ... on invoice { c: contact { n: name } } ... on contact { c: account { n: size } } } }`:                   false,
		`{ node(id: "x") { ... on account { contacts(limit: 1) { name } } ... on account { contacts(limit: 2) { name } } } }`:         false,
		`{ node(id: "x") { ... on account { name } ...F } } fragment F on account { name: country }`:                                  false,
		`{ node(id: "x") { ... on Node { n: _id } ... on account { n: _id } ... on contact { n: _id } } }`:                            true,
		`{ account_connection { edges { node { n: name } } } ... on query_root { account_connection { edges { node { n: id } } } } }`: false,
	} {
		snap := w.store.Snapshot()
		_, errs := a.parse(query, snap.Policy.Limits(core.CallerFrom(w.as(t, t.Context(), "root"))), reader{})
		if (len(errs) == 0) != ok {
			t.Errorf("%s: %v", query, errs)
		}
	}
}
