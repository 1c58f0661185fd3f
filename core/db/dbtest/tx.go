package dbtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
)

var errNo = core.E("dbtest", core.Failed, "no")

// put inserts the n-th thing.
func put(c db.Conn, d *db.DB, n int) error {
	_, err := c.Exec(context.Background(), db.New(d.Dialect).Write(`INSERT INTO "thing" (id, "integer") VALUES (`).Value(column("id"), number(n)).Write(", ").Arg(int64(n)).Write(")"))
	return err
}

func all(t testing.TB, d *db.DB) string {
	t.Helper()
	return ids(t, d, func(b *db.Builder) { b.Write("1 = 1") })
}

func testCommit(t *testing.T, d *db.DB) {
	makeThing(t, d)
	ctx := t.Context()
	var events []string
	err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		tx.AfterCommit(func() { events = append(events, "after "+all(t, d)) }) // sees the commit, may use the database
		tx.AfterCommit(func() { events = append(events, "second") })
		if err := put(tx, d, 1); err != nil {
			return err
		}
		events = append(events, "inside")
		return put(tx, d, 2)
	})
	if got := fmt.Sprint(events, err); got != "[inside after 1 2 second] <nil>" {
		t.Error(got)
	}
	var kept *db.Tx
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		kept = tx
		tx.AfterCommit(func() { t.Error("called although the transaction failed") })
		return errors.Join(put(tx, d, 3), errNo)
	})
	if core.KindOf(err) != core.Failed {
		t.Error(err)
	}
	if err := put(kept, d, 4); err == nil {
		t.Error("the transaction can be used after its end")
	}
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		tx.AfterCommit(func() { t.Error("called although the transaction panicked") })
		_ = put(tx, d, 5)
		panic("boom")
	})
	if core.KindOf(err) != core.Internal || !strings.Contains(err.Error(), "boom") {
		t.Error(err)
	}
	// A failed statement that nobody minds must not become a part of a commit on one database only.
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		_ = put(tx, d, 1)
		return nil
	})
	if d.Name() == "postgres" && err == nil {
		t.Error("a transaction in which a statement failed was committed")
	}
	if err := d.ExecAll(ctx, db.New(d.Dialect).Write(`UPDATE "thing" SET "integer" = 0`), db.New(d.Dialect).Write(`DELETE FROM "thing" WHERE id = `).Value(column("id"), number(2))); err != nil {
		t.Error(err)
	}
	if got := all(t, d); got != "1" {
		t.Errorf("there are %s", got)
	}
	if err := d.ExecAll(ctx, db.New(d.Dialect).Write("CREATE TABLE made (n ", d.ColumnType(column("integer")), ")"), db.New(d.Dialect).Write("INSERT INTO made VALUES (").Arg(int64(1)).Write(")"), db.New(d.Dialect).Write("DROP TABLE made")); err != nil {
		t.Errorf("a statement that needs the one before it: %v", err)
	}
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return tx.ExecAll(ctx, db.New(d.Dialect).Write(`DELETE FROM "thing"`), db.New(d.Dialect).Write(`DELETE FROM "nothing"`))
	})
	if err == nil || all(t, d) != "1" {
		t.Errorf("the second of two statements fails: error %v", err)
	}
}

func testSavepoint(t *testing.T, d *db.DB) {
	makeThing(t, d)
	ctx := t.Context()
	var events []string
	note := func(s string) func() { return func() { events = append(events, s) } }
	err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		tx.AfterCommit(note("1"))
		err := errors.Join(put(tx, d, 1), tx.Savepoint(ctx, func() error { tx.AfterCommit(note("2")); return put(tx, d, 2) }))
		failed := tx.Savepoint(ctx, func() error {
			tx.AfterCommit(note("3"))
			inner := tx.Savepoint(ctx, func() error { tx.AfterCommit(note("4")); return put(tx, d, 4) })
			return errors.Join(inner, put(tx, d, 3), put(tx, d, 1)) // taken
		})
		if core.KindOf(failed) != core.Exists {
			t.Errorf("the savepoint returns %v", failed)
		}
		outer := tx.Savepoint(ctx, func() error {
			inner := tx.Savepoint(ctx, func() error { return errors.Join(put(tx, d, 5), errNo) })
			if core.KindOf(inner) != core.Failed {
				t.Error(inner)
			}
			return put(tx, d, 6)
		})
		return errors.Join(err, outer, put(tx, d, 7))
	})
	if err != nil {
		t.Error(err)
	}
	if got := all(t, d) + " after " + strings.Join(events, " "); got != "1 2 6 7 after 1 2" {
		t.Error(got)
	}
}

