package flows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/flows"
)

func (w *world) start() {
	w.t.Helper()
	if err := w.flows.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wait(id core.ID) flows.Run {
	w.t.Helper()
	r, err := w.flows.Wait(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestServiceRunsByItself(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: tell\ntrigger: {event: {table: review}}\nsteps: [{action: hold}, {action: note, with: {text: =trigger.record.title}}]\n")
		w.start()
		w.insert("admin", "review", core.Record{"title": "now"})
		key := <-w.calls.tell
		close(w.calls.let)
		id, _, _ := strings.Cut(key, "/")
		if r := w.wait(core.ID(id)); r.Status != "succeeded" {
			t.Errorf("%v", r)
		}
		w.wantTexts("now")
		if err := w.flows.Start(t.Context()); err == nil {
			t.Error("started twice")
		}
		for range 2 {
			if err := w.flows.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: slow\n"+manual+"steps: [{action: hold}, {action: note, with: {text: late}}]\n")
		w.start()
		id := w.run("slow", nil)
		<-w.calls.tell
		if err := w.flows.Cancel(w.as("author"), id); err != nil {
			t.Fatal(err)
		}
		if r := w.wait(id); r.Status != "cancelled" {
			t.Errorf("%v", r)
		}
		if err := w.flows.Cancel(w.as("author"), id); core.KindOf(err) != core.Invalid {
			t.Errorf("cancelled twice: %v", err)
		}
		w.drain()
		w.wantTexts()
	})
}

func TestTimeout(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: slow\ntimeout: 1s\n"+manual+"steps: [{id: h, action: hold}, {action: note, with: {text: late}}]\n")
		id := w.run("slow", nil)
		w.drain()
		r := w.status(id)
		if text, _ := r["error"].(string); r["status"] != "failed" || !strings.Contains(text, "the run took longer than its time, 1s") {
			t.Errorf("%v", r)
		}
		w.wantTexts()
	})
}

// A run that Stop interrupts goes on where it was, in another service.
func TestStopHandsBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.put("author", "name: long\n"+manual+"steps: [{action: note, with: {text: before}}, {id: h, action: hold}, {action: note, with: {text: after}}]\n")
		w.start()
		id := w.run("long", nil)
		key := <-w.calls.tell
		if err := w.flows.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r := w.status(id); r["status"] != "waiting" {
			t.Fatalf("%v", r)
		}
		next, err := openWorld(t.Context(), w.store.DB(), dbtest.Log(t), 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		close(next.calls.let)
		next.t = t
		next.start()
		if r := next.wait(id); r.Status != "succeeded" {
			t.Errorf("%v", r)
		}
		if again := <-next.calls.tell; again != key {
			t.Errorf("the key was %s, and is %s", key, again)
		}
		if err := next.flows.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		w.wantTexts("before", "after")
	})
}

// The actions about flows, as an API calls them.
func TestActions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		do := func(as, name string, in core.Record) (core.Record, error) {
			for _, a := range w.flows.Actions() {
				if a.Name == name {
					in, err := core.ParseInput(a.Input, in)
					if err != nil {
						return nil, err
					}
					return a.Run(w.as(as), core.Call{In: in})
				}
			}
			return nil, fmt.Errorf("no action %s", name)
		}
		w.put("author", "name: new_order\ntrigger: {webhook: {}}\nsteps: [{set: {a: =trigger.id}}]\n") // which an example needs
		w.put("author", "name: goodbye\ntrigger: {manual: {}}\nsteps: [{set: {a: 1}}]\n")              // and another deletes
		for _, a := range w.flows.Actions() {
			for _, e := range a.Examples {
				who := "author"
				if a.Name == "next_fires" {
					who = "admin" // who may read schedules
				}
				out, err := do(who, a.Name, e.In)
				if err != nil || e.Out != nil && fmt.Sprint(out) != fmt.Sprint(e.Out) {
					t.Errorf("%s: %v, error %v, want %v", a.Name, out, err, e.Out)
				}
			}
		}
		out, err := do("reader", "run_flow", core.Record{"name": "hello", "input": map[string]any{"who": "Bob"}})
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		id := out["run_id"].(string)
		if r := w.status(core.ID(id)); fmt.Sprintf("%s", r["output"]) != `{"greeting":"Hello Bob"}` {
			t.Errorf("%s", r["output"])
		}
		if out, err = do("reader", "wait_run", core.Record{"run_id": id}); err != nil || out["status"] != "succeeded" {
			t.Errorf("%v %v", out, err)
		}
		if _, err = do("other", "wait_run", core.Record{"run_id": id}); core.KindOf(err) != core.NotFound {
			t.Errorf("somebody else waits for the run: %v", err)
		}
		for _, in := range []core.Record{{"name": "hello"}, {"name": "hello", "input": map[string]any{"whom": "x"}}, {"name": "hello", "input": []any{1}}} {
			if _, err := do("author", "run_flow", in); core.KindOf(err) != core.Invalid {
				t.Errorf("%v: %v", in, err)
			}
		}
		if _, err := do("author", "run_flow", core.Record{"name": "nothing"}); core.KindOf(err) != core.NotFound {
			t.Errorf("%v", err)
		}
	})
}

