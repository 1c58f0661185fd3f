package web

import (
	"bufio"
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/graphql"
)

// Server-sent events, as graphql-sse has them in the mode of distinct connections: one operation, whose answers are events. See
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md.

// eventStream is an operation over a connection of its own.
type eventStream struct {
	guest *guest
	wake  chan struct{} // something is to be sent

	mu      sync.Mutex
	waiting []byte // the answer that was not sent yet
	held    bool   // it was not ready for the next batch
	over    bool   // nothing comes behind what waits
	errors  []byte // but these
}

// A comment is sent now and then, so that a client who has left is noticed, and proxies hold the connection.
const commentEvery = 12 * time.Second

// eventBuffer is small: most answers are.
const eventBuffer = 1 << 10

// events answers with events.
func (s *Server) events(c *fiber.Ctx, r graphql.Request, readOnly bool) error {
	e := &eventStream{wake: make(chan struct{}, 1)}
	token, _ := s.token(c)
	ctx := c.UserContext()
	g, err := s.enter(ctx, token, standing(func(h string) string { return c.Get(h) }), s.place(c), func(error) { e.End(errorsOf(errGone), core.Unknown) })
	if err != nil {
		return err
	}
	e.guest = g
	sub, answer := s.o.Engine.Subscribe(ctx, r, readOnly, e)
	if sub == nil {
		g.leave()
		if answer.Kind == graphql.NotAllowed {
			c.Set(fiber.HeaderAllow, fiber.MethodPost)
			c.Status(fiber.StatusMethodNotAllowed)
		}
		e.waiting, e.over = answer.Body, true
		e.poke()
	} else if err := g.hold(); err != nil {
		sub.Leave()
		g.leave()
		return err
	}
	c.Set(fiber.HeaderContentType, mediaEvents.contentType())
	c.Set("X-Accel-Buffering", "no") // of nginx, which would keep the events back
	s.flowing(c, eventBuffer, func() {}, func(ctx context.Context, w *bufio.Writer) error {
		if sub != nil {
			defer g.leave()
			defer g.drop()
			defer sub.Leave()
		}
		return e.write(ctx, w, sub)
	})
	return nil
}

// errGone tells who has stayed why he must go.
var errGone = core.E("web.events", core.Unknown, "the session, the key or the token has ended, or the server stops: sign in again, or come back later")

// write sends what there is until nothing more comes, or the client is gone.
func (e *eventStream) write(ctx context.Context, w *bufio.Writer, sub *graphql.Subscription) error {
	comments := time.NewTicker(commentEvery)
	defer comments.Stop()
	_, _ = w.WriteString(":\n\n") // the client knows at once that it is connected
	for {
		if err := w.Flush(); err != nil {
			return nil // there is nobody any more
		}
		select {
		case <-ctx.Done():
			e.finish(nil)
		case <-comments.C:
			_, _ = w.WriteString(":\n\n")
			continue
		case <-e.wake:
		}
		payload, held, over, errors := e.take()
		if payload != nil {
			sendEvent(w, "next", payload)
		}
		if over {
			if errors != nil {
				sendEvent(w, "next", append(append([]byte(`{"errors":`), errors...), '}'))
			}
			sendEvent(w, "complete", nil)
			return nil
		}
		if held {
			if err := w.Flush(); err != nil {
				return nil
			}
			sub.Resume()
		}
	}
}

// sendEvent writes one event. A line break in JSON stands between values, where a space does as well.
func sendEvent(w *bufio.Writer, name string, data []byte) {
	_, _ = w.WriteString("event: " + name + "\ndata:")
	if data != nil {
		_ = w.WriteByte(' ')
		_, _ = w.Write(bytes.ReplaceAll(data, []byte{'\n'}, []byte{' '}))
	}
	_, _ = w.WriteString("\n\n")
}

func (e *eventStream) take() (payload []byte, held, over bool, errors []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	payload, held = e.waiting, e.held
	e.waiting, e.held = nil, false
	return payload, held, e.over, e.errors
}

func (e *eventStream) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Caller implements [graphql.Listener].
func (e *eventStream) Caller() (core.Caller, error) { return e.guest.Caller() }

// Ready implements [graphql.Listener].
func (e *eventStream) Ready() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = e.waiting != nil
	return !e.held && !e.over
}

// Next implements [graphql.Listener].
func (e *eventStream) Next(result []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.waiting = result
		e.poke()
	}
}

// End implements [graphql.Listener].
func (e *eventStream) End(errors []byte, _ core.ErrKind) { e.finish(errors) }

func (e *eventStream) finish(errors []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.over, e.errors = true, errors
		e.poke()
	}
}
