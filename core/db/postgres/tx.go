package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// session is one transaction: GORM sees its connection as *sql.Conn, the work queue as *pgx.Conn. BEGIN travels with the
// first statement where it can.
type session struct {
	engine *engine
	sql    *sql.Conn
	conn   *pgx.Conn // the same
	begun  bool
	over   bool
}

var errOver = errors.New("the transaction is over")

// Tx implements db.Engine.
func (e *engine) Tx(ctx context.Context, _ db.TxOptions, f func(db.Session) error) (err error) {
	s := &session{engine: e}
	if err := s.connect(ctx); err != nil {
		return e.stopping(err)
	}
	defer func() {
		if r := recover(); r != nil {
			err = core.E("postgres.Tx", fmt.Errorf("panic in a transaction: %v\n%s", r, debug.Stack()))
		}
		s.end()
	}()
	err = f(s)
	s.over = true
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.commit(ctx)
}

func (s *session) connect(ctx context.Context) (err error) {
	if s.sql, err = s.engine.sql.Conn(ctx); err != nil {
		return err
	}
	return s.sql.Raw(func(driver any) error { s.conn = driver.(*stdlib.Conn).Conn(); return nil })
}

// begin begins the transaction, with the statements that queue adds behind BEGIN; read gets their results. It tries once
// more when the connection turns out to be dead: nothing was done yet. A batch is good for one connection only.
func (s *session) begin(ctx context.Context, queue func(*pgx.Batch), read func(pgx.BatchResults) error) error {
	for last := false; ; last = true {
		batch := &pgx.Batch{}
		batch.Queue("begin")
		queue(batch)
		results := s.conn.SendBatch(ctx, batch)
		_, err := results.Exec()
		s.begun = err == nil
		if err == nil {
			err = read(results)
		}
		err = errors.Join(err, results.Close())
		if s.begun || last || !s.engine.lost(err) {
			return s.engine.stopping(err)
		}
		_ = s.sql.Close()
		if err := s.connect(ctx); err != nil {
			return s.engine.stopping(err)
		}
	}
}

// ready makes sure that there is a transaction.
func (s *session) ready(ctx context.Context) error {
	if s.over {
		return errOver
	}
	if s.begun {
		return nil
	}
	return s.begin(ctx, func(*pgx.Batch) {}, func(pgx.BatchResults) error { return nil })
}

func (s *session) commit(ctx context.Context) error {
	if !s.begun {
		return nil
	}
	tag, err := s.conn.Exec(context.WithoutCancel(ctx), "commit")
	if err != nil {
		return err
	}
	s.begun = false
	if tag.String() == "ROLLBACK" { // a statement failed, and nobody looked
		return pgx.ErrTxCommitRollback
	}
	return nil
}

// rollbackTime is how long a rollback may take before the connection is given up, and the transaction with it.
const rollbackTime = 5 * time.Second

// end undoes what was not committed, and gives the connection back.
func (s *session) end() {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTime)
	defer cancel()
	if s.begun {
		if _, err := s.conn.Exec(ctx, "rollback"); err != nil {
			_ = s.conn.Close(ctx) // the error that led here says more
		}
	}
	_ = s.sql.Close()
}

// LockMigrations keeps two servers that start together from migrating at the same time.
func (e *engine) LockMigrations(ctx context.Context, s db.Session) error {
	_, err := s.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('colonnade migrations'))", nil)
	return err
}

// Gorm implements db.Session.
func (s *session) Gorm() *gorm.DB {
	g := s.engine.gorm.Session(&gorm.Session{NewDB: true, Context: context.Background()})
	if err := s.ready(context.Background()); err != nil {
		_ = g.AddError(err)
	}
	g.Statement.ConnPool = noBegin{s.sql}
	return g
}

// noBegin hides from GORM that a transaction could begin on the connection: there is one already.
type noBegin struct{ gorm.ConnPool }

// Conn returns the connection, for the work queue.
func (s *session) Conn() *pgx.Conn {
	if err := s.ready(context.Background()); err != nil {
		_ = s.conn.Close(context.Background()) // on which nothing must be done outside a transaction
	}
	return s.conn
}

// Exec implements db.Session.
func (s *session) Exec(ctx context.Context, text string, args []any) (int64, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	return exec(ctx, s.conn, text, args)
}

// ExecAll implements db.Session.
func (s *session) ExecAll(ctx context.Context, statements []*db.Builder) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return execAll(ctx, s.conn, statements)
}

// Query implements db.Session.
func (s *session) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return query(ctx, s.conn, text, args, each)
}

// Answer implements db.Session.
func (s *session) Answer(ctx context.Context, text string, args []any, shape *db.Shape, dst []byte) ([]byte, error) {
	if err := s.ready(ctx); err != nil {
		return dst, err
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
	queue := func(batch *pgx.Batch) {
		batch.Queue(f, int64(schemaLock))
		if read != nil {
			batch.Queue(read.String(), read.Args()...) // with a view of the data that is taken when the lock is there
		}
	}
	results := func(r pgx.BatchResults) error {
		if _, err := r.Exec(); err != nil || read == nil {
			return err
		}
		rows, err := r.Query()
		if err != nil {
			return err
		}
		return eachRow(rows, each)
	}
	if !s.begun {
		return s.begin(ctx, queue, results)
	}
	batch := &pgx.Batch{}
	queue(batch)
	r := s.conn.SendBatch(ctx, batch)
	return errors.Join(results(r), r.Close())
}

// LockSchema implements db.Session; outside a transaction there is nothing to keep.
func (e *engine) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if read == nil {
		return nil
	}
	return e.Query(ctx, read.String(), read.Args(), each)
}
