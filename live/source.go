package live

import (
	"context"
	"time"

	"colonnade/core"
	"colonnade/tables"
)

// Key names what subscribers get: those with one key are told the same.
type Key [32]byte

// Source is where what a subscriber is told comes from, as his rights are now. It is for one snapshot.
type Source struct {
	Key    Key
	Tables []string // the physical names of the tables that it reads and of which [tables.Store.Touched] tells
	Timed  bool     // it also changes with the time, or with tables of which that does not tell: it is looked at once a second
	Late   bool     // it shows events in the order of their commits, and so some of them later than Touched tells of them

	// Resumes is set where what comes next depends on the place that a subscriber has come to, and every turn counts. Otherwise a
	// turn is a whole answer, of which only the newest counts.
	Resumes bool

	Payer   core.ID       // for whom it is computed first; nobody's sources keep all workers busy
	Timeout time.Duration // of one turn

	// Next computes what comes behind a place, for every subscriber who is there.
	Next func(ctx context.Context, from Place) (Turn, error)
}

// Place is how far a subscriber has come; it can be compared. Of a source that does not resume it is a digest of the answer that
// he has, and nil at first.
type Place any

// Turn is what subscribers are told at a time. It is shared: nobody changes it.
type Turn struct {
	Payload []byte // nil where there is nothing to tell
	Place   Place
	More    bool // there may be more at once

	Shown []tables.Access // what the access log is to keep for each who is told
}

// Subscriber is who is told. Its methods are called by several goroutines, but Tell and End by one at a time, and never again
// after End or [Member.Leave]. Ready, Tell and End wait for nothing and call nothing of this package.
type Subscriber interface {
	// Prepare returns the source by the newest snapshot and the rights of now. It may take time. An error ends the subscription,
	// unless it is of a kind to try again.
	Prepare(ctx context.Context) (Source, error)

	// Ready reports whether the subscriber takes another turn of a source that resumes. One who was not calls [Member.Resume]
	// once he is.
	Ready() bool

	// Witness keeps in the access log what the subscriber is about to be told.
	Witness(ctx context.Context, shown []tables.Access) error

	// Tell takes a payload. Of a source that does not resume it takes the place of one that was not passed on yet.
	Tell(payload []byte)

	// End tells why nothing more comes.
	End(err error)
}
