package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

// records are the records of a table by id, as the machinery reads them.
func records(t testing.TB, s *Store, table string) map[string]core.Record {
	t.Helper()
	list, err := s.Records(root(t), s.Snapshot(), Query{Table: table, Limit: 1000})
	must(t, err)
	out := map[string]core.Record{}
	for _, r := range list {
		out[r["id"].(string)] = r
	}
	return out
}

// whatHistorySays is what history says of a record, oldest version first.
func whatHistorySays(t testing.TB, s *Store, table string, id core.ID) (out []core.Record) {
	t.Helper()
	for _, e := range readHistory(t, s)[table+"/"+string(id)] {
		of, err := s.Snapshot().Schema.Table(table)
		must(t, err)
		r, err := decodeStored(of, e.data)
		must(t, err)
		out = append(out, r)
	}
	return out
}

// stock is a store with a table that everything names: rules, formulas, keys, indexes, roles.
func stock(t testing.TB, s *Store) (ids []core.ID) {
	t.Helper()
	define(t, s, core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{
		{Name: "code", Kind: core.Text, Required: true}, {Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "cost", Kind: core.Decimal, Precision: 10, Scale: 2},
		{Name: "gross", Kind: core.Decimal, Precision: 12, Scale: 2, Formula: "price * 1.19"}, {Name: "note", Kind: core.Text, Default: `"price"`},
		{Name: "parent_id", Kind: core.Lookup, Target: "item", OnDelete: core.SetNull, Inverse: "parts"},
	}, Keys: []core.Key{{Name: "by_code", Columns: []string{"code"}}}, Indexes: []core.Index{{Name: "dearest", Columns: []core.IndexColumn{{Column: "price", Desc: true}}}},
		Rules: []core.Rule{{Name: "no gifts", When: "price <= 0.0 && (isNull(old.price) || old.price != price)", Do: []core.Deed{{Do: "fail", Column: "price", Message: "a price"}}}},
	}})
	role(t, s, "clerk", authz.Grant{Table: "item", Privilege: authz.Read, Level: authz.Organization, Condition: "price < 100.0", Hidden: []string{"cost"}})
	return mustInsert(t, root(t), s, "item",
		core.Record{"code": "a", "price": "1.50", "cost": "1.00"}, core.Record{"code": "b", "price": "2.00", "cost": "0.50"}, core.Record{"code": "c"})
}

// TestRename22 is about what a rename keeps: data, keys, indexes, rules, formulas, roles.
func TestRename22(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ids := stock(t, s)
		clerk := person(t, s, "clerk", core.RootUnit, "clerk")
		before := records(t, s, "item")
		old := s.Snapshot()
		define(t, s, core.RenameColumns{Of: "item", To: map[string]string{"price": "amount", "cost": "secret", "parent_id": "whole_id"}}, core.RenameTables{To: map[string]string{"item": "article"}})
		after := records(t, s, "article")
		for id, r := range before {
			for from, to := range map[string]string{"price": "amount", "cost": "secret", "code": "code", "gross": "gross"} {
				if !equal(r[from], after[id][to]) {
					t.Fatalf("%s: %v became %v", from, r[from], after[id][to])
				}
			}
		}
		table := tableOf(t, s, "article")
		if c, _ := table.Column("gross"); c.Formula != "amount * 1.19" {
			t.Error(c.Formula)
		}
		if c, _ := table.Column("note"); c.Default != `"price"` {
			t.Error(c.Default)
		}
		if r := table.Rules[0]; r.When != "amount <= 0.0 && (isNull(old.amount) || old.amount != amount)" || r.Do[0].Column != "amount" {
			t.Error(r)
		}
		if _, ok := s.Snapshot().Schema.Relation("article", "whole"); !ok {
			t.Error("the relation did not follow the column")
		}
		_, err := insert(root(t), s, "article", core.Record{"code": "d", "amount": "-1"})
		wantKind(t, err, core.Failed, "a price")
		_, err = insert(root(t), s, "article", core.Record{"code": "a"})
		wantKind(t, err, core.Exists)
		clerk = as(t, s, core.CallerFrom(clerk).User)
		list, err := s.Records(clerk, s.Snapshot(), Query{Table: "article"})
		must(t, err)
		if len(list) != 2 || list[0]["secret"] != nil || list[0]["amount"] == nil {
			t.Fatal(list)
		}
		if _, err := s.Records(root(t), old, Query{Table: "item"}); err != nil { // a request that began before goes on
			t.Error(err)
		}
		if again := open(t, s.db, Options{}); definitionJSON(t, tableOf(t, again, "article")) != definitionJSON(t, table) {
			t.Error("the database has another definition")
		}
		must(t, write(root(t), s, func(tx *Tx) error {
			_, err := tx.Update(root(t), Update{Table: "article", Where: ByID(ids[0]), Set: core.Record{"amount": "3.25"}})
			return err
		}))
		if was := whatHistorySays(t, s, "article", ids[0]); fmt.Sprint(was[0]["amount"], was[1]["amount"]) != "1.5 3.25" {
			t.Fatal(was)
		}
	})
}

