package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"colonnade/core"
	"colonnade/core/db"
)

// Catalogue implements db.Copier.
func (Dialect) Catalogue(b *db.Builder) {
	b.Write(`SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
coalesce(array_position(string_to_array(i.indkey::text, ' '), a.attnum::text), 0)::bigint
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY c.relname COLLATE "C", a.attname COLLATE "C"`)
}

// forms are the forms of the types that we use.
var forms = map[string]db.Form{
	"bigint": db.FormInteger, "integer": db.FormInteger, "smallint": db.FormInteger, "boolean": db.FormInteger,
	"double precision": db.FormFloat, "bytea": db.FormBytes, "json": db.FormJSON, "jsonb": db.FormJSON, "numeric": db.FormText, "text": db.FormText,
	"uuid": db.FormText, "date": db.FormText, "timestamp with time zone": db.FormText, "timestamp without time zone": db.FormText,
}

// FormOf implements db.Copier.
func (Dialect) FormOf(stored string) db.Form { return forms[stored] }

// CopyOut implements db.Copier.
func (Dialect) CopyOut(b *db.Builder, c db.StoredColumn) {
	switch c.Type {
	case "bytea":
		b.Name(c.Name)
	case "boolean":
		b.Name(c.Name).Write("::int::text")
	case "date":
		b.Write("to_char(").Name(c.Name).Write(", 'YYYY-MM-DD')")
	case "timestamp with time zone": // as core.TimeLayout has it
		moment(b, c)
		b.Write(" || '+00:00'")
	case "timestamp without time zone":
		moment(b, c)
	default:
		b.Name(c.Name).Write("::text")
	}
}

func moment(b *db.Builder, c db.StoredColumn) {
	b.Write("rtrim(rtrim(to_char(").Name(c.Name).Write(`, 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.')`)
}

// CopyOrder implements db.Copier.
func (Dialect) CopyOrder(b *db.Builder, c db.StoredColumn) {
	b.Name("e", c.Name)
	if c.Type == "text" {
		b.Write(` COLLATE "C"`)
	}
	b.Write(" NULLS FIRST")
}

// EventPlace implements db.Copier: events of transaction 0 came from another database.
func (Dialect) EventPlace(b *db.Builder, base int64) {
	b.Write("CASE WHEN e.tx = '0' THEN e.seq ELSE ").Arg(base).Write("::bigint + row_number() OVER (PARTITION BY e.tx = '0' ORDER BY e.tx, e.seq) END")
}

// EventColumns implements db.Copier.
func (Dialect) EventColumns() map[string]string { return map[string]string{"tx": "0"} }

// EventsBehind implements db.Copier: the places of transactions of this database are behind all others.
func (Dialect) EventsBehind(int64) []*db.Builder { return nil }

// NextNumber implements db.Copier.
func (Dialect) NextNumber(b *db.Builder, c db.Counter) {
	if c.Gapless {
		db.NextOfRow(b, c)
		return
	}
	b.Write("SELECT CASE WHEN is_called THEN last_value + ", strconv.FormatInt(c.Step, 10), " ELSE last_value END FROM ").Name(c.Name)
}

// SetNumber implements db.Copier.
func (Dialect) SetNumber(b *db.Builder, c db.Counter, next int64) {
	if c.Gapless {
		db.SetRow(b, c, next)
		return
	}
	b.Write("SELECT setval(").Literal(`"` + c.Name + `"`).Write("::regclass, ").Arg(next).Write("::bigint, FALSE)")
}

// CopyIn implements db.Session.
func (s *session) CopyIn(ctx context.Context, table string, columns []db.StoredColumn, rows [][][]byte) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	size := 0
	for _, row := range rows {
		for _, v := range row {
			size += len(v) + 2
		}
	}
	text := make([]byte, 0, size+size/8)
	for _, row := range rows {
		for i, c := range columns {
			if i > 0 {
				text = append(text, '\t')
			}
			switch v := row[i]; {
			case v == nil:
				text = append(text, `\N`...)
			case c.Form == db.FormBytes:
				text = fmt.Appendf(text, `\\x%x`, v)
			default:
				text = appendCopyText(text, string(v))
			}
		}
		text = append(text, '\n')
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return copyText(ctx, s.conn, table, names, bytes.NewReader(text))
}

