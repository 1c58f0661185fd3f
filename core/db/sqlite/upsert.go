package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// Upsert implements db.Session. While a statement runs, the arguments of the next ones are made.
func (s *session) Upsert(ctx context.Context, u db.Upsert, each func(values []any) error) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	write := func(rows db.Rows, n int) string { return insertText(rows, n) + " " + u.Conflict + returning(u.Back) }
	back := newBack(u.Back)
	last, err := s.run([]db.Rows{u.Rows}, write, func(b block) error {
		return s.conn.rowsBound(ctx, b.text, b.args, func(row []driver.Value) error { return back.read(row, each) })
	})
	if err != nil {
		return s.upsertRest(ctx, u.Rows, write, last.from, err)
	}
	return nil
}

// Upsert implements db.Session.
func (e *engine) Upsert(ctx context.Context, u db.Upsert, each func(values []any) error) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.Upsert(ctx, u, each) })
}

// upsertRest goes on row by row where a block has failed, to find the row that is to blame. Those before it are there already, and
// stay as they are.
func (s *session) upsertRest(ctx context.Context, rows db.Rows, write writeText, from int, failed error) error {
	one := insertion{Rows: rows, write: write}
	for i := from; i < min(rows.N, from+manyRows); i++ {
		if err := s.conn.execBound(ctx, one.text(1), one.bind(nil, i, 1)); err != nil {
			return core.E("sqlite.Upsert", core.At{Item: i + 1}, Dialect{}.Classify(err))
		}
	}
	return failed
}

// back reads what a statement returns. Columns whose texts have no comma, as those of the system, return as one text: each value by
// itself costs the driver as much as all of them.
type back struct {
	columns []*core.Column
	values  []any
}

func newBack(columns []*core.Column) *back {
	return &back{columns: columns, values: make([]any, len(columns))}
}

// joins reports whether a column returns together with others.
func joins(c *core.Column) bool {
	return c.Kind == core.UUID || c.Kind == core.Integer || c.Kind == core.Timestamp || c.Kind == core.Lookup
}

// returning writes what a statement returns: first what is joined, then the others.
func returning(columns []*core.Column) string {
	b := db.New(Dialect{}).Write(" RETURNING concat(''")
	for _, c := range columns {
		if joins(c) {
			b.Write(", ").Name(c.SQL()).Write(", ','")
		}
	}
	b.Write(")")
	for _, c := range columns {
		if !joins(c) {
			b.Write(", ").Name(c.SQL())
		}
	}
	return b.String()
}

func (b *back) read(row []driver.Value, each func(values []any) error) error {
	joined, _ := row[0].(string)
	row = row[1:]
	for i, c := range b.columns {
		if !joins(c) {
			b.values[i], row = loose(c.Kind, row[0]), row[1:]
			continue
		}
		var text string
		if text, joined, _ = strings.Cut(joined, ","); text == "" {
			b.values[i] = nil
		} else if last, same := b.values[i].(string); !same || last != text {
			b.values[i] = text
		}
	}
	return each(b.values)
}

// loose returns a value as SQLite keeps those of the kind in a form that says what it is.
func loose(k core.Kind, v driver.Value) any {
	switch v := v.(type) {
	case int64:
		switch k {
		case core.Boolean:
			return v != 0
		case core.Duration:
			return core.Span(v)
		}
	case string:
		if k == core.JSON || k == core.Choices {
			return json.RawMessage(v)
		}
	}
	return v
}
