package live

import (
	"context"
	"slices"
	"time"

	"colonnade/core"
)

// group is everybody who is told the same.
type group struct {
	source     Source
	generation uint64 // of the source
	members    []*Member

	state  state
	again  bool // it is to be computed once more after the turn that runs
	urgent bool // and at once
	next   time.Time

	failing time.Time // since when turns fail; zero where they do not

	timer *time.Timer
	payer core.ID // of the turn that runs
}

type state int

const (
	idle state = iota
	waiting
	queued
	running
)

// rest ends the wait for the next turn.
func (g *group) rest() {
	if g.state == waiting {
		g.timer.Stop()
		g.state = idle
	}
}

// kick has the group computed: as soon as it has rested, or at once. The hub is locked.
func (h *Hub) kick(g *group, urgent bool) {
	if !h.on {
		return
	}
	switch g.state {
	case running:
		g.again, g.urgent = true, g.urgent || urgent
		return
	case queued:
		return
	case waiting:
		if !urgent {
			return
		}
		g.rest()
	}
	if wait := time.Until(g.next); wait > 0 && !urgent {
		g.state = waiting
		g.timer = time.AfterFunc(wait, func() { h.rested(g) })
		return
	}
	h.enqueue(g)
}

func (h *Hub) rested(g *group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g.state == waiting && h.on {
		h.enqueue(g)
	}
}

func (h *Hub) enqueue(g *group) {
	g.state = queued
	h.ready = append(h.ready, g)
	h.work.Signal()
}

// bucket is the members of a group at one place.
type bucket struct {
	from    Place
	members []*Member
}

// turn computes what comes next for everybody in the group.
func (h *Hub) turn(ctx context.Context, g *group) {
	begun := time.Now()
	h.mu.Lock()
	source, generation := g.source, g.generation
	buckets := h.buckets(g)
	h.mu.Unlock()
	more, failed := false, false
	for _, b := range buckets {
		t, err := next(ctx, &source, b.from)
		again, retry := h.tell(ctx, generation, b, &source, t, err)
		more, failed = more || again, failed || retry
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turns++
	h.done(g)
	g.state = idle
	end := time.Now()
	g.next = end.Add(max(h.o.Every, rest*end.Sub(begun)))
	if !failed {
		g.failing = time.Time{}
	}
	again, urgent := g.again, g.urgent
	g.again, g.urgent = false, false
	switch {
	case failed:
		g.next = end.Add(retryGap)
		h.kick(g, false)
	case more || urgent:
		h.kick(g, true)
	case again:
		h.kick(g, false)
	}
}

// next computes a turn. A panic is an error of that turn.
func next(ctx context.Context, s *Source, from Place) (t Turn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.Next(ctx, from)
}

// buckets returns for whom the group is computed: those who were prepared by the current snapshot, and take something. The hub is
// locked.
func (h *Hub) buckets(g *group) []*bucket {
	if g.generation != h.generation {
		return nil // its members are prepared anew, and kick it
	}
	var out []*bucket
	at := map[Place]*bucket{}
	for _, m := range g.members {
		var place Place
		if g.source.Resumes {
			if !m.who.Ready() {
				continue
			}
			place = m.place
		}
		if m.generation != g.generation {
			continue
		}
		b := at[place]
		if b == nil {
			b = &bucket{from: place}
			at[place] = b
			out = append(out, b)
		}
		b.members = append(b.members, m)
	}
	return out
}

// chunk is how many subscribers are told before others get at the hub.
const chunk = 256

// tell hands the turn to those of the bucket for whom it is new, unless there is another snapshot since. It reports whether there is more
// to compute for them at once, and whether it is to be tried again.
func (h *Hub) tell(ctx context.Context, generation uint64, b *bucket, s *Source, t Turn, err error) (more, retry bool) {
	if err != nil && passes(err) && h.patient(s) {
		if ctx.Err() == nil {
			h.o.Log.WarnContext(ctx, "live: an answer is tried again", "err", err)
		}
		return false, true
	}
	for members := range slices.Chunk(b.members, chunk) {
		if err == nil && t.Payload != nil && len(t.Shown) > 0 {
			members = h.witness(ctx, generation, members, s, t)
		}
		h.mu.Lock()
		for _, m := range members {
			switch {
			case !h.concerns(m, generation, s):
			case err != nil:
				h.remove(m)
				m.who.End(err)
			default:
				fresh := isNew(m, s, t)
				m.place = t.Place
				if fresh {
					m.who.Tell(t.Payload)
				}
			}
		}
		h.mu.Unlock()
	}
	return t.More, false
}

// passes reports whether the error may be gone a little later.
func passes(err error) bool {
	k := core.KindOf(err)
	return k == core.Unavailable || k == core.Conflict
}

// patient reports whether it is worth trying again: an error that does not pass in the time of [patience] is told.
func (h *Hub) patient(s *Source) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.groups[s.Key]
	if g == nil {
		return false
	}
	if g.failing.IsZero() {
		g.failing = time.Now()
	}
	return time.Since(g.failing) < patience
}

