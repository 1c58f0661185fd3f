package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// Who writes the id of a file into a record attaches the file. The id alone is no right to it: a writer can attach what he
// uploaded himself and nobody attached yet, and what he can read in some record. Any other file is refused like one that is
// not there.

// trustedFiles returns the files among values that a record has had before: who undoes a change may name them unseen.
func trustedFiles(t *core.Table, values core.Record) map[any]bool {
	out := map[any]bool{}
	for name, v := range values {
		if c, ok := t.Column(name); ok && v != nil && c.Kind.Info().File {
			out[v] = true
		}
	}
	return out
}

// upload is a row of "_file", as far as attaching looks at it.
type upload struct {
	core.FileInfo
	owner    core.ID
	attached bool
}

// namedFile is a file that a record newly names.
type namedFile struct {
	column *core.Column
	item   int
}

// files attaches the files that the batch newly names, and notes which records do.
func (w *writer) files(ctx context.Context) error {
	named, uses := w.namedFiles()
	if len(named) == 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(named), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	for part := range slices.Chunk(ids, maxBatch) {
		if err := w.attach(ctx, part, named); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(uses, maxBatch) {
		if err := w.tx.noteUses(ctx, w.table, part); err != nil {
			return err
		}
	}
	return nil
}

// fileUse is a record that names a file.
type fileUse struct{ file, record string }

// namedFiles returns the files that records of the batch newly name, each with the columns, and the records that do, in order.
func (w *writer) namedFiles() (map[any][]namedFile, []fileUse) {
	var named map[any][]namedFile
	uses := map[fileUse]bool{}
	for _, c := range w.stored {
		if !c.Kind.Info().File {
			continue
		}
		for _, ch := range w.batch {
			if ch.after == nil || ch.after[c.Name] == nil || ch.before != nil && ch.before[c.Name] == ch.after[c.Name] {
				continue
			}
			id := ch.after[c.Name]
			if named == nil {
				named = map[any][]namedFile{}
			}
			named[id] = append(named[id], namedFile{c, ch.item})
			uses[fileUse{id.(string), ch.after["id"].(string)}] = true
		}
	}
	return named, slices.SortedFunc(maps.Keys(uses), func(a, b fileUse) int { // one order of locking for all
		return strings.Compare(a.file+a.record, b.file+b.record)
	})
}

// attach checks that the caller may attach the files and that the columns take them, and keeps them from being swept.
func (w *writer) attach(ctx context.Context, ids []any, named map[any][]namedFile) error {
	found, err := w.tx.uploads(ctx, ids)
	if err != nil {
		return err
	}
	var foreign, fresh []any
	for _, id := range ids {
		f, ok := found[id.(string)]
		switch {
		case ok && !f.attached && f.owner == w.caller.User, ok && (w.defined || w.trusted[id] || w.caller.IsSystem()):
		case ok && f.attached:
			foreign = append(foreign, id)
		default:
			return w.noFile(id, named)
		}
		if ok && !f.attached {
			fresh = append(fresh, id)
		}
	}
	if err := w.readableFiles(ctx, foreign, named); err != nil {
		return err
	}
	if err := w.takeFiles(ids, found, named); err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	b := db.New(w.tx.db.Dialect).Write(`UPDATE "_file" SET attached = TRUE WHERE `)
	b.Dialect().AnyOf(b, fileID, func() { b.Name("id") }, fresh)
	_, err = w.tx.db.Exec(ctx, b)
	return err
}

// takeFiles checks that the columns take the files. What the machinery moves was taken before.
func (w *writer) takeFiles(ids []any, found map[string]upload, named map[any][]namedFile) error {
	if w.defined {
		return nil
	}
	for _, id := range ids {
		for _, n := range named[id] {
			if problem := n.column.Refuses(found[id.(string)].FileInfo); problem != "" {
				return core.E("tables.takeFiles", core.Invalid, core.At{Table: w.table.Name, Column: n.column.Name, Item: n.item}, problem)
			}
		}
	}
	return nil
}

// noFile is the error for a file that is not there, or that the caller may not attach.
func (w *writer) noFile(id any, named map[any][]namedFile) error {
	n := named[id][0]
	at := core.At{Table: w.table.Name, Column: n.column.Name, Item: n.item}
	return core.E("tables.noFile", core.Invalid, at, fmt.Sprintf("there is no file with the id %v: upload it, then name it in the record", id))
}

var (
	fileID = &core.Column{Name: "id", Kind: core.UUID}
	usedAt = &core.Column{Name: "used_at", Kind: core.Timestamp}
)

// uploads reads files and keeps them from being swept until the end of the transaction.
func (tx *Tx) uploads(ctx context.Context, ids []any) (map[string]upload, error) {
	out := map[string]upload{}
	b := db.New(tx.db.Dialect).Write(`SELECT id, owner_id, attached, size, media_type, coalesce(width, 0), coalesce(height, 0) FROM "_file" WHERE `)
	b.Dialect().AnyOf(b, fileID, func() { b.Name("id") }, ids)
	b.Write(" ORDER BY id", tx.db.LockKey())
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var u upload
		if err := scan(&u.ID, &u.owner, &u.attached, &u.Size, &u.MediaType, &u.Width, &u.Height); err != nil {
			return err
		}
		out[string(u.ID)] = u
		return nil
	})
	return out, err
}

