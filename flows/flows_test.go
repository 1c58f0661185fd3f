package flows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/tables"
)

const manual = "trigger: {manual: {input: [{name: who, kind: text}, {name: list, kind: json}]}}\n"

func TestSteps(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: steps\n"+manual+`
steps:
  - set: {count: 0, who: '=coalesce(trigger.input.who, "nobody")'}
  - id: sum
    action: sum
    with: {of: [1, =1 + 1, 3], price: 1.50, at: 2024-02-03T04:05:06Z}
  - if: steps.sum.total == 6 && steps.sum.price == 1.5
    then:
      - {id: hello, action: note, with: {text: '="hello " + vars.who'}}
    else:
      - {action: note, with: {text: wrong}}
  - id: walk
    for_each: {in: trigger.input.list, as: x}
    steps:
      - set: {count: =vars.count + x.n}
      - if: x.n > 1
        then:
          - {action: note, with: {text: '="item " + string(x.n)', n: =x.n}}
  - for_each: {in: '[[1, 2], [3]]', as: outer}
    steps:
      - for_each: {in: outer, as: inner}
        steps: [{action: note, with: {text: '="nested " + string(inner)'}}]
  - set: {total: =vars.count, said: =steps.hello.text, items: =steps.walk.count}
`)
		id := w.run("steps", map[string]any{"who": "Ann", "list": []any{map[string]any{"n": 1}, map[string]any{"n": 2}, map[string]any{"n": 3}}})
		w.drain()
		w.wantTexts("hello Ann", "item 2", "item 3", "nested 1", "nested 2", "nested 3")
		r := w.status(id)
		want := `{"who":"Ann","said":"hello Ann","count":6,"items":3,"total":6}`
		if r["status"] != "succeeded" || string(r["output"].(json.RawMessage)) != want {
			t.Fatalf("got %s %s, want %s; %s", r["status"], r["output"], want, w.dump())
		}
	})
}

func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", `
name: good_reviews
trigger: {event: {table: review, on: [create, update], when: rating >= 4 && (isNull(old.rating) || old.rating < 4)}}
steps:
  - {action: note, with: {text: '=trigger.op + " " + trigger.record.title + (has(trigger.record.secret) ? " LEAK" : "")'}}
`)
		w.put("author", `
name: all_reviews
trigger: {event: {table: review, batch: {max: 3, wait: 1m}}}
steps:
  - {action: note, with: {text: '="batch of " + string(size(trigger.records))'}}
`)
		ids := w.insert("admin", "review",
			core.Record{"title": "a", "rating": 5, "secret": "x"}, core.Record{"title": "b", "rating": 1, "secret": "x"}, core.Record{"title": "c", "rating": 3})
		w.drain()
		w.wantTexts("create a", "batch of 3")
		w.update("admin", "review", ids[1], core.Record{"rating": 4})
		w.update("admin", "review", ids[1], core.Record{"rating": 5})
		w.drain()
		w.wantTexts("create a", "batch of 3", "update b", "batch of 2")
		for _, s := range w.records("admin", "_flow_run") {
			if strings.Contains(string(s["input"].(json.RawMessage)), "secret") {
				t.Errorf("the run holds a column that its user may not read: %s", s["input"])
			}
		}
	})
}

// A condition over a column that the flow's user may not read tells nothing about it.
func TestConditionOverHiddenColumn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: spy\ntrigger: {event: {table: review, when: secret == \"x\"}}\nsteps: [{action: note, with: {text: leak}}]\n")
		w.insert("admin", "review", core.Record{"title": "a", "secret": "x"})
		w.drain()
		w.wantTexts()
	})
}

func TestNoEventNoRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: n\ntrigger: {event: {table: review}}\nsteps: [{action: note, with: {text: =trigger.record.title}}]\n")
		err := w.store.Tx(w.as("author"), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
			if _, err := tx.Insert(ctx, tables.Insert{Table: "review", Rows: []core.Record{{"title": "lost"}}}); err != nil {
				return err
			}
			return core.E("test", core.Failed, "rolled back")
		})
		if err == nil {
			t.Fatal("committed")
		}
		w.insert("author", "review", core.Record{"title": "kept"})
		w.drain()
		w.wantTexts("kept")
		w.put("author", "name: n\nenabled: false\ntrigger: {event: {table: review}}\nsteps: [{action: note, with: {text: =trigger.record.title}}]\n")
		w.insert("author", "review", core.Record{"title": "disabled"})
		w.drain()
		w.wantTexts("kept")
		w.put("author", "name: n\ntrigger: {event: {table: review}}\nsteps: [{action: note, with: {text: =trigger.record.title}}]\n")
		w.insert("author", "review", core.Record{"title": "again"})
		w.drain()
		w.wantTexts("kept", "again")
	})
}

func TestRetriesByKind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: f\nretry: {attempts: 3, backoff: 1h}\n"+
			"trigger: {manual: {input: [{name: kind, kind: text}, {name: times, kind: integer}]}}\n"+
			"steps: [{id: f, action: fail, with: {kind: =trigger.input.kind, times: =trigger.input.times}}, {action: note, with: {text: done}}]\n")
		for _, c := range []struct {
			kind     string
			times    int
			status   string
			attempts int64
			text     string
		}{
			{"UNAVAILABLE", 2, "succeeded", 3, ""},
			{"CONFLICT", 3, "failed", 3, "step f: failed on purpose"},
			{"INVALID", 1, "failed", 1, "step f: failed on purpose"},
			{"RULE_FAILED", 1, "failed", 1, "step f: failed on purpose"},
			{"INTERNAL", 9, "failed", 3, "internal error"},
			{"panic", 1, "failed", 1, "internal error"},
		} {
			id := w.run("f", map[string]any{"kind": c.kind, "times": c.times})
			w.drain()
			r := w.status(id)
			if text, _ := r["error"].(string); r["status"] != c.status || text != c.text {
				t.Errorf("%s: %s %q, want %s %q", c.kind, r["status"], text, c.status, c.text)
			}
			for _, s := range w.records("admin", "_flow_step") {
				if s["run_id"] == string(id) && s["path"] == "f" && s["attempt"] != c.attempts {
					t.Errorf("%s: %d attempts, want %d", c.kind, s["attempt"], c.attempts)
				}
			}
		}
		w.wantTexts("try 3", "done") // of the one that went well; the failed tries left nothing
	})
}

func TestForEachGoesOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		source := func(policy string) string {
			return "name: on_" + policy + "\nretry: {attempts: 2}\n" + manual + `
steps:
  - id: walk
    for_each: {in: '[1, 2, 3, 4]', as: i, on_error: ` + policy + `}
    steps:
      - if: i == 2
        then: [{action: fail, with: {kind: INVALID}}]
      - if: i == 3
        then: [{action: fail, with: {kind: UNAVAILABLE, times: 1}}]
      - {action: note, with: {text: '="` + policy + ` " + string(i)'}}
  - {action: note, with: {text: '=string(steps.walk.failed) + " of " + string(steps.walk.count)'}}
`
		}
		w.put("author", source("continue"))
		w.run("on_continue", nil)
		w.drain()
		w.wantTexts("continue 1", "try 2", "continue 3", "continue 4", "1 of 4")
		w.put("author", source("stop"))
		id := w.run("on_stop", nil)
		w.drain()
		w.wantTexts("continue 1", "try 2", "continue 3", "continue 4", "1 of 4", "stop 1")
		if r := w.status(id); r["status"] != "failed" || r["error"] != "step walk.steps.1.then.1 of item 1: failed on purpose" {
			t.Errorf("%v", r)
		}
	})
}

func TestAloneKeepsItsKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: a\n"+manual+"steps: [{id: a, action: alone, with: {times: 2}}]\n")
		id := w.run("a", nil)
		w.drain()
		want := string(id) + "/a/"
		if got := strings.Join(w.calls.keys, " "); got != want+" "+want+" "+want {
			t.Errorf("keys %q", got)
		}
		if r := w.status(id); r["status"] != "succeeded" {
			t.Errorf("%v", r)
		}
	})
}

func TestLoopEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: ping\ntrigger: {event: {table: note, on: [create]}}\nsteps: [{action: note, with: {text: '=trigger.record.text + \".\"'}}]\n")
		w.insert("author", "note", core.Record{"text": ""})
		w.drain()
		if n := len(w.texts()); n != 17 {
			t.Errorf("%d notes, want 17", n)
		}
		var refused []string
		for _, r := range w.runs() {
			if r["status"] == "failed" {
				refused = append(refused, fmt.Sprint(r["error_kind"], " ", r["error"]))
			}
		}
		if len(refused) != 1 || !strings.HasPrefix(refused[0], "LIMIT flows start each other in a loop, which ends after 16 runs: ping -> ping -> ping") {
			t.Errorf("%q", refused)
		}
	})
}

func TestAttackA19Rights(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, _, err := w.flows.Put(w.as("reader"), "name: x\n"+manual+"steps: [{set: {a: 1}}]\n"); core.KindOf(err) != core.Denied {
			t.Errorf("a reader put a flow: %v", err)
		}
		if _, _, err := w.flows.Put(w.as("author"), "name: x\nrun_as: admin@example.com\n"+manual+"steps: [{set: {a: 1}}]\n"); core.KindOf(err) != core.Denied {
			t.Errorf("an author acts as the administrator: %v", err)
		}
		w.put("admin", "name: as_author\nrun_as: author@example.com\n"+manual+"steps: [{id: s, action: sum, with: {of: [1]}}]\n")
		w.put("other", "name: of_other\n"+manual+"steps: [{set: {a: 1}}]\n")
		if _, err := w.flows.Run(w.as("reader"), "as_author", nil); err != nil {
			t.Errorf("a reader may run flows: %v", err)
		}
		id := w.run("of_other", nil)
		w.drain()
		if got := len(w.records("author", "_flow_run")); got != 1 {
			t.Errorf("the author sees %d runs, and owns 1", got)
		}
		if got := len(w.records("author", "_flow_step")); got != 1 {
			t.Errorf("the author sees %d steps, and owns 1", got)
		}
		if got := len(w.records("reader", "_flow_run")); got != 0 {
			t.Errorf("the reader sees %d runs", got)
		}
		if got := len(w.records("admin", "_flow_run")); got != 2 {
			t.Errorf("the administrator sees %d runs", got)
		}
		if err := w.flows.Cancel(w.as("reader"), id); core.KindOf(err) != core.NotFound {
			t.Errorf("a reader finds a run that is not his: %v", err)
		}
		// A flow has the rights that its user has now.
		w.put("author", "name: write\n"+manual+"steps: [{action: note, with: {text: x}}]\n")
		w.administer("unassign_role", core.Record{"role": "author", "user": "author@example.com"})
		late, err := w.flows.Run(w.as("other"), "write", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		if r := w.status(late); r["status"] != "failed" || r["error_kind"] != "DENIED" {
			t.Errorf("%v", r)
		}
		w.wantTexts()
	})
}

func TestVersions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one := "name: v\n" + manual + "steps: [{action: note, with: {text: one}}]\n"
		for i, want := range []int64{1, 1, 2} {
			source := one
			if i == 2 {
				w.run("v", nil)
				source = strings.Replace(one, "one", "two", 1)
			}
			if _, v, err := w.flows.Put(w.as("author"), source); err != nil || v != want {
				t.Fatalf("version %d, error %v", v, err)
			}
		}
		w.run("v", nil)
		w.drain()
		w.wantTexts("one", "two")
	})
}
