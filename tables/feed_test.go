package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func changes(t *testing.T, ctx context.Context, s *Store, f Feed) FeedPage {
	t.Helper()
	p, err := s.Changes(ctx, s.Snapshot(), f)
	must(t, err)
	return p
}

// TestFeedMissesNothing reads the feed while many write, from a new reader at random, and sees each version once and those of
// a record in their order.
func TestFeedMissesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		random := rand.New(rand.NewPCG(seedOf(t), 3))
		cursor := changes(t, ctx, s, Feed{Table: "shop"}).Cursor
		const writers, each = 4, 25
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					ids, err := insert(ctx, s, "shop", core.Record{"code": fmt.Sprintf("%d-%d", w, i)})
					if err == nil && i%2 == 0 {
						err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
							_, err := tx.Update(ctx, Update{Table: "shop", Where: ByID(ids.IDs...), Set: core.Record{"city": "Rome"}})
							return err
						})
					}
					if err == nil && i%4 == 0 {
						err = remove(ctx, s, "shop", ids.IDs...)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		const want = writers * (each + (each+1)/2 + (each+3)/4)
		last, n := map[any]int64{}, 0
		for over := false; n < want; {
			f := Feed{Table: "shop", Since: cursor, Limit: 1 + random.IntN(20)}
			page := changes(t, ctx, s, f)
			if random.IntN(4) == 0 {
				continue // this reader was lost, and another begins at its last cursor
			}
			cursor = page.Cursor
			for _, c := range page.Changes {
				if c["version"].(int64) != last[c["id"]]+1 {
					t.Fatalf("version %v of %v after %d", c["version"], c["id"], last[c["id"]])
				}
				last[c["id"]]++
				n++
			}
			select {
			case <-done:
				if over && len(page.Changes) == 0 && s.db.Name() == "sqlite" { // others keep PostgreSQL's horizon back for a while
					t.Fatalf("%d changes, want %d", n, want)
				}
				over = true
			default:
			}
		}
	})
}

// TestAttackA06Feed follows records into reach and out of it, and past what hides columns.
func TestAttackA06Feed(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		grants := grant("product", authz.Own, []string{"cost", "updated_by"}, authz.Read, authz.Create, authz.Update)
		role(t, s, "own", grants...)
		ann, bob := person(t, s, "ann", core.RootUnit, "own"), person(t, s, "bob", core.RootUnit, "own")
		bobID := string(core.CallerFrom(bob).User)
		annID := string(core.CallerFrom(ann).User)
		set := func(id core.ID, r core.Record) {
			t.Helper()
			must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: r})
				return err
			}))
		}
		since := changes(t, ann, s, Feed{Table: "product"}).Cursor
		id := mustInsert(t, ann, s, "product", core.Record{"title": "one", "price": "1"})[0]
		set(id, core.Record{"cost": "5"})
		told := func(who context.Context, f Feed) string {
			t.Helper()
			f.Table, f.Since = "product", since
			waitEvents(t, s, Cursor{}, rowsOf(t, s, "_event"))
			var out []string
			for _, c := range changes(t, who, s, f).Changes {
				if c["actor"] != nil {
					t.Fatal("the actor is hidden")
				}
				line := fmt.Sprint(c["op"], " ", c["version"])
				for _, side := range []string{"before", "after"} {
					raw, ok := c[side].(json.RawMessage)
					if !ok {
						continue
					}
					var r map[string]any
					must(t, json.Unmarshal(raw, &r))
					if _, ok := r["cost"]; ok {
						t.Fatal("the cost is hidden")
					}
					line += fmt.Sprintf(" %s=%v", side, r["title"])
				}
				out = append(out, line)
			}
			return strings.Join(out, "; ")
		}
		want := func(who context.Context, f Feed, want string) {
			t.Helper()
			if got := told(who, f); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
		want(ann, Feed{}, "create 1 after=one; update 2 before=one after=one")
		want(bob, Feed{}, "")
		set(id, core.Record{"title": "two"})
		named := Feed{Where: Compare{Column: "title", Op: Eq, Value: "two"}}
		want(ann, named, "create 3 after=two")
		wantKind(t, func() error {
			_, err := s.Changes(ann, s.Snapshot(), Feed{Table: "product", Since: since, Where: Compare{Column: "cost", Op: Gt, Value: 1}})
			return err
		}(), core.Invalid, "no such column")
		set(id, core.Record{"owner_id": bobID, "title": "secret"})
		want(ann, Feed{}, "delete 4")
		want(bob, Feed{}, "create 4 after=secret")
		set(id, core.Record{"owner_id": annID, "title": "back"})
		want(ann, Feed{}, "create 1 after=one; update 2 before=one after=one; update 3 before=one after=two; delete 4 before=two; create 5 after=back")
		want(bob, Feed{}, "delete 5")
		must(t, remove(root(t), s, "product", id))
		want(ann, Feed{Limit: 100, Where: Compare{Column: "title", Op: Eq, Value: "back"}}, "create 5 after=back; delete 6 before=back")

		_, err := s.Changes(ann, s.Snapshot(), Feed{Table: "product", Since: since[:len(since)-2] + "xx"})
		wantKind(t, err, core.Invalid, "no cursor")
		_, err = s.Changes(root(t), s.Snapshot(), Feed{Table: "shop", Since: since})
		wantKind(t, err, core.Invalid, "no cursor")
		_, err = s.Changes(ann, s.Snapshot(), Feed{Table: "shop"})
		wantKind(t, err, core.Denied)
		if n := len(changes(t, root(t), s, Feed{Table: "product", Since: FeedStart}).Changes); n != 6 {
			t.Fatalf("%d changes from the start", n)
		}
		_, err = s.DropEvents(t.Context(), -1)
		must(t, err)
		_, err = s.Changes(ann, s.Snapshot(), Feed{Table: "product", Since: since})
		wantKind(t, err, core.Invalid, "does not reach back")
		restoreEvents(t, s)
	})
}

