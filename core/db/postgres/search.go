package postgres

import (
	"strconv"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/search"
)

// SearchPut implements db.Searcher. The vectors are spelled out: no parser and no dictionary of PostgreSQL has a say.
func (d Dialect) SearchPut(table string, docs []db.SearchDoc) []*db.Builder {
	json := []byte{'['}
	for i, doc := range docs {
		if i > 0 {
			json = append(json, ',')
		}
		json = core.AppendString(append(json, `{"id":`...), doc.ID)
		json = append(vector(append(json, `,"doc":"`...), doc.Fields), `"}`...)
	}
	return []*db.Builder{db.New(d).Write(`INSERT INTO "_search" (table_name, record_id, doc) SELECT `).Arg(table).
		Write("::text, x.id, x.doc::tsvector FROM json_to_recordset(").Arg(string(append(json, ']'))).
		Write(") AS x(id uuid, doc text) ON CONFLICT (table_name, record_id) DO UPDATE SET doc = excluded.doc")}
}

// vector appends the text form of a tsvector. Positions count within each column.
func vector(b []byte, fields []search.Field) []byte {
	for _, f := range fields {
		at := map[string][]int{}
		var order []string
		for i, word := range f.Words {
			if word == "" {
				continue
			}
			if at[word] == nil {
				order = append(order, word)
			}
			at[word] = append(at[word], i+1)
		}
		for _, word := range order {
			b = append(append(append(append(b, '\''), f.Tag...), word...), '\'') // none has a quote in it
			for i, n := range at[word] {
				b = strconv.AppendInt(append(b, ":,"[min(i, 1)]), int64(n), 10)
			}
			b = append(b, ' ')
		}
	}
	return b
}

// SearchDrop implements db.Searcher.
func (d Dialect) SearchDrop(table string, ids []any) []*db.Builder {
	b := db.New(d).Write(`DELETE FROM "_search" WHERE table_name = `).Arg(table)
	if ids != nil {
		b.Write(" AND ")
		d.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("record_id") }, ids)
	}
	return []*db.Builder{b}
}

// SearchMatch implements db.Searcher.
func (Dialect) SearchMatch(b *db.Builder, table string, id func(), groups [][]search.Term) {
	id()
	b.Write(` IN (SELECT s.record_id FROM "_search" AS s WHERE s.table_name = `).Arg(table).Write(" AND s.doc @@ ").Arg(tsquery(groups)).Write("::tsquery)")
}

// tsquery is the text form of a tsquery.
func tsquery(groups [][]search.Term) string {
	var out strings.Builder
	for i, group := range groups {
		if i > 0 {
			out.WriteString(" & ")
		}
		out.WriteByte('(')
		for j, term := range group {
			if j > 0 {
				out.WriteString(" | ")
			}
			out.WriteByte('(')
			for k, word := range term.Words {
				if k > 0 {
					out.WriteString(" <-> ")
				}
				out.WriteString("'" + term.Tag + word + "'")
			}
			if term.Prefix {
				out.WriteString(":*")
			}
			out.WriteByte(')')
		}
		out.WriteByte(')')
	}
	return out.String()
}

// SearchScore implements db.Searcher.
func (Dialect) SearchScore(b *db.Builder, table string, id func(), _ string, q search.Query, columns []db.SearchColumn) {
	b.Write("coalesce((SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.Write(" + ")
		}
		b.Write(strconv.Itoa(c.Weight), " * ")
		if c.Guard != nil {
			b.Write("CASE WHEN ")
			c.Guard()
			b.Write(" THEN ")
		}
		score(b, q, c.Tag)
		if c.Guard != nil {
			b.Write(" ELSE 0 END")
		}
	}
	b.Write(` FROM "_search" AS s WHERE s.table_name = `).Arg(table).Write(" AND s.record_id = ")
	id()
	b.Write("), 0)")
}

// score writes what [search.Query.Score] computes, for the column with the tag.
func score(b *db.Builder, q search.Query, tag string) {
	found := func(t search.Term) {
		b.Write(" + (s.doc @@ ").Arg(tsquery([][]search.Term{{t}})).Write("::tsquery)::int")
	}
	b.Write("(0")
	for _, c := range q {
		if c.Not {
			continue
		}
		t := c.Term(tag)
		found(t)
		t.Prefix = false
		found(t)
	}
	b.Write(")")
}
