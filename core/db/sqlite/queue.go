package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"

	"colonnade/core/db"
	"colonnade/core/db/jobs"
)

var _ db.Queuer = (*engine)(nil)

// pollEvery is how often the queue looks for jobs. A look is a read of one index entry on the connection that writes.
const pollEvery = 20 * time.Millisecond

// OpenQueue implements db.Queuer. The queue works on the one connection that writes, between the groups.
func (e *engine) OpenQueue(ctx context.Context, o db.QueueOptions) (db.Queue, error) {
	return jobs.Open(ctx, silent{riversqlite.New(e.Writer())}, jobs.Options[*sql.Tx]{
		QueueOptions: o,
		Tx:           func(s db.Session) *sql.Tx { return s.(*session).SQL() },
		Sole:         true,
		PollOnly:     true,
		Poll:         pollEvery,
		Late:         true,
	})
}

// silent is River's driver without notifications, which on SQLite are rows of one more table that is polled too.
type silent struct{ *riversqlite.Driver }

// SupportsListener implements riverdriver.Driver.
func (silent) SupportsListener() bool { return false }

// SupportsListenNotify implements riverdriver.Driver.
func (silent) SupportsListenNotify() bool { return false }
