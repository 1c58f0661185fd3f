package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestDialect(t *testing.T) {
	needServer(t)
	dbtest.Run(t, func(t *testing.T) *db.DB { return dbtest.Postgres(t) })
}

// needServer leaves a test out where there is no server to run it on; scripts/test.sh always has one.
func needServer(t *testing.T) {
	t.Helper()
	if !dbtest.HasPostgres() {
		t.Skip(dbtest.PostgresEnv + " is not set")
	}
}

// TestTerminate cuts connections off while they are idle, at work, and in a transaction.
func TestTerminate(t *testing.T) {
	needServer(t)
	d := dbtest.Postgres(t)
	ctx := t.Context()
	if _, err := d.Exec(ctx, statement("CREATE TABLE note (id bigint PRIMARY KEY)")); err != nil {
		t.Fatal(err)
	}
	other, err := pgx.Connect(ctx, d.Engine().(interface{ Pool() *pgxpool.Pool }).Pool().Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(context.Background()) }()
	cut := func() {
		t.Helper()
		// and waits until they are gone
		if _, err := other.Exec(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (n int64, err error) {
		return n, d.Query(ctx, statement("SELECT count(*) FROM note"), func(scan func(...any) error) error { return scan(&n) })
	}
	for i := range 2 {
		id := int64(i)
		var wait sync.WaitGroup
		for range 6 { // several connections are open
			wait.Go(func() {
				if _, err := count(); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		cut()
		if _, err := count(); err != nil {
			t.Errorf("a read after the cut: %v", err)
		}
		cut()
		if err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, statement("INSERT INTO note VALUES (").Arg(10+id).Write(")"))
			return err
		}); err != nil {
			t.Errorf("a transaction that begins after the cut: %v", err)
		}
		err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, statement("INSERT INTO note VALUES (").Arg(100+id).Write(")")); err != nil {
				return err
			}
			cut()
			_, err := tx.Exec(ctx, statement("INSERT INTO note VALUES (").Arg(200+id).Write(")"))
			return err
		})
		if core.KindOf(err) != core.Unavailable {
			t.Errorf("a transaction that was cut off: %v", err)
		}
		err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, statement("INSERT INTO note VALUES (").Arg(300+id).Write(")"))
			cut()
			return err
		})
		if core.KindOf(err) != core.Unavailable {
			t.Errorf("a transaction that was cut off before its commit: %v", err)
		}
		if n, err := count(); err != nil || n != id+1 {
			t.Errorf("%d notes, error %v", n, err)
		}
	}
}

// TestGormGivesUp ends the context of a query of GORM within a transaction, which then is rolled back, and nobody else touches its
// connection: the race detector would tell.
func TestGormGivesUp(t *testing.T) {
	needServer(t)
	d := dbtest.Postgres(t)
	if _, err := d.Exec(t.Context(), statement("CREATE TABLE note (id bigint PRIMARY KEY)")); err != nil {
		t.Fatal(err)
	}
	for id := range int64(100) {
		err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
			if _, err := tx.Exec(t.Context(), statement("INSERT INTO note VALUES (").Arg(id).Write(")")); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var n int64
			return tx.Gorm(ctx).WithContext(ctx).Raw("SELECT count(*) FROM note").Scan(&n).Error
		})
		if err == nil {
			t.Fatal("the transaction was committed")
		}
	}
	var n int64
	if err := d.Query(t.Context(), statement("SELECT count(*) FROM note"), func(scan func(...any) error) error { return scan(&n) }); err != nil || n != 0 {
		t.Errorf("%d notes, error %v", n, err)
	}
}

// TestLocks are errors that callers may try again.
func TestLocks(t *testing.T) {
	needServer(t)
	d := dbtest.Postgres(t)
	ctx := t.Context()
	if err := d.ExecAll(ctx, statement("CREATE TABLE note (id bigint PRIMARY KEY, n bigint)"), statement("INSERT INTO note VALUES (1, 0), (2, 0)")); err != nil {
		t.Fatal(err)
	}
	update := func(tx *db.Tx, id int64) error {
		_, err := tx.Exec(ctx, statement("UPDATE note SET n = n + 1 WHERE id = ").Arg(id))
		return err
	}
	var both sync.WaitGroup
	both.Add(2)
	errs := make(chan error, 2)
	for _, order := range [][2]int64{{1, 2}, {2, 1}} { // a deadlock
		go func() {
			errs <- d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, statement("SET LOCAL deadlock_timeout = '10ms'"))
				err = errors.Join(err, update(tx, order[0]))
				both.Done()
				both.Wait()
				return errors.Join(err, update(tx, order[1]))
			})
		}()
	}
	if a, b := <-errs, <-errs; (a == nil) == (b == nil) || core.KindOf(errors.Join(a, b)) != core.Conflict {
		t.Errorf("of two transactions in a deadlock: %v, %v", a, b)
	}
	err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		if err := update(tx, 1); err != nil {
			return err
		}
		return d.Tx(ctx, db.TxOptions{}, func(other *db.Tx) error {
			if _, err := other.Exec(ctx, statement("SET LOCAL lock_timeout = '1ms'")); err != nil {
				return err
			}
			return update(other, 1)
		})
	})
	if core.KindOf(err) != core.Unavailable {
		t.Errorf("a lock that is held: %v", err)
	}
}

func statement(text ...string) *db.Builder { return db.New(postgres.Dialect{}).Write(text...) }

// TestEncoding refuses a database that cannot hold every text.
func TestEncoding(t *testing.T) {
	needServer(t)
	d := dbtest.Postgres(t)
	source := d.Engine().(interface{ Pool() *pgxpool.Pool }).Pool().Config().ConnConfig
	name := source.Database + "_latin"
	if _, err := d.Exec(t.Context(), statement("CREATE DATABASE ", name, " TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := d.Exec(context.Background(), statement("DROP DATABASE ", name, " WITH (FORCE)")); err != nil {
			t.Error(err)
		}
	}()
	_, err := db.Open(t.Context(), postgres.Dialect{}, strings.Replace(source.ConnString(), source.Database, name, 1), db.Options{})
	if core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), "ENCODING 'UTF8'") {
		t.Error(err)
	}
}
