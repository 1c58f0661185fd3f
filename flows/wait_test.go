package flows_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

func (w *world) emit(key string, data any, keep time.Duration) int {
	w.t.Helper()
	n, err := w.flows.Emit(w.as("author"), "paid", key, data, keep)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) wantEnded(id core.ID, want string) {
	w.t.Helper()
	if got := w.ended(id); got != want {
		w.t.Fatalf("got %s, want %s; %s", got, want, w.dump())
	}
}

func TestWaitForTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begin := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
		w.clock.set(begin)
		w.put("author", "name: t\ntimeout: 1m\n"+manual+`
steps:
  - for_each: {in: '["36h", "2d"]', as: x}
    steps:
      - wait: {for: =x}
      - {action: note, with: {text: '="after " + x'}}
  - wait: {until: 2030-03-10T06:00:00Z}
  - wait: {until: 2030-03-01}
  - {action: note, with: {text: at last}}
`)
		id := w.run("t", nil)
		step := func(later time.Duration, want ...string) {
			t.Helper()
			w.clock.set(begin.Add(later))
			w.drain()
			w.wantTexts(want...)
		}
		step(0)
		step(36*time.Hour - time.Second)
		if got := w.status(id)["status"]; got != "waiting" {
			t.Errorf("%v", got)
		}
		step(36*time.Hour, "after 36h")
		step(84*time.Hour-time.Second, "after 36h")
		step(84*time.Hour, "after 36h", "after 2d")
		step(210*time.Hour-time.Second, "after 36h", "after 2d")
		step(210*time.Hour, "after 36h", "after 2d", "at last")
		w.wantEnded(id, "succeeded {}") // its minute stands still while it waits
		for what, steps := range map[string]string{
			"is no length of time": "[{wait: {for: =trigger.input.who}}]",
			"is no moment":         "[{wait: {until: =trigger.input.who}}]",
			"ten years":            "[{wait: {for: =string(100000) + \"h\"}}]",
		} {
			w.put("author", "name: bad\n"+manual+"steps: "+steps+"\n")
			id := w.run("bad", map[string]any{"who": "soon"})
			w.drain()
			if got := w.ended(id); !strings.HasPrefix(got, "failed: step 1: ") || !strings.Contains(got, what) {
				t.Error(got)
			}
		}
	})
}

// TestWaitForRow has runs wait for changes of records: of the right table, key, kind and condition, and that their user sees.
func TestWaitForRow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begin := time.Now()
		w.clock.set(begin)
		w.put("author", "name: r\n"+manual+`
steps:
  - id: got
    wait: {event: {table: review, match: title, on: [update], when: event.record.rating > 3 && event.old.rating <= 3}, key: =trigger.input.who, timeout: 1h}
  - set: {late: =steps.got.timed_out}
  - if: '!steps.got.timed_out'
    then: [{set: {rating: =steps.got.event.record.rating, op: =steps.got.event.op, leak: =has(steps.got.event.record.secret)}}]
`)
		ids := w.insert("admin", "review", core.Record{"title": "a", "rating": 1, "secret": "x"}, core.Record{"title": "b", "rating": 1})
		a, b, c := w.run("r", map[string]any{"who": "a"}), w.run("r", map[string]any{"who": "b"}), w.run("r", map[string]any{"who": "a"})
		w.drain()
		w.update("admin", "review", ids[0], core.Record{"rating": 2})
		w.insert("admin", "review", core.Record{"title": "a", "rating": 5})
		w.drain()
		for _, id := range []core.ID{a, b, c} {
			if got := w.status(id)["status"]; got != "waiting" {
				t.Fatalf("%v: %s", got, w.dump())
			}
		}
		w.update("admin", "review", ids[0], core.Record{"rating": 4})
		w.drain()
		for _, id := range []core.ID{a, c} {
			w.wantEnded(id, `succeeded {"op":"update","late":false,"leak":false,"rating":4}`)
		}
		w.clock.set(begin.Add(time.Hour))
		w.drain()
		w.wantEnded(b, `succeeded {"late":true}`)
		// What the flow's user does not see does not come, nor is he told of values that he may not read.
		_, _, err := w.flows.Put(w.as("author"), "name: spy\n"+manual+"steps: [{wait: {event: {table: review, match: secret}, key: x}}]\n")
		if err == nil || !strings.Contains(err.Error(), "table review has no column secret") {
			t.Errorf("%v", err)
		}
		w.administer("create_user", core.Record{"name": "blind", "email": "blind@example.com", "roles": []any{"author"}})
		w.put("admin", "name: blind\nrun_as: blind@example.com\n"+manual+"steps: [{wait: {event: {table: review, match: title}, key: b, timeout: 1h}}, {set: {end: true}}]\n")
		w.administer("unassign_role", core.Record{"role": "author", "user": "blind@example.com"})
		id := w.run("blind", nil)
		w.drain()
		w.update("admin", "review", ids[1], core.Record{"rating": 4})
		w.drain()
		if got := w.status(id)["status"]; got != "waiting" {
			t.Errorf("%v", got)
		}
		// The flow follows a new name, and refuses the end of what it waits for.
		system := core.WithCaller(t.Context(), core.System("test"))
		if err := w.store.Change(system, core.RenameColumns{Of: "review", To: map[string]string{"title": "headline"}}); err != nil {
			t.Fatal(err)
		}
		id = w.run("r", map[string]any{"who": "a"})
		w.drain()
		w.update("admin", "review", ids[0], core.Record{"rating": 1})
		w.update("admin", "review", ids[0], core.Record{"rating": 5})
		w.drain()
		w.wantEnded(id, `succeeded {"op":"update","late":false,"leak":false,"rating":5}`)
		if err := w.store.Change(system, core.DropColumn{Of: "review", Name: "headline"}); err == nil {
			t.Error("the column was dropped, and flows wait for its values")
		}
	})
}