// TestSwap21 swaps the names of two columns and of two tables in one plan.
func TestSwap21(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		stock(t, s)
		define(t, s, core.CreateTable{Define: core.Table{Name: "other", Columns: []core.Column{{Name: "x", Kind: core.Text}, {Name: "item_id", Kind: core.Lookup, Target: "item"}}}})
		before := records(t, s, "item")
		define(t, s, core.RenameColumns{Of: "item", To: map[string]string{"price": "cost", "cost": "price"}})
		for id, r := range records(t, s, "item") {
			if !equal(r["price"], before[id]["cost"]) || !equal(r["cost"], before[id]["price"]) || !equal(r["gross"], before[id]["gross"]) {
				t.Fatal(r, before[id])
			}
		}
		define(t, s, core.RenameTables{To: map[string]string{"item": "other", "other": "item"}})
		if len(records(t, s, "other")) != 3 || len(records(t, s, "item")) != 0 {
			t.Fatal("the tables did not swap")
		}
		if c, _ := tableOf(t, s, "item").Column("item_id"); c.Target != "other" {
			t.Fatal(c.Target)
		}
		wantKind(t, s.Change(root(t), core.RenameTables{To: map[string]string{"item": "other"}}), core.Exists, "already")
		wantKind(t, s.Change(root(t), core.RenameColumns{Of: "other", To: map[string]string{"price": "cost"}}), core.Exists, "already")
		wantKind(t, s.Change(root(t), core.RenameColumns{Of: "other", To: map[string]string{"version": "v"}}), core.Invalid, "every table")
	})
}

// TestRetype23 is about values that another kind cannot hold: they are counted and shown before, and nothing is lost unasked.
func TestRetype23(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{{Name: "size", Kind: core.Text}, {Name: "tag", Kind: core.Text, Unique: true}}}})
		ids := mustInsert(t, ctx, s, "item", core.Record{"size": "12", "tag": "a"}, core.Record{"size": "big"}, core.Record{}, core.Record{"size": "7.5"})
		retype := core.RetypeColumn{Of: "item", To: core.Column{Name: "size", Kind: core.Integer}}
		p, err := s.PlanChange(ctx, retype)
		must(t, err)
		step := p.Steps[0]
		if step.Lost != 2 || step.Rows != 1 || step.Lock != LockWrites || len(step.Examples) != 2 || step.Examples[0].ID != ids[1] || step.Examples[0].Value != `"big"` {
			t.Fatalf("%+v", step)
		}
		if records(t, s, "item")[string(ids[0])]["size"] != "12" {
			t.Fatal("the plan changed something")
		}
		role(t, s, "builder", authz.Grant{Action: "define_tables"})
		p, err = s.PlanChange(person(t, s, "ben", core.RootUnit, "builder"), retype)
		must(t, err)
		if len(p.Steps[0].Examples) != 0 || p.Steps[0].Lost != 2 {
			t.Fatalf("a builder without the right to read sees %+v", p.Steps[0])
		}
		wantKind(t, s.Change(ctx, retype), core.Invalid, "2 values cannot become those of the kind integer")
		retype.OnLoss = "null"
		define(t, s, retype)
		got := records(t, s, "item")
		if got[string(ids[0])]["size"] != int64(12) || got[string(ids[1])]["size"] != nil || got[string(ids[3])]["size"] != nil {
			t.Fatal(got)
		}
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "item", Where: ByID(ids[0]), Set: core.Record{"size": 13}})
			return err
		}))
		if was := whatHistorySays(t, s, "item", ids[0]); was[0]["size"] != int64(12) || was[1]["size"] != int64(13) {
			t.Fatal(was) // what was written as a text reads as a number
		}
		define(t, s, core.UndoColumn{Of: "item", Name: "size"})
		if got := records(t, s, "item"); got[string(ids[1])]["size"] != "big" || got[string(ids[0])]["size"] != "12" {
			t.Fatal(got)
		}
		define(t, s, core.UndoColumn{Of: "item", Name: "size"}) // and forth again
		if got := records(t, s, "item"); got[string(ids[0])]["size"] != int64(13) {
			t.Fatal(got)
		}
		wantKind(t, s.Change(ctx, core.RetypeColumn{Of: "item", To: core.Column{Name: "size", Kind: core.Date}}), core.Invalid, "make it a text first")
	})
}

