package rules

import (
	"context"
	"testing"
	"time"

	"colonnade/core"
)

// contextOf returns a context that also serves the clean-up of a test.
func contextOf(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }

// TestExamples runs the examples of every function in memory and on every database, with nothing computed beforehand.
func TestExamples(t *testing.T) {
	w := newWorld(t, []core.Record{{"c1": "open"}})
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, f := range Functions {
		if f.Doc == "" || len(f.Examples) == 0 {
			t.Errorf("%s has no text or no example", f.Name)
		}
		for _, source := range f.Examples {
			e, err := Compile(nil, &w.table, source, Options{Memory: true})
			if err != nil {
				t.Errorf("%s: %v", source, err)
				continue
			}
			if ok, err := e.True(w.rows[0], nil, core.Caller{}, nil); !ok {
				t.Errorf("%s: does not hold in memory: %v", source, err)
			}
			if e.memory != "" {
				continue
			}
			for _, d := range w.dbs {
				for _, fold := range []bool{false, true} {
					out, b, err := w.ask(t, d, []*Expr{e}, core.Caller{}, fold, now)
					if err != nil || out[0][0] != "true" {
						t.Errorf("%s: %s says %v, %v\n%s %v", source, d.Name(), out, err, b, b.Args())
					}
				}
			}
			if len(e.Columns) > 0 {
				continue // of what flows do not have
			}
			if free, err := CompileFree(nil, source); err != nil {
				t.Errorf("%s: in a flow: %v", source, err)
			} else if v, err := free.Eval(nil, core.Caller{}); v != true {
				t.Errorf("%s: in a flow: %v, %v", source, v, err)
			}
		}
	}
}