func TestEmit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: payer\n"+manual+"steps: [{id: e, action: emit_event, with: {name: paid, key: =trigger.input.who, data: {sum: =1 + 1}}}, {set: {reached: =steps.e.reached}}]\n")
		w.put("author", "name: order\n"+manual+`
steps:
  - for_each: {in: '[1, 2]', as: n}
    steps:
      - {id: got, wait: {event: paid, key: =trigger.input.who}}
      - {action: note, with: {text: '=trigger.input.who + string(n) + " " + string(steps.got.event.data.sum)'}}
`)
		w.emit("a", map[string]any{"sum": "too early"}, time.Hour) // before the runs began
		a, b := w.run("order", map[string]any{"who": "a"}), w.run("order", map[string]any{"who": "b"})
		w.emit("a", map[string]any{"sum": "kept"}, time.Hour)
		w.emit("b", map[string]any{"sum": "not kept"}, 0)
		w.drain()
		w.wantTexts("a1 kept")
		if n := w.emit("c", nil, time.Hour); n != 0 {
			t.Errorf("reached %d", n)
		}
		for _, who := range []string{"a", "b", "b"} {
			w.wantEnded(func() core.ID { id := w.run("payer", map[string]any{"who": who}); w.drain(); return id }(), `succeeded {"reached":1}`)
		}
		w.wantTexts("a1 kept", "a2 2", "b1 2", "b2 2")
		w.wantEnded(a, "succeeded {}")
		w.wantEnded(b, "succeeded {}")
		// One that is rolled back reaches nobody.
		id := w.run("order", map[string]any{"who": "d"})
		w.drain()
		_ = w.store.Tx(w.as("author"), tables.TxOptions{}, func(ctx context.Context, _ *tables.Tx) error {
			if n, err := w.flows.Emit(ctx, "paid", "d", nil, time.Hour); n != 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			return core.E("test", core.Failed, "rolled back")
		})
		w.drain()
		if got := w.status(id)["status"]; got != "waiting" {
			t.Errorf("%v", got)
		}
		if err := w.flows.Cancel(w.as("author"), id); err != nil {
			t.Error(err)
		}
		if n := w.emit("d", nil, 0); n != 0 {
			t.Errorf("a run that was cancelled still waits: %d", n)
		}
	})
}

