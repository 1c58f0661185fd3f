package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// job is one transaction that waits for its turn on the connection that writes.
type job struct {
	ctx   context.Context
	alone bool
	turn  chan *session // the writer hands the connection over
	ran   chan error    // and gets it back
	done  chan error    // the outcome, after the commit
}

// A group of transactions shares one commit, and so one flush of the disk: the writer takes what is waiting until
// nobody waits, or one of these is reached.
const (
	maxGroup = 256
	maxDelay = 10 * time.Millisecond
)

var errStopping = core.E("sqlite.Tx", core.Unavailable, "the server is stopping")

// Tx implements db.Engine. f runs on the caller's goroutine, while the writer waits.
func (e *engine) Tx(ctx context.Context, o db.TxOptions, f func(db.Session) error) error {
	j := &job{ctx: ctx, alone: o.Alone, turn: make(chan *session, 1), ran: make(chan error, 1), done: make(chan error, 1)}
	select {
	case e.queue <- j:
	case <-e.stop:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case s := <-j.turn:
		j.run(s, f)
		return <-j.done
	case err := <-j.done: // there was no turn
		return err
	}
}

// run calls f and gives the connection back, however f ends.
func (j *job) run(s *session, f func(db.Session) error) {
	err := errors.New("the goroutine of the transaction ended")
	defer func() {
		if r := recover(); r != nil {
			err = core.E("sqlite.Tx", fmt.Errorf("panic in a transaction: %v\n%s", r, debug.Stack()))
		}
		s.over = true
		j.ran <- err
	}()
	if err = f(s); err == nil {
		err = j.ctx.Err()
	}
}

// serve gives the transactions their turns, one after the other, until the engine stops.
func (e *engine) serve() {
	defer close(e.done)
	w := writer{engine: e, conn: &conn{}}
	defer w.end()
	var next *job
	for {
		if next == nil {
			select {
			case next = <-e.queue:
			case <-e.stop:
				return
			}
		}
		next = w.group(next)
	}
}

// writer is the goroutine that owns the connection that writes.
type writer struct {
	engine *engine
	conn   *conn
}

// endTime is how long the writer waits at its end for the connection, which the work queue may hold.
const endTime = 5 * time.Second

// end closes the prepared statements, unless the pool has given up their connection, as it does when a transaction of the work
// queue is cancelled: then they went with it.
func (w *writer) end() {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	var err error
	if w.conn.sql, err = w.engine.write.Conn(ctx); err != nil {
		return
	}
	defer w.release()
	_ = w.conn.sql.Raw(func(dc any) error {
		if dc == w.conn.dc {
			w.conn.forgetAll()
		}
		return nil
	})
}

// group runs j and those that wait behind it in one transaction. It returns a job that it took but must not include.
func (w *writer) group(j *job) (next *job) {
	tx, err := w.begin(context.Background())
	if err != nil {
		j.done <- err
		return nil
	}
	var members []*job
	defer func() {
		w.release()
		for _, m := range members { // all that did well
			m.done <- err
		}
	}()
	begun := time.Now()
	for {
		cause, lost := w.member(tx, j, len(members) == 0)
		if lost {
			_ = tx.Rollback()
			err = errLost(cause)
			j.done <- cause
			return nil
		}
		if cause == nil {
			members = append(members, j)
		} else {
			j.done <- cause
		}
		if j.alone || len(members) == maxGroup || time.Since(begun) > maxDelay {
			break
		}
		var more bool
		if j, more = w.waiting(); !more {
			break
		}
		if j.alone {
			next = j
			break
		}
	}
	if err = tx.Commit(); err != nil {
		_ = tx.Rollback()
		return next
	}
	if w.engine.log != nil {
		w.engine.log.wake()
	}
	return next
}

// waiting returns a transaction that waits. Those whose callers were answered a moment ago get a chance to come.
func (w *writer) waiting() (*job, bool) {
	for range 2 {
		select {
		case j := <-w.engine.queue:
			return j, true
		default:
			runtime.Gosched()
		}
	}
	return nil, false
}

