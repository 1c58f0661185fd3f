package web

import (
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"colonnade/core"
	"colonnade/graphql"
	"colonnade/identity"
)

// socket is a connection over which a client asks for as much as it likes, by one of the [protocols].
type socket struct {
	server   *Server
	conn     *websocket.Conn
	protocol *protocol
	out      outbox
	peer     string // the key of a stranger

	cookie string         // the token that came with the request, for a client that sends none
	as     identity.Entry // as whom that asks
	origin core.Origin

	guest *guest // since the client was let in; set by the reader
	beat  *time.Timer

	mu   sync.Mutex
	ops  map[string]*operation // by id
	gone bool
}

// isUpgrade reports whether a request asks for a WebSocket.
func isUpgrade(c *fiber.Ctx) bool {
	return c.Method() == http.MethodGet && strings.EqualFold(c.Get(fiber.HeaderUpgrade), "websocket")
}

// How long a client may take to be let in, and how often the other end is asked whether it is there still. One from which nothing comes
// for twice that time is gone.
const (
	initWait = 10 * time.Second
	askEvery = 30 * time.Second
)

// upgrader never compresses, and leaves the check of the origin to [Server.socket].
var upgrader = websocket.FastHTTPUpgrader{
	ReadBufferSize: 1024, WriteBufferSize: 4096, WriteBufferPool: buffers, Subprotocols: subprotocols(),
	CheckOrigin: func(*fasthttp.RequestCtx) bool { return true },
}

// socket takes a connection over. A page of another site can open one, and the browser sends the cookie with it; so a cookie counts only for a
// page of ours, and a page elsewhere must be one of the listed origins.
func (s *Server) socket(c *fiber.Ctx) error {
	const op = "web.socket"
	if origin := c.Get(fiber.HeaderOrigin); !s.origins[origin] {
		if err := sameSite(c, false); err != nil {
			return err
		}
	}
	token, cookie := s.token(c)
	if cookie && token != "" && c.Get(fiber.HeaderOrigin) == "" && c.Get("Sec-Fetch-Site") == "" {
		return core.E(op, core.Denied, "a WebSocket with a cookie must say where it comes from: send Origin, or a token instead of the cookie")
	}
	if most := s.o.Live.Total; most > 0 && s.guests.sockets() >= most {
		return core.E(op, core.Unavailable, "too many connections are open: try again later", core.Wait(10*time.Second))
	}
	k := &socket{server: s, peer: s.place(c), cookie: token, as: standing(func(h string) string { return c.Get(h) }), ops: map[string]*operation{}}
	k.origin = core.OriginFrom(c.UserContext())
	if err := upgrader.Upgrade(c.Context(), k.serve); err != nil {
		return fiber.NewError(fiber.StatusBadRequest, "the request is no handshake of a WebSocket")
	}
	return nil
}

// serve reads what the client sends until the connection ends.
func (k *socket) serve(conn *websocket.Conn) {
	s := k.server
	k.conn, k.protocol = conn, protocolOf(conn.Subprotocol())
	raw := beneath(conn)
	k.out.conn, k.out.wait, k.out.failed = conn, s.o.WriteTimeout, func() { _ = raw.Close() }
	s.sockets.Add(1)
	defer s.sockets.Done()
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("web: a connection failed", "err", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if !s.guests.arrive(k) {
		k.protocol = nil
	}
	defer k.leave()
	conn.SetReadLimit(int64(s.o.BodyLimit))
	conn.SetPongHandler(func(string) error { return k.heard() })
	conn.SetPingHandler(func(data string) error {
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(s.o.WriteTimeout))
		return k.heard()
	})
	if k.protocol == nil {
		k.out.close(closeNoProtocol, "Subprotocol not acceptable")
	}
	late := time.AfterFunc(initWait, func() { k.out.close(closeTooLate, "Connection initialisation timeout") })
	defer late.Stop()
	k.beat = time.AfterFunc(askEvery, k.ask)
	defer func() { k.beat.Stop() }()
	for {
		kind, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if k.out.isClosed() {
			continue // until the other end closes too
		}
		if kind != websocket.TextMessage {
			k.out.close(closeBadMessage, "Invalid message")
			continue
		}
		_ = k.heard()
		k.take(raw, late)
	}
}

