package db

import (
	"context"
	"errors"
	"log/slog"

	"gorm.io/gorm"

	"colonnade/core"
)

// Options of a database; the zero value works.
type Options struct {
	Conns int          // connections at most; 0 for a number that suits the machine
	Log   *slog.Logger // slog.Default when nil

	// ReadOnly opens the database to be read beside a server that may be at work on it. It must be of this version.
	ReadOnly bool

	// Alone refuses a database that another process is at work on, and keeps others from it. SQLite is like that in any
	// case, unless ReadOnly.
	Alone bool

	// Fill is what the database, which must be empty, is about to be filled by: "move" or "restore". Until [DB.Filled] it
	// cannot be opened otherwise. It implies Alone.
	Fill string
}

// DB is an open database.
type DB struct {
	Dialect
	engine Engine
	log    *slog.Logger
}

// Open connects to the database and brings its system tables up to date.
func Open(ctx context.Context, d Dialect, source string, o Options) (*DB, error) {
	const op = "db.Open"
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Alone = o.Alone || o.Fill != ""
	e, err := d.Open(ctx, source, o)
	if err != nil {
		return nil, core.E(op, err)
	}
	db := &DB{Dialect: d, engine: e, log: o.Log}
	prepare := db.migrate
	if o.ReadOnly {
		prepare = db.checkVersion
	}
	if err := prepare(ctx, o); err != nil {
		return nil, core.E(op, errors.Join(err, e.Close()))
	}
	return db, nil
}

// Close waits for running transactions and disconnects.
func (db *DB) Close() error { return db.engine.Close() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.classify(db.engine.Ping(ctx)) }

// Pools says how much the connections have to do.
func (db *DB) Pools() []Pool { return db.engine.Pools() }

// Engine returns the dialect's own handle, for the work queue.
func (db *DB) Engine() Engine { return db.engine }

// Gorm reads the system tables outside a transaction.
func (db *DB) Gorm(ctx context.Context) *gorm.DB { return db.engine.Gorm().WithContext(ctx) }

// Listen calls wake when another process notifies the topic, until ctx ends.
func (db *DB) Listen(ctx context.Context, topic string, wake func()) {
	db.engine.Listen(ctx, topic, wake)
}

// Notify wakes the other processes that listen to the topic.
func (db *DB) Notify(ctx context.Context, topic string) { db.engine.Notify(ctx, topic) }

// Conn runs statements: a [DB], each by itself, or a [Tx].
type Conn interface {
	Exec(ctx context.Context, b *Builder) (rows int64, err error)
	ExecAll(ctx context.Context, statements ...*Builder) error
	Query(ctx context.Context, b *Builder, each func(scan func(dest ...any) error) error) error
	Answer(ctx context.Context, b *Builder, s *Shape, dst []byte) ([]byte, error)
}

var (
	_ Conn = (*DB)(nil)
	_ Conn = (*Tx)(nil)
)

// Exec runs a statement and returns the number of rows that it changed.
func (db *DB) Exec(ctx context.Context, b *Builder) (int64, error) {
	return run{db.Dialect, db.engine}.exec(ctx, b)
}

// ExecAll runs the statements in order and stops at the first error. Outside a transaction the ones before it stay done.
func (db *DB) ExecAll(ctx context.Context, statements ...*Builder) error {
	return run{db.Dialect, db.engine}.execAll(ctx, statements)
}

// Query runs a statement and calls each for every row.
func (db *DB) Query(ctx context.Context, b *Builder, each func(scan func(dest ...any) error) error) error {
	return run{db.Dialect, db.engine}.query(ctx, b, each)
}

// Answer runs a statement that [Dialect.Answer] wrote for s, and appends its JSON to dst.
func (db *DB) Answer(ctx context.Context, b *Builder, s *Shape, dst []byte) ([]byte, error) {
	return run{db.Dialect, db.engine}.answer(ctx, b, s, dst)
}

// run is what DB and Tx share.
type run struct {
	d Dialect
	s Session
}

func (r run) exec(ctx context.Context, b *Builder) (int64, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := r.s.Exec(ctx, b.String(), b.args)
	return n, classify(r.d, err)
}

func (r run) execAll(ctx context.Context, statements []*Builder) error {
	for _, b := range statements {
		if b.err != nil {
			return b.err
		}
	}
	return classify(r.d, r.s.ExecAll(ctx, statements))
}

func (r run) query(ctx context.Context, b *Builder, each func(scan func(dest ...any) error) error) error {
	if b.err != nil {
		return b.err
	}
	return classify(r.d, r.s.Query(ctx, b.String(), b.args, each))
}

func (r run) answer(ctx context.Context, b *Builder, s *Shape, dst []byte) ([]byte, error) {
	if b.err != nil {
		return dst, b.err
	}
	out, err := r.s.Answer(ctx, b.String(), b.args, s, dst)
	return out, classify(r.d, err)
}

func (db *DB) classify(err error) error { return classify(db.Dialect, err) }

// classify leaves our own errors as they are and has the dialect name the others.
func classify(d Dialect, err error) error {
	if err == nil {
		return nil
	}
	var e *core.Error // which makes errors.As allocate it
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return core.E("db", core.Unavailable, "the request took too long and was stopped", err)
	}
	return d.Classify(err)
}
