package tables

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// BenchmarkDerived reads a list of 50 records with five virtual formulas, two of them through a lookup, and two aggregates over
// indexed children, and the same by hand-written SQL on the same connection.
func BenchmarkDerived(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Store, _ func(string, ...any)) {
		money := func(name, formula string) core.Column {
			return core.Column{Name: name, Kind: core.Decimal, Precision: 20, Scale: 2, Formula: formula}
		}
		define(b, s,
			core.CreateTable{Define: core.Table{Name: "region", Columns: []core.Column{{Name: "name", Kind: core.Text}, {Name: "rate", Kind: core.Decimal, Precision: 9, Scale: 2}}}},
			core.CreateTable{Define: core.Table{Name: "client", Columns: []core.Column{
				{Name: "name", Kind: core.Text}, {Name: "price", Kind: core.Decimal, Precision: 9, Scale: 2}, {Name: "stock", Kind: core.Integer}, {Name: "region_id", Kind: core.Lookup, Target: "region"},
				money("value", "price * stock"), money("gross", "price * 1.19"), {Name: "label", Kind: core.Text, Formula: "upper(name)"}}}},
			core.CreateTable{Define: core.Table{Name: "deal", Columns: []core.Column{{Name: "client_id", Kind: core.Lookup, Target: "client", Inverse: "deals"}, {Name: "total", Kind: core.Decimal, Precision: 9, Scale: 2}, {Name: "won", Kind: core.Boolean}}}},
			core.AddColumn{To: "client", Add: core.Column{Name: "area", Kind: core.Text, Formula: "region.name"}}, core.AddColumn{To: "client", Add: money("taxed", "price * region.rate")},
			core.AddColumn{To: "client", Add: money("volume", "deals.sum(d, d.total, d.won)")}, core.AddColumn{To: "client", Add: core.Column{Name: "deal_count", Kind: core.Integer, Formula: "deals.count()"}})
		regions := mustInsert(b, root(b), s, "region", core.Record{"name": "north", "rate": "1.19"}, core.Record{"name": "south", "rate": "1.07"})
		var clients, deals []core.Record
		for i := range 1000 {
			clients = append(clients, core.Record{"name": fmt.Sprint("client ", i), "price": decimal.New(int64(i*7), -2), "stock": i, "region_id": string(regions[i%2])})
		}
		ids := mustInsert(b, root(b), s, "client", clients...)
		for i := range 20_000 {
			deals = append(deals, core.Record{"client_id": string(ids[i%1000]), "total": decimal.New(int64(i), -2), "won": i%3 > 0})
		}
		mustInsert(b, root(b), s, "deal", deals...)
		names := strings.Fields("id name value gross label area taxed volume deal_count")
		q := Query{Table: "client", Limit: 50, Order: []Order{{Column: "id"}}}
		for _, name := range names {
			q.Fields = append(q.Fields, Field{As: name, Column: name})
		}
		b.Run("store", func(b *testing.B) {
			ctx, snap := root(b), s.Snapshot()
			for b.Loop() {
				if _, err := s.Query(ctx, snap, q, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		text := map[string]string{
			"sqlite": `SELECT c.id, c.name, decimal_fit(decimal_mul(c.price, CAST(c.stock AS TEXT)), 20, 2), decimal_fit(decimal_mul(c.price, '1.19'), 20, 2), upper(c.name), r.name, decimal_fit(decimal_mul(c.price, r.rate), 20, 2),
(SELECT decimal_sum(d.total) FROM deal d WHERE d.client_id = c.id AND d.won), (SELECT count(*) FROM deal d WHERE d.client_id = c.id) FROM client c LEFT JOIN region r ON r.id = c.region_id ORDER BY c.id LIMIT 50`,
			"postgres": `SELECT c.id::text, c.name, round(c.price * c.stock, 2)::text, round(c.price * 1.19, 2)::text, upper(c.name), r.name, round(c.price * r.rate, 2)::text,
(SELECT sum(d.total) FROM deal d WHERE d.client_id = c.id AND d.won)::text, (SELECT count(*) FROM deal d WHERE d.client_id = c.id) FROM client c LEFT JOIN region r ON r.id = c.region_id ORDER BY c.id LIMIT 50`,
		}[s.db.Name()]
		b.Run("sql", func(b *testing.B) {
			hand := db.New(s.db.Dialect).Write(text)
			for b.Loop() {
				err := s.db.Query(b.Context(), hand, func(scan func(...any) error) error {
					var text [8]string
					var count int64
					return scan(&text[0], &text[1], &text[2], &text[3], &text[4], &text[5], &text[6], &text[7], &count)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
