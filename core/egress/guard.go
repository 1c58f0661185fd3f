package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"

	"colonnade/core"
)

// Options are what the operator allows beyond the public Internet. They are never for a user to say.
type Options struct {
	Private []netip.Prefix // networks that may be reached although they are not of the public Internet; those of IPv4 as such
	Ports   []int          // that may be reached besides 80, 443 and 8443
}

var usualPorts = []int{80, 443, 8443}

// Limits bound one exchange: redirects, and the body of the answer, included. A zero field stands for its default.
type Limits struct {
	Body int64         // bytes of an answer, unpacked; 10 MB
	Time time.Duration // until the body was read; 30 s
}

const (
	maxBody      = 10 << 20
	maxTime      = 30 * time.Second
	maxHeader    = 64 << 10 // bytes of the headers of an answer
	maxRedirects = 3
)

// Guard decides what may be called.
type Guard struct {
	o        Options
	resolver *net.Resolver // nil for that of the machine
}

// New returns a guard.
func New(o Options) *Guard {
	o.Ports = append(slices.Clone(usualPorts), o.Ports...)
	return &Guard{o: o}
}

// Client returns a client that calls only what the guard allows. The address that a connection is made to is what counts,
// not the name that stood for it a moment before, and it counts again at each redirect.
//
// A redirect to another host, port or scheme carries no header that could hold a secret, and no body. There is no proxy
// in between, since the guard would judge the address of the proxy.
func (g *Guard) Client(l Limits) *http.Client {
	if l.Body <= 0 {
		l.Body = maxBody
	}
	if l.Time <= 0 {
		l.Time = maxTime
	}
	dialer := &net.Dialer{Timeout: l.Time, Resolver: g.resolver, ControlContext: g.control}
	return &http.Client{
		Timeout:       l.Time,
		CheckRedirect: redirect,
		Transport: &guarded{guard: g, body: l.Body, next: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns:           16,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
		}},
	}
}

// errOut says no more than is known to who asked: whether a name exists within the network of the operator, and which
// address it has, is not his business.
const errOut = "the host is unknown, or not of the public Internet; the operator can allow a network with --egress-private"

// control judges an address before a connection is made to it.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	const op = "egress.control"
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return core.E(op, err)
	}
	if ip := at.Addr().Unmap(); !public(at.Addr()) && !within(ip.WithZone(""), g.o.Private) {
		return core.E(op, core.Denied, errOut, fmt.Errorf("the address is %s", ip))
	}
	return g.port(op, int(at.Port()))
}

func (g *Guard) port(op string, port int) error {
	if slices.Contains(g.o.Ports, port) {
		return nil
	}
	return core.E(op, core.Denied, fmt.Sprintf("port %d may not be called, only %v; the operator can allow others with --egress-ports", port, g.o.Ports))
}

// CheckURL says what is wrong with an address as far as its text shows, for whoever takes one in. Where its host leads is
// judged when it is called.
func (g *Guard) CheckURL(address string) error {
	const op = "egress.CheckURL"
	u, err := url.Parse(address)
	if err != nil {
		return core.E(op, core.Invalid, "the address is not a URL such as https://example.com/path", err)
	}
	return g.check(op, u)
}

func (g *Guard) check(op string, u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return core.E(op, core.Invalid, "the address must begin with https:// or http:// and name a host")
	case u.User != nil:
		return core.E(op, core.Invalid, "the address must not hold a user or a password: send them in a header")
	}
	port := 443
	if u.Scheme == "http" {
		port = 80
	}
	if text := u.Port(); text != "" {
		var err error
		if port, err = strconv.Atoi(text); err != nil {
			return core.E(op, core.Invalid, "the port of the address is no number", err)
		}
	}
	if err := g.port(op, port); err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !public(ip) && !within(ip.Unmap().WithZone(""), g.o.Private) {
		return core.E(op, core.Denied, errOut)
	}
	return nil
}

// guarded is the transport of a client.
type guarded struct {
	guard *Guard
	body  int64
	next  *http.Transport
}

// RoundTrip judges the URL, which a redirect may have brought, and bounds the answer.
func (t *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	const op = "egress.RoundTrip"
	if err := t.guard.check(op, r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, reason(op, r.URL.Host, err)
	}
	res.Body = &bounded{ReadCloser: res.Body, left: t.body, max: t.body}
	return res, nil
}

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (t *guarded) CloseIdleConnections() { t.next.CloseIdleConnections() }

// reason says why there is no answer.
func reason(op, host string, err error) error {
	var denied *core.Error
	var name *net.DNSError
	var late net.Error
	switch {
	case errors.As(err, &denied):
		return core.E(op, denied)
	case errors.As(err, &name) && name.IsNotFound:
		return core.E(op, core.Denied, errOut, err)
	case errors.Is(err, context.Canceled):
		return core.E(op, err)
	case errors.As(err, &late) && late.Timeout():
		return core.E(op, core.Unavailable, host+" did not answer in time", err)
	}
	return core.E(op, core.Unavailable, host+" cannot be reached, or does not answer as a web server does", err)
}

// bounded is the body of an answer, up to a limit. What is longer ends in an error, so that nobody takes the part for the
// whole.
type bounded struct {
	io.ReadCloser
	left, max int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		return n, core.E("egress.Read", core.Limit, fmt.Sprintf("the answer is longer than %d bytes", b.max))
	}
	b.left -= int64(n)
	return n, err
}
