package live

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"colonnade/core"
)

// Member is a subscriber among those of a hub, by whose lock it is guarded.
type Member struct {
	hub        *Hub
	who        Subscriber
	group      *group // nil for one who has left
	at         int    // among the members of the group
	place      Place
	generation uint64 // of the snapshot by which it was prepared
}

// Join subscribes who, from a place on. It prepares him before it returns, and fails where that does.
func (h *Hub) Join(ctx context.Context, who Subscriber, from Place) (*Member, error) {
	const op = "live.Join"
	m := &Member{hub: h, who: who, place: from}
	h.mu.Lock()
	on, generation := h.on, h.generation
	h.mu.Unlock()
	if !on {
		return nil, core.E(op, core.Unavailable, "the server does not take subscriptions now: try again")
	}
	s, err := prepare(ctx, who)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[m] = true
	h.enter(m, s, generation)
	h.refresh(m)
	return m, nil
}

// refresh has the member prepared anew where there is a newer snapshot. The hub is locked.
func (h *Hub) refresh(m *Member) {
	if m.generation != h.generation {
		h.stale = append(h.stale, m)
		h.work.Signal()
	}
}

// prepare turns a panic into an error, which ends one subscription.
func prepare(ctx context.Context, who Subscriber) (s Source, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return who.Prepare(ctx)
}

func panicked(p any) error {
	return core.E("live.panicked", core.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
}

// Leave ends the subscription. The subscriber is told nothing any more when it returns.
func (m *Member) Leave() {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	m.hub.remove(m)
}

// Resume tells that the subscriber, who was not ready, is so again.
func (m *Member) Resume() {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.group != nil {
		m.hub.kick(m.group, true)
	}
}

// Renew has the subscriber prepared anew, because his rights have changed. Until then he is told nothing.
func (m *Member) Renew() {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.members[m] {
		return
	}
	m.generation = 0 // of no snapshot
	h.refresh(m)
}

// renew prepares the member by the newest snapshot.
func (m *Member) renew(ctx context.Context) {
	h := m.hub
	h.mu.Lock()
	generation, in := h.generation, h.members[m]
	h.mu.Unlock()
	if !in {
		return
	}
	s, err := prepare(ctx, m.who)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.members[m]:
	case err == nil:
		h.enter(m, s, generation)
		h.refresh(m)
	case passes(err):
		time.AfterFunc(retryGap, m.Renew)
	default:
		h.remove(m)
		m.who.End(err)
	}
}

// end ends the subscription for a reason that the subscriber is told.
func (m *Member) end(err error) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.hub.members[m] {
		m.hub.remove(m)
		m.who.End(err)
	}
}