func TestCron(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		at := func(s string) time.Time {
			m, err := time.Parse(time.RFC3339, s)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		w.clock.set(at("2024-03-29T12:00:00Z"))
		flow := func(name, policy string) string {
			return "name: " + name + "\ntrigger: {cron: {spec: 30 2 * * *, zone: Europe/Berlin" + policy + "}}\nsteps: [{action: note, with: {text: '=\"" + name + " \" + trigger.at'}}]\n"
		}
		w.put("author", flow("daily", ""))
		w.put("author", flow("catching", ", catch_up: once"))
		for _, s := range []string{"2024-03-30T01:29:59Z", "2024-03-30T01:30:00Z", "2024-03-30T01:30:30Z"} {
			w.clock.set(at(s))
			w.drain()
		}
		w.wantTexts("daily 2024-03-30T01:30:00+00:00", "catching 2024-03-30T01:30:00+00:00")
		w.put("author", flow("daily", "")+"\n") // a new version of the same schedule keeps its tick
		w.clock.set(at("2024-03-31T01:00:01Z")) // the clock jumped over 02:30
		w.drain()
		if n := len(w.texts()); n != 4 {
			t.Fatalf("%d ticks; %q", n, w.texts())
		}
		w.clock.set(at("2024-04-05T12:00:00Z")) // down for days
		w.drain()
		w.drain()
		got := w.texts()
		if len(got) != 5 || got[4] != "catching 2024-04-01T00:30:00+00:00" {
			t.Errorf("%q", got)
		}
		w.clock.set(at("2024-04-06T00:30:00Z"))
		w.drain()
		if n := len(w.texts()); n != 7 {
			t.Errorf("%d ticks; %q", n, w.texts())
		}
	})
}

// Two services on one database, over simulated years: each tick has one run.
func TestCronOfTwo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begin, days := time.Date(2023, 1, 1, 12, 0, 0, 0, time.UTC), 365
		if testing.Short() {
			days = 100
		}
		w.clock.set(begin)
		zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}
		for i, zone := range zones {
			w.put("author", fmt.Sprintf("name: f%d\ntrigger: {cron: {spec: 30 2 * * *, zone: %s, overlap: queue, catch_up: once}}\nsteps: [{set: {at: =trigger.at}}]\n", i, zone))
		}
		other, err := openWorld(t.Context(), w.store.DB(), dbtest.Log(t), 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 2)
		for now := begin; now.Before(begin.AddDate(0, 0, days)); now = now.Add(6 * time.Hour) {
			w.clock.set(now)
			other.clock.set(now)
			for _, s := range []*flows.Service{w.flows, other.flows} {
				go func() { done <- s.Fire(t.Context()) }()
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
		seen := map[string]int{}
		err = w.store.DB().Query(t.Context(), db.New(w.store.DB().Dialect).Write(`SELECT flow_name, key FROM "_flow_run"`), func(scan func(...any) error) error {
			var name, key string
			err := scan(&name, &key)
			seen[name+" "+key]++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for i, zone := range zones {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			for d := range days + 1 {
				day := begin.In(loc).AddDate(0, 0, d)
				at := time.Date(day.Year(), day.Month(), day.Day(), 2, 30, 0, 0, loc)
				if at.Hour() != 2 { // jumped over: the first moment after
					at = time.Date(day.Year(), day.Month(), day.Day(), 3, 0, 0, 0, loc)
				}
				if before := at.Add(-time.Hour); before.In(loc).Hour() == 2 && before.In(loc).Minute() == 30 {
					at = before
				}
				if !at.After(begin) || at.After(begin.AddDate(0, 0, days).Add(-6*time.Hour)) {
					continue
				}
				want++
				if n := seen[fmt.Sprintf("f%d %s", i, at.UTC().Format(time.RFC3339))]; n != 1 {
					t.Errorf("%s %s: %d runs", zone, at, n)
				}
			}
		}
		if len(seen) < want || len(seen) > want+len(zones) {
			t.Errorf("%d runs, %d ticks", len(seen), want)
		}
	})
}

// A tick that finds the run of the last one at work is left out, or waits, as the flow says.
func TestOverlap(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		w.clock.set(now)
		for _, policy := range []string{"skip", "queue"} {
			w.put("author", "name: on_"+policy+"\ntrigger: {cron: {spec: '* * * * *', overlap: "+policy+"}}\nsteps: [{action: note, with: {text: '=\""+policy+" \" + trigger.at'}}]\n")
		}
		for range 3 {
			now = now.Add(time.Minute)
			w.clock.set(now)
			if err := w.flows.Fire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.drain()
		count := map[string]int{}
		for _, text := range w.texts() {
			policy, _, _ := strings.Cut(text, " ")
			count[policy]++
		}
		if count["skip"] != 1 || count["queue"] != 3 {
			t.Errorf("%v", count)
		}
	})
}

