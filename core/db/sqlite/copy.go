package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// Catalogue implements db.Copier.
func (Dialect) Catalogue(b *db.Builder) {
	b.Write("SELECT m.name, p.name, p.type, p.pk FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS p WHERE m.type = 'table' ORDER BY m.name, p.name")
}

// FormOf implements db.Copier. Where a text is JSON the database does not know.
func (Dialect) FormOf(stored string) db.Form {
	kind, _, _ := strings.Cut(stored, " ")
	return map[string]db.Form{"INTEGER": db.FormInteger, "REAL": db.FormFloat, "TEXT": db.FormText, "BLOB": db.FormBytes}[strings.ToUpper(kind)]
}

// CopyOut implements db.Copier.
func (Dialect) CopyOut(b *db.Builder, c db.StoredColumn) {
	switch c.Form {
	case db.FormInteger:
		b.Write("CAST(").Name(c.Name).Write(" AS TEXT)")
	case db.FormFloat:
		b.Write("float_json(").Name(c.Name).Write(")")
	default:
		b.Name(c.Name)
	}
}

// CopyOrder implements db.Copier.
func (Dialect) CopyOrder(b *db.Builder, c db.StoredColumn) { b.Name("e", c.Name) }

// EventPlace implements db.Copier.
func (Dialect) EventPlace(b *db.Builder, _ int64) { b.Write("e.seq") }

// EventColumns implements db.Copier.
func (Dialect) EventColumns() map[string]string { return nil }

// EventsBehind implements db.Copier.
func (d Dialect) EventsBehind(past int64) []*db.Builder {
	return []*db.Builder{
		db.New(d).Write("INSERT INTO sqlite_sequence (name, seq) SELECT '_event', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = '_event')"),
		db.New(d).Write("UPDATE sqlite_sequence SET seq = max(seq, ").Arg(past).Write(") WHERE name = '_event'"),
	}
}

// NextNumber implements db.Copier.
func (Dialect) NextNumber(b *db.Builder, c db.Counter) { db.NextOfRow(b, c) }

// SetNumber implements db.Copier.
func (Dialect) SetNumber(b *db.Builder, c db.Counter, next int64) { db.SetRow(b, c, next) }

// CopyIn implements db.Session.
func (s *session) CopyIn(ctx context.Context, table string, columns []db.StoredColumn, rows [][][]byte) error {
	ctx, err := s.ready(ctx)
	if err != nil {
		return err
	}
	many := max(1, min(manyRows, maxVariables/max(1, len(columns))))
	for len(rows) > 0 {
		n := 1
		if len(rows) >= many {
			n = many
		}
		args := make([]any, 0, n*len(columns))
		for _, row := range rows[:n] {
			for i, c := range columns {
				v, err := copied(c, row[i])
				if err != nil {
					return err
				}
				args = append(args, v)
			}
		}
		if _, err := s.conn.exec(ctx, copyText(table, columns, n), args); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// copied returns a value of a copy as the driver takes it.
func copied(c db.StoredColumn, v []byte) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch c.Form {
	case db.FormInteger:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return nil, core.E("sqlite.CopyIn", core.Invalid, core.At{Column: c.Name}, fmt.Sprintf("%.40q is no integer", v))
		}
		return n, nil
	case db.FormFloat:
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return nil, core.E("sqlite.CopyIn", core.Invalid, core.At{Column: c.Name}, fmt.Sprintf("%.40q is no number", v))
		}
		return f, nil
	case db.FormBytes:
		return v, nil
	}
	return string(v), nil
}

func copyText(table string, columns []db.StoredColumn, n int) string {
	b := db.New(Dialect{}).Write("INSERT INTO ").Name(table).Write(" (")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.Name)
	}
	b.Write(") VALUES ")
	row := "(" + strings.Repeat("?, ", len(columns)-1) + "?)"
	return b.Write(row, strings.Repeat(", "+row, n-1)).String()
}

// CopyIn implements db.Session.
func (e *engine) CopyIn(ctx context.Context, table string, columns []db.StoredColumn, rows [][][]byte) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.CopyIn(ctx, table, columns, rows) })
}

// View implements db.Engine: a read transaction of a connection of its own. Meanwhile the log of the database grows.
func (e *engine) View(ctx context.Context, f func(db.Viewer) error) (err error) {
	pool, err := sql.Open("sqlite", dsn(e.source, "rw", deferred, "query_only(1)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	c, err := newConn(ctx, pool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.exec(ctx, "BEGIN", nil); err != nil {
		return err
	}
	look := func(func(...any) error) error { return nil } // with the first look the moment is fixed
	if err = c.query(ctx, "SELECT count(*) FROM sqlite_schema", nil, look); err == nil {
		err = f(viewer{c})
	}
	_, bad := c.exec(context.WithoutCancel(ctx), "ROLLBACK", nil)
	return errors.Join(err, bad)
}

type viewer struct{ c *conn }

// Query implements db.Viewer.
func (v viewer) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	return v.c.query(ctx, text, args, each)
}

var _ db.Filler = (*engine)(nil)

// Unbind implements db.Filler.
func (e *engine) Unbind(ctx context.Context) error {
	_, err := e.write.ExecContext(ctx, "PRAGMA foreign_keys = OFF")
	return err
}

// Rebind implements db.Filler.
func (e *engine) Rebind(ctx context.Context) (err error) {
	if _, err := e.write.ExecContext(ctx, "PRAGMA foreign_keys = ON"); err != nil {
		return err
	}
	rows, err := e.write.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return rows.Err()
	}
	var table, parent string
	var row, key any
	if err := rows.Scan(&table, &row, &parent, &key); err != nil {
		return err
	}
	return core.E("sqlite.Rebind", core.Invalid, core.At{Table: table}, fmt.Sprintf("a record refers to one of %s that is not there", parent))
}
