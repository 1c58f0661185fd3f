package tables

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// state is every record of every table, without what each change of it moves on.
func state(t *testing.T, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range s.Snapshot().Schema.Tables() {
		if table.Builtin {
			continue
		}
		for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: table.Name}) {
			must(t, err)
			for _, c := range []string{"version", "updated_at", "updated_by"} {
				delete(r, c)
			}
			out[table.Name+"/"+r["id"].(string)] = string(table.AppendJSON(nil, r))
		}
	}
	return out
}

func sameState(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for id, r := range want {
		if got[id] != r {
			t.Errorf("%s: %s is\n%s\nwant\n%s", what, id, got[id], r)
		}
	}
	for id, r := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s: there is %s", what, r)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func remove(ctx context.Context, s *Store, table string, ids ...core.ID) error {
	return s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Delete(ctx, Remove{Table: table, Where: ByID(ids...)})
		return err
	})
}

func restore(ctx context.Context, s *Store, table string, ids ...core.ID) error {
	return s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Restore(ctx, table, ids...)
		return err
	})
}

// TestRestoreUndoesDelete deletes records of a tangle at random and restores them, which must give what was there before.
func TestRestoreUndoesDelete(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		seed := seedOf(t)
		random := rand.New(rand.NewPCG(seed, 1))
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		products := tangle(t, s, random, shops)
		for range 12 {
			before := state(t, s)
			ids := []core.ID{products[random.IntN(len(products))], products[random.IntN(len(products))]}
			must(t, remove(ctx, s, "product", ids...))
			if len(state(t, s)) == len(before) {
				t.Fatal("nothing was deleted")
			}
			must(t, restore(ctx, s, "product", ids...))
			sameState(t, "restored", state(t, s), before)
		}
		if n := rowsOf(t, s, "_deletion"); n != 0 {
			t.Fatalf("%d traces are left", n)
		}
	})
}

// tangle is products that have each other for parents and twins, in cycles too, and purchases of them.
func tangle(t *testing.T, s *Store, random *rand.Rand, shops []core.ID) []core.ID {
	t.Helper()
	ctx := root(t)
	var rows []core.Record
	for i := range 40 {
		rows = append(rows, core.Record{"title": fmt.Sprint("p", i), "sku": fmt.Sprint("s", i), "price": "1.10", "shop_id": string(shops[i%2])})
	}
	ids := mustInsert(t, ctx, s, "product", rows...)
	some := func() string { return string(ids[random.IntN(len(ids))]) }
	var updates []RowUpdate
	for i, id := range ids {
		set := core.Record{"twin_id": some()}
		if i%3 > 0 {
			set["parent_id"] = some()
		}
		updates = append(updates, RowUpdate{ID: id, Set: set})
	}
	must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.UpdateRows(ctx, "product", updates)
		return err
	}))
	var purchases []core.Record
	for range 60 {
		purchases = append(purchases, core.Record{"product_id": some(), "shop_id": string(shops[0]), "amount": 1, "note": map[string]any{"a": 1.5}})
	}
	mustInsert(t, ctx, s, "purchase", purchases...)
	return ids
}

// TestDeepAndWideDelete deletes a chain that is deeper, and a family that is wider, than what is handled at once.
func TestDeepAndWideDelete(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		deep := make([]core.Record, 300)
		for i := range deep {
			deep[i] = core.Record{"id": string(core.NewID()), "title": fmt.Sprint("d", i)}
			if i > 0 {
				deep[i]["parent_id"] = deep[i-1]["id"]
			}
		}
		mustInsert(t, ctx, s, "product", deep...)
		first, last := core.ID(deep[0]["id"].(string)), deep[len(deep)-1]["id"]
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { // the chain bites its tail
			_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(first), Set: core.Record{"parent_id": last}})
			return err
		}))
		wide := make([]core.Record, 2*maxBatch+10)
		for i := range wide {
			wide[i] = core.Record{"title": fmt.Sprint("w", i), "parent_id": last}
		}
		mustInsert(t, ctx, s, "product", wide...)
		before := state(t, s)
		must(t, remove(ctx, s, "product", first))
		if n := count(t, s, "product"); n != 0 {
			t.Fatalf("%d products are left", n)
		}
		must(t, restore(ctx, s, "product", first))
		sameState(t, "restored", state(t, s), before)
	})
}

