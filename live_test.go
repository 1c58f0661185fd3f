package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// line is a client of subscriptions over a WebSocket.
type line struct {
	t    *testing.T
	conn *websocket.Conn
}

// soon is how long a client waits for what must come. It is no measure of anything.
const soon = 30 * time.Second

// dial opens a connection, which ends with the test.
func (p *people) dial(protocol string, header http.Header) *line {
	p.t.Helper()
	d := websocket.Dialer{HandshakeTimeout: soon, Subprotocols: []string{protocol}}
	conn, res, err := d.DialContext(p.t.Context(), strings.Replace(p.url, "http://", "ws://", 1), header)
	if err != nil {
		p.t.Fatalf("%v %v", err, res)
	}
	_ = res.Body.Close()
	p.t.Cleanup(func() { _ = conn.Close() })
	return &line{p.t, conn}
}

// connect opens a connection as a user, whose key goes into connection_init.
func (p *people) connect(user string) *line {
	p.t.Helper()
	l := p.dial("graphql-transport-ws", nil)
	l.send(`{"type": "connection_init", "payload": {"headers": {"Authorization": "Bearer ` + p.keys[user] + `"}}}`)
	l.want(`{"type":"connection_ack"}`)
	return l
}

func (l *line) send(message string) {
	l.t.Helper()
	if err := l.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		l.t.Fatal(err)
	}
}

// subscribe sends a subscription of that id.
func (l *line) subscribe(id, query string) {
	l.t.Helper()
	payload, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		l.t.Fatal(err)
	}
	l.send(`{"type": "subscribe", "id": "` + id + `", "payload": ` + string(payload) + `}`)
}

// next returns the next message.
func (l *line) next() string {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(soon))
	_, raw, err := l.conn.ReadMessage()
	if err != nil {
		l.t.Fatal(err)
	}
	return string(raw)
}

func (l *line) want(message string) {
	l.t.Helper()
	if got := l.next(); got != message {
		l.t.Fatalf("got  %s\nwant %s", got, message)
	}
}

// until reads messages up to one that has the text, which it returns. None on the way may have what is not wanted.
func (l *line) until(text string, never ...string) string {
	l.t.Helper()
	for {
		got := l.next()
		if strings.Contains(got, text) {
			return got
		}
		for _, bad := range never {
			if strings.Contains(got, bad) {
				l.t.Fatalf("got %s in %s", bad, got)
			}
		}
	}
}

// closed reads up to the end of the connection, and returns its code. No message on the way may have what is not wanted.
func (l *line) closed(never ...string) int {
	l.t.Helper()
	for {
		_ = l.conn.SetReadDeadline(time.Now().Add(soon))
		_, raw, err := l.conn.ReadMessage()
		if e, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // the library returns it as it is
			return e.Code
		}
		if err != nil {
			l.t.Fatal(err)
		}
		for _, bad := range never {
			if strings.Contains(string(raw), bad) {
				l.t.Fatalf("got %s", raw)
			}
		}
	}
}

// A live query is answered whenever its answer changes, by whatever the answer is made from, and not otherwise.
func TestLiveQueries(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		l := p.connect("admin")
		l.subscribe("1", `subscription { customer(order_by: {name: asc}) { name } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[]}}}`)
		p.must("admin", `mutation { insert_customer_one(object: {name: "Ann"}) { id } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"Ann"}]}}}`)
		l.subscribe("2", `subscription { total: customer_aggregate { aggregate { count } } }`)
		l.want(`{"type":"next","id":"2","payload":{"data":{"total":{"aggregate":{"count":1}}}}}`)
		p.must("admin", `mutation { update_customer(where: {}, _set: {name: "Bob"}) { affected_rows } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"Bob"}]}}}`)
		l.send(`{"type": "complete", "id": "1"}`)
		p.must("admin", `mutation { insert_customer_one(object: {name: "Cem"}) { id } }`)
		l.want(`{"type":"next","id":"2","payload":{"data":{"total":{"aggregate":{"count":2}}}}}`)
		l.subscribe("1", `subscription { customer(limit: 1, offset: 1, order_by: {name: asc}) { name } }`)
		l.want(`{"type":"next","id":"1","payload":{"data":{"customer":[{"name":"Cem"}]}}}`)
	})
}

// A stream goes through the records along a column, without leaving one out of those that have one value.
func TestStreams(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation { insert_customer(objects: [{name: "a"}, {name: "b"}, {name: "b"}, {name: "b"}, {name: "c"}]) { affected_rows } }`)
		l := p.connect("admin")
		l.subscribe("s", `subscription { customer_stream(batch_size: 2, cursor: [{initial_value: {name: "a"}}]) { name } }`)
		l.want(`{"type":"next","id":"s","payload":{"data":{"customer_stream":[{"name":"b"},{"name":"b"}]}}}`)
		l.want(`{"type":"next","id":"s","payload":{"data":{"customer_stream":[{"name":"b"},{"name":"c"}]}}}`)
		p.must("admin", `mutation { insert_customer(objects: [{name: "d"}, {name: "a"}]) { affected_rows } }`)
		l.want(`{"type":"next","id":"s","payload":{"data":{"customer_stream":[{"name":"d"}]}}}`)
	})
}

// Changes are told in the order of their commits, and go on behind a cursor.
func TestFollowedChanges(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		l := p.connect("admin")
		l.subscribe("c", `subscription { customer_changes { changes { op after } cursor more } }`)
		first := l.until(`"changes":[]`)
		var m struct {
			Payload struct {
				Data map[string]struct{ Cursor string }
			}
		}
		if err := json.Unmarshal([]byte(first), &m); err != nil {
			t.Fatal(err)
		}
		p.must("admin", `mutation { insert_customer_one(object: {name: "Ann"}) { id } }`)
		l.until(`"op":"create"`)
		p.must("admin", `mutation { update_customer(where: {}, _set: {name: "Bob"}) { affected_rows } }`)
		l.until(`"op":"update"`)
		l.subscribe("again", `subscription { customer_changes(since: "`+m.Payload.Data["customer_changes"].Cursor+`", limit: 1) { changes { op } } }`)
		l.want(`{"type":"next","id":"again","payload":{"data":{"customer_changes":{"changes":[{"op":"create"}]}}}}`)
		l.want(`{"type":"next","id":"again","payload":{"data":{"customer_changes":{"changes":[{"op":"update"}]}}}}`)
	})
}
