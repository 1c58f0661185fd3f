package dbtest_test

import (
	"bytes"
	"context"
	"database/sql"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patched is a dialect with other migrations.
type patched struct {
	db.Dialect
	files fs.FS
}

func (p patched) Migrations() fs.FS { return p.files }

func filesOf(t *testing.T, d db.Dialect) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	names, err := fs.Glob(d.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		text, err := fs.ReadFile(d.Migrations(), n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = &fstest.MapFile{Data: text}
	}
	return out
}

// eachSource runs f with the source of a new, empty database of every kind.
func eachSource(t *testing.T, f func(t *testing.T, d db.Dialect, source string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, sqlite.Dialect{}, dbtest.SQLitePath(t)) })
	if dbtest.HasPostgres() {
		t.Run("postgres", func(t *testing.T) { f(t, postgres.Dialect{}, dbtest.EmptyPostgresDSN(t)) })
	}
}

func open(t *testing.T, d db.Dialect, source string) error {
	t.Helper()
	o, err := db.Open(t.Context(), d, source, db.Options{Conns: 2, Log: dbtest.Log(t)})
	if err != nil {
		return err
	}
	return o.Close()
}

func applied(t *testing.T, d db.Dialect, source string) string {
	t.Helper()
	o := dbtest.Open(t, d, source)
	defer func() { _ = o.Close() }()
	var out []string
	err := o.Query(t.Context(), db.New(d).Write(`SELECT name || ' ' || checksum || ' ' || applied_at FROM "_migration" ORDER BY number`), func(scan func(...any) error) error {
		var s string
		err := scan(&s)
		out = append(out, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func TestMigrateTwice(t *testing.T) {
	eachSource(t, func(t *testing.T, d db.Dialect, source string) {
		before := applied(t, d, source)
		if before == "" {
			t.Error("nothing was applied")
		}
		if after := applied(t, d, source); after != before {
			t.Errorf("the second start changed\n%s\nto\n%s", before, after)
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	eachSource(t, func(t *testing.T, d db.Dialect, source string) {
		if err := open(t, d, source); err != nil {
			t.Fatal(err)
		}
		files := filesOf(t, d)
		last := slices.Max(slices.Collect(func(yield func(string) bool) {
			for n := range files {
				if !yield(n) {
					return
				}
			}
		}))
		check := func(files fstest.MapFS, want string) {
			t.Helper()
			err := open(t, patched{d, files}, source)
			if core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		changed := fstest.MapFS{}
		for n, f := range files {
			changed[n] = f
		}
		changed[last] = &fstest.MapFile{Data: []byte("-- changed\n")}
		check(changed, "restore the original file "+last)
		delete(changed, last)
		check(changed, "newer version")

		more := filesOf(t, d)
		next := last[:4] + "_zzz.sql"
		more[next] = &fstest.MapFile{Data: []byte("CREATE TABLE next (a int);\n")}
		if err := open(t, patched{d, more}, source); err == nil || !strings.Contains(err.Error(), "must rise") {
			t.Errorf("a number that is there twice: %v", err)
		}
		delete(more, next)
		next = "0999_next.sql"
		more[next] = &fstest.MapFile{Data: []byte("CREATE TABLE next_one (a int);\nnonsense;\n")}
		if err := open(t, patched{d, more}, source); err == nil || !strings.Contains(err.Error(), next) {
			t.Errorf("a broken migration: %v", err)
		}
		more[next] = &fstest.MapFile{Data: []byte("-- A comment; with a semicolon.\n\n-- Another.\nCREATE TABLE next_one (a int);\n")}
		if err := open(t, patched{d, more}, source); err != nil { // the broken one left nothing behind
			t.Error(err)
		}
		if err := open(t, d, source); core.KindOf(err) != core.Invalid { // and now the program is older than the database
			t.Errorf("an older program: %v", err)
		}
	})
}

func TestMigrateTogether(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip(dbtest.PostgresEnv + " is not set")
	}
	source := dbtest.EmptyPostgresDSN(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := open(t, postgres.Dialect{}, source); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// TestSameTables compares the names of all system tables and columns.
func TestSameTables(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip(dbtest.PostgresEnv + " is not set")
	}
	read := func(d *db.DB, text string) []string {
		var out []string
		err := d.Query(t.Context(), db.New(d.Dialect).Write(text), func(scan func(...any) error) error {
			var s string
			err := scan(&s)
			out = append(out, s)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(out)
		return out
	}
	lite := read(dbtest.SQLite(t), `SELECT t.name || '.' || c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	pg := read(dbtest.Postgres(t), `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'`)
	onlyPostgres := []string{"_event.tx", "_search.doc"} // the snapshot that orders events; SQLite has one writer
	onlySQLite := func(name string) bool {               // the words that are searched are in a table of FTS5, which makes others
		return name == "_search.seq" || strings.HasPrefix(name, "_search_text")
	}
	for _, name := range lite {
		if !slices.Contains(pg, name) && !onlySQLite(name) {
			t.Errorf("only SQLite has %s", name)
		}
	}
	for _, name := range pg {
		if !slices.Contains(lite, name) && !slices.Contains(onlyPostgres, name) {
			t.Errorf("only PostgreSQL has %s", name)
		}
	}
	files := func(d db.Dialect) []string {
		var out []string
		for n := range filesOf(t, d) {
			out = append(out, n)
		}
		slices.Sort(out)
		return out
	}
	if a, b := files(sqlite.Dialect{}), files(postgres.Dialect{}); !slices.Equal(a, b) {
		t.Errorf("the migrations are %v and %v", a, b)
	}
}

// TestOpenForeign refuses the database of another program, and leaves it as it is.
func TestOpenForeign(t *testing.T) {
	file := dbtest.SQLitePath(t)
	foreign, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.ExecContext(t.Context(), `CREATE TABLE "_migration" (version text); INSERT INTO "_migration" VALUES ('7')`); err != nil {
		t.Fatal(err)
	}
	if err := foreign.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, sqlite.Dialect{}, file); core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), file+" was made by another program") {
		t.Errorf("another program's file: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("another program's file was changed (%v)", err)
	}
	if !dbtest.HasPostgres() {
		return
	}
	source := dbtest.EmptyPostgresDSN(t)
	conn, err := pgx.Connect(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), `CREATE TABLE customer (id int); CREATE SCHEMA beside`, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	for add, want := range map[string]string{"": "the schema public holds tables", "&search_path=nowhere": "does not exist", "&search_path=beside": "", "&search_path=beside,public": ""} {
		err := open(t, postgres.Dialect{}, source+add)
		if want == "" && err != nil || want != "" && (core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), want)) {
			t.Errorf("%q: %v", add, err)
		}
	}
}

// TestOpenDamaged names a file that is damaged, and one that the server may not use.
func TestOpenDamaged(t *testing.T) {
	whole := dbtest.SQLitePath(t)
	if err := open(t, sqlite.Dialect{}, whole); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	check := func(raw []byte, mode fs.FileMode, want string) {
		t.Helper()
		file := dbtest.SQLitePath(t)
		if err := os.WriteFile(file, raw, mode); err != nil {
			t.Fatal(err)
		}
		err := open(t, sqlite.Dialect{}, file)
		if core.KindOf(err) != core.Unavailable || !strings.Contains(core.AsError(err).Public(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check(append([]byte("no header"), raw[9:]...), 0o600, "is not a database")
	torn := bytes.Clone(raw)
	clear(torn[100:4096]) // the page of the schema
	check(torn, 0o600, "is damaged (malformed)")
	if os.Getuid() != 0 { // who may do everything
		check(raw, 0o400, "permission denied")
	}
}

func TestOpenFails(t *testing.T) {
	ctx := context.Background()
	for source, kind := range map[string]core.ErrKind{"": core.Unavailable, "postgres://nobody@127.0.0.1:1/none": core.Unavailable, "postgres://u:secret@h:port/x": core.Invalid} {
		if source == "" {
			continue // libpq's defaults, which may be a server
		}
		_, err := db.Open(ctx, postgres.Dialect{}, source, db.Options{Log: dbtest.Log(t)})
		if core.KindOf(err) != kind || strings.Contains(core.AsError(err).Public(), "secret") {
			t.Errorf("%q: %v", source, err)
		}
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, []byte("this is no database, and long enough that SQLite can see it at once, I should think"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{file, file + "/below.db", t.TempDir()} {
		if _, err := db.Open(ctx, sqlite.Dialect{}, source, db.Options{Log: dbtest.Log(t)}); core.KindOf(err) != core.Unavailable {
			t.Errorf("%s: %v", source, err)
		}
	}
}
