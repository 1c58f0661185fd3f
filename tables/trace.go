package tables

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// traceKind says what a delete or a merge did to a record.
type traceKind string

const (
	gone   traceKind = "gone"   // deleted
	loosed traceKind = "loosed" // a lookup of it was set to null
	moved  traceKind = "moved"  // a lookup of it was led to the winner of a merge
	won    traceKind = "won"    // a merge was into it
)

// trace is what a delete or a merge did to a record, so that it can be undone: a row of "_deletion".
type trace struct {
	kind    traceKind
	table   *core.Table
	id      any
	version int64  // that it has since
	column  string // the lookup; empty where it is about the record
	target  any    // what the lookup led to
}

var traceColumns = []*core.Column{
	{Name: "deletion_id", Kind: core.UUID}, {Name: "kind", Kind: core.Text}, {Name: "table_name", Kind: core.Text}, {Name: "record_id", Kind: core.UUID},
	{Name: "version", Kind: core.Integer}, {Name: "column_name", Kind: core.Text}, {Name: "target_id", Kind: core.UUID},
}

// trace keeps what a deletion did.
func (tx *Tx) trace(ctx context.Context, deletion core.ID, log []trace) error {
	if len(log) == 0 {
		return nil
	}
	return tx.db.Insert(ctx, db.Rows{Table: "_deletion", Columns: traceColumns, N: len(log), Value: func(row, column int) any {
		t := &log[row]
		switch traceColumns[column].Name {
		case "deletion_id":
			return string(deletion)
		case "kind":
			return string(t.kind)
		case "table_name":
			return t.table.SQL()
		case "record_id":
			return t.id
		case "version":
			return t.version
		case "target_id":
			return t.target
		}
		if t.column == "" {
			return nil
		}
		c, _ := t.table.Column(t.column)
		return c.SQL()
	}})
}
