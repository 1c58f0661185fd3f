package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"colonnade/core"
)

// onePage is what a connection answers in these tests.
type onePage struct {
	Total int `json:"total"`
	Info  struct {
		Next     bool    `json:"next"`
		Previous bool    `json:"previous"`
		Start    *string `json:"start"`
		End      *string `json:"end"`
	} `json:"info"`
	Edges []struct {
		Cursor string  `json:"cursor"`
		Node   pageRow `json:"node"`
	} `json:"edges"`
}

var pageFields = []Field{
	{As: "total", Page: PageTotal},
	{As: "info", Page: PageInfo, Group: []Field{{As: "next", Page: PageNext}, {As: "previous", Page: PagePrevious}, {As: "start", Page: PageStart}, {As: "end", Page: PageEnd}}},
	{As: "edges", Page: PageEdges, Group: []Field{{As: "cursor", Page: PageCursor}, {As: "node", Page: PageNode, Group: []Field{{As: "id", Column: "id"}, {As: "c", Cursor: true}}}}},
}

func readConnection(t *testing.T, ctx context.Context, s *Store, q Query) (out onePage) {
	t.Helper()
	q.Form, q.Fields = Connection, pageFields
	raw, err := s.Query(ctx, s.Snapshot(), q, nil)
	must(t, err)
	must(t, json.Unmarshal(raw, &out))
	return out
}

// TestConnections asks for pages of lists in random orders, between random cursors and of random lengths, and compares each with the part of
// the whole list that it should be.
func TestConnections(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		r := rand.New(rand.NewPCG(3, 4))
		maybe := func(v any) any {
			if r.IntN(4) == 0 {
				return nil
			}
			return v
		}
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b"}, core.Record{"code": "c", "city": "Bonn"})
		for i := range 20 {
			mustInsert(t, ctx, s, "product", core.Record{"title": fmt.Sprintf("%c\"}]%d", 'a'+rune(r.IntN(3)), i), "price": maybe(fmt.Sprintf("%d.5", r.IntN(3))), "stock": maybe(r.IntN(3)),
				"shop_id": maybe(string(shops[r.IntN(3)]))})
		}
		terms := []Order{{Column: "price"}, {Column: "stock"}, {Column: "title"}, {Column: "created_at"}, {Column: "city", Relation: []string{"shop"}}, {Column: "id"}, {Children: "purchase", Func: "count"}}
		for range 150 {
			q := Query{Table: "product"}
			if r.IntN(3) == 0 {
				q.Where = Compare{Column: "stock", Op: IsNull, Value: false}
			}
			for range r.IntN(3) {
				o := terms[r.IntN(len(terms))]
				o.Desc, o.NullsSet, o.NullsFirst = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
				q.Order = append(q.Order, o)
			}
			if len(q.Order) > 0 && q.Order[0].plain() && r.IntN(4) == 0 {
				q.Distinct = []string{q.Order[0].Column}
			}
			all := q
			all.Limit = 1000
			list := readPage(t, ctx, s, all)
			from, to := 0, len(list) // the part between the cursors
			if len(list) > 0 && r.IntN(2) == 0 {
				from = 1 + r.IntN(len(list))
				q.After = list[from-1].Cursor
			}
			if len(list) > 0 && r.IntN(2) == 0 {
				to = r.IntN(len(list))
				q.Before = list[to].Cursor
			}
			want := list[min(from, to):to]
			q.Limit, q.Last = r.IntN(8), r.IntN(2) == 0
			q.None = q.Limit == 0
			cut := len(want) > q.Limit
			if cut && q.Last {
				want = want[len(want)-q.Limit:]
			} else if cut {
				want = want[:q.Limit]
			}
			got := readConnection(t, ctx, s, q)
			if got.Total != len(list) || got.Info.Next != (cut && !q.Last || q.Before != "") || got.Info.Previous != (cut && q.Last || q.After != "") {
				t.Fatalf("%+v: %+v of %d records from %d to %d", q, got, len(list), from, to)
			}
			var rows []pageRow
			for _, e := range got.Edges {
				if e.Cursor != e.Node.Cursor {
					t.Fatalf("%+v: an edge has another cursor than its record", q)
				}
				rows = append(rows, e.Node)
			}
			if len(want) != len(rows) || len(want) > 0 && !reflect.DeepEqual(want, rows) {
				t.Fatalf("%+v: the page is %v, not %v", q, rows, want)
			}
			if len(want) == 0 {
				if got.Info.Start != nil || got.Info.End != nil {
					t.Fatalf("%+v: an empty page has cursors", q)
				}
			} else if *got.Info.Start != want[0].Cursor || *got.Info.End != want[len(want)-1].Cursor {
				t.Fatalf("%+v: the page begins and ends elsewhere", q)
			}
		}
	})
}
