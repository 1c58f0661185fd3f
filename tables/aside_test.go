package tables

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestUpsertBatches sends more rows than a batch has, in a random order, some of them new, some changed, some as they are: the
// outcome of each, and what is there then, is that of a map. A table whose records are prepared aside does the same as one
// whose rule forbids that.
func TestUpsertBatches(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		columns := []core.Column{{Name: "code", Kind: core.Text, Unique: true}, {Name: "amount", Kind: core.Integer}, {Name: "rate", Kind: core.Decimal, Precision: 8, Scale: 2}}
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Ownership: core.OrgOwned, Columns: columns}},
			core.CreateTable{Define: core.Table{Name: "ruled", Ownership: core.OrgOwned, Columns: columns, Rules: []core.Rule{{Name: "positive", When: "amount < 0", Do: []core.Deed{{Do: "fail", Column: "amount", Message: "an amount is positive"}}}}}})
		random := rand.New(rand.NewPCG(1, 2))
		model := shelf{}
		for round := range 3 {
			var rows []core.Record
			var want []Outcome
			for _, n := range random.Perm(2*batchRows + 700) {
				if random.IntN(10) == 0 {
					continue
				}
				code, amount := fmt.Sprint("code-", n), int64(n%7)
				if random.IntN(3) == 0 {
					amount += int64(round)
				}
				rows = append(rows, core.Record{"code": code, "amount": amount, "rate": fmt.Sprintf("%d.5", amount)})
				want = append(want, model.put("upsert", code, amount, false))
			}
			for _, table := range []string{"item", "ruled"} {
				var res Result
				must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
					res, err = tx.Insert(ctx, Insert{Table: table, Rows: rows, OnConflict: &OnConflict{Key: "code", Update: []string{"amount", "rate"}}})
					return err
				}))
				for i, it := range res.Items {
					if it.Outcome != want[i] {
						t.Fatalf("%s, round %d, row %d: %s, the model says %s", table, round, i+1, it.Outcome, want[i])
					}
					if table == "item" && it.Outcome == Created {
						model[rows[i]["code"].(string)].id = it.ID
					}
				}
			}
			model.compare(t, s)
		}
		mustBeSound(t, s)
	})
}

// TestUpsertStopsAtTheRow sends rows of which one is wrong: the error names it, whatever the other batches do meanwhile, and
// nothing is written.
func TestUpsertStopsAtTheRow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "code", Kind: core.Text, Unique: true}, {Name: "other", Kind: core.Integer, Unique: true}}}})
		upsert := func(rows []core.Record) error {
			return s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Insert(ctx, Insert{Table: "item", Rows: rows, OnConflict: &OnConflict{Key: "code", Update: []string{"other"}}})
				return err
			})
		}
		numbered := func(offset int) (rows []core.Record) {
			for n := range 3 * batchRows {
				rows = append(rows, core.Record{"code": fmt.Sprint(n), "other": int64(n + offset)})
			}
			return rows
		}
		must(t, upsert(numbered(0)[:2*batchRows])) // of the three batches, two change records and one creates them
		for _, wrong := range []int{0, batchRows + 70, 2*batchRows + 5} {
			for what, value := range map[string]core.Record{
				"a wrong value": {"other": "x"}, "a taken value": {"other": int64(1)}, "a key again": {"code": "0", "other": int64(-1)},
			} {
				rows := numbered(1_000_000)
				if what == "a key again" && wrong == 0 {
					continue
				}
				for name, v := range value {
					rows[wrong][name] = v
				}
				if what == "a taken value" {
					rows[1]["other"] = int64(1) // which it keeps
				}
				err := upsert(rows)
				var e *core.Error
				if !errors.As(err, &e) || e.Table != "item" || wrong != e.Item-1 && what != "a taken value" {
					t.Errorf("%s in row %d: %v", what, wrong+1, err)
				}
			}
		}
		if n, h := rowsOf(t, s, "item"), rowsOf(t, s, "_history"); n != 2*batchRows || h != n {
			t.Errorf("%d records and %d versions", n, h)
		}
		mustBeSound(t, s)
	})
}
