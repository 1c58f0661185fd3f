package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/files"
	"colonnade/flows"
	"colonnade/graphql"
	"colonnade/identity"
	"colonnade/transfer"
)

// Options of [New]. Engine, Logins, Identity and Policy are needed; the zero value of everything else works.
type Options struct {
	Engine   *graphql.Engine
	Logins   *authz.Logins
	Identity *identity.Service
	Policy   func() *authz.Policy            // of the current snapshot
	Reload   func(ctx context.Context) error // called after the first administrator was made
	Ping     func(ctx context.Context) error // whether requests can be served
	Data     *transfer.Service               // imports and exports; none when nil
	Files    *files.Service                  // files of records; none when nil
	Flows    *flows.Service                  // which deliveries start; none when nil
	Log      *slog.Logger                    // slog.Default when nil
	Logged   func(err error) error           // what the log may hold of an error; all of it when nil

	// Served is told of every request that was answered, by the pattern of its path: "other" for none of ours. Nobody when nil.
	Served func(method, route string, status int, took time.Duration)

	Dev    bool // the access log at level info instead of debug
	Public bool // may listen beyond the loopback address; set it only when somebody can sign in

	Hosts   []string       // names that the server is reached by, besides localhost; with Public and without names, any
	Proxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed

	Origins []string // of pages elsewhere that may call the API with a token, such as https://app.example.com: see [CheckOrigin]

	Users     Rate // of each user
	Strangers Rate // of each address from which nobody has signed in

	Live Live // how much may be subscribed to

	Timeout      time.Duration // of one request, 30 s when 0; GraphQL has limits of its own
	ReadTimeout  time.Duration // to receive one request, 15 s when 0
	WriteTimeout time.Duration // to send one answer, 30 s when 0
	IdleTimeout  time.Duration // of a connection between two requests, 2 min when 0
	BodyLimit    int           // bytes, 1 MB when 0
	HeaderLimit  int           // bytes of the request line and the headers, 16 KB when 0
}

// maxConnections is how many connections are held at once; the next one is answered with 503.
const maxConnections = 10_000

// Server is the HTTP server.
type Server struct {
	o       Options
	do      func(context.Context, graphql.Request, bool) graphql.Response
	app     *fiber.App
	hosts   map[string]bool // nil for any
	known   map[string]bool // the patterns of the routes
	origins map[string]bool
	site    *site
	base    context.Context // of every request; ends when a stop can wait no longer
	cancel  context.CancelFunc

	users, strangers, hooks *gate
	proxied                 sync.Once // whether it was told that a proxy is not trusted

	guests  *guests
	sockets sync.WaitGroup
	watched sync.WaitGroup

	streams sync.WaitGroup  // answers that are under way
	closing chan struct{}   // closed when the server begins to stop
	leaving context.Context // ends then too
	depart  context.CancelFunc
	close   sync.Once

	mu     sync.Mutex
	ln     net.Listener
	served chan struct{} // closed when the listener is done with
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	o = o.complete()
	s := &Server{o: o, do: o.Engine.Do, site: newSite(), closing: make(chan struct{}), users: newGate(o.Users), strangers: newGate(o.Strangers), hooks: newGate(Rate{})}
	s.guests = newGuests()
	s.origins = map[string]bool{}
	for _, origin := range o.Origins {
		s.origins[origin] = true
	}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.leaving, s.depart = context.WithCancel(s.base)
	if !o.Public || len(o.Hosts) > 0 {
		s.hosts = map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
		for _, h := range o.Hosts {
			s.hosts[strings.ToLower(hostOnly(h))] = true
		}
	}
	s.app = fiber.New(fiber.Config{
		Immutable:                    true, // without it, strings of a request change under whoever keeps them
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // fasthttp would write the files of a stranger to disk
		CaseSensitive:                true,
		StrictRouting:                true,
		ReadTimeout:                  o.ReadTimeout,
		WriteTimeout:                 o.WriteTimeout,
		IdleTimeout:                  o.IdleTimeout,
		BodyLimit:                    o.BodyLimit,
		StreamRequestBody:            true, // a file is taken in as it comes; other bodies see hold
		ReadBufferSize:               o.HeaderLimit,
		Concurrency:                  maxConnections,
		ErrorHandler:                 s.answerError,
	})
	s.app.Server().HeaderReceived = s.received
	s.app.Use(s.frame, s.guard, s.cors)
	s.known = map[string]bool{}
	for _, r := range s.routes() {
		s.known[r.path] = true
		s.app.Add(r.method, r.path, s.admit(r))
		if r.method == fiber.MethodGet {
			s.app.Add(fiber.MethodHead, r.path, s.admit(r))
		}
	}
	return s
}