// errLost is what the other members of a group get when SQLite rolled back more than the failed member asked for.
func errLost(cause error) error {
	const op = "sqlite.Tx"
	if e := core.AsError(Dialect{}.Classify(cause)); e.Kind == core.Full || e.Kind == core.Unavailable {
		return core.E(op, e)
	}
	return core.E(op, core.Unavailable, "the write shared a commit that failed: try again", cause)
}

// begin borrows the one connection of the pool, which the work queue uses between groups.
func (w *writer) begin(ctx context.Context) (*sql.Tx, error) {
	var err error
	if w.conn.sql, err = w.engine.write.Conn(ctx); err != nil {
		return nil, err
	}
	tx, err := w.conn.sql.BeginTx(ctx, nil)
	if err != nil {
		w.release()
	}
	return tx, err
}

func (w *writer) release() { _ = w.conn.sql.Close() }

// member gives one job its turn, and returns its error. The first needs no savepoint, whose pages SQLite would keep a copy of:
// there is nothing else to lose. It reports whether SQLite has lost the whole transaction.
func (w *writer) member(tx *sql.Tx, j *job, first bool) (err error, lost bool) {
	if err := j.ctx.Err(); err != nil {
		return err, false
	}
	begin, undo, end := "SAVEPOINT member", []string{"ROLLBACK TO member", "RELEASE member"}, "RELEASE member"
	if first {
		begin, undo, end = "", []string{"ROLLBACK", "BEGIN IMMEDIATE"}, ""
	}
	if err := w.run(begin); err != nil {
		return err, true
	}
	j.turn <- &session{conn: w.conn, base: w.engine.gorm, tx: tx}
	if err := <-j.ran; err != nil {
		return err, w.run(undo...) != nil
	}
	err = w.run(end)
	return err, err != nil
}

// run executes statements, of which empty ones are left out.
func (w *writer) run(statements ...string) error {
	for _, s := range statements {
		if s == "" {
			continue
		}
		if _, err := w.conn.exec(context.Background(), s, nil); err != nil {
			return err
		}
	}
	return nil
}

// session is one transaction.
type session struct {
	conn *conn
	base *gorm.DB
	gorm *gorm.DB // base over tx, once somebody asked
	tx   *sql.Tx
	over bool
}

// ready refuses work when the caller has gone or the transaction is over. Statements themselves run to their end:
// interrupting one would roll back the whole group.
func (s *session) ready(ctx context.Context) (context.Context, error) {
	if s.over {
		return nil, errors.New("the transaction is over")
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

// SQL returns the transaction, for the work queue.
func (s *session) SQL() *sql.Tx { return s.tx }

// Gorm implements db.Session.
func (s *session) Gorm() *gorm.DB {
	if s.gorm == nil {
		s.gorm = withConn(s.base, s.tx)
	}
	return s.gorm
}

// Exec implements db.Session.
func (s *session) Exec(ctx context.Context, text string, args []any) (int64, error) {
	ctx, err := s.ready(ctx)
	if err != nil {
		return 0, err
	}
	return s.conn.exec(ctx, text, args)
}

// ExecAll implements db.Session.
func (s *session) ExecAll(ctx context.Context, statements []*db.Builder) error {
	for _, b := range statements {
		if _, err := s.Exec(ctx, b.String(), b.Args()); err != nil {
			return err
		}
	}
	return nil
}

// Query implements db.Session.
func (s *session) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return s.conn.query(ctx, text, args, each)
}

// Answer implements db.Session.
func (s *session) Answer(ctx context.Context, text string, args []any, shape *db.Shape, dst []byte) ([]byte, error) {
	ctx, err := s.ready(ctx)
	if err != nil {
		return dst, err
	}
	return s.conn.answer(ctx, text, args, shape, dst)
}
