package main

import (
	"encoding/json"
	"testing"
)

// TestFeedOverHTTP follows a table through the API: PostgreSQL shows a change once every older transaction of the server has
// ended, so the reader asks until it comes.
func TestFeedOverHTTP(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		ask := func(query string, vars map[string]any) (page struct {
			Cursor  string
			Changes []struct {
				Op            string
				Before, After map[string]any
			}
		}) {
			t.Helper()
			raw, err := json.Marshal(vars)
			if err != nil {
				t.Fatal(err)
			}
			out := s.send(t, "admin", query, raw)
			var answer struct {
				Data   map[string]json.RawMessage
				Errors json.RawMessage
			}
			if err := json.Unmarshal(out, &answer); err != nil || answer.Errors != nil {
				t.Fatalf("%s", out)
			}
			if feed, ok := answer.Data["shop_changes"]; ok {
				if err := json.Unmarshal(feed, &page); err != nil {
					t.Fatal(err)
				}
			}
			return page
		}
		ask(`mutation { create_table(name: "shop", columns: [{name: "name", kind: "text"}]) { version } }`, nil)
		ask(`mutation { insert_shop_one(object: {name: "before"}) { id } }`, nil)
		cursor := ask(`{ shop_changes { cursor changes { op } } }`, nil).Cursor
		ask(`mutation { insert_shop_one(object: {name: "a"}) { id } }`, nil)
		ask(`mutation { update_shop(where: {name: {_eq: "a"}}, _set: {name: "b"}) { affected_rows } }`, nil)
		ask(`mutation { insert_shop_one(object: {name: "other"}) { id } }`, nil)
		const query = `query($since: String, $name: String) { shop_changes(since: $since, limit: 1, where: {name: {_eq: $name}}) { cursor changes { op before after } } }`
		var ops string
		for len(ops) < len("create delete ") {
			page := ask(query, map[string]any{"since": cursor, "name": "a"})
			cursor = page.Cursor
			for _, c := range page.Changes {
				ops += c.Op + " "
				if c.Op == "delete" && (c.Before["name"] != "a" || c.After != nil) {
					t.Errorf("%+v", c)
				}
			}
		}
		if ops != "create delete " {
			t.Errorf("got %s", ops)
		}
	})
}
