package tables

import (
	"context"
	"fmt"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// FileSweep goes through the files and deletes those that nobody needs. The zero value begins at the first one; it is used by one
// goroutine.
type FileSweep struct {
	Keep  time.Duration // how long a file waits for a record that names it
	Grace time.Duration // what is younger is left alone; longer than clocks differ and transactions take

	Remove func(ctx context.Context, sha256 string) error // takes a content away; one that is gone is no error

	after core.ID // where the next part begins
}

// sweepPart is how many files are looked at together.
const sweepPart = 500

// SweepFiles deletes files that no record has named in time, and goes on through the others: a file is deleted once no record
// names it, and no version of one in the history either. Nothing that is referred to is ever missing: rows that refer go
// first, then the file, then, with nobody able to refer to it, the content. It reports whether it came to the end.
func (s *Store) SweepFiles(ctx context.Context, w *FileSweep) (end bool, err error) {
	const op = "tables.SweepFiles"
	ctx = core.WithCaller(ctx, core.System("files"))
	now := time.Now().UTC()
	waiting := func(b *db.Builder) { b.Write("attached = FALSE AND created_at < ").Value(usedAt, now.Add(-w.Keep)) }
	if err := s.deleteFiles(ctx, w, waiting); err != nil {
		return false, core.E(op, err)
	}
	ids, err := s.attachedFiles(ctx, w.after, now.Add(-w.Grace))
	if err != nil {
		return false, core.E(op, err)
	}
	end = len(ids) < sweepPart
	if end {
		w.after = ""
	} else {
		w.after = core.ID(ids[len(ids)-1].(string))
	}
	if len(ids) == 0 {
		return end, nil
	}
	if err := s.dropUses(ctx, ids, now.Add(-w.Grace)); err != nil {
		return end, core.E(op, err)
	}
	err = s.deleteFiles(ctx, w, func(b *db.Builder) {
		b.Dialect().AnyOf(b, fileID, func() { b.Name("id") }, ids)
		b.Write(` AND attached = TRUE AND NOT EXISTS (SELECT 1 FROM "_file_use" AS u WHERE u.file_id = "_file".id)`)
	})
	return end, core.E(op, err)
}

// attachedFiles returns files that a record has named, by id.
func (s *Store) attachedFiles(ctx context.Context, after core.ID, before time.Time) ([]any, error) {
	b := db.New(s.db.Dialect).Write(`SELECT id FROM "_file" WHERE attached = TRUE AND created_at < `).Value(usedAt, before)
	if after != "" {
		b.Write(" AND id > ").Arg(after)
	}
	return queryKeys(ctx, s.db, b.Write(fmt.Sprintf(" ORDER BY id LIMIT %d", sweepPart)))
}

// dropUses forgets the records that neither name the files now nor in a version of the history. A use that was noted anew
// meanwhile has another time and stays.
func (s *Store) dropUses(ctx context.Context, ids []any, before time.Time) error {
	return s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		old := func(b *db.Builder) { b.Write("used_at < ").Value(usedAt, before) }
		return tx.dropStale(ctx, func(b *db.Builder) {
			b.Dialect().AnyOf(b, fileID, func() { b.Name("u", "file_id") }, ids)
			b.Write(" AND u.")
			old(b)
		}, old)
	})
}

// releaseFiles lets go of the files that only erased versions of the records have named: the sweep deletes them like files that
// no record has named in time.
func (tx *Tx) releaseFiles(ctx context.Context, records []any) error {
	of := func(b *db.Builder) { b.Dialect().AnyOf(b, fileID, func() { b.Name("u", "record_id") }, records) }
	var files []any
	b := db.New(tx.db.Dialect).Write(`SELECT DISTINCT CAST(u.file_id AS text) FROM "_file_use" AS u WHERE `)
	of(b)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		files = append(files, id)
		return err
	})
	if err != nil || len(files) == 0 {
		return err
	}
	which := func(b *db.Builder) { b.Dialect().AnyOf(b, fileID, func() { b.Name("id") }, files) }
	b = db.New(tx.db.Dialect).Write(`SELECT id FROM "_file" WHERE `) // who attaches one of them has committed then, or waits
	which(b)
	if err := tx.db.Query(ctx, b.Write(" ORDER BY id", tx.db.Lock()), func(scan func(...any) error) error { return scan(new(core.ID)) }); err != nil {
		return err
	}
	if err := tx.dropStale(ctx, of, func(b *db.Builder) { b.Write("TRUE") }); err != nil {
		return err
	}
	b = db.New(tx.db.Dialect).Write(`UPDATE "_file" SET attached = FALSE WHERE `)
	which(b)
	_, err = tx.db.Exec(ctx, b.Write(` AND NOT EXISTS (SELECT 1 FROM "_file_use" AS u WHERE u.file_id = "_file".id)`))
	return err
}

type staleUse struct {
	file   core.ID
	table  string
	record core.ID
}

