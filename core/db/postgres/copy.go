package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"colonnade/core/db"
)

// minCopy is from how many rows on COPY is faster than a statement, and maxCopy how many one takes: their text is in
// memory at once.
const (
	minCopy = 100
	maxCopy = 5000
)

// copyRows inserts rows by COPY, in the text format: https://www.postgresql.org/docs/current/sql-copy.html.
func copyRows(ctx context.Context, c *pgx.Conn, rows db.Rows) error {
	b := db.New(Dialect{}).Write("COPY ").Name(rows.Table).Write(" (")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
	}
	b.Write(") FROM STDIN")
	text := make([]byte, 0, 32*len(rows.Columns)*min(rows.N, maxCopy))
	same := make([][]byte, len(rows.Columns))
	for from := 0; from < rows.N; from += maxCopy {
		text = text[:0]
		for i := from; i < min(from+maxCopy, rows.N); i++ {
			for j, c := range rows.Columns {
				if j > 0 {
					text = append(text, '\t')
				}
				if same[j] != nil {
					text = append(text, same[j]...)
					continue
				}
				var err error
				start := len(text)
				if text, err = appendCopy(text, Dialect{}.Bind(c, rows.Value(i, j))); err != nil {
					return err
				}
				if rows.IsSame(j) {
					same[j] = bytes.Clone(text[start:])
				}
			}
			text = append(text, '\n')
		}
		if _, err := c.PgConn().CopyFrom(ctx, bytes.NewReader(text), b.String()); err != nil {
			return err
		}
	}
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
