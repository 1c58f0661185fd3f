package tables

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"colonnade/core"
)

// TestGroups groups random records by random keys, and compares with groups that are made in Go from the list of the records.
func TestGroups(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		ctx := root(t)
		r := rand.New(rand.NewPCG(3, 4))
		shops := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Rome"}, core.Record{"code": "b"}, core.Record{"code": "c", "city": "Bonn"})
		product := mustInsert(t, ctx, s, "product", core.Record{"title": "tea", "price": "1.5"})[0]
		type record struct {
			shop, paid, amount any
			at                 time.Time
		}
		records := make([]record, 120)
		begin := time.Date(2024, 3, 30, 0, 0, 0, 0, time.UTC)
		cities := []any{"Rome", nil, "Bonn"}
		for i := range records {
			n := r.IntN(4)
			row := core.Record{"product_id": string(product), "amount": int64(r.IntN(5))}
			records[i] = record{amount: row["amount"], at: begin.Add(time.Duration(r.IntN(400*24*60)) * time.Minute)}
			if n < 3 {
				row["shop_id"], records[i].shop = string(shops[n]), cities[n]
			}
			if p := r.IntN(3); p < 2 {
				row["paid"], records[i].paid = p == 1, p == 1
			}
			row["at"] = records[i].at
			mustInsert(t, ctx, s, "purchase", row)
		}
		for _, zone := range []string{"", "Europe/Berlin", "America/St_Johns"} {
			location, err := time.LoadLocation(zone)
			must(t, err)
			for _, period := range []string{"year", "quarter", "month", "week", "day"} {
				q := Query{Table: "purchase", Form: Groups, Limit: 1000, Keys: []Key{{Relation: []string{"shop"}, Column: "city"}, {Column: "paid"}, {Column: "at", Period: period, Zone: zone}}, Fields: []Field{
					{As: "city", Key: 1}, {As: "paid", Key: 2}, {As: "at", Key: 3}, {As: "n", Func: "count"}, {As: "sum", Func: "sum", Column: "amount"},
				}, Having: Aggregated{Of: Function{Name: "count"}, Is: []Compare{{Op: Gt, Value: int64(1)}}}}
				want := map[string][2]int64{}
				for _, x := range records {
					key := fmt.Sprint(x.shop, x.paid, periodOf(x.at.In(location), period).UTC().Format(time.RFC3339))
					v := want[key]
					want[key] = [2]int64{v[0] + 1, v[1] + x.amount.(int64)}
				}
				raw, err := s.Query(ctx, s.Snapshot(), q, nil)
				must(t, err)
				var groups []struct {
					City, Paid any
					At         time.Time
					N, Sum     int64
				}
				must(t, json.Unmarshal(raw, &groups))
				got := map[string][2]int64{}
				for _, g := range groups {
					got[fmt.Sprint(g.City, g.Paid, g.At.UTC().Format(time.RFC3339))] = [2]int64{g.N, g.Sum}
				}
				for key, v := range want {
					if v[0] > 1 && got[key] != v {
						t.Errorf("%s in %q, %s: got %v, want %v", period, zone, key, got[key], v)
					}
				}
				if len(got) != len(groups) || slices.ContainsFunc(groups, func(g struct {
					City, Paid any
					At         time.Time
					N, Sum     int64
				}) bool {
					return g.N < 2
				}) {
					t.Errorf("%s in %q: %s", period, zone, raw)
				}
			}
		}
	})
}

// periodOf returns when the period began, by the calendar of the time's location.
func periodOf(t time.Time, period string) time.Time {
	year, month, day := t.Date()
	switch period {
	case "year":
		month, day = 1, 1
	case "quarter":
		month, day = (month-1)/3*3+1, 1
	case "month":
		day = 1
	case "week":
		day -= (int(t.Weekday()) + 6) % 7
	}
	return time.Date(year, month, day, 0, 0, 0, 0, t.Location())
}

// TestWrongGroups asks for groups that there cannot be.
func TestWrongGroups(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		for _, keys := range [][]Key{nil, {{Column: "nothing"}}, {{Column: "note"}}, {{Relation: []string{"nothing"}, Column: "id"}}, {{Column: "at", Period: "eon"}}, {{Column: "amount", Period: "day"}},
			{{Column: "at", Zone: "UTC"}}, {{Column: "at", Period: "day", Zone: "x'); DROP TABLE purchase; --"}}, {{Column: "day", Period: "hour"}}} {
			_, err := s.Query(root(t), s.Snapshot(), Query{Table: "purchase", Form: Groups, Keys: keys, Fields: []Field{{As: "n", Func: "count"}}}, nil)
			wantKind(t, err, core.Invalid)
			if strings.Contains(core.AsError(err).Public(), "internal") {
				t.Error(keys, err)
			}
		}
	})
}
