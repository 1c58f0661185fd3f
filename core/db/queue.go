package db

import (
	"context"
	"log/slog"
	"time"

	"colonnade/core"
)

// Queue keeps jobs until they are done, whatever becomes of the process. A job is the id of what to work on: the rows
// that say how far the work has come are the caller's.
//
// A job is worked on at least once. It is the caller's own row that tells a second delivery from the first.
type Queue interface {
	// Put adds jobs in the transaction: they are there if and only if it commits.
	Put(ctx context.Context, tx *Tx, ids ...core.ID) error

	// Done ends the job that ctx belongs to in the transaction of its last effect. A context of another origin is none
	// of its business.
	Done(ctx context.Context, tx *Tx) error

	// Start has work called for every job, several at a time, until Stop. A nil error ends the job, [Again] puts it off,
	// and another error has it tried again a moment later.
	Start(ctx context.Context, work func(ctx context.Context, id core.ID) error) error

	// Stop waits until no work is at work. It cancels the contexts of those that take longer than the grace.
	Stop(ctx context.Context) error

	// Handed returns the jobs that were given to a worker before the moment and have not ended: it is at work on them, or
	// it is gone. Whoever knows that it is gone puts them again.
	Handed(ctx context.Context, before time.Time) ([]core.ID, error)

	// Sole reports whether no other process can be working on the jobs of this database.
	Sole() bool
}

// QueueOptions of a queue; the zero value works.
type QueueOptions struct {
	Workers int           // jobs at a time in this process; 16 when 0
	Grace   time.Duration // how long Stop lets work go on undisturbed; 5 s when 0
	Log     *slog.Logger  // that of the database when nil
}

// Again is what work returns to be called for the same job once more.
type Again struct{ After time.Duration }

// Error implements error.
func (Again) Error() string { return "the job is put off" }

// Queuer is an [Engine] that has a queue.
type Queuer interface {
	// OpenQueue brings the tables of the queue up to date.
	OpenQueue(ctx context.Context, o QueueOptions) (Queue, error)
}

// OpenQueue opens the queue of the database.
func (db *DB) OpenQueue(ctx context.Context, o QueueOptions) (Queue, error) {
	const op = "db.OpenQueue"
	q, ok := db.engine.(Queuer)
	if !ok {
		return nil, core.E(op, core.Invalid, "the database "+db.Name()+" has no queue")
	}
	if o.Workers <= 0 {
		o.Workers = 16
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = db.log
	}
	out, err := q.OpenQueue(ctx, o)
	return out, core.E(op, db.classify(err))
}
