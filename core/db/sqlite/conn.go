package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// conn is one connection with the statements that it has prepared. It is used by one goroutine at a time.
// It works below database/sql, which would prepare each statement anew on the one connection of the writer.
type conn struct {
	sql   *sql.Conn
	dc    driver.Conn // whose statements these are
	stmts map[string]driver.Stmt
	order []string // of the keys of stmts, oldest first

	named     []driver.NamedValue // to be used again
	blockArgs [aheadBlocks + 2][]driver.NamedValue
}

// maxStatements is how many prepared statements a connection keeps.
const maxStatements = 400

func newConn(ctx context.Context, pool *sql.DB) (*conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c}, nil
}

// prepare returns the statement of that text. SQLite prepares it again by itself when the schema has changed.
func (c *conn) prepare(ctx context.Context, dc driver.Conn, text string) (driver.Stmt, error) {
	if c.dc != dc {
		c.dc, c.stmts, c.order = dc, map[string]driver.Stmt{}, nil
	}
	if s, ok := c.stmts[text]; ok {
		return s, nil
	}
	s, err := dc.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(c.order) == maxStatements {
		_ = c.stmts[c.order[0]].Close()
		delete(c.stmts, c.order[0])
		c.order = c.order[1:]
	}
	text = strings.Clone(text) // and not the buffer that it was written in
	c.stmts[text] = s
	c.order = append(c.order, text)
	return s, nil
}

func (c *conn) forget(text string) {
	if s, ok := c.stmts[text]; ok {
		_ = s.Close()
		delete(c.stmts, text)
		for i, t := range c.order {
			if t == text {
				c.order = append(c.order[:i], c.order[i+1:]...)
				break
			}
		}
	}
}

// bound returns the arguments as the driver takes them, until it is called again.
func (c *conn) bound(args []any) []driver.NamedValue {
	c.named = c.named[:0]
	for i, a := range args {
		c.named = append(c.named, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.named
}

func (c *conn) exec(ctx context.Context, text string, args []any) (rows int64, err error) {
	err = c.run(ctx, text, c.bound(args), &rows)
	return rows, err
}

// execBound is exec with arguments as the driver takes them.
func (c *conn) execBound(ctx context.Context, text string, args []driver.NamedValue) error {
	var rows int64
	return c.run(ctx, text, args, &rows)
}

func (c *conn) run(ctx context.Context, text string, args []driver.NamedValue, rows *int64) error {
	return c.sql.Raw(func(dc any) error {
		s, err := c.prepare(ctx, dc.(driver.Conn), text)
		if err != nil {
			return err
		}
		r, err := s.(driver.StmtExecContext).ExecContext(ctx, args)
		if err != nil {
			return err
		}
		*rows, err = r.RowsAffected()
		return err
	})
}

// changes returns how many rows the last statement that inserted, also one that failed, has left.
func (c *conn) changes(ctx context.Context) (n int, err error) {
	err = c.query(ctx, "SELECT changes()", nil, func(scan func(...any) error) error {
		var changed int64
		err := scan(&changed)
		n = int(changed)
		return err
	})
	return n, err
}

// rows runs a query and calls each with the values of every row; they are valid until each returns.
func (c *conn) rows(ctx context.Context, text string, args []any, each func([]driver.Value) error) error {
	return c.rowsBound(ctx, text, c.bound(args), each)
}

// rowsBound is rows with arguments as the driver takes them.
func (c *conn) rowsBound(ctx context.Context, text string, args []driver.NamedValue, each func([]driver.Value) error) error {
	return c.sql.Raw(func(dc any) error {
		s, err := c.prepare(ctx, dc.(driver.Conn), text)
		if err != nil {
			return err
		}
		rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, args)
		if err != nil {
			return err
		}
		values := make([]driver.Value, len(rows.Columns()))
		for {
			err := ctx.Err() // the driver looks at the context until the first row only
			if err == nil {
				err = rows.Next(values)
			}
			if err == nil {
				err = each(values)
			}
			if err != nil {
				bad := rows.Close()
				if errors.Is(err, io.EOF) {
					return bad
				}
				c.forget(text)
				return err
			}
		}
	})
}

func (c *conn) query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	return c.rows(ctx, text, args, func(values []driver.Value) error {
		return each(func(dest ...any) error {
			if len(dest) != len(values) {
				return fmt.Errorf("the statement has %d columns, the program reads %d", len(values), len(dest))
			}
			for i, d := range dest {
				if err := assign(d, values[i]); err != nil {
					return fmt.Errorf("column %d: %w", i+1, err)
				}
			}
			return nil
		})
	})
}

// assign copies a value of the driver into what a caller of Query asks for. NULL gives the zero value.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		switch v := v.(type) {
		case nil:
			*d = ""
		case string:
			*d = v
		case []byte:
			*d = string(v)
		default:
			*d = fmt.Sprint(v)
		}
		return nil
	case *core.ID:
		var s string
		err := assign(&s, v)
		*d = core.ID(s)
		return err
	case *int64:
		switch v := v.(type) {
		case nil:
			*d = 0
		case int64:
			*d = v
		default:
			return fmt.Errorf("%T is no integer", v)
		}
		return nil
	case *bool:
		n, _ := v.(int64)
		*d = n != 0
		return nil
	case *[]byte:
		switch v := v.(type) {
		case nil:
			*d = nil
		case string:
			*d = []byte(v)
		case []byte:
			*d = append([]byte{}, v...) // an empty one is not NULL
		default:
			return fmt.Errorf("%T is no text", v)
		}
		return nil
	}
	return fmt.Errorf("cannot scan into %T", dest)
}

// answer appends the JSON that the statement makes, null when it has no row.
func (c *conn) answer(ctx context.Context, text string, args []any, s *db.Shape, dst []byte) ([]byte, error) {
	if s.Brief {
		ctx = context.WithoutCancel(ctx) // for which the driver starts no goroutine
	}
	start := len(dst)
	err := c.rows(ctx, text, args, func(values []driver.Value) error {
		s, ok := values[0].(string)
		if !ok {
			return fmt.Errorf("the answer is a %T", values[0])
		}
		dst = append(dst, s...)
		return nil
	})
	switch {
	case err != nil:
		return dst[:start], err
	case len(dst) == start:
		return append(dst, "null"...), nil
	}
	return dst, nil
}

func (c *conn) close() error {
	c.forgetAll()
	return c.sql.Close()
}

// forgetAll closes the prepared statements. SQLite keeps a connection that has one, and with it the log unmerged.
func (c *conn) forgetAll() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	c.stmts, c.order = nil, nil
}
