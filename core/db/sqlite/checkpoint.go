package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"colonnade/core/db"
)

// checkpointPages is from how many pages of the log on they are copied into the database.
const checkpointPages = 4000

// maxLogPages is from how many pages on a commit copies them itself. It is for commits of the work queue, which the checkpointer
// does not hear of.
const maxLogPages = 100_000

// checkpointer copies the log into the database, beside the writer and on a connection of its own: no commit waits for it.
// What is committed is durable in the log.
type checkpointer struct {
	engine    *engine
	pool      *sql.DB
	conn      *conn
	committed chan struct{} // the log has grown
	done      chan struct{}
}

func (e *engine) newCheckpointer(ctx context.Context, source string) (*checkpointer, error) {
	pool, err := sql.Open("sqlite", dsn(source, "rw", deferred, "synchronous(FULL)"))
	if err != nil {
		return nil, err
	}
	c, err := newConn(ctx, pool)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &checkpointer{engine: e, pool: pool, conn: c, committed: make(chan struct{}, 1), done: make(chan struct{})}, nil
}

// wake never blocks.
func (c *checkpointer) wake() {
	select {
	case c.committed <- struct{}{}:
	default:
	}
}

// serve looks at the log after each commit, until the engine stops. What goes wrong, such as a disk that is full, costs nothing
// but room: the pages stay in the log, and the next commit leads here again.
func (c *checkpointer) serve() {
	defer close(c.done)
	for {
		select {
		case <-c.committed:
			_ = c.checkpoint(context.Background())
		case <-c.engine.stop:
			return
		}
	}
}

// checkpoint copies what is in the log, when that is much. The log starts anew when all of it is copied, so that what was
// committed meanwhile is copied too, while nobody writes. Behind what somebody still reads nothing is copied.
func (c *checkpointer) checkpoint(ctx context.Context) error {
	before, err := c.log(ctx, "NOOP")
	if err != nil || before.pages-before.copied < checkpointPages {
		return err
	}
	if after, err := c.log(ctx, "PASSIVE"); err != nil || after.copied <= before.copied {
		return err
	}
	if rest, err := c.log(ctx, "NOOP"); err != nil || rest.pages == rest.copied {
		return err
	}
	return c.engine.Tx(ctx, db.TxOptions{Alone: true}, func(db.Session) error {
		_, err := c.log(ctx, "PASSIVE")
		return err
	})
}

// logState is how long the log is, and how much of it is in the database.
type logState struct{ pages, copied int64 }

// log runs a checkpoint: https://www.sqlite.org/pragma.html#pragma_wal_checkpoint.
func (c *checkpointer) log(ctx context.Context, mode string) (s logState, err error) {
	err = c.conn.query(ctx, "PRAGMA wal_checkpoint("+mode+")", nil, func(scan func(...any) error) error {
		var busy int64
		return scan(&busy, &s.pages, &s.copied)
	})
	return s, err
}

// close waits for the checkpoint that is at work.
func (c *checkpointer) close() error {
	<-c.done
	return errors.Join(c.conn.close(), c.pool.Close())
}
