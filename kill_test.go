package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/transfer"
)

const copyKillEnv = "COLONNADE_TEST_COPY_KILL" // backup, restore or move; the source and the target, with tabs between them

// TestKillCopies kills processes that back up, restore and move, each a little later than the one before: what they leave is
// never taken for whole, and the same command does it in the end.
func TestKillCopies(t *testing.T) {
	if what := os.Getenv(copyKillEnv); what != "" {
		if err := killedCopy(t.Context(), strings.Split(what, "\t")); err != nil {
			fmt.Println("failed", explain(err))
			return
		}
		fmt.Println("done")
		return
	}
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.want(t, `mutation { create_table(name: "note", columns: [{name: "n", kind: "integer"}]) { version } }`, "version")
		s.want(t, `mutation { import_csv(table: "note", csv: "n\n`+strings.Repeat(`1\n2\n3\n`, 4000)+`") { inserted } }`, `"inserted":12000`)
		s.stop(t)
		from, folder := placeOf(c.Data, c.Database, "").at, t.TempDir()
		file := filepath.Join(folder, "whole")
		cli(t, "backup", "--data", c.Data, "--database", c.Database, file)
		want := cli(t, "hash", "--data", c.Data, "--database", c.Database)

		target := filepath.Join(folder, "backup")
		killCopies(t, "backup", from, target, func() (whole bool) {
			_, err := os.Stat(target)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			return err == nil
		})
		cli(t, "backup", "--verify", target)

		to := []*config{{Data: filepath.Join(folder, "to")}}
		if dbtest.HasPostgres() {
			to = append(to, &config{Data: filepath.Join(folder, "pg"), Database: dbtest.EmptyPostgresDSN(t)})
		}
		for i, c := range to {
			what, source := "restore", file
			if i == len(to)-1 {
				what, source = "move", from
			}
			at := placeOf(c.Data, c.Database, "").at
			killCopies(t, what, source, at, func() (whole bool) {
				err := run(t.Context(), []string{"hash", "--data", c.Data, "--database", c.Database}, io.Discard)
				if err != nil && !strings.Contains(explain(err), "did not end") && !strings.Contains(explain(err), "there is no") {
					t.Errorf("a %s that was killed: %s", what, explain(err))
				}
				return err == nil
			})
			if got := cli(t, "hash", "--data", c.Data, "--database", c.Database); got != want {
				t.Errorf("after the %s:\n%s\nwant\n%s", what, got, want)
			}
		}
	})
}

// killedCopy does the command, and says on standard output how it goes on.
func killedCopy(ctx context.Context, args []string) error {
	say := func(string, int64) { fmt.Println("step") }
	switch args[0] {
	case "backup":
		return place{at: args[1]}.using(ctx, db.Options{ReadOnly: true}, func(ctx context.Context, c *copying) error {
			return newFile(args[2], func(w io.Writer) error {
				_, err := c.Backup(ctx, w, say)
				return err
			})
		})
	case "restore":
		return place{at: args[2]}.using(ctx, db.Options{Fill: "restore"}, func(ctx context.Context, c *copying) error {
			_, err := c.Restore(ctx, func() (io.ReadCloser, error) { return os.Open(args[1]) }, transfer.Filling{Watch: say, Resume: c.filling(newProgress(os.Stderr, "")).Resume})
			return err
		})
	}
	return place{at: args[1]}.using(ctx, db.Options{ReadOnly: true, Alone: true}, func(ctx context.Context, from *copying) error {
		return place{at: args[2]}.using(ctx, db.Options{Fill: "move"}, func(ctx context.Context, c *copying) error {
			_, err := c.Move(ctx, from.Service, transfer.Filling{Watch: say, Resume: c.filling(newProgress(os.Stderr, "")).Resume})
			return err
		})
	})
}

// killCopies kills the command after some of its steps, again and again, until it is done before that. look looks at what
// each has left; it is whole when the kill came behind the last of the work.
func killCopies(t *testing.T, what, from, to string, look func() (whole bool)) {
	t.Helper()
	killed := 0
	for after := 3; ; after += 17 + after/2 {
		c := exec.Command(os.Args[0], "-test.run=^TestKillCopies$")
		c.Env = append(os.Environ(), copyKillEnv+"="+what+"\t"+from+"\t"+to)
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		steps, done := 0, false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			switch line := lines.Text(); {
			case line == "step":
				if steps++; steps == after {
					if err := c.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			case line == "done":
				done = true
			case strings.HasPrefix(line, "failed"):
				t.Fatalf("%s: %s", what, line)
			}
		}
		_ = c.Wait() // it was killed
		if done || look() {
			break
		}
		killed++
	}
	if killed < 2 {
		t.Errorf("the %s was killed %d times only", what, killed)
	}
}
