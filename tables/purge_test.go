package tables

import (
	"context"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func purge(ctx context.Context, s *Store, p Purge) (out Purged, err error) {
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		out, err = tx.Purge(ctx, p)
		return err
	})
	return out, err
}

func removeAll(t testing.TB, ctx context.Context, s *Store, table string, ids ...core.ID) {
	t.Helper()
	must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Delete(ctx, Remove{Table: table, Where: ByID(ids...)})
		return err
	}))
}

func versionsIn(t testing.TB, s *Store, id core.ID) (n int64) {
	t.Helper()
	must(t, s.db.Query(t.Context(), newBuilder(s).Write(`SELECT count(*) FROM "_history" WHERE record_id = `).Arg(id), func(scan func(...any) error) error { return scan(&n) }))
	return n
}

// TestPurgeRecords deletes records for good, with what went with them, and looks what is left.
func TestPurgeRecords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		product := mustInsert(t, ctx, s, "product", core.Record{"title": "tea", "sku": "1", "stock": 1}, core.Record{"title": "cup", "sku": "2", "stock": 2})
		bought := mustInsert(t, ctx, s, "purchase", core.Record{"product_id": string(product[0]), "amount": 1}, core.Record{"product_id": string(product[0]), "amount": 2})
		twin := mustInsert(t, ctx, s, "product", core.Record{"title": "mug", "sku": "3", "stock": 3, "twin_id": string(product[0])})
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(product[0]), Set: core.Record{"title": "green tea"}})
			return err
		}))
		before, err := s.Changes(ctx, s.Snapshot(), Feed{Table: "product"})
		must(t, err)
		elsewhere, err := s.Changes(ctx, s.Snapshot(), Feed{Table: "shop"})
		must(t, err)
		_, err = purge(ctx, s, Purge{Table: "product", IDs: product[:1]})
		wantKind(t, err, core.NotFound, "there is no deleted record")
		removeAll(t, ctx, s, "product", product[0])
		sealTo(t, s)
		after, err := s.Changes(ctx, s.Snapshot(), Feed{Table: "product"})
		must(t, err)

		// A preview counts and does nothing.
		want := map[string]Erased{"product": {1, 3}, "purchase": {2, 4}}
		for _, dry := range []bool{true, false} {
			out, err := purge(ctx, s, Purge{Table: "product", IDs: product[:1], DryRun: dry})
			must(t, err)
			if len(out.Tables) != 2 || out.Tables["product"] != want["product"] || out.Tables["purchase"] != want["purchase"] || (out.ID == "") != dry {
				t.Fatalf("%+v", out)
			}
			left := int64(0)
			if dry {
				left = 3
			}
			if n := versionsIn(t, s, product[0]); n != left {
				t.Fatalf("%d versions", n)
			}
		}
		if n := versionsIn(t, s, bought[0]) + versionsIn(t, s, bought[1]) + int64(rowsOf(t, s, "_deletion")); n != 0 {
			t.Fatalf("%d rows are left", n)
		}
		if out := mustVerify(t, s); out.Erased != 7 || out.Versions != 3 {
			t.Fatalf("%+v", out)
		}
		err = write(ctx, s, func(tx *Tx) error { _, err := tx.Restore(ctx, "product", product[0]); return err })
		wantKind(t, err, core.NotFound)

		// Who follows changes and has not seen the delete reads the table anew; others go on.
		_, err = s.Changes(ctx, s.Snapshot(), Feed{Table: "product", Since: before.Cursor})
		wantKind(t, err, core.Invalid, "read the table anew")
		_, err = s.Changes(ctx, s.Snapshot(), Feed{Table: "shop", Since: elsewhere.Cursor})
		must(t, err)
		_, err = s.Changes(ctx, s.Snapshot(), Feed{Table: "product", Since: after.Cursor})
		must(t, err)
		seen, since := 0, FeedStart
		for more := true; more; {
			page, err := s.Changes(ctx, s.Snapshot(), Feed{Table: "product", Since: since, Limit: 1})
			must(t, err)
			for _, c := range page.Changes {
				if c["id"] == string(product[0]) {
					t.Fatalf("purged, and told: %v", c)
				}
				seen++
			}
			since, more = page.Cursor, page.More
		}
		if seen != 3 {
			t.Fatalf("%d changes of the others", seen)
		}

		// The id can be used again.
		mustInsert(t, ctx, s, "product", core.Record{"id": string(product[0]), "title": "tea", "sku": "1", "stock": 1})
		removeAll(t, ctx, s, "product", product[0])
		sealTo(t, s)
		mustVerify(t, s)
		_, err = purge(ctx, s, Purge{Table: "product", IDs: product[:1]})
		must(t, err)
		sealTo(t, s)
		if out := mustVerify(t, s); out.Erased != 9 {
			t.Fatalf("%+v", out)
		}
		tamper(t, s, `DELETE FROM "_history" WHERE record_id = '`+string(twin[0])+`' AND version = 1`)
		out, err := s.Verify(t.Context(), Verify{})
		must(t, err)
		if out.Count != 1 || out.Problems[0].Kind != ProblemRemoved {
			t.Fatalf("a removal is no purge: %+v", out.Problems)
		}
	})
}

