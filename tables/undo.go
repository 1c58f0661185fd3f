package tables

import (
	"context"
	"maps"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// Undone tells what became of records whose import is undone.
type Undone struct {
	Last     core.ID // the last record that was looked at; empty when there was none
	Deleted  int     // created by the import, and gone now
	Restored int     // changed by the import, and as before now
	Kept     []KeptImport
}

// KeptImport is a record that an undo left as it is.
type KeptImport struct {
	Table  string
	ID     core.ID
	Reason string
}

// imported is what an import did to a record.
type imported struct {
	id          core.ID
	first, last int64 // versions
	n           int64 // versions that are of the import
	derived     int64 // since then, in which only calculated columns have changed
	known       bool  // the history has the version before
	before      core.Record
	after       core.Record
}

// UndoImport takes back what the import did to the next of its records behind the given one, at most limit of them, in the order of
// their ids, as the caller: records that it created are deleted, those that it changed get the values that they had before in the
// columns that it changed. A record that somebody has changed since stays, and so does one that the caller may not change.
func (tx *Tx) UndoImport(ctx context.Context, table string, batch, after core.ID, limit int) (out Undone, err error) {
	const op = "tables.UndoImport"
	t, err := tx.snap.Schema.Table(table)
	if err != nil {
		return out, core.E(op, err)
	}
	u := &undo{tx: tx, table: t, out: &out}
	if u.did, err = tx.imported(ctx, t, batch, after, limit); err != nil || len(u.did) == 0 {
		return out, core.E(op, err)
	}
	out.Last = u.did[len(u.did)-1].id
	return out, core.E(op, tx.keep(u.run(ctx)))
}

// imported returns what the import did to its records behind the given one.
func (tx *Tx) imported(ctx context.Context, t *core.Table, batch, after core.ID, limit int) (out []imported, err error) {
	err = tx.db.Query(ctx, importedBy(tx.db.Dialect, t, batch, after, limit), func(scan func(...any) error) error {
		var r imported
		err := scan(&r.id, &r.first, &r.last, &r.n)
		out = append(out, r)
		return err
	})
	return out, err
}

// importedBy writes the query of [Tx.imported], which the index answers in its order. Without the h the order would be that of the
// first column of the result, which is a text: all records of the import would be read and sorted for each part of them.
func importedBy(d db.Dialect, t *core.Table, batch, after core.ID, limit int) *db.Builder {
	b := db.New(d).Write(`SELECT CAST(h.record_id AS text), min(h.version), max(h.version), count(*) FROM "_history" AS h WHERE h.cause IN ('import', 'import_undo') AND h.cause = 'import' AND h.cause_id = `).
		Arg(batch).Write(" AND h.table_name = ").Arg(t.SQL())
	if after != "" {
		b.Write(" AND h.record_id > ").Arg(after)
	}
	return b.Write(" GROUP BY h.record_id ORDER BY h.record_id LIMIT ").Arg(int64(limit))
}

// undo is one call of UndoImport.
type undo struct {
	tx    *Tx
	table *core.Table
	did   []imported
	out   *Undone
}

func (u *undo) run(ctx context.Context) error {
	ids := make([]core.ID, len(u.did))
	for i := range u.did {
		ids[i] = u.did[i].id
	}
	now, err := u.tx.records(ctx, u.table.Name, "", ByID(ids...), true) // and nobody changes them until we are done
	if err != nil {
		return err
	}
	byID := make(map[core.ID]core.Record, len(now))
	for _, r := range now {
		byID[core.ID(r["id"].(string))] = r
	}
	if err := u.versions(ctx); err != nil {
		return err
	}
	var gone, back []int
	for i := range u.did {
		r := &u.did[i]
		record := byID[r.id]
		switch {
		case record == nil: // undone already, or deleted by somebody: there is nothing to take back
		case record["version"].(int64)-r.first+1 != r.n+r.derived:
			u.keep(r, "somebody has changed the record since")
		case !r.known && r.first > 1:
			u.keep(r, "its history does not go back to what it was before the import")
		case r.before == nil:
			gone = append(gone, i)
		default:
			back = append(back, i)
		}
	}
	if err := u.each(ctx, gone, u.remove); err != nil {
		return err
	}
	return u.each(ctx, back, u.restore)
}

// versions reads what the records were before the import and after it.
func (u *undo) versions(ctx context.Context) error {
	ids := make([]any, len(u.did))
	at := make(map[core.ID]*imported, len(u.did))
	for i := range u.did {
		ids[i] = string(u.did[i].id)
		at[u.did[i].id] = &u.did[i]
	}
	b := db.New(u.tx.db.Dialect).Write(`SELECT CAST(record_id AS text), version, cause, data FROM "_history" WHERE table_name = `).Arg(u.table.SQL()).Write(" AND ")
	b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("record_id") }, ids)
	return u.tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		var version int64
		var cause string
		var data []byte
		if err := scan(&id, &version, &cause, &data); err != nil {
			return err
		}
		r := at[id]
		if version > r.first && cause == causeDerived {
			r.derived++
		}
		if version != r.first-1 && version != r.last {
			return nil
		}
		record, err := decodeStored(u.table, data)
		if version == r.last {
			r.after = record
		} else {
			r.before, r.known = record, true // nil when the version before is a delete
		}
		return err
	})
}