// testIsolation has transactions that share a commit fail in every way: the others must not notice.
func testIsolation(t *testing.T, d *db.DB) {
	makeThing(t, d)
	const n = 200
	var wait sync.WaitGroup
	errs := make([]error, n)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range n {
		wait.Go(func() {
			ctx := t.Context()
			if i%6 == 5 {
				ctx = cancelled
			}
			errs[i] = d.Tx(ctx, db.TxOptions{Alone: i%50 == 0}, func(tx *db.Tx) error {
				if err := put(tx, d, i+1); err != nil {
					return err
				}
				switch i % 6 {
				case 1:
					return errNo
				case 2:
					panic("boom")
				case 3:
					return put(tx, d, i+1) // the key is taken
				case 4:
					_, err := tx.Exec(ctx, db.New(d.Dialect).Write("nonsense"))
					return err
				}
				return nil
			})
		})
	}
	wait.Wait()
	var want []string
	for i, err := range errs {
		kind := []core.ErrKind{"", core.Failed, core.Internal, core.Exists, core.Internal, core.Unavailable}[i%6]
		if kind == "" {
			want = append(want, strconv.Itoa(i+1))
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		} else if err == nil || core.KindOf(err) != kind {
			t.Errorf("%d: %v, want %s", i, err, kind)
		}
	}
	if got := all(t, d); got != strings.Join(want, " ") {
		t.Errorf("there are %s, want %v", got, want)
	}
}

// testGoexit ends the goroutine of a transaction, as t.FailNow does.
func testGoexit(t *testing.T, d *db.DB) {
	makeThing(t, d)
	for i := range 30 { // more than there are connections
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
				_ = put(tx, d, i+1)
				runtime.Goexit()
				return nil
			})
		}()
		<-done
	}
	if err := put(d, d, 99); err != nil {
		t.Error(err)
	}
	if got := all(t, d); got != "99" {
		t.Errorf("there are %s", got)
	}
}