// TestPurgeRights asks for the right to purge and for rights over the records, and counts only what may be read.
func TestPurgeRights(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		role(t, s, "purger", append(grant("product", authz.Own, nil, authz.Read, authz.Delete), authz.Grant{Action: "purge_records"})...)
		role(t, s, "clerk", grant("product", authz.Organization, nil, authz.Create, authz.Read, authz.Delete)...)
		ann, bob := person(t, s, "ann", core.RootUnit, "purger"), person(t, s, "bob", core.RootUnit, "clerk")
		own := mustInsert(t, ctx, s, "product", core.Record{"title": "a", "stock": 1, "owner_id": string(core.CallerFrom(ann).User)}, core.Record{"title": "b", "stock": 2})
		mustInsert(t, ctx, s, "purchase", core.Record{"product_id": string(own[0])})
		removeAll(t, ctx, s, "product", own...)
		sealTo(t, s)
		_, err := purge(bob, s, Purge{Table: "product", IDs: own[:1]})
		wantKind(t, err, core.Denied, "purge records")
		_, err = purge(ann, s, Purge{Table: "product", IDs: own[1:]})
		wantKind(t, err, core.NotFound)
		out, err := purge(ann, s, Purge{Table: "product", IDs: own[:1]})
		must(t, err)
		if len(out.Tables) != 1 || out.Tables["product"] != (Erased{1, 2}) {
			t.Fatalf("%+v", out)
		}
		if n := rowsOf(t, s, "_history"); n != 2 {
			t.Fatalf("%d versions are left", n)
		}
		mustVerify(t, s)
	})
}

// TestPurgeWaits refuses to purge what a reader of events has not come to, and what is part of a merge takes the merge along.
func TestPurgeWaits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		var merged Merged
		must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
			merged, err = tx.Merge(ctx, Merge{Table: "shop", Winner: ids[0], Losers: ids[1:]})
			return err
		}))
		move := func(from, to Cursor) {
			must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { return tx.MoveCursor(ctx, "reader", from, to) }))
		}
		sealTo(t, s)
		move(Cursor{}, Cursor{Seq: 1})
		_, err := purge(ctx, s, Purge{Table: "shop", IDs: ids[1:]})
		wantKind(t, err, core.Conflict, "try again")
		end, err := s.LastEvent(ctx, Cursor{})
		must(t, err)
		move(Cursor{Seq: 1}, end)
		_, err = purge(ctx, s, Purge{Table: "shop", IDs: ids[1:]})
		must(t, err)
		err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { _, err := tx.Unmerge(ctx, "shop", merged.ID); return err })
		wantKind(t, err, core.NotFound)
		mustVerify(t, s)
	})
}

// TestSealWithin seals within a unit of work that has written, and goes on to write: what others have done since it began comes behind it
// in the stream of events, and is sealed later. A reader in the unit of work passes over nothing of it either.
func TestSealWithin(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		add := func(ctx context.Context, tx *Tx, code string) error {
			_, err := tx.Insert(ctx, Insert{Table: "shop", Rows: []core.Record{{"code": code}}})
			return err
		}
		sealTo(t, s)
		var seen Cursor
		must(t, s.Tx(ctx, TxOptions{}, func(inside context.Context, tx *Tx) error {
			if err := add(inside, tx, "before"); err != nil {
				return err
			}
			if s.db.Name() == "postgres" { // SQLite has one writer
				mustInsert(t, ctx, s, "shop", core.Record{"code": "other"})
			}
			if _, err := s.Seal(inside); err != nil {
				return err
			}
			var err error
			if seen, err = s.LastEvent(inside, Cursor{}); err != nil {
				return err
			}
			return add(inside, tx, "after")
		}))
		mustVerify(t, s)
		end, err := s.LastEvent(ctx, Cursor{})
		must(t, err)
		events, _, err := s.Events(ctx, s.Snapshot(), seen, 10)
		must(t, err)
		want := 1
		if s.db.Name() == "postgres" {
			want = 2
		}
		if len(events) != want || end == seen {
			t.Errorf("%d events follow those that the unit of work has seen, want %d", len(events), want)
		}
	})
}
