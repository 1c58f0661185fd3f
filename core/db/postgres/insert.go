package postgres

import (
	"context"
	"iter"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"

	"colonnade/core"
	"colonnade/core/db"
)

// Insert implements db.Session.
func (s *session) Insert(ctx context.Context, sets ...db.Rows) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	var few []db.Rows
	for _, rows := range sets {
		if rows.N < minCopy {
			few = append(few, rows)
			continue
		}
		if err := insert(ctx, s.conn, few); err != nil {
			return err
		}
		few = nil
		if err := copyRows(ctx, s.conn, rows); err != nil {
			return err
		}
	}
	return insert(ctx, s.conn, few)
}

// Update implements db.Session: the new values of a column are one argument, so that the statement is the same for any number
// of rows.
func (s *session) Update(ctx context.Context, rows db.Rows) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return update(ctx, s.conn, rows)
}

// Update implements db.Session.
func (e *engine) Update(ctx context.Context, rows db.Rows) error { return update(ctx, e.pool, rows) }

// maxUpdate is how many rows one statement updates.
const maxUpdate = 1000

// update sends a statement while the next is written.
func update(ctx context.Context, q querier, rows db.Rows) error {
	var statements iter.Seq[*db.Builder] = func(yield func(*db.Builder) bool) {
		for from := 0; from < rows.N && yield(updateStatement(rows, from, min(from+maxUpdate, rows.N))); from += maxUpdate {
		}
	}
	if rows.N > maxUpdate {
		statements = db.Ahead(1, statements)
	}
	for b := range statements {
		if err := b.Err(); err != nil {
			return err
		}
		if _, err := exec(ctx, q, b.String(), b.Args()); err != nil {
			return err
		}
	}
	return nil
}

// updateStatement writes what updates some of the rows.
func updateStatement(rows db.Rows, from, to int) *db.Builder {
	b := db.New(Dialect{}).Write("UPDATE ").Name(rows.Table).Write(" SET ")
	for i, c := range rows.Columns[1:] {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL()).Write(" = ")
		if rows.IsSame(i + 1) {
			b.Value(c, rows.Value(from, i+1))
		} else {
			b.Name("x", c.SQL()).Write("::", storage[c.Kind])
		}
	}
	b.Write(" FROM ")
	arrays(b, rows.Different(), from, to)
	key := rows.Columns[0]
	return b.Write(" WHERE ").Name(rows.Table, key.SQL()).Write(" = ").Name("x", key.SQL()).Write("::", storage[key.Kind])
}

// arrays writes the rows as a table x of texts: an array for each column, which the server reads three times as fast as JSON.
func arrays(b *db.Builder, rows db.Rows, from, to int) {
	b.Write("unnest(")
	for j, c := range rows.Columns {
		if j > 0 {
			b.Write(", ")
		}
		column := make(texts, to-from)
		var all []byte
		for i := range column {
			v := Dialect{}.Bind(c, rows.Value(from+i, j))
			text, ok := v.(string)
			if !ok && v != nil {
				var err error
				if all, err = appendCopy(all[:0], v); err != nil {
					b.Fail(err)
				}
				text = string(all)
			}
			column[i] = pgtype.Text{String: text, Valid: v != nil}
		}
		b.Arg(column).Write("::text[]")
	}
	b.Write(") AS x(")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
	}
	b.Write(")")
}

// texts is an array of texts, whose elements the driver takes without a copy of each.
type texts []pgtype.Text

var _ pgtype.ArrayGetter = texts(nil)

// Dimensions implements pgtype.ArrayGetter.
func (t texts) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(t)), LowerBound: 1}}
}

// Index implements pgtype.ArrayGetter.
func (t texts) Index(i int) any { return &t[i] }

// IndexType implements pgtype.ArrayGetter.
func (texts) IndexType() any { return new(pgtype.Text) }

// Insert implements db.Session.
func (e *engine) Insert(ctx context.Context, sets ...db.Rows) error {
	return insert(ctx, e.pool, sets)
}

// maxLater is how many rows may wait for the statement that they travel with.
const maxLater = 10

// InsertLater implements db.Session.
func (s *session) InsertLater(ctx context.Context, fail func(error) error, sets ...db.Rows) error {
	n := 0
	for _, rows := range sets {
		n += rows.N
	}
	if !s.later || s.over || n > maxLater {
		if err := s.Insert(ctx, sets...); err != nil {
			return fail(err)
		}
		return nil
	}
	for _, rows := range sets {
		var b *db.Builder
		switch rows.N {
		case 0:
			continue
		case 1:
			b = insertRow(rows)
		default:
			b = insertRecordset(rows, 0, rows.N)
		}
		s.queue = append(s.queue, statement{text: b.String(), args: b.Args(), fail: fail})
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

// maxRecordset is how many rows travel as one JSON argument, and maxTogether how many in one round trip: the arguments
// of all its statements are in memory at once.
const (
	maxRecordset = 5000
	maxTogether  = 2 * maxRecordset
)

func insert(ctx context.Context, q querier, sets []db.Rows) error {
	var together []*db.Builder
	n := 0
	for _, rows := range sets {
		for from := 0; from < rows.N; {
			to := min(from+maxRecordset, rows.N)
			if n += to - from; n > maxTogether {
				if err := execAll(ctx, q, together); err != nil {
					return err
				}
				together, n = nil, to-from
			}
			if rows.N == 1 {
				together = append(together, insertRow(rows))
			} else {
				together = append(together, insertRecordset(rows, from, to))
			}
			from = to
		}
	}
	return execAll(ctx, q, together)
}

func insertRow(rows db.Rows) *db.Builder {
	b := insertInto(rows).Write("VALUES (")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Value(c, rows.Value(0, i))
	}
	return b.Write(")")
}

// insertRecordset writes an INSERT whose rows are one JSON argument: the statement is the same for any number of rows.
func insertRecordset(rows db.Rows, from, to int) *db.Builder {
	b := insertInto(rows).Write("SELECT ")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name("x", c.SQL())
	}
	b.Write(" FROM ")
	recordset(b, rows, from, to)
	return b
}

// recordset writes the rows as a table x.
func recordset(b *db.Builder, rows db.Rows, from, to int) {
	keys := make([][]byte, len(rows.Columns))
	for j, c := range rows.Columns {
		keys[j] = append(core.AppendString([]byte{"{,"[min(j, 1)]}, c.SQL()), ':')
	}
	json := append(make([]byte, 0, 40*len(rows.Columns)*(to-from)), '[')
	for i := from; i < to; i++ {
		if i > from {
			json = append(json, ',')
		}
		for j, c := range rows.Columns {
			json = append(json, keys[j]...)
			v := rows.Value(i, j)
			if d, ok := v.(core.Span); ok {
				json = strconv.AppendInt(json, int64(d), 10) // as it is stored
				continue
			}
			json = c.AppendJSON(json, v)
		}
		json = append(json, '}')
	}
	b.Write("json_to_recordset(").Arg(string(append(json, ']'))).Write(") AS x(")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL()).Write(" ", storage[c.Kind])
	}
	b.Write(")")
}

func insertInto(rows db.Rows) *db.Builder {
	b := db.New(Dialect{}).Write("INSERT INTO ").Name(rows.Table).Write(" (")
	for i, c := range rows.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.SQL())
	}
	return b.Write(") ")
}
