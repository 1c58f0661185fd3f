package transfer

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/transfer/format"
)

// heap is how much of the heap was in use at most, while something was written.
type heap struct {
	most   uint64
	since  int // bytes since it was looked at
	sample [1]metrics.Sample
}

// lookEvery is how many bytes are written between two looks at the heap.
const lookEvery = 256 << 10

// Write implements io.Writer.
func (h *heap) Write(p []byte) (int, error) {
	if h.since += len(p); h.since >= lookEvery {
		h.since = 0
		runtime.GC()
		metrics.Read(h.sample[:])
		h.most = max(h.most, h.sample[0].Value.Uint64())
	}
	return len(p), nil
}

// products inserts n records whose numbers begin with first, as they are stored.
func (w *world) products(first, n int) {
	w.t.Helper()
	d := w.store.DB()
	numbers := fmt.Sprintf("generate_series(%d, %d) AS x(i)", first, first+n-1)
	id, day := "lpad(to_hex(x.i), 32, '0')::uuid", "DATE '2024-01-01' + x.i % 1000"
	if d.Name() == "sqlite" {
		numbers = fmt.Sprintf("(WITH RECURSIVE x(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM x WHERE i < %d) SELECT i FROM x) AS x", first, first+n-1)
		id, day = "'00000000-0000-0000-0000-' || printf('%012x', x.i)", "date('2024-01-01', (x.i % 1000) || ' days')"
	}
	_, err := d.Exec(w.root(), db.New(d.Dialect).Write(`INSERT INTO product (id, version, created_at, created_by, updated_at, updated_by, owner_id, unit_id, title, sku, price, stock, day)
SELECT `, id, `, 1, '2024-01-01T00:00:00+00:00', u.id, '2024-01-01T00:00:00+00:00', u.id, u.id, u.id, 'product ' || x.i, 'sku ' || x.i, '2.50', x.i, `, day, ` FROM `, numbers, ` CROSS JOIN "_unit" AS u`))
	must(w.t, err)
}

// TestExportMemory exports five times as many records with about the same memory. It is alone in the process.
func TestExportMemory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		const few, many = 20_000, 100_000
		most := map[string]uint64{}
		rows := 0
		for _, n := range []int{few, many} {
			w.products(rows+1, n-rows)
			rows = n
			for _, f := range []string{format.CSV, format.NDJSON, format.Parquet} {
				x, err := w.s.Export(w.root(), Export{Table: "product", Format: f})
				must(t, err)
				h := &heap{sample: [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
				_, err = x.WriteTo(h)
				must(t, err)
				if x.Rows != int64(n) {
					t.Fatalf("%d records were written, want %d", x.Rows, n)
				}
				t.Logf("%s: %d records, %.1f MB", f, n, float64(h.most)/(1<<20))
				if n == many && h.most > most[f]*3/2+(2<<20) {
					t.Errorf("%s: %d bytes for %d records, and %d for %d", f, most[f], few, h.most, many)
				}
				most[f] = h.most
			}
		}
	})
}
