package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"colonnade/core"
)

// TestAutonumber draws numbers from many transactions at once, of which some fail: no two are equal, and those of a gapless
// sequence are all there.
func TestAutonumber(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		must(t, s.Change(ctx, core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{
			{Name: "number", Kind: core.Autonumber, Template: "{SEQ:6}"}, {Name: "receipt", Kind: core.Autonumber, Template: "{SEQ:6}", Gapless: true, Seed: 5},
			{Name: "amount", Kind: core.Integer, Required: true},
		}}}))
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := range 15 {
					rows := make([]core.Record, 1+i%3)
					for j := range rows {
						rows[j] = core.Record{"amount": int64(j)}
					}
					fails := (worker+i)%4 == 0
					if fails {
						rows[len(rows)-1]["amount"] = nil
					}
					err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
						_, err := tx.Insert(ctx, Insert{Table: "invoice", Rows: rows})
						return err
					})
					if (err != nil) != fails {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		numbers := map[string][]string{}
		for r, err := range s.Scan(ctx, s.Snapshot(), Query{Table: "invoice"}) {
			must(t, err)
			for _, c := range []string{"number", "receipt"} {
				numbers[c] = append(numbers[c], r[c].(string))
			}
		}
		slices.Sort(numbers["receipt"])
		for i, n := range numbers["receipt"] {
			if want := fmt.Sprintf("%06d", 5+i); n != want {
				t.Fatalf("receipt %s, want %s", n, want)
			}
		}
		slices.Sort(numbers["number"])
		if all := numbers["number"]; len(all) == 0 || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Fatal("two numbers are equal", all)
		}
		mustBeSound(t, s)
	})
}

// TestAutonumberChanges changes the kind of a sequence and its step: it goes on where it was.
func TestAutonumberChanges(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		must(t, s.Change(ctx, core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{{Name: "number", Kind: core.Autonumber}, {Name: "note", Kind: core.Text}}}}))
		for i, set := range []map[string]any{{}, {"gapless": true}, {"step": 10}, {"gapless": false}, {"step": 1, "template": "N{SEQ}"}} {
			must(t, s.Change(ctx, core.AlterColumn{Of: "invoice", Column: "number", Set: set}))
			must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Insert(ctx, Insert{Table: "invoice", Rows: []core.Record{{"note": fmt.Sprint(i)}, {"note": fmt.Sprint(i)}}})
				return err
			}))
		}
		found, err := s.Records(ctx, s.Snapshot(), Query{Table: "invoice", Order: []Order{{Column: "note"}}})
		must(t, err)
		last := int64(0)
		slices.SortFunc(found, func(a, b core.Record) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
		for _, r := range found {
			var n int64
			if _, err := fmt.Sscanf(strings.TrimPrefix(r["number"].(string), "N"), "%d", &n); err != nil || n <= last {
				t.Fatalf("%v after %d", r["number"], last)
			}
			last = n
		}
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Insert(ctx, Insert{Table: "invoice", AsIs: true, Rows: []core.Record{{"number": "N5000"}, {"number": "another"}, {}}})
			return err
		}))
		if n, err := s.Count(ctx, s.Snapshot(), "invoice", Compare{Column: "number", Op: Eq, Value: "N5001"}); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		mustBeSound(t, s)
	})
}