func TestCall(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("other", "name: child\n"+manual+`
steps:
  - if: trigger.input.who == "wait"
    then: [{wait: {for: 1h}}]
  - if: trigger.input.who == "bad"
    then: [{terminate: {status: failed, message: too bad}}]
  - {action: note, with: {text: '="child of " + trigger.input.who'}}
  - set: {said: '="hello " + trigger.input.who'}
`)
		w.put("author", "name: parent\n"+manual+`
steps:
  - {id: first, action: note, with: {text: begin}, undo: [{call: child, with: {who: undo}}]}
  - for_each: {in: trigger.input.list, as: x}
    steps:
      - {id: c, call: child, with: {who: =x}}
      - {action: note, with: {text: =steps.c.said}}
`)
		id := w.run("parent", map[string]any{"list": []any{"ann", "bob"}})
		w.drain()
		w.wantTexts("begin", "child of ann", "hello ann", "child of bob", "hello bob")
		w.wantEnded(id, "succeeded {}")
		id = w.run("parent", map[string]any{"list": []any{"bad"}})
		w.drain()
		w.wantEnded(id, "failed: step 2.steps.c of item 0: the flow child: too bad")
		if got := w.texts(); got[len(got)-1] != "child of undo" {
			t.Errorf("%q", got)
		}
		// Cancelling goes down, and a child that is cancelled fails its parent.
		id = w.run("parent", map[string]any{"list": []any{"wait"}})
		w.drain()
		if err := w.flows.Cancel(w.as("author"), id); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.runs() {
			if r["cause_id"] == string(id) && r["status"] != "cancelled" {
				t.Errorf("%v", r)
			}
		}
		id = w.run("parent", map[string]any{"list": []any{"wait"}})
		w.drain()
		for _, r := range w.runs() {
			if r["cause_id"] == string(id) {
				if err := w.flows.Cancel(w.as("other"), core.ID(r["id"].(string))); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.drain()
		w.wantEnded(id, "failed: step 2.steps.c of item 0: the flow child: it was cancelled")
		// A flow that calls itself ends.
		w.put("author", "name: again\n"+manual+"steps: [{call: again}]\n")
		id = w.run("again", nil)
		w.drain()
		if got := w.ended(id); !strings.Contains(got, "flows start each other in a loop, which ends after 16 runs: again -> again") {
			t.Error(got)
		}
		w.put("author", "name: lost\n"+manual+"steps: [{call: nowhere}]\n")
		id = w.run("lost", nil)
		w.drain()
		w.wantEnded(id, `failed: step 1: there is no flow "nowhere"`)
	})
}

// TestWaitingCostsNothing has many runs wait: they keep no memory, and the clock does not look at them.
func TestWaitingCostsNothing(t *testing.T) {
	n := 300
	if os.Getenv("COLONNADE_WAITING") != "" {
		n = 100_000
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.put("author", "name: many\ntrigger: {event: {table: review, on: [create]}}\nsteps: [{id: got, wait: {event: paid, key: =trigger.record.title, timeout: 30d}}, {action: note, with: {text: =trigger.record.title}}]\n")
		for i := 0; i < n; i += 500 {
			var rows []core.Record
			for k := i; k < min(i+500, n); k++ {
				rows = append(rows, core.Record{"title": fmt.Sprint("order ", k)})
			}
			w.insert("admin", "review", rows...)
		}
		w.drain()
		if err := w.flows.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var waits int64
		b := db.New(d.Dialect).Write(`SELECT count(*) FROM "_flow_run" WHERE status = 'waiting' AND lease = 0 AND started_at IS NOT NULL`)
		if err := d.Query(t.Context(), b, func(scan func(...any) error) error { return scan(&waits) }); err != nil {
			t.Fatal(err)
		}
		if waits != int64(n) {
			t.Fatalf("%d of %d wait", waits, n)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%d runs wait: %d MB in use, %d goroutines", n, m.HeapInuse>>20, runtime.NumGoroutine())
		if m.HeapInuse > 100<<20 || runtime.NumGoroutine() > 200 {
			t.Errorf("%d MB, %d goroutines", m.HeapInuse>>20, runtime.NumGoroutine())
		}
		begun := time.Now()
		if got := w.emit(fmt.Sprint("order ", n-1), nil, 0); got != 1 {
			t.Errorf("reached %d", got)
		}
		w.drain()
		t.Logf("woken and done after %s", time.Since(begun).Round(time.Millisecond))
		w.wantTexts(fmt.Sprint("order ", n-1))
	})
}
