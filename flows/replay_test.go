package flows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/flows"
)

func (w *world) replay(name string, id core.ID, o flows.Replay) core.ID {
	w.t.Helper()
	again, err := w.flows.Replay(w.as(name), id, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.drain()
	return again
}

func (w *world) wantRefused(name string, id core.ID, o flows.Replay, kind core.ErrKind, says string) {
	w.t.Helper()
	_, err := w.flows.Replay(w.as(name), id, o)
	if core.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
		w.t.Errorf("%v, want %s that says %q", err, kind, says)
	}
}

// TestReplayByHand starts runs of a flow that is started by hand again: as they were, with another input, and with the flow as it was.
func TestReplayByHand(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: greet\n"+manual+"steps: [{action: note, with: {text: '=\"Hello \" + trigger.input.who'}}]\n")
		id := w.run("greet", map[string]any{"who": "Ann"})
		w.wantRefused("author", id, flows.Replay{}, core.Invalid, "has not ended")
		w.drain()
		w.put("author", "name: greet\n"+manual+"steps: [{action: note, with: {text: '=\"Hi \" + trigger.input.who'}}]\n")
		same := w.replay("author", id, flows.Replay{})
		w.replay("author", id, flows.Replay{Input: map[string]any{"who": "Bob"}})
		w.replay("other", id, flows.Replay{Original: true})
		w.replay("author", same, flows.Replay{})
		w.wantTexts("Hello Ann", "Hi Ann", "Hi Bob", "Hello Ann", "Hi Ann")
		if r := w.status(same); r["cause"] != "replay" || r["cause_id"] != string(id) || r["trigger_kind"] != "manual" || r["version"] != int64(2) {
			t.Errorf("%v", r)
		}

		w.wantRefused("author", id, flows.Replay{Input: map[string]any{"whom": "Bob"}}, core.Invalid, "whom")
		w.wantRefused("reader", id, flows.Replay{}, core.NotFound, "there is no run")
		w.wantRefused("author", core.NewID(), flows.Replay{}, core.NotFound, "there is no run")
		w.put("author", "name: greet\nenabled: false\n"+manual+"steps: [{action: note, with: {text: a}}]\n")
		w.wantRefused("author", id, flows.Replay{Original: true}, core.Invalid, "disabled")
		w.administer("put_role", core.Record{"name": "author", "grants": []any{map[string]any{"table": "_flow_run", "privileges": []any{"read"}}}, "actions": []any{"manage_flows"}})
		w.wantRefused("author", id, flows.Replay{}, core.Denied, "right to run flows")
	})
}

// TestReplayEvent starts runs again that changes of records have started.
func TestReplayEvent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", onReview+"  - {action: note, with: {text: =trigger.record.title}}\n  - {action: fail, with: {kind: INVALID}}\n")
		w.insert("author", "review", core.Record{"title": "good", "rating": 5})
		w.drain()
		run := core.ID(w.runs()[0]["id"].(string))
		if got := w.status(run)["status"]; got != "failed" {
			t.Fatal(got)
		}
		w.put("author", onReview+"  - {action: note, with: {text: '=trigger.record.title + \" again\"'}}\n")
		again := w.replay("author", run, flows.Replay{})
		if r := w.status(again); r["status"] != "succeeded" || r["trigger_kind"] != "event" {
			t.Errorf("%v", r)
		}
		if texts := w.texts(); !slices.Contains(texts, "good again") {
			t.Errorf("%q", texts)
		}
		w.wantRefused("author", run, flows.Replay{Input: map[string]any{"who": "x"}}, core.Invalid, "not started by hand")
		w.put("author", "name: f\n"+manual+"steps: [{action: note, with: {text: a}}]\n")
		w.wantRefused("author", run, flows.Replay{}, core.Invalid, "original: true")
		if r := w.status(w.replay("author", run, flows.Replay{Original: true})); r["status"] != "failed" {
			t.Errorf("%v", r)
		}

		classify(w, core.DataClass{Name: "personal", Log: core.Deny}, core.DataClass{Name: "health"})
		w.put("author", onReview+"  - {action: note, with: {text: '=string(trigger.record.rating)'}}\n")
		w.insert("author", "review", core.Record{"title": "Quentin", "rating": 1})
		w.drain()
		kept := slices.DeleteFunc(w.runs(), func(r core.Record) bool { return r["version"] != int64(4) })
		if len(kept) != 1 {
			t.Fatalf("%v", kept)
		}
		w.wantRefused("author", core.ID(kept[0]["id"].(string)), flows.Replay{}, core.Invalid, "a data class keeps what the run of f was given")
	})
}