// TestUndoAfterRestart brings a table back in another process than the one that dropped it.
func TestUndoAfterRestart(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		products := mustInsert(t, root(t), s, "product", core.Record{"title": "Tea"})
		ids := mustInsert(t, root(t), s, "purchase", core.Record{"product_id": products[0], "amount": 1})
		define(t, s, core.DropTable{Name: "purchase"})
		define(t, open(t, s.db, Options{}), core.UndoTable{Name: "purchase"})
		must(t, s.Load(t.Context()))
		if r := find(t, s, "purchase", ids[0]); r["amount"] != int64(1) || r["owner_id"] == nil {
			t.Fatal(r)
		}
		must(t, write(root(t), s, func(tx *Tx) error {
			_, err := tx.Update(root(t), Update{Table: "purchase", Where: ByID(ids[0]), Set: core.Record{"amount": 2}})
			return err
		}))
	})
}

// TestDropUndo24 drops columns and tables, and brings them back.
func TestDropUndo24(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		role(t, s, "clerk", authz.Grant{Table: "shop", Privilege: authz.Read, Level: authz.Organization, Hidden: []string{"city"}})
		clerk := core.CallerFrom(person(t, s, "clerk", core.RootUnit, "clerk")).User
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b", "city": "Oslo"})
		product := mustInsert(t, ctx, s, "product", core.Record{"title": "Tea", "sku": "t1", "shop_id": string(shops[0])})[0]

		define(t, s, core.DropColumn{Of: "shop", Name: "city"}, core.DropColumn{Of: "product", Name: "shop_id"}, core.DropColumn{Of: "product", Name: "sku"})
		mustInsert(t, ctx, s, "product", core.Record{"title": "Cup"})
		define(t, s, core.AddColumn{To: "shop", Add: core.Column{Name: "city", Kind: core.Integer}})
		mustInsert(t, ctx, s, "shop", core.Record{"code": "c", "city": 5})
		list, err := s.Records(as(t, s, clerk), s.Snapshot(), Query{Table: "shop", Where: Compare{Column: "code", Op: Eq, Value: "c"}})
		must(t, err)
		if list[0]["city"] != int64(5) {
			t.Fatal("a new column has what was granted on a dropped one", list)
		}
		wantKind(t, s.Change(ctx, core.UndoColumn{Of: "shop", Name: "city"}), core.Exists, "with as")
		define(t, s, core.UndoColumn{Of: "shop", Name: "city", As: "town"}, core.UndoColumn{Of: "product", Name: "shop_id"}, core.UndoColumn{Of: "product", Name: "sku"})
		if r := find(t, s, "shop", shops[0]); r["town"] != "Rome" || r["city"] != nil {
			t.Fatal(r)
		}
		list, err = s.Records(as(t, s, clerk), s.Snapshot(), Query{Table: "shop", Where: ByID(shops[0])})
		must(t, err)
		if list[0]["town"] != nil {
			t.Fatal("what was hidden came back for all to see")
		}
		if r := find(t, s, "product", product); r["shop_id"] != string(shops[0]) || r["sku"] != "t1" {
			t.Fatal(r)
		}
		_, err = insert(ctx, s, "product", core.Record{"title": "Mug", "sku": "t1"})
		wantKind(t, err, core.Exists, "unique")

		// What a dropped lookup leads to can be deleted, and undo finds no reference that leads nowhere.
		define(t, s, core.DropColumn{Of: "product", Name: "shop_id"})
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "shop", Where: ByID(shops[0])})
			return err
		}))
		define(t, s, core.UndoColumn{Of: "product", Name: "shop_id"})
		if r := find(t, s, "product", product); r["shop_id"] != nil {
			t.Fatal(r)
		}

		wantKind(t, s.Change(ctx, core.DropTable{Name: "shop"}), core.Invalid, "looks its records up")
		wantKind(t, s.Change(ctx, core.DropColumn{Of: "product", Name: "title"}), core.Invalid, "by_title")
		define(t, s, core.DropTable{Name: "purchase"}, core.DropColumn{Of: "product", Name: "shop_id"}, core.DropTable{Name: "shop"})
		define(t, s, core.CreateTable{Define: core.Table{Name: "shop", Columns: []core.Column{{Name: "code", Kind: core.Text}}}})
		if _, err := s.Records(as(t, s, clerk), s.Snapshot(), Query{Table: "shop"}); core.KindOf(err) != core.Denied {
			t.Fatal("a new table has what was granted on a dropped one", err)
		}
		wantKind(t, s.Change(ctx, core.UndoColumn{Of: "product", Name: "shop_id"}), core.Invalid, "dropped")
		wantKind(t, s.Change(ctx, core.UndoTable{Name: "shop"}), core.Exists, "as")
		define(t, s, core.UndoTable{Name: "shop", As: "store"}, core.UndoColumn{Of: "product", Name: "shop_id"}, core.UndoTable{Name: "purchase"})
		if len(records(t, s, "store")) != 2 || count(t, s, "purchase") != 0 {
			t.Fatal("the table did not come back whole")
		}
		if _, err := s.Records(as(t, s, clerk), s.Snapshot(), Query{Table: "store"}); err != nil {
			t.Fatal("the grants did not come back", err)
		}
		again := open(t, s.db, Options{})
		for _, name := range []string{"shop", "store", "product", "purchase"} {
			if definitionJSON(t, tableOf(t, again, name)) != definitionJSON(t, tableOf(t, s, name)) {
				t.Error(name + " is another one after a restart")
			}
		}
	})
}