// beneath returns the connection of the system. That of fasthttp does not close before its handler has returned, and is somebody
// else's after that.
func beneath(c *websocket.Conn) net.Conn {
	conn := c.NetConn()
	if taken, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
		return taken.UnsafeConn()
	}
	return conn
}

// heard notes that the other end is there.
func (k *socket) heard() error {
	if k.out.isClosed() {
		return nil
	}
	return k.conn.SetReadDeadline(time.Now().Add(2 * askEvery))
}

// ask asks the other end whether it is there.
func (k *socket) ask() {
	k.out.put(item{ping: true})
	if p := k.protocol; p != nil && p.keepAlive != "" {
		k.out.put(item{message: message(p.keepAlive, "")})
	}
	if !k.out.isClosed() {
		k.beat.Reset(askEvery)
	}
}

// envelope is a message of a client.
type envelope struct {
	typ, id string
	payload []byte // nil for none
}

func open(raw []byte) (e envelope, ok bool) {
	members, err := scanObject(raw)
	if err != nil {
		return e, false
	}
	for _, m := range members {
		switch m.name {
		case "type", "id":
			if m.value[0] != '"' {
				return e, false
			}
			if text := unquote(m.value); m.name == "type" {
				e.typ = text
			} else {
				e.id = text
			}
		case "payload":
			if string(m.value) != "null" {
				e.payload = m.value
			}
		}
	}
	return e, e.typ != ""
}

// maxID is how many bytes the id of an operation has at most.
const maxID = 128

// take does what a message says.
func (k *socket) take(raw []byte, late *time.Timer) {
	p := k.protocol
	e, ok := open(raw)
	if !ok || len(e.id) > maxID {
		k.out.close(closeBadMessage, "Invalid message")
		return
	}
	switch {
	case e.typ == "connection_init":
		if k.guest != nil {
			k.out.close(closeInitialised, "Too many initialisation requests")
			return
		}
		late.Stop()
		k.init(e.payload)
	case p.pings && e.typ == "ping":
		if e.payload == nil {
			k.out.put(item{message: message("pong", "")})
		} else {
			k.out.put(item{message: append(append(around("pong", ""), e.payload...), '}')})
		}
	case p.pings && e.typ == "pong":
	case p.terminate != "" && e.typ == p.terminate:
		k.out.close(closeNormal, "")
	case e.typ == p.complete && e.id != "":
		k.stop(e.id)
	case e.typ == p.subscribe && e.id != "" && e.payload != nil:
		if k.guest == nil {
			k.out.close(closeUnauthorized, "Unauthorized")
			return
		}
		k.start(e)
	default:
		k.out.close(closeBadMessage, "Invalid message")
	}
}

// init lets the client in, by what it sends or by what came with the request.
func (k *socket) init(payload []byte) {
	s := k.server
	ctx, cancel := s.brief(k.origin)
	defer cancel()
	token, as, err := credentials(payload)
	if err == nil && token == "" {
		token = k.cookie
	}
	if as == (identity.Entry{}) {
		as = k.as
	}
	var g *guest
	if err == nil {
		g, err = s.enter(ctx, token, as, k.peer, func(error) { k.out.close(closeForbidden, "Forbidden") })
	}
	if err != nil {
		if k.protocol.keepAlive != "" { // which has a message for it
			k.out.put(item{message: append(append(around("connection_error", ""), errorObject(err)...), '}')})
		}
		code, text := closeForbidden, "Forbidden"
		switch core.KindOf(err) {
		case core.Unknown, core.Denied:
		case core.Invalid:
			code, text = closeBadMessage, core.AsError(err).Public()
		default:
			code, text = closeTryAgain, core.AsError(err).Public()
		}
		k.out.close(code, text)
		return
	}
	k.guest = g
	k.cookie = ""
	k.out.put(item{message: message("connection_ack", "")})
	if k.protocol.keepAlive != "" {
		k.out.put(item{message: message(k.protocol.keepAlive, "")})
	}
}