// TestReplayRuns starts several runs again, all or none.
func TestReplayRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: greet\n"+manual+"steps: [{action: note, with: {text: =trigger.input.who}}]\n")
		ids := []any{}
		for _, who := range []string{"a", "b", "c"} {
			ids = append(ids, string(w.run("greet", map[string]any{"who": who})))
		}
		w.drain()
		call := func(ids ...any) (core.Record, error) {
			for _, a := range w.flows.Actions() {
				if a.Name == "replay_runs" {
					in, err := core.ParseInput(a.Input, core.Record{"run_ids": ids})
					if err != nil {
						t.Fatal(err)
					}
					return a.Run(w.as("author"), core.Call{In: in})
				}
			}
			return nil, nil
		}
		if _, err := call(ids[0], string(core.NewID())); core.KindOf(err) != core.NotFound {
			t.Errorf("%v", err)
		}
		w.drain()
		w.wantTexts("a", "b", "c")
		out, err := call(ids...)
		if err != nil || len(out["run_ids"].([]any)) != 3 {
			t.Fatal(out, err)
		}
		w.drain()
		w.wantTexts("a", "b", "c", "a", "b", "c")
	})
}

// TestRetryAfter has an action ask to be left alone for longer than a pause: its run waits as long, but an hour at most.
func TestRetryAfter(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begin := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
		w.clock.set(begin)
		w.put("author", "name: ask\n"+manual+"steps: [{action: fail, with: {kind: UNAVAILABLE, times: 1, wait: =trigger.input.list}}]\n")
		for asked, want := range map[int]time.Duration{0: 0, 1200: 20 * time.Minute, 86400: time.Hour} {
			id := w.run("ask", map[string]any{"list": asked})
			w.drain()
			var due int64
			b := db.New(w.store.DB().Dialect).Write(`SELECT due FROM "_flow_run" WHERE id = `).Arg(id)
			if err := w.store.DB().Query(t.Context(), b, func(scan func(...any) error) error { return scan(&due) }); err != nil {
				t.Fatal(err)
			}
			if got := time.UnixMicro(due).Sub(begin); w.status(id)["status"] != "succeeded" || got < want || got > want+10*time.Second {
				t.Errorf("asked for %d s, the run waits %s, want %s", asked, got, want)
			}
		}
	})
}

// TestRestoreVersion goes back to an earlier definition of a flow, and not to one that names what is not there any more.
func TestRestoreVersion(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: greet\n"+manual+"steps: [{action: note, with: {text: one}}]\n")
		w.put("author", "name: greet\n"+manual+"steps: [{action: note, with: {text: two}}]\n")
		restore := func(name string, version, want int64) {
			t.Helper()
			got, err := w.flows.RestoreVersion(w.as(name), "greet", version)
			if err != nil || got != want {
				t.Errorf("version %d, want %d; %v", got, want, err)
			}
		}
		restore("author", 1, 3)
		restore("author", 3, 3)
		w.run("greet", nil)
		w.drain()
		w.wantTexts("one")
		for name, c := range map[string]struct {
			flow    string
			version int64
			kind    core.ErrKind
		}{"author": {"greet", 9, core.NotFound}, "other": {"gone", 1, core.NotFound}, "reader": {"greet", 1, core.Denied}} {
			if _, err := w.flows.RestoreVersion(w.as(name), c.flow, c.version); core.KindOf(err) != c.kind {
				t.Errorf("%s: %v, want %s", name, err, c.kind)
			}
		}
		w.put("author", strings.Replace(onReview, "create]", "create], when: rating == 5", 1)+"  - {action: note, with: {text: =trigger.record.title}}\n")
		rename := core.RenameColumns{Of: "review", To: map[string]string{"rating": "stars"}}
		if err := w.store.Change(core.WithCaller(t.Context(), core.System("test")), rename); err != nil {
			t.Fatal(err)
		}
		if _, err := w.flows.RestoreVersion(w.as("author"), "f", 1); core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), "rating") {
			t.Errorf("a version that names a column of before: %v", err)
		}
	})
}
