package transfer

import (
	"context"
	"io"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
	"colonnade/transfer/archive"
)

// Watch is told how a copy goes on: the table, and how many rows of it were copied. It may be nil.
type Watch func(table string, rows int64)

// with adds the watcher to who takes a dump.
func (w Watch) with(to ...tables.Dumping) tables.Dumping {
	if w != nil {
		to = append(to, &archive.Progress{Each: w})
	}
	return archive.Both(to...)
}

// MayBackup returns nil when the caller may have a backup.
func (s *Service) MayBackup(ctx context.Context) error {
	return core.E("transfer.MayBackup", tables.MayDump(core.CallerFrom(ctx)))
}

// Backup writes everything that the database holds at this moment, and the contents of its files, as an archive, for an
// administrator. Writers do not wait.
func (s *Service) Backup(ctx context.Context, w io.Writer, watch Watch) (*archive.Manifest, error) {
	const op = "transfer.Backup"
	d := s.store.DB()
	number, err := db.Version(d.Dialect)
	if err != nil {
		return nil, core.E(op, err)
	}
	a, err := archive.NewWriter(w, archive.Head{Made: time.Now().UTC().Truncate(time.Second), Program: s.o.Version, Migration: number, Database: d.Name()})
	if err != nil {
		return nil, core.E(op, err)
	}
	if err := s.dump(ctx, watch.with(a)); err != nil {
		a.Abandon()
		return nil, core.E(op, err)
	}
	m, err := a.Close()
	return m, core.E(op, err)
}

// Sums returns what each table of the database holds, summed up, for an administrator.
func (s *Service) Sums(ctx context.Context, watch Watch) ([]archive.Sum, error) {
	var sums archive.Sums
	err := s.dump(ctx, watch.with(&sums))
	return sums.All(), core.E("transfer.Sums", err)
}

// Check reads an archive to its end, and returns what it holds when it is whole.
func Check(r io.Reader, watch Watch) (*archive.Manifest, error) {
	m, err := archive.Read(r, watch.with(), nil)
	return m, core.E("transfer.Check", err)
}

// Filling says how a database is filled.
type Filling struct {
	Watch  Watch
	Resume func(context.Context) error // takes up the work that was open in the other database; nil for none
}

// Restore fills the database, which was opened with [db.Options.Fill], from an archive, and compares what it then holds with the
// archive. open opens the archive at its beginning.
func (s *Service) Restore(ctx context.Context, open func() (io.ReadCloser, error), o Filling) (*archive.Manifest, error) {
	const op = "transfer.Restore"
	var m *archive.Manifest
	from := func(to tables.Dumping) error {
		r, err := open()
		if err != nil {
			return err
		}
		m, err = archive.Read(r, to, s.suits)
		_ = r.Close() // it was only read
		return err
	}
	_, err := s.fill(ctx, from, o)
	if err == nil {
		err = s.store.DB().Filled(ctx)
	}
	return m, core.E(op, err)
}

// suits refuses an archive of other system tables.
func (s *Service) suits(h archive.Head) error {
	const op = "transfer.Restore"
	number, err := db.Version(s.store.DB().Dialect)
	switch {
	case err != nil:
		return core.E(op, err)
	case h.Migration != number:
		return core.E(op, core.Invalid, "the backup was made by another version of Colonnade, "+h.Program+": restore it with that one, and then start the server of this one, which brings the database up to date")
	}
	return nil
}

// Move fills the database, which was opened with [db.Options.Fill], from another, on which nothing must be at work, and
// compares what they then hold. It returns the sums of both, which are the same.
func (s *Service) Move(ctx context.Context, from *Service, o Filling) ([]archive.Sum, error) {
	const op = "transfer.Move"
	sums, err := s.fill(ctx, func(to tables.Dumping) error { return from.dump(ctx, to) }, o)
	if err == nil {
		err = s.store.KeepCursors(ctx, from.store)
	}
	if err == nil {
		err = s.store.DB().Filled(ctx)
	}
	return sums, core.E(op, err)
}

// fill fills the database, and compares.
func (s *Service) fill(ctx context.Context, from archive.Dump, o Filling) ([]archive.Sum, error) {
	f, err := s.store.Fill(ctx)
	if err != nil {
		return nil, err
	}
	var was archive.Sums
	k := &keeping{Dumping: f, ctx: ctx, to: s.o.Contents}
	if err := from(o.Watch.with(&was, k)); err != nil {
		_ = k.drop() // err says more
		return nil, err
	}
	if err := k.end(); err != nil {
		return nil, err
	}
	if err := f.Finish(); err != nil {
		return nil, err
	}
	if o.Resume != nil {
		if err := o.Resume(ctx); err != nil {
			return nil, err
		}
	}
	is, err := s.Sums(ctx, o.Watch)
	if err != nil {
		return nil, err
	}
	table := archive.Differ(was.All(), is)
	if table == "" {
		return is, nil
	}
	err = archive.Compare(from, func(to tables.Dumping) error { return s.dump(ctx, to) })
	if err == nil {
		err = core.E("transfer.fill", core.Invalid, core.At{Table: table}, "the copy is not what the original was a moment ago: something else writes to one of them")
	}
	return nil, err
}
