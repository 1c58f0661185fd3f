package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/flows"
	"colonnade/transfer"
	"colonnade/transfer/archive"
)

// operation reads the options of a command that works on a whole database, and its n arguments, which usage names.
func operation(f *flag.FlagSet, args []string, out io.Writer, n int, usage string) error {
	f.Usage = func() {
		say(out, "usage: %s\n\n", usage)
		f.PrintDefaults()
	}
	if err := parseFlags(f, out, args); err != nil {
		return err
	}
	if f.NArg() != n {
		return core.E("main.operation", core.Invalid, "usage: "+usage+"; options come first")
	}
	return nil
}

func runBackup(ctx context.Context, args []string, out io.Writer) error {
	var verify bool
	f := flag.NewFlagSet("colonnade backup", flag.ContinueOnError)
	named := placeFlags(f)
	f.BoolVar(&verify, "verify", false, "read the backup FILE and check that it is whole, instead of making one")
	if err := operation(f, args, out, 1, "colonnade backup [options] FILE"); err != nil {
		return err
	}
	if verify {
		return checkBackup(f.Arg(0), out)
	}
	var m *archive.Manifest
	from, file := named(), f.Arg(0)
	p := newProgress(out, "backup of")
	err := from.using(ctx, db.Options{ReadOnly: true}, func(ctx context.Context, c *copying) error {
		return newFile(file, func(w io.Writer) (err error) {
			m, err = c.Backup(ctx, w, p.watch)
			return err
		})
	})
	p.done()
	if err != nil {
		return core.E("main.backup", err)
	}
	say(out, "Backup of %s in %s: %s\n", from, file, contents(m))
	return nil
}

// contents says what is in an archive.
func contents(m *archive.Manifest) string {
	return fmt.Sprintf("%s with %s, of %s, by Colonnade %s on %s", core.Count(len(m.Tables), "table"), core.Count(m.Rows(), "row"), m.Made.Format(time.RFC3339), m.Program, m.Database)
}

// newFile writes a new file: under another name first, so that nothing but a whole one ever has its name.
func newFile(name string, write func(io.Writer) error) (err error) {
	const op = "main.newFile"
	if _, err := os.Stat(name); err == nil {
		return core.E(op, core.Exists, "the file "+name+" is there already, and is not overwritten: choose another name")
	}
	part := name + ".part-" + rand.Text()[:8]
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return core.E(op, core.Invalid, "the file cannot be made: "+err.Error(), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	if err = write(f); err == nil {
		err = unwritten(f.Sync())
	}
	if bad := f.Close(); err == nil {
		err = unwritten(bad)
	}
	if err == nil {
		err = unwritten(os.Rename(part, name))
	}
	if err != nil {
		return core.E(op, err)
	}
	return unwritten(syncFolder(filepath.Dir(name)))
}

// syncFolder makes the names in a folder durable.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return core.E("main.newFile", core.Unavailable, "the file cannot be written: "+err.Error(), err)
}

func checkBackup(file string, out io.Writer) error {
	const op = "main.backup"
	r, _, err := openFile(file)
	if err != nil {
		return core.E(op, err)
	}
	defer func() { _ = r.Close() }()
	p := newProgress(out, "checking")
	m, err := transfer.Check(r, p.watch)
	p.done()
	if err != nil {
		return core.E(op, err)
	}
	list(out, m.Tables)
	say(out, "The backup is whole: %s\n", contents(m))
	return nil
}

// list shows sums.
func list(out io.Writer, sums []archive.Sum) {
	for _, s := range sums {
		say(out, "%s  %10d  %s\n", s.Hash, s.Rows, s.Table)
	}
}

func runRestore(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("colonnade restore", flag.ContinueOnError)
	named := placeFlags(f)
	if err := operation(f, args, out, 1, "colonnade restore [options] FILE"); err != nil {
		return err
	}
	to, file := named(), f.Arg(0)
	if info, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return core.E("main.restore", core.NotFound, "there is no file "+file)
	}
	var m *archive.Manifest
	p := newProgress(out, "restoring")
	err := to.using(ctx, db.Options{Fill: "restore"}, func(ctx context.Context, c *copying) (err error) {
		open := func() (io.ReadCloser, error) {
			r, _, err := openFile(file)
			return r, err
		}
		m, err = c.Restore(ctx, open, c.filling(p))
		return err
	})
	p.done()
	if err != nil {
		return core.E("main.restore", err)
	}
	say(out, "Restored into %s, and every table compared with the backup: %s\n", to, contents(m))
	return nil
}

// filling says how the database is filled.
func (c *copying) filling(p *progress) transfer.Filling {
	return transfer.Filling{Watch: p.watch, Resume: func(ctx context.Context) error { return flows.Requeue(ctx, c.db) }}
}

func runMove(ctx context.Context, args []string, out io.Writer) error {
	const op = "main.move"
	var from, to place
	f := flag.NewFlagSet("colonnade move", flag.ContinueOnError)
	f.StringVar(&from.files, "from-files", "", "folder of the contents of files of FROM; needed for PostgreSQL with files, the folder files in FROM when empty")
	f.StringVar(&to.files, "to-files", "", "folder of the contents of files of TO; needed for PostgreSQL with files, the folder files in TO when empty")
	if err := operation(f, args, out, 2, "colonnade move [options] FROM TO\n\nFROM and TO are folders of embedded databases, or URLs such as postgres://user:password@localhost:5432/name. TO must be empty.\nNo server may run on FROM, which stays as it is"); err != nil {
		return err
	}
	from.at, to.at = f.Arg(0), f.Arg(1)
	if from.at == to.at {
		return core.E(op, core.Invalid, "FROM and TO are the same database")
	}
	var sums []archive.Sum
	p := newProgress(out, "moving")
	err := from.using(ctx, db.Options{ReadOnly: true, Alone: true}, func(ctx context.Context, source *copying) error {
		return to.using(ctx, db.Options{Fill: "move"}, func(ctx context.Context, c *copying) (err error) {
			sums, err = c.Move(ctx, source.Service, c.filling(p))
			return err
		})
	})
	p.done()
	if err != nil {
		return core.E(op, err)
	}
	list(out, sums)
	m := archive.Manifest{Tables: sums}
	say(out, "Moved from %s to %s: %s with %s, the hash of each the same on both sides\n", from, to, core.Count(len(sums), "table"), core.Count(m.Rows(), "row"))
	return nil
}

func runHash(ctx context.Context, args []string, out io.Writer) error {
	var asJSON bool
	f := flag.NewFlagSet("colonnade hash", flag.ContinueOnError)
	named := placeFlags(f)
	f.BoolVar(&asJSON, "json", false, "write a JSON list")
	if err := operation(f, args, out, 0, "colonnade hash [options]"); err != nil {
		return err
	}
	return named().using(ctx, db.Options{ReadOnly: true}, func(ctx context.Context, c *copying) error {
		p := newProgress(out, "reading")
		sums, err := c.Sums(ctx, p.watch)
		p.done()
		if err != nil {
			return core.E("main.hash", err)
		}
		if asJSON {
			return json.NewEncoder(out).Encode(sums)
		}
		list(out, sums)
		return nil
	})
}