// readableFiles checks that the caller can read each of the files in some record.
func (w *writer) readableFiles(ctx context.Context, ids []any, named map[any][]namedFile) error {
	if len(ids) == 0 {
		return nil
	}
	in, err := w.tx.tablesOfFiles(ctx, ids)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, t := range w.tx.snap.Schema.Tables() {
		if !in[t.SQL()] || t.Builtin {
			continue
		}
		if err := w.tx.seeFiles(ctx, w.caller, t, ids, seen); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if !seen[id.(string)] {
			return w.noFile(id, named)
		}
	}
	return nil
}

// tablesOfFiles returns the tables, by their physical names, with records that name one of the files or have done so.
func (tx *Tx) tablesOfFiles(ctx context.Context, ids []any) (map[string]bool, error) {
	out := map[string]bool{}
	b := db.New(tx.db.Dialect).Write(`SELECT DISTINCT table_name FROM "_file_use" WHERE `)
	b.Dialect().AnyOf(b, fileID, func() { b.Name("file_id") }, ids)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		out[name] = true
		return err
	})
	return out, err
}

// seeFiles adds to seen those of the files that the caller can read in a record of the table.
func (tx *Tx) seeFiles(ctx context.Context, caller core.Caller, t *core.Table, ids []any, seen map[string]bool) error {
	if _, err := tx.snap.Policy.Decide(caller, t.Name, authz.Read); err != nil {
		return nil // no way to it here
	}
	for c := range t.Stored {
		if !c.Kind.Info().File {
			continue
		}
		p := &planner{snap: tx.snap, caller: caller}
		n, err := p.node(t.Name, core.Read)
		if err != nil {
			return err
		}
		r, err := n.resolve(c.Name)
		if err != nil {
			continue // hidden
		}
		b := db.New(tx.db.Dialect).Write(`SELECT DISTINCT CAST(u.file_id AS text) FROM "_file_use" AS u JOIN `)
		n.from(b)
		b.Write(" ON ").Name(n.alias, "id").Write(" = u.record_id WHERE u.table_name = ").Arg(t.SQL()).Write(" AND ")
		b.Dialect().AnyOf(b, fileID, func() { b.Name("u", "file_id") }, ids)
		b.Write(" AND ")
		r.write(b)
		b.Write(" = u.file_id")
		n.scope(b)
		err = tx.db.Query(ctx, b, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			seen[id] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// noteUses notes that the records name the files. One that is noted already gets a new time, so that nobody sweeps it on the
// ground of what he saw before.
func (tx *Tx) noteUses(ctx context.Context, t *core.Table, uses []fileUse) error {
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_file_use" (file_id, table_name, record_id, used_at) VALUES `)
	for i, u := range uses {
		if i > 0 {
			b.Write(", ")
		}
		b.Write("(").Value(fileID, u.file).Write(", ").Arg(t.SQL()).Write(", ").Value(fileID, u.record).Write(", ").Value(usedAt, tx.now).Write(")")
	}
	_, err := tx.db.Exec(ctx, b.Write(" ON CONFLICT (file_id, table_name, record_id) DO UPDATE SET used_at = excluded.used_at"))
	return err
}

// MayUpload returns nil when the caller may write a column of files somewhere, which is what uploads are for.
func (s *Store) MayUpload(ctx context.Context, snap *Snapshot) error {
	const op = "tables.MayUpload"
	caller := core.CallerFrom(ctx)
	if caller.Anonymous() {
		return core.E(op, core.Unknown, "sign in first")
	}
	for _, t := range snap.Schema.Tables() {
		for _, priv := range []authz.Privilege{authz.Create, authz.Update} {
			may, err := snap.Policy.Decide(caller, t.Name, priv)
			if err != nil || t.Builtin {
				continue
			}
			for c := range t.Stored {
				if visible, _ := may.Column(c.Name); visible && c.Kind.Info().File {
					return nil
				}
			}
		}
	}
	return core.E(op, core.Denied, "your roles do not let you write a column of files or images: ask an administrator for the privilege")
}
