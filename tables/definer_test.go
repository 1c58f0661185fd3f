package tables

import (
	"slices"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestBeyond makes columns with the definer's rights as people who read less and less of what the formula reads, near and far: only
// who reads all of it in every record makes one, in whatever way.
func TestBeyond(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.AddColumn{To: "shop", Add: core.Column{Name: "secret", Kind: core.Integer}}, core.CreateTable{Define: core.Table{Name: "tag", Columns: []core.Column{{Name: "weight", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "tagging", Columns: []core.Column{{Name: "shop_id", Kind: core.Lookup, Target: "shop", Required: true, OnDelete: core.Cascade}, {Name: "tag_id", Kind: core.Lookup, Target: "tag", Required: true, OnDelete: core.Cascade}},
				Keys: []core.Key{{Name: "once", Columns: []string{"shop_id", "tag_id"}}}, Link: &core.Link{From: core.LinkEnd{Column: "shop_id", Field: "tags"}, To: core.LinkEnd{Column: "tag_id", Field: "shops"}}}},
			core.AddColumn{To: "shop", Add: core.Column{Name: "twice", Kind: core.Integer, Formula: "secret * 2"}})
		read := func(table string, hidden ...string) []authz.Grant {
			return grant(table, authz.Organization, hidden, authz.Read)
		}
		all := slices.Concat(read("product"), read("shop"), read("tag"), read("tagging"))
		without := func(table string, instead ...authz.Grant) []authz.Grant {
			return append(slices.DeleteFunc(slices.Clone(all), func(g authz.Grant) bool { return g.Table == table }), instead...)
		}
		const over = "shop.secret"
		for name, x := range map[string]struct {
			formula string
			holds   []authz.Grant
			refused string // words of the refusal; nothing is refused when it is empty
		}{
			"everything":                   {over, all, ""},
			"no record there":              {over, without("shop"), "shop.secret"},
			"the column is hidden":         {over, without("shop", read("shop", "secret")...), "shop.secret"},
			"own records only":             {"parent.stock", without("product", grant("product", authz.Own, nil, authz.Read)...), "parent.stock"},
			"under a condition":            {over, without("shop", authz.Grant{Table: "shop", Privilege: authz.Read, Level: authz.Organization, Condition: "city == 'Rome'"}), "shop.secret"},
			"the lookup is hidden":         {over, without("product", read("product", "shop_id")...), "shop.secret"},
			"what a formula there reads":   {"shop.twice", without("shop", read("shop", "secret")...), "shop."},
			"a list, all of it":            {"parts.sum(p, p.stock)", all, ""},
			"a list, own records":          {"parts.sum(p, p.stock)", without("product", grant("product", authz.Own, nil, authz.Read)...), "parts"},
			"a list, a condition in it":    {"shop.product.count(p, p.cost > 1.0)", without("product", read("product", "cost")...), "cost"},
			"links, all of them":           {"shop.tags.sum(g, g.weight)", all, ""},
			"links, none":                  {"shop.tags.count()", without("tagging"), "shop.tags"},
			"through links":                {"shop.tags.sum(g, g.weight)", without("tagging", grant("tagging", authz.Own, nil, authz.Read)...), "shop.tags"},
			"behind links":                 {"shop.tags.sum(g, g.weight)", without("tag", read("tag", "weight")...), "shop.tags.weight"},
			"down a tree, own records":     {"descendants(parts).sum(p, p.stock)", without("product", grant("product", authz.Own, nil, authz.Read)...), "descendants(parts)"},
			"own column hidden in records": {"cost + shop.product.sum(p, 1.0)", without("product", read("product", "cost")...), "cost"},
		} {
			holder := strings.NewReplacer(" ", "_", ",", "").Replace(name)
			role(t, s, holder, append(slices.Clone(x.holds), authz.Grant{Action: "define_tables"})...)
			ctx := person(t, s, holder, "", holder)
			column := core.Column{Name: "shown", Kind: core.Decimal, Precision: 20, Scale: 2, Formula: "decimal(" + x.formula + ")", Rights: core.DefinerRights}
			if x.formula[:4] == "cost" {
				column.Formula = x.formula
			}
			reader := column
			reader.Rights = core.ReaderRights
			ways := map[string][]core.Change{
				"add":    {core.AddColumn{To: "product", Add: column}},
				"rights": {core.AddColumn{To: "product", Add: reader}, core.AlterColumn{Of: "product", Column: "shown", Set: map[string]any{"rights": "definer"}}},
			}
			for way, changes := range ways {
				_, err := s.PlanChange(ctx, changes...)
				if x.refused == "" {
					must(t, err)
					continue
				}
				wantKind(t, err, core.Denied, "definer's rights", x.refused)
				if err := s.Change(ctx, changes...); core.KindOf(err) != core.Denied {
					t.Errorf("%s, %s: %v", name, way, err)
				}
			}
			_, err := s.PlanChange(ctx, core.AddColumn{To: "product", Add: reader}) // which shows nobody more than he reads
			must(t, err)
		}
	})
}
