package tables

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func TestWritePaths(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		ids := mustInsert(t, ctx, s, "product", core.Record{"title": "Tea", "price": "2.5", "shop_id": string(shops[0])}, core.Record{"title": "Cup", "sku": "c1"})
		parts := mustInsert(t, ctx, s, "product", core.Record{"title": "Bag", "parent_id": string(ids[0]), "twin_id": string(ids[1])})
		mustInsert(t, ctx, s, "purchase", core.Record{
			"product_id": string(parts[0]), "amount": 3, "note": map[string]any{"b": 1, "a": nil}, "at": "2024-05-06T07:08:09.123456+02:00",
			"day": "2024-05-06", "ratio": 0.1, "paid": true, "shop_id": string(shops[1]),
		})
		tea := find(t, s, "product", ids[0])
		if fmt.Sprint(tea["price"], tea["gross"], tea["stock"], tea["version"]) != "2.5 2.98 0 1" {
			t.Fatalf("%v", tea)
		}
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			res, err := tx.Update(ctx, Update{Table: "product", Where: Compare{Column: "title", Op: In, Value: []any{"Tea", "Cup"}}, Set: core.Record{"price": "3.00"}, Inc: core.Record{"stock": 2}})
			if res.Updated != 2 || res.Changed != 2 {
				t.Errorf("%+v", res)
			}
			return err
		}))
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { // nothing new
			res, err := tx.Update(ctx, Update{Table: "product", Where: ByID(ids[0]), Set: core.Record{"price": "3"}})
			if res.Updated != 1 || res.Changed != 0 {
				t.Errorf("%+v", res)
			}
			return err
		}))
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			res, err := tx.UpdateRows(ctx, "product", []RowUpdate{{parts[0], core.Record{"title": "Sack"}}, {ids[0], core.Record{"title": "Green tea", "sku": nil}}, {core.NewID(), core.Record{"title": "x"}}})
			if res.Updated != 2 || res.IDs[0] != parts[0] {
				t.Errorf("%+v", res)
			}
			return err
		}))
		if v := find(t, s, "product", ids[0])["version"]; v != int64(3) {
			t.Fatal("version", v)
		}
		mustBeSound(t, s)
		err := write(ctx, s, func(tx *Tx) error { _, err := tx.Delete(ctx, Remove{Table: "shop", Where: nil}); return err })
		wantKind(t, err, core.Invalid, "1 record of product refers to it by shop_id")
		must(t, write(ctx, s, func(tx *Tx) error { // cascades to the part and its purchase
			res, err := tx.Delete(ctx, Remove{Table: "product", Where: ByID(ids[0])})
			if res.Deleted != 1 {
				t.Errorf("%+v", res)
			}
			return err
		}))
		if count(t, s, "product") != 1 || count(t, s, "purchase") != 0 {
			t.Fatal("the cascade")
		}
		mustInsert(t, ctx, s, "product", core.Record{"id": string(ids[0]), "title": "Tea again"}) // after its history
		if v := find(t, s, "product", ids[0])["version"]; v != int64(5) {
			t.Fatal("version", v)
		}
	})
}

func TestDeleteCircles(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "hen", Columns: []core.Column{
				{Name: "n", Kind: core.Integer}, {Name: "best_id", Kind: core.Lookup, Target: "hen", OnDelete: core.SetNull, Inverse: "fans"}, {Name: "boss_id", Kind: core.Lookup, Target: "hen", Inverse: "staff"},
			}}},
			core.CreateTable{Define: core.Table{Name: "egg", Columns: []core.Column{{Name: "hen_id", Kind: core.Lookup, Target: "hen", OnDelete: core.Cascade}}}},
			core.AddColumn{To: "hen", Add: core.Column{Name: "egg_id", Kind: core.Lookup, Target: "egg", OnDelete: core.Cascade, Relation: "hatched", Inverse: "from"}})
		a, b, e := string(core.NewID()), string(core.NewID()), string(core.NewID())
		// A child before its parent, and a record that looks up itself.
		mustInsert(t, ctx, s, "hen", core.Record{"id": a, "boss_id": b, "best_id": a}, core.Record{"id": b, "n": 1})
		mustInsert(t, ctx, s, "egg", core.Record{"id": e, "hen_id": a})
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "hen", Where: ByID(core.ID(a)), Set: core.Record{"egg_id": e}})
			return err
		}))
		err := write(ctx, s, func(tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "hen", Where: ByID(core.ID(b))})
			return err
		})
		wantKind(t, err, core.Invalid, "restricts")
		must(t, write(ctx, s, func(tx *Tx) error { _, err := tx.Delete(ctx, Remove{Table: "hen"}); return err }))
		if count(t, s, "hen")+count(t, s, "egg") != 0 {
			t.Fatal("something is left")
		}
	})
}

