package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"colonnade/core/db"
	"colonnade/core/db/jobs"
)

var _ db.Queuer = (*engine)(nil)

// pollEvery is how often the queue looks for jobs that wait for their time, such as one that is tried again; new ones are told of.
// A look is a read of one index entry on the connection that writes, which costs a resting server more than all else it does.
const pollEvery = 250 * time.Millisecond

// OpenQueue implements db.Queuer. The queue works on the one connection that writes, between the groups.
func (e *engine) OpenQueue(ctx context.Context, o db.QueueOptions) (db.Queue, error) {
	b := bell{rung: make(chan struct{}, 1)}
	return jobs.Open(ctx, told{riversqlite.New(e.Writer()), b}, jobs.Options[*sql.Tx]{
		QueueOptions: o,
		Tx:           func(s db.Session) *sql.Tx { return s.(*session).SQL() },
		Sole:         true,
		Put:          b.ring,
		Poll:         pollEvery,
		Late:         true,
	})
}

// told is River's driver with notifications within the process, which alone uses the database. Its own are rows of one more table
// that is polled.
type told struct {
	*riversqlite.Driver
	bell bell
}

// GetListener implements riverdriver.Driver.
func (d told) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener { return d.bell }

// SupportsListener implements riverdriver.Driver.
func (told) SupportsListener() bool { return true }

// SupportsListenNotify implements riverdriver.Driver: no statement of River tells anybody.
func (told) SupportsListenNotify() bool { return false }

// bell tells River's worker that there are new jobs. One ring stands for all that nobody has heard yet.
type bell struct{ rung chan struct{} }

var _ riverdriver.Listener = bell{}

func (b bell) ring() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// WaitForNotification implements riverdriver.Listener.
func (b bell) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case <-b.rung:
		return &riverdriver.Notification{Topic: "river_insert", Payload: `{"queue": "` + river.QueueDefault + `"}`}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Connect implements riverdriver.Listener.
func (bell) Connect(context.Context) error { return nil }

// Close implements riverdriver.Listener.
func (bell) Close(context.Context) error { return nil }

// Ping implements riverdriver.Listener.
func (bell) Ping(context.Context) error { return nil }

// Listen implements riverdriver.Listener.
func (bell) Listen(context.Context, string) error { return nil }

// Unlisten implements riverdriver.Listener.
func (bell) Unlisten(context.Context, string) error { return nil }

// Schema implements riverdriver.Listener.
func (bell) Schema() string { return "" }

// SetAfterConnectExec implements riverdriver.Listener.
func (bell) SetAfterConnectExec(string) {}
