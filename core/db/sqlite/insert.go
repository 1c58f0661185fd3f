package sqlite

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// InsertRows implements db.Session: without a network, one prepared statement a row is fastest.
func (s *session) InsertRows(ctx context.Context, table string, columns []*core.Column, rows []core.Record) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	b := db.New(Dialect{})
	b.Write("INSERT INTO ").Name(table).Write(" (")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.Name)
	}
	b.Write(") VALUES (")
	for i := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Write("?")
	}
	b.Write(")")
	args := make([]any, len(columns))
	for i, r := range rows {
		for j, c := range columns {
			args[j] = Dialect{}.Bind(c, r[c.Name])
		}
		if _, err := s.conn.exec(ctx, b.String(), args); err != nil {
			return core.E("sqlite.InsertRows", core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
	}
	return nil
}

// InsertRows implements db.Session.
func (e *engine) InsertRows(ctx context.Context, table string, columns []*core.Column, rows []core.Record) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.InsertRows(ctx, table, columns, rows) })
}

// LockSchema implements db.Session: who changes the schema is alone in his transaction.
func (s *session) LockSchema(context.Context, bool) error { return nil }

// LockSchema implements db.Session.
func (e *engine) LockSchema(context.Context, bool) error { return nil }
