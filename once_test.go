package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestOnce has clients cut their connections at random moments and send each mutation again until it is answered, to all
// instances that serve the database. Nothing is done twice, and nothing is lost.
func TestOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		if out := s.send(t, "admin", `mutation { create_table(name: "note", columns: [{name: "n", kind: "integer"}]) { version } }`, nil); bytes.Contains(out, []byte("errors")) {
			t.Fatal(string(out))
		}
		hosts := []string{s.app.web.Addr()}
		if c.Database != "" { // another instance
			b, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.stop(context.WithoutCancel(t.Context())) })
			if err := b.start(t.Context(), "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			hosts = append(hosts, b.web.Addr())
		}
		const clients, each = 4, 25
		ids := make([][]string, clients)
		var wait sync.WaitGroup
		for i := range clients {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				for n := range each {
					ids[i] = append(ids[i], s.insist(t, random, hosts, i*each+n))
				}
			})
		}
		wait.Wait()
		var answer struct {
			Data struct {
				Note []struct {
					ID string
					N  int
				}
			}
		}
		out := s.send(t, "admin", `{ note(order_by: {n: asc}, limit: 1000) { id n } }`, nil)
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Data.Note) != clients*each {
			t.Fatalf("%d records, want %d: %s", len(answer.Data.Note), clients*each, out)
		}
		for i, note := range answer.Data.Note {
			if note.N != i || note.ID != ids[i/each][i%each] {
				t.Errorf("record %d is %v, and %s was answered", i, note, ids[i/each][i%each])
			}
		}
	})
}

// insist sends a mutation until it is answered, and returns the id that it answers.
func (s *scenario) insist(t *testing.T, random *rand.Rand, hosts []string, n int) string {
	body, err := json.Marshal(map[string]any{"query": fmt.Sprintf(`mutation { insert_note_one(object: {n: %d}) { id } }`, n)})
	if err != nil {
		t.Error(err)
	}
	request := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nIdempotency-Key: \"note-%d\"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		s.keys["admin"], n, len(body), body)
	for cuts := 0; ; cuts++ {
		c, err := net.Dial("tcp", hosts[random.IntN(len(hosts))])
		if err != nil {
			t.Error(err)
			return ""
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(c, request); err != nil {
			t.Error(err)
			return ""
		}
		if cuts < 3 && random.IntN(4) > 0 { // go away at once, or with the answer half read
			_, _ = io.CopyN(io.Discard, c, random.Int64N(40))
			_ = c.Close()
			continue
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Error(err)
			return ""
		}
		out, err := io.ReadAll(res.Body)
		_ = c.Close()
		_, id, ok := strings.Cut(string(out), `"id":"`)
		if err != nil || !ok {
			t.Errorf("%d: %s %v", n, out, err)
			return ""
		}
		return id[:36]
	}
}

// TestKeyOfRequest sends what a key does not allow.
func TestKeyOfRequest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.sure(t, "ann", nil)
		ask := func(user, key, query string) (out, repeated string) {
			t.Helper()
			body, err := json.Marshal(map[string]any{"query": query})
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", key)
			if user != "nobody" {
				req.Header.Set("Authorization", "Bearer "+s.keys[user])
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			raw, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw), res.Header.Get("Idempotency-Replayed")
		}
		want := func(user, key, query, wanted, wantRepeated string) {
			t.Helper()
			out, repeated := ask(user, key, query)
			if !strings.Contains(out, wanted) || repeated != wantRepeated {
				t.Errorf("%s, key %q: %s (repeated %q)\nwant %s (%q)", user, key, out, repeated, wanted, wantRepeated)
			}
		}
		const create = `mutation { create_table(name: "note", columns: [{name: "n", kind: "integer", required: true}]) { table } }`
		want("admin", "a", create, `{"data":{"create_table":{"table":"note"}}}`, "")
		want("admin", `"a"`, create, `{"data":{"create_table":{"table":"note"}}}`, "true") // the same key, in quotes
		want("admin", "a", `mutation { insert_note_one(object: {n: 1}) { n } }`, "another request was sent with this key", "")
		want("ann", "a", `mutation { insert_note_one(object: {n: 1}) { n } }`, "Cannot query field", "") // her keys are her own
		want("admin", "b", `mutation { insert_note_one(object: {n: null}) { n } }`, "a value is required", "")
		want("admin", "b", `mutation { insert_note_one(object: {n: 2}) { n } }`, `{"data":{"insert_note_one":{"n":2}}}`, "") // what failed was not kept
		want("admin", "b", `mutation { insert_note_one(object: {n: 2}) { n } }`, `{"data":{"insert_note_one":{"n":2}}}`, "true")
		want("nobody", "a", create, "sign in first", "")
		want("admin", strings.Repeat("k", 256), create, "visible ASCII", "")
		want("admin", "c", `mutation { wait_run(run_id: "00000000-0000-0000-0000-000000000000") { status } }`, "send it without", "")
		const secret = `mutation { create_api_key(name: "mine") { secret } }`
		want("admin", "s", secret, `"secret":"`, "")
		want("admin", "s", secret, "too secret to be kept", "")
		want("admin", "d", `{ note { n } }`, `{"data":{"note":[{"n":2}]}}`, "")

		// An answer is for the rights that it was given under.
		want("admin", "e", `mutation { put_role(name: "reader", grants: [{table: "note", privileges: ["create", "read"]}]) { role } assign_role(role: "reader", user: "ann@example.com") { __typename } }`, "data", "")
		want("ann", "f", `mutation { insert_note_one(object: {n: 3}) { n } }`, `"n":3`, "")
		want("ann", "f", `mutation { insert_note_one(object: {n: 3}) { n } }`, `"n":3`, "true")
		want("admin", "g", `mutation { put_role(name: "reader", grants: [{table: "note", privileges: ["create"]}]) { role } }`, "data", "")
		want("ann", "f", `mutation { insert_note_one(object: {n: 3}) { n } }`, "your rights have changed since", "")
	})
}
