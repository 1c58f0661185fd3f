package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// explanation is what an answer says of how it came about.
type explanation struct {
	Data       json.RawMessage
	Errors     []struct{ Message, Extensions any }
	Extensions struct {
		Explain []struct {
			Field, SQL string
			Parameters []struct {
				Kind  string
				Value json.RawMessage
			}
			Plan  []string
			Cost  *float64
			Guard []struct {
				Table  string
				Grants []struct{ Role, Level, Condition string }
			}
			Advice []struct{ Table, Apply string }
		}
	}
}

func (s *scenario) explain(t *testing.T, user, query string) (out explanation, raw string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	_, answer := s.request(t, user, http.MethodPost, "/graphql", body, []byte("Content-Type: application/json\nX-Explain: true"))
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return out, string(answer)
}

// TestExplainQuery has queries explained to an administrator, to a role that may, and to one that may not.
func TestExplainQuery(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		applyExample(t, s)
		s.send(t, "admin", `mutation { put_role(name: "tuner", actions: ["explain_queries"], grants: [{table: "book", privileges: ["read"], condition: "pages > 10", hidden: ["isbn"]}]) { role } }`, nil)
		s.send(t, "admin", `mutation { put_role(name: "reader", grants: [{table: "book", privileges: ["read"]}]) { role } }`, nil)
		s.sure(t, "tim", []string{"tuner"})
		s.sure(t, "ann", []string{"reader"})

		query := `{ book(where: {title: {_eq: "the-secret-title"}}, order_by: {price: desc}) { title _cursor loans { reader } } }`
		admin, raw := s.explain(t, "admin", query)
		if len(admin.Extensions.Explain) != 1 {
			t.Fatal(raw)
		}
		x := admin.Extensions.Explain[0]
		if x.Field != "book" || !strings.Contains(x.SQL, "SELECT") || strings.Contains(x.SQL, "the-secret-title") || len(x.Plan) == 0 || (c.Database != "") != (x.Cost != nil) {
			t.Errorf("%s", raw)
		}
		if !strings.Contains(raw, `"value":"the-secret-title"`) || len(x.Advice) != 0 {
			t.Errorf("%s", raw)
		}

		tim, raw := s.explain(t, "tim", `{ book(where: {title: {_eq: "the-secret-title"}}) { title } }`)
		if len(tim.Extensions.Explain) != 1 {
			t.Fatal(raw)
		}
		x = tim.Extensions.Explain[0]
		if strings.Contains(raw, "the-secret-title") || strings.Contains(raw, `"value"`) {
			t.Errorf("values are for administrators: %s", raw)
		}
		if len(x.Guard) != 1 || x.Guard[0].Table != "book" || len(x.Guard[0].Grants) != 1 || x.Guard[0].Grants[0].Role != "tuner" || x.Guard[0].Grants[0].Condition != "pages > 10" {
			t.Errorf("%s", raw)
		}
		if _, raw := s.explain(t, "tim", `{ book(where: {_or: [{title: {_eq: "it's\nthe-secret-title"}}, {title: {_in: ["a'b", "the-secret-title"]}}, {pages: {_eq: 4711}}, {price: {_eq: 47.11}}]}) { title } }`); strings.Contains(raw, "secret") || strings.Contains(raw, "4711") || strings.Contains(raw, "47.11") {
			t.Errorf("values are for administrators: %s", raw)
		}
		for user, query := range map[string]string{
			"ann":    `{ book { title } }`, // may not
			"nobody": `{ __typename }`,
			"admin":  `mutation { insert_book_one(object: {title: "x"}) { id } }`, // no query
		} {
			if got, raw := s.explain(t, user, query); len(got.Errors) == 0 || got.Extensions.Explain != nil || strings.Contains(raw, "SELECT") {
				t.Errorf("%s: %s", user, raw)
			}
		}
		if got, raw := s.explain(t, "tim", `{ book(where: {isbn: {_eq: "1"}}) { title } }`); len(got.Errors) == 0 {
			t.Errorf("a hidden column is explained: %s", raw)
		}
	})
}

