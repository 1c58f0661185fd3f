package db

import "colonnade/core/search"

// Searcher is how a database keeps and finds the words that package search takes from texts. A table is named as SQL names it.
type Searcher interface {
	// SearchPut returns the statements that replace what is indexed of records of the table.
	SearchPut(table string, docs []SearchDoc) []*Builder

	// SearchDrop returns the statements that forget what is indexed of the records, of all of the table when ids is nil.
	SearchDrop(table string, ids []any) []*Builder

	// SearchMatch writes a condition: the id is that of a record of the table of which each of the groups has a term that
	// is found.
	SearchMatch(b *Builder, table string, id func(), groups [][]search.Term)

	// SearchScore writes an integer: the score of the query in each of the columns, multiplied by the weight, together.
	SearchScore(b *Builder, table string, id func(), text string, q search.Query, columns []SearchColumn)
}

// SearchDoc is what is indexed of one record.
type SearchDoc struct {
	ID     string
	Fields []search.Field
}

// SearchColumn is a column in a score.
type SearchColumn struct {
	Tag    string
	Weight int
	Share  int    // see [search.Index]
	Value  func() // writes the value, NULL where the guard does not hold
	Guard  func() // writes the condition under which the column counts; nil for always
}
