package tables

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// wholeRule is a rule with everything that a rule can have.
const wholeRule = `{"table": "product", "name": "whole", "doc": "Why <it> is & there.", "order": 3, "on": ["create", "update"], "scope": "people", "disabled": false, "when": "price > 10.50 && title != 'é{<'",
	"do": [{"do": "set", "column": "stock", "value": "1"}, {"do": "recommend", "column": "price", "value": "9.5", "message": "{price} {{is}} much"}, {"do": "hide", "column": "sku"}, {"do": "lock", "column": "sku"}],
	"else": [{"do": "default", "column": "sku", "value": "title"}, {"do": "require", "column": "title", "message": "a title"}],
	"tests": [
		{"name": "dear", "record": {"title": "x", "price": 11.00}, "given": [{"read": "parent.price", "value": 12}], "caller": {"user": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a01", "roles": ["r"], "cause": "api"}, "now": "2024-05-01T12:00:00Z", "expect": {"set": {"stock": 1, "sku": null}}},
		{"name": "no title", "given": [{"read": "parent.price"}], "op": "update", "old": {"title": "<é>"}, "record": {"title": null, "sku": "s"}, "expect": {"fail": "a title", "column": "title", "rule": "whole"}}
	]}`

// lateRule is a rule that reads another record, with a test that says what that record holds.
const lateRule = `{"table": "product", "name": "late", "when": "parent.price < price", "do": [{"do": "fail", "message": "{parent.title} costs {parent.price}"}],
	"tests": [{"name": "dearer", "record": {"title": "x", "price": 2.5}, "given": [{"read": "parent.price", "value": 1.50}, {"read": "parent.title", "value": "<é>"}], "expect": {"fail": "<é> costs 1.50"}}]}`

// TestRuleAsCode writes a rule into files and reads it back: nothing changes, here or in another database.
func TestRuleAsCode(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		for _, r := range []string{lateRule, wholeRule} {
			if _, err := call(root(t), s.Actions(), "put_rule", r); err != nil {
				t.Fatal(err)
			}
		}
		export := func(s *Store) (out []File) {
			must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
				out, err = s.export(ctx, tx)
				return err
			}))
			return out
		}
		files := export(s)
		plan := func(s *Store) []string {
			var lines []string
			must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
				p, err := s.planCode(ctx, tx, files)
				if err == nil {
					lines = p.lines
				}
				return err
			}))
			return lines
		}
		if lines := plan(s); len(lines) > 0 {
			t.Errorf("applying what was exported would %s", lines)
		}
		if err := s.current.Load().Rules.Test("product"); err != nil {
			t.Error(err)
		}
		s.current.Store(nil) // as after a restart
		must(t, s.Load(t.Context()))
		if lines := plan(s); len(lines) > 0 {
			t.Errorf("after a restart, applying what was exported would %s", lines)
		}
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			other := open(t, d, Options{})
			must(t, other.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
				_, err := access{store: other}.applyCode(ctx, tx, files, ChangeOptions{})
				return err
			}))
			for i, f := range export(other) {
				if f != files[i] {
					t.Errorf("%s is\n%s\nand was\n%s", f.Path, f.Text, files[i].Text)
				}
			}
		})
	})
}

// TestRulesHoldAtOnce has many write the lines of one order at once: the rules on what they hold together are never broken.
func TestRulesHoldAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "buyer", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
			core.CreateTable{Define: core.Table{Name: "sale", Columns: []core.Column{{Name: "buyer_id", Kind: core.Lookup, Target: "buyer"}, {Name: "most", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "line", Columns: []core.Column{
				{Name: "sale_id", Kind: core.Lookup, Target: "sale", Inverse: "lines"}, {Name: "place", Kind: core.Integer}, {Name: "amount", Kind: core.Integer},
			}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "sum", When: "sale.lines.sum(l, l.amount) > sale.most", Do: []core.Deed{{Do: "fail", Message: "too much"}}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "place", When: "sale.lines.count(l, l.place == place) > 1", Do: []core.Deed{{Do: "fail", Message: "taken"}}}},
			core.PutRule{On: "sale", Put: core.Rule{Name: "few", When: "buyer.sale.count() > 3", Do: []core.Deed{{Do: "fail", Message: "too many"}}}},
			core.PutRule{On: "sale", Put: core.Rule{Name: "all", When: "buyer.sale.sum(x, x.lines.sum(l, l.amount)) > 1000", Do: []core.Deed{{Do: "fail", Message: "wide"}}}},
		)
		buyer := mustInsert(t, root(t), s, "buyer", core.Record{"name": "b"})[0]
		sale := mustInsert(t, root(t), s, "sale", core.Record{"buyer_id": string(buyer), "most": 50})[0]
		const writers = 8
		var done sync.WaitGroup
		var refused atomic.Int64
		for n := range writers {
			done.Go(func() {
				for i := range 5 {
					_, err := insert(root(t), s, "line", core.Record{"sale_id": string(sale), "place": int64(i), "amount": int64(7 + n%2)})
					if _, bad := insert(root(t), s, "sale", core.Record{"buyer_id": string(buyer), "most": 1}); bad != nil {
						err = bad
					}
					if err != nil {
						refused.Add(1)
						if k := core.KindOf(err); k != core.Failed && k != core.Conflict {
							t.Error(err)
						}
					}
				}
			})
		}
		done.Wait()
		if refused.Load() == 0 {
			t.Error("nobody was refused")
		}
		places, sum := map[any]bool{}, int64(0)
		lines, err := s.Records(root(t), s.Snapshot(), Query{Table: "line"})
		must(t, err)
		for _, l := range lines {
			if places[l["place"]] {
				t.Errorf("two lines have the place %v", l["place"])
			}
			places[l["place"]] = true
			sum += l["amount"].(int64)
		}
		if sum > 50 || len(lines) < 4 {
			t.Errorf("%d lines have the amount %d", len(lines), sum)
		}
		if n := count(t, s, "sale"); n != 3 {
			t.Errorf("the buyer has %d sales", n)
		}
	})
}
