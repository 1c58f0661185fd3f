package tables

import (
	"strings"
	"testing"

	"colonnade/core"
)

// TestCheckOfRulesThatReadOthers holds rules against the records that are there whose conditions, messages and values are in other
// records, some of which the database counts and some not.
func TestCheckOfRulesThatReadOthers(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		shops := mustInsert(t, root(t), s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b", "city": "Oslo"})
		rows := make([]core.Record, 2*maxAsked+1)
		for i := range rows {
			rows[i] = core.Record{"title": "t" + strings.Repeat("i", i%20), "stock": i, "shop_id": string(shops[i%2])}
		}
		mustInsert(t, root(t), s, "product", rows...)
		rome := maxAsked + 1
		for _, x := range []struct {
			rule            core.Rule
			broken, changed int
			message         string
		}{
			{core.Rule{When: "shop.city == 'Rome'", Do: []core.Deed{{Do: "fail", Message: "in {shop.city}"}}}, rome, 0, "in Rome"},
			{core.Rule{When: "shop.city == 'Rome' && format(price, '0') != 'x'", Do: []core.Deed{{Do: "set", Column: "sku", Value: "shop.code"}}}, 0, 0, ""},
			{core.Rule{When: "shop.city == 'Rome'", Do: []core.Deed{{Do: "set", Column: "price", Value: "decimal(shop.product.count())"}}}, 0, rome, ""},
		} {
			x.rule.Name = "checked"
			got, err := s.CheckRule(root(t), s.Snapshot(), "product", x.rule, "")
			must(t, err)
			if got.Checked != len(rows) || got.Broken != x.broken || got.Changed != x.changed || got.After != "" {
				t.Errorf("%s: %+v", x.rule.When, got)
			}
			if x.message != "" && (len(got.First) != maxBreakings || got.First[0].Message != x.message) {
				t.Errorf("%s: %+v", x.rule.When, got.First)
			}
		}
	})
}
