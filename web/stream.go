package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"colonnade/core"
)

// The server reads the bodies of requests as streams. A route that takes no stream gets its body whole, and small: see
// [Server.hold].

// streamPath is where the routes are that take streams.
const streamPath = "/data/"

// maxStream is how long a file may take to arrive or to leave; a pause within it no longer than the timeouts of the server.
const maxStream = 12 * time.Hour

// tooLarge marks a request whose body is larger than its route takes. Who sends it says so of itself.
const tooLarge = "X-Body-Too-Large"

// received looks at the headers of a request before its body: fasthttp would wait for the beginning of one that is refused.
func (s *Server) received(h *fasthttp.RequestHeader) (none fasthttp.RequestConfig) {
	if limit, _ := s.bodyLimit(h.RequestURI()); int64(h.ContentLength()) > limit {
		h.SetContentLength(0)
		h.SetConnectionClose() // what follows is no request
		h.Set(tooLarge, "1")
	}
	return none
}

// What to do instead of sending a body that is too large.
const (
	sendLess    = "send less at once, or many records as a file to /data/import; who runs the server can allow more with --max-body"
	smallerFile = "choose a smaller file; who runs the server can allow more with --max-file"
)

// bodyLimit returns how many bytes the body of a request to that address may have, and what to do when it has more.
func (s *Server) bodyLimit(uri []byte) (limit int64, instead string) {
	switch {
	case s.o.Files != nil && bytes.HasPrefix(uri, []byte(filePath)):
		return max(int64(s.o.BodyLimit), s.o.Files.MaxSize()), smallerFile
	case bytes.HasPrefix(uri, []byte(streamPath)):
		return math.MaxInt64, ""
	}
	return int64(s.o.BodyLimit), sendLess
}

// errTooLarge is the answer to a body that is larger than the limit.
func errTooLarge(limit int64, instead string) error {
	return &tooLargeError{fmt.Sprintf("the body has more than %d bytes, the limit of this address: %s", limit, instead)}
}

// tooLargeError says what the limit is, and what to do.
type tooLargeError struct{ msg string }

func (e *tooLargeError) Error() string { return e.msg }

// hold reads the body of a request into memory, unless it is larger than the limit.
func (s *Server) hold(c *fiber.Ctx) error {
	r := c.Request()
	if len(r.Header.Peek(tooLarge)) > 0 {
		c.Response().SetConnectionClose()
		return errTooLarge(s.bodyLimit(r.Header.RequestURI()))
	}
	if !r.IsBodyStream() {
		return nil
	}
	limit := s.o.BodyLimit
	body, err := io.ReadAll(io.LimitReader(r.BodyStream(), int64(limit)+1))
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		c.Response().SetConnectionClose()
		return fiber.NewError(fiber.StatusRequestTimeout)
	case err != nil:
		c.Response().SetConnectionClose()
		return fiber.NewError(fiber.StatusBadRequest)
	case len(body) > limit:
		c.Response().SetConnectionClose()
		return errTooLarge(int64(limit), sendLess)
	}
	r.SetBodyRaw(body)
	return nil
}

// long returns the context of work that outlives the deadline of a request.
func (s *Server) long(c *fiber.Ctx) (context.Context, context.CancelFunc) {
	ctx := core.WithOrigin(s.base, core.OriginFrom(c.UserContext()))
	return context.WithTimeout(core.WithCaller(ctx, core.CallerFrom(c.UserContext())), maxStream)
}

// brief returns the context of work that takes no longer than a request, and is part of none.
func (s *Server) brief(origin core.Origin) (context.Context, context.CancelFunc) {
	return context.WithTimeout(core.WithOrigin(s.base, origin), s.o.Timeout)
}

// incoming is the body of a request: each part of it has the time that a whole request has.
type incoming struct {
	r    io.Reader
	conn net.Conn
	wait time.Duration
}

func (s *Server) incoming(c *fiber.Ctx) io.Reader {
	body := c.Request().BodyStream()
	if !c.Request().IsBodyStream() {
		return eof{}
	}
	return &incoming{r: body, conn: c.Context().Conn(), wait: s.o.ReadTimeout}
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (in *incoming) Read(p []byte) (int, error) {
	if err := in.conn.SetReadDeadline(time.Now().Add(in.wait)); err != nil {
		return 0, err
	}
	return in.r.Read(p)
}

// outgoing answers with what write writes, as it comes. An error cuts the connection off, so that the client does not take the
// part for the whole.
func (s *Server) outgoing(c *fiber.Ctx, write func(ctx context.Context, w io.Writer) error) {
	s.flowing(c, 64<<10, stay(c), func(ctx context.Context, w *bufio.Writer) error { return write(ctx, w) })
}

// flowing is outgoing with a buffer of a size; end is called when everything was written, before the client can know.
func (s *Server) flowing(c *fiber.Ctx, buffer int, end func(), write func(ctx context.Context, w *bufio.Writer) error) {
	ctx, cancel := s.long(c)
	from, to := io.Pipe()
	conn := c.Context().Conn()
	s.streams.Add(1)
	go func() {
		defer s.streams.Done()
		defer cancel()
		w := bufio.NewWriterSize(&paced{w: to, conn: conn, wait: s.o.WriteTimeout}, buffer)
		err := safely(func() error { return write(ctx, w) })
		if err == nil {
			err = w.Flush()
		}
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			s.o.Log.WarnContext(ctx, "web: an answer was cut off", "err", err, "request_id", RequestID(ctx))
		}
		end() // before the client can know
		_ = to.CloseWithError(err)
	}()
	c.Context().SetBodyStream(from, -1)
}

// sendStream answers with n bytes of r, as they are read, and closes what they come from.
func (s *Server) sendStream(c *fiber.Ctx, r io.Reader, from io.Closer, n int) {
	end := stay(c)
	s.streams.Add(1)
	done := func() {
		end()
		s.streams.Done()
	}
	c.Context().SetBodyStream(&sending{r: r, from: from, conn: c.Context().Conn(), wait: s.o.WriteTimeout, done: done}, n)
}

// sending gives each part of an answer the time that a whole answer has: fasthttp writes what it has read.
type sending struct {
	r    io.Reader
	from io.Closer
	conn net.Conn
	wait time.Duration
	done func()
	once sync.Once
}

func (b *sending) Read(p []byte) (int, error) {
	if err := b.conn.SetWriteDeadline(time.Now().Add(b.wait)); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// Close is called when the answer was sent, and when it could not be.
func (b *sending) Close() (err error) {
	b.once.Do(func() {
		defer b.done()
		err = b.from.Close()
	})
	return err
}

func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = core.E("web.outgoing", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return f()
}

// paced gives each part of an answer the time that a whole answer has.
type paced struct {
	w    io.Writer
	conn net.Conn
	wait time.Duration
}

func (p *paced) Write(b []byte) (int, error) {
	if err := p.conn.SetWriteDeadline(time.Now().Add(p.wait)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}
