package postgres

import (
	"context"
	"strconv"

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

// Update implements db.Session: the new values are one JSON argument, so that the statement is the same for any number
// of rows.
func (s *session) Update(ctx context.Context, rows db.Rows) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return update(ctx, s.conn, rows)
}

// Update implements db.Session.
func (e *engine) Update(ctx context.Context, rows db.Rows) error { return update(ctx, e.pool, rows) }

func update(ctx context.Context, q querier, rows db.Rows) error {
	for from := 0; from < rows.N; from += maxRecordset {
		b := db.New(Dialect{}).Write("UPDATE ").Name(rows.Table).Write(" SET ")
		for i, c := range rows.Columns[1:] {
			if i > 0 {
				b.Write(", ")
			}
			b.Name(c.SQL()).Write(" = ")
			if rows.IsSame(i + 1) {
				b.Value(c, rows.Value(from, i+1))
			} else {
				b.Name("x", c.SQL())
			}
		}
		b.Write(" FROM ")
		recordset(b, rows.Different(), from, min(from+maxRecordset, rows.N))
		b.Write(" WHERE ").Name(rows.Table, rows.Columns[0].SQL()).Write(" = ").Name("x", rows.Columns[0].SQL())
		if _, err := exec(ctx, q, b.String(), b.Args()); err != nil {
			return err
		}
	}
	return nil
}

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