// TestRestoreRefuses says what stands in the way, to who may know it.
func TestRestoreRefuses(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "own", grant("product", authz.Own, nil, authz.Read, authz.Create, authz.Delete)...)
		role(t, s, "reader", grant("product", authz.Organization, nil, authz.Read, authz.Create)...)
		ann := person(t, s, "ann", core.RootUnit, "own")
		bob := person(t, s, "bob", core.RootUnit, "own")
		eve := person(t, s, "eve", core.RootUnit, "reader")
		mine := mustInsert(t, ann, s, "product", core.Record{"title": "mine", "sku": "1"})
		must(t, remove(ann, s, "product", mine...))
		wantKind(t, restore(bob, s, "product", mine...), core.NotFound, "there is no deleted record")
		wantKind(t, restore(eve, s, "product", mine...), core.Denied)
		other := mustInsert(t, bob, s, "product", core.Record{"title": "other", "sku": "1"})
		wantKind(t, restore(ann, s, "product", mine...), core.Failed)
		wantKind(t, restore(root(t), s, "product", mine...), core.Exists, "sku")
		must(t, remove(bob, s, "product", other...))
		for _, who := range []context.Context{ann, bob, eve} {
			found, err := s.Deleted(who, s.Snapshot(), Query{Table: "product"})
			must(t, err)
			want := map[context.Context]int{ann: 1, bob: 1, eve: 2}[who]
			if len(found) != want {
				t.Fatalf("%d deleted records, want %d", len(found), want)
			}
		}
		must(t, restore(ann, s, "product", mine...))
		wantKind(t, restore(ann, s, "product", mine...), core.NotFound)
	})
}

// TestMergeKeyConflict55 merges records whose children would then have one key: nothing is merged.
func TestMergeKeyConflict55(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.CreateTable{Define: core.Table{Name: "shelf", Columns: []core.Column{
			{Name: "shop_id", Kind: core.Lookup, Target: "shop", OnDelete: core.Cascade}, {Name: "place", Kind: core.Text},
		}, Keys: []core.Key{{Name: "place_of_shop", Columns: []string{"shop_id", "place"}}}}})
		ctx := root(t)
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		mustInsert(t, ctx, s, "shelf", core.Record{"shop_id": shops[0], "place": "left"}, core.Record{"shop_id": shops[1], "place": "left"}, core.Record{"shop_id": shops[1], "place": "right"})
		before := state(t, s)
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Merge(ctx, Merge{Table: "shop", Winner: shops[0], Losers: shops[1:]})
			return err
		})
		wantKind(t, err, core.Exists, "shelf", "shop_id, place")
		if after := state(t, s); !maps.Equal(before, after) {
			t.Fatalf("a merge that is refused leaves\n%v\nof\n%v", after, before)
		}
		mustBeSound(t, s)
	})
}

