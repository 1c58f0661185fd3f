package sqlite

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// Insert implements db.Session: without a network, one prepared statement a row is fastest.
func (s *session) Insert(ctx context.Context, sets ...db.Rows) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	for _, rows := range sets {
		if err := s.insert(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) insert(ctx context.Context, rows db.Rows) error {
	b := db.New(Dialect{})
	b.Write("INSERT INTO ").Name(rows.Table).Write(" (")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
	}
	b.Write(") VALUES (")
	for i := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Write("?")
	}
	text := b.Write(")").String()
	args := make([]any, len(rows.Columns))
	for i := range rows.N {
		for j, c := range rows.Columns {
			args[j] = Dialect{}.Bind(c, rows.Value(i, j))
		}
		if _, err := s.conn.exec(ctx, text, args); err != nil {
			return core.E("sqlite.Insert", core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
	}
	return nil
}

// Insert implements db.Session.
func (e *engine) Insert(ctx context.Context, sets ...db.Rows) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.Insert(ctx, sets...) })
}

// InsertLater implements db.Session: there is no network to save.
func (s *session) InsertLater(ctx context.Context, fail func(error) error, sets ...db.Rows) error {
	if err := s.Insert(ctx, sets...); err != nil {
		return fail(err)
	}
	return nil
}

// InsertLater implements db.Session.
func (e *engine) InsertLater(ctx context.Context, fail func(error) error, sets ...db.Rows) error {
	if err := e.Insert(ctx, sets...); err != nil {
		return fail(err)
	}
	return nil
}

// LockSchema implements db.Session: who changes the schema is alone in his transaction.
func (s *session) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	return look(ctx, s, read, each)
}

// LockSchema implements db.Session.
func (e *engine) LockSchema(ctx context.Context, _ bool, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	return look(ctx, e, read, each)
}

func look(ctx context.Context, s db.Session, read *db.Builder, each func(scan func(dest ...any) error) error) error {
	if read == nil {
		return nil
	}
	return s.Query(ctx, read.String(), read.Args(), each)
}

// Assert implements db.Session.
func (s *session) Assert(ctx context.Context, condition *db.Builder, otherwise error) error {
	return assert(ctx, s, condition, otherwise)
}

// Assert implements db.Session.
func (e *engine) Assert(ctx context.Context, condition *db.Builder, otherwise error) error {
	return assert(ctx, e, condition, otherwise)
}

func assert(ctx context.Context, s db.Session, condition *db.Builder, otherwise error) error {
	holds := false
	err := s.Query(ctx, "SELECT "+condition.String(), condition.Args(), func(scan func(...any) error) error { return scan(&holds) })
	if err == nil && !holds {
		return otherwise
	}
	return err
}
