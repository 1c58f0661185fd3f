package web

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

// Rate is how much one user, or one address that nobody signed in from, may ask for. Zero is no limit.
type Rate struct {
	PerMinute int // requests; as many at once, and then evenly
	Together  int // requests that run at the same time
}

// maxMeters is how many keys a gate remembers. Who comes beyond them shares one meter with all others who do.
const maxMeters = 50_000

// gate counts requests by key. How many come is counted by the generic cell rate algorithm (ITU-T I.371): each request
// moves the time when the meter is empty again, and one that would move it further than a minute ahead is refused.
type gate struct {
	rate Rate

	mu     sync.Mutex
	meters map[string]*meter
	swept  time.Time
}

type meter struct {
	empty   time.Time
	running int
}

func newGate(r Rate) *gate { return &gate{rate: r, meters: map[string]*meter{}} }

// every is the time between two requests that may go on for ever.
func (r Rate) every() time.Duration {
	if r.PerMinute <= 0 {
		return 0
	}
	return time.Minute / time.Duration(r.PerMinute)
}

// enter counts a request. When it returns an error, the request must not be served; otherwise leave is called with the
// key that it returns when the request ends.
func (g *gate) enter(key string, now time.Time) (string, error) { return g.admit(key, g.rate, now) }

// admit is enter for a key that has a rate of its own.
func (g *gate) admit(key string, r Rate, now time.Time) (string, error) {
	const op = "web.enter"
	if r == (Rate{}) {
		return key, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key, m := g.meter(key, now)
	if r.Together > 0 && m.running >= r.Together {
		return "", core.E(op, core.Limit, fmt.Sprintf("%d requests of yours run already: wait until one has ended", m.running), core.Wait(time.Second))
	}
	if r.PerMinute > 0 {
		next, err := m.next(r, now)
		if err != nil {
			return "", err
		}
		m.empty = next
	}
	m.running++
	return key, nil
}

// next returns when the meter is empty after one more request, or how long that has to wait.
func (m *meter) next(r Rate, now time.Time) (time.Time, error) {
	next := later(m.empty, now).Add(r.every())
	if ahead := next.Sub(now); ahead > time.Minute {
		wait := core.Wait(ahead - time.Minute)
		return next, core.E("web.enter", core.Limit, fmt.Sprintf("more than %d requests a minute: wait %s", r.PerMinute, core.Count(wait.Seconds(), "second")), wait)
	}
	return next, nil
}

// full returns why a request of the key would not be let in now. It counts none.
func (g *gate) full(key string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.meters[key]
	if m == nil || g.rate.PerMinute <= 0 {
		return nil
	}
	_, err := m.next(g.rate, now)
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// meter returns the meter of the key, and the key under which it is.
func (g *gate) meter(key string, now time.Time) (string, *meter) {
	m := g.meters[key]
	if m != nil {
		return key, m
	}
	if len(g.meters) >= maxMeters && now.Sub(g.swept) >= time.Second {
		g.swept = now
		for k, m := range g.meters {
			if m.running == 0 && !m.empty.After(now) {
				delete(g.meters, k)
			}
		}
	}
	if len(g.meters) >= maxMeters {
		key = ""
		if m = g.meters[key]; m != nil {
			return key, m
		}
	}
	m = &meter{}
	g.meters[key] = m
	return key, m
}

// leave tells that a request has ended.
func (g *gate) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m := g.meters[key]; m != nil {
		m.running--
	}
}

// visit is a request that a gate has let in.
type visit struct {
	gate *gate
	key  string
	once sync.Once
	long bool // the answer is a stream, which ends it
}

type visitKey struct{}

func (v *visit) end() { v.once.Do(func() { v.gate.leave(v.key) }) }

// count lets the request in by the gate of its user, or by that of strangers, or says why not.
func (s *Server) count(c *fiber.Ctx, who core.Caller) (*visit, error) {
	g, key := s.users, principal(who)
	if who.Anonymous() {
		peer := s.peer(c)
		g, key = s.strangers, place(peer)
		if c.Get(fiber.HeaderXForwardedFor) != "" && !s.trusts(s.connected(c)) {
			s.proxied.Do(func() {
				s.o.Log.Warn("web: requests come through a proxy that is not trusted, so that all its visitors count as one: add it to --proxies", "proxy", peer)
			})
		}
	}
	key, err := g.enter(key, time.Now())
	if err != nil {
		return nil, err
	}
	v := &visit{gate: g, key: key}
	c.Locals(visitKey{}, v)
	return v, nil
}

// stay has the request count for as long as its answer is sent. It returns what ends that.
func stay(c *fiber.Ctx) (end func()) {
	v, ok := c.Locals(visitKey{}).(*visit)
	if !ok {
		return func() {}
	}
	v.long = true
	return v.end
}

// principal is by whom requests are counted: who sits at the keyboard, whatever he signs in with.
func principal(who core.Caller) string {
	if who.Behalf != "" {
		return string(who.Behalf)
	}
	return string(who.User)
}

// place is what counts as one address: an address of IPv4, or the /64 that a host of IPv6 chooses from.
func place(ip netip.Addr) string {
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