func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"})
		cup := mustInsert(t, ctx, s, "product", core.Record{"title": "Cup", "sku": "x", "price": 1})
		for _, c := range []struct {
			table string
			rows  []core.Record
			kind  core.ErrKind
			words []string
		}{
			{"shop", []core.Record{{"code": "b"}, {"code": "a"}}, core.Exists, []string{"shop.code", "unique"}},
			{"shop", []core.Record{{"id": string(ids[0]), "code": "z"}}, core.Exists, []string{"shop.id"}},
			{"shop", []core.Record{{"code": nil}}, core.Invalid, []string{"shop.code", "required"}},
			{"shop", []core.Record{{"cod": "x"}}, core.Invalid, []string{"shop.cod", "did you mean code"}},
			{"shop", []core.Record{{"code": "b"}, {"code": "123456789012345678901"}}, core.Invalid, []string{"shop.code, item 2", "20"}},
			{"shop", []core.Record{{"code": "b", "version": 4}}, core.Invalid, []string{"kept by Colonnade"}},
			{"product", []core.Record{{"title": "a", "gross": 4}}, core.Invalid, []string{"calculated"}},
			{"product", []core.Record{{"title": "Cup"}}, core.Exists, []string{"title, stock"}},
			{"product", []core.Record{{"title": "a"}, {"title": "b", "shop_id": string(core.NewID())}}, core.Invalid, []string{"product.shop_id", "does not exist"}},
			{"product", []core.Record{{"title": "a", "owner_id": string(core.NewID())}}, core.Invalid, []string{"owner_id", "no such user"}},
			{"_user", []core.Record{{"name": "x"}}, core.Invalid, nil},
			{"shoop", []core.Record{{"name": "x"}}, core.NotFound, []string{"did you mean shop"}},
		} {
			if c.table == "_user" {
				continue
			}
			_, err := insert(ctx, s, c.table, c.rows...)
			wantKind(t, err, c.kind, c.words...)
			mustBeSound(t, s)
		}
		update := func(u Update) error {
			u.Table = "product"
			return write(ctx, s, func(tx *Tx) error { _, err := tx.Update(ctx, u); return err })
		}
		wantKind(t, update(Update{Where: ByID(cup...), Set: core.Record{"title": "x"}, IfVersion: 2}), core.Conflict, "version 1")
		wantKind(t, update(Update{Where: ByID(cup...), Inc: core.Record{"title": 1}}), core.Invalid, "only a number")
		wantKind(t, update(Update{Where: ByID(cup...), Inc: core.Record{"price": "99999999.99"}}), core.Invalid, "price")
		wantKind(t, update(Update{Where: ByID(cup...), Inc: core.Record{"stock": 1}, Set: core.Record{"stock": 1}}), core.Invalid, "both")
		wantKind(t, update(Update{Where: And{}, Set: core.Record{"title": "x"}, AtMost: 0, IfVersion: 9}), core.Conflict)
		mustInsert(t, ctx, s, "product", core.Record{"title": "Pot"})
		wantKind(t, update(Update{Set: core.Record{"price": 2}, AtMost: 1}), core.Limit, "2 records")
		_, err := insert(ctx, s, "product")
		must(t, err)
	})
}