// TestIndexAdvice makes a table large enough for advice, follows it, and is advised no more.
func TestIndexAdvice(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		applyExample(t, s)
		for n := range 10 {
			var objects strings.Builder
			for i := range 1000 {
				_, _ = fmt.Fprintf(&objects, `{"title":"t%d","pages":%d},`, i%7, n*1000+i)
			}
			vars := `{"objects":[` + strings.TrimSuffix(objects.String(), ",") + `]}`
			if out := s.send(t, "admin", `mutation($objects: [book_insert_input!]!) { insert_book(objects: $objects) { affected_rows } }`, json.RawMessage(vars)); strings.Contains(string(out), "errors") {
				t.Fatalf("%s", out)
			}
		}
		query := `{ book(where: {title: {_eq: "t1"}, pages: {_gt: 5}}, limit: 3) { id } }`
		got, raw := s.explain(t, "admin", query)
		if len(got.Extensions.Explain) != 1 || len(got.Extensions.Explain[0].Advice) != 1 {
			t.Fatal(raw)
		}
		advice := got.Extensions.Explain[0].Advice[0]
		if want := `mutation { add_index(table: "book", name: "by_title_pages", columns: [{column: "title"}, {column: "pages"}]) { version } }`; advice.Apply != want {
			t.Errorf("got %s, want %s", advice.Apply, want)
		}
		if out := s.send(t, "admin", advice.Apply, nil); strings.Contains(string(out), "errors") {
			t.Fatalf("%s", out)
		}
		got, raw = s.explain(t, "admin", query)
		if len(got.Extensions.Explain) != 1 || len(got.Extensions.Explain[0].Advice) != 0 || !strings.Contains(strings.Join(got.Extensions.Explain[0].Plan, "\n"), "book") {
			t.Error(raw)
		}
	})
}

// TestSlowQueries calls everything slow that takes a nanosecond.
func TestSlowQueries(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		c.Slow = 1
		s := newScenario(t, c)
		applyExample(t, s)
		s.send(t, "admin", `mutation { put_role(name: "reader", grants: [{table: "book", privileges: ["read"]}]) { role } }`, nil)
		s.send(t, "admin", `mutation { put_role(name: "tuner", actions: ["explain_queries"]) { role } }`, nil)
		s.sure(t, "ann", []string{"reader"})
		s.sure(t, "tim", []string{"tuner"})
		s.send(t, "tim", `mutation { forget_slow_queries { forgotten } }`, nil)
		for _, title := range []string{"a-secret-of-ann", "another-secret", "third-secret"} {
			s.send(t, "ann", `query Mine($title: String!) { book(where: {title: {_eq: $title}}) { title _cursor } }`, json.RawMessage(`{"title":"`+title+`"}`))
			s.send(t, "ann", `query Other { book(where: {title: {_eq: "`+title+`"}}) { title } }`, nil)
		}
		s.send(t, "admin", `mutation Add { insert_book_one(object: {title: "a-secret-of-ann"}) { id } }`, nil)
		if out := s.send(t, "ann", `mutation { slow_queries { threshold } }`, nil); !strings.Contains(string(out), "permission-error") {
			t.Errorf("%s", out)
		}
		raw := s.send(t, "tim", `mutation { slow_queries { threshold queries { operation field statement roles count p50 p95 worst } } }`, nil)
		if strings.Contains(string(raw), "secret") {
			t.Errorf("a value is in the log: %s", raw)
		}
		var answer struct {
			Data struct {
				Slow slowQueries `json:"slow_queries"`
			}
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatal(err)
		}
		found := map[string]int64{}
		for _, q := range answer.Data.Slow.Queries {
			found[q.Operation+" "+q.Field] = q.Count
			if q.P50 > q.P95 || q.P95 > q.Worst || q.Field == "book" && (!strings.Contains(q.Statement, "SELECT") || strings.Join(q.Roles, ",") != "reader") {
				t.Errorf("%+v", q)
			}
		}
		if found["Mine book"] != 3 || found["Other book"] != 3 || found["Add insert_book_one"] != 1 {
			t.Errorf("%v: %s", found, raw)
		}
		t.Setenv("COLONNADE_URL", strings.TrimSuffix(s.url, "/graphql"))
		t.Setenv("COLONNADE_KEY", s.keys["tim"])
		var out strings.Builder
		if err := run(t.Context(), []string{"slow", "--sql"}, &out); err != nil || !strings.Contains(out.String(), "Mine") || !strings.Contains(out.String(), "SELECT") {
			t.Errorf("%v: %s", err, &out)
		}
	})
}
