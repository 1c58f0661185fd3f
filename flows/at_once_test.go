package flows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// As many items as at_once says wait at the same time, and no item begins before its turn.
func TestItemsWaitAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: p\n"+manual+`
steps:
  - id: all
    for_each: {in: '["a", "b", "c", "d"]', as: x, at_once: 2, on_error: continue}
    steps:
      - {id: paid, wait: {event: paid, key: =x}}
      - {action: note, with: {text: '=x + " by " + steps.paid.event.data.by'}}
      - if: x == "c"
        then: [{action: fail, with: {kind: INVALID}}]
  - set: {done: =steps.all}
`)
		id := w.run("p", nil)
		waits := func(keys ...string) {
			t.Helper()
			w.drain()
			var got []string
			for _, s := range w.records("admin", "_flow_step") {
				if s["kind"] == "wait" && s["status"] == "waiting" {
					got = append(got, fmt.Sprint(s["iteration"]))
				}
			}
			if slices.Sort(got); !slices.Equal(got, keys) {
				t.Fatalf("%v wait, and not %v: %s", got, keys, w.dump())
			}
		}
		emit := func(key string) {
			t.Helper()
			if n := w.emit(key, map[string]any{"by": "Ann"}, 0); n != 1 {
				t.Fatalf("%d waited for %s", n, key)
			}
		}
		waits("0", "1")
		emit("b")
		waits("0") // the third begins when the first is done
		emit("a")
		waits("2", "3")
		emit("d")
		waits("2")
		emit("c")
		waits()
		w.wantTexts("b by Ann", "a by Ann", "d by Ann", "c by Ann")
		w.wantEnded(id, `succeeded {"done":{"count":4,"failed":1}}`)
	})
}

// How a for_each ends whose items are worked on at once, and what becomes of the others.
func TestItemsAtOnceEnd(t *testing.T) {
	const wait = `{wait: {event: paid, key: never}}`
	tests := []struct{ name, in, more, body, end, steps, texts string }{
		{"none", `[]`, "", `[{action: note, with: {text: no}}]`, `succeeded {"said":"0 0"}`, "", ""},
		{"all", `[1, 2, 3, 4, 5, 6, 7]`, "", `[{action: note, with: {text: =string(x)}}]`, `succeeded {"said":"7 0"}`, "", "1 2 3 4 5 6 7"},
		{"one fails", `[1, 2, 3, 4, 5]`, "", `[{if: x == 1, then: [` + wait + `]}, {if: x == 2, then: [{action: fail, with: {kind: INVALID}}]}, {action: note, with: {text: =string(x)}}]`,
			"failed: step all.steps.2.then.1 of item 1: failed on purpose", "wait cancelled", ""},
		{"others go on", `[1, 2, 3, 4, 5]`, ", on_error: continue", `[{if: x % 2 == 0, then: [{action: fail, with: {kind: INVALID}}]}, {action: note, with: {text: =string(x)}}]`, `succeeded {"said":"5 2"}`, "", "1 3 5"},
		{"terminated", `[1, 2, 3]`, "", `[{if: x == 2, then: [{terminate: {status: cancelled, message: enough}}]}, ` + wait + `]`, "cancelled: enough", "for_each running|wait cancelled", ""},
		{"called", `[1, 2]`, "", `[{if: x == 1, then: [{call: child}], else: [{action: fail, with: {kind: INVALID}}]}]`, "failed: step all.steps.1.else.1 of item 1: failed on purpose", "call cancelled", ""},
		{"nested", `[1, 2]`, "", `[{for_each: {in: '["a", "b", "c"]', as: y, at_once: 2}, steps: [{action: note, with: {text: =string(x) + y}}]}]`, `succeeded {"said":"2 0"}`, "", "1a 1b 1c 2a 2b 2c"},
		{"in branches", `[1, 2, 3]`, "", `[{parallel: {m: [` + wait + `], n: [{action: note, with: {text: =string(x)}}]}, join: any}]`, `succeeded {"said":"3 0"}`, "wait cancelled|wait cancelled|wait cancelled", "1 2 3"},
		{"caught", `[1, 2, 3]`, "", `[{action: fail, with: {kind: INVALID}, on_error: [{action: note, with: {text: =string(x)}}]}]`, `succeeded {"said":"3 0"}`, "", "1 2 3"},
		{"undone", `[1, 2, 3]`, "", `[{action: note, with: {text: =string(x)}, undo: [{action: note, with: {text: ="not " + string(x)}}]}, {if: x == 3, then: [{action: fail, with: {kind: INVALID}}]}]`,
			"failed: step all.steps.2.then.1 of item 2: failed on purpose", "", "1 2 3 not 3 not 2 not 1"},
	}
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: child\n"+manual+"steps: [{wait: {event: paid, key: never}}]\n")
		seen := 0
		for i, test := range tests {
			name := fmt.Sprintf("p%d", i)
			w.put("author", "name: "+name+"\nretry: {attempts: 1}\n"+manual+`
steps:
  - for_each: {in: '`+test.in+`', as: x, at_once: 3`+test.more+`}
    id: all
    steps: `+test.body+`
  - set: {said: '=string(steps.all.count) + " " + string(steps.all.failed)'}
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
			if got := strings.Join(w.texts()[seen:], " "); got != test.texts {
				t.Errorf("%s: texts %s, want %s", test.name, got, test.texts)
			}
			seen = len(w.texts())
			if n := w.emit("never", nil, 0); n != 0 {
				t.Errorf("%s: %d still wait", test.name, n)
			}
			w.drain()
		}
	})
}

// Actions outside are at work at the same time, for as many items as at_once says.
func TestItemsOutside(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: p\n"+manual+`
steps:
  - for_each: {in: '[1, 2, 3, 4]', as: x, at_once: 2}
    steps: [{action: hold}, {action: note, with: {text: =string(x)}}]
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
		select {
		case <-w.calls.tell:
			t.Fatal("a third item begins")
		default:
		}
		close(w.calls.let)
		end, err := w.flows.Wait(t.Context(), id)
		if err != nil || end.Status != "succeeded" {
			t.Errorf("%v %v", end, err)
		}
		if got := w.texts(); len(got) != 4 {
			t.Error(got)
		}
	})
}