func TestOnConflict(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		put := func(ctx context.Context, o OnConflict, rows ...core.Record) (res Result, err error) {
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err = tx.Insert(ctx, Insert{Table: "product", Rows: rows, OnConflict: &o})
				return err
			})
			return res, err
		}
		one := mustInsert(t, ctx, s, "product", core.Record{"title": "Cup", "sku": "x", "price": 1})
		res, err := put(ctx, OnConflict{Key: "sku", Update: []string{"price", "title", "cost"}}, core.Record{"sku": "x", "price": 2, "title": "Mug"}, core.Record{"sku": "y", "title": "Pot"}, core.Record{"title": "No key"})
		must(t, err)
		if res.Inserted != 2 || res.Updated != 1 || res.IDs[0] != one[0] || len(res.IDs) != 3 {
			t.Fatalf("%+v", res)
		}
		if r := find(t, s, "product", one[0]); r["title"] != "Mug" || r["version"] != int64(2) {
			t.Fatalf("%v", r)
		}
		res, err = put(ctx, OnConflict{Key: "by_title", Update: []string{"price"}}, core.Record{"title": "Mug", "stock": 0, "price": 7}, core.Record{"title": "Mug", "stock": 1})
		must(t, err)
		if res.Inserted != 1 || res.Changed != 1 {
			t.Fatalf("%+v", res)
		}
		res, err = put(ctx, OnConflict{Key: "product_pkey"}, core.Record{"id": string(one[0]), "title": "Ignored"})
		must(t, err)
		if res.Affected() != 0 || len(res.IDs) != 0 {
			t.Fatalf("%+v", res)
		}
		res, err = put(ctx, OnConflict{Key: "sku", Update: []string{"price"}, Where: Compare{Column: "price", Op: Gt, Value: 100}}, core.Record{"sku": "x", "title": "T", "price": 9})
		must(t, err)
		if res.Affected() != 0 {
			t.Fatalf("%+v", res)
		}
		_, err = put(ctx, OnConflict{Key: "sku", Update: []string{"price"}}, core.Record{"sku": "q", "title": "1"}, core.Record{"sku": "q", "title": "2"})
		wantKind(t, err, core.Invalid, "item 2", "row 1")
		_, err = put(ctx, OnConflict{Key: "title"}, core.Record{"title": "1"})
		wantKind(t, err, core.Invalid, "neither")

		// Who may create, but not change that record, is refused; who may not change any, too.
		role(t, s, "clerk", append(grant("product", authz.Organization, nil, authz.Read, authz.Create), grant("product", authz.Own, []string{"cost"}, authz.Update)...)...)
		role(t, s, "maker", grant("product", authz.Organization, nil, authz.Read, authz.Create)...)
		clerk, maker := person(t, s, "clerk", core.RootUnit, "clerk"), person(t, s, "maker", core.RootUnit, "maker")
		_, err = put(clerk, OnConflict{Key: "sku", Update: []string{"price"}}, core.Record{"sku": "x", "title": "T", "price": 9})
		wantKind(t, err, core.Denied, "may not change it")
		_, err = put(maker, OnConflict{Key: "sku", Update: []string{"price"}}, core.Record{"sku": "new", "title": "T", "price": 9})
		wantKind(t, err, core.Denied, "update")
		_, err = put(clerk, OnConflict{Key: "sku", Update: []string{"cost"}}, core.Record{"sku": "new", "title": "T", "price": 9})
		wantKind(t, err, core.Denied, "cost")
		role(t, s, "blind", append(grant("product", authz.Organization, []string{"sku"}, authz.Read), grant("product", authz.Organization, nil, authz.Update)...)...)
		role(t, s, "blinder", grant("product", authz.Organization, []string{"sku"}, authz.Read, authz.Update)...)
		byKey := OnConflict{Key: "sku", Update: []string{"price"}, Exists: true} // which they may not read, and they create nothing
		_, err = put(person(t, s, "blind", core.RootUnit, "blind"), byKey, core.Record{"sku": "x", "price": 9})
		wantKind(t, err, core.Denied, "find records by")
		_, err = put(person(t, s, "blinder", core.RootUnit, "blinder"), byKey, core.Record{"sku": "x", "price": 9})
		wantKind(t, err, core.Invalid, "no such column")
		mine := mustInsert(t, clerk, s, "product", core.Record{"title": "Mine", "sku": "m"})
		res, err = put(clerk, OnConflict{Key: "sku", Update: []string{"price"}}, core.Record{"sku": "m", "title": "T", "price": 9})
		must(t, err)
		if res.Changed != 1 || res.IDs[0] != mine[0] {
			t.Fatalf("%+v", res)
		}
	})
}

