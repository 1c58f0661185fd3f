package main

import (
	"context"
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
	"colonnade/tables"
	"colonnade/transfer"
)

// place is where a database is: a folder, a file of SQLite, or the address of PostgreSQL.
type place string

// placeFlags declares the options that name the database of a command.
func placeFlags(f *flag.FlagSet, data, database *string) {
	f.StringVar(data, "data", env("COLONNADE_DATA", "data"), "folder of the embedded database (COLONNADE_DATA)")
	f.StringVar(database, "database", env("COLONNADE_DATABASE", ""), "postgres://... instead of the embedded database (COLONNADE_DATABASE)")
}

func placeOf(data, database string) place {
	if database != "" {
		return place(database)
	}
	return place(data)
}

func (p place) postgres() bool {
	return strings.HasPrefix(string(p), "postgres://") || strings.HasPrefix(string(p), "postgresql://")
}

// dialect returns the dialect and the source of the database.
func (p place) dialect() (db.Dialect, string) {
	if p.postgres() {
		return postgres.Dialect{}, string(p)
	}
	if info, err := os.Stat(string(p)); filepath.Ext(string(p)) == ".db" && (err != nil || !info.IsDir()) {
		return sqlite.Dialect{}, string(p)
	}
	return sqlite.Dialect{}, filepath.Join(string(p), "colonnade.db")
}

// String is what people may read of the place: no password.
func (p place) String() string {
	if p.postgres() {
		return "PostgreSQL"
	}
	_, source := p.dialect()
	return source
}

// open opens the database for a command that copies. The caller closes it.
func (p place) open(ctx context.Context, o db.Options) (*transfer.Service, *db.DB, error) {
	const op = "main.open"
	if strings.Contains(string(p), "://") && !p.postgres() {
		return nil, nil, core.E(op, core.Invalid, "a database is a folder, or a URL such as postgres://user:password@localhost:5432/name")
	}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dialect, source := p.dialect()
	d, err := db.Open(ctx, dialect, source, o)
	if err != nil {
		return nil, nil, core.E(op, err)
	}
	return transfer.New(tables.New(d, tables.Options{Builtin: builtin(), Log: o.Log}), transfer.Options{Log: o.Log, Version: version()}), d, nil
}

// reading opens the database to be read beside a server, and calls f as the one who runs it.
func (p place) reading(ctx context.Context, f func(ctx context.Context, s *transfer.Service) error) (err error) {
	s, d, err := p.open(ctx, db.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		if bad := d.Close(); err == nil {
			err = bad
		}
	}()
	return f(core.WithCaller(ctx, core.System("operator")), s)
}

// filling opens an empty database to be filled by what the command does, and calls f as the one who runs it.
func (p place) filling(ctx context.Context, what string, f func(ctx context.Context, s *transfer.Service, d *db.DB) error) (err error) {
	s, d, err := p.open(ctx, db.Options{Fill: what})
	if err != nil {
		return err
	}
	defer func() {
		if bad := d.Close(); err == nil {
			err = bad
		}
	}()
	return f(core.WithCaller(ctx, core.System("operator")), s, d)
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
