package flows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Branches that wait let the others go on.
func TestParallelWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: p\n"+manual+`
steps:
  - id: both
    parallel:
      slow:
        - {id: paid, wait: {event: paid, key: slow}}
        - {action: note, with: {text: '="slow " + steps.paid.event.data.by'}}
        - set: {slow: 1}
      quick:
        - for_each: {in: '["a", "b"]', as: x}
          steps:
            - {wait: {event: paid, key: =x}}
            - {action: note, with: {text: ="quick " + x}}
        - set: {quick: 2}
  - {action: note, with: {text: '=string(steps.both.succeeded) + " of " + string(vars.slow + vars.quick) + " " + steps.both.branches.slow.status'}}
`)
		id := w.run("p", nil)
		for i, step := range []struct{ key, note string }{{"a", "quick a"}, {"slow", "slow Ann"}, {"b", "quick b"}} {
			w.drain()
			if got := w.status(id)["status"]; got != "waiting" || len(w.texts()) != i {
				t.Fatalf("%v %v", got, w.texts())
			}
			if n := w.emit(step.key, map[string]any{"by": "Ann"}, 0); n != 1 {
				t.Fatalf("%d waited for %s", n, step.key)
			}
			w.drain()
			if got := w.texts(); len(got) < i+1 || got[i] != step.note {
				t.Fatal(got)
			}
		}
		w.wantTexts("quick a", "slow Ann", "quick b", "2 of 3 succeeded")
		w.wantEnded(id, `succeeded {"slow":1,"quick":2}`)
	})
}

// What a parallel step comes to by its policy, and what becomes of the branches that it does not need.
func TestParallelJoin(t *testing.T) {
	const wait = `[{wait: {event: paid, key: never}}, {action: note, with: {text: too late}}]`
	tests := []struct{ name, branches, join, end, steps string }{
		{"all", `a: [{set: {x: 1}}], b: [{set: {y: 2}}]`, "all", `succeeded {"x":1,"y":2,"said":"2 0"}`, ""},
		{"one fails", `a: ` + wait + `, b: [{action: fail, with: {kind: INVALID}}], c: [{action: note, with: {text: too late}}]`, "all",
			"failed: step p.parallel.b.1: failed on purpose", "wait cancelled"},
		{"any", `a: ` + wait + `, b: [{action: fail, with: {kind: INVALID}}], c: [{set: {x: 1}}], d: [{action: note, with: {text: too late}}]`, "any",
			`succeeded {"x":1,"said":"1 1"}`, "wait cancelled"},
		{"none of any", `a: [{action: fail, with: {kind: INVALID}}], b: [{action: fail, with: {kind: CONFLICT, wait: 0}}]`, "any", "failed: step p.parallel.a.1: failed on purpose", ""},
		{"two of four", `a: ` + wait + `, b: [{set: {x: 1}}], c: [{action: fail, with: {kind: INVALID}}], d: [{set: {z: 1}}]`, "2", `succeeded {"x":1,"z":1,"said":"2 1"}`, "wait cancelled"},
		{"settled", `a: [{action: fail, with: {kind: INVALID}}], b: [{set: {x: 1}}]`, "settled", `succeeded {"x":1,"said":"1 1"}`, ""},
		{"terminated", `a: ` + wait + `, b: [{terminate: {status: cancelled, message: enough}}], c: [{action: note, with: {text: too late}}]`, "settled", "cancelled: enough", "parallel running|wait cancelled"},
		{"called", `a: [{call: child}], b: [{action: fail, with: {kind: INVALID}}]`, "all", "failed: step p.parallel.b.1: failed on purpose", "call cancelled"},
		{"nested", `a: [{parallel: {m: ` + wait + `, n: [{try: ` + wait + `, catch: [{set: {no: 1}}]}]}}], b: [{action: fail, with: {kind: INVALID}}]`, "all",
			"failed: step p.parallel.b.1: failed on purpose", "parallel cancelled|wait cancelled|wait cancelled"},
		{"inner", `a: [{parallel: {m: ` + wait + `, n: [{set: {x: 1}}]}, join: any}], b: [{set: {y: 1}}]`, "all", `succeeded {"x":1,"y":1,"said":"2 0"}`, "wait cancelled"},
		{"caught", `a: [{action: fail, with: {kind: INVALID}, on_error: [{set: {no: =error.kind}}]}], b: [{set: {y: 1}}]`, "all", `succeeded {"y":1,"no":"INVALID","said":"2 0"}`, ""},
	}
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: child\n"+manual+"steps: [{wait: {event: paid, key: never}}]\n")
		for i, test := range tests {
			name := fmt.Sprintf("p%d", i)
			w.put("author", "name: "+name+"\nretry: {attempts: 1}\n"+manual+`
