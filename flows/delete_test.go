package flows_test

import (
	"testing"

	"colonnade/core"
)

// A flow is deleted with runs that wait, that a worker has, and that nobody has begun; events start it no more.
func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: rest\n"+manual+"steps: [{wait: {for: 90d}}]\n")
		w.put("author", "name: work\n"+manual+"steps: [{action: note, with: {text: begun}}, {action: hold}, {action: note, with: {text: too late}}]\n")
		w.put("author", "name: look\ntrigger: {event: {table: review, on: [create]}}\nsteps: [{action: note, with: {text: =trigger.record.title}}]\n")
		w.put("author", "name: other\ntrigger: {event: {table: review, on: [create]}}\nsteps: [{action: note, with: {text: ='other ' + trigger.record.title}}]\n")
		w.run("rest", nil)
		w.drain()
		w.insert("admin", "review", core.Record{"title": "one"}) // of which nobody has been told
		if err := w.flows.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := w.run("work", nil)
		<-w.calls.tell
		if _, err := w.flows.Delete(w.as("reader"), "work"); core.KindOf(err) != core.Denied {
			t.Errorf("the reader: %v", err)
		}
		for _, name := range []string{"work", "rest", "look"} {
			if _, err := w.flows.Delete(w.as("author"), name); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := w.flows.Delete(w.as("author"), name); core.KindOf(err) != core.NotFound {
				t.Errorf("%s again: %v", name, err)
			}
		}
		close(w.calls.let)
		if _, err := w.flows.Wait(t.Context(), id); core.KindOf(err) != core.NotFound {
			t.Errorf("the run: %v", err)
		}
		w.insert("admin", "review", core.Record{"title": "two"})
		w.drain()
		for _, of := range []string{"_flow_run", "_flow_step"} {
			for _, r := range w.records("admin", of) {
				if of == "_flow_run" && r["flow_name"] != "other" || of == "_flow_step" && r["name"] != "note" {
					t.Errorf("%s %v", of, r)
				}
			}
		}
		for _, text := range w.texts() {
			if text == "too late" || text == "two" {
				t.Errorf("a flow that is no more wrote %q", text)
			}
		}
	})
}
