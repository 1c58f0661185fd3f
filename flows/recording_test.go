package flows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestDataClassesInRecordings has runs take values of a class that logs do not hold through variables, steps, items and errors: they
// come to where they shall, by a run that resumes too, and neither a recording nor the log holds them, while the run goes on and after it.
func TestDataClassesInRecordings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var log lines
		w, err := openWorld(t.Context(), d, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		w.t = t
		t.Cleanup(func() { _ = w.flows.Stop(context.Background()) })
		if err := w.furnish(t.Context()); err != nil {
			t.Fatal(err)
		}
		classify(w, core.DataClass{Name: "personal", Log: core.Deny}, core.DataClass{Name: "health"})
		steps := `  - set: {asked: "=trigger.record.title + '?'", rating: "=trigger.record.rating"}
  - {action: note, id: first, with: {text: "=vars.asked", n: "=trigger.record.rating"}}
  - {action: hold}
  - for_each: {in: trigger.records, as: r}
    steps: [{action: note, with: {text: "=r.line"}}]
  - for_each: {in: "trigger.records.map(r, r.title)", as: s}
    steps: [{action: fail, with: {kind: UNAVAILABLE, times: 1}}, {action: note, with: {text: "=s"}}]
  - {action: note, with: {text: "=steps.first.text + steps.first.text"}}
`
		w.put("author", onReview+steps)
		w.put("author", strings.Replace(onReview, "name: f", "name: g", 1)+"  - {action: hold}\n  - set: {a: \"=trigger.record.title\"}\n"+`  - {action: sum, id: add, with: {price: "=vars.a"}}`+"\n")
		w.put("author", strings.Replace(onReview, "name: f", "name: h", 1)+"  - {action: hold}\n"+`  - {action: note, with: {text: "=string(int(trigger.record.title))"}}`+"\n")
		w.insert("author", "review", core.Record{"title": "Quentin", "rating": 5, "cause": "flu"})
		done := make(chan error, 1)
		go func() { done <- w.flows.Drain(t.Context()) }()
		for range 3 {
			<-w.calls.tell
			without(t, "a recording of a run that goes on", w.dump(), "Quentin")
			w.calls.let <- struct{}{}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantNotes(w, "Quentin?", "Quentin!", "try 2", "Quentin", "Quentin?Quentin?")
		without(t, "a recording", w.dump(), "Quentin")
		without(t, "the log", log.String(), "Quentin")
		for _, word := range []string{`"asked":"…"`, `"rating":5`, `"cause":"flu"`, `"title":"…"`} {
			if !strings.Contains(w.dump(), word) {
				t.Errorf("the recordings lack %s: %s", word, w.dump())
			}
		}
		var failed []string
		for _, r := range w.runs() {
			if r["status"] == "failed" {
				failed = append(failed, r["flow_name"].(string))
				if said := r["error"].(string); !strings.Contains(said, "review.title") || !strings.Contains(said, "personal") {
					t.Errorf("the run of %s says %q", r["flow_name"], said)
				}
			}
		}
		if slices.Sort(failed); !slices.Equal(failed, []string{"g", "h"}) {
			t.Errorf("the runs of %v failed, want g and h: %s", failed, w.dump())
		}
		for _, column := range []string{"_flow_run.kept_input", "_flow_step.kept_input", "_flow_step.kept_output"} {
			table, name, _ := strings.Cut(column, ".")
			n := int64(-1)
			b := db.New(d.Dialect).Write("SELECT count(*) FROM ").Name(table).Write(" WHERE ").Name(name).Write(" IS NOT NULL")
			if err := d.Query(t.Context(), b, func(scan func(...any) error) error { return scan(&n) }); err != nil || n != 0 {
				t.Errorf("%s is kept %d times: %v", column, n, err)
			}
		}
	})
}

// TestForEachWithoutEffects goes through items with steps that only compute, of which nothing is written before the list is through.
func TestForEachWithoutEffects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: f\ntrigger: {manual: {}}\nsteps:\n  - set: {n: 0}\n  - for_each: {in: '[1, 2, 3]', as: i}\n    steps: [{set: {n: \"=vars.n + i\"}}]\n")
		id := w.run("f", nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.flows.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		r := w.status(id)
		if raw, _ := r["output"].(json.RawMessage); r["status"] != "succeeded" || string(raw) != `{"n":6}` || r["attempts"] != int64(1) {
			t.Errorf("the run is %v with %s: %s", r["status"], raw, w.dump())
		}
	})
}

// without fails when a text holds a word.
func without(t *testing.T, what, text, word string) {
	t.Helper()
	if i := strings.Index(text, word); i >= 0 {
		t.Errorf("%s holds %s: %s", what, word, text[max(0, i-300):min(len(text), i+100)])
	}
}
