package tables

import (
	"fmt"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// BenchmarkVerify seals and verifies 50,000 versions of records with ten columns.
func BenchmarkVerify(b *testing.B) {
	for name, d := range map[string]func(testing.TB) *db.DB{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		if name == "postgres" && !dbtest.HasPostgres() {
			continue
		}
		b.Run(name, func(b *testing.B) {
			s, ctx := open(b, d(b), Options{}), root(b)
			define(b, s, shop()...)
			const n = 50_000
			for i := range n / 1000 {
				rows := make([]core.Record, 1000)
				for j := range rows {
					rows[j] = core.Record{"title": fmt.Sprint(i, "/", j), "sku": fmt.Sprint(i, "-", j), "stock": int64(j), "price": "12.50", "cost": "10.25"}
				}
				mustInsert(b, ctx, s, "product", rows...)
			}
			b.Run("seal", func(b *testing.B) {
				for b.Loop() {
					for _, text := range []string{`DELETE FROM "_seal"`, `DELETE FROM "_cursor"`} {
						_, err := s.db.Exec(ctx, newBuilder(s).Write(text))
						must(b, err)
					}
					_, err := s.Seal(ctx)
					must(b, err)
				}
				b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "versions/s")
			})
			b.Run("verify", func(b *testing.B) {
				for b.Loop() {
					out, err := s.Verify(ctx, Verify{})
					must(b, err)
					if out.Count > 0 || out.Records != n {
						b.Fatalf("%+v", out)
					}
				}
				b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "versions/s")
			})
		})
	}
}
