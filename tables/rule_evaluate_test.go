package tables

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestEvaluationIsTheWrite asks what the rules would say of random writes and makes them: both say the same, also to somebody who
// does not see everything, and asking changes nothing.
func TestEvaluationIsTheWrite(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "sale", Columns: []core.Column{{Name: "title", Kind: core.Text}, {Name: "most", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "line", Columns: []core.Column{
				{Name: "sale_id", Kind: core.Lookup, Target: "sale", Inverse: "lines", Required: true}, {Name: "place", Kind: core.Integer}, {Name: "amount", Kind: core.Integer}, {Name: "note", Kind: core.Text},
			}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "note", Order: 1, When: "amount > 20", Do: []core.Deed{{Do: "default", Column: "note", Value: "'much'"}}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "least", Order: 2, When: "amount < 1", Do: []core.Deed{{Do: "fail", Column: "amount", Message: "{amount} is nothing"}}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "sum", Order: 3, When: "sale.lines.sum(l, l.amount) > sale.most", Do: []core.Deed{{Do: "fail", Column: "amount", Message: "{sale.title}: {sale.lines.sum(l, l.amount)}, at most {sale.most}"}}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "place", Order: 4, When: "sale.lines.count(l, l.place == place) > 1", Do: []core.Deed{{Do: "fail", Column: "place", Message: "{place} is taken"}}}},
		)
		role(t, s, "seller", slices.Concat(grant("line", authz.Own, nil, authz.Create, authz.Read, authz.Update, authz.Append),
			grant("sale", authz.Organization, []string{"most"}, authz.Read), grant("sale", authz.Organization, nil, authz.AppendTo))...)
		users := []context.Context{root(t), person(t, s, "ann", core.RootUnit, "seller"), person(t, s, "bob", core.RootUnit, "seller")}
		sales := mustInsert(t, root(t), s, "sale", core.Record{"title": "Tea", "most": 60}, core.Record{"title": "Salt", "most": 30})
		lines := mustInsert(t, users[1], s, "line", core.Record{"sale_id": string(sales[0]), "place": 1, "amount": 5}, core.Record{"sale_id": string(sales[1]), "place": 1, "amount": 5})
		r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same at each run
		told := map[string]int{}
		for range 120 {
			ctx := users[r.IntN(len(users))]
			in := Evaluate{Table: "line", Op: core.Create, Values: core.Record{"place": r.IntN(6), "amount": r.IntN(25), "sale_id": string(sales[r.IntN(2)])}}
			if r.IntN(2) == 0 {
				in.Op, in.ID = core.Update, lines[r.IntN(len(lines))]
				delete(in.Values, "sale_id")
			}
			before := count(t, s, "line")
			advice, asked := s.EvaluateRules(ctx, s.Snapshot(), in)
			if n := count(t, s, "line"); n != before {
				t.Fatalf("there were %d lines before the question, and there are %d", before, n)
			}
			err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				if in.Op == core.Create {
					res, err := tx.Insert(ctx, Insert{Table: "line", Rows: []core.Record{in.Values}})
					lines = append(lines, res.IDs...)
					return err
				}
				_, err := tx.Update(ctx, Update{Table: "line", Where: ByID(in.ID), Set: in.Values})
				return err
			})
			switch {
			case asked != nil: // out of reach: an update of no record is none
				if core.KindOf(asked) != core.NotFound || err != nil {
					t.Fatalf("%v: asked %v, written %v", in, asked, err)
				}
				told["out of reach"]++
			case err == nil && len(advice.Refused) > 0:
				t.Fatalf("%v: written, and advised against: %v", in, advice.Refused)
			case err != nil:
				e := core.AsError(err)
				if len(advice.Refused) == 0 || advice.Refused[0] != (Refusal{e.Rule, e.Column, e.Msg}) {
					t.Fatalf("%v: refused by %s, %s: %s; advice %v", in, e.Rule, e.Column, e.Msg, advice.Refused)
				}
				told[e.Rule]++
			default:
				told["written"]++
			}
		}
		for _, what := range []string{"out of reach", "least", "sum", "place", "written"} {
			if told[what] == 0 {
				t.Errorf("no write was %s: %v", what, told)
			}
		}
		mustBeSound(t, s)
	})
}
