package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"colonnade/core"
)

// page is what a list answers in these tests.
type pageRow struct {
	ID     string `json:"id"`
	Cursor string `json:"c"`
}

func readPage(t *testing.T, ctx context.Context, s *Store, q Query) []pageRow {
	t.Helper()
	q.Fields = []Field{{As: "id", Column: "id"}, {As: "c", Cursor: true}}
	raw, err := s.Query(ctx, s.Snapshot(), q, nil)
	must(t, err)
	var out []pageRow
	must(t, json.Unmarshal(raw, &out))
	return out
}

// TestPages walks through lists in random orders by cursors, forward and back, while records come and go: every record that is there all
// the time is seen once, in the order of the list.
func TestPages(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		r := rand.New(rand.NewPCG(1, 2))
		maybe := func(v any) any {
			if r.IntN(4) == 0 {
				return nil
			}
			return v
		}
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b"}, core.Record{"code": "c", "city": "Bonn"})
		n := 0
		product := func() core.Record {
			n++
			return core.Record{"title": fmt.Sprintf("%c%d", 'a'+rune(r.IntN(3)), n), "price": maybe(fmt.Sprintf("%d.5", r.IntN(3))), "stock": maybe(r.IntN(3)),
				"cost": maybe(fmt.Sprintf("-%d", r.IntN(3))), "shop_id": maybe(string(shops[r.IntN(3)]))}
		}
		for range 30 {
			mustInsert(t, ctx, s, "product", product())
		}
		terms := []Order{
			{Column: "price"}, {Column: "stock"}, {Column: "cost"}, {Column: "gross"}, {Column: "title"}, {Column: "created_at"}, {Column: "city", Relation: []string{"shop"}}, {Column: "id"},
			{Children: "purchase", Func: "count"}, {Children: "parts", Func: "max", Column: "price"}, {Column: "version"},
		}
		for range 25 {
			q := Query{Table: "product", Limit: 7}
			if r.IntN(3) == 0 {
				q.Where = Compare{Column: "stock", Op: IsNull, Value: false}
			}
			for range r.IntN(4) {
				o := terms[r.IntN(len(terms))]
				o.Desc, o.NullsSet, o.NullsFirst = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
				q.Order = append(q.Order, o)
			}
			if len(q.Order) > 0 && q.Order[0].plain() && r.IntN(4) == 0 {
				q.Distinct = []string{q.Order[0].Column}
			}
			all := q
			all.Limit = 1000
			want := readPage(t, ctx, s, all)
			var forward []pageRow
			next := q
			for {
				page := readPage(t, ctx, s, next)
				if len(page) == 0 {
					break
				}
				forward = append(forward, page...)
				next.After = page[len(page)-1].Cursor
				if len(q.Distinct) == 0 && len(page) == q.Limit {
					mustInsert(t, ctx, s, "product", product())
				}
			}
			same(t, q, want, forward)
			var back []pageRow
			next = q
			next.Last, next.Limit = true, 5
			for {
				page := readPage(t, ctx, s, next)
				if len(page) == 0 {
					break
				}
				back = append(slices.Clone(page), back...)
				next.Before = page[0].Cursor
			}
			same(t, q, want, back)
		}
	})
}

// same looks whether a walk saw what a list had before the walk, in its order, and nothing twice.
func same(t *testing.T, q Query, want, got []pageRow) {
	t.Helper()
	known := map[string]bool{}
	for _, r := range want {
		known[r.ID] = true
	}
	seen := map[string]bool{}
	var ids []string
	for _, r := range got {
		if seen[r.ID] {
			t.Fatalf("%+v: %s came twice", q, r.ID)
		}
		seen[r.ID] = true
		if known[r.ID] {
			ids = append(ids, r.ID)
		}
	}
	for i, r := range want {
		if i >= len(ids) || ids[i] != r.ID {
			t.Fatalf("%+v: at %d of %d the walk differs from the list", q, i, len(want))
		}
	}
}

// TestCursorsOfOthers changes cursors, and takes them elsewhere.
func TestCursorsOfOthers(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		mustInsert(t, ctx, s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
		q := Query{Table: "shop", Order: []Order{{Column: "code"}}}
		cursor := readPage(t, ctx, s, q)[0].Cursor
		if again := readPage(t, ctx, s, q)[0].Cursor; again != cursor {
			t.Error("a place has two cursors")
		}
		for i := range cursor {
			bad := []byte(cursor)
			bad[i] ^= 1
			q.After = string(bad)
			_, err := s.Query(ctx, s.Snapshot(), q, nil)
			wantKind(t, err, core.Invalid)
		}
		q.After = cursor
		for _, other := range []Query{
			{Table: "product", After: cursor}, {Table: "shop", After: cursor}, {Table: "shop", Order: []Order{{Column: "code", Desc: true}}, After: cursor},
			{Table: "shop", Order: []Order{{Column: "code", NullsSet: true, NullsFirst: true}}, Before: cursor}, {Table: "shop", Order: q.Order, Distinct: []string{"code"}, After: cursor},
		} {
			_, err := s.Query(ctx, s.Snapshot(), other, nil)
			wantKind(t, err, core.Invalid)
		}
		other := core.WithCaller(t.Context(), core.System("other"))
		if _, err := s.Query(other, s.Snapshot(), q, nil); err != nil {
			t.Error("the same user is refused", err)
		}
	})
}
