package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// enter asks to be let in as a user, with a header that says as whom.
func (p *people) enter(user, header, whom string) *line {
	p.t.Helper()
	l := p.dial("graphql-transport-ws", nil)
	l.send(`{"type": "connection_init", "payload": {"headers": {"Authorization": "Bearer ` + p.keys[user] + `", "` + header + `": "` + whom + `"}}}`)
	return l
}

// Who acts on behalf of a user, or simulates one, is told over a socket what that user is told, for as long as he may.
func TestSocketsOfOthers(t *testing.T) {
	for header, role := range map[string]string{"Colonnade-On-Behalf-Of": "helper", "Colonnade-Simulate": "administrator"} {
		t.Run(header, func(t *testing.T) {
			eachPeople(t, func(t *testing.T, p *people) {
				p.must("admin", `mutation {
					a: put_role(name: "own", grants: [{table: "customer", privileges: ["read"], level: "own"}]) { role }
					b: put_role(name: "helper", inherits: ["own"], actions: ["act_on_behalf"]) { role }
				}`)
				p.sure(t, "amy", []string{"own"})
				p.sure(t, "hal", []string{role})
				p.theirs("amy", "of amy")
				p.theirs("hal", "SECRET of hal")
				l := p.enter("hal", header, "amy@example.com")
				l.want(`{"type":"connection_ack"}`)
				l.subscribe("1", liveCustomers)
				l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"of amy"}]}}}`)
				p.theirs("amy", "another")
				l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"of amy"},{"name":"another"}]}}}`)
				p.must("admin", `mutation { unassign_role(role: "`+role+`", user: "hal@example.com") { __typename } }`)
				if code := l.closed("SECRET"); code != 4403 {
					t.Errorf("closed with %d", code)
				}
				if code := p.enter("hal", header, "amy@example.com").closed("SECRET"); code != 4403 {
					t.Errorf("afterwards, closed with %d", code)
				}
			})
		})
	}
}

// A connection that came in by the token of a provider ends with it.
func TestSocketsEndWithTheirTokens(t *testing.T) {
	withProviders(t, func(t *testing.T, p *people, port string) {
		f := newForger(t, port)
		const audience = "https://data.example.com"
		p.must("admin", fmt.Sprintf(`mutation { put_provider(name: "forger", issuer: %q, client_id: "colonnade", bearer_audience: %q) { id } }`, f.URL, audience))
		p.must("admin", `mutation { create_table(name: "customer", columns: [{name: "name", kind: "text"}]) { table } }`)
		p.must("admin", `mutation { put_role(name: "clerk", grants: [{table: "customer", privileges: ["read"]}]) { role } }`)
		p.must("admin", `mutation { create_user(name: "Ann", email: "ann@example.com", roles: ["clerk"]) { id } }`)
		p.must("admin", `mutation { connect_login(user: "ann@example.com", provider: "forger", subject: "s1") { id } }`)
		f.claims = func(c map[string]any) map[string]any {
			c["exp"] = time.Now().Add(3 * time.Second).Unix()
			return c
		}
		p.keys["token"] = f.token(audience)
		l := p.connect("token")
		l.subscribe("1", liveCustomers)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[]}}}`)
		if code := l.closed(); code != 4403 {
			t.Errorf("closed with %d", code)
		}
	})
}

// Who says nothing is let go, and one of whom there are too many is told to come back later.
func TestSocketsThatAreNotLetIn(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		c.Subscribe = 2
		p := &people{newScenario(t, c), t, c}
		silent := p.dial("graphql-transport-ws", nil)
		p.connect("admin")
		second := p.connect("admin")
		if code := p.enter("admin", "", "").closed(); code != 1013 {
			t.Errorf("the third closed with %d", code)
		}
		_ = second.conn.Close()
		for p.enter("admin", "", "").first() != `{"type":"connection_ack"}` { // until it is noticed that the other has gone
		}
		if code := silent.closed(); code != 4408 {
			t.Errorf("who said nothing: closed with %d", code)
		}
	})
}

// first returns the first message, or "" when the connection is closed instead.
func (l *line) first() string {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(soon))
	_, raw, err := l.conn.ReadMessage()
	var closed *websocket.CloseError
	if err != nil && !errors.As(err, &closed) {
		l.t.Fatal(err)
	}
	return string(raw)
}
