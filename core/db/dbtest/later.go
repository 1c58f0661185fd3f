package dbtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
)

// InsertLater inserts a record of "thing" in a transaction whose statements may wait for its commit, after the assertion that
// the condition holds. An error of the insert says "thing" and its id.
func InsertLater(t testing.TB, d *db.DB, table, condition string, r core.Record) error {
	var of []*core.Column
	for _, c := range columns {
		if _, ok := r[c.Name]; ok {
			of = append(of, c)
		}
	}
	return d.Tx(t.Context(), db.TxOptions{Later: true}, func(tx *db.Tx) error {
		if err := tx.Assert(t.Context(), db.New(d.Dialect).Write(condition), errNo); err != nil {
			return err
		}
		words := func(err error) error {
			return core.E("dbtest", core.KindOf(err), fmt.Sprintf("thing %v", r["id"]), err)
		}
		return tx.InsertLater(t.Context(), words, db.RowsOf(table, of, []core.Record{r}))
	})
}

// testLater has transactions share a commit that fail in every way: each gets its own outcome, in its own words.
func testLater(t *testing.T, d *db.DB) {
	makeThing(t, d)
	exec(t, d, db.New(d.Dialect).Write(`CREATE UNIQUE INDEX thing_text ON "thing" ("text")`))
	exec(t, d, db.New(d.Dialect).Write(`CREATE TABLE "part" (id `, d.ColumnType(column("id")), ` PRIMARY KEY, "lookup" `, d.ColumnType(column("lookup")), ` REFERENCES "thing" (id))`))
	if err := InsertLater(t, d, "thing", "1 = 1", core.Record{"id": number(1), "text": "taken"}); err != nil {
		t.Fatal(err)
	}
	const n = 300
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			id := number(i + 2)
			switch i % 6 {
			default:
				errs[i] = InsertLater(t, d, "thing", "1 = 1", core.Record{"id": id, "text": "text " + strconv.Itoa(i)})
			case 1:
				errs[i] = InsertLater(t, d, "thing", "1 = 1", core.Record{"id": id, "text": "taken"})
			case 2:
				errs[i] = InsertLater(t, d, "part", "1 = 1", core.Record{"id": id, "lookup": number(9999)})
			case 3:
				errs[i] = InsertLater(t, d, "thing", "1 = 0", core.Record{"id": id})
			case 4:
				errs[i] = InsertLater(t, d, "nothing", "1 = 1", core.Record{"id": id})
			}
		})
	}
	wait.Wait()
	want := []string{"1"}
	for i, err := range errs {
		kind := []core.ErrKind{"", core.Exists, core.Invalid, core.Failed, core.Internal, ""}[i%6]
		if core.KindOf(err) != kind {
			t.Errorf("%d: %v, want %q", i, err, kind)
		}
		if kind == "" {
			want = append(want, strconv.Itoa(i+2))
		} else if (kind == core.Exists || kind == core.Invalid) && !strings.Contains(err.Error(), fmt.Sprintf("thing %v", number(i+2))) {
			t.Errorf("%d: %v has the words of another", i, err)
		} else if kind == core.Failed && !errors.Is(err, errNo) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := all(t, d); got != strings.Join(want, " ") {
		t.Errorf("there are %s, want %v", got, want)
	}
}
