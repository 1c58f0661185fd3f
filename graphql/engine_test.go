package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	vcore "github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func TestKinds(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{}, testActions()...)
	ctx := w.as(t, t.Context(), "root")
	for _, c := range []struct {
		request  Request
		readOnly bool
		want     Kind
		body     string // a part of it
	}{
		{Request{Query: "{__typename}"}, false, OK, `{"data":{"__typename":"query_root"}}`},
		{Request{Query: "{__typename}"}, true, OK, `{"data":{"__typename":"query_root"}}`},
		{Request{Query: "mutation{__typename}"}, false, OK, `{"data":{"__typename":"mutation_root"}}`},
		{Request{Query: "mutation{__typename}"}, true, NotAllowed, "use POST"},
		{Request{Query: "query A{__typename} mutation B{__typename}", OperationName: "A"}, true, OK, ""},
		{Request{Query: "query A{__typename} mutation B{__typename}", OperationName: "B"}, true, NotAllowed, ""},
		{Request{Query: "query A{__typename} query B{__typename}"}, false, RequestError, "operationName"},
		{Request{Query: "query A{__typename} query B{__typename}", OperationName: "C"}, false, RequestError, `\"C\"`},
		{Request{Query: "fragment A on account{id}"}, false, RequestError, "no operation"},
		{Request{Query: "{"}, false, RequestError, "parse-failed"},
		{Request{Query: "{nothing}"}, false, RequestError, "validation-failed"},
		{Request{Query: "subscription{account{id}}"}, false, RequestError, "validation-failed"},
		{Request{Query: "{__typename @defer}"}, false, RequestError, "validation-failed"},
		{Request{Query: "{a:__typename a:account{id}}"}, false, RequestError, "conflict"},
		{Request{Query: "query($a:Int!){account(limit:$a){id}}"}, false, RequestError, "$a"},
		{Request{Query: "query($a:Int){account(limit:$a){id}}", Variables: json.RawMessage(`{"a":"1"}`)}, false, RequestError, "$a"},
		{Request{Query: "{__typename}", Variables: json.RawMessage(`[1]`)}, false, RequestError, "not an object"},
		{Request{Query: "{account(limit:1001){id}}"}, false, PartialError, `{"data":null,"errors":[{`},
		{Request{Query: "mutation{explode{ok}}"}, false, PartialError, `{"data":null,"errors":[{`},
	} {
		res := w.Do(ctx, c.request, c.readOnly)
		hasData := strings.HasPrefix(string(res.Body), `{"data":`)
		if res.Kind != c.want || !strings.Contains(string(res.Body), c.body) || !json.Valid(res.Body) || hasData != (c.want == OK || c.want == PartialError) {
			t.Errorf("%+v: kind %d, %s", c.request, res.Kind, res.Body)
		}
	}
}

func TestInternalErrorsStayInside(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{RequestID: func(context.Context) string { return "request-7" }}, testActions()...)
	for _, query := range []string{"mutation{explode{ok}}", "mutation{panics{ok}}"} {
		w.log.Reset()
		body := string(w.do(t, "root", query, "").Body)
		if !strings.Contains(body, `"message":"internal error"`) || !strings.Contains(body, `"code":"unexpected","kind":"INTERNAL"`) || !strings.Contains(body, `"request_id":"request-7"`) || strings.Contains(body, "hunter2") {
			t.Errorf("%s: %s", query, body)
		}
		if log := w.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, "request-7") || !strings.Contains(log, "level=ERROR") {
			t.Errorf("the log of %s: %s", query, log)
		}
	}
	w.o.Dev = true
	if body := string(w.do(t, "root", "mutation{explode{ok}}", "").Body); !strings.Contains(body, "hunter2") {
		t.Errorf("in development: %s", body)
	}
}

