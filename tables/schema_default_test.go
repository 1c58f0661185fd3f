package tables

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"colonnade/core"
)

// TestDefaultsOfNewColumns adds columns whose defaults read what the same change adds: existing records get what new ones get.
func TestDefaultsOfNewColumns(t *testing.T) {
	number := func(to, name, source string) core.Change {
		return core.AddColumn{To: to, Add: core.Column{Name: name, Kind: core.Integer, Default: source}}
	}
	formula := func(to, name, source string, stored bool) core.Change {
		return core.AddColumn{To: to, Add: core.Column{Name: name, Kind: core.Integer, Formula: source, Stored: stored}}
	}
	for _, x := range []struct {
		name    string
		changes []core.Change
		column  string // of product
		want    string // of the products, one by one
		refused string
	}{
		{name: "the one before", changes: []core.Change{number("product", "base", "stock * 10"), number("product", "next", "base + 1")}, column: "next", want: "11 21"},
		{name: "the one after", changes: []core.Change{number("product", "next", "base + 1"), number("product", "base", "stock * 10")}, column: "next", want: "11 21"},
		{name: "a constant after it", changes: []core.Change{number("product", "next", "base + stock"), number("product", "base", "7")}, column: "next", want: "8 9"},
		{name: "through a formula", changes: []core.Change{number("product", "next", "twice + 1"), formula("product", "twice", "base * 2", false), number("product", "base", "stock")}, column: "next", want: "3 5"},
		{name: "through a stored formula", changes: []core.Change{number("product", "next", "twice + 1"), formula("product", "twice", "base * 2", true), number("product", "base", "stock")}, column: "next", want: "3 5"},
		{name: "of another table", changes: []core.Change{number("product", "next", "shop.base + stock"), number("shop", "base", "size(code) * 100"), core.AddColumn{To: "shop", Add: core.Column{Name: "size", Kind: core.Text, Default: "code"}}}, column: "next", want: "101 202"},
		{name: "a formula of another table", changes: []core.Change{number("product", "next", "shop.total + stock"), formula("shop", "total", "base * 2", false), number("shop", "base", "100")}, column: "next", want: "201 202"},
		{name: "of numbers that are drawn", changes: []core.Change{core.AddColumn{To: "product", Add: core.Column{Name: "no", Kind: core.Autonumber, Template: "P{SEQ:3}"}}, number("product", "next", "int(no.right(3)) * 10")}, column: "next", want: "10 20"},
		{name: "a circle", changes: []core.Change{number("product", "one", "two + 1"), number("product", "two", "one + 1")}, refused: "the defaults read each other in a circle: one -> two -> one"},
		{name: "a circle through a formula", changes: []core.Change{number("product", "one", "half"), formula("product", "half", "one / 2", false)}, refused: "the defaults read each other in a circle: one -> one"},
		{name: "a circle through others", changes: []core.Change{number("product", "level", "coalesce(parent.level, 0) + 1")}, refused: "product.level: the default reads what other records get by the same change, in a circle: product.level -> product.level. Add the column without it, fill it, and give it the default then"},
		{name: "what is calculated later", changes: []core.Change{number("product", "next", "shop.total"), formula("shop", "total", "size(code) * 2", true)}, refused: "product.next: the default reads total of shop, which the same change calculates anew: add the column by a change after it"},
	} {
		t.Run(x.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *Store) {
				define(t, s, shop()...)
				shops := mustInsert(t, root(t), s, "shop", core.Record{"code": "a"}, core.Record{"code": "bb"})
				row := func(title string, stock int, shop core.ID) core.Record {
					return core.Record{"title": title, "stock": stock, "sku": title, "shop_id": string(shop)}
				}
				mustInsert(t, root(t), s, "product", row("Tea", 1, shops[0]), row("Milk", 2, shops[1]))
				p, err := s.PlanChange(root(t), x.changes...)
				if x.refused != "" {
					wantKind(t, err, core.Invalid, x.refused)
					wantKind(t, s.Change(root(t), x.changes...), core.Invalid, x.refused)
					return
				}
				must(t, err)
				_, err = s.ApplyChange(root(t), ChangeOptions{Plan: p.Hash()}, x.changes...)
				must(t, err)
				values := func() string {
					var out []string
					list, err := s.Records(root(t), s.Snapshot(), Query{Table: "product", Order: []Order{{Column: "stock"}, {Column: "title", Desc: true}}})
					must(t, err)
					for _, r := range list {
						out = append(out, fmt.Sprint(r[x.column]))
					}
					return strings.Join(slices.Compact(out), " ")
				}
				if got := values(); got != x.want {
					t.Fatalf("the records that are there have %s, want %s", got, x.want)
				}
				if !strings.Contains(x.name, "drawn") { // other numbers
					mustInsert(t, root(t), s, "product", row("Salt", 1, shops[0]), row("Oil", 2, shops[1]))
					if got := values(); got != x.want {
						t.Fatalf("with new records they have %s, want %s", got, x.want)
					}
				}
			})
		})
	}
}
