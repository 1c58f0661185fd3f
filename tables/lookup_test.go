package tables

import (
	"context"
	"slices"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestAppend is about what a lookup asks for: append on the record, append_to on what it leads to, besides the right to read that.
func TestAppend(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		west := unit(t, s, "West", core.RootUnit)
		all := []authz.Privilege{authz.Create, authz.Read, authz.Update}
		base := slices.Concat(grant("product", authz.Organization, nil, all...), grant("shop", authz.Organization, nil, authz.Read, authz.Create))
		roles := map[string][]authz.Grant{
			"neither": nil,
			"from":    grant("product", authz.Organization, nil, authz.Append),
			"to":      grant("shop", authz.Organization, nil, authz.AppendTo),
			"both":    slices.Concat(grant("product", authz.Organization, nil, authz.Append), grant("shop", authz.Organization, nil, authz.AppendTo)),
			"cheap":   slices.Concat([]authz.Grant{{Table: "product", Privilege: authz.Append, Level: authz.Organization, Condition: "stock < 5"}}, grant("shop", authz.Organization, nil, authz.AppendTo)),
			"rome":    slices.Concat(grant("product", authz.Organization, nil, authz.Append), []authz.Grant{{Table: "shop", Privilege: authz.AppendTo, Level: authz.Organization, Condition: `city == "Rome"`}}),
			"parts":   slices.Concat(grant("product", authz.Own, nil, authz.Append), []authz.Grant{{Table: "product", Privilege: authz.AppendTo, Level: authz.Own, Condition: "stock < 5"}}),
		}
		who := map[string]context.Context{}
		for name, grants := range roles {
			role(t, s, name, append(slices.Clone(base), grants...)...)
			who[name] = person(t, s, name, west, name)
		}
		shops := mustInsert(t, root(t), s, "shop", core.Record{"code": "r", "city": "Rome"}, core.Record{"code": "p", "city": "Paris"})
		rome, paris := string(shops[0]), string(shops[1])
		there := string(mustInsert(t, root(t), s, "product", core.Record{"title": "there"})[0])
		a, b := string(core.NewID()), string(core.NewID())
		for _, c := range []struct {
			who  string
			rows []core.Record
			says []string // why not; none when it may be
		}{
			{"neither", []core.Record{{"title": "1"}, {"title": "2", "shop_id": nil}}, nil},
			{"neither", []core.Record{{"title": "3", "shop_id": rome}}, []string{"product.shop_id", "you need append on product and append_to on shop", "you lack append on product and append_to on shop"}},
			{"from", []core.Record{{"title": "4", "shop_id": rome}}, []string{"you need append on product and append_to on shop", "you lack append_to on shop"}},
			{"to", []core.Record{{"title": "5", "shop_id": rome}}, []string{"you need append on product and append_to on shop", "you lack append on product"}},
			{"both", []core.Record{{"title": "6", "shop_id": rome}, {"title": "7", "shop_id": paris}}, nil},
			{"both", []core.Record{{"title": "8", "shop_id": string(core.NewID())}}, []string{"leads to a record that does not exist"}},
			{"cheap", []core.Record{{"title": "9", "stock": 4, "shop_id": rome}, {"title": "10", "stock": 9}}, nil},
			{"cheap", []core.Record{{"title": "11", "stock": 4, "shop_id": rome}, {"title": "12", "stock": 9, "shop_id": rome}}, []string{"item 2", "append on product does not reach this record"}},
			{"rome", []core.Record{{"title": "13", "shop_id": rome}}, nil},
			{"rome", []core.Record{{"title": "14", "shop_id": rome}, {"title": "15", "shop_id": paris}}, []string{"item 2", "append_to on shop does not reach this record"}},
			{"rome", []core.Record{{"title": "16", "shop_id": paris}, {"title": "17", "shop_id": string(core.NewID())}}, []string{"item 2", "there is no shop"}},
			{"parts", []core.Record{{"id": a, "title": "a0", "stock": 3}, {"title": "18", "parent_id": a}}, nil},
			{"parts", []core.Record{{"id": b, "title": "b0", "stock": 7}, {"title": "19", "parent_id": b}}, []string{"item 2", "append_to on product does not reach"}},
			{"parts", []core.Record{{"title": "20", "parent_id": there}}, []string{"append_to on product does not reach"}},
		} {
			err := s.Tx(who[c.who], TxOptions{}, func(ctx context.Context, tx *Tx) error {
				if _, err := tx.Insert(ctx, Insert{Table: "product", Rows: c.rows}); err != nil {
					return err
				}
				return tx.Flush(ctx)
			})
			if len(c.says) == 0 && err != nil {
				t.Errorf("%s %v: %v", c.who, c.rows, err)
			} else if len(c.says) > 0 {
				wantKind(t, err, core.AsError(err).Kind, c.says...)
			}
		}
		// A change asks only for a lookup that comes to lead elsewhere.
		id := mustInsert(t, root(t), s, "product", core.Record{"title": "set", "shop_id": paris})
		set := func(who context.Context, values core.Record) error {
			return s.Tx(who, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id...), Set: values})
				return err
			})
		}
		must(t, set(who["neither"], core.Record{"shop_id": paris, "title": "same"}))
		wantKind(t, set(who["rome"], core.Record{"shop_id": string(core.NewID())}), core.Invalid, "there is no shop")
		must(t, set(who["neither"], core.Record{"shop_id": nil}))
		wantKind(t, set(who["neither"], core.Record{"shop_id": paris}), core.Denied, "you lack append on product and append_to on shop")
		must(t, set(who["both"], core.Record{"shop_id": paris}))
		// What is created together asks for the same, also when it cannot be read.
		nested := func(who context.Context, city string) error {
			return s.Tx(who, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Insert(ctx, Insert{Table: "product", Rows: []core.Record{{"title": "n" + city}}, With: []Nest{{Relation: "shop", Insert: Insert{Rows: []core.Record{{"code": "n" + city, "city": city}}}}}})
				return err
			})
		}
		must(t, nested(who["rome"], "Rome"))
		wantKind(t, nested(who["rome"], "Oslo"), core.Denied, "append_to on shop does not reach this record")
		wantKind(t, nested(who["from"], "Bari"), core.Denied, "you lack append_to on shop")
	})
}