func TestErrorMapping(t *testing.T) {
	e := newWorld(t, dbtest.SQLite(t), Options{RequestID: func(context.Context) string { return "r" }}).Engine
	for _, c := range []struct {
		err  error
		want string
	}{
		{core.E("a", core.At{Table: "t"}, core.E("b", core.Failed, core.At{Rule: "r", Item: 2}, "no refunds")),
			`{"message":"t, rule \"r\", item 2: no refunds","extensions":{"code":"validation-failed","kind":"RULE_FAILED","table":"t","rule":"r","item":2}}`},
		{core.E("a", core.Exists, core.At{Table: "t", Column: "c"}, "taken"), `{"message":"t.c: taken","extensions":{"code":"constraint-violation","kind":"EXISTS","table":"t","column":"c"}}`},
		{core.E("a", core.Denied, "no"), `{"message":"no","extensions":{"code":"permission-error","kind":"DENIED"}}`},
		{core.E("a", core.NotFound, "none"), `{"message":"none","extensions":{"code":"not-found","kind":"NOT_FOUND"}}`},
		{core.E("a", core.Conflict, "moved"), `{"message":"moved","extensions":{"code":"conflict","kind":"CONFLICT"}}`},
		{core.E("a", core.Invalid, core.At{Line: 3, Pos: 4}, "bad"), `{"message":"line 3:4: bad","extensions":{"code":"data-exception","kind":"INVALID","line":3,"character":4}}`},
		{core.E("a", context.DeadlineExceeded), `{"message":"the request took too long and was stopped","extensions":{"code":"unavailable","kind":"UNAVAILABLE"}}`},
		{core.E("a", core.At{Table: "secret"}, errors.New("pq: password")), `{"message":"internal error","extensions":{"code":"unexpected","kind":"INTERNAL","request_id":"r"}}`},
		{errors.New("pq: password"), `{"message":"internal error","extensions":{"code":"unexpected","kind":"INTERNAL","request_id":"r"}}`},
		{fmt.Errorf("wrapped: %w", core.E("a", core.Limit, "too many <b>")), `{"message":"too many <b>","extensions":{"code":"limit-exceeded","kind":"LIMIT"}}`},
	} {
		got := string(appendErrors(nil, []wireError{e.executionError(t.Context(), nil, c.err)}))
		if got != `"errors":[`+c.want+`]` {
			t.Errorf("%v:\n%s\nwant\n%s", c.err, got, c.want)
		}
	}
	for _, k := range []core.ErrKind{core.Invalid, core.Failed, core.NotFound, core.Denied, core.Unknown, core.Exists, core.Conflict, core.Limit, core.Full, core.Unavailable, core.Internal} {
		if codes[k] == "" {
			t.Errorf("%s has no code", k)
		}
	}
}

