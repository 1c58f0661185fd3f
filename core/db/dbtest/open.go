package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// PostgresEnv names the variable with the URL of a PostgreSQL server on which databases may be made and dropped.
const PostgresEnv = "COLONNADE_TEST_POSTGRES"

// Each runs f as a sub-test on a new, empty database of every kind that is at hand: always SQLite, and PostgreSQL when
// [PostgresEnv] is set. The databases share nothing, so f may run in parallel with anything.
func Each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	if os.Getenv(PostgresEnv) != "" {
		t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
	}
}

// SQLite opens a new database in the test's own folder; it is closed when the test ends.
func SQLite(t testing.TB) *db.DB {
	t.Helper()
	return Open(t, sqlite.Dialect{}, SQLitePath(t))
}

// SQLitePath returns where a test may keep its database.
func SQLitePath(t testing.TB) string { return filepath.Join(t.TempDir(), "colonnade.db") }

// Postgres opens a new database, with the system tables, on the server of [PostgresEnv]; it is dropped when the test
// ends. A test that calls it without a server fails: guard it with [HasPostgres], or use [Each].
func Postgres(t testing.TB) *db.DB {
	t.Helper()
	return Open(t, postgres.Dialect{}, PostgresDSN(t))
}

// HasPostgres reports whether there is a server to test on.
func HasPostgres() bool { return os.Getenv(PostgresEnv) != "" }

// Open opens a database with logs on the test's output and closes it when the test ends.
func Open(t testing.TB, d db.Dialect, source string) *db.DB {
	t.Helper()
	d1, err := db.Open(t.Context(), d, source, db.Options{Conns: 6, Log: Log(t)})
	if err != nil {
		t.Fatalf("open %s: %v", d.Name(), err)
	}
	t.Cleanup(func() {
		if err := d1.Close(); err != nil {
			t.Errorf("close %s: %v", d.Name(), err)
		}
	})
	return d1
}

// Log returns a logger that writes to the test's output, until the test ends.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// PostgresDSN makes a database with the system tables on the server of [PostgresEnv] and returns its URL. It is a copy
// of a template that is made once for each state of the migrations, which takes some 40 ms instead of some 150.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	template, err := postgresTemplate()
	if err != nil {
		t.Fatalf("dbtest: the template database: %v", err)
	}
	name := "colonnade_test_" + strings.ReplaceAll(string(core.NewID()), "-", "")
	create := fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)
	err = admin(create)
	for busy := 0; isCode(err, "55006") && busy < 5; busy++ { // the server's own vacuum looks at the template
		err = admin(create)
	}
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	t.Cleanup(func() {
		if err := admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("dbtest: %v", err)
		}
	})
	return withDatabase(os.Getenv(PostgresEnv), name)
}

// EmptyPostgresDSN makes a database without tables and returns its URL.
func EmptyPostgresDSN(t testing.TB) string {
	t.Helper()
	dsn := PostgresDSN(t)
	c, err := pgx.Connect(context.Background(), dsn)
	if err == nil {
		_, err = c.Exec(context.Background(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		err = errors.Join(err, c.Close(context.Background()))
	}
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return dsn
}

func withDatabase(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn
	}
	u.Path = "/" + name
	return u.String()
}

func isCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

// admin runs a statement outside any database under test, on one connection that stays open.
func admin(statement string) error {
	adminConn.Lock()
	defer adminConn.Unlock()
	ctx := context.Background()
	if adminConn.c == nil || adminConn.c.Ping(ctx) != nil { // tests end backends
		c, err := pgx.Connect(ctx, os.Getenv(PostgresEnv))
		if err != nil {
			return err
		}
		adminConn.c = c
	}
	_, err := adminConn.c.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	return err
}

var adminConn struct {
	sync.Mutex
	c *pgx.Conn
}

// postgresTemplate returns the name of the template for the present migrations. Test binaries run side by side, so it
// is made under a lock, and renamed when it is whole.
var postgresTemplate = sync.OnceValues(func() (string, error) {
	sum, err := migrationsSum()
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, os.Getenv(PostgresEnv))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close(ctx) }() // and with it the lock
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock(hashtext('colonnade test template'))"); err != nil {
		return "", err
	}
	name := "colonnade_template_" + sum
	var there bool
	if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return name, err
	}
	raw := name + "_raw"
	for _, s := range []string{"DROP DATABASE IF EXISTS " + raw + " WITH (FORCE)", "CREATE DATABASE " + raw} {
		if _, err := c.Exec(ctx, s); err != nil {
			return "", err
		}
	}
	d, err := db.Open(ctx, postgres.Dialect{}, withDatabase(os.Getenv(PostgresEnv), raw), db.Options{Conns: 2})
	if err != nil {
		return "", err
	}
	if err := d.Close(); err != nil {
		return "", err
	}
	_, err = c.Exec(ctx, "ALTER DATABASE "+raw+" RENAME TO "+name)
	return name, err
})

func migrationsSum() (string, error) {
	files := postgres.Dialect{}.Migrations()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, n := range names {
		text, err := fs.ReadFile(files, n)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(h, "%s %d\n%s", n, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