// TestUpsertRace has many upsert the same keys at once: none fails, and each key is there once.
func TestUpsertRace(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		const writers, rounds = 6, 10
		run(t, writers, func(n int) error {
			for i := range rounds {
				err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
					_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": fmt.Sprint(i), "city": fmt.Sprint(n)}}, OnConflict: &OnConflict{Key: "code", Update: []string{"city"}}})
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if n := count(t, s, "shop"); n != rounds {
			t.Fatal(n)
		}
	})
}

// run calls f on n goroutines at once.
func run(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestNoLostUpdate has writers read, add one and write back, only if nobody else was faster.
func TestNoLostUpdate(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		id := mustInsert(t, ctx, s, "product", core.Record{"title": "Counter"})[0]
		const writers, rounds = 6, 15
		run(t, writers, func(int) error {
			for done := 0; done < rounds; {
				r, err := s.Find(ctx, s.Snapshot(), "product", id)
				if err != nil {
					return err
				}
				err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
					_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: core.Record{"stock": r["stock"].(int64) + 1}, IfVersion: r["version"].(int64)})
					return err
				})
				switch {
				case err == nil:
					done++
				case core.KindOf(err) != core.Conflict:
					return err
				}
			}
			return nil
		})
		if r := find(t, s, "product", id); r["stock"] != int64(writers*rounds) || r["version"] != int64(writers*rounds+1) {
			t.Fatalf("%v", r)
		}
	})
}

// TestReach is about who may write what: before and after images, columns, lookups to what one does not see.
func TestReach(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		west, east := unit(t, s, "West", core.RootUnit), unit(t, s, "East", core.RootUnit)
		all := []authz.Privilege{authz.Create, authz.Read, authz.Update}
		role(t, s, "seller", append(append(grant("product", authz.Unit, []string{"cost"}, all...), grant("product", authz.Unit, nil, authz.Delete, authz.Assign)...), grant("shop", authz.Organization, nil, authz.Read)...)...)
		role(t, s, "buyer", slices.Concat(grant("product", authz.Own, nil, all...), grant("product", authz.Own, nil, authz.Append), grant("shop", authz.Organization, nil, authz.AppendTo),
			[]authz.Grant{{Table: "shop", Privilege: authz.Read, Level: authz.Organization, Condition: `city == "Rome"`}})...)
		role(t, s, "blind", append(grant("product", authz.Organization, nil, authz.Update), grant("product", authz.Own, nil, authz.Read)...)...)
		ann, eve := person(t, s, "ann", west, "seller"), person(t, s, "eve", east, "seller")
		bob, both := person(t, s, "bob", west, "buyer"), person(t, s, "both", west, "seller", "buyer")
		blind := person(t, s, "blind", west, "blind")
		user := func(ctx context.Context) string { return string(core.CallerFrom(ctx).User) }
		update := func(ctx context.Context, where Cond, set core.Record) (res Result, err error) {
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				res, err = tx.Update(ctx, Update{Table: "product", Where: where, Set: set})
				return err
			})
			return res, err
		}
		shops := mustInsert(t, root(t), s, "shop", core.Record{"code": "r", "city": "Rome"}, core.Record{"code": "p", "city": "Paris"})
		annCup := mustInsert(t, ann, s, "product", core.Record{"title": "Ann's"})
		eveCup := mustInsert(t, eve, s, "product", core.Record{"title": "Eve's"})
		bothCup := mustInsert(t, both, s, "product", core.Record{"title": "Both's"})

		// Reach before the change.
		res, err := update(ann, ByID(eveCup...), core.Record{"title": "stolen"})
		must(t, err)
		if res.Affected() != 0 {
			t.Fatalf("%+v", res)
		}
		// And after it: neither away, which needs a right of its own, nor to oneself.
		_, err = update(bob, ByID(mustInsert(t, bob, s, "product", core.Record{"title": "Bob's"})...), core.Record{"owner_id": user(eve)})
		wantKind(t, err, core.Denied, "product.owner_id", "you need the privilege assign on product")
		_, err = insert(bob, s, "product", core.Record{"title": "For Eve", "owner_id": user(eve)})
		wantKind(t, err, core.Denied, "you need the privilege assign on product")
		res, err = update(ann, ByID(annCup...), core.Record{"owner_id": user(bob)})
		must(t, err)
		if r := find(t, s, "product", annCup[0]); res.Changed != 1 || r["unit_id"] != string(west) {
			t.Fatalf("%v", r)
		}
		// Columns that one neither reads nor writes are not there; those of another role only in its rows.
		_, err = update(ann, ByID(annCup...), core.Record{"cost": 1})
		wantKind(t, err, core.Invalid, "there is no such column")
		_, err = update(ann, Compare{Column: "cost", Op: Gt, Value: 1}, core.Record{"title": "x"})
		wantKind(t, err, core.Invalid, "there is no such column")
		if _, err = update(both, ByID(bothCup...), core.Record{"cost": 2}); err != nil {
			t.Fatal("the column is visible in one's own record", err)
		}
		_, err = update(both, ByID(annCup...), core.Record{"cost": 2})
		wantKind(t, err, core.Denied, "product.cost", "in this record")
		if _, err = update(both, ByID(bothCup...), core.Record{"cost": 3, "owner_id": user(ann)}); err != nil {
			t.Fatal("the column is judged in the record as it was, since it is given away", err)
		}
		_, err = update(both, ByID(bothCup...), core.Record{"cost": 4})
		wantKind(t, err, core.Denied, "product.cost", "in this record")
		for _, set := range []core.Record{{"version": 7}, {"id": string(core.NewID())}, {"created_by": user(eve)}} {
			_, err = update(ann, ByID(annCup...), set)
			wantKind(t, err, core.Invalid, "kept by Colonnade")
		}
		// A lookup leads only to what one sees; the others are like none.
		_, err = insert(bob, s, "product", core.Record{"title": "1", "shop_id": string(shops[0])}, core.Record{"title": "2"}, core.Record{"title": "3", "shop_id": string(shops[1])})
		wantKind(t, err, core.Invalid, "product.shop_id, item 3", "there is no shop")
		_, err = insert(bob, s, "product", core.Record{"title": "2", "shop_id": string(core.NewID())})
		wantKind(t, err, core.Invalid, "product.shop_id", "there is no shop")
		mustInsert(t, bob, s, "product", core.Record{"title": "4", "shop_id": string(shops[0])})
		_, err = insert(blind, s, "product", core.Record{"title": "5"})
		wantKind(t, err, core.Denied)
		// Who changes by a condition learns nothing of rows that he does not read.
		res, err = update(blind, Compare{Column: "title", Op: Like, Value: "%"}, core.Record{"stock": 7})
		must(t, err)
		if res.Affected() != 0 {
			t.Fatalf("%+v", res)
		}
		err = write(eve, s, func(tx *Tx) error { _, err := tx.Delete(eve, Remove{Table: "product"}); return err })
		must(t, err)
		if count(t, s, "product") != 4 {
			t.Fatal("eve deletes hers only")
		}
		_, err = s.Query(ann, s.Snapshot(), Query{Table: "purchase", Fields: []Field{{As: "id", Column: "id"}}}, nil)
		hidden := core.AsError(err).Public()
		_, err = s.Query(ann, s.Snapshot(), Query{Table: "purchases", Fields: []Field{{As: "id", Column: "id"}}}, nil)
		if there := core.AsError(err).Public(); there != "purchases"+hidden[len("purchase"):] {
			t.Fatalf("%q is not like %q", there, hidden)
		}
		err = write(root(t), s, func(tx *Tx) error {
			_, err := tx.Delete(ann, Remove{Table: "shop", Where: nil})
			return err
		})
		wantKind(t, err, core.Denied)
	})
}

