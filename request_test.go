package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/core/egress"
	"colonnade/core/secret"
)

// elsewhere is a server that is called, and what it was asked.
type elsewhere struct {
	*httptest.Server

	mu     sync.Mutex
	asked  []string
	tokens int
}

const apiSecret = `s3cret/"token"+of<the>shop`

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Back", r.Header.Get("Authorization"))
		_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.URL.RequestURI(), "body": string(body), "type": r.Header.Get("Content-Type"), "authorization": r.Header.Get("Authorization"),
			"agent": r.Header.Get("User-Agent"), "key": r.Header.Get("Idempotency-Key"), "own": r.Header.Get("X-Own"), "api": r.Header.Get("X-Api")})
	})
	mux.HandleFunc("/status/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.PathValue("n"), &n)
		w.Header().Set("Location", "/echo/moved")
		w.WriteHeader(n)
		_, _ = io.WriteString(w, "why it is so, "+r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	mux.HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "just text") })
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0, 1}) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 5<<20)) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/signed", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var at int64
		_, _ = fmt.Sscan(r.Header.Get("Webhook-Timestamp"), &at)
		_, _ = fmt.Fprint(w, r.Header.Get("Webhook-Signature") == egress.Sign(pluginKey, r.Header.Get("Webhook-Id"), at, body))
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if password, _ = url.QueryUnescape(password); user != "colonnade" || password != "client secret" { // RFC 6749, 2.3.1
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error": "invalid_client", "error_description": "`+password+`"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "token-%d-of-the-crm", "token_type": "bearer", "expires_in": 3600}`, e.given())
	})
	mux.HandleFunc("/crm", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d-of-the-crm", e.last()) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		e.asked = append(e.asked, r.Header.Get("Idempotency-Key")+" "+string(body))
		if len(e.asked) < 3 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"number": 7, "tags": ["a"]}`)
	})
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

func (e *elsewhere) given() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tokens++
	return e.tokens
}

func (e *elsewhere) last() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tokens
}

func (e *elsewhere) port() string { return e.URL[strings.LastIndexByte(e.URL, ':')+1:] }

// newRequests starts a program that may call the server, and nothing else of this machine.
func newRequests(t *testing.T, c *config, servers ...*elsewhere) *scenario {
	t.Helper()
	var ports []string
	for _, e := range servers {
		ports = append(ports, e.port())
	}
	c.Private, c.Ports, c.SecretsKey = "127.0.0.1/32", strings.Join(ports, ","), filepath.Join(t.TempDir(), "keys")
	if _, err := secret.AddKey(c.SecretsKey); err != nil {
		t.Fatal(err)
	}
	s := newScenario(t, c)
	s.must(t, "admin", `mutation {
		asker: put_role(name: "asker", actions: ["call_servers"]) { role }
		shop: put_role(name: "shop", actions: ["call_servers"]) { role }
		other: put_role(name: "other") { role }
	}`)
	for _, user := range []string{"asker", "shop", "other"} {
		s.sure(t, user, []string{user})
	}
	return s
}

const ask = `mutation($url: String!, $path: [String!], $query: jsonb, $method: String, $headers: jsonb, $body: jsonb, $form: jsonb, $credential: String, $any: Boolean, $seconds: bigint) {
	http_request(url: $url, path: $path, query: $query, method: $method, headers: $headers, body: $body, form: $form, credential: $credential, any_status: $any, seconds: $seconds) { status headers body body64 } }`

const putCredential = `mutation($name: String!, $kind: String!, $hosts: [String!]!, $roles: [String!], $header: String, $token_url: String, $client_id: String, $value: String!) {
	put_credential(name: $name, kind: $kind, hosts: $hosts, roles: $roles, header: $header, token_url: $token_url, client_id: $client_id, value: $value) { name } }`

func (s *scenario) credential(t *testing.T, name, kind, value string, more map[string]any) {
	t.Helper()
	vars := map[string]any{"name": name, "kind": kind, "hosts": []string{"127.0.0.1"}, "value": value}
	for k, v := range more {
		vars[k] = v
	}
	if a := s.ask(t, "admin", putCredential, vars); len(a.Errors) > 0 {
		t.Fatal(a.Errors)
	}
}

// What is asked for is what is sent, and what a server sends is what is returned.
func TestRequests(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		e := newElsewhere(t)
		s := newRequests(t, c, e)
		type vars = map[string]any
		for _, x := range []struct {
			in    vars
			wants []string // in the answer; the first in the error, where none is expected
			fails bool
		}{
			{vars{"url": e.URL + "/echo/"}, []string{`"method":"GET"`, `"uri":"/echo/"`, `"agent":"Colonnade"`, `"key":""`, `"status":200`}, false},
			{vars{"url": e.URL + "/echo/a%20b?x=1", "path": []string{"../up", "50% & more?", "é#"}, "query": vars{"tag": []any{"a&b", 2}, "none": nil, "yes": true}},
				[]string{`"uri":"/echo/a%20b/..%2Fup/50%25%20&%20more%3F/%C3%A9%23?x=1&tag=a%26b&tag=2&yes=true"`}, false},
			{vars{"url": e.URL + "/echo/", "method": "post", "body": vars{"b": 1, "a": []any{nil}}, "headers": vars{"X-Own": "yes"}}, []string{`"body":"{\"a\":[null],\"b\":1}"`, `"type":"application/json"`, `"own":"yes"`}, false},
			{vars{"url": e.URL + "/echo/", "method": "PUT", "body": "a text", "headers": vars{"content-type": "text/csv", "Idempotency-Key": "mine"}}, []string{`"body":"a text"`, `"type":"text/csv"`, `"key":"mine"`}, false},
			{vars{"url": e.URL + "/echo/", "method": "PATCH", "form": vars{"a": "1 2", "b": []any{true}}}, []string{`"body":"a=1+2&b=true"`, `"type":"application/x-www-form-urlencoded"`}, false},
			{vars{"url": e.URL + "/echo/", "method": "HEAD"}, []string{`"body":null`, `"status":200`}, false},
			{vars{"url": e.URL + "/plain"}, []string{`"body":"just text"`}, false},
			{vars{"url": e.URL + "/bytes"}, []string{`"body":null`, `"body64":"/wAB"`}, false},
			{vars{"url": e.URL + "/status/302"}, []string{`"uri":"/echo/moved"`}, false},
			{vars{"url": e.URL + "/status/422", "any": true}, []string{`"status":422`, `why it is so`}, false},
			{vars{"url": e.URL + "/status/302", "method": "POST", "any": true}, []string{`"status":302`}, false},

			{vars{"url": e.URL + "/status/422"}, []string{"127.0.0.1:" + e.port() + " answered GET /status/422 with the status 422: why it is so"}, true},
			{vars{"url": e.URL + "/status/503"}, []string{"with the status 503"}, true},
			{vars{"url": e.URL + "/status/302", "method": "POST"}, []string{"sends on to /echo/moved: call that address"}, true},
			{vars{"url": e.URL + "/long"}, []string{"the answer is longer than"}, true},
			{vars{"url": e.URL + "/slow", "seconds": 1}, []string{"did not answer in time"}, true},
			{vars{"url": e.URL + "/echo/", "path": []string{"a", ".."}}, []string{`part 2 is ".."`}, true},
			{vars{"url": e.URL + "/echo/", "method": "TRACE"}, []string{"the method is one of GET, HEAD"}, true},
			{vars{"url": e.URL + "/echo/", "body": vars{}}, []string{"a request with a body is a POST"}, true},
			{vars{"url": e.URL + "/echo/", "method": "POST", "body": 1, "form": vars{}}, []string{"give body or form"}, true},
			{vars{"url": e.URL + "/echo/", "query": []any{1}}, []string{"give an object such as"}, true},
			{vars{"url": e.URL + "/echo/", "query": vars{"a": vars{}}}, []string{"a is neither a text"}, true},
			{vars{"url": e.URL + "/echo/", "headers": vars{"authorization": "Bearer x"}}, []string{"keep it with put_credential"}, true},
			{vars{"url": e.URL + "/echo/", "headers": vars{"host": "x"}}, []string{"belongs to the connection"}, true},
			{vars{"url": e.URL + "/echo/", "headers": vars{"X": "a\r\nY: b"}}, []string{"is no header"}, true},
			{vars{"url": e.URL + "/echo/", "headers": vars{"X y": "a"}}, []string{"is no header"}, true},
			{vars{"url": e.URL + "/echo/", "seconds": 121}, []string{"1 to 120 seconds"}, true},
			{vars{"url": "http://169.254.169.254:" + e.port() + "/latest"}, []string{"not of the public Internet"}, true},
			{vars{"url": "http://user:pass@127.0.0.1:" + e.port()}, []string{"must not hold a user or a password"}, true},
			{vars{"url": "file:///etc/passwd"}, []string{"must begin with https://"}, true},
			{vars{"url": "http://127.0.0.1:1/"}, []string{"port 1 may not be called"}, true},
		} {
			a := s.ask(t, "asker", ask, x.in)
			if x.fails {
				refusedWith(t, a, x.wants[0])
				continue
			}
			for _, want := range x.wants {
				if len(a.Errors) > 0 || !strings.Contains(strings.ReplaceAll(string(a.Data["http_request"]), `\u0026`, "&"), want) {
					t.Errorf("%v: %v, %s, and not %s", x.in, a.Errors, a.Data["http_request"], want)
				}
			}
		}
		refusedWith(t, s.ask(t, "other", ask, vars{"url": e.URL + "/echo/"}), "right to call servers")
	})
}

// A credential goes to its hosts for those who may use it, and is told to nobody, also not by the server that it was sent to.
func TestCredentials(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		e, away := newElsewhere(t), newElsewhere(t)
		s := newRequests(t, c, e, away)
		type vars = map[string]any
		s.credential(t, "shop", "bearer", "first secret", nil)
		s.credential(t, "shop", "bearer", apiSecret, vars{"roles": []string{"shop"}})
		s.credential(t, "user", "basic", "ann:"+apiSecret, nil)
		s.credential(t, "key", "header", apiSecret, vars{"header": "X-Api"})
		s.credential(t, "signs", "signature", pluginKey, nil)
		s.credential(t, "crm", "oauth2", "client secret", vars{"token_url": e.URL + "/token", "client_id": "colonnade"})
		s.credential(t, "stale", "oauth2", "another secret", vars{"token_url": e.URL + "/token", "client_id": "colonnade"})
		s.credential(t, "far", "bearer", apiSecret, vars{"hosts": []string{"API.example.com."}})

		for name, want := range map[string]string{"shop": `"authorization":"Bearer ***"`, "user": `"authorization":"Basic ***"`, "key": `"api":"***"`} {
			got := s.ask(t, "shop", ask, vars{"url": e.URL + "/echo/", "credential": name})
			if len(got.Errors) > 0 || !strings.Contains(string(got.Data["http_request"]), want) || strings.Contains(string(got.Data["http_request"]), "s3cret") {
				t.Errorf("%s: %v %s", name, got.Errors, got.Data)
			}
		}
		got := s.ask(t, "shop", ask, vars{"url": e.URL + "/status/400", "credential": "shop"})
		refusedWith(t, got, "why it is so, Bearer ***")
		got = s.ask(t, "asker", ask, vars{"url": e.URL + "/signed", "method": "POST", "body": vars{"a": 1}, "credential": "signs"})
		if !strings.Contains(string(got.Data["http_request"]), `"body":"true"`) {
			t.Errorf("%v %s", got.Errors, got.Data)
		}

		got = s.ask(t, "asker", ask, vars{"url": e.URL + "/away", "query": vars{"to": away.URL + "/echo/"}, "credential": "key"})
		if !strings.Contains(string(got.Data["http_request"]), `"api":""`) {
			t.Errorf("%v %s", got.Errors, got.Data)
		}

		// a token is asked for once, and again when it is good no longer
		for i, want := range []int{1, 1, 3} {
			if i == 2 {
				e.given()
			}
			got := s.ask(t, "asker", ask, vars{"url": e.URL + "/crm", "credential": "crm"})
			if len(got.Errors) > 0 || e.last() != want {
				t.Errorf("%d: %v, %d tokens", i, got.Errors, e.last())
			}
		}
		got = s.ask(t, "asker", ask, vars{"url": e.URL + "/crm", "credential": "stale"})
		refusedWith(t, got, "127.0.0.1 gives no token for the credential stale: status 401: invalid_client")
		if strings.Contains(fmt.Sprint(got.Errors), "another secret") {
			t.Error(got.Errors)
		}

		refusedWith(t, s.ask(t, "asker", ask, vars{"url": e.URL + "/echo/", "credential": "shop"}), `no credential "shop" that you may use`)
		refusedWith(t, s.ask(t, "asker", ask, vars{"url": e.URL + "/echo/", "credential": "nope"}), `no credential "nope" that you may use`)
		refusedWith(t, s.ask(t, "asker", ask, vars{"url": e.URL + "/echo/", "credential": "far"}), "the credential far is for api.example.com, and is not sent to 127.0.0.1")
		refusedWith(t, s.ask(t, "asker", ask, vars{"url": "http://api.example.com:" + e.port() + "/", "credential": "far"}), "https:// only")

		refusedWith(t, s.ask(t, "asker", `mutation { list_credentials { credentials { name } } }`, nil), "right to manage credentials")
		list := string(s.must(t, "admin", `mutation { list_credentials { credentials { name kind hosts roles header token_url client_id scopes changed_by changed_at } } }`))
		if strings.Contains(list, "s3cret") || !strings.Contains(list, `"roles":["shop"]`) || !strings.Contains(list, `"hosts":["api.example.com"]`) {
			t.Error(list)
		}
		log := string(s.must(t, "admin", `mutation { read_access_log(kind: "credential") { entries { data } } }`))
		if strings.Count(log, "put_credential") != 8 || strings.Contains(log, "s3cret") {
			t.Error(log)
		}
		for _, x := range []struct {
			more vars
			want string
		}{
			{vars{"hosts": []string{}}, "name the hosts"}, {vars{"hosts": []string{"*.example.com"}}, "is no host"}, {vars{"hosts": []string{"a/b"}}, "is no host"}, {vars{"hosts": []string{"a:1"}}, "is no host"},
			{vars{"kind": "digest"}, "the kind is one of bearer"}, {vars{"kind": "header"}, "names the header"}, {vars{"kind": "header", "header": "Host"}, "is no header"}, {vars{"header": "X"}, "and no other"},
			{vars{"value": "short"}, "a secret has 8"}, {vars{"value": "two\nlines here"}, "one line"}, {vars{"kind": "basic"}, "USER:PASSWORD"}, {vars{"kind": "signature"}, "at least 24"},
			{vars{"roles": []string{"nobody"}}, "nobody"}, {vars{"client_id": "x"}, "for credentials of the kind oauth2"}, {vars{"kind": "oauth2"}, "name the client"}, {vars{"name": "A b"}, "name"},
			{vars{"kind": "oauth2", "client_id": "x", "token_url": "http://login.example.com:" + e.port()}, "https://"},
		} {
			vars := vars{"name": "x", "kind": "bearer", "hosts": []string{"127.0.0.1"}, "value": "a long secret"}
			for k, v := range x.more {
				vars[k] = v
			}
			refusedWith(t, s.ask(t, "admin", putCredential, vars), x.want)
		}
		s.must(t, "admin", `mutation { delete_credential(name: "key") { name } }`)
		refusedWith(t, s.ask(t, "admin", `mutation { delete_credential(name: "key") { name } }`, nil), "there is no credential")
		refusedWith(t, s.ask(t, "admin", ask, vars{"url": e.URL + "/echo/", "credential": "key"}), "that you may use")
	})
}

// A step asks again while a server is busy, and what it writes there is the same each time. Data classes say where values may go.
func TestRequestsInFlows(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		e := newElsewhere(t)
		s := newRequests(t, c, e)
		s.must(t, "admin", `mutation {
			here: put_data_class(name: "here", egress: "hosts", hosts: ["127.0.0.1"]) { version }
			never: put_data_class(name: "never", egress: "none") { version }
			create_table(name: "sale", columns: [{name: "number", kind: "text"}, {name: "place", kind: "text", classes: ["here"]}, {name: "person", kind: "text", classes: ["never"]}]) { version }
		}`)
		flow := func(url, value string) answer {
			text := "name: tell\nretry: {attempts: 5, backoff: 10ms}\ntrigger: {event: {table: sale, on: [create]}}\nsteps:\n  - id: told\n    action: http_request\n    with: {url: " + url + ", method: POST, body: {value: " + value + "}}\n" +
				"  - set: {answer: =steps.told.body.number}\n"
			return s.ask(t, "admin", `mutation($text: String!) { put_flow(definition: $text) { name } }`, map[string]any{"text": text})
		}
		refusedWith(t, flow(e.URL+"/busy", "=trigger.record.person"), "the data class never, whose values go to no server")
		refusedWith(t, flow("https://api.example.com/", "=trigger.record.place"), "sends them to api.example.com")
		refusedWith(t, flow("='"+e.URL+"/' + trigger.record.number", "=trigger.record.place"), "sends them to any server")
		for columns, want := range map[string]string{"": "the data class", ", columns: [number, person]": "the data class never", ", columns: [number]": ""} {
			text := "name: reads\ntrigger: {manual: {}}\nsteps:\n  - id: found\n    action: read_records\n    with: {table: sale" + columns + "}\n" +
				"  - action: http_request\n    with: {url: 'https://api.example.com/', method: POST, body: {all: =steps.found.records}}\n"
			a := s.ask(t, "admin", `mutation($text: String!) { put_flow(definition: $text) { name } }`, map[string]any{"text": text})
			if want != "" {
				refusedWith(t, a, want)
			} else if len(a.Errors) > 0 {
				t.Error(a.Errors)
			}
		}
		if a := flow(e.URL+"/busy", "=trigger.record.place"); len(a.Errors) > 0 {
			t.Fatal(a.Errors)
		}
		s.must(t, "admin", `mutation { insert_sale(objects: [{number: "1", place: "Rome"}]) { affected_rows } }`)
		const ran = `{ _flow_run { status output error } }`
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
			if err := s.app.flows.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := string(s.must(t, "admin", ran)); strings.Contains(got, "succeeded") {
				break
			}
		}
		if got := string(s.must(t, "admin", ran)); got != `{"_flow_run":[{"status":"succeeded","output":{"answer":7},"error":null}]}` {
			t.Error(got)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if slices.Sort(e.asked); len(e.asked) != 3 || e.asked[0] != e.asked[2] || !strings.HasSuffix(e.asked[0], ` {"value":"Rome"}`) || strings.HasPrefix(e.asked[0], " ") {
			t.Errorf("%q", e.asked)
		}
	})
}