// TestHistoryShowsWhatMayBeSeen hides versions of other owners, and all versions of a record that is another's now.
func TestHistoryShowsWhatMayBeSeen(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "own", grant("product", authz.Own, nil, authz.Read, authz.Create, authz.Update)...)
		ann, bob := person(t, s, "ann", core.RootUnit, "own"), person(t, s, "bob", core.RootUnit, "own")
		id := mustInsert(t, ann, s, "product", core.Record{"title": "secret of ann"})[0]
		give := func(to context.Context, title string) {
			must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Set: core.Record{"title": title, "owner_id": string(core.CallerFrom(to).User)}})
				return err
			}))
		}
		give(bob, "of bob")
		versions := func(who context.Context) string {
			found, err := s.History(who, s.Snapshot(), History{Table: "product", ID: id})
			must(t, err)
			out := ""
			for _, v := range found {
				out += fmt.Sprint(v["version"], " ")
				if who == bob && strings.Contains(fmt.Sprint(v["changes"]), "ann") {
					t.Fatalf("%v", v)
				}
			}
			return out
		}
		if a, b := versions(ann), versions(bob); a != "" || b != "2 " {
			t.Fatalf("ann sees %q, bob %q", a, b)
		}
		err := s.Tx(bob, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.RestoreVersion(ctx, "product", id, 1, 0)
			return err
		})
		wantKind(t, err, core.NotFound, "no version 1")
		give(ann, "again")
		if a, b := versions(ann), versions(bob); a != "3 1 " || b != "" {
			t.Fatalf("ann sees %q, bob %q", a, b)
		}
		must(t, remove(root(t), s, "product", id))
		if a, b := versions(ann), versions(bob); a != "4 3 1 " || b != "" {
			t.Fatalf("ann sees %q, bob %q", a, b)
		}
	})
}

// TestEventsOfOtherDatabases holds a transaction open that has written: in another database of the server it holds no event up, in
// this one it does.
func TestEventsOfOtherDatabases(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip(dbtest.PostgresEnv + " is not set")
	}
	here := dbtest.Postgres(t)
	s := open(t, here, Options{})
	define(t, s, core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{{Name: "name", Kind: core.Text}}}})
	check := func(want, wantHeld int) {
		t.Helper()
		events, end, err := s.Events(t.Context(), s.Snapshot(), Cursor{}, 100)
		must(t, err)
		held, err := s.HeldEvents(t.Context())
		must(t, err)
		last, err := s.LastEvent(t.Context(), Cursor{})
		must(t, err)
		if len(events) != want || int(held) != wantHeld || last != end {
			t.Errorf("%d events up to %v, %d are held up, and the last is %v; want %d and %d", len(events), end, held, last, want, wantHeld)
		}
	}
	for i, d := range []*db.DB{dbtest.Postgres(t), here} {
		_, err := d.Exec(t.Context(), db.New(d.Dialect).Write("CREATE TABLE long (n int)"))
		must(t, err)
		must(t, d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
			if _, err := tx.Exec(t.Context(), db.New(d.Dialect).Write("INSERT INTO long VALUES (1)")); err != nil {
				return err
			}
			mustInsert(t, root(t), s, "item", core.Record{"name": fmt.Sprint(i)})
			check(1, i)
			return nil
		}))
	}
	check(2, 0)
}
