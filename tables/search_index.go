package tables

import (
	"context"
	"slices"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/search"
)

// maxDocs is how many records are indexed by one statement.
const maxDocs = 500

// index brings what is searched up to the batch, in the transaction of the batch.
func (w *writer) index(ctx context.Context) error {
	if len(w.table.Search) == 0 {
		return nil
	}
	ix := newIndexer(w.tx, w.table)
	var gone []any
	for i := range w.batch {
		switch c := &w.batch[i]; {
		case c.after == nil:
			gone = append(gone, c.before["id"])
		case c.before == nil || slices.ContainsFunc(ix.columns, func(k *core.Column) bool { return c.before[k.Name] != c.after[k.Name] }):
			id, _ := c.after["id"].(string)
			ix.add(id, func(i int) string {
				text, _ := c.after[ix.columns[i].Name].(string)
				return text
			})
			if len(ix.docs) == maxDocs {
				if err := ix.flush(ctx); err != nil {
					return err
				}
			}
		}
	}
	if err := ix.flush(ctx); err != nil || gone == nil {
		return err
	}
	return w.tx.db.ExecAll(ctx, w.tx.db.SearchDrop(w.table.SQL(), gone)...)
}

// indexer gathers what is to be indexed of records of one table.
type indexer struct {
	tx      *Tx
	table   *core.Table
	columns []*core.Column
	tags    []string
	docs    []db.SearchDoc
}

func newIndexer(tx *Tx, t *core.Table) *indexer {
	ix := &indexer{tx: tx, table: t}
	for _, s := range t.Search {
		c, _ := t.Column(s.Column)
		ix.columns = append(ix.columns, c)
		ix.tags = append(ix.tags, search.Tag(t.SQL(), c.SQL()))
	}
	return ix
}

// add takes the texts of a record, in the order of the columns.
func (ix *indexer) add(id string, text func(i int) string) {
	doc := db.SearchDoc{ID: id, Fields: make([]search.Field, len(ix.columns))}
	for i, tag := range ix.tags {
		doc.Fields[i] = search.Field{Tag: tag, Words: search.Index(text(i), search.Share(len(ix.columns)))}
	}
	ix.docs = append(ix.docs, doc)
}

func (ix *indexer) flush(ctx context.Context) error {
	if len(ix.docs) == 0 {
		return nil
	}
	err := ix.tx.db.ExecAll(ctx, ix.tx.db.SearchPut(ix.table.SQL(), ix.docs)...)
	ix.docs = ix.docs[:0]
	return err
}

// search indexes the table anew when other columns are searched than before.
func (a *alteration) search(ctx context.Context, t *core.Table) error {
	was, isNew := a.before(t)
	if isNew || slices.Equal(searchedNames(was), searchedNames(t)) {
		return nil
	}
	if err := a.step(ctx, t, Step{What: "full-text search reads the records anew", Lock: LockWrites}); err != nil || a.dry {
		return err
	}
	if err := a.tx.db.ExecAll(ctx, a.tx.db.SearchDrop(t.SQL(), nil)...); err != nil || len(t.Search) == 0 {
		return err
	}
	ix := newIndexer(a.tx, t)
	last := ""
	for {
		n, err := ix.page(ctx, &last)
		if err != nil || n == 0 {
			return err
		}
	}
}

// searchedNames are the columns that are searched as SQL names them.
func searchedNames(t *core.Table) []string {
	var out []string
	for _, s := range t.Search {
		if c, ok := t.Column(s.Column); ok {
			out = append(out, c.SQL())
		}
	}
	return out
}

// page indexes the records after the last one, whose id it moves on, and returns how many they were.
func (ix *indexer) page(ctx context.Context, last *string) (n int, err error) {
	id, _ := ix.table.Column("id")
	b := db.New(ix.tx.db.Dialect).Write("SELECT id")
	for _, c := range ix.columns {
		b.Write(", ").Name(c.SQL())
	}
	b.Write(" FROM ").Name(ix.table.SQL())
	if *last != "" {
		b.Write(" WHERE id > ").Value(id, *last)
	}
	b.Write(" ORDER BY id LIMIT ", strconv.Itoa(maxDocs))
	values := make([]string, len(ix.columns)+1)
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	err = ix.tx.db.Query(ctx, b, func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		n++
		*last = values[0]
		ix.add(values[0], func(i int) string { return values[i+1] })
		return nil
	})
	if err != nil {
		return n, err
	}
	return n, ix.flush(ctx)
}
