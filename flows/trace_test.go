package flows_test

import (
	"strings"
	"testing"

	"colonnade/core"
)

// classify gives reviews columns of data classes, and says what they allow.
func classify(w *world, classes ...core.DataClass) {
	w.t.Helper()
	changes := []core.Change{}
	for _, c := range classes {
		changes = append(changes, core.PutClass{Put: c})
	}
	if t, _ := w.store.Snapshot().Schema.Table("review"); len(t.ClassesOf(column(t, "title"))) == 0 {
		changes = append(changes, core.AlterColumn{Of: "review", Column: "title", Set: map[string]any{"classes": []any{"personal"}}},
			core.AddColumn{To: "review", Add: core.Column{Name: "cause", Kind: core.Text, Classes: []string{"health"}}},
			core.AddColumn{To: "review", Add: core.Column{Name: "line", Kind: core.Text, Formula: "title + '!'", Stored: true}})
	}
	if err := w.store.Change(core.WithCaller(w.t.Context(), core.System("test")), changes...); err != nil {
		w.t.Fatal(err)
	}
}

func column(t *core.Table, name string) *core.Column {
	c, _ := t.Column(name)
	return c
}

const onReview = "name: f\ntrigger: {event: {table: review, on: [create]}}\nsteps:\n"

// TestDataClassesAtSave saves flows that take values of data classes to a model, to a server and elsewhere, by every way there is.
func TestDataClassesAtSave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		classify(w, core.DataClass{Name: "personal", AI: core.Mask, Egress: core.EgressHosts, Hosts: []string{"lab.example.com"}}, core.DataClass{Name: "health", AI: core.Deny, Egress: core.EgressNone})
		for name, x := range map[string]struct {
			steps   string
			refused []string // words of the refusal; nothing is refused without
		}{
			"a column of no class":     {`  - {action: guess, with: {text: "=string(trigger.record.rating)"}}`, nil},
			"nowhere":                  {`  - {action: note, with: {text: "=trigger.record.cause"}}`, nil},
			"to a host that is named":  {`  - {action: post, with: {text: "=trigger.record.title"}}`, nil},
			"masked to a model":        {`  - {action: guess, with: {text: "=trigger.record.title"}}`, nil},
			"denied to a model":        {`  - {action: guess, id: ask, with: {text: "=trigger.record.cause"}}`, []string{"step ask", "review.cause", "health", "no model"}},
			"to a host":                {`  - {action: post, with: {text: "=trigger.record.cause"}}`, []string{"step 1", "review.cause", "health", "no server", "lab.example.com"}},
			"before the change":        {`  - {action: post, with: {text: "=trigger.old.cause"}}`, []string{"review.cause"}},
			"in a part of a text":      {`  - {action: post, with: {text: "='x' + string(trigger.record.cause.size())"}}`, []string{"review.cause"}},
			"by the name in brackets":  {`  - {action: post, with: {text: "=string(trigger.record['cause'])"}}`, []string{"review.cause"}},
			"the whole record":         {`  - {action: post, with: {text: "=string(trigger.records)"}}`, []string{"review.cause"}},
			"by a variable":            {"  - set: {a: \"=trigger.record.cause\"}\n  - set: {b: \"=vars.a + '.'\"}\n  - {action: post, with: {text: \"=vars.b\"}}", []string{"step 3", "review.cause"}},
			"masked, by a variable":    {"  - set: {a: \"=trigger.record.title\"}\n  - {action: guess, with: {text: \"=vars.a\"}}", []string{"step 2", "review.title", "personal", "by way of"}},
			"by another variable":      {"  - set: {a: \"=trigger.record.cause\", b: 1}\n  - {action: post, with: {text: \"=string(vars.b)\"}}", nil},
			"by a step":                {"  - {action: note, id: n, with: {text: \"=trigger.record.cause\"}}\n  - {action: post, with: {text: \"=steps.n.text\"}}", []string{"step 2", "review.cause"}},
			"in a branch":              {"  - if: trigger.record.rating > 1\n    then: [{action: post, with: {text: \"=trigger.record.cause\"}}]", []string{"step 1.then.1", "review.cause"}},
			"of an item":               {"  - for_each: {in: trigger.records, as: r}\n    steps: [{action: post, with: {text: \"=r.cause\"}}]", []string{"review.cause"}},
			"another column of it":     {"  - for_each: {in: trigger.records, as: r}\n    steps: [{action: post, with: {text: \"=r.title\"}}]", nil},
			"ids of all":               {"  - {action: post, with: {text: \"=string(trigger.records.map(r, r.id).size())\"}}", nil},
			"a column of all":          {"  - {action: post, with: {text: \"=string(trigger.records.map(r, r.cause).size())\"}}", []string{"review.cause"}},
			"of some items":            {"  - for_each: {in: 'trigger.records.filter(x, x.rating > 1)', as: r}\n    steps: [{action: post, with: {text: \"=r.title\"}}]", nil},
			"of a list that is made":   {"  - for_each: {in: 'trigger.records.map(r, r.cause)', as: c}\n    steps: [{action: post, with: {text: \"=c\"}}]", []string{"review.cause"}},
			"from one item to another": {"  - set: {a: x}\n  - for_each: {in: trigger.records, as: r}\n    steps:\n      - {action: post, with: {text: \"=string(vars.a)\"}}\n      - set: {a: \"=r.cause\"}", []string{"review.cause"}},
			"asked of people":          {"  - {approval: {title: \"=string(trigger.record.cause)\", by: admin@example.com}}", []string{"review.cause", "who is asked"}},
			"in details":               {"  - {approval: {title: Go on, details: {a: [\"=trigger.record.cause\"]}, by: admin@example.com}}", []string{"review.cause", "who is asked"}},
			"of no class, asked":       {"  - {approval: {title: \"=trigger.record.id\", by: admin@example.com}}", nil},
			"a column that is named":   {"  - {action: guess, with: {table: review, column: cause}}", []string{"review.cause", "no model"}},
			"what is made of one":      {"  - {action: guess, with: {text: \"=trigger.record.line\"}}", nil},
			"hidden from the user":     {"  - {action: post, with: {text: \"=string(trigger.record.secret)\"}}", nil},
		} {
			_, _, err := w.flows.Put(w.as("author"), onReview+x.steps)
			if len(x.refused) == 0 {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s: it is saved", name)
				continue
			}
			for _, word := range x.refused {
				if said := core.AsError(err).Public(); !strings.Contains(said, word) {
					t.Errorf("%s: %q lacks %q", name, said, word)
				}
			}
		}
	})
}

