package tables

import (
	"fmt"
	"slices"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestPlanTellsWhatBreaksRules plans changes that fill records and then makes them: both tell which records break which rules then,
// and what the plan leaves open, the change tells.
func TestPlanTellsWhatBreaksRules(t *testing.T) {
	rule := func(name, when, message string) core.PutRule {
		return core.PutRule{On: "product", Put: core.Rule{Name: name, When: when, Do: []core.Deed{{Do: "fail", Message: message}}}}
	}
	for _, x := range []struct {
		name    string
		rules   []core.Change // before the records are there
		changes []core.Change
		want    []string // of what is applied
		open    bool     // the plan cannot tell
	}{
		{
			name:    "a backfill",
			rules:   []core.Change{rule("gift", "price == 0.0", "{title} is a gift"), rule("long", "title.size() > 100", "long")},
			changes: []core.Change{core.AlterColumn{Of: "product", Column: "price", Set: map[string]any{"required": true}, Backfill: "0"}},
			want:    []string{"product gift: 2 of 4 (Milk is a gift, Salt is a gift)"},
		}, {
			name:    "another kind, and a rule over what is calculated from it",
			rules:   []core.Change{rule("dear", "gross > 10.0", "{gross} is dear")},
			changes: []core.Change{core.RetypeColumn{Of: "product", To: core.Column{Name: "price", Kind: core.Decimal, Precision: 12, Scale: 3}}},
			want:    []string{"product dear: 1 of 4 (11.90 is dear)"},
		}, {
			name:  "values that are lost",
			rules: []core.Change{rule("stock", "isNull(stock)", "{title} has no stock"), rule("cost", "cost > 1.0", "it costs {cost}")},
			changes: []core.Change{core.RetypeColumn{Of: "product", To: core.Column{Name: "sku", Kind: core.Integer}, OnLoss: "null"},
				rule("number", "isNull(sku) || sku > 20", "{sku} is no number of ours")},
			want: []string{"product number: 4 of 4 ((empty) is no number of ours, (empty) is no number of ours, (empty) is no number of ours, 30 is no number of ours)"},
		}, {
			name:    "a new column with a default that reads the record",
			changes: []core.Change{core.AddColumn{To: "product", Add: core.Column{Name: "tax", Kind: core.Decimal, Precision: 10, Scale: 2, Default: "price * 0.19"}}, rule("tax", "tax > 1.0", "{tax}")},
			want:    []string{"product tax: 1 of 4 (1.90)"},
		}, {
			name:    "another formula",
			rules:   []core.Change{rule("dear", "gross > 10.0", "{gross}")},
			changes: []core.Change{core.AlterColumn{Of: "product", Column: "gross", Set: map[string]any{"formula": "price * 1.5"}}},
			want:    []string{"product dear: 1 of 4 (15.00)"},
		}, {
			name:    "a rule that reads other records, too",
			rules:   []core.Change{rule("town", "shop.city == 'Rome' && stock > 0", "{stock} in {shop.city}")},
			changes: []core.Change{core.AlterColumn{Of: "product", Column: "stock", Set: map[string]any{"required": true}, Backfill: "5"}},
			want:    []string{"product town: 2 of 4 (1 in Rome, 5 in Rome)"},
		}, {
			name:    "what is filled in other records",
			rules:   []core.Change{rule("town", "shop.city == 'Oslo'", "in Oslo")},
			changes: []core.Change{core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"required": true}, Backfill: "Oslo"}},
			want:    []string{"product town: 1 of 4 (in Oslo)"},
			open:    true,
		}, {
			name: "a rule that changes records, and one that only the server computes",
			changes: []core.Change{core.AlterColumn{Of: "product", Column: "stock", Set: map[string]any{"required": true}, Backfill: "5"},
				core.PutRule{On: "product", Put: core.Rule{Name: "half", When: "stock == 5", Do: []core.Deed{{Do: "set", Column: "stock", Value: "2"}}}}},
			want: []string{"product half: 0 of 4, 1 changed"},
		}, {
			name:    "what the change does not touch",
			rules:   []core.Change{rule("gift", "price == 0.0", "a gift")},
			changes: []core.Change{core.AddColumn{To: "product", Add: core.Column{Name: "note", Kind: core.Text, Default: "'x'"}}},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *Store) {
				define(t, s, shop()...)
				shops := mustInsert(t, root(t), s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b"})
				mustInsert(t, root(t), s, "product",
					core.Record{"title": "Tea", "price": "10", "stock": 1, "sku": "x", "cost": "1", "shop_id": string(shops[0])}, core.Record{"title": "Milk", "stock": nil, "sku": "y", "shop_id": string(shops[0])},
					core.Record{"title": "Salt", "stock": 1, "sku": "z", "shop_id": string(shops[1])}, core.Record{"title": "Oil", "price": "1", "stock": 2, "sku": "30"})
				if len(x.rules) > 0 {
					define(t, s, x.rules...)
				}
				p, err := s.PlanChange(root(t), x.changes...)
				must(t, err)
				done, err := s.ApplyChange(root(t), ChangeOptions{Rules: true, Plan: p.Hash()}, x.changes...)
				must(t, err)
				if got := breakings(done.Rules); !slices.Equal(got, x.want) {
					t.Errorf("it is told %q, want %q", got, x.want)
				}
				want := x.want
				if x.open {
					want = []string{"product town: 0 of 0"}
				}
				if got := breakings(p.Rules); !slices.Equal(got, want) {
					t.Errorf("the plan tells %q, want %q", got, want)
				}
			})
		})
	}
}

