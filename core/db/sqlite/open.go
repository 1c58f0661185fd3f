package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// engine is an open SQLite database.
type engine struct {
	source  string
	lock    *os.File // nil when it only reads
	write   *sql.DB
	read    *sql.DB
	gorm    *gorm.DB   // over the readers
	readers chan *conn // idle
	n       int        // of readers
	queue   chan *job
	log     *checkpointer // nil when it only reads
	stop    chan struct{} // closed when the engine closes
	done    chan struct{} // closed when the writer has ended
	closing sync.Once
}

// Open implements db.Dialect. The source is the path of the file; its folder is made when missing.
func (Dialect) Open(ctx context.Context, source string, o db.Options) (db.Engine, error) {
	const op = "sqlite.Open"
	if err := register(); err != nil {
		return nil, core.E(op, err)
	}
	file, err := prepare(ctx, source, o)
	if err != nil {
		return nil, core.E(op, err)
	}
	e := &engine{source: source, lock: file, queue: make(chan *job), stop: make(chan struct{}), done: make(chan struct{})}
	if err := e.connect(ctx, source, o); err != nil {
		close(e.done) // there is no writer
		return nil, unusable(source, errors.Join(err, e.Close()))
	}
	return e, nil
}

// prepare locks the database, unless it is only read beside another process, and looks at what is in it.
func prepare(ctx context.Context, source string, o db.Options) (file *os.File, err error) {
	const op = "sqlite.prepare"
	if o.ReadOnly {
		if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
			return nil, core.E(op, core.NotFound, "there is no database "+source+": name its folder with --data", err)
		}
	} else if err := os.MkdirAll(filepath.Dir(source), 0o700); err != nil {
		return nil, core.E(op, core.Unavailable, "the data directory cannot be made: "+err.Error(), err)
	}
	if !o.ReadOnly || o.Alone {
		if file, err = lock(source + ".lock"); err != nil {
			return nil, err
		}
	}
	if !o.ReadOnly {
		err = private(source)
	}
	if err == nil {
		err = ours(ctx, source, o)
	}
	if err != nil && file != nil {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, unusable(source, err)
	}
	return file, nil
}

func (e *engine) connect(ctx context.Context, source string, o db.Options) error {
	n := o.Conns
	if n <= 0 {
		n = 2 * max(2, runtime.GOMAXPROCS(0))
	}
	writing := dsn(source, "rwc", immediate, "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint("+strconv.Itoa(maxLogPages)+")", "cache_size(-16000)")
	if o.ReadOnly {
		writing = dsn(source, "rw", deferred, "query_only(1)")
	}
	var err error
	if e.write, err = sql.Open("sqlite", writing); err != nil {
		return err
	}
	e.write.SetMaxOpenConns(1)
	if err := e.write.PingContext(ctx); err != nil { // makes the file, before a reader looks for it
		return err
	}
	if e.read, err = sql.Open("sqlite", dsn(source, "rw", deferred, "query_only(1)")); err != nil {
		return err
	}
	e.read.SetMaxOpenConns(n + 2) // two for GORM
	e.read.SetMaxIdleConns(n + 2)
	if e.gorm, err = openGorm(e.read); err != nil {
		return err
	}
	e.readers = make(chan *conn, n)
	for range n {
		c, err := newConn(ctx, e.read)
		if err != nil {
			return err
		}
		e.readers <- c
		e.n++
	}
	if !o.ReadOnly {
		if e.log, err = e.newCheckpointer(ctx, source); err != nil {
			return err
		}
		go e.log.serve()
	}
	go e.serve()
	return nil
}

// How a transaction begins: by taking the lock of writers, or by reading.
const (
	immediate = "immediate"
	deferred  = "deferred"
)

func dsn(path, mode, begin string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_txlock": {begin}, "_time_format": {"sqlite"}}
	for _, p := range append([]string{"busy_timeout(10000)", "foreign_keys(1)", "cache_size(-8000)", "mmap_size(1073741824)", "trusted_schema(0)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Gorm implements db.Session.
func (e *engine) Gorm() *gorm.DB { return e.gorm }

// reader calls f with an idle reader.
func (e *engine) reader(ctx context.Context, f func(*conn) error) error {
	select {
	case c := <-e.readers:
		defer func() { e.readers <- c }()
		return f(c)
	case <-e.stop:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Exec implements db.Session: a write outside a transaction is a transaction of its own.
func (e *engine) Exec(ctx context.Context, text string, args []any) (rows int64, err error) {
	err = e.Tx(ctx, db.TxOptions{}, func(s db.Session) error {
		rows, err = s.Exec(ctx, text, args)
		return err
	})
	return rows, err
}

// ExecAll implements db.Session.
func (e *engine) ExecAll(ctx context.Context, statements []*db.Builder) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.ExecAll(ctx, statements) })
}

// Query implements db.Session.
func (e *engine) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	return e.reader(ctx, func(c *conn) error { return c.query(ctx, text, args, each) })
}

// Answer implements db.Session.
func (e *engine) Answer(ctx context.Context, text string, args []any, s *db.Shape, dst []byte) (out []byte, err error) {
	err = e.reader(ctx, func(c *conn) error {
		out, err = c.answer(ctx, text, args, s, dst)
		return err
	})
	return out, err
}

// Listen implements db.Engine: no other process can write to the database.
func (e *engine) Listen(ctx context.Context, _ string, _ func()) { <-ctx.Done() }

// Notify implements db.Engine.
func (e *engine) Notify(context.Context, string) {}

// Ping implements db.Engine.
func (e *engine) Ping(ctx context.Context) error {
	return e.reader(ctx, func(c *conn) error {
		return c.query(ctx, "SELECT 1", nil, func(func(...any) error) error { return nil })
	})
}

// Pools implements db.Engine. Who writes waits for others to be written with, and not for a connection.
func (e *engine) Pools() []db.Pool {
	return []db.Pool{{Name: "read", Most: e.n, Open: e.n, Busy: e.n - len(e.readers)}}
}

// Writer returns the pool of the one connection that writes, for the work queue.
func (e *engine) Writer() *sql.DB { return e.write }

// Close implements db.Engine: it waits for the group of transactions that is at work and for the readers.
func (e *engine) Close() error {
	var errs []error
	e.closing.Do(func() {
		close(e.stop)
		<-e.done
		if e.log != nil {
			errs = append(errs, e.log.close())
		}
		for range e.n {
			errs = append(errs, (<-e.readers).close())
		}
		for _, pool := range []*sql.DB{e.read, e.write} {
			if pool != nil {
				errs = append(errs, pool.Close())
			}
		}
		if e.lock != nil {
			errs = append(errs, e.lock.Close())
		}
	})
	return errors.Join(errs...)
}
