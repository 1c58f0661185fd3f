package flows

import (
	"context"
	"errors"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// How a run may leave the interpreter before its end.
var (
	errLost     = errors.New("the run is no longer ours: it was cancelled, or another worker holds it")
	errStopping = errors.New("the service stops: the run goes on later")
	errTimeout  = errors.New("the time of the run is over")
)

// parked says that the run waits before it goes on.
type parked struct{ until time.Time }

func (parked) Error() string { return "the run waits" }

// maxCrashes is how many processes may die over one run before it is given up.
const maxCrashes = 25

// maxBackoff is how long a run waits at most before it tries again.
const maxBackoff = 5 * time.Minute

// work is one delivery of a job: it takes the run as far as it goes.
func (s *Service) work(ctx context.Context, id core.ID) error {
	_, err := s.attempt(ctx, id, false)
	return err
}

// attempt reports whether the run was ours to work on.
func (s *Service) attempt(ctx context.Context, id core.ID, force bool) (worked bool, err error) {
	if s.stopped() {
		return false, db.Again{}
	}
	if !s.reserve(id) {
		// A second delivery; or the first of a run that was woken right after it had been suspended, which is let go in a moment.
		return false, db.Again{After: 100 * time.Millisecond}
	}
	defer s.release(id)
	r, err := s.claim(ctx, id, force)
	if err != nil || r == nil {
		return false, err
	}
	ctx, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	s.hold(id, drop)
	return true, s.conclude(ctx, r, s.interpret(ctx, r))
}

// conclude writes how the run left the interpreter, where the row does not say so already. When the database does not
// answer the lease runs out, and somebody goes on.
func (s *Service) conclude(ctx context.Context, r *run, err error) error {
	ctx = context.WithoutCancel(ctx)
	var p parked
	var f *failure
	switch {
	case err == nil, errors.Is(err, errLost):
		return nil
	case errors.As(err, &p):
		return db.Again{After: p.until.Sub(s.now())}
	case errors.As(err, &f):
		s.log.WarnContext(ctx, "flows: run failed", "run", r.id, "kind", f.err.Kind, "err", err)
		err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			if err := s.write(ctx, tx, r, f.dirty); err != nil {
				return err
			}
			return s.finish(ctx, tx, r, failed, nil, f.err)
		})
		if errors.Is(err, errLost) {
			return nil
		}
		return err
	}
	until := s.now()
	if !errors.Is(err, errStopping) {
		s.log.WarnContext(ctx, "flows: run interrupted", "run", r.id, "err", err)
		until = until.Add(time.Second)
	}
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return s.park(ctx, tx, r, until) })
	if err == nil {
		return db.Again{After: until.Sub(s.now())}
	}
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}