// TestPurge deletes for good what was dropped; names that history uses are not used again.
func TestPurge(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		id := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"})[0]
		mustInsert(t, ctx, s, "product", core.Record{"title": "Tea", "shop_id": string(id), "sku": "x"})
		define(t, s, core.DropTable{Name: "purchase"}, core.DropColumn{Of: "product", Name: "shop_id"}, core.DropColumn{Of: "product", Name: "sku"},
			core.DropColumn{Of: "shop", Name: "city"}, core.DropTable{Name: "shop"})
		must(t, s.PurgeDropped(ctx, time.Hour))
		if n := len(s.Snapshot().Schema.Dropped()); n != 2 {
			t.Fatalf("%d dropped tables are left", n)
		}
		must(t, s.PurgeDropped(ctx, -time.Hour))
		wantKind(t, s.Change(ctx, core.UndoTable{Name: "shop"}), core.NotFound)
		wantKind(t, s.Change(ctx, core.UndoColumn{Of: "product", Name: "sku"}), core.NotFound)
		wantKind(t, s.Change(ctx, core.UndoColumn{Of: "product", Name: "shop_id"}), core.NotFound)
		define(t, s, core.CreateTable{Define: core.Table{Name: "shop", Columns: []core.Column{{Name: "code", Kind: core.Text}}}}, core.AddColumn{To: "product", Add: core.Column{Name: "sku", Kind: core.Integer}})
		c, _ := tableOf(t, s, "product").Column("sku")
		if tableOf(t, s, "shop").SQL() != "shop__2" || c.SQL() != "sku__2" {
			t.Fatal("a physical name was used again")
		}
		mustInsert(t, ctx, s, "product", core.Record{"title": "Cup", "sku": 5})
	})
}

