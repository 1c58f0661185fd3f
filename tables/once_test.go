package tables

import (
	"context"
	"crypto/sha256"
	"fmt"
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
