package tables

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

const onceEnv = "COLONNADE_TEST_ONCE"

// TestOnceKill kills a process that writes under keys, and sends everything again that it may have done. Each is done once.
func TestOnceKill(t *testing.T) {
	if source := os.Getenv(onceEnv); source != "" {
		s := open(t, openSource(t, source), Options{})
		from, err := strconv.Atoi(os.Getenv(onceEnv + "_FROM"))
		must(t, err)
		for n := from; ; n++ {
			_, _, err := onceInsert(root(t), s, n)
			must(t, err)
			fmt.Println("acked", n)
		}
	}
	t.Parallel()
	sources := map[string]string{"sqlite": dbtest.SQLitePath(t)}
	if dbtest.HasPostgres() {
		sources["postgres"] = dbtest.PostgresDSN(t)
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			d := openSource(t, source)
			s := open(t, d, Options{})
			define(t, s, shop()...)
			must(t, d.Close())
			sent := 0
			for cycle := range 8 {
				acked := killAfter(t, source, sent, 3+5*cycle)
				d := openSource(t, source)
				s := open(t, d, Options{})
				for n := sent; n < acked+3; n++ { // of the last ones nobody knows
					answer, repeated, err := onceInsert(root(t), s, n)
					must(t, err)
					if string(answer) != strconv.Itoa(n) || n < acked && !repeated {
						t.Fatalf("%d: answer %q, repeated %v, and %d were acknowledged", n, answer, repeated, acked)
					}
				}
				sent = acked + 3
				if n := count(t, s, "shop"); n != sent {
					t.Fatalf("%d records, want %d", n, sent)
				}
				mustBeSound(t, s)
				must(t, d.Close())
			}
		})
	}
}

func openSource(t *testing.T, source string) *db.DB {
	if strings.HasPrefix(source, "/") {
		return dbtest.Open(t, sqlite.Dialect{}, source)
	}
	return dbtest.Open(t, postgres.Dialect{}, source)
}

// onceInsert inserts a record that could be there twice, under a key, and answers its number.
func onceInsert(ctx context.Context, s *Store, n int) (answer []byte, repeated bool, err error) {
	o := Once{Key: strconv.Itoa(n), Hash: sha256.Sum256([]byte{byte(n)})}
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		answer, repeated, err = tx.Once(ctx, o, func() ([]byte, error) {
			_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": string(core.NewID())[18:], "city": o.Key}}})
			return []byte(o.Key), err
		})
		return err
	})
	return answer, repeated, err
}

// killAfter runs the writer from a number on, kills it after it has acknowledged n, and returns the number after the last
// that it acknowledged.
func killAfter(t *testing.T, source string, from, n int) int {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestOnceKill$")
	c.Env = append(os.Environ(), onceEnv+"="+source, onceEnv+"_FROM="+strconv.Itoa(from))
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	acked := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() != fmt.Sprint("acked ", from+acked) {
			t.Fatalf("the writer says %q", lines.Text())
		}
		if acked++; acked == n {
			must(t, c.Process.Kill())
		}
	}
	if err := c.Wait(); err == nil || acked < n {
		t.Fatalf("the writer ended by itself after %d: %v", acked, err)
	}
	return from + acked
}

// TestOnceAtTheSameTime sends one request many times at once.
func TestOnceAtTheSameTime(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		run(t, 8, func(int) error {
			answer, _, err := onceInsert(root(t), s, 7)
			if err == nil && string(answer) != "7" {
				err = fmt.Errorf("the answer is %q", answer)
			}
			return err
		})
		if n := count(t, s, "shop"); n != 1 {
			t.Fatalf("%d records", n)
		}
	})
}

// TestAnswersGo lets the time pass for which answers are kept.
func TestAnswersGo(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		do := func(wantRepeated bool) {
			t.Helper()
			_, repeated, err := onceInsert(ctx, s, 1)
			must(t, err)
			if repeated != wantRepeated {
				t.Fatalf("repeated %v", repeated)
			}
		}
		do(false)
		do(true)
		s.o.KeepAnswers = time.Nanosecond
		do(false) // its time is over, though it was not swept
		do(false)
		if n, err := s.DropAnswers(ctx); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		s.o.KeepAnswers = time.Hour
		do(false)
		if n, err := s.DropAnswers(ctx); err != nil || n != 0 {
			t.Fatal(n, err)
		}
	})
}