// TestUnmergeUndoesMerge53 merges records of a tangle at random; undoing it must give what was there before.
func TestUnmergeUndoesMerge53(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		random := rand.New(rand.NewPCG(seedOf(t), 2))
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b", "city": "Oslo"}, core.Record{"code": "c"})
		tangle(t, s, random, shops)
		for _, m := range []Merge{
			{Table: "shop", Winner: shops[0], Losers: shops[1:2], Take: map[string]core.ID{"city": shops[1], "code": shops[1]}},
			{Table: "shop", Winner: shops[2], Losers: shops[:2], Take: map[string]core.ID{"city": shops[0]}},
			{Table: "shop", Winner: shops[1], Losers: []core.ID{shops[2], shops[0]}},
		} {
			before := state(t, s)
			var done Merged
			must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
				done, err = tx.Merge(ctx, m)
				return err
			}))
			if n := count(t, s, "shop"); n != 3-len(m.Losers) {
				t.Fatalf("%d shops", n)
			}
			for r, err := range s.Scan(ctx, s.Snapshot(), Query{Table: "product"}) {
				must(t, err)
				if slices.Contains(m.Losers, core.ID(r["shop_id"].(string))) {
					t.Fatal("a product has a shop that is gone")
				}
			}
			versions, err := s.History(ctx, s.Snapshot(), History{Table: "shop", ID: m.Losers[0], Limit: 1})
			must(t, err)
			if v := versions[0]; v["op"] != "delete" || v["cause"] != "merge" || v["cause_id"] != string(done.ID) {
				t.Fatalf("%+v", v)
			}
			must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				back, err := tx.Unmerge(ctx, "shop", done.ID)
				if err == nil && (back.Moved != done.Moved || len(back.Kept) > 0 || len(back.Columns) > 0) {
					t.Errorf("%+v, want %+v", back, done)
				}
				return err
			}))
			sameState(t, "unmerged", state(t, s), before)
		}
	})
}

// TestMergeCountsWhatIsRead has somebody merge shops of which he sees some of the products: he is told of these only.
func TestMergeCountsWhatIsRead(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		all := grant("shop", authz.Organization, nil, authz.Read, authz.Create, authz.Update, authz.Delete)
		role(t, s, "keeper", append(all, authz.Grant{Table: "product", Privilege: authz.Read, Level: authz.Organization, Condition: "stock > 0"})...)
		role(t, s, "blind", append(all, grant("product", authz.Organization, []string{"shop_id"}, authz.Read)...)...)
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		mustInsert(t, ctx, s, "product", core.Record{"title": "x", "stock": 1, "shop_id": string(shops[1])}, core.Record{"title": "y", "stock": 0, "shop_id": string(shops[1])})
		for name, want := range map[string]int{"keeper": 1, "blind": 0} {
			who := person(t, s, name, core.RootUnit, name)
			must(t, s.Tx(who, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				done, err := tx.Merge(ctx, Merge{Table: "shop", Winner: shops[0], Losers: shops[1:]})
				must(t, err)
				back, err := tx.Unmerge(ctx, "shop", done.ID)
				if done.Moved != want || back.Moved != want {
					t.Errorf("%s: %+v %+v", name, done, back)
				}
				return err
			}))
		}
	})
}

// TestUnmergeKeepsWhatChanged leaves what was changed since the merge, and says so to who may see it.
func TestUnmergeKeepsWhatChanged(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b", "city": "Oslo"}, core.Record{"code": "c"})
		products := mustInsert(t, ctx, s, "product", core.Record{"title": "x", "shop_id": string(shops[1])}, core.Record{"title": "y", "shop_id": string(shops[1])})
		var done Merged
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
			done, err = tx.Merge(ctx, Merge{Table: "shop", Winner: shops[0], Losers: shops[1:2], Take: map[string]core.ID{"city": shops[1]}})
			return err
		}))
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(products[0]), Set: core.Record{"shop_id": string(shops[2])}})
			if err == nil {
				_, err = tx.Update(ctx, Update{Table: "shop", Where: ByID(shops[0]), Set: core.Record{"city": "Paris"}})
			}
			return err
		}))
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			back, err := tx.Unmerge(ctx, "shop", done.ID)
			must(t, err)
			if back.Moved != 1 || !slices.Equal(back.Kept, []Kept{{"product", "shop_id", products[0]}}) || !slices.Equal(back.Columns, []string{"city"}) {
				t.Errorf("%+v", back)
			}
			return err
		}))
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Unmerge(ctx, "shop", done.ID)
			return err
		})
		wantKind(t, err, core.NotFound, "no merge")
		if got := find(t, s, "product", products[0])["shop_id"]; got != string(shops[2]) {
			t.Errorf("the product moved to %v", got)
		}
	})
}
