package tables

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// in is a moment so many days from now.
func in(days int) time.Time { return time.Now().AddDate(0, 0, days) }

// retain drops what need not be kept at the moment, with all seals looked at.
func retain(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	sealTo(t, s)
	for after := int64(-1); after != 0; {
		var err error
		after, err = s.Retain(root(t), now, max(after, 0))
		must(t, err)
	}
	sealTo(t, s)
}

func versionsOf(t *testing.T, s *Store, table string, id core.ID) (out []int64) {
	t.Helper()
	list, err := s.History(root(t), s.Snapshot(), History{Table: table, ID: id})
	must(t, err)
	for _, v := range list {
		out = append(out, v["version"].(int64))
	}
	return out
}

// TestRetention drops what the settings of a table say, no earlier, and keeps what is needed.
func TestRetention(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{KeepEvents: 10 * 24 * time.Hour}), root(t)
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "shop", Set: map[string]any{"retention": map[string]any{"history_days": 30, "bin_days": 60}}})
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		moment := time.Now()
		for _, city := range []string{"Oslo", "Rome", "Bern"} {
			must(t, write(ctx, s, func(tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "shop", Where: ByID(ids...), Set: core.Record{"city": city}})
				return err
			}))
		}
		removeAll(t, ctx, s, "shop", ids[1])
		sealTo(t, s)
		cursor, err := s.Changes(ctx, s.Snapshot(), Feed{Table: "shop", Since: FeedStart, Limit: 1})
		must(t, err)
		asOf := func() error {
			_, err := s.Query(ctx, s.Snapshot(), Query{Table: "shop", At: moment, Fields: []Field{{As: "id", Column: "id"}}}, nil)
			return err
		}
		follow := func() error {
			_, err := s.Changes(ctx, s.Snapshot(), Feed{Table: "shop", Since: cursor.Cursor})
			return err
		}
		want := func(now time.Time, a, b string) {
			t.Helper()
			retain(t, s, now)
			if x, y := fmt.Sprint(versionsOf(t, s, "shop", ids[0])), fmt.Sprint(versionsOf(t, s, "shop", ids[1])); x != a || y != b {
				t.Fatalf("%s %s, want %s %s", x, y, a, b)
			}
			mustVerify(t, s)
		}
		want(in(5), "[4 3 2 1]", "[5 4 3 2 1]")
		must(t, asOf())
		must(t, follow())
		want(in(20), "[4 3 2 1]", "[5 4 3 2 1]") // events are gone, history is not
		must(t, asOf())
		wantKind(t, follow(), core.Invalid, "read the table anew")
		if n := rowsOf(t, s, "_event"); n != 0 {
			t.Fatalf("%d events", n)
		}
		want(in(40), "[4]", "[5 4]") // and the deleted record can still be restored
		wantKind(t, asOf(), core.Invalid, "kept since")
		deleted, err := s.Deleted(ctx, s.Snapshot(), Query{Table: "shop"})
		must(t, err)
		if len(deleted) != 1 {
			t.Fatalf("%v", deleted)
		}
		want(in(70), "[4]", "[]")
		want(in(70), "[4]", "[]")
		out, err := s.auditEntries(ctx, auditRetention, 1000, 100)
		must(t, err)
		if len(out) == 0 {
			t.Fatal("the audit does not tell")
		}
	})
}

// TestRetentionVersions keeps a number of versions, and nothing that an event tells of is dropped.
func TestRetentionVersions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"})
		for i := range 5 {
			must(t, write(ctx, s, func(tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "shop", Where: ByID(ids...), Set: core.Record{"city": fmt.Sprint(i)}})
				return err
			}))
		}
		set := core.AlterTable{Of: "shop", Set: map[string]any{"retention": map[string]any{"history_versions": 2}}}
		plan, err := s.PlanChange(ctx, set)
		must(t, err)
		if len(plan.Steps) != 1 || plan.Steps[0].Lost != 4 {
			t.Fatalf("%+v", plan.Steps)
		}
		define(t, s, set)
		retain(t, s, in(1))
		if v := fmt.Sprint(versionsOf(t, s, "shop", ids[0])); v != "[6 5 4 3 2 1]" {
			t.Fatal("a cursor of today needs them", v)
		}
		retain(t, s, in(31))
		if v := fmt.Sprint(versionsOf(t, s, "shop", ids[0])); v != "[6 5]" {
			t.Fatal(v)
		}
		mustVerify(t, s)
		err = s.Change(ctx, core.AlterTable{Of: "shop", Set: map[string]any{"retention": map[string]any{"history_days": -1}}})
		wantKind(t, err, core.Invalid, "history_days")
		err = s.Change(ctx, core.AlterTable{Of: "shop", Set: map[string]any{"retention": map[string]any{"days": 1}}})
		wantKind(t, err, core.Invalid, "days")
	})
}

