package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// session is one transaction: GORM sees its connection as *sql.Conn, the work queue as *pgx.Conn. BEGIN travels with the
// first statement, and so do statements that may wait. It has no connection before; when nothing but the commit asks for one,
// the transaction may become part of another: see groups.
type session struct {
	engine *engine
	sql    *sql.Conn
	conn   *pgx.Conn // the same
	later  bool
	queue  []statement
	begun  bool
	over   bool
}

// statement is one that travels with others.
type statement struct {
	text string
	args []any
	// shared is set when several equal ones in a transaction are as good as one.
	shared bool
	commit bool                         // it is the COMMIT
	read   func(pgx.BatchResults) error // what to do with its results; nil when there are none
	fail   func(error) error            // gives its error words; may be nil
}

// equal compares statements with simple arguments.
func (st *statement) equal(other *statement) bool {
	return st.text == other.text && slices.Equal(st.args, other.args)
}

func (st *statement) result(r pgx.BatchResults) error {
	if st.read != nil {
		return st.read(r)
	}
	_, err := r.Exec()
	return err
}

var errOver = errors.New("the transaction is over")

// Tx implements db.Engine.
func (e *engine) Tx(ctx context.Context, o db.TxOptions, f func(db.Session) error) (err error) {
	s := &session{engine: e, later: o.Later}
	defer func() {
		if r := recover(); r != nil {
			err = core.E("postgres.Tx", fmt.Errorf("panic in a transaction: %v\n%s", r, debug.Stack()))
		}
		s.end()
	}()
	err = f(s)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.commit(ctx)
	}
	s.over = true
	return err
}

func (s *session) connect(ctx context.Context) (err error) {
	if s.sql, err = s.engine.sql.Conn(ctx); err != nil {
		return err
	}
	return s.sql.Raw(func(driver any) error { s.conn = driver.(*stdlib.Conn).Conn(); return nil })
}

// send sends what waits, and then the statements, in one round trip; BEGIN goes in front of the first. That is tried once
// more when the connection turns out to be dead and nothing was done for certain.
func (s *session) send(ctx context.Context, more ...statement) error {
	if s.over {
		return errOver
	}
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return s.engine.stopping(err)
		}
	}
	all := append(s.queue, more...)
	s.queue = nil
	commits := len(all) > 0 && all[len(all)-1].commit
	doubt := func(done int, err error) bool { return commits && inDoubt(err, done == len(all)-1) }
	again := !s.begun
	done, err := s.roundTrip(ctx, all)
	if err != nil && again && !s.begun && s.engine.lost(err) && !doubt(done, err) {
		_ = s.sql.Close()
		if err := s.connect(ctx); err != nil {
			return s.engine.stopping(err)
		}
		done, err = s.roundTrip(ctx, all)
	}
	switch {
	case err == nil:
		return nil
	case doubt(done, err):
		_ = s.engine.lost(err)
		return errInDoubt(err)
	case done < len(all) && s.begun && all[done].fail != nil:
		err = all[done].fail(err)
	}
	return s.engine.stopping(err)
}

// roundTrip sends BEGIN, unless the transaction has begun, and the statements, and returns how many of these did well.
func (s *session) roundTrip(ctx context.Context, all []statement) (done int, err error) {
	batch := &pgx.Batch{}
	fresh := !s.begun
	if fresh {
		batch.Queue("begin")
	}
	for i := range all {
		batch.Queue(all[i].text, all[i].args...)
	}
	results := s.conn.SendBatch(ctx, batch)
	if fresh {
		_, err = results.Exec()
		s.begun = err == nil
	}
	for err == nil && done < len(all) {
		if err = all[done].result(results); err == nil {
			done++
		}
	}
	committed := err == nil && done > 0 && all[done-1].commit
	if bad := results.Close(); err == nil && !committed { // what breaks after the commit takes nothing back
		err = bad
	}
	return done, err
}