// breakings writes what rules make of records, the messages in order.
func breakings(in []Broken) (out []string) {
	for _, b := range in {
		line := fmt.Sprintf("%s %s: %d of %d", b.Table, b.Rule, b.Broken, b.Checked)
		var messages []string
		for _, f := range b.First {
			messages = append(messages, f.Message)
		}
		slices.Sort(messages)
		for i, m := range messages {
			line += map[bool]string{true: " (", false: ", "}[i == 0] + m
		}
		if len(messages) > 0 {
			line += ")"
		}
		if b.Changed > 0 {
			line += fmt.Sprintf(", %d changed", b.Changed)
		}
		out = append(out, line)
	}
	return out
}

// TestPlanOfRulesShowsWhatOneReads plans as somebody who may define tables, and who reads some records, or none, or not all of
// their columns: all learn how many, and are shown what they may read.
func TestPlanOfRulesShowsWhatOneReads(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.PutRule{On: "product", Put: core.Rule{Name: "gift", When: "price == 0.0", Do: []core.Deed{{Do: "fail", Message: "{title} is a gift"}}}})
		if p, err := s.PlanChange(root(t), core.RetypeColumn{Of: "product", To: core.Column{Name: "price", Kind: core.Integer}}, core.PutRule{On: "product", Put: core.Rule{Name: "gift", When: "price == 0", Do: []core.Deed{{Do: "fail", Message: "no"}}}},
			core.AlterColumn{Of: "product", Column: "gross", Set: map[string]any{"formula": "decimal(price)"}}); err != nil || len(p.Rules) != 0 {
			t.Errorf("of no records the plan tells %v, %v", p, err)
		}
		mustInsert(t, root(t), s, "product", core.Record{"title": "Tea"}, core.Record{"title": "Salt"})
		for name, grants := range map[string][]authz.Grant{"all": grant("product", authz.Organization, nil, authz.Read), "own": grant("product", authz.Own, nil, authz.Read), "none": nil, "some": grant("product", authz.Organization, []string{"title"}, authz.Read)} {
			role(t, s, name, append(grants, authz.Grant{Action: "define_tables"})...)
		}
		for name, want := range map[string]string{
			"all": "product gift: 2 of 2 (Salt is a gift, Tea is a gift)", "own": "product gift: 2 of 2", "none": "product gift: 2 of 2", "some": "product gift: 2 of 2 (, )",
		} {
			change := core.AlterColumn{Of: "product", Column: "price", Set: map[string]any{"required": true}, Backfill: "0"}
			p, err := s.PlanChange(person(t, s, name, "", name), change)
			must(t, err)
			if got := breakings(p.Rules); !slices.Equal(got, []string{want}) {
				t.Errorf("%s is told %q, want %q", name, got, want)
			}
		}
	})
}
