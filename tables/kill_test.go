package tables

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/sqlite"
)

const killEnv = "COLONNADE_TEST_KILL"

// TestKill kills a process that writes, ten times on one database. What it had acknowledged is there, with history and
// events, and nothing is there in part.
func TestKill(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		writeUntilKilled(t, path)
	}
	t.Parallel()
	path := dbtest.SQLitePath(t)
	acked := map[string]bool{}
	for cycle := range 10 {
		for _, batch := range kill(t, path, 5+7*cycle) {
			acked[batch] = true
		}
		d := dbtest.Open(t, sqlite.Dialect{}, path)
		s := open(t, d, Options{})
		stored := map[string]int{}
		for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: "shop"}) {
			must(t, err)
			stored[r["city"].(string)]++
		}
		for batch, n := range stored {
			if n != 3 {
				t.Fatalf("%d of 3 records of the batch %s are there", n, batch)
			}
		}
		for batch := range acked {
			if stored[batch] == 0 {
				t.Fatalf("the batch %s was acknowledged and is gone", batch)
			}
		}
		mustBeSound(t, s)
		must(t, d.Close())
	}
}

// kill runs the writer, kills it after it has acknowledged n batches, and returns all that it acknowledged.
func kill(t *testing.T, path string, n int) (acked []string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKill$")
	c.Env = append(os.Environ(), killEnv+"="+path)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		batch, ok := strings.CutPrefix(lines.Text(), "acked ")
		if !ok {
			t.Fatalf("the writer says %q", lines.Text())
		}
		if acked = append(acked, batch); len(acked) == n {
			must(t, c.Process.Kill())
		}
	}
	if err := c.Wait(); err == nil || len(acked) < n {
		t.Fatalf("the writer ended by itself after %d batches: %v", len(acked), err)
	}
	return acked
}

// writeUntilKilled writes batches of three records in one unit of work, and changes one of them.
func writeUntilKilled(t *testing.T, path string) {
	s := open(t, dbtest.Open(t, sqlite.Dialect{}, path), Options{})
	if s.Snapshot().Schema.Version() == 0 {
		define(t, s, shop()...)
	}
	run(t, 4, func(int) error {
		for {
			batch := string(core.NewID())
			rows := make([]core.Record, 3)
			for i := range rows {
				rows[i] = core.Record{"code": batch[18:] + fmt.Sprint(i), "city": batch}
			}
			err := write(root(t), s, func(tx *Tx) error {
				res, err := tx.Insert(root(t), Insert{Table: "shop", Rows: rows})
				if err == nil {
					_, err = tx.Update(root(t), Update{Table: "shop", Where: ByID(res.IDs[0]), Set: core.Record{"code": batch[17:]}})
				}
				return err
			})
			if err != nil {
				return err
			}
			fmt.Println("acked " + batch)
		}
	})
}
