package rules

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/postgres"
)

const benchSource = "state == 'open' && price * 1.19 > 100 && coalesce(amount, 0) < 50 && due < today()"

var benchRecord = core.Record{"state": "open", "price": decimal.RequireFromString("129.99"), "amount": nil, "due": time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)}

func benchExpr(b *testing.B, source string) *Expr {
	e, err := Compile(nil, &orders, source, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		benchExpr(b, benchSource)
	}
}

func BenchmarkEval(b *testing.B) {
	for name, source := range map[string]string{"rule": benchSource, "owner": "closed_by == caller.user", "decimal": "price * amount"} {
		b.Run(name, func(b *testing.B) {
			e := benchExpr(b, source)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Eval(benchRecord, nil, core.Caller{}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFree(b *testing.B) {
	f, err := CompileFree([]string{"trigger"}, "trigger.state == 'open' && trigger.price * 1.19 > 100 && coalesce(trigger.amount, 0) < 50 && trigger.due < today()")
	if err != nil {
		b.Fatal(err)
	}
	vars := map[string]any{"trigger": benchRecord}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Eval(vars, core.Caller{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSQL(b *testing.B) {
	e := benchExpr(b, benchSource)
	b.ReportAllocs()
	for b.Loop() {
		s := db.New(postgres.Dialect{})
		e.SQL(s, plainRow("w"), core.Caller{})
	}
}

func BenchmarkNewSet(b *testing.B) {
	table := orders
	for _, name := range []string{"a", "b", "c"} {
		table.Rules = append(table.Rules, core.Rule{Name: name, When: benchSource, Do: []core.Deed{{Do: "set", Column: "amount", Value: "amount + 1"}}})
	}
	s := schema(b, table)
	for b.Loop() {
		if _, err := NewSet(s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply runs the five rules of a table over a record, with what a writer without limits pays: at most 2.5 microseconds for
// each rule.
func BenchmarkApply(b *testing.B) {
	table := orders
	table.Rules = []core.Rule{
		{Name: "a", When: benchSource, Do: []core.Deed{{Do: "set", Column: "name", Value: "name + '!'"}}},
		{Name: "b", When: "amount > 10 && price * amount > 1000", Do: []core.Deed{{Do: "fail", Column: "amount", Message: "{amount} is too much"}}},
		{Name: "c", When: "state == 'done'", Do: []core.Deed{{Do: "lock", Column: "price"}}, Else: []core.Deed{{Do: "default", Column: "closed_by", Value: "caller.user"}}},
		{Name: "d", Do: []core.Deed{{Do: "require", Column: "state"}}},
		{Name: "e", When: "changed(price) && price < old.price * 0.5", Do: []core.Deed{{Do: "fail", Message: "{price} is less than half of {old.price}"}}},
	}
	s, err := NewSet(schema(b, table))
	if err != nil {
		b.Fatal(err)
	}
	w := &Write{Op: core.Update, Caller: core.Caller{User: "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a01"}, Old: benchRecord, Now: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)}
	b.ReportAllocs()
	for b.Loop() {
		w.Record = benchRecord.Clone()
		if err := s.Apply("orders", w); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(table.Rules)), "ns/rule")
}
