package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The tests of A-06: subscriptions obey every rule that queries do, for as long as they last. What must not be seen is called SECRET.

// reader makes Ann, who reads her own customers, and those that are shared with her.
func (p *people) reader() {
	p.must("admin", `mutation { put_role(name: "reader", grants: [{table: "customer", privileges: ["read", "share"], level: "own"}]) { role } }`)
	p.ann(`"reader"`)
	made := p.must("admin", `mutation { create_api_key(name: "ann", user: "ann@example.com") { id secret } }`)
	p.keys["ann"] = at(made, "create_api_key", "secret")
	p.keys["ann's id"] = at(made, "create_api_key", "id")
}

// theirs makes a customer of a user, and returns its id.
func (p *people) theirs(user, name string) string {
	made := p.must("admin", `mutation { insert_customer_one(object: {name: "`+name+`", owner_id: "`+p.me(user)+`"}) { id } }`)
	return at(made, "insert_customer_one", "id")
}

const (
	liveCustomers = `subscription { customer(order_by: {created_at: asc}) { name } }`
	allChanges    = `subscription { customer_changes(since: "start") { changes { op before after } } }`
	allRecords    = `subscription { customer_stream(batch_size: 10, cursor: [{initial_value: {name: ""}}]) { name } }`
)

// What cannot be asked cannot be subscribed to, and is refused in the words of a query.
func TestAttackA06HiddenTablesAndColumns(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation {
			a: create_table(name: "salary", columns: [{name: "amount", kind: "integer"}]) { table }
			b: put_role(name: "reader", grants: [{table: "customer", privileges: ["read"], hidden: ["created_at"]}]) { role }
		}`)
		p.ann(`"reader"`)
		p.keys["ann"] = at(p.must("admin", `mutation { create_api_key(name: "ann", user: "ann@example.com") { secret } }`), "create_api_key", "secret")
		l := p.connect("ann")
		for i, c := range [][2]string{
			{`subscription { salary { amount } }`, `subscription { budget { amount } }`},
			{`subscription { salary_stream(batch_size: 1, cursor: [{initial_value: {amount: 1}}]) { amount } }`, `subscription { budget_stream(batch_size: 1, cursor: [{initial_value: {amount: 1}}]) { amount } }`},
			{`subscription { salary_changes { cursor } }`, `subscription { budget_changes { cursor } }`},
			{`subscription { salary_aggregate { aggregate { count } } }`, `subscription { budget_aggregate { aggregate { count } } }`},
			{`subscription { customer(where: {created_at: {_is_null: false}}) { id } }`, ""},
			{`subscription { customer_stream(batch_size: 1, cursor: [{initial_value: {created_at: "2020-01-01T00:00:00Z"}}]) { id } }`, ""},
		} {
			var got [2]string
			for j, query := range c {
				if query == "" {
					continue
				}
				id := fmt.Sprintf("%d.%d", i, j)
				l.subscribe(id, query)
				got[j] = strings.ReplaceAll(l.next(), `"id":"`+id+`"`, "")
				if !strings.HasPrefix(got[j], `{"type":"error"`) {
					t.Errorf("%s: %s", query, got[j])
				}
			}
			if c[1] != "" && strings.ReplaceAll(got[1], "budget", "salary") != got[0] {
				t.Errorf("one can be told from the other:\n%s\n%s", got[0], got[1])
			}
		}
	})
}

// A record that leaves the reach of the caller leaves what he is subscribed to, and what is written to it then is not told.
func TestAttackA06RowLeavesReach(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.reader()
		mine := p.theirs("ann", "mine")
		p.theirs("admin", "SECRET one")
		l := p.connect("ann")
		l.subscribe("q", liveCustomers)
		l.want(`{"type":"next","id":"q","payload":{"data":{"customer":[{"name":"mine"}]}}}`)
		l.subscribe("c", allChanges)
		l.until(`"op":"create"`, "SECRET")
		l.subscribe("s", allRecords)
		l.want(`{"type":"next","id":"s","payload":{"data":{"customer_stream":[{"name":"mine"}]}}}`)
		p.must("admin", `mutation { update_customer_by_pk(pk_columns: {id: "`+mine+`"}, _set: {owner_id: "`+p.me("admin")+`", name: "SECRET two"}) { id } }`)
		for seen := map[string]bool{}; len(seen) < 2; {
			switch m := l.next(); {
			case strings.Contains(m, "SECRET"):
				t.Fatal(m)
			case strings.Contains(m, `"customer":[]`):
				seen["q"] = true
			case strings.Contains(m, `"op":"delete"`):
				seen["c"] = true
			}
		}
		p.must("admin", `mutation { update_customer(where: {}, _set: {name: "SECRET three"}) { affected_rows } }`)
		p.theirs("ann", "yes, back")
		for seen := map[string]bool{}; len(seen) < 3; {
			m := l.until("back", "SECRET")
			seen[m[:strings.Index(m, `,"payload"`)]] = true
		}
	})
}

// Rights that are taken away, at this server or another one, end the subscription or what it shows; shares that end too.
func TestAttackA06RightsTakenAway(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		other := p.another()
		p.reader()
		other.keys["ann"] = p.keys["ann"]
		if err := other.app.store.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.theirs("ann", "mine")
		theirs := p.theirs("admin", "shared")
		share := func(more string) {
			p.must("admin", `mutation { share_record(table: "customer", id: "`+theirs+`", user: "ann@example.com", rights: ["read"]`+more+`) { rights } }`)
		}
		both, one := `{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"mine"},{"name":"shared"}]}}}`, `{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"mine"}]}}}`
		l := other.connect("ann")
		l.subscribe("1", liveCustomers)
		l.want(one)
		share("")
		l.want(both)
		p.must("admin", `mutation { unshare_record(table: "customer", id: "`+theirs+`", user: "ann@example.com") { ended } }`)
		l.want(one)
		share(`, expires_at: "` + time.Now().UTC().Add(3*time.Second).Format(time.RFC3339) + `"`)
		l.want(both)
		l.want(one) // nothing but time has passed
		p.must("admin", `mutation { put_role(name: "reader", grants: [{table: "customer", privileges: ["read"]}]) { role } }`)
		l.want(both)
		p.must("admin", `mutation { put_role(name: "reader", grants: [{table: "customer", privileges: ["read"], hidden: ["name"]}]) { role } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[{"name":null},{"name":null}]}}}`)
		p.must("admin", `mutation { put_role(name: "reader", grants: [{table: "customer", privileges: ["read"], condition: "name == 'mine'"}]) { role } }`)
		l.want(one)
		p.must("admin", `mutation { unassign_role(role: "reader", user: "ann@example.com") { role } }`)
		l.until(`{"type":"error","id":"1"`)
		p.must("admin", `mutation { update_customer(where: {}, _set: {name: "SECRET"}) { affected_rows } }`)
		l.subscribe("2", `{ __typename }`)
		l.until(`{"type":"complete","id":"2"}`, "SECRET")
	})
}

// Who is locked out is cut off within a second, at another server too: what is written after that does not reach him.
func TestAttackA06LockedOut(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		other := p.another()
		p.reader()
		if err := other.app.store.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.theirs("ann", "mine")
		for name, end := range map[string]string{
			"key revoked":     `revoke_api_key(id: "KEY", user: "ann@example.com") { id }`,
			"session ended":   `end_sessions(user: "ann@example.com") { ended }`,
			"user disabled":   `disable_user(user: "ann@example.com") { id }`,
			"key has run out": "",
		} {
			var expires string
			if end == "" {
				expires = `, expires_at: "` + time.Now().UTC().Add(3*time.Second).Format(time.RFC3339) + `"`
			}
			made := p.must("admin", `mutation { create_api_key(name: "x", user: "ann@example.com"`+expires+`) { id secret } }`)
			other.keys["ann"] = at(made, "create_api_key", "secret")
			var l *line
			header := http.Header{"Authorization": {"Bearer " + other.keys["ann"]}}
			if strings.Contains(end, "session") {
				b := other.browser()
				b.signIn("ann@example.com", annPassword)
				header = http.Header{"Cookie": {b.cookie()}, "Origin": {b.base}}
				l = other.dial("graphql-transport-ws", header)
				l.send(`{"type": "connection_init"}`)
				l.want(`{"type":"connection_ack"}`)
			} else {
				l = other.connect("ann")
			}
			l.subscribe("1", liveCustomers)
			l.until(`"customer":[`)
			events := other.listen(header, liveCustomers)
			if end != "" {
				p.must("admin", "mutation { "+strings.ReplaceAll(end, "KEY", at(made, "create_api_key", "id"))+" }")
			}
			for changed := time.Now(); end != "" && time.Since(changed) < time.Second; {
				p.must("admin", `{ __typename }`)
			}
			if end != "" {
				p.must("admin", `mutation { update_customer(where: {}, _set: {name: "SECRET"}) { affected_rows } }`)
			}
			if code := l.closed("SECRET"); code != 4403 {
				t.Errorf("%s: closed with %d", name, code)
			}
			if out := events(); strings.Contains(out, "SECRET") || !strings.Contains(out, `"kind":"UNAUTHENTICATED"`) || !strings.HasSuffix(out, "event: complete\ndata:\n\n") {
				t.Errorf("%s: the events were %s", name, out)
			}
			p.must("admin", `mutation { update_customer(where: {}, _set: {name: "mine"}) { affected_rows } }`)
			if name == "user disabled" {
				p.must("admin", `mutation { disable_user(user: "ann@example.com", disabled: false) { id } }`)
				if err := other.app.store.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// Who has subscribed by an operation that is registered no longer is told nothing more where only registered ones run.
func TestAttackA06OnlyRegistered(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.reader()
		l := p.connect("ann")
		l.subscribe("1", liveCustomers)
		l.until(`"customer":[]`)
		p.must("admin", `mutation { restrict_operations(on: true) { version } }`)
		l.until(`{"type":"error","id":"1"`)
		l.subscribe("2", liveCustomers)
		l.until(`{"type":"error","id":"2"`)
	})
}

// Every answer of a subscription to a table whose reads are audited is in the access log, for each who gets it.
func TestAttackA06AuditedReads(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation { apply_change(changes: [{change: "alter_table", table: "customer", set: {audit_reads: true}}]) { version } }`)
		p.reader()
		p.theirs("ann", "mine")
		l := p.connect("ann")
		l.subscribe("1", liveCustomers)
		l.until(`"mine"`)
		l.subscribe("2", liveCustomers)
		l.until(`"id":"2"`)
		l.send(`{"type": "complete", "id": "1"}`)
		p.must("admin", `mutation { update_customer(where: {}, _set: {name: "theirs"}) { affected_rows } }`)
		l.until(`"theirs"`)
		read := 0
		for _, e := range p.must("admin", `mutation { read_access_log { entries { kind actor } } }`)["read_access_log"].(map[string]any)["entries"].([]any) {
			if e := e.(map[string]any); e["kind"] == "read" && e["actor"] == p.me("ann") {
				read++
			}
		}
		if read != 3 {
			t.Errorf("%d entries, not 3", read)
		}
	})
}

func (p *people) me(user string) string {
	p.t.Helper()
	return p.must("admin", `{ _user(where: {email: {_eq: "`+user+`@example.com"}}) { id } }`)["_user"].([]any)[0].(map[string]any)["id"].(string)
}

// listen subscribes by server-sent events, up to the first answer. It returns what waits for the end, and returns all that came.
func (p *people) listen(header http.Header, query string) (rest func() string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = res.Body.Close() })
	in, seen := bufio.NewReader(res.Body), ""
	for !strings.Contains(seen, "event: next") {
		s, err := in.ReadString('\n')
		if err != nil {
			p.t.Fatal(seen, err)
		}
		seen += s
	}
	return func() string {
		out, err := io.ReadAll(in)
		if err != nil {
			p.t.Fatal(err)
		}
		return seen + string(out)
	}
}
