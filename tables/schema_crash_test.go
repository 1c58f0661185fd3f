package tables

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// faulty is a dialect whose transactions break at their n-th statement, counted over all of them; never while n is 0.
type faulty struct {
	db.Dialect
	n    *int
	fail func(ctx context.Context, s db.Session) error
}

func (d faulty) Open(ctx context.Context, source string, o db.Options) (db.Engine, error) {
	e, err := d.Dialect.Open(ctx, source, o)
	return faultyEngine{e, d}, err
}

type faultyEngine struct {
	db.Engine
	d faulty
}

func (e faultyEngine) Tx(ctx context.Context, o db.TxOptions, f func(db.Session) error) error {
	return e.Engine.Tx(ctx, o, func(s db.Session) error { return f(faultySession{s, e.d}) })
}

type faultySession struct {
	db.Session
	d faulty
}

func (s faultySession) step(ctx context.Context) error {
	if *s.d.n == 0 {
		return nil
	}
	if *s.d.n--; *s.d.n > 0 {
		return nil
	}
	return s.d.fail(ctx, s.Session)
}

func (s faultySession) Exec(ctx context.Context, text string, args []any) (int64, error) {
	if err := s.step(ctx); err != nil {
		return 0, err
	}
	return s.Session.Exec(ctx, text, args)
}

func (s faultySession) ExecAll(ctx context.Context, statements []*db.Builder) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Session.ExecAll(ctx, statements)
}

// bigChange does most of what changes can do, in one plan.
func bigChange() []core.Change {
	return []core.Change{
		core.CreateTable{Define: core.Table{Name: "note", Columns: []core.Column{{Name: "body", Kind: core.LongText}, {Name: "item_id", Kind: core.Lookup, Target: "item"}}}},
		core.AddColumn{To: "item", Add: core.Column{Name: "kind", Kind: core.Text, Default: `"plain"`, Unique: false, Required: true}},
		core.AddColumn{To: "item", Add: core.Column{Name: "label", Kind: core.Text, Default: `code + "!"`}},
		core.RenameColumns{Of: "item", To: map[string]string{"price": "cost", "cost": "price"}},
		core.RetypeColumn{Of: "item", To: core.Column{Name: "code", Kind: core.LongText}, OnLoss: "null"},
		core.DropColumn{Of: "item", Name: "parent_id"},
		core.AlterColumn{Of: "item", Column: "cost", Set: map[string]any{"required": true}, Backfill: "1"},
		core.SetOwnership{Of: "item", To: core.OrgOwned},
		core.AddIndex{To: "item", Add: core.Index{Name: "cheapest", Columns: []core.IndexColumn{{Column: "cost"}}}},
	}
}

// prepare makes the table that bigChange changes.
func prepare(t *testing.T, s *Store) {
	stock(t, s)
	define(t, s, core.DropPart{Part: core.PartKey, Of: "item", Name: "by_code"})
}

const crashEnv = "COLONNADE_TEST_CRASH"

// TestCrash28 kills whoever changes the schema at each statement, and after the commit: the definitions are always those
// of the physical tables, of before or after.
func TestCrash28(t *testing.T) {
	if path, at, ok := strings.Cut(os.Getenv(crashEnv), ":"); ok {
		crash(t, path, at)
		return
	}
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		for n := 1; ; n++ {
			path := dbtest.SQLitePath(t)
			d := dbtest.Open(t, sqlite.Dialect{}, path)
			prepare(t, open(t, d, Options{}))
			must(t, d.Close())
			c := exec.Command(os.Args[0], "-test.run=^TestCrash28$")
			c.Env = append(os.Environ(), crashEnv+"="+path+":"+strconv.Itoa(n))
			out, err := c.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != -1 {
				t.Fatalf("the process ended by itself: %v\n%s", err, out)
			}
			d = dbtest.Open(t, sqlite.Dialect{}, path)
			s := open(t, d, Options{})
			after := mustFit(t, s)
			mustBeSound(t, s)
			if after {
				if n < 15 {
					t.Fatalf("the change had %d statements", n)
				}
				return
			}
		}
	})
	if !dbtest.HasPostgres() {
		return
	}
	t.Run("postgres", func(t *testing.T) {
		dsn := dbtest.PostgresDSN(t)
		n := 0
		d := dbtest.Open(t, faulty{postgres.Dialect{}, &n, func(ctx context.Context, s db.Session) error {
			return s.Query(ctx, "SELECT pg_terminate_backend(pg_backend_pid())", nil, func(func(...any) error) error { return nil })
		}}, dsn)
		s := open(t, d, Options{})
		prepare(t, s)
		for at := 1; ; at++ {
			n = at
			err := s.Change(root(t), bigChange()...)
			n = 0
			if after := mustFit(t, s); after != (err == nil) {
				t.Fatal(after, err)
			}
			mustBeSound(t, s)
			if err == nil {
				if at < 15 {
					t.Fatalf("the change had %d statements", at)
				}
				return
			}
		}
	})
}

// crash changes the schema in a process that dies at the n-th statement, or after the commit.
func crash(t *testing.T, path, at string) {
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	n := 0
	d := dbtest.Open(t, faulty{sqlite.Dialect{}, &n, func(context.Context, db.Session) error { die(); return nil }}, path)
	s := open(t, d, Options{})
	n, _ = strconv.Atoi(at)
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		tx.AfterCommit(die) // before anybody is told
		return tx.Change(ctx, bigChange()...)
	}))
}