// TestRequired makes a column required and not: records without a value are counted, and get one.
func TestRequired(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b"})
		on := core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"required": true}}
		p, err := s.PlanChange(ctx, on)
		must(t, err)
		if !strings.Contains(p.Steps[0].What, "no value in 1 record") {
			t.Fatalf("%+v", p.Steps)
		}
		wantKind(t, s.Change(ctx, on), core.Invalid, "no value in 1 record", "backfill")
		on.Backfill = "Oslo"
		define(t, s, on)
		if r := find(t, s, "shop", ids[1]); r["city"] != "Oslo" {
			t.Fatal(r)
		}
		_, err = insert(ctx, s, "shop", core.Record{"code": "c"})
		wantKind(t, err, core.Invalid, "required")
		define(t, s, core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"required": nil, "doc": "Where it is.", "max_length": 4}})
		mustInsert(t, ctx, s, "shop", core.Record{"code": "c"})
		_, err = insert(ctx, s, "shop", core.Record{"code": "d", "city": "Berlin"})
		wantKind(t, err, core.Invalid)
		mustInsert(t, ctx, s, "shop", core.Record{"code": "e", "city": "Oslo"})
		wantKind(t, s.Change(ctx, core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"unique": true}}), core.Exists, "same values")
		p, err = s.PlanChange(ctx, core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"unique": true}})
		must(t, err)
		if !strings.Contains(p.Steps[0].What, "2 records have the same values") {
			t.Fatalf("%+v", p.Steps)
		}
		wantKind(t, s.Change(ctx, core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"kind": "integer"}}), core.Invalid, "a change of its own")
		wantKind(t, s.Change(ctx, core.AlterColumn{Of: "shop", Column: "city", Set: map[string]any{"colour": "red"}}), core.Invalid, "colour")
		define(t, s, core.AlterColumn{Of: "product", Column: "shop_id", Set: map[string]any{"on_delete": "cascade", "relation": "sold_in", "inverse": "range"}})
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Insert(ctx, Insert{Table: "product", Rows: []core.Record{{"title": "Tea", "shop_id": string(ids[0])}}})
			if err == nil {
				_, err = tx.Delete(ctx, Remove{Table: "shop", Where: ByID(ids[0])})
			}
			return err
		}))
		if count(t, s, "product") != 0 {
			t.Fatal("the lookup does not cascade")
		}
	})
}

// TestOwnership gives the records of a table to users and takes them back.
func TestOwnership(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		role(t, s, "clerk", grant("shop", authz.Organization, nil, authz.Read, authz.Create)...)
		ann := person(t, s, "ann", unit(t, s, "north", core.RootUnit), "clerk")
		byAnn := mustInsert(t, ann, s, "shop", core.Record{"code": "a"})[0]
		bySystem := mustInsert(t, ctx, s, "shop", core.Record{"code": "b"})[0]
		define(t, s, core.SetOwnership{Of: "shop", To: core.UserOwned})
		a, b := find(t, s, "shop", byAnn), find(t, s, "shop", bySystem)
		if a["owner_id"] != string(core.CallerFrom(ann).User) || a["unit_id"] != string(core.CallerFrom(ann).Unit) || b["owner_id"] != string(core.SystemID) || b["unit_id"] != string(core.RootUnit) {
			t.Fatal(a, b)
		}
		role(t, s, "own", authz.Grant{Table: "shop", Privilege: authz.Read, Level: authz.Own})
		wantKind(t, s.Change(ctx, core.SetOwnership{Of: "shop", To: core.OrgOwned}), core.Invalid, "own")
		must(t, s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
			return tx.ChangePolicy(ctx, func() error {
				return authz.DropGrant(tx.DB().Gorm(ctx), authz.Grant{Role: "own", Table: "shop", Privilege: authz.Read, Level: authz.Own})
			})
		}))
		define(t, s, core.SetOwnership{Of: "shop", To: core.OrgOwned})
		mustInsert(t, ctx, s, "shop", core.Record{"code": "c"})
		define(t, s, core.SetOwnership{Of: "shop", To: core.UserOwned, Owner: core.CallerFrom(ann).User})
		owners := map[any]int{}
		for _, r := range records(t, s, "shop") {
			owners[r["owner_id"]]++
		}
		if owners[string(core.CallerFrom(ann).User)] != 2 || owners[string(core.SystemID)] != 1 {
			t.Fatal(owners) // who had an owner keeps it
		}
	})
}

