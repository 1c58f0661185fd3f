package postgres

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// InsertRows implements db.Session.
func (s *session) InsertRows(ctx context.Context, table string, columns []*core.Column, rows []core.Record) error {
	return insertRows(ctx, s.conn, table, columns, rows)
}

// InsertRows implements db.Session.
func (e *engine) InsertRows(ctx context.Context, table string, columns []*core.Column, rows []core.Record) error {
	return insertRows(ctx, e.pool, table, columns, rows)
}

// maxRecordset is how many rows travel as one JSON argument.
const maxRecordset = 5000

func insertRows(ctx context.Context, q querier, table string, columns []*core.Column, rows []core.Record) error {
	if len(rows) == 1 {
		b := insertRow(table, columns, rows[0])
		_, err := exec(ctx, q, b.String(), b.Args())
		return err
	}
	for len(rows) > 0 {
		n := min(len(rows), maxRecordset)
		b := insertRecordset(table, columns, rows[:n])
		if _, err := exec(ctx, q, b.String(), b.Args()); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func insertRow(table string, columns []*core.Column, r core.Record) *db.Builder {
	b := insertInto(table, columns).Write("VALUES (")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Value(c, r[c.Name])
	}
	return b.Write(")")
}

// insertRecordset writes an INSERT whose rows are one JSON argument: the statement is the same for any number of rows.
func insertRecordset(table string, columns []*core.Column, rows []core.Record) *db.Builder {
	json := append(make([]byte, 0, 64*len(columns)*len(rows)), '[')
	for i, r := range rows {
		if i > 0 {
			json = append(json, ',')
		}
		json = append(json, '{')
		for j, c := range columns {
			if j > 0 {
				json = append(json, ',')
			}
			json = append(core.AppendString(json, c.Name), ':')
			json = c.AppendJSON(json, r[c.Name])
		}
		json = append(json, '}')
	}
	b := insertInto(table, columns).Write("SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name("x", c.Name)
	}
	b.Write(" FROM json_to_recordset(").Arg(string(append(json, ']'))).Write(") AS x(")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.Name).Write(" ", storage[c.Kind])
	}
	return b.Write(")")
}

func insertInto(table string, columns []*core.Column) *db.Builder {
	b := db.New(Dialect{}).Write("INSERT INTO ").Name(table).Write(" (")
	for i, c := range columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(c.Name)
	}
	return b.Write(") ")
}
