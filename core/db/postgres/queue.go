package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"colonnade/core/db"
	"colonnade/core/db/jobs"
)

var _ db.Queuer = (*engine)(nil)

// OpenQueue implements db.Queuer. Two servers that start together take turns in making its tables.
func (e *engine) OpenQueue(ctx context.Context, o db.QueueOptions) (db.Queue, error) {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock(hashtext('colonnade migrations'))"); err != nil {
		return nil, err
	}
	defer func() {
		if _, err := c.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext('colonnade migrations'))"); err != nil {
			_ = c.Conn().Close(context.WithoutCancel(ctx)) // and with it the lock
		}
	}()
	return jobs.Open(ctx, riverpgxv5.New(e.pool), jobs.Options[pgx.Tx]{
		QueueOptions: o,
		Tx:           func(s db.Session) pgx.Tx { return queueTx{connection: s.(*session).Conn()} },
		Poll:         100 * time.Millisecond,
	})
}

// queueTx shows the connection of a transaction that is ours as a pgx.Tx. Only a part of it, a savepoint, can end.
type queueTx struct {
	*connection
	part bool
}

type connection = pgx.Conn

var _ pgx.Tx = queueTx{}

var errNotOurs = errors.New("the transaction ends where it began")

// Begin implements pgx.Tx.
func (t queueTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if _, err := t.Exec(ctx, "SAVEPOINT queue"); err != nil {
		return nil, err
	}
	return queueTx{t.connection, true}, nil
}

// Commit implements pgx.Tx.
func (t queueTx) Commit(ctx context.Context) error { return t.end(ctx, "RELEASE SAVEPOINT queue") }

// Rollback implements pgx.Tx.
func (t queueTx) Rollback(ctx context.Context) error {
	if err := t.end(ctx, "ROLLBACK TO SAVEPOINT queue"); err != nil {
		return err
	}
	return t.end(ctx, "RELEASE SAVEPOINT queue")
}

func (t queueTx) end(ctx context.Context, text string) error {
	if !t.part {
		return errNotOurs
	}
	_, err := t.Exec(ctx, text)
	return err
}

// LargeObjects implements pgx.Tx; River has none.
func (t queueTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Conn implements pgx.Tx.
func (t queueTx) Conn() *pgx.Conn { return t.connection }
