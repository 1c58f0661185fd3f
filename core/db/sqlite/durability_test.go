package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/sqlite"
)

const createNote = `CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, body TEXT NOT NULL)`

func statement(text ...string) *db.Builder { return db.New(sqlite.Dialect{}).Write(text...) }

func insertNote(d *db.DB, id int64, body string) error {
	_, err := d.Exec(context.Background(), statement("INSERT INTO note VALUES (").Arg(id).Write(", ").Arg(body).Write(")"))
	return err
}

func count(t *testing.T, d *db.DB) (n int64) {
	t.Helper()
	if err := d.Query(t.Context(), statement("SELECT count(*) FROM note"), func(scan func(...any) error) error { return scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSecondOpenerIsRefused(t *testing.T) {
	path := dbtest.SQLitePath(t)
	first := dbtest.Open(t, sqlite.Dialect{}, path)
	_, err := db.Open(t.Context(), sqlite.Dialect{}, path, db.Options{})
	if want := "process " + strconv.Itoa(os.Getpid()); core.KindOf(err) != core.Unavailable || !strings.Contains(core.AsError(err).Public(), want) {
		t.Errorf("the second opener gets %v, want a message with %q", err, want)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	dbtest.Open(t, sqlite.Dialect{}, path)
}

// TestFull lets the database reach a limit of pages, as a full disk does: writers get core.Full, readers go on, and
// writing works again once there is room.
func TestFull(t *testing.T) {
	d := dbtest.SQLite(t)
	writer := func(text string) {
		t.Helper()
		if _, err := d.Engine().(interface{ Writer() *sql.DB }).Writer().ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Exec(t.Context(), statement(createNote)); err != nil {
		t.Fatal(err)
	}
	var pages int64
	if err := d.Query(t.Context(), statement("PRAGMA page_count"), func(scan func(...any) error) error { return scan(&pages) }); err != nil {
		t.Fatal(err)
	}
	writer("PRAGMA max_page_count = " + strconv.FormatInt(pages+40, 10))
	var wait sync.WaitGroup
	var mu sync.Mutex
	acked, full := 0, 0
	for i := range 8 { // together, so that they share commits
		wait.Go(func() {
			for n := range 40 {
				err := insertNote(d, int64(1000*i+n+1), strings.Repeat("x", 2000))
				mu.Lock()
				switch {
				case err == nil:
					acked++
				case core.KindOf(err) == core.Full:
					full++
				default:
					t.Errorf("a writer got %v", err)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if full == 0 || acked == 0 {
		t.Fatalf("%d writes acknowledged, %d found no room", acked, full)
	}
	if n := count(t, d); n != int64(acked) {
		t.Errorf("%d notes, %d acknowledged", n, acked)
	}
	if e := core.AsError(insertNote(d, 1_000_001, strings.Repeat("x", 200_000))); !strings.Contains(e.Public(), "disk is full") {
		t.Errorf("the message is %q", e.Public())
	}
	writer("PRAGMA max_page_count = 1000000")
	if err := insertNote(d, 1_000_002, strings.Repeat("x", 200_000)); err != nil {
		t.Error(err)
	}
	sound(t, d)
}

// TestKill kills a process that writes, again and again: what it has acknowledged must be there.
func TestKill(t *testing.T) {
	if path := os.Getenv("COLONNADE_TEST_KILL"); path != "" {
		writeUntilKilled(t, path)
		return
	}
	path := dbtest.SQLitePath(t)
	acked := map[int64]bool{}
	for cycle := range 20 {
		child := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.v=false")
		child.Env = append(os.Environ(), "COLONNADE_TEST_KILL="+path, "COLONNADE_TEST_CYCLE="+strconv.Itoa(cycle))
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		before := len(acked)
		for lines.Scan() {
			id, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
			acked[id] = true
			if len(acked) == before+20+7*cycle {
				_ = child.Process.Kill() // it goes on until it is dead; what it still says counts
			}
		}
		var exit *exec.ExitError
		if err := child.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the writer ended by itself: %v", err)
		}
	}
	d := dbtest.Open(t, sqlite.Dialect{}, path)
	stored := map[int64]bool{}
	if err := d.Query(t.Context(), statement("SELECT a.id FROM note AS a JOIN note AS b ON b.id = -a.id WHERE a.id > 0"), func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		stored[id] = true
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for id := range acked {
		if !stored[id] {
			t.Errorf("%d was acknowledged and is lost", id)
		}
	}
	if n := count(t, d); n != 2*int64(len(stored)) {
		t.Errorf("%d rows in %d whole pairs: a transaction is torn", n, len(stored))
	}
	sound(t, d)
	t.Logf("%d acknowledged, %d stored", len(acked), len(stored))
}

// writeUntilKilled inserts pairs from 8 goroutines and prints the number of each after its commit.
func writeUntilKilled(t *testing.T, path string) {
	d, err := db.Open(t.Context(), sqlite.Dialect{}, path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(t.Context(), statement(createNote)); err != nil {
		t.Fatal(err)
	}
	cycle, _ := strconv.Atoi(os.Getenv("COLONNADE_TEST_CYCLE"))
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for n := range 1_000_000 {
				id := int64((cycle*8+w+1)*1_000_000 + n)
				err := d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
					for _, i := range []int64{id, -id} {
						if _, err := tx.Exec(t.Context(), statement("INSERT INTO note VALUES (").Arg(i).Write(", ").Arg("body").Write(")")); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = fmt.Fprintf(os.Stdout, "%d\n", id)
			}
		})
	}
	wait.Wait()
}

func sound(t *testing.T, d *db.DB) {
	t.Helper()
	var answer string
	if err := d.Query(t.Context(), statement("PRAGMA integrity_check"), func(scan func(...any) error) error { return scan(&answer) }); err != nil || answer != "ok" {
		t.Errorf("integrity_check: %s, error %v", answer, err)
	}
}

// TestCloseAfterLostConnection closes a database whose writing connection the pool has given up, as it does when a transaction
// of the work queue is cancelled.
func TestCloseAfterLostConnection(t *testing.T) {
	d, err := db.Open(t.Context(), sqlite.Dialect{}, dbtest.SQLitePath(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(t.Context(), statement("CREATE TABLE note (n INTEGER)")); err != nil { // prepares a statement
		t.Fatal(err)
	}
	c, err := d.Engine().(interface{ Writer() *sql.DB }).Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Raw(func(any) error { return driver.ErrBadConn }) // the pool closes it
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
