package tables

import (
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// traceKind says what a delete or a merge did to a record.
type traceKind string

const (
	gone   traceKind = "gone"   // deleted
	loosed traceKind = "loosed" // a lookup of it was set to null
	moved  traceKind = "moved"  // a lookup of it was led to the winner of a merge
	won    traceKind = "won"    // a merge took another record into it
	took   traceKind = "took"   // a merge gave it the value of another
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

// traces returns what a deletion did to lookups of the records, or with none of them all that it did of the kind.
func (tx *Tx) traces(ctx context.Context, deletion core.ID, kind traceKind, targets []any) (out []trace, err error) {
	b := db.New(tx.db.Dialect).Write(`SELECT table_name, record_id, version, coalesce(column_name, ''), coalesce(target_id, record_id) FROM "_deletion" WHERE deletion_id = `).Arg(deletion).
		Write(" AND kind = ").Arg(string(kind))
	if targets != nil {
		b.Write(" AND ")
		b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("target_id") }, targets)
	}
	err = tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var table, column string
		var id, target core.ID
		t := trace{kind: kind}
		if err := scan(&table, &id, &t.version, &column, &target); err != nil {
			return err
		}
		of, ok := tx.snap.Schema.Stored(table)
		if !ok {
			return nil // the table is gone
		}
		t.table, t.id, t.target = of, string(id), string(target)
		if column != "" {
			c, ok := storedColumn(of, column)
			if !ok {
				return nil // the column is gone
			}
			t.column = c.Name
		}
		out = append(out, t)
		return nil
	})
	return out, err
}

// forget drops what a deletion did to records that have come back.
func (tx *Tx) forget(ctx context.Context, deletion core.ID, of *core.Table, ids []any) error {
	b := db.New(tx.db.Dialect).Write(`DELETE FROM "_deletion" WHERE deletion_id = `).Arg(deletion).Write(" AND (kind = 'gone' AND table_name = ").Arg(of.SQL()).Write(" AND ")
	id := &core.Column{Kind: core.UUID}
	b.Dialect().AnyOf(b, id, func() { b.Write("record_id") }, ids)
	b.Write(" OR kind = 'loosed' AND ")
	b.Dialect().AnyOf(b, id, func() { b.Write("target_id") }, ids)
	_, err := tx.db.Exec(ctx, b.Write(")"))
	return err
}

// tablesOf returns the tables that the traces are about, sorted.
func tablesOf(log []trace) (out []string) {
	for _, t := range log {
		if !slices.Contains(out, t.table.Name) {
			out = append(out, t.table.Name)
		}
	}
	slices.Sort(out)
	return out
}

// storedColumn returns the column of a physical name.
func storedColumn(t *core.Table, physical string) (*core.Column, bool) {
	for c := range t.Stored {
		if c.SQL() == physical {
			return c, true
		}
	}
	return nil, false
}

// forgetMerge drops what a merge did, once it is undone.
func (tx *Tx) forgetMerge(ctx context.Context, merge core.ID) error {
	_, err := tx.db.Exec(ctx, db.New(tx.db.Dialect).Write(`DELETE FROM "_deletion" WHERE deletion_id = `).Arg(merge))
	return err
}
