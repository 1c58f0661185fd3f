package sqlite

import (
	"database/sql/driver"
	"strconv"
	"strings"
	"sync/atomic"

	"modernc.org/sqlite"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/search"
)

// The index is one FTS5 table for all, whose rows have the numbers that "_search" gives to records. The tokenizer splits at
// spaces and leaves our words as they are.

// SearchPut implements db.Searcher.
func (d Dialect) SearchPut(table string, docs []db.SearchDoc) []*db.Builder {
	json := []byte{'['}
	for i, doc := range docs {
		if i > 0 {
			json = append(json, ',')
		}
		json = core.AppendString(append(json, `{"id":`...), doc.ID)
		json = append(json, `,"doc":"`...)
		for _, f := range doc.Fields {
			for _, word := range f.Words {
				json = append(append(append(json, f.Tag...), word...), ' ') // neither needs to be escaped
			}
		}
		json = append(json, `"}`...)
	}
	all := string(append(json, ']'))
	return []*db.Builder{
		db.New(d).Write(`INSERT INTO "_search" (table_name, record_id) SELECT `).Arg(table).Write(`, value ->> 'id' FROM json_each(`).Arg(all).
			Write(") WHERE TRUE ON CONFLICT DO NOTHING"),
		db.New(d).Write(`INSERT OR REPLACE INTO "_search_text" (rowid, doc) SELECT s.seq, j.value ->> 'doc' FROM json_each(`).Arg(all).
			Write(`) AS j JOIN "_search" AS s ON s.table_name = `).Arg(table).Write(` AND s.record_id = j.value ->> 'id'`),
	}
}

// SearchDrop implements db.Searcher.
func (d Dialect) SearchDrop(table string, ids []any) []*db.Builder {
	which := func(b *db.Builder) *db.Builder {
		b.Write("table_name = ").Arg(table)
		if ids != nil {
			b.Write(" AND ")
			d.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("record_id") }, ids)
		}
		return b
	}
	return []*db.Builder{
		which(db.New(d).Write(`DELETE FROM "_search_text" WHERE rowid IN (SELECT seq FROM "_search" WHERE `)).Write(")"),
		which(db.New(d).Write(`DELETE FROM "_search" WHERE `)),
	}
}

// SearchMatch implements db.Searcher.
func (Dialect) SearchMatch(b *db.Builder, table string, id func(), groups [][]search.Term) {
	id()
	b.Write(` IN (SELECT s.record_id FROM "_search_text" AS f JOIN "_search" AS s ON s.seq = f.rowid WHERE f."_search_text" MATCH `).Arg(match(groups)).
		Write(" AND s.table_name = ").Arg(table).Write(")")
}

// match is an FTS5 expression.
func match(groups [][]search.Term) string {
	var out strings.Builder
	for i, group := range groups {
		if i > 0 {
			out.WriteString(" AND ")
		}
		out.WriteByte('(')
		for j, term := range group {
			if j > 0 {
				out.WriteString(" OR ")
			}
			out.WriteByte('"')
			for k, word := range term.Words {
				if k > 0 {
					out.WriteByte(' ')
				}
				out.WriteString(term.Tag + word)
			}
			out.WriteByte('"')
			if term.Prefix {
				out.WriteString(" *")
			}
		}
		out.WriteByte(')')
	}
	return out.String()
}

// SearchScore implements db.Searcher.
func (Dialect) SearchScore(b *db.Builder, _ string, _ func(), text string, _ search.Query, columns []db.SearchColumn) {
	b.Write("(")
	for i, c := range columns {
		if i > 0 {
			b.Write(" + ")
		}
		b.Write("coalesce(search_score(")
		c.Value()
		b.Write(", ").Arg(text).Write(", ", strconv.Itoa(c.Share), "), 0) * ", strconv.Itoa(c.Weight))
	}
	b.Write(")")
}

// parsed is a query with its text.
type parsed struct {
	text  string
	query search.Query
}

// lastQuery is the query that was parsed last: a statement asks for one many times.
var lastQuery atomic.Pointer[parsed]

// searchScore is the function search_score(value, query, share).
func searchScore(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	value, ok := args[0].(string)
	text, ok2 := args[1].(string)
	share, ok3 := args[2].(int64)
	if !ok || !ok2 || !ok3 {
		return nil, nil
	}
	q := lastQuery.Load()
	if q == nil || q.text != text {
		query, err := search.Parse(text)
		if err != nil {
			return nil, err
		}
		q = &parsed{text, query}
		lastQuery.Store(q)
	}
	return int64(q.query.Score(search.Index(value, int(share)))), nil
}