steps:
  - parallel: {`+test.branches+`}
    join: `+test.join+`
    id: p
  - set: {said: '=string(steps.p.succeeded) + " " + string(steps.p.failed)'}
`)
			id := w.run(name, nil)
			w.drain()
			if got := w.ended(id); got != test.end {
				t.Errorf("%s: got %s, want %s; %s", test.name, got, test.end, w.dump())
			}
			steps := []string{}
			for _, s := range w.records("admin", "_flow_step") {
				if status := s["status"]; s["run_id"] == string(id) && status != "succeeded" && status != "failed" {
					steps = append(steps, fmt.Sprintf("%s %s", s["kind"], status))
				}
			}
			slices.Sort(steps)
			if got := strings.Join(steps, "|"); got != test.steps {
				t.Errorf("%s: steps %s, want %s; %s", test.name, got, test.steps, w.dump())
			}
			if n := w.emit("never", nil, 0); n != 0 {
				t.Errorf("%s: %d still wait", test.name, n)
			}
			w.drain()
			w.wantTexts()
		}
		for _, r := range w.runs() {
			if r["flow_name"] == "child" && r["status"] != "cancelled" {
				t.Errorf("the run that was called is %s", r["status"])
			}
		}
	})
}

// Actions outside are at work at the same time.
func TestParallelOutside(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: p\n"+manual+`
steps:
  - parallel:
      a: [{action: hold}, {action: note, with: {text: done}}]
      b: [{parallel: {c: [{action: hold}, {action: note, with: {text: done}}], d: [{action: note, with: {text: beside}}]}}]
      e: [{action: note, with: {text: beside}}]
  - set: {ok: true}
`)
		id := w.run("p", nil)
		if err := w.flows.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			select {
			case <-w.calls.tell:
			case <-time.After(20 * time.Second):
				t.Fatal("the second action does not begin while the first is at work")
			}
		}
		for len(w.texts()) < 2 {
			select {
			case <-t.Context().Done():
				t.Fatal("the branches do not go on beside them")
			case <-time.After(10 * time.Millisecond):
			}
		}
		w.wantTexts("beside", "beside")
		close(w.calls.let)
		end, err := w.flows.Wait(t.Context(), id)
		if err != nil || end.Status != "succeeded" {
			t.Errorf("%v %v", end, err)
		}
		w.wantTexts("beside", "beside", "done", "done")
	})
}

// A step of a branch is tried again when its pause is over, and meanwhile the others go on.
func TestParallelRetry(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		w.clock.set(begin)
		w.put("author", "name: p\nretry: {attempts: 3, backoff: 1h}\n"+manual+`
steps:
  - parallel:
      a: [{action: fail, with: {kind: UNAVAILABLE, times: 2}}, {set: {a: 1}}]
      b: [{wait: {event: paid, key: b}}, {action: note, with: {text: b}}]
`)
		id := w.run("p", nil)
		w.drain()
		if n := w.emit("b", nil, 0); n != 1 {
			t.Fatal(n)
		}
		w.drain() // which is too early for the other
		w.wantTexts("b")
		tries := func() any {
			for _, s := range w.records("admin", "_flow_step") {
				if s["kind"] == "action" && s["name"] == "fail" {
					return s["attempt"]
				}
			}
			return nil
		}
		for i := 1; i < 3; i++ {
			if got := tries(); got != int64(i) {
				t.Fatalf("%v tries, want %d", got, i)
			}
			w.clock.set(begin.Add(time.Duration(i) * 4 * time.Hour))
			w.drain()
		}
		w.wantEnded(id, `succeeded {"a":1}`)
	})
}

// Steps of branches are undone with all others, and what is undone shows what its branch saw.
func TestParallelUndo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: p\n"+manual+`
steps:
  - parallel:
      a: [{id: x, action: note, with: {text: a}, undo: [{action: note, with: {text: ="not " + steps.x.text}}]}]
      b: [{id: y, action: note, with: {text: b}, undo: [{action: note, with: {text: ="not " + steps.y.text}}]}]
  - {action: fail, with: {kind: INVALID}}
`)
		id := w.run("p", nil)
		w.drain()
		if got := w.status(id)["status"]; got != "failed" {
			t.Error(got)
		}
		w.wantTexts("a", "b", "not b", "not a")
	})
}