// TestRetentionImport does not take a record for one that an import created because its earlier versions were dropped.
func TestRetentionImport(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "shop", Set: map[string]any{"retention": map[string]any{"history_versions": 1}}})
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"})
		batch := core.NewID()
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Update(core.WithCaller(ctx, because(core.CallerFrom(ctx), "import", batch)), Update{Table: "shop", Where: ByID(ids...), Set: core.Record{"city": "Oslo"}})
			return err
		}))
		retain(t, s, in(31))
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			out, err := tx.UndoImport(ctx, "shop", batch, "", 10)
			if err == nil && (len(out.Kept) != 1 || out.Deleted+out.Restored != 0) {
				t.Errorf("%+v", out)
			}
			return err
		}))
		find(t, s, "shop", ids[0])
		mustVerify(t, s)
	})
}

// TestErasures writes, deletes, restores, merges, purges and drops at random, and verifies after each.
func TestErasures(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{KeepEvents: 10 * 24 * time.Hour}), root(t)
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"retention": map[string]any{"history_days": 30, "history_versions": 3, "bin_days": 90}}})
		random := rand.New(rand.NewPCG(3, 4))
		var ids []core.ID
		some := func() core.ID { return ids[random.IntN(len(ids))] }
		for i := range 60 {
			var err error
			switch n := random.IntN(12); {
			case n < 3 || len(ids) < 4:
				ids = append(ids, mustInsert(t, ctx, s, "product", core.Record{"title": fmt.Sprint(i), "stock": i}, core.Record{"title": fmt.Sprint(i, "b"), "stock": i})...)
				mustInsert(t, ctx, s, "purchase", core.Record{"product_id": string(ids[len(ids)-1]), "amount": i})
			case n < 6:
				err = write(ctx, s, func(tx *Tx) error {
					_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(some(), some()), Set: core.Record{"cost": fmt.Sprint(i)}})
					return err
				})
			case n < 8:
				removeAll(t, ctx, s, "product", some())
			case n == 8:
				err = write(ctx, s, func(tx *Tx) error { _, err := tx.Restore(ctx, "product", some()); return err })
			case n == 9:
				err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
					_, err := tx.Merge(ctx, Merge{Table: "product", Winner: some(), Losers: []core.ID{some()}})
					return err
				})
			case n == 10:
				sealTo(t, s)
				_, err = purge(ctx, s, Purge{Table: "product", IDs: []core.ID{some()}})
			default:
				retain(t, s, in(random.IntN(200)))
			}
			switch core.KindOf(err) {
			case core.NotFound, core.Invalid, core.Exists: // records that are not there, or not gone, or keys that are taken
			default:
				must(t, err)
			}
			mustVerify(t, s)
		}
		retain(t, s, in(400))
		if out := mustVerify(t, s); out.Erased == 0 {
			t.Fatal("nothing was erased")
		}
	})
}

// TestVerifyDroppedEvents tells events that were dropped from events that somebody removed.
func TestVerifyDroppedEvents(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"}, core.Record{"code": "c"})
		sealTo(t, s)
		if n, err := s.DropEvents(ctx, -time.Hour); err != nil || n != 3 {
			t.Fatal(n, err)
		}
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "d"}, core.Record{"code": "e"})
		sealTo(t, s)
		mustVerify(t, s)
		tamper(t, s, `DELETE FROM "_event" WHERE record_id = '`+string(ids[0])+`'`)
		out, err := s.Verify(t.Context(), Verify{})
		must(t, err)
		if out.Count != 1 || out.Problems[0].Kind != ProblemEvent || out.Problems[0].ID != ids[0] {
			t.Fatalf("%+v", out.Problems)
		}
	})
}