func testCancel(t *testing.T, d *db.DB) {
	makeThing(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		if err := put(tx, d, 1); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if core.KindOf(err) != core.Unavailable {
		t.Errorf("cancelled inside: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		cancel()
		_, err := tx.Exec(ctx, db.New(d.Dialect).Write(`DELETE FROM "thing"`))
		return err
	})
	if core.KindOf(err) != core.Unavailable {
		t.Errorf("a statement after the cancel: %v", err)
	}
	slow := func() *db.Builder {
		return db.New(d.Dialect).Write("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n")
	}
	for range 3 { // a running read stops, and what it used works afterwards
		ctx, cancel := context.WithCancel(t.Context())
		started := make(chan struct{})
		go func() { <-started; cancel() }()
		b := slow()
		close(started)
		err := d.Query(ctx, b, func(scan func(...any) error) error { return nil })
		if core.KindOf(err) != core.Unavailable {
			t.Errorf("a cancelled query: %v", err)
		}
	}
	ctx, cancel = context.WithCancel(t.Context())
	rows := 0
	err = d.Query(ctx, db.New(d.Dialect).Write("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT i FROM n"), func(func(...any) error) error {
		if rows++; rows == 10 {
			cancel()
		}
		return nil
	})
	if core.KindOf(err) != core.Unavailable {
		t.Errorf("cancelled between rows: %v", err)
	}
	stop := errors.New("stop")
	if err := d.Query(t.Context(), db.New(d.Dialect).Write("SELECT 1"), func(func(...any) error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of each comes back as %v", err)
	}
	for i := range 20 {
		if err := put(d, d, 10+i); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(strings.Fields(all(t, d))); n != 20 {
		t.Errorf("there are %d things", n)
	}
}

// testConcurrent counts up from 64 goroutines at once, each time reading and then writing.
func testConcurrent(t *testing.T, d *db.DB) {
	makeThing(t, d)
	if err := put(d, d, 1); err != nil {
		t.Fatal(err)
	}
	exec(t, d, db.New(d.Dialect).Write(`UPDATE "thing" SET "integer" = 0`))
	const writers, rounds = 64, 10
	var wait sync.WaitGroup
	var committed atomic.Int64
	for range writers {
		wait.Go(func() {
			for range rounds {
				err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
					var n int64
					read := db.New(d.Dialect).Write(`SELECT "integer" FROM "thing"` + d.Lock())
					if err := tx.Query(t.Context(), read, func(scan func(...any) error) error { return scan(&n) }); err != nil {
						return err
					}
					tx.AfterCommit(func() { committed.Add(1) })
					_, err := tx.Exec(t.Context(), db.New(d.Dialect).Write(`UPDATE "thing" SET "integer" = `).Value(column("integer"), n+1))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if got := ask(t, d, core.Integer, func(b *db.Builder) { b.Name("t", "integer") }, func(*db.Builder) {}); got != fmt.Sprintf("[%d]", writers*rounds) || committed.Load() != writers*rounds {
		t.Errorf("the counter is at %s after %d commits", got, committed.Load())
	}
}

func testAlone(t *testing.T, d *db.DB) {
	makeThing(t, d)
	var wait sync.WaitGroup
	for i := range 60 {
		wait.Go(func() {
			err := d.Tx(t.Context(), db.TxOptions{Alone: i%3 == 0}, func(tx *db.Tx) error {
				if i%3 == 0 {
					if err := tx.LockSchema(t.Context(), true); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), db.New(d.Dialect).Write(`ALTER TABLE "thing" ADD COLUMN "x`+strconv.Itoa(i)+`" `+d.ColumnType(column("integer"))))
					return err
				}
				if err := tx.LockSchema(t.Context(), false); err != nil {
					return err
				}
				return put(tx, d, i)
			})
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wait.Wait()
	if n := len(strings.Fields(all(t, d))); n != 40 {
		t.Errorf("%d things", n)
	}
}

func testViolations(t *testing.T, d *db.DB) {
	ctx := t.Context()
	id, text, integer := d.ColumnType(column("id")), d.ColumnType(column("text")), d.ColumnType(column("integer"))
	exec(t, d, db.New(d.Dialect).Write(`CREATE TABLE parent (id `, id, ` PRIMARY KEY)`))
	exec(t, d, db.New(d.Dialect).Write(`CREATE TABLE child (id `, id, ` PRIMARY KEY, code `, text, `, part `, integer, `, need `, text, ` NOT NULL, parent_id `, id,
		` CONSTRAINT child_parent REFERENCES parent (id), CONSTRAINT child_part CHECK (part > 0))`))
	exec(t, d, db.New(d.Dialect).Write(`CREATE UNIQUE INDEX child_key ON child (code, part)`))
	child := func(n int, code, part, need, parent any) error {
		b := db.New(d.Dialect).Write("INSERT INTO child VALUES (").Value(column("id"), number(n)).Write(", ").Arg(code).Write(", ").Arg(part).Write(", ").Arg(need).Write(", ").Arg(parent).Write(")")
		_, err := d.Exec(ctx, b)
		return err
	}
	exec(t, d, db.New(d.Dialect).Write(`INSERT INTO parent VALUES (`).Value(column("id"), number(1)).Write(")"))
	if err := child(1, "a", int64(1), "x", number(1)); err != nil {
		t.Fatal(err)
	}
	_, referenced := d.Exec(ctx, db.New(d.Dialect).Write("DELETE FROM parent"))
	for _, test := range []struct {
		name   string
		err    error
		kind   core.ErrKind
		unique bool
		names  string // a constraint or a column, whichever the database tells
	}{
		{"primary key", child(1, "b", int64(1), "x", nil), core.Exists, true, "child_pkey id"},
		{"unique", child(2, "a", int64(1), "x", nil), core.Exists, true, "child_key code,part"},
		{"not null", child(3, "c", int64(1), nil, nil), core.Invalid, false, "need"},
		{"foreign key", child(4, "d", int64(1), "x", number(9)), core.Invalid, false, "child_parent"},
		{"referenced", referenced, core.Invalid, false, "child_parent"},
		{"check", child(5, "e", int64(-1), "x", nil), core.Invalid, false, "child_part"},
	} {
		var v *db.Violation
		if core.KindOf(test.err) != test.kind || !errors.As(test.err, &v) {
			t.Errorf("%s: %v", test.name, test.err)
			continue
		}
		told := strings.TrimSpace(v.Constraint + strings.Join(v.Columns, ","))
		if v.Unique != test.unique || (told == "" && !(d.Name() == "sqlite" && strings.Contains(test.names, "parent"))) || !strings.Contains(" "+test.names+" ", " "+told+" ") && told != "" {
			t.Errorf("%s: unique %v, named %q, want one of %q", test.name, v.Unique, told, test.names)
		}
		if msg := core.AsError(test.err).Public(); strings.Contains(msg, "child") || strings.Contains(msg, "SQL") || strings.Contains(msg, "constraint failed") {
			t.Errorf("%s: the public message %q is the driver's", test.name, msg)
		}
	}
	if err := child(6, nil, int64(1), "x", nil); err != nil {
		t.Error(err)
	}
	if err := child(7, nil, int64(1), "x", nil); err != nil {
		t.Errorf("NULL in a key is compared: %v", err)
	}
}

// gormRow is a fixed table, as packages declare their system tables.
type gormRow struct {
	ID   core.ID `gorm:"primaryKey"`
	Name string
	At   db.Time
	Done db.Time
	N    int64
	Yes  bool
}

func (gormRow) TableName() string { return "gorm_row" }

func testGorm(t *testing.T, d *db.DB) {
	ctx := t.Context()
	exec(t, d, db.New(d.Dialect).Write("CREATE TABLE gorm_row (id ", d.ColumnType(column("id")), " PRIMARY KEY, name ", d.ColumnType(column("text")),
		", at ", d.ColumnType(column("timestamp")), ", done ", d.ColumnType(column("timestamp")), ", n ", d.ColumnType(column("integer")), ", yes ", d.ColumnType(column("boolean")), ")"))
	row := gormRow{ID: core.ID(number(1)), Name: "it's", At: db.Now(), N: 1 << 60, Yes: true}
	count := func(c func() (int64, error)) int64 {
		t.Helper()
		n, err := c()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	outside := func() (n int64, err error) { return n, d.Gorm(ctx).Model(gormRow{}).Count(&n).Error }
	err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		if err := tx.Gorm(ctx).Create(&row).Error; err != nil {
			return err
		}
		if n := count(func() (n int64, err error) {
			return n, tx.Query(ctx, db.New(d.Dialect).Write("SELECT count(*) FROM gorm_row"), func(scan func(...any) error) error { return scan(&n) })
		}); n != 1 {
			t.Errorf("the transaction does not see what GORM wrote: %d", n)
		}
		if n := count(outside); n != 0 {
			t.Errorf("others see %d rows of a running transaction", n)
		}
		exec(t, tx, db.New(d.Dialect).Write("UPDATE gorm_row SET name = ").Arg("by hand"))
		var back gormRow
		if err := tx.Gorm(ctx).First(&back, "id = ?", row.ID).Error; err != nil || back.Name != "by hand" {
			t.Errorf("GORM does not see what the transaction wrote: %+v, error %v", back, err)
		}
		return errNo
	})
	if core.KindOf(err) != core.Failed || count(outside) != 0 {
		t.Errorf("error %v, %d rows", err, count(outside))
	}
	if err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return tx.Gorm(ctx).Create(&row).Error }); err != nil {
		t.Fatal(err)
	}
	var back gormRow
	if err := d.Gorm(ctx).First(&back).Error; err != nil || !back.At.Equal(row.At.Time) || !back.Done.IsZero() || back.N != row.N || !back.Yes || back.ID != row.ID || back.Name != row.Name {
		t.Errorf("got %+v, want %+v, error %v", back, row, err)
	}
	if back.At.Location() != row.At.Location() {
		t.Errorf("the zone is %v", back.At.Location())
	}
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return tx.Gorm(ctx).Create(&row).Error })
	if core.KindOf(err) != core.Exists {
		t.Errorf("a taken key through GORM: %v", err)
	}
	err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		r := tx.Gorm(ctx).Model(gormRow{}).Where("id = ? AND n = ?", row.ID, row.N).Updates(map[string]any{"name": "new", "done": db.Now()})
		if r.RowsAffected != 1 {
			t.Errorf("updated %d rows", r.RowsAffected)
		}
		return r.Error
	})
	if err != nil {
		t.Error(err)
	}
}

// testSchemaChange runs statements that every connection has prepared, and changes the table beneath them.
func testSchemaChange(t *testing.T, d *db.DB) {
	makeThing(t, d)
	if err := put(d, d, 1); err != nil {
		t.Fatal(err)
	}
	read := func() error {
		var wait sync.WaitGroup
		errs := make([]error, 12)
		for i := range errs {
			wait.Go(func() {
				_, errs[i] = tryAsk(d, core.Integer, func(b *db.Builder) { b.Name("t", "integer") }, func(*db.Builder) {})
				if errs[i] == nil {
					errs[i] = d.Query(t.Context(), db.New(d.Dialect).Write(`SELECT "integer" FROM "thing"`), func(scan func(...any) error) error { var s string; return scanAny(scan, &s) })
				}
			})
		}
		wait.Wait()
		return errors.Join(errs...)
	}
	change := func(text ...string) {
		t.Helper()
		if err := d.Tx(t.Context(), db.TxOptions{Alone: true}, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), db.New(d.Dialect).Write(text...))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		change(`ALTER TABLE "thing" ADD COLUMN "more`, strconv.Itoa(i), `" `, d.ColumnType(column("text")))
		if err := errors.Join(read(), put(d, d, 10+i)); err != nil {
			t.Errorf("after ADD COLUMN: %v", err)
		}
	}
	change(`ALTER TABLE "thing" DROP COLUMN "more1"`)
	if err := errors.Join(read(), put(d, d, 20)); err != nil {
		t.Errorf("after DROP COLUMN: %v", err)
	}
	// The type of the column changes beneath a prepared statement.
	change(`ALTER TABLE "thing" DROP COLUMN "integer"`)
	change(`ALTER TABLE "thing" ADD COLUMN "integer" `, d.ColumnType(column("text")))
	if err := read(); err != nil {
		t.Errorf("after a change of the type: %v", err)
	}
}

