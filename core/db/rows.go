package db

import "colonnade/core"

// Rows are new rows of one table. What inserts them calls Value on any goroutine, on one at a time.
type Rows struct {
	Table   string
	Columns []*core.Column
	N       int
	Value   func(row, column int) any // in the Go form of the column's kind, or nil
	Same    []bool                    // by column: all rows have the value of the first; nil when nothing is known of it
}

// IsSame reports whether all rows are known to have the same value in the column.
func (r *Rows) IsSame(column int) bool { return r.Same != nil && r.Same[column] }

// Different returns the rows without the columns that are known to be the same in all of them.
func (r *Rows) Different() Rows {
	out := Rows{Table: r.Table, N: r.N}
	var at []int
	for i, c := range r.Columns {
		if !r.IsSame(i) {
			out.Columns, at = append(out.Columns, c), append(at, i)
		}
	}
	out.Value = func(row, column int) any { return r.Value(row, at[column]) }
	return out
}

// RowsOf returns records that hold a value or nil for each of the columns as rows.
func RowsOf(table string, columns []*core.Column, records []core.Record) Rows {
	return Rows{Table: table, Columns: columns, N: len(records), Value: func(row, column int) any { return records[row][columns[column].Name] }}
}
