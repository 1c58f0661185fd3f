package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
	"colonnade/files"
	"colonnade/tables"
	"colonnade/transfer"
)

// place is where a database is, and the contents of its files.
type place struct {
	at    string // a folder, a file of SQLite, or the address of PostgreSQL
	files string // a folder; the folder files beside an embedded database when empty
}

// placeFlags declares the options that name the database of a command; named returns it when they are read.
func placeFlags(f *flag.FlagSet) (named func() place) {
	var data, database, files string
	f.StringVar(&data, "data", env("COLONNADE_DATA", "data"), "folder of the embedded database (COLONNADE_DATA)")
	f.StringVar(&database, "database", env("COLONNADE_DATABASE", ""), "postgres://... instead of the embedded database (COLONNADE_DATABASE)")
	f.StringVar(&files, "files", env("COLONNADE_FILES", ""), "folder of the contents of files; the folder files in that of --data when empty (COLONNADE_FILES)")
	return func() place { return placeOf(data, database, files) }
}

func placeOf(data, database, files string) place {
	if database == "" {
		return place{data, files}
	}
	if files == "" {
		files = filepath.Join(data, "files")
	}
	return place{database, files}
}

func (p place) postgres() bool {
	return strings.HasPrefix(p.at, "postgres://") || strings.HasPrefix(p.at, "postgresql://")
}

// dialect returns the dialect and the source of the database.
func (p place) dialect() (db.Dialect, string) {
	if p.postgres() {
		return postgres.Dialect{}, p.at
	}
	if info, err := os.Stat(p.at); filepath.Ext(p.at) == ".db" && (err != nil || !info.IsDir()) {
		return sqlite.Dialect{}, p.at
	}
	return sqlite.Dialect{}, filepath.Join(p.at, "colonnade.db")
}

// folder returns the folder of the contents of files.
func (p place) folder() string {
	if p.files == "" && !p.postgres() {
		_, source := p.dialect()
		return filepath.Join(filepath.Dir(source), "files")
	}
	return p.files
}

// String is what people may read of the place: no password.
func (p place) String() string {
	if p.postgres() {
		return "PostgreSQL"
	}
	_, source := p.dialect()
	return source
}

// copying is a database that is open for a command that copies or looks at all of it.
type copying struct {
	*transfer.Service
	store *tables.Store
	db    *db.DB
	disk  *files.Disk // nil without a folder
}

func (c *copying) close() error {
	if c.disk != nil {
		return errors.Join(c.disk.Close(), c.db.Close())
	}
	return c.db.Close()
}

// open opens the database for a command that copies. The caller closes it.
func (p place) open(ctx context.Context, o db.Options) (*copying, error) {
	const op = "main.open"
	if strings.Contains(p.at, "://") && !p.postgres() {
		return nil, core.E(op, core.Invalid, "a database is a folder, or a URL such as postgres://user:password@localhost:5432/name")
	}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dialect, source := p.dialect()
	d, err := db.Open(ctx, dialect, source, o)
	if err != nil {
		return nil, core.E(op, err)
	}
	c := &copying{db: d, store: tables.New(d, tables.Options{Builtin: builtin(), Log: o.Log})}
	to := transfer.Options{Log: o.Log, Version: version()}
	_, err = os.Stat(p.folder())
	if there := err == nil; p.folder() != "" && (there || !o.ReadOnly) {
		if c.disk, err = files.OpenDisk(p.folder()); err != nil {
			return nil, core.E(op, errors.Join(err, d.Close()))
		}
		to.Contents = c.disk
	}
	c.Service = transfer.New(c.store, to)
	return c, nil
}

// using opens the database, and calls f as the one who runs it.
func (p place) using(ctx context.Context, o db.Options, f func(ctx context.Context, c *copying) error) (err error) {
	c, err := p.open(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if bad := c.close(); err == nil {
			err = bad
		}
	}()
	return f(core.WithCaller(ctx, core.System("operator")), c)
}

// progress shows on a terminal how a copy goes on; f writes what stays.
type progress struct {
	out  io.Writer
	live bool
	what string
}

func newProgress(out io.Writer, what string) *progress {
	return &progress{out: out, live: isTerminal(out), what: what}
}

func (p *progress) watch(table string, rows int64) {
	if p.live {
		say(p.out, "\r\033[K%s %s: %s", p.what, table, core.Count(rows, "row"))
	}
}

// done takes the line away.
func (p *progress) done() {
	if p.live {
		say(p.out, "\r\033[K")
	}
}
