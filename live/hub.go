package live

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"colonnade/core"
	"colonnade/tables"
)

// Options of a [Hub]; the zero value works.
type Options struct {
	Every   time.Duration // the least time between two turns of a group; [Every] when 0
	Workers int           // turns that are computed at once; 4 for each CPU, and 8 at least, when 0
	Log     *slog.Logger  // slog.Default when nil
}

// Every is how often an answer is computed at most, however often what it is made from is written. One that takes long is computed
// less often still: four fifths of the time it rests.
const Every = 100 * time.Millisecond

const (
	tick     = time.Second           // how often what tells nothing of its changes is looked at
	pollGap  = 20 * time.Millisecond // between two looks at what was written
	lateGap  = 100 * time.Millisecond
	retryGap = time.Second      // after an error that may pass
	rest     = 4                // times the time that a turn took
	patience = 30 * time.Second // with errors that may pass
)

// Hub has answers computed, and tells subscribers.
type Hub struct {
	store *tables.Store
	o     Options
	wake  chan struct{} // something was written

	mu         sync.Mutex
	work       *sync.Cond
	on         bool
	generation uint64 // rises with every snapshot: what was prepared in an earlier one tells nobody anything
	groups     map[Key]*group
	byTable    map[string]map[*group]bool
	timed      map[*group]bool
	late       map[*group]bool // that are looked at until no event is held back
	members    map[*Member]bool
	stale      []*Member // to be prepared anew
	ready      []*group
	busy       map[core.ID]int // workers by payer
	turns      uint64          // that were computed

	cancel context.CancelFunc
	loops  sync.WaitGroup
}

// New returns a hub over the store, for which it must be called before the store is loaded. It tells nobody anything before
// [Hub.Start].
func New(store *tables.Store, o Options) *Hub {
	if o.Every <= 0 {
		o.Every = Every
	}
	if o.Workers <= 0 {
		o.Workers = max(8, 4*runtime.GOMAXPROCS(0))
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	h := &Hub{
		generation: 1, store: store, o: o, wake: make(chan struct{}, 1), groups: map[Key]*group{}, byTable: map[string]map[*group]bool{}, timed: map[*group]bool{},
		late: map[*group]bool{}, members: map[*Member]bool{}, busy: map[core.ID]int{},
	}
	h.work = sync.NewCond(&h.mu)
	store.Observe(tables.Observer{Published: h.published, Written: h.written})
	return h
}

// Start begins to watch and to compute.
func (h *Hub) Start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on || h.cancel != nil {
		cancel()
		return
	}
	h.on, h.cancel = true, cancel
	h.loops.Go(func() { h.watch(ctx) })
	h.loops.Go(func() { h.store.Hear(ctx, h.written) })
	for range h.o.Workers {
		h.loops.Go(func() { h.serve(ctx) })
	}
}

// Stop ends what runs and waits for it. Subscribers are told nothing more. A second Stop does nothing.
func (h *Hub) Stop() {
	h.mu.Lock()
	h.on = false
	if h.cancel != nil {
		h.cancel()
	}
	for _, g := range h.groups {
		g.rest()
	}
	h.work.Broadcast()
	h.mu.Unlock()
	h.loops.Wait()
}

// Stats is how much a hub has to do.
type Stats struct {
	Subscribers int
	Groups      int
	Turns       uint64 // that were computed since the start
}

// Stats returns how much the hub has to do.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{len(h.members), len(h.groups), h.turns}
}

// published has every subscriber prepared anew.
func (h *Hub) published() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.generation++
	h.stale = h.stale[:0]
	for m := range h.members {
		h.stale = append(h.stale, m)
	}
	h.work.Broadcast()
}

func (h *Hub) written() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// watch finds out what was written, here and by other processes.
func (h *Hub) watch(ctx context.Context) {
	var mark tables.Mark
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	again := time.NewTimer(0) // so that there is a mark at once
	defer again.Stop()
	for {
		ticked := false
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			ticked = true
		case <-h.wake:
			if h.idle() {
				continue
			}
		case <-again.C:
		}
		if wait := h.look(ctx, &mark, ticked); wait > 0 {
			again.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pollGap):
		}
	}
}

func (h *Hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.members) == 0
}

// look has the groups computed whose tables were written. It returns when to look again because events are held back; zero where none
// are.
func (h *Hub) look(ctx context.Context, mark *tables.Mark, ticked bool) (again time.Duration) {
	first := *mark == tables.Mark{}
	touched, err := h.store.Touched(ctx, mark)
	if err != nil {
		if ctx.Err() == nil {
			h.o.Log.WarnContext(ctx, "live: cannot see what was written", "err", err)
		}
		return 0 // the next tick finds it
	}
	if first {
		h.touchAll()
	}
	if !h.touch(touched, ticked) {
		return 0
	}
	held, err := h.store.HeldEvents(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	for g := range h.late {
		h.kick(g, false)
	}
	if err == nil && held == 0 {
		clear(h.late)
		return 0
	}
	return lateGap
}

// touchAll has all groups computed: nobody knows what was written between their first turns and the first mark.
func (h *Hub) touchAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.groups {
		h.kick(g, false)
	}
}

// touch has groups computed, and reports whether some of them wait for events that may be held back.
func (h *Hub) touch(touched []string, ticked bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range touched {
		for g := range h.byTable[t] {
			if g.source.Late {
				h.late[g] = true
				continue
			}
			h.kick(g, false)
		}
	}
	if ticked {
		for g := range h.timed {
			h.kick(g, false)
		}
	}
	return len(h.late) > 0
}

// serve is a worker.
func (h *Hub) serve(ctx context.Context) {
	for {
		m, g := h.next()
		switch {
		case m != nil:
			m.renew(ctx)
		case g != nil:
			h.turn(ctx, g)
		default:
			return
		}
	}
}

// next waits for work: a member to be prepared anew, or a group; neither when the hub stops. The group is running then.
func (h *Hub) next() (*Member, *group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ; h.on; h.work.Wait() {
		if n := len(h.stale); n > 0 {
			m := h.stale[n-1]
			h.stale[n-1] = nil
			h.stale = h.stale[:n-1]
			return m, nil
		}
		for i, g := range h.ready {
			if payer := g.source.Payer; h.busy[payer] < max(1, h.o.Workers/2) {
				h.ready = append(h.ready[:i], h.ready[i+1:]...)
				h.busy[payer]++
				g.state, g.payer = running, payer
				return nil, g
			}
		}
	}
	return nil, nil
}

func (h *Hub) done(g *group) {
	if h.busy[g.payer]--; h.busy[g.payer] == 0 {
		delete(h.busy, g.payer)
	}
	h.work.Signal()
}
