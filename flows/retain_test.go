package flows_test

import (
	"testing"
	"time"
)

// TestRetain keeps runs that have not ended, and those that ended not long ago.
func TestRetain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: greet\n"+manual+"steps: [{action: note, with: {text: =trigger.input.who}}]\n")
		w.put("author", "name: rest\n"+manual+"steps: [{wait: {for: 90d}}, {for_each: {in: trigger.input.list, as: x}, steps: [{set: {x: =x}}]}]\n")
		begin, day := time.Now(), 24*time.Hour
		at := func(later time.Duration) { w.clock.set(begin.Add(later)) }
		const old = 550 // more than a page
		for range old {
			w.run("greet", map[string]any{"who": "a"})
		}
		waits := w.run("rest", map[string]any{"list": []any{1, 2}})
		w.drain()
		left := func(want int, gone int) {
			t.Helper()
			n, err := w.flows.Retain(t.Context())
			runs := w.runs()
			if err != nil || n != gone || len(runs) != want {
				t.Errorf("%d runs are deleted and %d left, want %d and %d; %v", n, len(runs), gone, want, err)
			}
			kept := map[any]bool{}
			for _, r := range runs {
				kept[r["id"]] = true
			}
			for _, s := range w.records("admin", "_flow_step") {
				if !kept[s["run_id"]] {
					t.Fatalf("the step %v is of no run", s)
				}
			}
		}
		left(old+1, 0)
		at(10 * day)
		w.run("greet", map[string]any{"who": "b"})
		w.drain()
		at(31 * day)
		left(2, old)
		left(2, 0)
		at(91 * day)
		w.drain()
		left(1, 1)
		if r := w.status(waits); r["status"] != "succeeded" {
			t.Errorf("%v", r)
		}
		at(122 * day)
		left(0, 1)
	})
}
