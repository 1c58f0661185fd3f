package flows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"colonnade/core"
)

// output returns how the run ended: its status, and what it set or why it failed.
func (w *world) ended(id core.ID) string {
	w.t.Helper()
	r := w.status(id)
	if r["error"] != nil {
		return fmt.Sprintf("%s: %s", r["status"], r["error"])
	}
	raw, _ := r["output"].(json.RawMessage)
	return fmt.Sprintf("%s %s", r["status"], raw)
}

func TestSwitch(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: s\n"+manual+`
steps:
  - for_each: {in: trigger.input.list, as: x}
    steps:
      - switch: 'x == "half" ? 2.5 : x'
        cases:
          - {when: new, steps: [{action: note, with: {text: a new one}}]}
          - {when: [1, 2.50, true], steps: [{action: note, with: {text: '="known " + string(x)'}}]}
          - {when: null, steps: [{action: note, with: {text: nothing}}]}
        default: [{action: note, with: {text: another}}]
`)
		w.run("s", map[string]any{"list": []any{"new", "old", 1, "half", true, nil, []any{1}, "1"}})
		w.drain()
		w.wantTexts("a new one", "another", "known 1", "known half", "known true", "nothing", "another", "another")
	})
}

func TestTerminate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for status, want := range map[string]string{
			"succeeded": `succeeded {"n":1}`,
			"failed":    "failed: no more than 2",
			"cancelled": "cancelled: no more than 2",
		} {
			w.put("author", "name: "+status+"\n"+manual+`
steps:
  - set: {n: 1}
  - for_each: {in: '[1, 2, 3]', as: x, on_error: continue}
    steps:
      - try:
          - if: x == 2
            then: [{terminate: {status: `+status+`, message: '="no more than " + string(x)'}}]
        catch: [{action: note, with: {text: caught}}]
        finally: [{action: note, with: {text: '="`+status+` " + string(x)'}}]
`)
			id := w.run(status, nil)
			w.drain()
			if got := w.ended(id); got != want {
				t.Errorf("%s: %s", status, got)
			}
		}
		if got := w.texts(); len(got) != 6 || strings.Contains(strings.Join(got, " "), "caught") || strings.Contains(strings.Join(got, " "), "3") {
			t.Errorf("%q", got)
		}
	})
}

func TestTry(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: t\nretry: {attempts: 2, backoff: 10ms}\n"+manual+`
steps:
  - id: block
    try:
      - {id: before, action: note, with: {text: before}}
      - {id: bad, action: fail, with: {kind: =trigger.input.who, times: 2}}
      - {action: note, with: {text: not reached}}
    catch:
      - {action: note, with: {text: '=error.kind + " in " + error.step + " - " + error.message + " after " + steps.before.text'}}
    finally:
      - {action: note, with: {text: finally}}
  - {action: note, with: {text: '="caught " + string(steps.block.caught)'}}
  - id: single
    action: fail
    with: {kind: INVALID}
    on_error:
      - {action: note, with: {text: '="instead of " + error.step'}}
      - {action: fail, with: {kind: UNAVAILABLE, times: 1}}
  - try: [{set: {x: =trigger.input.list.x}}]
    finally: [{action: note, with: {text: last}}]
`)
		id := w.run("t", map[string]any{"who": "UNAVAILABLE", "list": 0})
		w.drain()
		w.wantTexts("before", "UNAVAILABLE in block.try.bad - failed on purpose after before", "finally", "caught true", "instead of single", "try 2", "last")
		if got := w.ended(id); !strings.HasPrefix(got, "failed: step 4.try.1: ") || strings.Count(got, "step") != 1 {
			t.Error(got)
		}
		id = w.run("t", map[string]any{"who": "INTERNAL", "list": map[string]any{"x": 1}})
		w.drain()
		if got := w.texts()[8]; got != "INTERNAL in block.try.bad - internal error after before" {
			t.Error(got)
		}
		if got := w.ended(id); got != `succeeded {"x":1}` {
			t.Error(got)
		}
	})
}

// TestUndo has runs fail that have done something: it is undone, the last first, with the values of each item.
func TestUndo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		source := func(end string) string {
			return "name: u\nretry: {attempts: 2, backoff: 10ms}\n" + manual + `
steps:
  - set: {n: 6}
  - {id: one, action: note, with: {text: one}, undo: [{action: note, with: {text: '="not " + steps.one.text + " " + string(vars.n)'}}]}
  - set: {n: 7}
  - for_each: {in: '["a", "b"]', as: x}
    steps:
      - for_each: {in: '[1, 2]', as: y}
        steps:
          - id: pair
            action: note
            with: {text: '=x + string(y)'}
            undo:
              - {action: fail, with: {kind: UNAVAILABLE, times: 1}}
              - {action: note, with: {text: '="not " + steps.pair.text + " of " + x + string(y)'}}
  - {action: fail, with: {kind: INVALID}, on_error: [], undo: [{action: note, with: {text: never}}]}
` + end
		}
		made := []string{"one", "a1", "a2", "b1", "b2"}
		undone := []string{"try 2", "not b2 of b2", "try 2", "not b1 of b1", "try 2", "not a2 of a2", "try 2", "not a1 of a1", "not one 7"}
		source1 := strings.Replace(source("  - {action: fail, with: {kind: INVALID}}\n"), ", on_error: []", ", on_error: [{set: {n: 7}}]", 1)
		w.put("author", source1)
		id := w.run("u", nil)
		w.drain()
		w.wantTexts(append(made, undone...)...)
		if got := w.ended(id); got != "failed: step 6: failed on purpose" {
			t.Error(got)
		}
		w.put("author", strings.Replace(source1, "kind: UNAVAILABLE, times: 1", "kind: INVALID", 1))
		id = w.run("u", nil)
		w.drain()
		want := "failed: step 6: failed on purpose; what it had done could not all be undone, since these steps failed: " +
			"4.steps.1.steps.pair:undo.1 of item 1.1, 4.steps.1.steps.pair:undo.1 of item 1.0, 4.steps.1.steps.pair:undo.1 of item 0.1, 4.steps.1.steps.pair:undo.1 of item 0.0"
		if got := w.ended(id); got != want {
			t.Error(got)
		}
		if got := w.texts(); got[len(got)-1] != "not one 7" {
			t.Errorf("%q", got)
		}
	})
}