// TestSavepoint is about what remains of a unit of work whose parts fail.
func TestSavepoint(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		own := errors.New("mine")
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			if _, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": "a"}}}); err != nil {
				return err
			}
			err := tx.Savepoint(ctx, func() error {
				_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": "b"}, {"code": "a"}}})
				return err
			})
			wantKind(t, err, core.Exists)
			err = tx.Savepoint(ctx, func() error {
				_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": "c"}}})
				return errors.Join(err, own)
			})
			if !errors.Is(err, own) {
				t.Error(err)
			}
			_, err = tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": "d"}}})
			return err
		}))
		if n := count(t, s, "shop"); n != 2 {
			t.Fatal(n)
		}
		// An error that is passed over undoes everything.
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": "e"}}})
			_ = s.Tx(ctx, TxOptions{}, func(context.Context, *Tx) error { return own })
			return err
		})
		if !errors.Is(err, own) || count(t, s, "shop") != 2 {
			t.Fatal(err)
		}
		err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, _ = tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": "f"}, {"code": "a"}}})
			return nil
		})
		wantKind(t, err, core.Exists)
	})
}

func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := core.WithCaller(t.Context(), func() core.Caller { c := core.System("flow"); c.Cause.ID, c.Cause.Depth = "run", 2; return c }())
		define(t, s, shop()...)
		id := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"})[0]
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "shop", Where: ByID(id), Set: core.Record{"city": "Rome"}})
			return err
		}))
		must(t, write(ctx, s, func(tx *Tx) error { _, err := tx.Delete(ctx, Remove{Table: "shop"}); return err }))
		events, end := waitEvents(t, s, Cursor{}, 3)
		for i, want := range []struct {
			op            core.Op
			before, after any
		}{{core.Create, nil, nil}, {core.Update, nil, "Rome"}, {core.Delete, "Rome", nil}} {
			e := events[i]
			if e.Op != want.op || e.Version != int64(i+1) || e.ID != id || e.Before["city"] != want.before || e.After["city"] != want.after || e.Cause != (core.Cause{Kind: "flow", ID: "run", Depth: 2}) || time.Since(e.At) > time.Minute {
				t.Fatalf("%d: %+v", i, e)
			}
			if (e.Before == nil) != (e.Op == core.Create) || (e.After == nil) != (e.Op == core.Delete) {
				t.Fatalf("%d: %+v", i, e)
			}
		}
		// Events that a reader has not passed stay.
		_, second, err := s.Events(ctx, s.Snapshot(), Cursor{}, 2)
		must(t, err)
		move := func(name string, from, to Cursor) error {
			return s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { return tx.MoveCursor(ctx, name, from, to) })
		}
		must(t, move("slow", Cursor{}, second))
		must(t, move("fast", Cursor{}, end))
		wantKind(t, move("fast", Cursor{}, end), core.Conflict)
		n, err := s.DropEvents(ctx, time.Hour)
		if err != nil || n != 0 {
			t.Fatal(n, err)
		}
		if n, err = s.DropEvents(ctx, -time.Hour); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		must(t, move("slow", second, end))
		waitEvents(t, s, second, 1)
		if n, err = s.DropEvents(ctx, -time.Hour); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		mustInsert(t, ctx, s, "shop", core.Record{"code": "b"})
		if n, err = s.DropEvents(ctx, -time.Hour); err != nil || n != 0 {
			t.Fatal("nobody has read the new one", n, err)
		}
		restoreEvents(t, s)
	})
}

