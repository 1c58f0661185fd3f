package authz

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"colonnade/core"
)

// throttle limits attempts by key: so many within a minute, and then a pause that doubles each time.
type throttle struct {
	limit int

	mu   sync.Mutex
	keys map[string]*attempts
}

type attempts struct {
	since  time.Time // start of the minute
	count  int       // attempts in it
	pauses int       // how often the limit was reached
	until  time.Time // of the pause
}

const (
	throttleWindow = time.Minute
	firstPause     = 30 * time.Second
	longestPause   = 15 * time.Minute
	throttleKeys   = 20_000 // remembered at most
)

func newThrottle(limit int) *throttle {
	return &throttle{limit: limit, keys: map[string]*attempts{}}
}

// take counts an attempt. It returns how long to wait when there were too many; that attempt must not be made.
func (t *throttle) take(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.keys[key]
	if a == nil {
		t.makeRoom(now)
		a = &attempts{since: now}
		t.keys[key] = a
	}
	if now.Before(a.until) {
		return a.until.Sub(now)
	}
	if now.Sub(a.since) > longestPause {
		a.pauses = 0
	}
	if now.Sub(a.since) >= throttleWindow {
		a.since, a.count = now, 0
	}
	if a.count < t.limit {
		a.count++
		return 0
	}
	pause := min(firstPause<<min(a.pauses, 10), longestPause)
	a.pauses++
	a.since, a.count, a.until = now.Add(pause), 0, now.Add(pause)
	return pause
}

// forgive forgets the attempts of a key, after one that succeeded.
func (t *throttle) forgive(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.keys, key)
}

// makeRoom forgets what no longer counts; when that is not enough, everybody who is not made to wait.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.keys) < throttleKeys {
		return
	}
	for key, a := range t.keys {
		if now.Sub(a.since) > longestPause {
			delete(t.keys, key)
		}
	}
	if len(t.keys) < throttleKeys {
		return
	}
	for key, a := range t.keys {
		if !now.Before(a.until) || len(t.keys) >= 2*throttleKeys {
			delete(t.keys, key)
		}
	}
}

// network returns what counts as one address: an IPv4 address, or the /64 that an IPv6 host chooses from.
func network(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			return addr
		}
		ip = ap.Addr()
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

func tooMany(op string, wait time.Duration) error {
	w := core.Wait(wait)
	return core.E(op, core.Limit, fmt.Sprintf("too many attempts: wait %s and try again", core.Count(w.Seconds(), "second")), w)
}
