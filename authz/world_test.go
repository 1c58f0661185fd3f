package authz

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
	"colonnade/rules"
)

// eachDB runs the test on every database at hand.
func eachDB(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, openDB(t, sqlite.Dialect{}, filepath.Join(t.TempDir(), "test.db")))
	})
	source := os.Getenv("COLONNADE_TEST_POSTGRES")
	if source == "" {
		return
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, openDB(t, postgres.Dialect{}, ownSchema(t, source)))
	})
}

func openDB(t *testing.T, dialect db.Dialect, source string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dialect, source, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// ownSchema returns the source with a new schema, which goes with the test.
func ownSchema(t *testing.T, source string) string {
	t.Helper()
	name := "authz_" + strings.ReplaceAll(string(core.NewID()), "-", "")
	run := func(statement string) {
		c, err := pgx.Connect(context.Background(), source)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.Background()) }()
		if _, err := c.Exec(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE SCHEMA " + name)
	t.Cleanup(func() { run("DROP SCHEMA " + name + " CASCADE") })
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// change runs f in a transaction.
func change(t *testing.T, d *db.DB, f func(tx *gorm.DB) error) error {
	t.Helper()
	return d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return f(tx.Gorm(t.Context())) })
}

var (
	must     = dbtest.Must
	wantKind = dbtest.WantKind
)

// clock is a time that only the test moves.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time      { return c.t }
func (c *clock) add(d time.Duration) { c.t = c.t.Add(d) }

// world is a schema with its rules.
func world(t testing.TB, tables ...core.Table) (*core.Schema, *rules.Set) {
	t.Helper()
	return worldOf(t, core.Shared{}, tables...)
}

func worldOf(t testing.TB, shared core.Shared, tables ...core.Table) (*core.Schema, *rules.Set) {
	t.Helper()
	s, err := core.NewSchemaOf(1, shared, append(Tables(), tables...)...)
	if err != nil {
		t.Fatal(err)
	}
	set, err := rules.NewSet(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, set
}

func deal() core.Table {
	return core.Table{Name: "deal", Columns: []core.Column{
		{Name: "title", Kind: core.Text},
		{Name: "stage", Kind: core.Text},
		{Name: "amount", Kind: core.Integer},
		{Name: "cost", Kind: core.Integer},
		{Name: "margin", Kind: core.Integer, Formula: "amount - cost"},
		{Name: "label", Kind: core.Text, Formula: `title + "!"`},
	}}
}

func country() core.Table {
	return core.Table{Name: "country", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "name", Kind: core.Text}}}
}

// data returns the data of a policy with these roles and grants.
func data(roles []string, grants ...Grant) *Data {
	d := &Data{Units: []BusinessUnit{{ID: core.RootUnit, Name: "Organization"}}}
	for i, r := range append([]string{Administrator}, roles...) {
		d.Roles = append(d.Roles, Role{ID: core.ID(fmt.Sprintf("00000000-0000-7000-8000-%012d", 100+i)), Name: r})
	}
	for _, g := range grants {
		d.Rules = append(d.Rules, newRule("p", g.rule()))
	}
	return d
}

// inherit makes role include from.
func (d *Data) inherit(role, from string) {
	d.Rules = append(d.Rules, newRule("g", []string{ofRole(role), ofRole(from), everywhere}))
}