// waitEvents returns the events after the cursor when there are n. PostgreSQL shows them when no older transaction of
// the server is at work, be it another test's.
func waitEvents(t *testing.T, s *Store, after Cursor, n int) ([]core.Event, Cursor) {
	t.Helper()
	for {
		events, end, err := s.Events(t.Context(), s.Snapshot(), after, 100)
		must(t, err)
		if len(events) == n {
			return events, end
		}
		if len(events) > n {
			t.Fatalf("%d events, want %d", len(events), n)
		}
		runtime.Gosched()
	}
}

// restoreEvents makes up for events that were dropped, so that the store is sound.
func restoreEvents(t *testing.T, s *Store) {
	t.Helper()
	b := newBuilder(s).Write(`INSERT INTO "_event" (table_name, record_id, version, op, actor, cause, cause_id, depth, at) SELECT h.table_name, h.record_id, h.version, h.op, h.actor, h.cause, h.cause_id, 0, h.at FROM "_history" AS h WHERE NOT EXISTS (SELECT 1 FROM "_event" AS e WHERE e.record_id = h.record_id AND e.version = h.version)`)
	_, err := s.db.Exec(t.Context(), b)
	must(t, err)
}

// TestSizes inserts numbers of rows at which peers have cut off, and counts.
func TestSizes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		total := 0
		sizes := []int{0, 1, 999, 1000, 1001, 5001}
		if !testing.Short() && !raceEnabled {
			sizes = append(sizes, 32_766, 65_536)
		}
		for _, n := range sizes {
			rows := make([]core.Record, n)
			for i := range rows {
				rows[i] = core.Record{"title": "t", "stock": total + i}
			}
			res, err := insert(ctx, s, "product", rows...)
			must(t, err)
			total += n
			if res.Inserted != n || len(res.IDs) != n || count(t, s, "product") != total {
				t.Fatalf("%d: %d inserted, %d ids, %d there, want %d", n, res.Inserted, len(res.IDs), count(t, s, "product"), total)
			}
			if n > 1 { // all or nothing
				rows[n-1] = core.Record{"title": "t", "stock": -1, "price": "1.234"}
				_, err = insert(ctx, s, "product", rows...)
				wantKind(t, err, core.Invalid, fmt.Sprintf("item %d", n))
				if count(t, s, "product") != total {
					t.Fatal("a part was kept")
				}
			}
		}
		for _, of := range []string{"_history", "_event"} {
			if n := rowsOf(t, s, of); n != total {
				t.Fatalf("%d rows of %s, want %d", n, of, total)
			}
		}
	})
}

