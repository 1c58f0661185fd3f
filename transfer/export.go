package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"colonnade/core"
	"colonnade/tables"
	"colonnade/transfer/format"
)

// Export is a table, or a part of it, to be written as a file.
type Export struct {
	Table   string
	Format  string      // csv, ndjson or parquet; csv when empty
	Columns []string    // all that the caller may read, and data classes let be exported, when empty
	Where   tables.Cond // every record when nil
}

// Exporting is an export that was checked and has not begun.
type Exporting struct {
	s       *Service
	ctx     context.Context
	e       Export
	snap    *tables.Snapshot
	columns []*core.Column
	first   []byte // the first page: what is wrong with the export shows before anything is written
	Rows    int64  // written so far
}

// Export checks an export by the caller: the table, the columns and the condition, as a query does.
func (s *Service) Export(ctx context.Context, e Export) (*Exporting, error) {
	const op = "transfer.Export"
	if e.Format == "" {
		e.Format = format.CSV
	}
	if _, err := format.Create(io.Discard, e.Format, nil); err != nil {
		return nil, core.E(op, err)
	}
	x := &Exporting{s: s, ctx: ctx, e: e, snap: s.store.Snapshot()}
	t, err := s.store.Readable(ctx, x.snap, e.Table)
	if err != nil {
		return nil, core.E(op, err)
	}
	for i := range t {
		h, class := x.snap.Handling(e.Table, t[i].Name, core.UseExport)
		named := slices.Contains(e.Columns, t[i].Name)
		if named && h == core.Deny {
			return nil, core.E(op, tables.ErrUse(e.Table, t[i].Name, class, core.UseExport))
		}
		if named || len(e.Columns) == 0 && h != core.Deny {
			x.columns = append(x.columns, t[i])
		}
	}
	for _, name := range e.Columns {
		if !slices.ContainsFunc(x.columns, func(c *core.Column) bool { return c.Name == name }) {
			return nil, core.E(op, core.Invalid, core.At{Table: e.Table, Column: name}, "there is no such column")
		}
	}
	if x.first, err = x.page(""); err != nil {
		return nil, core.E(op, err)
	}
	return x, core.E(op, x.log())
}

// log keeps in the access log that the table is exported, before anything of it is given away.
func (x *Exporting) log() error {
	t, err := x.snap.Schema.Table(x.e.Table)
	if err != nil {
		return err
	}
	names := make([]string, len(x.columns))
	for i, c := range x.columns {
		names[i] = c.Name
	}
	return x.s.store.LogAccess(x.ctx, tables.Access{
		Kind: tables.AccessExport, Table: t, Data: map[string]any{"columns": names, "format": x.e.Format, "filtered": x.e.Where != nil},
	})
}

// exportPage is how many records are read together.
const exportPage = 1000

// page reads the records behind an id.
func (x *Exporting) page(after string) ([]byte, error) {
	q := tables.Query{Table: x.e.Table, Use: core.UseExport, Limit: x.snap.Limit(exportPage), Where: x.e.Where, Order: []tables.Order{{Column: "id"}}}
	if after != "" {
		behind := tables.Compare{Column: "id", Op: tables.Gt, Value: after}
		if q.Where = behind; x.e.Where != nil {
			q.Where = tables.And{x.e.Where, behind}
		}
	}
	q.Fields = append(q.Fields, tables.Field{As: "id", Column: "id"}) // by which the pages follow each other
	for i, c := range x.columns {
		q.Fields = append(q.Fields, tables.Field{As: fmt.Sprint("c", i), Column: c.Name})
	}
	return x.s.store.Query(x.ctx, x.snap, q, nil)
}

// WriteTo writes the file: records in the order of their ids, page by page, so that the memory does not grow with their number.
// Records that change meanwhile are in it as they were before or after, none twice.
func (x *Exporting) WriteTo(w io.Writer) (int64, error) {
	const op = "transfer.Export"
	out := &written{w: w}
	file, err := format.Create(out, x.e.Format, x.columns)
	if err != nil {
		return out.n, core.E(op, err)
	}
	page, limit := x.first, x.snap.Limit(exportPage)
	x.first = nil
	cells := make([]json.RawMessage, len(x.columns)+1)
	for {
		n, last := 0, ""
		err := core.EachRow(page, cells, func() error {
			n++
			last = string(cells[0][1 : len(cells[0])-1])
			x.Rows++
			return file.Write(cells[1:])
		})
		if err != nil {
			return out.n, core.E(op, err)
		}
		if n < limit {
			return out.n, core.E(op, file.Close())
		}
		if page, err = x.page(last); err != nil {
			return out.n, core.E(op, err)
		}
	}
}

type written struct {
	w io.Writer
	n int64
}

func (w *written) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.n += int64(n)
	return n, err
}
