package flows_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// childEnv is set in a process that works on flows until it is killed: it holds the source of the database.
const childEnv = "COLONNADE_FLOWS_CHILD"

func child() {
	ctx := context.Background()
	var dialect db.Dialect = sqlite.Dialect{}
	if os.Getenv(childEnv+"_KIND") == "postgres" {
		dialect = postgres.Dialect{}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	err := func() error {
		d, err := db.Open(ctx, dialect, os.Getenv(childEnv), db.Options{Conns: 6, Log: log})
		if err != nil {
			return err
		}
		w, err := openWorld(ctx, d, log, 300*time.Millisecond)
		if err != nil {
			return err
		}
		w.said = os.Stdout
		return w.flows.Start(ctx)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
}

const (
	killRuns  = 4 // new ones in each cycle
	killItems = 15
)

func (w *world) addRuns(cycle int) {
	var list []any
	for i := range killItems {
		list = append(list, i)
	}
	for i := range killRuns {
		w.run("work", map[string]any{"who": fmt.Sprintf("run %02d", cycle*killRuns+i), "list": list})
	}
}

// shape is a flow whose workers are killed: the definition behind its name, how its runs end, and the notes that each leaves, without who.
type shape struct {
	steps  string
	status string
	notes  func() []string
}

// linear is a flow of steps, one behind the other, and of items.
var linear = shape{manual + `
steps:
  - {id: first, action: note, with: {text: '=trigger.input.who + " first"'}}
  - set: {sum: 0}
  - for_each: {in: trigger.input.list, as: x, at_once: 3}
    steps:
      - {action: note, with: {text: '=trigger.input.who + " " + string(x)'}}
      - set: {sum: =vars.sum + x}
      - if: x % 5 == 0
        then: [{action: alone}]
  - if: has(steps.first.id)
    then: [{action: note, with: {text: '=trigger.input.who + " sum " + string(vars.sum)'}}]
`, "succeeded", func() []string {
	out, sum := []string{"first"}, 0
	for i := range killItems {
		out, sum = append(out, fmt.Sprint(i)), sum+i
	}
	return append(out, fmt.Sprint("sum ", sum))
}}

// saga is a flow that fails in the end, and undoes what it has done.
var saga = shape{manual + `
steps:
  - for_each: {in: trigger.input.list, as: x, on_error: continue}
    steps:
      - id: made
        action: note
        with: {text: '=trigger.input.who + " " + string(x)'}
        undo: [{action: note, with: {text: '=trigger.input.who + " not " + string(x) + " " + steps.made.text'}}]
      - try: [{action: fail, with: {kind: INVALID}}]
        catch: [{action: note, with: {text: '=trigger.input.who + " caught " + string(x) + " " + error.kind'}}]
        finally: [{action: note, with: {text: '=trigger.input.who + " finally " + string(x)'}}]
  - {action: fail, with: {kind: INVALID}}
`, "failed", func() (out []string) {
	for i := range killItems {
		out = append(out, fmt.Sprint(i), fmt.Sprint("caught ", i, " INVALID"), fmt.Sprint("finally ", i), fmt.Sprint("not ", i, " WHO ", i))
	}
	return out
}}

// waits is a flow that waits for the clock, for an event that it emits itself, and for runs of another that it calls.
var waits = shape{manual + `
steps:
  - wait: {for: 10ms}
  - {action: emit_event, with: {name: go, key: =trigger.input.who}}
  - {id: gone, wait: {event: go, key: =trigger.input.who}}
  - {action: note, with: {text: '=trigger.input.who + " gone " + string(steps.gone.timed_out)'}}
  - for_each: {in: 'trigger.input.list.filter(x, x < 5)', as: x, at_once: 2}
    steps:
      - {id: c, call: child, with: {who: =trigger.input.who, list: =x}, undo: [{action: note, with: {text: '=trigger.input.who + " not " + steps.c.said'}}]}
      - {action: note, with: {text: '=trigger.input.who + " " + steps.c.said'}}
  - {call: child, with: {who: =trigger.input.who, list: bad}}
`, "failed", func() (out []string) {
	out = append(out, "gone false")
	for i := range 5 {
		out = append(out, fmt.Sprint("child ", i), fmt.Sprint("said ", i), fmt.Sprint("not said ", i))
	}
	return append(out, "child bad")
}}

// branches is a flow of parallel steps: one for whose branches it waits, and one that gives branches up.
var branches = shape{manual + `
steps:
  - for_each: {in: 'trigger.input.list.filter(x, x < 2)', as: x}
    steps:
      - id: all
        parallel:
          a: [{wait: {for: 10ms}}, {action: note, with: {text: '=trigger.input.who + " a " + string(x)'}}]
          b: [{action: alone}, {call: child, with: {who: =trigger.input.who, list: =x}}]
          c: [{action: note, with: {text: '=trigger.input.who + " c " + string(x)'}}, {action: fail, with: {kind: INVALID}}]
        join: settled
      - parallel:
          never: [{wait: {event: never, key: =trigger.input.who}}, {action: note, with: {text: too late}}]
          quick: [{wait: {for: 5ms}}, {action: note, with: {text: '=trigger.input.who + " quick " + string(x)'}}]
        join: any
      - {id: ok, approval: {title: Go on, by: [admin@example.com], timeout: 10ms}}
      - {action: note, with: {text: '=trigger.input.who + " " + string(steps.all.succeeded) + " of " + string(x) + " " + string(steps.ok.timed_out)'}}
`, "succeeded", func() (out []string) {
	for i := range 2 {
		for _, s := range []string{"a", "child", "c", "quick"} {
			out = append(out, fmt.Sprint(s, " ", i))
		}
		out = append(out, fmt.Sprintf("2 of %d true", i))
	}
	return out
}}

// childFlow is what waits and branches call.
const childFlow = "name: child\nretry: {attempts: 100, backoff: 10ms}\n" + manual + `
steps:
  - {action: note, with: {text: '=trigger.input.who + " child " + string(trigger.input.list)'}}
  - if: trigger.input.list == "bad"
    then: [{terminate: {status: failed}}]
  - set: {said: '="said " + string(trigger.input.list)'}
`

// killsEnv says how many workers are killed of each shape on each database: 200 are for a quiet hour.
const killsEnv = "COLONNADE_KILLS"

// TestKill kills workers at random moments: no run is lost, and nothing that a step does in our database is doubled.
func TestKill(t *testing.T) {
	cycles, err := strconv.Atoi(cmp.Or(os.Getenv(killsEnv), "5"))
	if err != nil || cycles < 1 {
		t.Fatalf("%s is no number: %v", killsEnv, err)
	}
	for name, of := range map[string]shape{"linear": linear, "saga": saga, "waits": waits, "branches": branches} {
		t.Run(name, func(t *testing.T) {
			t.Run("sqlite", func(t *testing.T) { testKill(t, sqlite.Dialect{}, dbtest.SQLitePath(t), 1, cycles, of) })
			if dbtest.HasPostgres() {
				t.Run("postgres", func(t *testing.T) { testKill(t, postgres.Dialect{}, dbtest.PostgresDSN(t), 2, cycles, of) })
			}
		})
	}
}

func testKill(t *testing.T, dialect db.Dialect, source string, children, cycles int, of shape) {
	inWorld(t, dialect, source, func(w *world) {
		if err := w.furnish(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.put("author", childFlow)
		w.put("author", "name: work\nretry: {attempts: 100, backoff: 10ms}\n"+of.steps)
	})
	killed := 0
	procs := make([]*proc, children)
	for c := range cycles {
		inWorld(t, dialect, source, func(w *world) { w.addRuns(c) })
		for i := range procs {
			procs[i] = startChild(t, dialect.Name(), source)
		}
		for _, i := range rand.Perm(children) { // the last one takes over from the others, for a while
			if procs[i].kill(1 + rand.IntN(killRuns*killItems/children)) {
				killed++
			}
		}
	}
	inWorld(t, dialect, source, func(w *world) { checkKill(t, w, cycles*killRuns, of) })
	t.Logf("%d of %d were killed at work", killed, cycles*children)
}

func checkKill(t *testing.T, w *world, runs int, of shape) {
	if err := w.flows.Start(t.Context()); err != nil { // takes up what is left
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute) // far more than it takes
	defer stop()
	for _, r := range w.runs() {
		if r["flow_name"] != "work" {
			continue
		}
		end, err := w.flows.Wait(ctx, core.ID(r["id"].(string)))
		if err != nil || end.Status != of.status {
			t.Errorf("run %s: %v %v", r["id"], end, err)
		}
	}
	got := map[string]int{}
	for _, text := range w.texts() {
		got[text]++
	}
	lost, doubled := 0, 0
	for i := range runs {
		who := fmt.Sprintf("run %02d", i)
		var want []string
		for _, note := range of.notes() {
			want = append(want, who+" "+strings.ReplaceAll(note, "WHO", who))
		}
		for _, text := range want {
			switch n := got[text]; {
			case n == 0:
				lost++
			case n > 1:
				doubled++
			}
			delete(got, text)
		}
	}
	if lost+doubled+len(got) > 0 {
		t.Errorf("%d effects lost, %d doubled, %d strange: %v", lost, doubled, len(got), got)
	}
}

// inWorld opens the database for f only.
func inWorld(t *testing.T, dialect db.Dialect, source string, f func(*world)) {
	t.Helper()
	d, err := db.Open(t.Context(), dialect, source, db.Options{Conns: 6, Log: dbtest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	w, err := openWorld(t.Context(), d, dbtest.Log(t), 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	w.t = t
	defer func() {
		if err := errors.Join(w.flows.Stop(context.Background()), d.Close()); err != nil {
			t.Error(err)
		}
	}()
	f(w)
}

type proc struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Closer
	steps *bufio.Scanner
}

func startChild(t *testing.T, kind, source string) *proc {
	t.Helper()
	p := &proc{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0])}
	p.cmd.Env = append(os.Environ(), childEnv+"="+source, childEnv+"_KIND="+kind)
	p.cmd.Stderr = t.Output()
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in, p.steps = in, bufio.NewScanner(out)
	return p
}

// kill kills the process when it has begun n steps, or some time after the last when there is nothing left to do.
func (p *proc) kill(n int) (atWork bool) {
	p.t.Helper()
	done := make(chan bool, 1)
	go func() {
		i := 0
		for i < n && p.steps.Scan() {
			i++
		}
		done <- i == n
	}()
	select {
	case atWork = <-done:
	case <-time.After(3 * time.Second):
	}
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	_ = p.in.Close()
	_ = p.cmd.Wait()
	return atWork
}
