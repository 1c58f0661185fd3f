package flows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

// BenchmarkRuns measures runs from the event to the end: each iteration is one record, and its run.
func BenchmarkRuns(b *testing.B) {
	open := map[string]func(testing.TB) *db.DB{"sqlite": dbtest.SQLite}
	if dbtest.HasPostgres() {
		open["postgres"] = dbtest.Postgres
	}
	for name, open := range open {
		for _, steps := range []int{1, 5} {
			b.Run(fmt.Sprintf("%s/%d", name, steps), func(b *testing.B) {
				w := newWorld(b, open(b))
				source := "name: bench\ntrigger: {event: {table: review}}\nsteps:\n"
				for range steps {
					source += "  - {action: note, with: {text: =trigger.record.title}}\n"
				}
				w.put("author", source)
				rows := make([]core.Record, b.N)
				for i := range rows {
					rows[i] = core.Record{"title": fmt.Sprint(i)}
				}
				w.insert("admin", "review", rows...)
				w.start()
				b.ResetTimer()
				done := func() (n int64) {
					err := w.store.DB().Query(context.Background(), db.New(w.store.DB().Dialect).Write(`SELECT count(*) FROM "_flow_run" WHERE status = 'succeeded'`), func(scan func(...any) error) error { return scan(&n) })
					if err != nil {
						b.Fatal(err)
					}
					return n
				}
				for done() < int64(b.N) {
					time.Sleep(20 * time.Millisecond) // a benchmark may
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
				if n, err := w.store.Count(w.as("admin"), w.store.Snapshot(), "note", tables.And{}); err != nil || n != steps*b.N {
					b.Fatal(n, err)
				}
			})
		}
	}
}
