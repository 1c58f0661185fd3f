package tables

import (
	"context"
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// MaxWaiting is how many files of one user wait for a record that names them.
const MaxWaiting = 1000

// AddFile notes that the caller has uploaded a file, which a record can name from now on. keep brings the content to where
// it stays, and may be called twice; it is called while nobody else can take a content of that hash away. waiting is how many
// bytes the files of one user may have together that no record names yet.
func (s *Store) AddFile(ctx context.Context, f core.FileInfo, waiting int64, keep func() error) error {
	const op = "tables.AddFile"
	caller := core.CallerFrom(ctx)
	if err := s.MayUpload(ctx, s.Snapshot()); err != nil {
		return core.E(op, err)
	}
	err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		if err := tx.mayWait(ctx, caller.User, f.Size, waiting); err != nil {
			return err
		}
		now := func(b *db.Builder) *db.Builder { return b.Value(usedAt, tx.now) }
		b := now(db.New(tx.db.Dialect).Write(`INSERT INTO "_blob" (sha256, size, created_at) VALUES (`).Arg(f.SHA256).Write(", ").Arg(f.Size).Write(", "))
		if _, err := tx.db.Exec(ctx, b.Write(") ON CONFLICT (sha256) DO UPDATE SET size = excluded.size")); err != nil { // which locks the row
			return err
		}
		if err := keep(); err != nil {
			return err
		}
		var width, height any
		if f.Width > 0 {
			width, height = f.Width, f.Height
		}
		b = db.New(tx.db.Dialect).Write(`INSERT INTO "_file" (id, name, size, media_type, sha256, width, height, attached, owner_id, unit_id, created_at) VALUES (`)
		for _, v := range []any{f.ID, f.Name, f.Size, f.MediaType, f.SHA256, width, height} {
			b.Arg(v).Write(", ")
		}
		b = now(b.Write("FALSE, ").Arg(caller.User).Write(", ").Arg(caller.Unit).Write(", "))
		_, err := tx.db.Exec(ctx, b.Write(")"))
		return err
	})
	return core.E(op, err)
}

// mayWait refuses a file of a user who has uploaded much that no record names.
func (tx *Tx) mayWait(ctx context.Context, user core.ID, size, most int64) error {
	var n, bytes int64
	b := db.New(tx.db.Dialect).Write(`SELECT count(*), CAST(coalesce(sum(size), 0) AS bigint) FROM "_file" WHERE attached = FALSE AND owner_id = `).Arg(user)
	if err := tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&n, &bytes) }); err != nil {
		return err
	}
	if n >= MaxWaiting || bytes+size > most {
		return core.E("tables.mayWait", core.Limit, fmt.Sprintf("%s of yours with %d bytes wait for a record that names them: write the records first, or wait until the files are deleted", core.Count(int(n), "file"), bytes))
	}
	return nil
}

// FileOf names the file of a record.
type FileOf struct {
	Table  string
	Record core.ID
	Column string
	File   core.ID // one that the record has, or had in a version that the caller may read; the one that it has when empty
}

// File returns what is known of the file when the caller may read it: the column of the record, as it is or as it was. In all
// other cases there is no such file. The column is the one that holds it.
func (s *Store) File(ctx context.Context, snap *Snapshot, of FileOf) (f core.FileInfo, c *core.Column, err error) {
	const op = "tables.File"
	missing := core.E(op, core.NotFound, "there is no such file, or you may not read it")
	for _, id := range []core.ID{of.Record, of.File} {
		if _, err := core.ParseID(string(id)); err != nil && (id != "" || id == of.Record) {
			return f, nil, missing
		}
	}
	for _, history := range []bool{false, true} {
		if history && of.File == "" {
			break
		}
		p := &planner{snap: snap, caller: core.CallerFrom(ctx)}
		n, err := p.node(of.Table, core.Read)
		if err != nil || n.table.Builtin {
			return f, nil, missing
		}
		if history {
			n.past = pastVersions(n.table)
		}
		to, r, link, err := n.file(of.Column)
		if err != nil {
			return f, nil, missing
		}
		found, err := s.readFile(ctx, &f, of, n, to, link)
		if err != nil {
			return f, nil, core.E(op, err)
		}
		if found {
			return f, r.column, core.E(op, s.logShown(ctx, n.witness, AccessFile, []string{string(of.Record)}))
		}
	}
	return f, nil, missing
}

// readFile reads the file of a node into f.
func (s *Store) readFile(ctx context.Context, f *core.FileInfo, of FileOf, n, to *node, link writeFunc) (found bool, err error) {
	b := db.New(s.db.Dialect).Write("SELECT f.id, f.name, f.size, f.media_type, f.sha256, coalesce(f.width, 0), coalesce(f.height, 0) FROM ")
	to.alias = "f"
	n.from(b)
	b.Write(" JOIN ")
	to.from(b)
	b.Write(" ON ")
	link(b)
	b.Write(" WHERE ").Name(n.alias, "id").Write(" = ").Arg(of.Record)
	n.scope(b)
	if of.File != "" {
		b.Write(" AND f.id = ").Arg(of.File)
	}
	err = s.conn(ctx).Query(ctx, b.Write(" LIMIT 1"), func(scan func(...any) error) error {
		found = true
		return scan(&f.ID, &f.Name, &f.Size, &f.MediaType, &f.SHA256, &f.Width, &f.Height)
	})
	return found, err
}