// inDoubt reports whether a round trip that ended with COMMIT may have committed although it failed with err; last tells that
// the server acknowledged all but the COMMIT. The server answers in order, and after an error skips the rest, but its
// answers travel together: when the connection breaks, none of them need have come although all was done.
func inDoubt(err error, last bool) bool {
	var pg *pgconn.PgError
	var early pgx.ErrPreprocessingBatch // before the COMMIT was sent
	switch {
	case errors.As(err, &early), pgconn.SafeToRetry(err), errors.Is(err, pgx.ErrTxCommitRollback):
		return false
	case errors.As(err, &pg):
		return last && pg.SeverityUnlocalized != "ERROR" // the server process was ended, perhaps after the commit
	}
	return true
}

func errInDoubt(err error) error {
	return core.E("postgres.commit", core.Unavailable, "the connection to the database broke during the commit: the change may have been made; look before you try again", err)
}

// ready makes sure that there is a transaction, and that nothing waits.
func (s *session) ready(ctx context.Context) error {
	if s.over {
		return errOver
	}
	if s.begun && len(s.queue) == 0 {
		return nil
	}
	return s.send(ctx)
}

// commit ends the transaction, in the round trip of what waits.
func (s *session) commit(ctx context.Context) error {
	switch {
	case s.begun:
	case len(s.queue) == 0:
		return nil
	case s.conn == nil:
		return s.engine.groups.commit(ctx, s.queue, func() error { return s.commitAlone(ctx) })
	}
	return s.commitAlone(ctx)
}

func (s *session) commitAlone(ctx context.Context) error {
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return s.engine.stopping(err)
		}
	}
	return s.send(context.WithoutCancel(ctx), statement{text: "commit", commit: true, read: func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		if err != nil {
			return err
		}
		s.begun = false
		if tag.String() == "ROLLBACK" { // a statement failed, and nobody looked
			return pgx.ErrTxCommitRollback
		}
		return nil
	}})
}

// rollbackTime is how long a rollback may take before the connection is given up, and the transaction with it.
const rollbackTime = 5 * time.Second

// end undoes what was not committed, and gives the connection back.
func (s *session) end() {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTime)
	defer cancel()
	if s.begun {
		// A query of GORM whose context has ended takes the connection back to the pool, which closes it, and the transaction with it:
		// nothing is called then.
		_ = s.sql.Raw(func(any) error {
			if _, err := s.conn.Exec(ctx, "rollback"); err != nil {
				_ = s.conn.Close(ctx) // the error that led here says more
			}
			return nil
		})
	}
	if s.sql != nil { // it is nil when the server did not let us in again
		_ = s.sql.Close()
	}
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

// lock is the statement that takes the advisory lock.
func lock(exclusive bool) statement {
	st := statement{text: "SELECT pg_advisory_xact_lock_shared($1)", args: []any{int64(schemaLock)}, shared: true}
	if exclusive {
		st.text = "SELECT pg_advisory_xact_lock($1)"
	}
	return st
}

// LockSchema implements db.Session.
func (s *session) LockSchema(ctx context.Context, exclusive bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if read == nil {
		return s.send(ctx, lock(exclusive))
	}
	// The statement behind the lock has a view of the data that is taken when the lock is there.
	return s.send(ctx, lock(exclusive), statement{text: read.String(), args: read.Args(), read: func(r pgx.BatchResults) error {
		rows, err := r.Query()
		if err != nil {
			return err
		}
		return eachRow(rows, each)
	}})
}

// LockSchema implements db.Session; outside a transaction there is nothing to keep.
func (e *engine) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if read == nil {
		return nil
	}
	return e.Query(ctx, read.String(), read.Args(), each)
}

// Assert implements db.Session. The server itself must find out: what follows is under way, the commit perhaps among it.
// So a condition that does not hold divides by zero.
func (s *session) Assert(ctx context.Context, condition *db.Builder, otherwise error) error {
	check := statement{text: "SELECT 1 / CASE WHEN " + condition.String() + " THEN 1 ELSE 0 END", args: condition.Args(), shared: true, fail: func(err error) error {
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == pgerrDivisionByZero {
			return otherwise
		}
		return err
	}}
	if s.later && !s.over {
		s.queue = append(s.queue, lock(false), check)
		return nil
	}
	return s.send(ctx, lock(false), check)
}

const pgerrDivisionByZero = "22012"

// Assert implements db.Session.
func (e *engine) Assert(ctx context.Context, condition *db.Builder, otherwise error) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.Assert(ctx, condition, otherwise) })
}