// mustFit fails unless the physical tables are those of the definitions, and tells whether they are those after bigChange.
func mustFit(t *testing.T, s *Store) (after bool) {
	t.Helper()
	schema := s.Snapshot().Schema
	want := map[string]bool{}
	for _, table := range slices.Concat(schema.Tables(), schema.Dropped()) {
		if table.Builtin || table.Purged {
			continue
		}
		for name := range stored(table) {
			want[table.SQL()+"."+name] = true
		}
		if table.DroppedAt == nil {
			for _, i := range indexes(table) {
				want[i.name()] = true
			}
		}
	}
	text := `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() UNION ALL SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()`
	if s.db.Name() == "sqlite" {
		text = `SELECT m.name || '.' || c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' UNION ALL SELECT name FROM sqlite_schema WHERE type = 'index'`
	}
	have := map[string]bool{}
	must(t, s.db.Query(t.Context(), newBuilder(s).Write(text), func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		if own := strings.HasPrefix(name, "item.") || strings.HasPrefix(name, "note.") || strings.HasPrefix(name, "ix.") || strings.HasPrefix(name, "uq."); own {
			have[name] = true
		}
		return err
	}))
	if !maps.Equal(have, want) {
		t.Fatalf("the database has %v\nthe definitions ask for %v", slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
	}
	_, err := schema.Table("note")
	return err == nil
}

// TestTwoChanges27 changes the schema twice at once: one waits for the other, or gives up cleanly when its time is over.
func TestTwoChanges27(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		version := s.Snapshot().Schema.Version()
		run(t, 8, func(i int) error {
			return s.Change(ctx, core.AddColumn{To: "shop", Add: core.Column{Name: fmt.Sprintf("n%d", i), Kind: core.Integer}})
		})
		if got := s.Snapshot().Schema.Version(); got != version+8 {
			t.Fatalf("8 changes lead from version %d to %d", version, got)
		}
		err := s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
			short, stop := context.WithTimeout(root(t), 50*time.Millisecond)
			defer stop()
			wantKind(t, s.Change(short, core.DropColumn{Of: "shop", Name: "n1"}), core.Unavailable)
			return tx.Change(ctx, core.DropColumn{Of: "shop", Name: "n0"})
		})
		must(t, err)
		if _, ok := tableOf(t, s, "shop").Column("n1"); !ok {
			t.Fatal("the change that gave up was done")
		}
		// Another process does not know yet, and does not write half of the old and half of the new.
		other := open(t, s.db, Options{})
		define(t, s, core.DropColumn{Of: "shop", Name: "n2"})
		_, err = insert(ctx, other, "shop", core.Record{"code": "a", "n2": 1})
		wantKind(t, err, core.Invalid, "no such column")
		mustInsert(t, ctx, other, "shop", core.Record{"code": "a", "n3": 1})
		if other.Snapshot().Schema.Version() != s.Snapshot().Schema.Version() {
			t.Fatal("the other process goes on with the old schema")
		}
		p, err := s.PlanChange(ctx, core.DropColumn{Of: "shop", Name: "n3"})
		must(t, err)
		define(t, s, core.AddColumn{To: "shop", Add: core.Column{Name: "late", Kind: core.Text}})
		_, err = s.ApplyChange(ctx, ChangeOptions{Plan: p.Hash()}, core.DropColumn{Of: "shop", Name: "n3"})
		wantKind(t, err, core.Conflict, "plan again")
		must(t, other.Load(ctx))
	})
}

// TestFiles25 is about schemas as files: applied twice they change nothing (25), what they do not name stays (26), and from
// an empty database they make the same files.
func TestFiles25(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, shop()...)
		stock(t, s)
		define(t, s, core.PutOptions{Put: core.OptionSet{Name: "colours", Options: []core.Option{{Value: "red", Label: "Red"}, {Value: "blue"}}}},
			core.AddColumn{To: "item", Add: core.Column{Name: "colour", Kind: core.Choice, OptionSet: "colours"}})
		role(t, s, "boss", authz.Grant{Action: "define_tables"}, authz.Grant{Table: "shop", Privilege: authz.Delete, Level: authz.Organization})
		files := exported(t, s)
		if len(files) != 7 {
			t.Fatalf("%d files", len(files))
		}
		before := s.Snapshot()
		if p := applied(t, s, files); len(p.lines) != 0 || s.Snapshot() != before {
			t.Fatalf("applied twice: %q", p.lines)
		}
		if p := applied(t, s, files[:1]); len(p.lines) != 0 {
			t.Fatalf("a part of the files: %q", p.lines)
		}
		empty := open(t, another(t, d), Options{})
		applied(t, empty, files)
		if again := exported(t, empty); !slices.Equal(again, files) {
			t.Fatalf("%v\n%v", again, files)
		}
		mustBeSound(t, s)
	})
}

// another returns an empty database of the same kind.
func another(t *testing.T, d *db.DB) *db.DB {
	t.Helper()
	if d.Name() == (postgres.Dialect{}).Name() {
		return dbtest.Postgres(t)
	}
	return dbtest.SQLite(t)
}

func exported(t *testing.T, s *Store) (files []File) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
		files, err = s.export(ctx, tx)
		return err
	}))
	return files
}

func applied(t *testing.T, s *Store, files []File) (p *codePlan) {
	t.Helper()
	a := access{s, authz.NewLogins(s.db, authz.LoginOptions{Change: s.ChangeAccess})}
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) (err error) {
		p, err = a.applyCode(ctx, tx, files, ChangeOptions{})
		return err
	}))
	return p
}