// credentials finds what a client sends of who it is: as clients of Hasura do, headers in the member of that name, or beside it, or a
// token by itself.
func credentials(payload []byte) (token string, as identity.Entry, err error) {
	const op = "web.credentials"
	if payload == nil {
		return "", as, nil
	}
	members, err := scanObject(payload)
	if err != nil {
		return "", as, core.E(op, core.Invalid, "the payload of connection_init is no object")
	}
	for _, m := range members {
		if m.name != "headers" || m.value[0] != '{' {
			continue
		}
		inner, err := scanObject(m.value)
		if err != nil {
			return "", as, core.E(op, core.Invalid, "headers is no object")
		}
		members = append(members, inner...)
	}
	for _, m := range members {
		if m.value[0] != '"' {
			continue
		}
		text := unquote(m.value)
		switch strings.ToLower(m.name) {
		case "authorization":
			scheme, rest, _ := strings.Cut(text, " ")
			if !strings.EqualFold(scheme, "Bearer") {
				return "", as, core.E(op, core.Unknown, "Authorization must be Bearer, then a token or an API key")
			}
			token = strings.TrimSpace(rest)
		case "token":
			token = text
		case strings.ToLower(headerBehalf):
			as.As = text
		case strings.ToLower(headerSimulate):
			as.Simulate = text
		}
	}
	return token, as, nil
}

// start begins an operation.
func (k *socket) start(e envelope) {
	r, err := parseRequest(e.payload)
	if err != nil && k.protocol.pings {
		k.out.close(closeBadMessage, "Invalid message")
		return
	}
	o := &operation{sock: k, id: e.id}
	k.mu.Lock()
	if old := k.ops[e.id]; old != nil && k.protocol.pings {
		k.mu.Unlock()
		k.out.close(closeSubscriberTaken, "Subscriber for "+e.id+" already exists")
		return
	}
	most := k.server.o.Live.PerConnection
	full := most > 0 && len(k.ops) >= most
	k.mu.Unlock()
	k.stop(e.id) // in the older protocol one takes the place of another
	k.mu.Lock()
	k.ops[e.id] = o
	k.mu.Unlock()
	if full {
		err = core.E("web.start", core.Limit, fmt.Sprintf("%d operations of this connection run already, which is the most: end one", most))
	}
	if err != nil {
		o.End(errorsOf(err), core.KindOf(err))
		return
	}
	go o.run(r)
}

// stop ends an operation that the client has taken back.
func (k *socket) stop(id string) {
	k.mu.Lock()
	o := k.ops[id]
	k.mu.Unlock()
	if o == nil {
		return
	}
	k.out.mu.Lock()
	ended := o.ended
	o.ended = true
	k.out.bytes -= len(o.waiting)
	o.waiting = nil
	k.out.mu.Unlock()
	if !ended {
		k.forget(o)
	}
}

// keep has the subscription of an operation ended with it.
func (k *socket) keep(o *operation, sub *graphql.Subscription) {
	k.mu.Lock()
	over := k.gone || k.ops[o.id] != o
	if !over {
		o.sub = sub
	}
	missed := o.missed
	k.mu.Unlock()
	switch {
	case over:
		sub.Leave()
		k.guest.drop()
	case missed:
		sub.Resume()
	}
}

// forget ends the subscription of an operation that has ended.
func (k *socket) forget(o *operation) {
	k.mu.Lock()
	if k.ops[o.id] == o {
		delete(k.ops, o.id)
	}
	sub := o.sub
	o.sub = nil
	k.mu.Unlock()
	if sub != nil {
		sub.Leave()
		k.guest.drop()
	}
}

// leave ends everything of the connection, which nobody uses any more when it returns.
func (k *socket) leave() {
	k.out.shut()
	k.out.failed()
	k.out.senders.Wait()
	k.server.guests.depart(k)
	k.mu.Lock()
	k.gone = true
	ops := make([]*operation, 0, len(k.ops))
	for _, o := range k.ops {
		ops = append(ops, o)
	}
	k.mu.Unlock()
	for _, o := range ops {
		k.forget(o)
	}
	if k.guest != nil {
		k.guest.leave()
	}
}

func (o *outbox) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// dismiss completes what runs and closes the connection, since the server stops.
func (k *socket) dismiss() {
	k.mu.Lock()
	ops := make([]*operation, 0, len(k.ops))
	for _, o := range k.ops {
		ops = append(ops, o)
	}
	k.mu.Unlock()
	k.out.mu.Lock()
	for _, o := range ops {
		o.finish(nil)
	}
	k.out.mu.Unlock()
	k.out.close(closeGoingAway, "Going away")
}
