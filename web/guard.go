package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

// policyCSP is what a page may load and do. GraphiQL has one of its own.
const policyCSP = "default-src 'self'; script-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// securityHeaders are on every answer, spelled as they go over the wire. A page may replace the first.
var securityHeaders = [][2][]byte{
	{[]byte(fiber.HeaderContentSecurityPolicy), []byte(policyCSP)},
	{[]byte(fiber.HeaderXContentTypeOptions), []byte("nosniff")},
	{[]byte(fiber.HeaderReferrerPolicy), []byte("no-referrer")},
	{[]byte(fiber.HeaderXFrameOptions), []byte("DENY")},
	{[]byte("Permissions-Policy"), []byte("accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()")},
	{[]byte("Cross-Origin-Opener-Policy"), []byte("same-origin")},
	{[]byte("Cross-Origin-Resource-Policy"), []byte("same-origin")},
	{[]byte(fiber.HeaderCacheControl), []byte("no-store")},
}

func setHeaders(c *fiber.Ctx) {
	for _, h := range securityHeaders {
		c.Response().Header.SetCanonical(h[0], h[1])
	}
}

// RequestID returns the id under which the request of ctx is logged and answered, "" outside of requests.
func RequestID(ctx context.Context) string {
	return core.OriginFrom(ctx).Request
}

// frame is around every request: id, headers, deadline, panic, access log. A client that leaves is not noticed by
// fasthttp, so that the deadline is the only end of work that nobody waits for.
func (s *Server) frame(c *fiber.Ctx) (err error) {
	begin := time.Now()
	setHeaders(c)
	if s.secure(c) {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
	id := string(core.NewID()) // ours, never the client's: it goes into the log
	c.Set(fiber.HeaderXRequestID, id)
	ctx, cancel := context.WithTimeout(core.WithOrigin(s.base, core.Origin{Request: id, Address: s.peer(c).String()}), s.o.Timeout)
	defer cancel()
	c.SetUserContext(ctx)
	defer func() {
		if p := recover(); p != nil {
			err = core.E("web.frame", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		if err != nil {
			err = s.answerError(c, err)
		}
		s.logAccess(c, begin)
		s.tally(c, begin)
	}()
	return c.Next()
}

// tally tells of an answer. Paths and methods that strangers make up are one.
func (s *Server) tally(c *fiber.Ctx, begin time.Time) {
	if s.o.Served == nil {
		return
	}
	method, route, status := c.Method(), c.Route().Path, c.Response().StatusCode()
	if !s.known[route] || route == "/" && (status == fiber.StatusNotFound || status == fiber.StatusMethodNotAllowed) { // where no route was found, that of the middleware is left
		method, route = "any", "other"
	}
	s.o.Served(method, route, status, time.Since(begin))
}

func (s *Server) logAccess(c *fiber.Ctx, begin time.Time) {
	level := slog.LevelDebug
	if s.o.Dev {
		level = slog.LevelInfo
	}
	if !s.o.Log.Enabled(c.UserContext(), level) {
		return
	}
	size := -1 // of a stream, which has not begun
	if !c.Response().IsBodyStream() {
		size = len(c.Response().Body())
	}
	s.o.Log.Log(c.UserContext(), level, "web: request",
		"method", c.Method(), "path", c.Path(), "status", c.Response().StatusCode(), "bytes", size,
		"took", time.Since(begin), "peer", s.peer(c), "user", core.CallerFrom(c.UserContext()).User, "request_id", RequestID(c.UserContext()))
}

// guard refuses what no honest client sends: a request that two servers would read differently, and one for a foreign
// host, which is how a page of a stranger reaches a server behind the firewall of its reader (DNS rebinding).
func (s *Server) guard(c *fiber.Ctx) error {
	const op = "web.guard"
	if uri := c.Request().Header.RequestURI(); len(uri) == 0 || uri[0] != '/' {
		return core.E(op, core.Invalid, "the request line needs a path that begins with a slash")
	}
	var length, coding, hosts int
	for line := range bytes.Lines(c.Request().Header.RawHeaders()) {
		name, _, _ := bytes.Cut(line, []byte{':'})
		switch name = bytes.TrimSpace(name); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length++
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			coding++
		case bytes.EqualFold(name, []byte("Host")):
			hosts++
		}
	}
	if length > 0 && coding > 0 {
		c.Response().SetConnectionClose()
		return core.E(op, core.Invalid, "a request has Content-Length or Transfer-Encoding, not both")
	}
	host := string(c.Request().Header.Host())
	if hosts != 1 || host == "" {
		c.Response().SetConnectionClose()
		return core.E(op, core.Invalid, "a request needs one Host header")
	}
	if s.hosts != nil && !s.hosts[strings.ToLower(hostOnly(host))] && !strings.HasPrefix(c.Path(), healthPath) { // probes name the machine
		return fiber.NewError(fiber.StatusMisdirectedRequest, "this server does not answer for the host: add its name to the configuration")
	}
	return c.Next()
}

// hostOnly returns a host without the port and without brackets.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// peer returns the address that the request comes from: that of the connection, or what a trusted proxy says.
func (s *Server) peer(c *fiber.Ctx) netip.Addr {
	at := s.connected(c)
	if !s.trusts(at) {
		return at
	}
	// Each proxy appends the peer that it saw, so that the last one who is no proxy of ours is the first to believe.
	hops := strings.Split(strings.Join(c.GetReqHeaders()[fiber.HeaderXForwardedFor], ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(at); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = hop.Unmap().WithZone("")
	}
	return at
}

// connected returns the address at the other end of the connection.
func (s *Server) connected(c *fiber.Ctx) netip.Addr {
	ip, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return ip.Unmap()
}

func (s *Server) trusts(ip netip.Addr) bool {
	for _, p := range s.o.Proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// secure reports whether the client came over HTTPS, as a trusted proxy tells.
func (s *Server) secure(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderXForwardedProto) == "https" && s.trusts(s.connected(c))
}

func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "use of closed network connection")
}