func (u *undo) keep(r *imported, reason string) {
	u.out.Kept = append(u.out.Kept, KeptImport{u.table.Name, r.id, reason})
}

// each does something with records, and when that fails for some of them, with the others.
func (u *undo) each(ctx context.Context, which []int, do func(context.Context, []int) error) error {
	if len(which) == 0 {
		return nil
	}
	kept := len(u.out.Kept)
	err := u.tx.Savepoint(ctx, func() error { return do(ctx, which) })
	switch {
	case err == nil:
		return nil
	case !aboutRow(err):
		return err
	}
	u.out.Kept = u.out.Kept[:kept]
	if len(which) == 1 {
		u.keep(&u.did[which[0]], core.AsError(err).Public())
		return nil
	}
	half := len(which) / 2
	if err := u.each(ctx, which[:half], do); err != nil {
		return err
	}
	return u.each(ctx, which[half:], do)
}

func (u *undo) remove(ctx context.Context, which []int) error {
	ids := make([]core.ID, len(which))
	for n, i := range which {
		ids[n] = u.did[i].id
	}
	res, err := u.tx.Delete(ctx, Remove{Table: u.table.Name, Where: ByID(ids...)})
	if err != nil {
		return err
	}
	u.count(which, res.IDs, &u.out.Deleted)
	return nil
}

func (u *undo) restore(ctx context.Context, which []int) error {
	rows, files := make([]RowUpdate, 0, len(which)), map[any]bool{}
	for _, i := range which {
		r := &u.did[i]
		set := core.Record{}
		for c := range u.table.Stored {
			if (!c.System || c.Name == "owner_id" || c.Name == "unit_id") && !c.Kept() && !c.Calculated() && !equal(r.before[c.Name], r.after[c.Name]) {
				set[c.Name] = r.before[c.Name]
			}
		}
		rows = append(rows, RowUpdate{ID: r.id, Set: set})
		maps.Copy(files, trustedFiles(u.table, set))
	}
	res, err := u.tx.updateRows(ctx, u.table.Name, rows, files)
	if err != nil {
		return err
	}
	u.count(which, res.IDs, &u.out.Restored)
	return nil
}

// count counts what was done; what was not is out of the caller's reach.
func (u *undo) count(which []int, done []core.ID, n *int) {
	*n += len(done)
	for _, i := range which {
		if !slices.Contains(done, u.did[i].id) {
			u.keep(&u.did[i], "you may not change the record")
		}
	}
}
