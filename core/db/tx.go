package db

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"colonnade/core"
)

// ErrClash is in the error of a transaction that the database has given up so that another can go on: they waited for each other, or
// what one has read the other has changed. Nothing of it remains, and the same again may do well. SQLite has one writer, so that none
// clash there; that a process of another kind holds its file for longer than we wait is no clash.
var ErrClash = errors.New("the transaction has clashed with another")

// TxOptions of a transaction; the zero value works.
type TxOptions struct {
	// Alone keeps the transaction from sharing its commit with others, as a schema change must.
	Alone bool

	// Later lets statements whose results nobody waits for travel with those that come after them, or with the commit, and
	// so fail later: [Tx.InsertLater] and [Tx.Assert].
	Later bool
}

// Tx is one transaction. It is used by one goroutine, and not after the function that it was made for has returned.
type Tx struct {
	Dialect
	session Session
	done    []func()
	parts   int // savepoints that are open
}

// Tx runs f in a transaction. When f returns nil the transaction is committed, durably, before Tx returns nil, and
// then what [Tx.AfterCommit] was given is called. Otherwise nothing of it remains.
//
// f returns the error of a statement that failed, unless it ran in a [Tx.Savepoint]: PostgreSQL refuses what follows it,
// and the commit; SQLite would go on.
//
// Tx must not be called from within f: pass the transaction on.
func (db *DB) Tx(ctx context.Context, o TxOptions, f func(*Tx) error) error {
	var tx *Tx
	err := db.engine.Tx(ctx, o, func(s Session) error {
		tx = &Tx{Dialect: db.Dialect, session: s}
		return f(tx)
	})
	if err != nil {
		return db.classify(err)
	}
	for _, f := range tx.done {
		f()
	}
	return nil
}

// AfterCommit has f called once the transaction has committed; f is not called when it fails.
func (tx *Tx) AfterCommit(f func()) { tx.done = append(tx.done, f) }

// Gorm serves the system tables, whose shape is known when we compile. Its statements run to their end.
func (tx *Tx) Gorm(ctx context.Context) *gorm.DB {
	return tx.session.Gorm().WithContext(context.WithoutCancel(ctx))
}

// Session returns the dialect's own handle, for the work queue.
func (tx *Tx) Session() Session { return tx.session }

// Exec runs a statement and returns the number of rows that it changed.
func (tx *Tx) Exec(ctx context.Context, b *Builder) (int64, error) {
	return run{tx.Dialect, tx.session}.exec(ctx, b)
}

// ExecAll runs the statements in order and stops at the first error.
func (tx *Tx) ExecAll(ctx context.Context, statements ...*Builder) error {
	return run{tx.Dialect, tx.session}.execAll(ctx, statements)
}

// LockSchema keeps the schema as it is until the end of the transaction; exclusive is for who changes it.
func (tx *Tx) LockSchema(ctx context.Context, exclusive bool) error {
	return classify(tx.Dialect, tx.session.LockSchema(ctx, exclusive, nil, nil))
}

// Assert is [Tx.LockSchema], not exclusive, and then fails the transaction with otherwise unless the condition holds; in one
// with [TxOptions.Later] perhaps only when something else is done.
func (tx *Tx) Assert(ctx context.Context, condition *Builder, otherwise error) error {
	if condition.err != nil {
		return condition.err
	}
	return classify(tx.Dialect, tx.session.Assert(ctx, condition, otherwise))
}

// QueryLocked is [Tx.LockSchema], then [Tx.Query], together.
func (tx *Tx) QueryLocked(ctx context.Context, exclusive bool, read *Builder, each func(scan func(dest ...any) error) error) error {
	if read.err != nil {
		return read.err
	}
	return classify(tx.Dialect, tx.session.LockSchema(ctx, exclusive, read, each))
}

// InsertRows inserts records that hold a value or nil for each of the columns, in the way that is fastest for their number.
func (tx *Tx) InsertRows(ctx context.Context, table string, columns []*core.Column, rows []core.Record) error {
	return tx.Insert(ctx, RowsOf(table, columns, rows))
}

// Insert inserts the rows, table by table, in the way that is fastest for their number.
func (tx *Tx) Insert(ctx context.Context, sets ...Rows) error {
	return classify(tx.Dialect, tx.session.Insert(ctx, sets...))
}

// Update sets the columns of rows that exist, in the way that is fastest for their number. The first column is the primary
// key that finds them.
func (tx *Tx) Update(ctx context.Context, rows Rows) error {
	return classify(tx.Dialect, tx.session.Update(ctx, rows))
}

// Upsert inserts rows or changes those that are there: see [Session].
func (tx *Tx) Upsert(ctx context.Context, u Upsert, each func(values []any) error) error {
	return classify(tx.Dialect, tx.session.Upsert(ctx, u, each))
}

// Flush does what [TxOptions.Later] has put off, so that its errors come now.
func (tx *Tx) Flush(ctx context.Context) error { return tx.ExecAll(ctx) }

// InsertLater is [Tx.Insert], but in a transaction with [TxOptions.Later] it may return before it is done. fail gives an
// error its words; the call that finds out, the commit at the latest, returns it. In a savepoint nothing is put off, so
// that what fails in it is undone with it.
func (tx *Tx) InsertLater(ctx context.Context, fail func(error) error, sets ...Rows) error {
	if tx.parts > 0 {
		if err := tx.Insert(ctx, sets...); err != nil {
			return fail(err)
		}
		return nil
	}
	return classify(tx.Dialect, tx.session.InsertLater(ctx, func(err error) error { return fail(classify(tx.Dialect, err)) }, sets...))
}

// Query runs a statement and calls each for every row. each must not use the transaction.
func (tx *Tx) Query(ctx context.Context, b *Builder, each func(scan func(dest ...any) error) error) error {
	return run{tx.Dialect, tx.session}.query(ctx, b, each)
}

// Answer runs a statement that [Dialect.Answer] wrote for s, and appends its JSON to dst.
func (tx *Tx) Answer(ctx context.Context, b *Builder, s *Shape, dst []byte) ([]byte, error) {
	return run{tx.Dialect, tx.session}.answer(ctx, b, s, dst)
}

// Savepoint runs f; when it fails, what it did is undone and the transaction goes on.
func (tx *Tx) Savepoint(ctx context.Context, f func() error) error {
	if _, err := tx.session.Exec(ctx, "SAVEPOINT part", nil); err != nil {
		return classify(tx.Dialect, err)
	}
	done := len(tx.done)
	tx.parts++
	err := f()
	tx.parts--
	end := "RELEASE SAVEPOINT part"
	if err != nil {
		tx.done = tx.done[:done]
		end = "ROLLBACK TO SAVEPOINT part"
	}
	if _, bad := tx.session.Exec(context.WithoutCancel(ctx), end, nil); bad != nil {
		return classify(tx.Dialect, bad)
	}
	if err != nil {
		_, bad := tx.session.Exec(context.WithoutCancel(ctx), "RELEASE SAVEPOINT part", nil)
		if bad != nil {
			return classify(tx.Dialect, bad)
		}
	}
	return err
}