// Ticks that were missed have a run each where the schedule says so, in their order; a run that is still at work ends for the next tick
// where it says that; and jitter puts the begin off, the same for whoever asks.
func TestSchedulePolicies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		w.clock.set(now)
		for name, policy := range map[string]string{"all": "catch_up: all", "cancel": "overlap: cancel", "jitter": "overlap: queue, jitter: 30m"} {
			w.put("author", "name: on_"+name+"\ntrigger: {cron: {spec: '0 * * * *', "+policy+"}}\nsteps: [{action: note, with: {text: '=\""+name+" \" + trigger.at'}}]\n")
		}
		for _, hours := range []int{1, 1, 5} {
			now = now.Add(time.Duration(hours) * time.Hour)
			w.clock.set(now)
			for range 2 * hours {
				if err := w.flows.Fire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		var statuses []string
		due := map[string]time.Time{}
		b := db.New(w.store.DB().Dialect).Write(`SELECT flow_name, status, key, due FROM "_flow_run" ORDER BY flow_name, key`)
		err := w.store.DB().Query(t.Context(), b, func(scan func(...any) error) error {
			var name, status, key string
			var at int64
			err := scan(&name, &status, &key, &at)
			statuses = append(statuses, name+" "+status+" "+key[11:16])
			if name == "on_jitter" {
				due[key] = time.UnixMicro(at).UTC()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "on_all waiting 01:00, on_all waiting 02:00, on_all waiting 03:00, on_all waiting 04:00, on_all waiting 05:00, on_all waiting 06:00, on_all waiting 07:00, " +
			"on_cancel cancelled 01:00, on_cancel waiting 02:00, on_jitter waiting 01:00, on_jitter waiting 02:00"
		if got := strings.Join(statuses, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for key, at := range due {
			tick, err := time.Parse(time.RFC3339, key)
			if off := at.Sub(tick); err != nil || off < 0 || off >= 30*time.Minute {
				t.Errorf("the run of %s begins at %s, %v", key, at, err)
			}
		}
		if due["2024-01-01T01:00:00Z"].Add(time.Hour).Equal(due["2024-01-01T02:00:00Z"]) {
			t.Errorf("two ticks have the same jitter: %v", due)
		}
		w.drain()
		var all []string
		for _, text := range w.texts() {
			if strings.HasPrefix(text, "all ") {
				all = append(all, text[15:20])
			}
		}
		if got := strings.Join(all, " "); got != "01:00 02:00 03:00 04:00 05:00 06:00 07:00" {
			t.Errorf("the ticks ran as %s", got)
		}
		next, err := w.flows.NextFires(w.as("admin"), "", 4)
		if err != nil || len(next) != 4 || !next[3].At.Equal(now.Add(2*time.Hour)) || next[0].Flow != "on_all" {
			t.Errorf("%v %v", next, err)
		}
		if next, err := w.flows.NextFires(w.as("author"), "", 4); err == nil {
			t.Errorf("the author, who may not read schedules, is told %v", next)
		}
	})
}
