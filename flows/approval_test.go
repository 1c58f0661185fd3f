package flows_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/flows"
)

// asked returns the open requests of a user.
func (w *world) asked(name string) []flows.Approval {
	w.t.Helper()
	out, err := w.flows.Approvals(w.as(name), false, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) answer(name string, q flows.Approval, approve bool) string {
	w.t.Helper()
	status, err := w.flows.Answer(w.as(name), q.ID, approve, "")
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return status
}

// A request whose time is over tells what was said until then, and takes no answer any more.
func TestApprovalTimesOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		w.clock.set(begin)
		w.put("author", "name: a\n"+manual+`
steps:
  - {id: ok, approval: {title: Go on, by: [admin@example.com, reader@example.com], quorum: all, timeout: 2d}}
  - set: {out: '=string(steps.ok.approved) + " " + string(steps.ok.timed_out) + " " + string(steps.ok.answers.size()) + " " + steps.ok.answers[0].name'}
`)
		id := w.run("a", nil)
		w.drain()
		q := w.asked("reader")
		if len(q) != 1 || !q[0].Due.Equal(begin.Add(48*time.Hour)) || q[0].Quorum != 2 {
			t.Fatalf("%+v", q)
		}
		if got := w.answer("reader", q[0], true); got != "open" {
			t.Error(got)
		}
		w.clock.set(begin.Add(47 * time.Hour))
		w.drain()
		if got := w.status(id)["status"]; got != "waiting" {
			t.Error(got)
		}
		w.clock.set(begin.Add(48 * time.Hour))
		w.drain()
		w.wantEnded(id, `succeeded {"out":"false true 1 reader"}`)
		if _, err := w.flows.Answer(w.as("admin"), q[0].ID, true, ""); core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), "timed out") {
			t.Errorf("too late: %v", err)
		}
		if q := w.asked("admin"); len(q) != 0 {
			t.Errorf("%+v", q)
		}
	})
}

// Of answers that come at once one decides, and the run hears of it once.
func TestApprovalAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: a\n"+manual+`
steps:
  - for_each: {in: '[1, 2, 3]', as: x}
    steps:
      - {id: ok, approval: {title: ="Go on with " + string(x), by: [admin@example.com, reader@example.com, other@example.com], quorum: 2}}
      - {action: note, with: {text: '=string(steps.ok.approved) + " " + string(steps.ok.answers.size())'}}
`)
		id := w.run("a", nil)
		names := []string{"admin", "reader", "other"}
		for range 3 {
			w.drain()
			ctx, q := map[string]context.Context{}, w.asked("admin")
			if len(q) != 1 {
				t.Fatalf("%d are asked; %s", len(q), w.dump())
			}
			for _, name := range names {
				ctx[name] = w.as(name)
			}
			statuses := make([]string, len(names))
			var all sync.WaitGroup
			for i, name := range names {
				all.Go(func() {
					var err error
					if statuses[i], err = w.flows.Answer(ctx[name], q[0].ID, true, ""); err != nil && core.KindOf(err) != core.Conflict {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			if got := strings.Count(strings.Join(statuses, " "), "approved"); got != 1 {
				t.Errorf("%d answers decided: %v", got, statuses)
			}
		}
		w.drain()
		w.wantTexts("true 2", "true 2", "true 2")
		w.wantEnded(id, "succeeded {}")
	})
}

// Who is asked, and who is not: roles count when the step begins, accounts that are disabled do not, strangers hear nothing.
func TestApprovalPeople(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.administer("disable_user", core.Record{"user": "other@example.com"})
		w.put("author", "name: a\n"+manual+"steps: [{approval: {title: Go on, role: author}}, {set: {yes: true}}]\n")
		w.put("author", "name: alone\n"+manual+"steps: [{approval: {title: Go on, by: author@example.com, not_starter: true}}]\n")
		w.put("author", "name: many\n"+manual+"steps: [{approval: {title: Go on, by: admin@example.com, quorum: 2}}]\n")
		w.put("author", "name: ghost\n"+manual+"steps: [{approval: {title: Go on, by: ghost@example.com}}]\n")
		w.put("author", "name: wrong\n"+manual+"steps: [{approval: {title: Go on, role: ghosts}}]\n")
		id := w.run("a", nil)
		w.drain()
		q := w.asked("author")
		if len(q) != 1 || q[0].Title != "Go on" || len(w.asked("admin"))+len(w.asked("reader")) != 0 {
			t.Fatalf("%+v", q)
		}
		_, none := w.flows.Answer(w.as("admin"), core.NewID(), true, "")
		_, others := w.flows.Answer(w.as("admin"), q[0].ID, true, "")
		if core.KindOf(none) != core.NotFound || core.KindOf(others) != core.NotFound {
			t.Errorf("%v, %v", none, others)
		}
		if err := w.flows.Delegate(w.as("author"), q[0].ID, "other@example.com"); core.KindOf(err) != core.Invalid {
			t.Errorf("to one who is disabled: %v", err)
		}
		if err := w.flows.Delegate(w.as("author"), q[0].ID, "author@example.com"); core.KindOf(err) != core.Invalid {
			t.Errorf("to oneself: %v", err)
		}
		if _, err := w.flows.Answer(w.as("author"), q[0].ID, true, strings.Repeat("x", 4001)); core.KindOf(err) != core.Invalid {
			t.Errorf("a long comment: %v", err)
		}
		w.answer("author", q[0], true)
		w.drain()
		w.wantEnded(id, `succeeded {"yes":true}`)
		for name, want := range map[string]string{
			"alone": "failed: step 1: there is nobody who could approve: name users with by, or a role that somebody holds",
			"many":  "failed: step 1: 2 must approve, and 1 person is asked: lower the quorum, or name more people",
			"ghost": `failed: step 1: by: there is no user "ghost@example.com": use the e-mail address or the id`,
			"wrong": `failed: step 1: there is no role "ghosts"`,
		} {
			id := w.run(name, nil)
			w.drain()
			if got := w.ended(id); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	})
}

// What a run asks is taken back when it ends otherwise, and when the branch is given up in which it asks.
func TestApprovalTakenBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: a\n"+manual+`
steps:
  - parallel:
      asks: [{approval: {title: Go on, by: admin@example.com}}, {action: note, with: {text: too late}}]
      waits: [{wait: {event: paid, key: k}}]
    join: any
  - {approval: {title: And now, by: admin@example.com}}
`)
		id := w.run("a", nil)
		w.drain()
		first := w.asked("admin")
		w.emit("k", nil, 0)
		w.drain()
		if _, err := w.flows.Answer(w.as("admin"), first[0].ID, true, ""); core.KindOf(err) != core.Conflict {
			t.Errorf("given up: %v", err)
		}
		second := w.asked("admin")
		if len(second) != 1 || second[0].Title != "And now" {
			t.Fatalf("%+v", second)
		}
		if err := w.flows.Cancel(w.as("author"), id); err != nil {
			t.Fatal(err)
		}
		if _, err := w.flows.Answer(w.as("admin"), second[0].ID, true, ""); core.KindOf(err) != core.Conflict {
			t.Errorf("cancelled: %v", err)
		}
		w.drain()
		w.wantTexts()
		w.clock.set(time.Now().Add(31 * 24 * time.Hour))
		if n, err := w.flows.Retain(t.Context()); err != nil || n != 1 || len(w.records("admin", "_flow_approval"))+len(w.records("admin", "_flow_assignment")) != 0 {
			t.Errorf("%d runs are deleted, %v", n, err)
		}
	})
}
