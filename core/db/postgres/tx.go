package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// session is one transaction: GORM and the work queue see it as *sql.Tx and as pgx connection at the same time.
type session struct {
	conn *pgx.Conn
	sql  *sql.Tx
	base *gorm.DB
	over bool
}

var errOver = errors.New("the transaction is over")

// Tx implements db.Engine.
func (e *engine) Tx(ctx context.Context, _ db.TxOptions, f func(db.Session) error) (err error) {
	c, tx, err := e.begin(ctx)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if r := recover(); r != nil {
			err = core.E("postgres.Tx", fmt.Errorf("panic in a transaction: %v\n%s", r, debug.Stack()))
		}
		if !committed {
			_ = tx.Rollback() // the error that led here says more
		}
		_ = c.Close()
	}()
	s := &session{sql: tx, base: e.gorm}
	if err := c.Raw(func(driver any) error { s.conn = driver.(*stdlib.Conn).Conn(); return nil }); err != nil {
		return err
	}
	err = f(s)
	s.over = true
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) {
			return core.E("postgres.Tx", core.Unavailable, "the transaction was cut off: try again", err)
		}
		return err
	}
	committed = true
	return nil
}

// begin opens a transaction. It tries once more when the connection turns out to be dead: nothing was done yet.
//
// database/sql must not watch the context: it would roll back on its own goroutine, while ours uses the connection.
// The statements of the session watch it.
func (e *engine) begin(ctx context.Context) (*sql.Conn, *sql.Tx, error) {
	for last := false; ; last = true {
		c, err := e.sql.Conn(ctx)
		if err != nil {
			return nil, nil, e.stopping(err)
		}
		tx, err := c.BeginTx(context.WithoutCancel(ctx), nil)
		if err == nil {
			return c, tx, nil
		}
		_ = c.Close()
		if last || !e.lost(err) {
			return nil, nil, e.stopping(err)
		}
	}
}

// LockMigrations keeps two servers that start together from migrating at the same time.
func (e *engine) LockMigrations(ctx context.Context, s db.Session) error {
	_, err := s.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('colonnade migrations'))", nil)
	return err
}

// Gorm implements db.Session.
func (s *session) Gorm() *gorm.DB {
	g := s.base.Session(&gorm.Session{NewDB: true, Context: context.Background()})
	g.Statement.ConnPool = s.sql
	return g
}

// Conn returns the connection, for the work queue.
func (s *session) Conn() *pgx.Conn { return s.conn }

// Exec implements db.Session.
func (s *session) Exec(ctx context.Context, text string, args []any) (int64, error) {
	if s.over {
		return 0, errOver
	}
	return exec(ctx, s.conn, text, args)
}

// ExecAll implements db.Session.
func (s *session) ExecAll(ctx context.Context, statements []*db.Builder) error {
	if s.over {
		return errOver
	}
	return execAll(ctx, s.conn, statements)
}

// Query implements db.Session.
func (s *session) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	if s.over {
		return errOver
	}
	return query(ctx, s.conn, text, args, each)
}

// Answer implements db.Session.
func (s *session) Answer(ctx context.Context, text string, args []any, shape *db.Shape, dst []byte) ([]byte, error) {
	if s.over {
		return dst, errOver
	}
	return answer(ctx, s.conn, text, args, shape, dst)
}

// schemaLock is the key of the advisory lock that writers share and schema changes hold alone.
const schemaLock = 0x636f6c6f6e

// LockSchema implements db.Session.
func (s *session) LockSchema(ctx context.Context, exclusive bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if s.over {
		return errOver
	}
	f := "SELECT pg_advisory_xact_lock_shared($1)"
	if exclusive {
		f = "SELECT pg_advisory_xact_lock($1)"
	}
	if read == nil {
		_, err := s.conn.Exec(ctx, f, int64(schemaLock))
		return err
	}
	var batch pgx.Batch
	batch.Queue(f, int64(schemaLock))
	batch.Queue(read.String(), read.Args()...) // with a view of the data that is taken when the lock is there
	results := s.conn.SendBatch(ctx, &batch)
	_, err := results.Exec()
	if err == nil {
		var rows pgx.Rows
		if rows, err = results.Query(); err == nil {
			err = eachRow(rows, each)
		}
	}
	return errors.Join(err, results.Close())
}

// LockSchema implements db.Session; outside a transaction there is nothing to keep.
func (e *engine) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if read == nil {
		return nil
	}
	return e.Query(ctx, read.String(), read.Args(), each)
}
