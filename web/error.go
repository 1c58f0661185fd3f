package web

import (
	"errors"
	"log/slog"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/files"
)

// statuses say what HTTP calls a kind of error.
var statuses = map[core.ErrKind]int{
	core.Invalid:     fiber.StatusBadRequest,
	core.Failed:      fiber.StatusUnprocessableEntity,
	core.NotFound:    fiber.StatusNotFound,
	core.Denied:      fiber.StatusForbidden,
	core.Unknown:     fiber.StatusUnauthorized,
	core.Exists:      fiber.StatusConflict,
	core.Conflict:    fiber.StatusConflict,
	core.Limit:       fiber.StatusTooManyRequests,
	core.Full:        fiber.StatusInsufficientStorage,
	core.Unavailable: fiber.StatusServiceUnavailable,
	core.Internal:    fiber.StatusInternalServerError,
}

// refusals say what is told of the errors of HTTP itself. The texts of fasthttp are not: they quote the request.
var refusals = map[int]struct {
	kind core.ErrKind
	msg  string
}{
	fiber.StatusBadRequest:                  {core.Invalid, "the request is not well-formed HTTP"},
	fiber.StatusNotFound:                    {core.NotFound, "there is nothing at this address"},
	fiber.StatusMethodNotAllowed:            {core.Invalid, "this address does not take this method"},
	fiber.StatusRequestTimeout:              {core.Unavailable, "the request did not arrive in time"},
	fiber.StatusRequestEntityTooLarge:       {core.Limit, "the body is too large"},
	fiber.StatusRequestHeaderFieldsTooLarge: {core.Limit, "the headers are too large"},
}

// answerError writes err as JSON, in the form of GraphQL errors. Errors with a kind say what they may; of the others,
// the client gets the id under which the log has them.
func (s *Server) answerError(c *fiber.Ctx, err error) error {
	if len(c.Response().Header.Peek(fiber.HeaderXContentTypeOptions)) == 0 {
		setHeaders(c) // fasthttp refused the request before any handler saw it
	}
	status, kind, msg := s.tell(c, err)
	c.Status(status)
	if status == fiber.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	var wait core.Wait
	if errors.As(err, &wait) {
		c.Set(fiber.HeaderRetryAfter, strconv.FormatInt(wait.Seconds(), 10))
	}
	c.Set(fiber.HeaderContentType, mediaJSON.contentType())
	if c.Path() == graphqlPath {
		if m, ok := negotiate(c.Get(fiber.HeaderAccept)); ok {
			c.Set(fiber.HeaderContentType, m.contentType())
		}
	}
	b := core.AppendString([]byte(`{"errors":[{"message":`), msg)
	b = core.AppendString(append(b, `,"extensions":{"code":`...), string(kind))
	b = core.AppendString(append(b, `,"kind":`...), string(kind))
	if id := RequestID(c.UserContext()); id != "" {
		b = core.AppendString(append(b, `,"request_id":`...), id)
	}
	return c.Send(append(b, `}}]}`...))
}

func (s *Server) tell(c *fiber.Ctx, err error) (status int, kind core.ErrKind, msg string) {
	var long *tooLargeError
	if errors.As(err, &long) {
		return fiber.StatusRequestEntityTooLarge, core.Limit, long.msg
	}
	var h *fiber.Error
	if errors.As(err, &h) {
		if r, ok := refusals[h.Code]; ok {
			return h.Code, r.kind, r.msg
		}
		return h.Code, core.Invalid, h.Message
	}
	e := core.AsError(err)
	level := slog.LevelDebug
	switch {
	case e.Kind == core.Internal:
		level = slog.LevelError
	case e.Kind.Retry():
		level = slog.LevelWarn
	}
	s.o.Log.Log(c.UserContext(), level, "web: the request was refused",
		"method", c.Method(), "path", c.Path(), "err", s.o.Logged(err), "request_id", RequestID(c.UserContext()))
	status = statuses[e.Kind]
	if errors.Is(err, files.ErrTooLarge) {
		status = fiber.StatusRequestEntityTooLarge
	}
	return status, e.Kind, e.Public()
}