// dropStale deletes those of the uses u that neither a version in the history nor the record itself bears out, as far as they still
// meet the other condition then.
func (tx *Tx) dropStale(ctx context.Context, which, still writeFunc) error {
	var stale []staleUse
	b := db.New(tx.db.Dialect).Write(`SELECT u.file_id, u.table_name, u.record_id FROM "_file_use" AS u WHERE `)
	which(b)
	b.Write(` AND NOT EXISTS (SELECT 1 FROM "_history" AS h WHERE h.record_id = u.record_id AND h.table_name = u.table_name ` +
		`AND CAST(h.data AS text) LIKE '%' || CAST(u.file_id AS text) || '%')`)
	err := tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var u staleUse
		err := scan(&u.file, &u.table, &u.record)
		stale = append(stale, u)
		return err
	})
	if err != nil {
		return err
	}
	for _, u := range stale {
		named, err := tx.names(ctx, u)
		if err != nil {
			return err
		}
		if named {
			continue
		}
		b := db.New(tx.db.Dialect).Write(`DELETE FROM "_file_use" WHERE file_id = `).Arg(u.file).Write(" AND table_name = ").Arg(u.table).
			Write(" AND record_id = ").Arg(u.record).Write(" AND ")
		still(b)
		if _, err := tx.db.Exec(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// names reports whether the record names the file now: a history may be kept for a shorter time than its record.
func (tx *Tx) names(ctx context.Context, u staleUse) (bool, error) {
	for _, t := range tx.snap.Schema.Tables() {
		if t.SQL() != u.table {
			continue
		}
		any := Or{}
		for c := range t.Stored {
			if c.Kind.Info().File {
				any = append(any, Compare{Column: c.Name, Op: Eq, Value: string(u.file)})
			}
		}
		ids, err := tx.ids(ctx, t.Name, "", And{ByID(u.record), any})
		return len(ids) > 0, err
	}
	return false, nil
}

// deleteFiles deletes the files that meet the condition, and then the contents that no other file has.
func (s *Store) deleteFiles(ctx context.Context, w *FileSweep, which writeFunc) error {
	gone := map[string]bool{}
	err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		b := db.New(tx.db.Dialect).Write(`DELETE FROM "_file" WHERE `)
		which(b)
		return tx.db.Query(ctx, b.Write(" RETURNING sha256"), func(scan func(...any) error) error {
			var sha256 string
			err := scan(&sha256)
			gone[sha256] = true
			return err
		})
	})
	if err != nil {
		return err
	}
	for sha256 := range gone {
		if err := s.release(ctx, w, sha256); err != nil {
			return err
		}
	}
	return nil
}

// release takes a content away that no file has. The row of its address is locked meanwhile, so that an upload of the same
// content waits, and then puts it there anew.
func (s *Store) release(ctx context.Context, w *FileSweep, sha256 string) error {
	return s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		there := false
		b := db.New(tx.db.Dialect).Write(`SELECT sha256 FROM "_blob" WHERE sha256 = `).Arg(sha256).Write(tx.db.Lock())
		if err := tx.db.Query(ctx, b, func(scan func(...any) error) error { there = true; return scan(new(string)) }); err != nil || !there {
			return err
		}
		b = db.New(tx.db.Dialect).Write(`DELETE FROM "_blob" WHERE sha256 = `).Arg(sha256).Write(` AND NOT EXISTS (SELECT 1 FROM "_file" AS f WHERE f.sha256 = "_blob".sha256)`)
		if n, err := tx.db.Exec(ctx, b); err != nil || n == 0 {
			return err
		}
		return w.Remove(ctx, sha256)
	})
}

// SweepContents looks at contents that are there, and takes away those that no file has: what an upload left that was cut off
// after it had brought the content to its place.
func (s *Store) SweepContents(ctx context.Context, w *FileSweep, sha256 []string) error {
	const op = "tables.SweepContents"
	list := make([]any, len(sha256))
	for i, a := range sha256 {
		list[i] = a
	}
	used := map[string]bool{}
	column := &core.Column{Name: "sha256", Kind: core.Text}
	b := db.New(s.db.Dialect).Write(`SELECT DISTINCT sha256 FROM "_file" WHERE `)
	b.Dialect().AnyOf(b, column, func() { b.Name("sha256") }, list)
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var a string
		err := scan(&a)
		used[a] = true
		return err
	})
	if err != nil {
		return core.E(op, err)
	}
	for _, a := range sha256 {
		if used[a] {
			continue
		}
		b := db.New(s.db.Dialect).Write(`INSERT INTO "_blob" (sha256, size, created_at) VALUES (`).Arg(a).Write(", 0, ").Value(usedAt, time.Now().UTC()).
			Write(") ON CONFLICT (sha256) DO NOTHING")
		if _, err := s.db.Exec(ctx, b); err != nil {
			return core.E(op, err)
		}
		if err := s.release(ctx, w, a); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}
