package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5"

	"colonnade/core/db"
)

// minCopy is from how many rows on COPY is faster than a statement.
const minCopy = 100

// copyRows inserts rows by COPY, in the text format: https://www.postgresql.org/docs/current/sql-copy.html. The server reads
// rows while the next ones are written.
func copyRows(ctx context.Context, c *pgx.Conn, rows db.Rows) error {
	names := make([]string, len(rows.Columns))
	for i, c := range rows.Columns {
		names[i] = c.SQL()
	}
	return copyText(ctx, c, rows.Table, names, &copyReader{rows: rows, same: make([][]byte, len(rows.Columns))})
}

// copyText sends rows in the text format.
func copyText(ctx context.Context, c *pgx.Conn, table string, columns []string, text io.Reader) error {
	b := db.New(Dialect{}).Write("COPY ").Name(table).Write(" (").Names(columns...).Write(") FROM STDIN")
	_, err := c.PgConn().CopyFrom(ctx, text, b.String())
	return err
}

// copyReader is the text of rows.
type copyReader struct {
	rows db.Rows
	next int      // the row that comes next
	same [][]byte // by column: what all rows have in it, when the first row was written
	text []byte   // of the row under way
	rest []byte   // of it, what was not read yet
}

// Read implements io.Reader.
func (r *copyReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			if r.next == r.rows.N {
				break
			}
			if err := r.write(r.next); err != nil {
				return n, err
			}
			r.next++
		}
		done := copy(p[n:], r.rest)
		n, r.rest = n+done, r.rest[done:]
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// write makes the text of a row.
func (r *copyReader) write(row int) (err error) {
	r.text = r.text[:0]
	for j, c := range r.rows.Columns {
		if j > 0 {
			r.text = append(r.text, '\t')
		}
		if r.same[j] != nil {
			r.text = append(r.text, r.same[j]...)
			continue
		}
		start := len(r.text)
		if r.text, err = appendCopy(r.text, Dialect{}.Bind(c, r.rows.Value(row, j))); err != nil {
			return err
		}
		if r.rows.IsSame(j) {
			r.same[j] = bytes.Clone(r.text[start:])
		}
	}
	r.text = append(r.text, '\n')
	r.rest = r.text
	return nil
}

// appendCopy appends a value as the driver takes it.
func appendCopy(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, `\N`...), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendCopyText(b, v), nil
	}
	return b, fmt.Errorf("a %T cannot be copied", v)
}

// appendCopyText appends a text with escapes for what would end a value.
func appendCopyText(b []byte, s string) []byte {
	start := 0
	for i := range len(s) {
		escape := byte(0)
		switch s[i] {
		case '\\':
			escape = '\\'
		case '\n':
			escape = 'n'
		case '\r':
			escape = 'r'
		case '\t':
			escape = 't'
		default:
			continue
		}
		b = append(append(b, s[start:i]...), '\\', escape)
		start = i + 1
	}
	return append(b, s[start:]...)
}
