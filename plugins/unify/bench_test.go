package unify

import (
	"context"
	"testing"
)

func BenchmarkResolve(b *testing.B) {
	set := contoso(b, "FullName", "EMail")
	b.ReportAllocs()
	pairs := int64(0)
	for b.Loop() {
		r, err := Resolve(context.Background(), set.job, Rows(set.rows), Options{Workers: 1})
		if err != nil {
			b.Fatal(err)
		}
		pairs += r.Stats.Pairs
	}
	b.ReportMetric(float64(pairs)/b.Elapsed().Seconds(), "pairs/s")
	b.ReportMetric(float64(len(set.rows)*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkFrozen leaves out training: the cost of a nightly run.
func BenchmarkFrozen(b *testing.B) {
	set := contoso(b, "FullName", "EMail")
	first, err := Resolve(context.Background(), set.job, Rows(set.rows), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Resolve(context.Background(), set.job, Rows(set.rows), Options{Workers: 1, Model: first.Model}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan is the hot path alone: historical_dev20 has the most pairs.
func BenchmarkScan(b *testing.B) {
	set := historical(b)
	first, err := Resolve(context.Background(), set.job, Rows(set.rows), Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := newScorer(first.data, first.Model)
	b.ReportAllocs()
	pairs := int64(0)
	for b.Loop() {
		if _, _, err := s.scan(context.Background(), first.blocks, 1, func(int, int) {}); err != nil {
			b.Fatal(err)
		}
		pairs += first.Stats.Pairs
	}
	b.ReportMetric(float64(pairs)/b.Elapsed().Seconds(), "pairs/s")
}

func BenchmarkJaroWinkler(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		jaroWinkler("martha stewart", "stewart marhta")
	}
}

func BenchmarkEdits(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		edits("+15551234567", "+15552134567", 2)
	}
}