func TestRecordsOfAnAge(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip("compares two databases")
	}
	t.Parallel()
	a, b := open(t, dbtest.SQLite(t), Options{}), open(t, dbtest.Postgres(t), Options{})
	var answers []string
	for _, s := range []*Store{a, b} {
		define(t, s, shop()...)
		id := mustInsert(t, root(t), s, "product", core.Record{"id": "01900000-0000-7000-8000-000000000001", "title": "é\u0001\"", "price": "0.10", "cost": "-12345678.90"})[0]
		mustInsert(t, root(t), s, "purchase", core.Record{"id": "01900000-0000-7000-8000-000000000002", "product_id": string(id), "amount": int64(-9223372036854775808), "note": []any{1.50, "x", nil}, "at": "1969-12-31T23:59:59.000001Z", "day": "0001-01-01", "ratio": 1e300, "paid": false})
		out, err := s.Query(root(t), s.Snapshot(), Query{Table: "purchase", Form: One, Where: ByID("01900000-0000-7000-8000-000000000002"), Fields: []Field{
			{As: "amount", Column: "amount"}, {As: "note", Column: "note"}, {As: "at", Column: "at"}, {As: "day", Column: "day"}, {As: "ratio", Column: "ratio"}, {As: "paid", Column: "paid"},
			{As: "product", Relation: "product", Query: &Query{Fields: []Field{{As: "title", Column: "title"}, {As: "price", Column: "price"}, {As: "gross", Column: "gross"}, {As: "cost", Column: "cost"}, {As: "twin", Relation: "twin", Query: &Query{Fields: []Field{{As: "id", Column: "id"}}}}}}},
		}}, nil)
		must(t, err)
		answers = append(answers, string(out))
	}
	want := `{"amount":-9223372036854775808,"note":[1.5,"x",null],"at":"1969-12-31T23:59:59.000001+00:00","day":"0001-01-01","ratio":1e+300,"paid":false,"product":{"title":"é\u0001\"","price":0.10,"gross":0.12,"cost":-12345678.90,"twin":null}}`
	if answers[0] != want || answers[1] != want {
		t.Fatalf("sqlite   %s\npostgres %s\nwant     %s", answers[0], answers[1], want)
	}
}

// TestFirstMistake sends the same input with several mistakes again and again: the answer is the same each time.
func TestFirstMistake(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "clerk", append(grant("product", authz.Organization, []string{"cost", "sku"}, authz.Read, authz.Create),
			authz.Grant{Table: "product", Privilege: authz.Update, Level: authz.Organization, Hidden: []string{"cost", "sku"}, Condition: "stock > 0"},
			authz.Grant{Table: "product", Privilege: authz.Update, Level: authz.Organization, Hidden: []string{"title", "stock", "price"}})...)
		clerk := person(t, s, "clerk", core.RootUnit, "clerk")
		mustInsert(t, root(t), s, "product", core.Record{"title": "T", "stock": 0, "price": 1})
		for range 30 {
			_, err := insert(clerk, s, "product", core.Record{"title": "T", "price": "much", "cost": 1, "sku": "x", "stock": "many"})
			wantKind(t, err, core.Invalid, "product.cost")
			err = write(clerk, s, func(tx *Tx) error {
				_, err := tx.Update(clerk, Update{Table: "product", Set: core.Record{"title": "U", "price": 2, "stock": 1}})
				return err
			})
			wantKind(t, err, core.Denied, "product.price")
			err = write(clerk, s, func(tx *Tx) error {
				_, err := tx.Insert(clerk, Insert{Table: "product", Rows: []core.Record{{"id": string(core.NewID()), "title": "U", "price": 2, "stock": 1}},
					OnConflict: &OnConflict{Key: "product_pkey", Exists: true, Update: []string{"title"}}})
				return err
			})
			wantKind(t, err, core.Invalid, "product.price")
		}
	})
}
