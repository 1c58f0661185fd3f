package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
)

// notes returns a database with a table, and a connection beside it.
func notes(t *testing.T) (*db.DB, *pgx.Conn) {
	t.Helper()
	needServer(t)
	d := dbtest.Postgres(t)
	beside, err := pgx.Connect(t.Context(), d.Engine().(interface{ Pool() *pgxpool.Pool }).Pool().Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close(context.Background()) })
	if _, err := beside.Exec(t.Context(), `CREATE TABLE note (id uuid PRIMARY KEY, text text UNIQUE)`); err != nil {
		t.Fatal(err)
	}
	return d, beside
}

func addNote(t *testing.T, d *db.DB, text string) error {
	return dbtest.InsertLater(t, d, "note", "TRUE", core.Record{"id": string(core.NewID()), "text": text})
}

func countNotes(t *testing.T, c *pgx.Conn, text string) (n int) {
	t.Helper()
	if err := c.QueryRow(context.Background(), "SELECT count(*) FROM note WHERE text = $1", text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestGroupLock has one insert wait for a key that an open transaction holds: the others are done meanwhile.
func TestGroupLock(t *testing.T) {
	d, beside := notes(t)
	for i, commit := range []bool{true, false} {
		held := fmt.Sprint("held ", i)
		tx, err := beside.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "INSERT INTO note VALUES (gen_random_uuid(), $1)", held); err != nil {
			t.Fatal(err)
		}
		waiter := make(chan error, 1)
		go func() { waiter <- addNote(t, d, held) }()
		for waiting := false; !waiting; {
			if err := tx.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)").Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
		var wait sync.WaitGroup
		for j := range 200 {
			wait.Go(func() {
				if err := addNote(t, d, fmt.Sprint(i, " ", j)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait() // and the lock is still held
		select {
		case err := <-waiter:
			t.Errorf("the insert did not wait: %v", err)
		default:
		}
		kind := core.ErrKind("")
		if commit {
			kind, err = core.Exists, tx.Commit(t.Context())
		} else {
			err = tx.Rollback(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := <-waiter; core.KindOf(err) != kind {
			t.Errorf("committed: %t, and the one that waited gets %v", commit, err)
		}
		if n := countNotes(t, beside, held); n != 1 {
			t.Errorf("%d notes %s", n, held)
		}
	}
}

// TestGroupKill ends the processes of the server under load: what was acknowledged is there, what was refused is not, and
// where that is not known the answer is UNAVAILABLE.
func TestGroupKill(t *testing.T) {
	d, beside := notes(t)
	if err := addNote(t, d, "taken"); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wait sync.WaitGroup
	var mu sync.Mutex
	outcome := map[string]core.ErrKind{}
	var done atomic.Int64
	for w := range 16 {
		wait.Go(func() {
			for i := 0; !stop.Load(); i++ {
				text := fmt.Sprint(w, " ", i)
				kind := core.KindOf(addNote(t, d, text))
				mu.Lock()
				outcome[text] = kind
				mu.Unlock()
				if kind := core.KindOf(addNote(t, d, "taken")); kind != core.Exists && kind != core.Unavailable {
					t.Errorf("a taken key: %q", kind)
				}
				done.Add(1)
			}
		})
	}
	for range 40 {
		from := done.Load()
		if _, err := beside.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		for done.Load() < from+16 { // work in between
			if err := beside.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop.Store(true)
	wait.Wait()
	rows, err := beside.Query(t.Context(), "SELECT text FROM note WHERE text <> 'taken'")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, text := range stored {
		there[text] = true
	}
	acknowledged := 0
	for text, kind := range outcome {
		switch kind {
		case "":
			acknowledged++
			if !there[text] {
				t.Errorf("note %s was acknowledged and is not there", text)
			}
		case core.Unavailable:
		default:
			t.Errorf("note %s was refused with %s", text, kind)
		}
	}
	if n := countNotes(t, beside, "taken"); n != 1 || acknowledged == 0 {
		t.Errorf("%d notes with one key, %d acknowledged", n, acknowledged)
	}
}

// TestGroupInDoubt breaks the connection when a commit has been sent: before the server gets it, and after it has answered.
// The answer is UNAVAILABLE, and nothing is tried again: that would be refused, although it was done.
func TestGroupInDoubt(t *testing.T) {
	_, beside := notes(t)
	p := newProxy(t, beside.Config())
	d := dbtest.Open(t, postgres.Dialect{}, p.source)
	if err := addNote(t, d, "first"); err != nil { // prepares the statements
		t.Fatal(err)
	}
	for text, stored := range map[string]int{"cut before": 0, "cut after": 1} {
		if err := addNote(t, d, text); core.KindOf(err) != core.Unavailable {
			t.Errorf("%s: %v", text, err)
		}
		if n := countNotes(t, beside, text); n != stored {
			t.Errorf("%s: there are %d", text, n)
		}
		if err := addNote(t, d, "then "+text[4:]); err != nil {
			t.Errorf("the next one after %s: %v", text, err)
		}
	}
}

// proxy stands between us and the server. It breaks a connection on which "cut before" or "cut after" travels, before the
// server gets that or after it has answered.
type proxy struct{ source string }

func newProxy(t *testing.T, to *pgx.ConnConfig) proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); wait.Wait() })
	server := net.JoinHostPort(to.Host, fmt.Sprint(to.Port))
	wait.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { relay(t, client, server) })
		}
	})
	u, err := url.Parse(to.ConnString())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = ln.Addr().String()
	return proxy{u.String()}
}

func relay(t *testing.T, client net.Conn, address string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = server.Close() }()
	var cut atomic.Bool
	go func() { // ends when a side is closed
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil || bytes.Contains(buf[:n], []byte("cut before")) {
				break
			}
			if bytes.Contains(buf[:n], []byte("cut after")) {
				cut.Store(true)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				break
			}
		}
		_ = client.Close()
		_ = server.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || cut.Load() {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
