package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"colonnade/core"
	"colonnade/core/db"
)

// Upsert implements db.Session. It sends a statement while the next is written.
func (s *session) Upsert(ctx context.Context, u db.Upsert, each func(values []any) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return upsert(ctx, s.conn, u, each)
}

// Upsert implements db.Session.
func (e *engine) Upsert(ctx context.Context, u db.Upsert, each func(values []any) error) error {
	return upsert(ctx, e.pool, u, each)
}

func upsert(ctx context.Context, q querier, u db.Upsert, each func(values []any) error) error {
	var statements iter.Seq[*db.Builder] = func(yield func(*db.Builder) bool) {
		for from := 0; from < u.N && yield(upsertStatement(u, from, min(from+maxUpdate, u.N))); from += maxUpdate {
		}
	}
	if u.N > maxUpdate {
		statements = db.Ahead(1, statements)
	}
	for b := range statements {
		if err := b.Err(); err != nil {
			return err
		}
		if err := upsertSome(ctx, q, b, u.Back, each); err != nil {
			return err
		}
	}
	return nil
}

func upsertSome(ctx context.Context, q querier, b *db.Builder, columns []*core.Column, each func(values []any) error) error {
	rows, err := q.Query(ctx, b.String(), append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, b.Args()...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	back, err := newBack(columns, rows.FieldDescriptions())
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := back.read(rows.RawValues(), each); err != nil {
			return err
		}
	}
	return rows.Err()
}

// upsertStatement writes what inserts some of the rows, or changes those that are there.
func upsertStatement(u db.Upsert, from, to int) *db.Builder {
	b := insertInto(u.Rows).Write("SELECT ")
	for i, c := range u.Columns {
		if i > 0 {
			b.Write(", ")
		}
		if u.IsSame(i) {
			b.Value(c, u.Value(from, i)).Write("::", storage[c.Kind])
		} else {
			b.Name("x", c.SQL()).Write("::", storage[c.Kind])
		}
	}
	b.Write(" FROM ")
	arrays(b, u.Different(), from, to)
	b.Write(" ", u.Conflict, " RETURNING ")
	for i, c := range u.Back {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(u.Table, c.SQL())
	}
	return b
}

// back reads what a statement returns. Many rows have a value of the one before, which is read once.
type back struct {
	encode []encoder // nil for a text, which is as it is
	json   []bool
	last   [][]byte
	values []any
	text   []byte
}

func newBack(columns []*core.Column, fields []pgconn.FieldDescription) (*back, error) {
	n := len(fields)
	b := &back{encode: make([]encoder, n), json: make([]bool, n), last: make([][]byte, n), values: make([]any, n)}
	for i, f := range fields {
		if f.DataTypeOID == pgtype.TextOID {
			continue
		}
		b.encode[i] = encoders[f.DataTypeOID]
		if columns[i].Kind == core.Duration {
			b.encode[i] = encodeSpan
		}
		switch columns[i].Kind {
		case core.Boolean, core.Float, core.Choices, core.JSON:
			b.json[i] = true
		}
		if b.encode[i] == nil {
			return nil, fmt.Errorf("column %s has the type %d, which no encoder writes", f.Name, f.DataTypeOID)
		}
	}
	return b, nil
}

func (b *back) read(raw [][]byte, each func(values []any) error) (err error) {
	for i, v := range raw {
		if v == nil {
			b.values[i], b.last[i] = nil, nil
			continue
		}
		if b.last[i] != nil && string(b.last[i]) == string(v) {
			continue
		}
		b.last[i] = append(b.last[i][:0], v...)
		if b.values[i], err = b.value(i, v); err != nil {
			return err
		}
	}
	return each(b.values)
}

// value returns a value in a form that says what it is: what JSON writes as a text, such as a moment, as that text, and numbers
// as their digits.
func (b *back) value(i int, v []byte) (_ any, err error) {
	if b.encode[i] == nil {
		return string(v), nil
	}
	if b.text, err = b.encode[i](b.text[:0], v); err != nil {
		return nil, err
	}
	if b.json[i] {
		return json.RawMessage(bytes.Clone(b.text)), nil
	}
	return string(bytes.Trim(b.text, `"`)), nil
}