// TestDataClassesAtRun has the classes say something else after flows were saved: what they take is masked, and what is refused by then
// ends the run.
func TestDataClassesAtRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		classify(w, core.DataClass{Name: "personal"}, core.DataClass{Name: "health"})
		w.put("author", strings.Replace(onReview, "name: f", "name: model", 1)+`  - {action: guess, with: {text: "=trigger.record.title + ' ' + string(trigger.record.rating)"}}`+"\n"+
			"  - for_each: {in: trigger.records, as: r}\n    steps: [{action: guess, with: {text: \"=r.line\"}}]\n")
		w.put("author", strings.Replace(onReview, "name: f", "name: server", 1)+`  - {action: post, id: send, with: {text: "=string(trigger.record.cause)"}}`)
		w.insert("author", "review", core.Record{"title": "Ann", "rating": 1, "cause": "flu"})
		w.drain()
		wantNotes(w, "guess Ann 1", "guess Ann!", "post flu")

		classify(w, core.DataClass{Name: "personal", Mask: "value.left(1) + '*'", AI: core.Mask}, core.DataClass{Name: "health", Egress: core.EgressNone})
		w.insert("author", "review", core.Record{"title": "Bob", "rating": 2, "cause": "gout"})
		w.drain()
		wantNotes(w, "guess Ann 1", "guess Ann!", "post flu", "guess B* 2", "guess B*")
		refused := 0
		for _, r := range w.runs() {
			if r["status"] != "failed" {
				continue
			}
			refused++
			if said := r["error"].(string); !strings.Contains(said, "step send") || !strings.Contains(said, "review.cause") || !strings.Contains(said, "lab.example.com") || strings.Contains(said, "gout") {
				t.Errorf("the run says %q", said)
			}
		}
		if refused != 1 {
			t.Errorf("%d runs failed, want 1: %s", refused, w.dump())
		}
	})
}

// wantNotes compares the notes, whatever their order.
func wantNotes(w *world, want ...string) {
	w.t.Helper()
	have := map[string]int{}
	for _, s := range w.texts() {
		have[s]++
	}
	for _, s := range want {
		have[s]--
	}
	for s, n := range have {
		if n != 0 {
			w.t.Errorf("%q is there %d times too often: %s", s, n, w.dump())
		}
	}
}
