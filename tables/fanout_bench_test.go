package tables

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"colonnade/core"
)

// fanOut is how many records read one.
const fanOut = 100_000

// BenchmarkFanOut changes a record that 100,000 others read in a stored column, while another writer writes elsewhere; and the
// children of a stored total of totals of totals. It reports the most memory that was in use, and the longest write elsewhere.
func BenchmarkFanOut(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Store, _ func(string, ...any)) {
		totals(b, s)
		total := func(formula string) core.Column {
			return core.Column{Name: "total", Kind: core.Integer, Formula: formula, Stored: true}
		}
		define(b, s, core.CreateTable{Define: core.Table{Name: "note", Columns: []core.Column{{Name: "text", Kind: core.Text}}}}, core.CreateTable{Define: core.Table{Name: "other", Columns: []core.Column{{Name: "text", Kind: core.Text}}}},
			core.CreateTable{Define: core.Table{Name: "region"}},
			core.CreateTable{Define: core.Table{Name: "account", Columns: []core.Column{{Name: "region_id", Kind: core.Lookup, Target: "region"}}}},
			core.AddColumn{To: "invoice", Add: core.Column{Name: "account_id", Kind: core.Lookup, Target: "account"}},
			core.AddColumn{To: "account", Add: total("invoice.sum(i, i.total)")}, core.AddColumn{To: "region", Add: total("account.sum(a, a.total)")})
		one := func(table string, r core.Record) core.ID { return mustInsert(b, root(b), s, table, r)[0] }
		region := one("region", core.Record{})
		account := one("account", core.Record{"region_id": string(region)})
		invoice := one("invoice", core.Record{"name": "a", "account_id": string(account)})
		rows := make([]core.Record, fanOut)
		for i := range rows {
			rows[i] = core.Record{"price": 1, "invoice_id": string(invoice)}
		}
		mustInsert(b, root(b), s, "item", rows...)
		for i := range rows {
			rows[i] = core.Record{"text": "a"}
		}
		mustInsert(b, root(b), s, "note", rows...)
		n := 0
		b.Run("nobody", func(b *testing.B) { // for comparison: nothing depends on these
			measured(b, s, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "note", Set: core.Record{"text": "b"}})
				return err
			})
		})
		b.Run("parent", func(b *testing.B) {
			measured(b, s, func(ctx context.Context, tx *Tx) error {
				n++
				_, err := tx.Update(ctx, Update{Table: "invoice", Where: ByID(invoice), Set: core.Record{"name": string(rune('b' + n))}})
				return err
			})
		})
		b.Run("children", func(b *testing.B) {
			measured(b, s, func(ctx context.Context, tx *Tx) error {
				n++
				_, err := tx.Update(ctx, Update{Table: "item", Set: core.Record{"price": n}})
				return err
			})
		})
		found, err := s.Find(root(b), s.Snapshot(), "region", region)
		must(b, err)
		if found["total"] != int64(n*fanOut) {
			b.Errorf("the total is %v, want %d", found["total"], n*fanOut)
		}
	})
}

// measured runs f in units of work, with a writer elsewhere beside it.
func measured(b *testing.B, s *Store, f func(context.Context, *Tx) error) {
	var peak, longest atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{}, 2)
	go func() {
		defer func() { stopped <- struct{}{} }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapInuse))
			}
		}
	}()
	go func() {
		defer func() { stopped <- struct{}{} }()
		for {
			select {
			case <-stop:
				return
			default:
				start := time.Now()
				mustInsert(b, root(b), s, "other", core.Record{"text": "x"})
				longest.Store(max(longest.Load(), uint64(time.Since(start))))
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for b.Loop() {
		must(b, s.Tx(root(b), TxOptions{}, f))
	}
	close(stop)
	<-stopped
	<-stopped
	b.ReportMetric(float64(peak.Load())/(1<<20), "peak-MB")
	b.ReportMetric(time.Duration(longest.Load()).Seconds()*1000, "elsewhere-ms")
}
