package tables

import (
	"context"
	"testing"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// wholeRule is a rule with everything that a rule can have.
const wholeRule = `{"table": "product", "name": "whole", "doc": "Why <it> is & there.", "order": 3, "on": ["create", "update"], "scope": "people", "disabled": false, "when": "price > 10.50 && title != 'é{<'",
	"do": [{"do": "set", "column": "stock", "value": "1"}, {"do": "recommend", "column": "price", "value": "9.5", "message": "{price} {{is}} much"}, {"do": "hide", "column": "sku"}, {"do": "lock", "column": "sku"}],
	"else": [{"do": "default", "column": "sku", "value": "title"}, {"do": "require", "column": "title", "message": "a title"}],
	"tests": [
		{"name": "dear", "record": {"title": "x", "price": 11.00}, "caller": {"user": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a01", "roles": ["r"], "cause": "api"}, "now": "2024-05-01T12:00:00Z", "expect": {"set": {"stock": 1, "sku": null}}},
		{"name": "no title", "op": "update", "old": {"title": "<é>"}, "record": {"title": null, "sku": "s"}, "expect": {"fail": "a title", "column": "title", "rule": "whole"}}
	]}`

// TestRuleAsCode writes a rule into files and reads it back: nothing changes, here or in another database.
func TestRuleAsCode(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		if _, err := call(root(t), s.Actions(), "put_rule", wholeRule); err != nil {
			t.Fatal(err)
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