func (o Options) complete() Options {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Logged == nil {
		o.Logged = func(err error) error { return err }
	}
	if o.Reload == nil {
		o.Reload = func(context.Context) error { return nil }
	}
	if o.Ping == nil {
		o.Ping = func(context.Context) error { return nil }
	}
	o.Timeout = positive(o.Timeout, 30*time.Second)
	o.ReadTimeout = positive(o.ReadTimeout, 15*time.Second)
	o.WriteTimeout = positive(o.WriteTimeout, 30*time.Second)
	o.IdleTimeout = positive(o.IdleTimeout, 2*time.Minute)
	o.BodyLimit = positive(o.BodyLimit, 1<<20)
	o.HeaderLimit = positive(o.HeaderLimit, 16<<10)
	return o
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Start listens on the address, such as "127.0.0.1:8080", and serves until [Server.Stop]. It returns when connections
// are taken. An address beyond the loopback one is refused unless the server is public.
func (s *Server) Start(addr string) error {
	const op = "web.Start"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil || s.base.Err() != nil {
		return core.E(op, core.Conflict, "the server was started before")
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return core.E(op, core.Unavailable, fmt.Sprintf("cannot listen on %s: %s", addr, listenReason(err)), err)
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); !s.o.Public && (!ok || !tcp.IP.IsLoopback()) {
		_ = ln.Close()
		return core.E(op, core.Denied, fmt.Sprintf("%s can be reached by other machines: listen on 127.0.0.1, or allow it with --public", addr))
	}
	s.ln, s.served = ln, make(chan struct{})
	s.watched.Go(func() { s.watchGuests(s.base) })
	go func() {
		defer close(s.served)
		if err := s.app.Listener(ln); err != nil && s.base.Err() == nil && !isClosed(err) {
			s.o.Log.Error("web: the server stopped listening", "err", err)
		}
	}()
	return nil
}

// listenReason says why an address cannot be listened on, and what to do.
func listenReason(err error) string {
	var name *net.DNSError
	var bad *net.AddrError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "the address is in use: stop what uses it, or choose another port with --addr"
	case errors.Is(err, syscall.EACCES):
		return "permission denied: choose a port from 1024 on with --addr"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine does not have the address: choose one of its own with --addr, such as 127.0.0.1:8080"
	case errors.As(err, &bad):
		return bad.Err + ": write --addr like 127.0.0.1:8080"
	case errors.As(err, &name):
		return name.Err + ": write --addr like 127.0.0.1:8080"
	}
	return "choose another address with --addr"
}

// Addr returns the address that the server listens on, "" before [Server.Start].
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil {
		return ""
	}
	return s.ln.Addr().String()
}

// Stop takes no more connections and waits for the requests that run. When ctx ends first, they are told to end, and the
// error says so. A second Stop does nothing more.
func (s *Server) Stop(ctx context.Context) error {
	const op = "web.Stop"
	defer s.cancel()
	s.close.Do(func() {
		close(s.closing)
		s.depart()
		s.dismiss()
	})
	s.mu.Lock()
	ln, served := s.ln, s.served
	s.mu.Unlock()
	if ln == nil {
		return nil
	}
	_ = ln.Close() // here too, since fasthttp may not have seen the listener yet
	select {
	case <-served:
	case <-ctx.Done():
	}
	err := s.app.ShutdownWithContext(ctx)
	s.sendOff(ctx)
	if err != nil && !isClosed(err) {
		return core.E(op, core.Unavailable, "requests were still running", err)
	}
	return nil
}

// sendOff waits until those who were dismissed are gone, and cuts off who stays longer than ctx.
func (s *Server) sendOff(ctx context.Context) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.sockets.Wait()
	}()
	select {
	case <-gone:
	case <-ctx.Done():
		s.guests.cut()
		<-gone
	}
	s.cancel()
	s.watched.Wait()
}