// CopyIn implements db.Session.
func (e *engine) CopyIn(ctx context.Context, table string, columns []db.StoredColumn, rows [][][]byte) error {
	return e.Tx(ctx, db.TxOptions{}, func(s db.Session) error { return s.CopyIn(ctx, table, columns, rows) })
}

// View implements db.Engine: a transaction that sees one moment. The schema is locked before that moment, so that none of
// its tables changes meanwhile.
func (e *engine) View(ctx context.Context, f func(db.Viewer) error) error {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return e.stopping(err)
	}
	defer c.Release()
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock_shared($1)", int64(schemaLock)); err != nil {
		return e.stopping(err)
	}
	defer func() {
		if _, err := c.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock_shared($1)", int64(schemaLock)); err != nil {
			_ = c.Conn().Close(context.WithoutCancel(ctx)) // and with it the lock
		}
	}()
	err = pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(pgx.Tx) error { return f(viewer{c.Conn()}) })
	return e.stopping(err)
}

type viewer struct{ c *pgx.Conn }

// Query implements db.Viewer.
func (v viewer) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	return query(ctx, v.c, text, args, each)
}

var _ db.Filler = (*engine)(nil)

// Unbind implements db.Filler: it drops the references, and remembers them.
func (e *engine) Unbind(ctx context.Context) error {
	rows, err := e.pool.Query(ctx, `SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r reference, err error) {
		err = row.Scan(&r.table, &r.name, &r.definition)
		return r, err
	})
	for i := 0; err == nil && i < len(found); i++ {
		_, err = e.pool.Exec(ctx, "ALTER TABLE "+found[i].table+" DROP CONSTRAINT "+found[i].name)
	}
	e.unbound = append(e.unbound, found...)
	return err
}

// reference is a foreign key as SQL writes it, its names in quotes where they need them.
type reference struct{ table, name, definition string }

// Rebind implements db.Filler.
func (e *engine) Rebind(ctx context.Context) error {
	for _, r := range e.unbound {
		_, err := e.pool.Exec(ctx, "ALTER TABLE "+r.table+" ADD CONSTRAINT "+r.name+" "+r.definition)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "23503" {
			return core.E("postgres.Rebind", core.Invalid, core.At{Table: r.table}, "a record refers to one that is not there: "+pg.Detail, err)
		}
		if err != nil {
			return err
		}
	}
	e.unbound = nil
	return e.pastIdentities(ctx)
}

// pastIdentities lets the columns that number rows go on behind the rows that were copied.
func (e *engine) pastIdentities(ctx context.Context) error {
	rows, err := e.pool.Query(ctx, `SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), greatest(max(%I), 1)) FROM %I', quote_ident(c.relname), a.attname, a.attname, c.relname)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attidentity <> '' WHERE c.relnamespace = current_schema()::regnamespace`)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for i := 0; err == nil && i < len(statements); i++ {
		_, err = e.pool.Exec(ctx, statements[i])
	}
	return err
}

// empty drops all that a database which was not filled to its end holds. Everything in the schema is ours.
func empty(ctx context.Context, pool *pgxpool.Pool) error {
	const own = `AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = o.oid AND d.deptype IN ('e', 'i'))`
	for _, list := range []string{
		`SELECT format('DROP TABLE IF EXISTS %I CASCADE', o.relname) FROM pg_class AS o WHERE o.relkind = 'r' AND o.relnamespace = current_schema()::regnamespace ` + own,
		`SELECT format('DROP SEQUENCE IF EXISTS %I CASCADE', o.relname) FROM pg_class AS o WHERE o.relkind = 'S' AND o.relnamespace = current_schema()::regnamespace ` + own,
		`SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', o.oid::regprocedure) FROM pg_proc AS o WHERE o.pronamespace = current_schema()::regnamespace ` + own,
		`SELECT format('DROP TYPE IF EXISTS %I CASCADE', o.typname) FROM pg_type AS o WHERE o.typtype = 'e' AND o.typnamespace = current_schema()::regnamespace ` + own,
	} {
		rows, err := pool.Query(ctx, list)
		if err != nil {
			return err
		}
		statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for i := 0; err == nil && i < len(statements); i++ {
			_, err = pool.Exec(ctx, statements[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
