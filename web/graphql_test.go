package web

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/graphql"
)

const responseJSON = "application/graphql-response+json"

func TestGraphQL(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	for _, c := range []struct {
		name, body   string
		plain, media int // the status with either form of the answer
		words        string
	}{
		{"fine", `{"query":"{__typename}"}`, 200, 200, `{"data":{"__typename":"query_root"}}`},
		{"every member", `{"query":"query A{__typename} query B($n:Boolean!){__typename @skip(if:$n)}","operationName":"B","variables":{"n":true},"extensions":{"a":[]},"other":1}`, 200, 200, `{"data":{}}`},
		{"null members", `{"query":"{__typename}","operationName":null,"variables":null,"extensions":null}`, 200, 200, "query_root"},
		{"the last counts", `{"query":1,"variables":7,"query":"{__typename}","variables":{}}`, 400, 400, "query must be"},
		{"the last of equals counts", `{"query":"{a}","query":"{__typename}"}`, 200, 200, "query_root"},
		{"text with escapes", `{"query":"{__typename} # \ud83d\ude00 \" \\ \/ \t\r\n"}`, 200, 200, "query_root"},
		{"half of a surrogate pair", `{"query":"{__typename} # \ud83d \ude00"}`, 400, 400, "query holds half of a surrogate pair"},
		{"names with escapes", `{"\u0071uery":"{\u005f_typename}"}`, 200, 200, "query_root"},
		{"names are exact", `{"Query":"{__typename}"}`, 400, 400, "query is missing"},
		{"mutation", `{"query":"mutation{__typename}"}`, 200, 200, "mutation_root"},
		{"syntax", `{"query":"{"}`, 200, 400, "errors"},
		{"unknown field", `{"query":"{nothing_like_it}"}`, 200, 400, "errors"},
		{"variable", `{"query":"query($a:Int!){__typename}","variables":{"a":"x"}}`, 200, 400, "errors"},
		{"no body", ` `, 400, 400, "JSON object"},
		{"cut off", `{"query":"{__typename}"`, 400, 400, "ends too early"},
		{"text behind", `{"query":"{__typename}"} x`, 400, 400, "byte 26"},
		{"array of operations", `[{"query":"{__typename}"}]`, 400, 400, "one operation"},
		{"missing", `{}`, 400, 400, "query is missing"},
		{"null", `{"query":null}`, 400, 400, "query is missing"},
		{"number", `{"query":0}`, 400, 400, "query must be a string"},
		{"operation name", `{"query":"{__typename}","operationName":{}}`, 400, 400, "operationName must be a string"},
		{"variables", `{"query":"{__typename}","variables":"{}"}`, 400, 400, "variables must be an object"},
		{"extensions", `{"query":"{__typename}","extensions":[]}`, 400, 400, "extensions must be an object"},
		{"not UTF-8", "{\"query\":\"\xff\"}", 400, 400, "UTF-8"},
		{"nested", `{"query":"{__typename}","variables":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400, 400, "nests deeper"},
		{"nested and open", strings.Repeat(`{"a":`, 100_000), 400, 400, "nests deeper"},
	} {
		for media, status := range map[string]int{"application/json": c.plain, responseJSON: c.media} {
			begin := time.Now()
			a := w.send(request{path: "/graphql", body: c.body, header: map[string]string{"Content-Type": "application/json", "Accept": media, "Sec-Fetch-Site": "same-origin"}})
			if a.status != status || !strings.Contains(a.text, c.words) || a.header.Get("Content-Type") != media+"; charset=utf-8" {
				t.Errorf("%s: %d %s %s", c.name, a.status, a.header.Get("Content-Type"), a.text)
			}
			if !json.Valid([]byte(a.text)) || status == 400 && strings.Contains(a.text, `"data"`) {
				t.Errorf("%s: %s", c.name, a.text)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("%s took %s", c.name, took)
			}
		}
	}
}

func TestGraphQLByGET(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	for _, c := range []struct {
		query  url.Values
		status int
		words  string
	}{
		{url.Values{"query": {"{__typename}"}}, 200, "query_root"},
		{url.Values{"query": {"query A{__typename} query B($n:Boolean!){__typename @skip(if:$n)}"}, "operationName": {"B"}, "variables": {`{"n":true}`}}, 200, `{"data":{}}`},
		{url.Values{"query": {"{__typename}"}, "variables": {""}, "extensions": {"null"}}, 200, "query_root"},
		{url.Values{"query": {"mutation{__typename}"}}, 405, "errors"},
		{url.Values{"query": {"query A{__typename} mutation B{__typename}"}, "operationName": {"B"}}, 405, "errors"},
		{url.Values{}, 400, "query is missing"},
		{url.Values{"query": {"{__typename}"}, "variables": {"[]"}}, 400, "variables must be"},
		{url.Values{"query": {"{__typename}"}, "extensions": {"{"}}, 400, "extensions must be"},
		{url.Values{"query": {"{\xff}"}}, 400, "UTF-8"},
	} {
		a := w.send(request{path: "/graphql?" + c.query.Encode(), header: map[string]string{"Accept": responseJSON}}).want(c.status, c.words)
		if (a.status == 405) != (a.header.Get("Allow") == "POST") {
			t.Errorf("%v: Allow is %q", c.query, a.header.Get("Allow"))
		}
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]media{
		"":                           mediaJSON,
		"*/*":                        mediaJSON,
		"application/*":              mediaJSON,
		"application/json":           mediaJSON,
		"APPLICATION/JSON":           mediaJSON,
		responseJSON:                 mediaGraphQL,
		responseJSON + ", */*;q=0.1": mediaGraphQL,
		responseJSON + "; charset=utf-8, application/json; charset=utf-8": mediaGraphQL,
		"application/json, " + responseJSON:                               mediaJSON,
		"application/json;q=0.5, " + responseJSON:                         mediaGraphQL,
		responseJSON + ";q=0, application/json;q=0.1":                     mediaJSON,
		"text/html,application/xhtml+xml,*/*;q=0.8":                       mediaJSON,
		"text/html":                       "",
		"application/json;q=0":            "",
		"application/json;q=x":            "",
		responseJSON + "; charset=utf-16": "",
		",;,":                             "",
	} {
		if got, ok := negotiate(accept); got != want || ok != (want != "") {
			t.Errorf("negotiate(%q) = %q, %t", accept, got, ok)
		}
	}
	w := withAnn(t, Options{}, nil)
	w.send(request{path: "/graphql", json: query("{__typename}"), header: map[string]string{"Accept": "text/html"}}).want(406, "accept one")
}

// The engine gets what was sent, the caller and the deadline, and nothing that fasthttp uses again.
func TestEngineGets(t *testing.T) {
	t.Parallel()
	var got []graphql.Request
	var who core.Caller
	w := withAnn(t, Options{}, func(s *Server) {
		s.do = func(ctx context.Context, r graphql.Request, _ bool) graphql.Response {
			got, who = append(got, r), core.CallerFrom(ctx)
			if _, ok := ctx.Deadline(); !ok {
				t.Error("no deadline")
			}
			return graphql.Response{Body: []byte(`{"data":{}}`)}
		}
	})
	w.client.Transport = nil // one connection after another would hide what is used again
	for _, mark := range []string{"aaaa", "bbbb", "cccc"} {
		w.send(request{path: "/graphql", body: `{"query":"{` + mark + `}","operationName":"` + mark + `","variables": {"` + mark + `" : 1e3},"extensions":{"` + mark + `":1}}`,
			header: map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}}).want(200)
	}
	for i, mark := range []string{"aaaa", "bbbb", "cccc"} {
		r := got[i]
		if r.Query != "{"+mark+"}" || r.OperationName != mark || string(r.Variables) != `{"`+mark+`" : 1e3}` || string(r.Extensions) != `{"`+mark+`":1}` {
			t.Errorf("request %d: %q %q %s %s", i, r.Query, r.OperationName, r.Variables, r.Extensions)
		}
	}
	if who.Name != "Ann" || who.Cause.Kind != "api" || !who.HasRole("administrator") {
		t.Errorf("caller %+v", who)
	}
	who = core.Caller{}
	w.anonymous().send(request{path: "/graphql", json: query("{a}")}).want(200)
	if !who.Anonymous() || who.Cause.Kind != "api" {
		t.Errorf("caller %+v", who)
	}
}

// What encoding/json takes as an object, scanObject takes, and the other way round.
func FuzzScanObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : [ 1 , -0.5e+7 , true , false , null , "x" ] } `, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":.5}`, `{"a":1e}`, `{"a":"\ud83d\ude00\n"}`, `{"a":"\x"}`, `{"a":"\u12"}`,
		"{\"a\":\"\t\"}", `{"a"}`, `{"a":}`, `{,}`, `{"a":1,}`, `{"a":[1,]}`, `{"a":tru}`, `{"a":nulll}`, `{a:1}`, `{"a":1}}`, `[]`, `"a"`, ``, "\ufeff{}", `{"a":{"b":[{}]}}`, "{\"a\":\"\xff\"}", "{\x00}",
		`{"\ud83d\ude00 \ud83d \ude00\ud83d x \" \\ \/ \b\f\n\r\t \u00e9\u0000":1}`, `{"\ud83d\ud83d\ude00":1}`, `{"\ud83d\n":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := scanObject(text)
		var want map[string]json.RawMessage
		bad := json.Unmarshal(text, &want) != nil || want == nil
		if bad != (err != nil) {
			if err != nil && (strings.Contains(err.Error(), "nests") || strings.Contains(err.Error(), "UTF-8")) {
				return // stricter, as it should
			}
			t.Fatalf("%q: %v", text, err)
		}
		got := map[string]string{}
		for _, m := range members {
			got[m.name] = string(m.value)
		}
		for name, v := range want {
			if err == nil && got[name] != string(v) {
				t.Fatalf("%q: %q is %q, want %q", text, name, got[name], v)
			}
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
	for name, body := range map[string]string{
		"usual": `{"query":"query Q($id: uuid!) {\n  customer_by_pk(id: $id) { id name orders(limit: 10) { id total } }\n}\n","variables":{"id":"0192d3c8-7e2b-7c3a-9f00-000000000001"},"operationName":"Q"}`,
		"1 MB":  `{"query":"{a(b:\"` + strings.Repeat("a", 1_000_000) + `\")}"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := parseRequest([]byte(body)); err != nil && name == "usual" {
					b.Fatal(err)
				}
			}
		})
	}
}
