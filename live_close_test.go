package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"
)

// Each way to break the protocol has the code that it says.
func TestSocketCloses(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		const initial = `{"type": "connection_init", "payload": {"headers": {"authorization": "Bearer KEY"}}}`
		key := strings.NewReplacer("KEY", p.keys["admin"])
		for _, c := range []struct {
			name, protocol string
			send           []string
			code           int
		}{
			{"no message", "graphql-transport-ws", []string{`{`}, 4400},
			{"no type", "graphql-transport-ws", []string{`{}`}, 4400},
			{"another type", "graphql-transport-ws", []string{initial, `{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}`}, 4400},
			{"no query", "graphql-transport-ws", []string{initial, `{"type": "subscribe", "id": "1", "payload": {}}`}, 4400},
			{"too early", "graphql-transport-ws", []string{`{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}`}, 4401},
			{"a wrong key", "graphql-transport-ws", []string{`{"type": "connection_init", "payload": {"token": "` + strings.Repeat("x", 43) + `"}}`}, 4403},
			{"two subscribers", "graphql-transport-ws", []string{initial, `{"type": "subscribe", "id": "1", "payload": {"query": "subscription { customer { id } }"}}`,
				`{"type": "subscribe", "id": "1", "payload": {"query": "subscription { customer { id } }"}}`}, 4409},
			{"two beginnings", "graphql-transport-ws", []string{initial, initial}, 4429},
			{"no protocol", "graphql-transport", nil, 4406},
			{"the older one, too early", "graphql-ws", []string{`{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}`}, 4401},
			{"the older one, left", "graphql-ws", []string{initial, `{"type": "connection_terminate"}`}, 1000},
		} {
			l := p.dial(c.protocol, nil)
			for _, m := range c.send {
				l.send(key.Replace(m))
			}
			if code := l.closed(); code != c.code {
				t.Errorf("%s: closed with %d, not %d", c.name, code, c.code)
			}
		}
	})
}

// A page of another site opens no socket, whatever cookie the browser sends with it.
func TestAttackA32ForeignSocket(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		b := p.browser()
		b.signIn("admin@example.com", "a password for tests")
		cookie := b.cookie()
		home := strings.TrimSuffix(p.url, "/graphql")
		for name, c := range map[string]struct {
			header http.Header
			status int
		}{
			"another site":               {http.Header{"Cookie": {cookie}, "Origin": {"https://evil.example"}}, 403},
			"another site without it":    {http.Header{"Origin": {"https://evil.example"}}, 403},
			"a sibling, as browsers say": {http.Header{"Cookie": {cookie}, "Origin": {home}, "Sec-Fetch-Site": {"same-site"}}, 403},
			"nothing said":               {http.Header{"Cookie": {cookie}}, 403},
			"a sandbox":                  {http.Header{"Cookie": {cookie}, "Origin": {"null"}}, 403},
			"our own":                    {http.Header{"Cookie": {cookie}, "Origin": {home}}, 101},
		} {
			if got := p.upgrade(c.header); got != c.status {
				t.Errorf("%s: got %d, not %d", name, got, c.status)
			}
		}
		l := p.dial("graphql-transport-ws", http.Header{"Cookie": {cookie}, "Origin": {home}})
		l.send(`{"type": "connection_init"}`)
		l.want(`{"type":"connection_ack"}`)
		l.subscribe("1", `{ customer_aggregate { aggregate { count } } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer_aggregate":{"aggregate":{"count":0}}}}}`)
		l.want(`{"type":"complete","id":"1"}`)
	})
}

// cookie returns the cookie of the session, as a browser sends it.
func (b *browser) cookie() string {
	b.t.Helper()
	at, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(at) {
		return c.Name + "=" + c.Value
	}
	b.t.Fatal("there is no session")
	return ""
}

// upgrade asks for a WebSocket and returns the status of the answer.
func (p *people) upgrade(header http.Header) int {
	p.t.Helper()
	d := websocket.Dialer{HandshakeTimeout: soon, Subprotocols: []string{"graphql-transport-ws"}}
	conn, res, err := d.DialContext(p.t.Context(), strings.Replace(p.url, "http://", "ws://", 1), header)
	if err == nil {
		_ = conn.Close()
	}
	if res == nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// A server that stops completes what runs and says that it goes.
func TestSocketsWhenTheServerStops(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		l := p.connect("admin")
		l.subscribe("1", `subscription { customer { name } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[]}}}`)
		stopped := make(chan error, 1)
		go func() { stopped <- p.app.web.Stop(context.WithoutCancel(t.Context())) }()
		l.want(`{"type":"complete","id":"1"}`)
		if code := l.closed(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}