// TestDependants shows what names a column, and refuses to take away what something names.
func TestDependants(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		stock(t, s)
		p, err := s.PlanChange(root(t), core.RenameColumns{Of: "item", To: map[string]string{"price": "amount"}})
		must(t, err)
		var got []string
		for _, d := range p.Dependants {
			got = append(got, d.Kind+" "+d.Name+" "+d.Effect)
		}
		want := []string{"role clerk follows", "formula gross follows", "index dearest follows", "rule no gifts follows"}
		if !slices.Equal(slices.Compact(got), want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if len(p.Steps) != 0 || len(p.Statements) != 0 {
			t.Fatalf("a rename does %v, %v", p.Steps, p.Statements)
		}
		drop := []core.Change{core.DropPart{Part: core.PartIndex, Of: "item", Name: "dearest"}, core.DropColumn{Of: "item", Name: "price"}}
		_, err = s.PlanChange(root(t), drop...)
		wantKind(t, err, core.Invalid, "the formula of gross of item", "the rule no gifts of item", "a condition of the role clerk")
		define(t, s, core.DropPart{Part: core.PartIndex, Of: "item", Name: "dearest"}, core.UndoPart{Part: core.PartIndex, Of: "item", Name: "dearest"},
			core.RenamePart{Part: core.PartIndex, Of: "item", Name: "dearest", To: "by_price"}, core.RenamePart{Part: core.PartKey, Of: "item", Name: "by_code", To: "code_key"}, core.RenamePart{Part: core.PartRule, Of: "item", Name: "no gifts", To: "gifts"})
		_, err = insert(root(t), s, "item", core.Record{"code": "a"})
		wantKind(t, err, core.Exists)
	})
}

// TestDependantsOfLookups drops a lookup that expressions follow to other records, and never name.
func TestDependantsOfLookups(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "client", Columns: []core.Column{{Name: "region", Kind: core.Text}}}},
			core.CreateTable{Define: core.Table{Name: "deal", Columns: []core.Column{{Name: "client_id", Kind: core.Lookup, Target: "client", Inverse: "deals"}, {Name: "area", Kind: core.Text, Formula: "client.region"}, {Name: "place", Kind: core.Text, Default: "coalesce(client.region, 'nowhere')"}},
				Rules: []core.Rule{{Name: "north", When: "old.client.region == 'north'", Do: []core.Deed{{Do: "fail", Message: "{client.region} is closed"}}}}}},
			core.AddColumn{To: "client", Add: core.Column{Name: "deal_count", Kind: core.Integer, Formula: "deals.count()"}})
		role(t, s, "clerk", authz.Grant{Table: "deal", Privilege: authz.Read, Level: authz.Organization, Condition: "client.region == 'south'"})
		_, err := s.PlanChange(root(t), core.DropColumn{Of: "deal", Name: "client_id"})
		wantKind(t, err, core.Invalid, "the formula of area of deal follows client_id", "the default of place of deal follows client_id", "the rule north of deal follows client_id", "a condition of the role clerk follows client_id", "the formula of deal_count of client names deal.client_id")
		p, err := s.PlanChange(root(t), core.RenameColumns{Of: "deal", To: map[string]string{"client_id": "buyer_id"}})
		must(t, err)
		var got []string
		for _, d := range p.Dependants {
			got = append(got, d.Kind+" "+d.Name+" "+d.Effect)
		}
		want := []string{"role clerk follows", "default place follows", "formula area follows", "formula client.deal_count follows", "rule north follows"}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}
