package files

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

const killEnv = "COLONNADE_TEST_FILES_KILL" // dialect, folder and source of the database

var dialects = map[string]db.Dialect{"sqlite": sqlite.Dialect{}, "postgres": postgres.Dialect{}}

// TestKill kills processes that upload, attach and sweep. Whatever was acknowledged is there, and nothing that is referred to is
// ever missing; what is left over goes with the next sweep.
func TestKill(t *testing.T) {
	if what := os.Getenv(killEnv); what != "" {
		workUntilKilled(t, what)
		return
	}
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); testKill(t, "sqlite", dbtest.SQLitePath(t)) })
	if dbtest.HasPostgres() {
		t.Run("postgres", func(t *testing.T) { t.Parallel(); testKill(t, "postgres", dbtest.PostgresDSN(t)) })
	}
}

func testKill(t *testing.T, dialect, source string) {
	folder := t.TempDir()
	open := func() (*world, func()) {
		d, err := db.Open(t.Context(), dialects[dialect], source, db.Options{Log: dbtest.Log(t)})
		must(t, err)
		return newWorld(t, d, folder, Options{}), func() { must(t, d.Close()) }
	}
	w, done := open()
	w.clerk("ben", authz.Organization)
	done()
	acked := map[core.ID]string{}
	for cycle := range 8 {
		for id, content := range kill(t, dialect+" "+folder+" "+source, 5+4*cycle) {
			acked[id] = content
		}
		w, done := open()
		w.mustBeSound()
		for id, content := range acked {
			if got := w.read(w.root(), Of{Table: "paper", Record: id, Column: "scan"}); got != content {
				t.Fatalf("the record %s was acknowledged with %q and has %q", id, content, got)
			}
		}
		done()
	}
	w, done = open()
	defer done()
	w.sweep()
	w.mustBeSound()
	named := map[Address]bool{}
	for r, err := range w.files() {
		must(t, err)
		named[Address(r["sha256"].(string))] = true
	}
	if have := w.contents(); len(have) != len(named) {
		t.Errorf("%d contents are kept, and files have %d", len(have), len(named))
	}
}

// kill runs the worker, kills it after it has acknowledged n records, and returns what it acknowledged.
func kill(t *testing.T, what string, n int) map[core.ID]string {
	c := exec.Command(os.Args[0], "-test.run=^TestKill$")
	c.Env = append(os.Environ(), killEnv+"="+what)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	acked := map[core.ID]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		id, content, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			t.Fatalf("the worker says %q", lines.Text())
		}
		if acked[core.ID(id)] = content; len(acked) == n {
			must(t, c.Process.Kill())
		}
	}
	if err := c.Wait(); err == nil || len(acked) < n {
		t.Fatalf("the worker ended by itself after %d records: %v", len(acked), err)
	}
	return acked
}

// workUntilKilled uploads and attaches on two sides, forgets files that were not attached, and sweeps all the time.
func workUntilKilled(t *testing.T, what string) {
	dialect, rest, _ := strings.Cut(what, " ")
	folder, source, _ := strings.Cut(rest, " ")
	w := newWorld(t, dbtest.Open(t, dialects[dialect], source), folder, Options{})
	ben := w.again("ben")
	var all sync.WaitGroup
	all.Go(func() {
		for s := w.s.sweeper(0); ; {
			s.Keep = 20 * time.Millisecond
			if _, err := w.store.SweepFiles(w.root(), s); err != nil && !core.KindOf(err).Retry() {
				panic(err)
			}
		}
	})
	for n := range 2 {
		all.Go(func() {
			for i := 0; ; i++ {
				content := fmt.Sprintf("content-%d-%d-%d", os.Getpid(), n, i)
				if i%3 == 0 {
					content = fmt.Sprint("shared-", i%2)
				}
				f, err := w.s.Upload(ben, "a.txt", strings.NewReader(content))
				if err != nil {
					panic(err)
				}
				if i%4 == 3 {
					continue
				}
				if id, err := w.insert(ben, core.Record{"scan": string(f.ID)}); err == nil {
					fmt.Println(id, content)
				} else if core.KindOf(err) != core.Invalid { // it was swept before
					panic(err)
				}
			}
		})
	}
	all.Wait()
}

// again returns the caller of a person who is there already.
func (w *world) again(name string) context.Context {
	for r, err := range w.people() {
		must(w.t, err)
		if r["name"] == name {
			c, err := w.store.Snapshot().Policy.Caller(core.ID(r["id"].(string)), core.Cause{Kind: "api"})
			must(w.t, err)
			return core.WithCaller(w.t.Context(), c)
		}
	}
	w.t.Fatal("there is no " + name)
	return nil
}