// Answers of more records than a page, in the order of the input.
func TestReturningManyRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newShop(t, d, Options{})
		const n = 2500
		objects := make([]map[string]any, n)
		ids := make([]core.ID, n)
		for i := range objects {
			ids[i] = core.NewID()
		}
		slices.Reverse(ids[1100:])
		for i := range objects {
			objects[i] = map[string]any{"id": ids[i], "name": fmt.Sprintf(`name "%d" ]},{[ \`, i)}
		}
		raw, err := json.Marshal(map[string]any{"o": objects})
		if err != nil {
			t.Fatal(err)
		}
		body := w.must(t, "root", `mutation($o:[account_insert_input!]!){insert_account(objects:$o){affected_rows returning{id name}}}`, string(raw))
		var out struct {
			Data struct {
				Insert struct {
					Affected  int `json:"affected_rows"`
					Returning []struct{ ID core.ID }
				} `json:"insert_account"`
			}
		}
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Data.Insert.Returning) != n || out.Data.Insert.Affected != n {
			t.Fatalf("%d of %d", len(out.Data.Insert.Returning), n)
		}
		for i, r := range out.Data.Insert.Returning {
			if r.ID != ids[i] {
				t.Fatalf("record %d is %s, not %s", i, r.ID, ids[i])
			}
		}
	})
}

// Readers and writers go on while the schema changes under them.
func TestSchemaChangesMeanwhile(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newShop(t, d, Options{})
		ctx := w.as(t, t.Context(), "root")
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for i := range 3 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					query := fmt.Sprintf(`mutation{insert_account_one(object:{name:"%d-%d"}){name contacts{id}}}`, i, n)
					if i == 0 {
						query = `{account(limit:3){name} __type(name:"account"){fields{name}}}`
					}
					if res := w.Do(ctx, Request{Query: query}, false); res.Kind != OK && !strings.Contains(string(res.Body), `"code":"conflict"`) {
						t.Errorf("%s: %s", query, res.Body)
						return
					}
				}
			})
		}
		for i := range 8 {
			query := fmt.Sprintf(`mutation{add_column(table:"account",name:"c%d",kind:"integer"){version}}`, i)
			for try := 0; ; try++ {
				res := w.Do(ctx, Request{Query: query}, false)
				if res.Kind == OK {
					break
				}
				if !strings.Contains(string(res.Body), `"code":"conflict"`) || try == 20 {
					t.Errorf("%s: %s", query, res.Body)
					break
				}
			}
		}
		close(stop)
		wg.Wait()
		w.must(t, "root", `{account(limit:1){c0 c7}}`, "")
	})
}

func TestTimeout(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{})
	w.o.Timeout = time.Nanosecond
	if res := w.do(t, "root", "{account{id}}", ""); !strings.Contains(string(res.Body), `"code":"unavailable"`) {
		t.Errorf("%s", res.Body)
	}
}

func TestCache(t *testing.T) {
	c := newCache[string, int](100)
	for i := range 20 {
		c.put(fmt.Sprintf("%02d", i), i, 10)
		c.get("00")
	}
	if _, ok := c.get("00"); !ok {
		t.Error("what was used last is gone")
	}
	if _, ok := c.get("01"); ok || c.weight > 100 || len(c.entries) != 10 || c.order.Len() != 10 {
		t.Errorf("weight %d, %d entries", c.weight, len(c.entries))
	}
	c.put("huge", 1, 101)
	if _, ok := c.get("huge"); ok {
		t.Error("what is too large was kept")
	}
	c.put("19", 7, 20)
	if v, _ := c.get("19"); v != 7 || c.weight > 100 || len(c.entries) != 9 || c.order.Len() != 9 {
		t.Errorf("what is there was not replaced: weight %d, %d entries", c.weight, len(c.entries))
	}
}

// The library's rule on fields that can be merged compares every two fields, ours each with the first of its key. They
// must agree.
func TestMergeable(t *testing.T) {
	w := newShop(t, dbtest.SQLite(t), Options{})
	a := w.api(w.store.Snapshot())
	parts := []string{
		"name", "a: name", "a: country", "name: country", "contacts { name }", "contacts { name: email }", "contacts(limit: 1) { name }", "contacts(limit: 2) { email }",
		"contacts(where: {name: {_eq: \"x\"}, email: {_eq: \"y\"}}) { id }", "contacts(where: {email: {_eq: \"y\"}, name: {_eq: \"x\"}}) { id }",
		"... { name }", "... on account { a: name }", "...F", "...G", "contacts { account { name } }", "contacts { account { name: country } }", "contacts { ...H }",
	}
	agree, conflicts := 0, 0
	for i := range parts {
		for j := range parts {
			for k := range parts {
				text := "{ account { " + parts[i] + " " + parts[j] + " " + parts[k] + " } account { ...F ...G contacts { ...H } } }" +
					" fragment F on account { name contacts { id } } fragment G on account { name } fragment H on contact { name }"
				doc, err := parser.ParseQuery(&ast.Source{Input: text})
				if err != nil {
					t.Fatal(err)
				}
				theirs := a.run(doc, []vcore.Rule{rules.OverlappingFieldsCanBeMergedRule})
				ours := mergeable(doc)
				if (len(theirs) > 0) != (len(ours) > 0) {
					t.Fatalf("%s: theirs %v, ours %v", text, theirs, ours)
				}
				agree++
				conflicts += min(1, len(ours))
			}
		}
	}
	t.Logf("%d documents, %d of them in conflict", agree, conflicts)
}
