package web

import (
	"context"
	"time"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/graphql"
)

// operation is what a client has asked for over a socket and was not told the end of. Its answers are guarded by the outbox.
type operation struct {
	sock *socket
	id   string

	waiting []byte // the answer that was not sent yet
	queued  bool
	held    bool // it was not ready for the next batch
	ended   bool

	sub    *graphql.Subscription // guarded by the socket, as what follows
	missed bool                  // it was to resume before it was there
}

// Caller implements [graphql.Listener].
func (o *operation) Caller() (core.Caller, error) { return o.sock.guest.Caller() }

// Ready implements [graphql.Listener].
func (o *operation) Ready() bool {
	out := &o.sock.out
	out.mu.Lock()
	defer out.mu.Unlock()
	o.held = o.waiting != nil
	return !o.held && !o.ended
}

// Next implements [graphql.Listener].
func (o *operation) Next(result []byte) {
	out := &o.sock.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if o.ended || out.closed {
		return
	}
	if out.bytes += len(result) - len(o.waiting); out.bytes > maxWaiting && len(out.queue) > 0 {
		out.bytes -= len(result)
		o.waiting = nil
		o.finish(errSlow)
		return
	}
	o.waiting = result
	if !o.queued {
		o.queued = true
		out.add(item{op: o})
	}
}

// errSlow is told to who reads more slowly than answers come.
var errSlow = []byte(`[{"message":"the answers were not read in time: subscribe again, and ask for less at once","extensions":{"code":"slow-reader","kind":"` + string(core.Limit) + `"}}]`)

// End implements [graphql.Listener].
func (o *operation) End(errors []byte, _ core.ErrKind) {
	out := &o.sock.out
	out.mu.Lock()
	defer out.mu.Unlock()
	o.finish(errors)
}

// finish ends the operation, with errors or, when there are none, because it is complete. The outbox is locked.
func (o *operation) finish(errors []byte) {
	if o.ended {
		return
	}
	o.ended = true
	p := o.sock.protocol
	if errors == nil {
		o.sock.out.add(item{message: message("complete", o.id)})
	} else {
		b := append(around("error", o.id), p.wrap[0]...)
		b = append(append(b, errors...), p.wrap[1]...)
		o.sock.out.add(item{message: append(b, '}')})
	}
	go o.sock.forget(o)
}

// take returns the answer to send, and whether the next one waits for that. The outbox is locked.
func (o *operation) take() (payload []byte, held bool) {
	payload, held = o.waiting, o.held
	o.sock.out.bytes -= len(payload)
	o.waiting, o.queued, o.held = nil, false, false
	return payload, held
}

// resume asks for the next batch.
func (o *operation) resume() {
	o.sock.mu.Lock()
	sub := o.sub
	o.missed = o.missed || sub == nil
	o.sock.mu.Unlock()
	if sub != nil {
		sub.Resume()
	}
}

// run answers the operation, or begins to.
func (o *operation) run(r graphql.Request) {
	s := o.sock.server
	ctx, cancel := s.brief(core.Origin{Request: string(core.NewID()), Address: o.sock.guest.origin.Address})
	defer cancel()
	who, err := o.sock.guest.caller(ctx)
	if err != nil {
		o.refuse(ctx, err)
		return
	}
	ctx = core.WithCaller(ctx, who)
	g := s.users
	if who.Anonymous() {
		g = s.strangers
	}
	key, err := g.enter(o.sock.guest.key, time.Now())
	if err != nil {
		o.refuse(ctx, err)
		return
	}
	defer g.leave(key)
	sub, answer := s.o.Engine.Subscribe(ctx, r, false, o)
	if sub == nil {
		o.answer(answer)
		return
	}
	if err := o.sock.guest.hold(); err != nil {
		sub.Leave()
		o.refuse(ctx, err)
		return
	}
	o.sock.keep(o, sub)
}

// answer sends the answer to what is answered once.
func (o *operation) answer(a graphql.Response) {
	if a.Kind == graphql.RequestError || a.Kind == graphql.NotAllowed {
		o.End([]byte(gjson.GetBytes(a.Body, "errors").Raw), core.Invalid)
		return
	}
	out := &o.sock.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if o.ended {
		return
	}
	if out.bytes+len(a.Body) > maxWaiting && len(out.queue) > 0 {
		o.finish(errSlow)
		return
	}
	b := append(around(o.sock.protocol.next, o.id), a.Body...)
	out.add(item{message: append(b, '}')})
	o.finish(nil)
}

// refuse ends the operation with one error.
func (o *operation) refuse(ctx context.Context, err error) {
	if core.KindOf(err) == core.Internal {
		o.sock.server.o.Log.ErrorContext(ctx, "web: an operation failed", "err", err, "request_id", RequestID(ctx))
	}
	o.End(errorsOf(err), core.KindOf(err))
}

// errorObject is an error as clients are told of it, in the form of GraphQL errors.
func errorObject(err error) []byte {
	e := core.AsError(err)
	b := core.AppendString([]byte(`{"message":`), e.Public())
	b = core.AppendString(append(b, `,"extensions":{"code":`...), string(e.Kind))
	b = core.AppendString(append(b, `,"kind":`...), string(e.Kind))
	return append(b, `}}`...)
}

func errorsOf(err error) []byte { return append(append([]byte{'['}, errorObject(err)...), ']') }