// concerns reports whether what was computed for the source then is for the member still. The hub is locked.
func (h *Hub) concerns(m *Member, generation uint64, s *Source) bool {
	return generation == h.generation && m.generation == generation && m.group != nil && m.group.source.Key == s.Key
}

// isNew reports whether the member is to be told of the turn.
func isNew(m *Member, s *Source, t Turn) bool {
	return t.Payload != nil && (s.Resumes || m.place != t.Place)
}

// witness keeps in the access log, for each member, what he is to be told, and returns for whom that is done.
func (h *Hub) witness(ctx context.Context, generation uint64, members []*Member, s *Source, t Turn) (done []*Member) {
	h.mu.Lock()
	members = slices.DeleteFunc(slices.Clone(members), func(m *Member) bool { return !h.concerns(m, generation, s) || !isNew(m, s, t) })
	h.mu.Unlock()
	for _, m := range members {
		if err := m.who.Witness(ctx, t.Shown); err != nil { // what cannot be logged is not shown
			m.end(err)
			continue
		}
		done = append(done, m)
	}
	return done
}

// enter puts the member into the group of its source, and has that computed. The hub is locked.
func (h *Hub) enter(m *Member, s Source, generation uint64) {
	g := h.groups[s.Key]
	if g == nil {
		g = &group{source: s, generation: generation}
		h.groups[s.Key] = g
		h.index(g)
	} else if generation > g.generation {
		h.unindex(g)
		g.source, g.generation = s, generation
		h.index(g)
	}
	if m.group != g {
		if m.group != nil {
			h.depart(m)
		}
		m.group, m.at = g, len(g.members)
		g.members = append(g.members, m)
	}
	m.generation = generation
	h.kick(g, true)
}

// depart takes the member out of its group. The hub is locked.
func (h *Hub) depart(m *Member) {
	g := m.group
	last := g.members[len(g.members)-1]
	g.members[m.at], last.at = last, m.at
	g.members[len(g.members)-1] = nil
	g.members = g.members[:len(g.members)-1]
	m.group = nil
	if len(g.members) == 0 {
		g.rest()
		h.unindex(g)
		delete(h.groups, g.source.Key)
	}
}

// remove takes the member out of the hub. The hub is locked.
func (h *Hub) remove(m *Member) {
	if m.group != nil {
		h.depart(m)
	}
	delete(h.members, m)
}

func (h *Hub) index(g *group) {
	for _, t := range g.source.Tables {
		if h.byTable[t] == nil {
			h.byTable[t] = map[*group]bool{}
		}
		h.byTable[t][g] = true
	}
	if g.source.Timed {
		h.timed[g] = true
	}
}

func (h *Hub) unindex(g *group) {
	for _, t := range g.source.Tables {
		if delete(h.byTable[t], g); len(h.byTable[t]) == 0 {
			delete(h.byTable, t)
		}
	}
	delete(h.timed, g)
	delete(h.late, g)
}
