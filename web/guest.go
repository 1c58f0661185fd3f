package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/identity"
)

// Live is how much may be subscribed to at a time. Zero is no limit.
type Live struct {
	PerUser       int // subscriptions of one user, or of one address from which nobody has signed in; and connections as well
	PerConnection int // operations of one connection
	Total         int // connections
}

// guest is a caller who stays: at the other end of a socket, or of a stream of events.
type guest struct {
	s      *Server
	key    string // by which his subscriptions are counted
	token  string
	origin core.Origin
	end    func(error) // tells him that he must go; it waits for nothing

	entry identity.Entry
}

// guests are all who stay.
type guests struct {
	mu      sync.Mutex
	in      map[*guest]bool
	conns   map[*socket]bool
	streams map[string]int // connections, by key
	held    map[string]int // subscriptions, by key
	over    bool           // nobody is let in any more
}

func newGuests() *guests {
	return &guests{in: map[*guest]bool{}, conns: map[*socket]bool{}, streams: map[string]int{}, held: map[string]int{}}
}

// caller returns who asks for something now: as in a request of its own, the token is looked at again.
func (g *guest) caller(ctx context.Context) (core.Caller, error) {
	_, who, err := g.s.o.Identity.Enter(ctx, g.token, identity.Entry{As: g.entry.As, Simulate: g.entry.Simulate}, core.Cause{Kind: "api"})
	return who, err
}

// Caller is the caller with the rights of now, for what he is subscribed to.
func (g *guest) Caller() (core.Caller, error) { return g.s.o.Identity.Again(g.entry) }

// enter has somebody stay who has the token, until leave.
func (s *Server) enter(ctx context.Context, token string, e identity.Entry, peer string, end func(error)) (*guest, error) {
	e, who, err := s.o.Identity.Enter(ctx, token, e, core.Cause{Kind: "api"})
	if err != nil {
		return nil, err
	}
	g := &guest{s: s, token: token, origin: core.OriginFrom(ctx), end: end, entry: e, key: principal(who)}
	if who.Anonymous() {
		g.key = peer
	}
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	if most := s.o.Live.PerUser; most > 0 && s.guests.streams[g.key] >= most {
		return nil, core.E("web.enter", core.Limit, fmt.Sprintf("%d connections of yours stay open already, which is the most that you may have: close one", most))
	}
	s.guests.streams[g.key]++
	s.guests.in[g] = true
	return g, nil
}

// leave ends the stay.
func (g *guest) leave() {
	all := g.s.guests
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.in[g] {
		delete(all.in, g)
		lower(all.streams, g.key)
	}
}

// hold counts a subscription, unless there are too many.
func (g *guest) hold() error {
	all := g.s.guests
	all.mu.Lock()
	defer all.mu.Unlock()
	if most := g.s.o.Live.PerUser; most > 0 && all.held[g.key] >= most {
		return core.E("web.hold", core.Limit, fmt.Sprintf("you have %d subscriptions, which is the most that you may have: end one", most))
	}
	all.held[g.key]++
	return nil
}

// drop counts that a subscription has ended.
func (g *guest) drop() {
	all := g.s.guests
	all.mu.Lock()
	defer all.mu.Unlock()
	lower(all.held, g.key)
}

func lower(counts map[string]int, key string) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// watchGuests sends away who cannot stay any longer, until ctx ends.
func (s *Server) watchGuests(ctx context.Context) {
	ticks := time.NewTicker(identity.CheckEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if err := s.checkGuests(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "web: cannot look at the sessions of who stays", "err", err)
		}
	}
}

func (s *Server) checkGuests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	s.guests.mu.Lock()
	list := make([]*guest, 0, len(s.guests.in))
	for g := range s.guests.in {
		list = append(list, g)
	}
	s.guests.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	entries := make([]identity.Entry, len(list))
	for i, g := range list {
		entries[i] = g.entry
	}
	ended, err := s.o.Identity.Ended(ctx, entries)
	if err != nil {
		return err
	}
	for i, bad := range ended {
		if bad != nil {
			list[i].end(bad)
		}
	}
	return nil
}

// dismiss sends everybody away, since the server stops.
func (s *Server) dismiss() {
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	s.guests.over = true
	for k := range s.guests.conns {
		k.dismiss()
	}
	for g := range s.guests.in {
		g.end(errStopping)
	}
}

// arrive counts a socket; it reports false when the server has begun to stop.
func (all *guests) arrive(k *socket) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if !all.over {
		all.conns[k] = true
	}
	return !all.over
}

func (all *guests) depart(k *socket) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.conns, k)
}

// cut ends every connection at once.
func (all *guests) cut() {
	all.mu.Lock()
	defer all.mu.Unlock()
	for k := range all.conns {
		k.out.shut()
		k.out.failed()
	}
}

// sockets returns how many there are.
func (all *guests) sockets() int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return len(all.conns)
}

var errStopping = core.E("web.Stop", core.Unavailable, "the server stops: try again later")

// standing returns as whom a request of the headers is made: see standIn.
func standing(get func(string) string) identity.Entry {
	return identity.Entry{As: get(headerBehalf), Simulate: get(headerSimulate)}
}

// place by which strangers are counted.
func (s *Server) place(c *fiber.Ctx) string { return place(s.peer(c)) }