func scanAny(scan func(...any) error, s *string) error {
	if err := scan(s); err == nil {
		return nil
	}
	var n int64
	return scan(&n)
}

func testListen(t *testing.T, d *db.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	woken := make(chan struct{}, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.Listen(ctx, "topic", func() { woken <- struct{}{} })
	}()
	if d.Name() != "sqlite" { // where nobody else can write
		<-woken // connected
		d.Notify(ctx, "topic")
		<-woken
	}
	d.Notify(ctx, "other")
	cancel()
	<-ended
}

// testCloseWhileBusy closes a database on which readers and writers are at work: each gets an answer, and what was
// acknowledged is one of two things, an error or a commit.
func testCloseWhileBusy(t *testing.T, d *db.DB) {
	makeThing(t, d)
	var wait sync.WaitGroup
	var begun sync.WaitGroup
	for i := range 20 {
		begun.Add(1)
		wait.Go(func() {
			for n := 0; ; n++ {
				err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return put(tx, d, 1000*i+n+1) })
				if n == 0 {
					begun.Done()
				}
				if err != nil {
					if k := core.KindOf(err); k != core.Unavailable {
						t.Errorf("a writer got %v", err)
					}
					return
				}
				if _, err = tryAsk(d, core.Integer, func(b *db.Builder) { b.Write("count(*)") }, func(*db.Builder) {}); err != nil {
					if k := core.KindOf(err); k != core.Unavailable {
						t.Errorf("a reader got %v", err)
					}
					return
				}
			}
		})
	}
	begun.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if err := d.Close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
	if err := d.Ping(t.Context()); core.KindOf(err) != core.Unavailable {
		t.Errorf("ping after close: %v", err)
	}
}
