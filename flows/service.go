package flows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	sealed "colonnade/core/secret"
	"colonnade/tables"
)

// Options of a [Service]; the zero value works.
type Options struct {
	Workers int             // runs at a time in this process; 16 when 0
	Lease   time.Duration   // how long a worker may be silent before others take over its runs; 5 s when 0
	Grace   time.Duration   // how long Stop lets a step go on; 5 s when 0
	Log     *slog.Logger    // slog.Default when nil
	Keys    *sealed.Keyring // with which the secrets of webhooks are sealed; nil for none, so that no webhook can have one
	Clock   func() time.Time

	KeepRuns time.Duration // how long runs that have ended are kept; for good when 0

	// Ended is told of runs that this process has ended, by the name of the flow and the status. Nobody when nil.
	Ended func(flow, status string)
}

// Service keeps flows, starts their runs and works on them.
type Service struct {
	store   *tables.Store
	db      *db.DB
	queue   db.Queue
	secrets *sealed.Store
	actions map[string]*core.Action
	o       Options
	log     *slog.Logger
	me      string // this process, as the worker of runs

	current  atomic.Pointer[set]
	versions sync.Map // version of a flow -> *definition
	matched  atomic.Pointer[matcher]
	awaiting atomic.Bool  // runs wait for changes of records
	seen     atomic.Int64 // the highest number of an event that was dispatched

	wake     chan struct{}
	stopping chan struct{}
	started  atomic.Bool
	stopOnce sync.Once
	stopErr  error
	cancel   context.CancelFunc
	loops    sync.WaitGroup

	mu     sync.Mutex
	active map[core.ID]context.CancelCauseFunc
	ended  chan struct{} // closed and replaced when a run has ended
}

// New returns a stopped service for the steps that the actions make, and its own. It brings the tables of the queue up
// to date. Call it before the store is loaded: from then on the flows follow every change of the schema, or refuse it.
func New(ctx context.Context, store *tables.Store, actions []core.Action, o Options) (*Service, error) {
	const op = "flows.New"
	if o.Lease <= 0 {
		o.Lease = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Service{
		store: store, db: store.DB(), secrets: sealed.New(store.DB(), o.Keys), actions: map[string]*core.Action{}, o: o, log: o.Log, me: string(core.NewID()),
		wake: make(chan struct{}, 1), stopping: make(chan struct{}), active: map[core.ID]context.CancelCauseFunc{}, ended: make(chan struct{}),
	}
	for _, a := range append(s.Actions(), actions...) {
		if _, ok := s.actions[a.Name]; ok || a.Run == nil {
			return nil, core.E(op, core.Exists, fmt.Sprintf("action %q is there twice, or does nothing", a.Name))
		}
		s.actions[a.Name] = &a
	}
	var err error
	if s.queue, err = s.db.OpenQueue(ctx, db.QueueOptions{Workers: o.Workers, Grace: o.Grace, Log: o.Log}); err != nil {
		return nil, core.E(op, err)
	}
	store.Follow(s.follow)
	store.DefineActions(s.starters)
	store.Define(code{s})
	return s, nil
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

// Start takes up what was interrupted, and works until Stop.
func (s *Service) Start(ctx context.Context) error {
	const op = "flows.Start"
	if !s.started.CompareAndSwap(false, true) {
		return core.E(op, core.Invalid, "the service was started before")
	}
	loops, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	if _, err := s.flows(ctx, s.db); err != nil {
		return core.E(op, err)
	}
	if err := s.reap(ctx, s.queue.Sole()); err != nil {
		return core.E(op, err)
	}
	if err := s.queue.Start(ctx, s.work); err != nil {
		return core.E(op, err)
	}
	for _, loop := range []func(context.Context){s.dispatcher, s.clock, s.heart, s.retaining} {
		s.loops.Go(func() { loop(loops) })
	}
	s.loops.Go(func() { s.db.Listen(loops, "event", s.Wake) })
	s.loops.Go(func() { s.db.Listen(loops, "run", s.tellHere) })
	return nil
}

// Stop hands running runs back at their next step and waits until nothing is at work any more.
func (s *Service) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		close(s.stopping)
		if !s.started.Load() {
			return
		}
		s.stopErr = core.E("flows.Stop", s.queue.Stop(ctx))
		s.cancel()
		s.loops.Wait()
	})
	return s.stopErr
}

