package web

import (
	"colonnade/core"
)

// protocol is a subprotocol of WebSocket for GraphQL: what its messages are called. See
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md and, for the older one,
// https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md.
type protocol struct {
	name string

	subscribe, complete string // what a client asks for and takes back
	terminate           string // of a client that leaves; "" where it just closes the connection
	pings               bool   // either side may send a ping, which the other answers

	next      string
	keepAlive string // sent now and then; "" where frames of WebSocket do

	// wrap is what stands around the errors of an operation that did not begin, or has ended.
	wrap [2]string
}

var protocols = []*protocol{
	{name: "graphql-transport-ws", subscribe: "subscribe", complete: "complete", pings: true, next: "next"},
	{name: "graphql-ws", subscribe: "start", complete: "stop", terminate: "connection_terminate", next: "data", keepAlive: "ka", wrap: [2]string{`{"errors":`, `}`}},
}

func subprotocols() (out []string) {
	for _, p := range protocols {
		out = append(out, p.name)
	}
	return out
}

// protocolOf returns the protocol of that name; nil when there is none.
func protocolOf(name string) *protocol {
	for _, p := range protocols {
		if p.name == name {
			return p
		}
	}
	return nil
}

// Codes with which connections are closed. Those from 4400 on are of the protocols.
const (
	closeNormal          = 1000
	closeGoingAway       = 1001
	closeTryAgain        = 1013
	closeBadMessage      = 4400
	closeUnauthorized    = 4401
	closeForbidden       = 4403
	closeNoProtocol      = 4406
	closeTooLate         = 4408
	closeSubscriberTaken = 4409
	closeInitialised     = 4429
)

// message is a message with an id, or with none.
func message(typ, id string) []byte {
	b := core.AppendString([]byte(`{"type":`), typ)
	if id != "" {
		b = core.AppendString(append(b, `,"id":`...), id)
	}
	return append(b, '}')
}

// around returns what stands before and after the payload of a message.
func around(typ, id string) []byte {
	b := message(typ, id)
	return append(b[:len(b)-1], `,"payload":`...)
}
