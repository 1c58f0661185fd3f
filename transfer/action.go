package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"colonnade/core"
	"colonnade/tables"
	"colonnade/transfer/format"
)

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }

func required(c core.Column) core.Column { c.Required = true; return c }

func integer(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Integer, Doc: doc}
}

func (s *Service) importCSV() core.Action {
	return core.Action{
		Name: "import_csv",
		Doc: "Imports records from CSV text, in the transaction of the request. For a file, use POST /data/import or colonnade import. " +
			"With on_error stop, the default, nothing is imported when one row fails; with skip the others are, and fail_csv holds the rest with the reasons.",
		Privilege: "import_data",
		Input: []core.Column{
			required(text("table", "The table.")),
			required(core.Column{Name: "csv", Kind: core.LongText, Doc: "The text, with a header line. An empty cell is null, also where the column has a default: only columns without a header get their defaults."}),
			{Name: "columns", Kind: core.JSON, Doc: `Which header goes to which column: {"Name": "full_name", "Shop": "shop_id.code", "Note": ""}. A header that is not named goes to the column of its name, one that is named "" nowhere. With a dot, the lookup is found by a unique column of its target.`},
			text("key", "A unique column, or the name of a key: records that exist are changed. Left out, records are created only."),
			text("mode", "create, update or upsert; upsert when there is a key."),
			text("on_error", "stop or skip."),
			text("on_duplicate", "What happens with a row that is like another record by a duplicate rule: warn (the default), it is counted; refuse; allow, rules that warn are not asked."),
			{Name: "as_is", Kind: core.Boolean, Doc: "Whether the records are taken over from another system as they are: with their numbers, with any status, and with retired options."},
		},
		Output: []core.Column{
			{Name: "batch", Kind: core.UUID, Doc: "The import, for undo_import."},
			integer("rows", "Rows read."), integer("inserted", ""), integer("updated", ""), integer("failed", ""),
			integer("duplicates", "Records that are like others by a duplicate rule, of those inserted and updated."),
			{Name: "failures", Kind: core.Object, List: true, Fields: []core.Column{
				integer("line", ""), text("column", "The column, where one is to blame."), text("message", "What is wrong."),
			}, Doc: "The first hundred failures."},
			{Name: "fail_csv", Kind: core.LongText, Doc: "The rows that failed, with the reason in a last column."},
		},
		Examples: []core.Example{{Doc: "Two products.", In: core.Record{"table": "product", "csv": "title,price\nTea,2.50\nCoffee,3.10\n"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "transfer.import_csv"
			in := Request{Table: c.Text("table"), Name: "csv", Key: c.Text("key"), Mode: tables.ImportMode(c.Text("mode")), MaxErrors: maxErrors, OnDuplicate: tables.Duplicates(c.Text("on_duplicate")), AsIs: c.Bool("as_is"), File: format.Options{Format: format.CSV, Header: "yes"}}
			skip, err := onError(c.Text("on_error"))
			if err != nil {
				return nil, err
			}
			in.Skip = skip
			if raw, ok := c.In["columns"].(json.RawMessage); ok {
				if err := json.Unmarshal(raw, &in.Columns); err != nil {
					return nil, core.E(op, core.Invalid, core.At{Column: "columns"}, "columns is an object of texts, such as {\"Name\": \"full_name\"}")
				}
			}
			var report *Report
			err = s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, _ *tables.Tx) (err error) {
				report, err = s.Import(ctx, in, strings.NewReader(c.Text("csv")))
				return err
			})
			if err != nil {
				return nil, core.E(op, err)
			}
			return report.record(), nil
		},
	}
}

func onError(s string) (skip bool, err error) {
	switch s {
	case "", "stop":
		return false, nil
	case "skip":
		return true, nil
	}
	return false, core.E("transfer.onError", core.Invalid, core.At{Column: "on_error"}, "on_error is stop or skip")
}

func (s *Service) undoImport() core.Action {
	return core.Action{
		Name: "undo_import",
		Doc: "Takes back an import of the caller: records that it created are deleted, records that it changed get back what they had, unless somebody has changed them since. " +
			"It works in parts; called again, it goes on.",
		Privilege: "import_data",
		Alone:     true,
		Input:     []core.Column{required(core.Column{Name: "batch", Kind: core.UUID, Doc: "The import."})},
		Output: []core.Column{
			integer("deleted", "Records that are gone."), integer("restored", "Records that are as before."), integer("kept", "Records that stay as they are."),
			{Name: "reasons", Kind: core.Object, List: true, Fields: []core.Column{text("table", ""), {Name: "id", Kind: core.UUID}, text("reason", "Why it stays.")}, Doc: "The first hundred of those that stay."},
		},
		Examples: []core.Example{{In: core.Record{"batch": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.Undo(ctx, core.ID(c.Text("batch")))
			if err != nil {
				return nil, err
			}
			reasons := []any{}
			for _, k := range out.Kept[:min(len(out.Kept), maxShown)] {
				reasons = append(reasons, map[string]any{"table": k.Table, "id": string(k.ID), "reason": k.Reason})
			}
			return core.Record{"deleted": int64(out.Deleted), "restored": int64(out.Restored), "kept": int64(out.kept), "reasons": reasons}, nil
		},
	}
}

// UndoResult tells what became of the records of an import.
type UndoResult struct {
	tables.Undone
	kept int
}

// undoPart is how many records are taken back together.
const undoPart = 500

// Undo takes back an import of the caller, see [tables.Tx.UndoImport].
func (s *Service) Undo(ctx context.Context, id core.ID) (*UndoResult, error) {
	const op = "transfer.Undo"
	if err := s.mayImport(ctx); err != nil {
		return nil, core.E(op, err)
	}
	b, err := s.own(ctx, id)
	if err != nil {
		return nil, core.E(op, err)
	}
	if b.Status == Undone {
		return nil, core.E(op, core.Conflict, "the import is undone already")
	}
	caller := core.CallerFrom(ctx)
	caller.Cause = core.Cause{Kind: "import_undo", ID: string(id), Depth: caller.Cause.Depth}
	out := &UndoResult{}
	for token := b.Token; ; {
		last := out.Last
		var done tables.Undone
		err := s.store.Tx(core.WithCaller(ctx, caller), tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) (err error) {
			if done, err = tx.UndoImport(ctx, b.Table, b.ID, last, undoPart); err != nil {
				return err
			}
			b.Token = string(core.NewID()) // whoever imports into the batch can commit no more
			if b.Status = Stopped; done.Last == "" {
				b.Status = Undone
			}
			return b.commit(ctx, tx, token)
		})
		if err != nil {
			return nil, core.E(op, core.At{Table: b.Table}, fmt.Sprintf("%s; %d records are taken back so far: call the action again", core.AsError(err).Msg, out.Deleted+out.Restored), err)
		}
		token = b.Token
		out.Last = done.Last
		out.Deleted += done.Deleted
		out.Restored += done.Restored
		out.kept += len(done.Kept)
		out.Kept = append(out.Kept, done.Kept[:min(len(done.Kept), max(0, maxShown-len(out.Kept)))]...)
		if done.Last == "" {
			return out, nil
		}
	}
}