func (s *Service) stopped() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// Wake says that there may be new events. It never blocks.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tick is how late the service is at most for what nobody wakes it up for.
const tick = time.Second

// clock fires schedules and takes over what other processes left, every second.
func (s *Service) clock(ctx context.Context) {
	s.every(ctx, tick, func() {
		if err := s.fireAll(ctx); err != nil {
			s.complain(ctx, "flows: schedules", err)
		}
		if err := s.overdue(ctx); err != nil {
			s.complain(ctx, "flows: waits", err)
		}
		if err := s.reap(ctx, false); err != nil {
			s.complain(ctx, "flows: interrupted runs", err)
		}
	})
}

// heart keeps the runs of this process.
func (s *Service) heart(ctx context.Context) {
	s.every(ctx, s.o.Lease/4, func() {
		if err := s.beat(ctx); err != nil {
			s.complain(ctx, "flows: leases", err)
		}
	})
}

func (s *Service) every(ctx context.Context, d time.Duration, f func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (s *Service) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.log.WarnContext(ctx, "flows: cannot go on, and try again", "doing", what, "err", err)
	}
}

// reserve keeps a run from being worked on twice in this process.
func (s *Service) reserve(id core.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.active[id]; ok {
		return false
	}
	s.active[id] = nil
	return true
}

func (s *Service) hold(id core.ID, drop context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[id] = drop
}

func (s *Service) release(id core.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, id)
}

// held returns the runs that this process holds.
func (s *Service) held() map[core.ID]context.CancelCauseFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := maps.Clone(s.active)
	maps.DeleteFunc(out, func(_ core.ID, drop context.CancelCauseFunc) bool { return drop == nil })
	return out
}

// tell says here and to the other processes that a run has ended.
func (s *Service) tell() {
	s.tellHere()
	s.db.Notify(context.Background(), "run")
}

func (s *Service) tellHere() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ended)
	s.ended = make(chan struct{})
}

func (s *Service) ending() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// Wait returns how the run stands when it has ended.
func (s *Service) Wait(ctx context.Context, id core.ID) (Run, error) {
	const op = "flows.Wait"
	t := time.NewTicker(tick) // other processes may tell us, and the message be lost
	defer t.Stop()
	for {
		ended := s.ending()
		r, err := s.read(ctx, s.db, id)
		if err != nil || r.Ended() {
			return r, core.E(op, err)
		}
		select {
		case <-ended:
		case <-t.C:
		case <-ctx.Done():
			return r, core.E(op, ctx.Err())
		}
	}
}

// Drain dispatches the events that wait, fires the schedules that are due, and runs everything that waits, without regard to pauses
// before another try. It returns when nothing is left to do but to wait for what has not come. The service need not be started.
func (s *Service) Drain(ctx context.Context) error {
	const op = "flows.Drain"
	for {
		ended := s.ending()
		held, err := s.store.HeldEvents(ctx)
		if err == nil {
			err = s.dispatchAll(ctx)
		}
		if err != nil {
			return core.E(op, err)
		}
		if err := s.fireAll(ctx); err != nil {
			return core.E(op, err)
		}
		if err := s.overdue(ctx); err != nil {
			return core.E(op, err)
		}
		open, err := s.open(ctx)
		if err != nil {
			return core.E(op, err)
		}
		if len(open) == 0 && held == 0 {
			return nil
		}
		worked := false
		for _, id := range open {
			did, err := s.attempt(ctx, id, true)
			if again := (db.Again{}); err != nil && !errors.As(err, &again) {
				return core.E(op, err)
			}
			worked = worked || did
		}
		if worked {
			continue
		}
		select { // others are at work, or hold events up
		case <-ended:
		case <-time.After(tick / 10):
		case <-ctx.Done():
			return core.E(op, ctx.Err())
		}
	}
}

// open returns the runs that have not ended, the oldest first.
func (s *Service) open(ctx context.Context) (out []core.ID, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE status IN ('waiting', 'running') AND due < `).Arg(suspended).Write(" ORDER BY id LIMIT 500")
	err = s.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}
