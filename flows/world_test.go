package flows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/secret"
	"colonnade/flows"
	"colonnade/tables"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// world is a database with tables, users and a service.
type world struct {
	t      testing.TB
	store  *tables.Store
	flows  *flows.Service
	users  map[string]core.ID
	clock  *clock
	calls  calls
	logins *authz.Logins
	said   io.Writer // where actions say that they begin
}

// clock is a clock that a test sets.
type clock struct{ now atomic.Pointer[time.Time] }

func (c *clock) set(t time.Time) { c.now.Store(&t) }

func (c *clock) Now() time.Time {
	if t := c.now.Load(); t != nil {
		return *t
	}
	return time.Now()
}

// calls is what the actions of the tests have seen.
type calls struct {
	mu   sync.Mutex
	keys []string
	tell chan string // from hold: it is at work
	let  chan struct{}
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newWorld(t, d)) })
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w, err := openWorld(context.Background(), d, dbtest.Log(t), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	w.t = t
	t.Cleanup(func() {
		if err := w.flows.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := w.furnish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// worldKey seals the secrets of all worlds.
var worldKey = secret.NewKey()

func openWorld(ctx context.Context, d *db.DB, log *slog.Logger, lease time.Duration) (*world, error) {
	w := &world{logins: authz.NewLogins(d, authz.LoginOptions{}), said: io.Discard, users: map[string]core.ID{}, clock: &clock{}, calls: calls{tell: make(chan string, 100), let: make(chan struct{})}}
	var wake func()
	w.store = tables.New(d, tables.Options{Builtin: flows.Tables(), Wake: func() { wake() }, Log: log})
	keys, err := secret.ParseKeyring(worldKey)
	if err != nil {
		return nil, err
	}
	w.flows, err = flows.New(ctx, w.store, w.actions(), flows.Options{Log: log, Keys: keys, Clock: w.clock.Now, Lease: lease, Grace: 200 * time.Millisecond, KeepRuns: 30 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	wake = w.flows.Wake
	return w, w.store.Load(ctx)
}

// furnish makes tables and users: admin, and author, who may manage flows, read reviews without the column secret, and
// write notes.
func (w *world) furnish(ctx context.Context) error {
	ctx = core.WithCaller(ctx, core.System("setup"))
	text := func(name string) core.Column { return core.Column{Name: name, Kind: core.Text} }
	err := w.store.Change(ctx,
		core.CreateTable{Define: core.Table{Name: "review", Columns: []core.Column{text("title"), {Name: "rating", Kind: core.Integer}, text("secret")}}},
		core.CreateTable{Define: core.Table{Name: "note", Columns: []core.Column{text("text"), text("run_key"), {Name: "n", Kind: core.Integer}}}})
	if err != nil {
		return err
	}
	do := func(name string, in core.Record) core.Record {
		for _, a := range w.store.AccessActions(w.logins) {
			if a.Name == name && err == nil {
				var out core.Record
				if in, err = core.ParseInput(a.Input, in); err == nil {
					out, err = a.Run(ctx, core.Call{In: in})
				}
				return out
			}
		}
		return nil
	}
	grants := []any{
		map[string]any{"table": "review", "privileges": []any{"create", "update", "delete"}},
		map[string]any{"table": "review", "privileges": []any{"read"}, "hidden": []any{"secret"}},
		map[string]any{"table": "note", "privileges": []any{"create", "read", "update"}},
		map[string]any{"table": "_flow_run", "privileges": []any{"read"}, "level": "own"},
		map[string]any{"table": "_flow_step", "privileges": []any{"read"}, "level": "own"},
	}
	do("put_role", core.Record{"name": "author", "grants": grants, "actions": []any{"manage_flows", "run_flows"}})
	do("put_role", core.Record{"name": "reader", "grants": grants[2:], "actions": []any{"run_flows"}})
	for name, role := range map[string]string{"admin": "administrator", "author": "author", "other": "author", "reader": "reader"} {
		out := do("create_user", core.Record{"name": name, "email": name + "@example.com", "roles": []any{role}})
		if err != nil {
			return err
		}
		w.users[name] = core.ID(out["id"].(string))
	}
	return err
}

// as returns a context of the user.
func (w *world) as(name string) context.Context {
	w.t.Helper()
	if w.users[name] == "" { // of a world that another process made
		system := core.WithCaller(w.t.Context(), core.System("test"))
		found, err := w.store.Records(system, w.store.Snapshot(), tables.Query{Table: "_user", Where: tables.Compare{Column: "name", Op: tables.Eq, Value: name}})
		if err != nil || len(found) != 1 {
			w.t.Fatal(len(found), err)
		}
		w.users[name] = core.ID(found[0]["id"].(string))
	}
	c, err := w.store.Snapshot().Policy.Caller(w.users[name], core.Cause{Kind: "api"})
	if err != nil {
		w.t.Fatal(err)
	}
	return core.WithCaller(w.t.Context(), c)
}

func (w *world) put(name, source string) {
	w.t.Helper()
	if _, _, err := w.flows.Put(w.as(name), source); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(name string, input map[string]any) core.ID {
	w.t.Helper()
	id, err := w.flows.Run(w.as("author"), name, input)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) drain() {
	w.t.Helper()
	if err := w.flows.Drain(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// insert saves records as the user.
func (w *world) insert(name, table string, rows ...core.Record) []core.ID {
	w.t.Helper()
	var out []core.ID
	err := w.store.Tx(w.as(name), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		r, err := tx.Insert(ctx, tables.Insert{Table: table, Rows: rows})
		out = r.IDs
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) update(name, table string, id core.ID, set core.Record) {
	w.t.Helper()
	err := w.store.Tx(w.as(name), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		_, err := tx.Update(ctx, tables.Update{Table: table, Where: tables.ByID(id), Set: set})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// records reads a table as the user.
func (w *world) records(name, table string) []core.Record {
	w.t.Helper()
	var out []core.Record
	for r, err := range w.store.Scan(w.as(name), w.store.Snapshot(), tables.Query{Table: table}) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// texts returns the notes, in the order of their making.
func (w *world) texts() []string {
	w.t.Helper()
	out := []string{}
	for _, r := range w.records("admin", "note") {
		s, _ := r["text"].(string)
		out = append(out, s)
	}
	return out
}

func (w *world) wantTexts(want ...string) {
	w.t.Helper()
	got := w.texts()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		w.t.Fatalf("notes\n got %q\nwant %q\nruns %s", got, want, w.dump())
	}
}

func (w *world) runs() []core.Record { return w.records("admin", "_flow_run") }

func (w *world) dump() string {
	var b strings.Builder
	for _, table := range []string{"_flow_run", "_flow_step"} {
		for _, r := range w.records("admin", table) {
			raw, _ := json.Marshal(r)
			fmt.Fprintf(&b, "\n%s %s", table, raw)
		}
	}
	return b.String()
}

func (w *world) status(id core.ID) core.Record {
	w.t.Helper()
	r, err := w.store.Find(w.as("admin"), w.store.Snapshot(), "_flow_run", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// keep writes down what an action was given.
func (w *world) keep(ctx context.Context, name string, c core.Call) (core.Record, error) {
	err := w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		_, err := tx.Insert(ctx, tables.Insert{Table: "note", Rows: []core.Record{{"text": name + " " + c.Text("text")}}})
		return err
	})
	return core.Record{"text": c.Text("text")}, err
}

// actions are what flows of the tests do.
func (w *world) actions() []core.Action {
	text := core.Column{Name: "text", Kind: core.Text}
	key := core.Column{Name: "key", Kind: core.Text}
	fails := map[string]int{}
	return []core.Action{{
		Name:  "note",
		Input: []core.Column{{Name: "text", Kind: core.Text, Required: true}, {Name: "n", Kind: core.Integer}}, Output: []core.Column{{Name: "id", Kind: core.UUID}, text, key},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			_, _ = fmt.Fprintln(w.said, c.Key)
			err = w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				r, err := tx.Insert(ctx, tables.Insert{Table: "note", Rows: []core.Record{{"text": c.Text("text"), "n": c.In["n"], "run_key": c.Key}}})
				if err == nil {
					out = core.Record{"id": string(r.IDs[0]), "text": c.Text("text"), "key": c.Key}
				}
				return err
			})
			return out, err
		},
	}, {
		// Gives its text to a model: writes it into a note.
		Name: "guess", Sends: core.Sends{Model: true, Takes: []core.Taking{{Table: "table", Columns: []string{"column"}}}},
		Input: []core.Column{text, {Name: "table", Kind: core.Text}, {Name: "column", Kind: core.Text}}, Output: []core.Column{text},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) { return w.keep(ctx, "guess", c) },
	}, {
		// Sends its text to a server: writes it into a note.
		Name: "post", Sends: core.Sends{Hosts: []string{"lab.example.com"}}, Input: []core.Column{text}, Output: []core.Column{text},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) { return w.keep(ctx, "post", c) },
	}, {
		// Fails with an error of that kind so many times, after it has written a note that must not stay.
		Name:  "fail",
		Input: []core.Column{{Name: "kind", Kind: core.Text, Required: true}, {Name: "times", Kind: core.Integer}, {Name: "wait", Kind: core.Integer, Doc: "Seconds."}}, Output: []core.Column{text},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			w.calls.mu.Lock()
			fails[c.Key]++
			n := fails[c.Key]
			w.calls.mu.Unlock()
			err := w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				_, err := tx.Insert(ctx, tables.Insert{Table: "note", Rows: []core.Record{{"text": fmt.Sprintf("try %d", n)}}})
				return err
			})
			if err != nil {
				return nil, err
			}
			if n <= int(c.Int("times", 1000)) {
				if c.Text("kind") == "panic" {
					panic("on purpose")
				}
				cause := errors.New("a secret of the driver")
				if wait := c.Int("wait", 0); wait > 0 {
					cause = errors.Join(cause, core.Wait(time.Duration(wait)*time.Second))
				}
				return nil, core.E("test.fail", core.ErrKind(c.Text("kind")), "failed on purpose", cause)
			}
			return core.Record{"text": "at last"}, nil
		},
	}, {
		// Works alone, and remembers the key of each call.
		Name: "alone", Alone: true, Input: []core.Column{{Name: "times", Kind: core.Integer}}, Output: []core.Column{key},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			w.calls.mu.Lock()
			defer w.calls.mu.Unlock()
			w.calls.keys = append(w.calls.keys, c.Key)
			if len(w.calls.keys) <= int(c.Int("times", 0)) {
				return nil, core.E("test.alone", core.Unavailable, "not now")
			}
			return core.Record{"key": c.Key}, nil
		},
	}, {
		// Waits until the test lets it go on, or its time is over.
		Name: "hold", Alone: true,
		Run: func(ctx context.Context, c core.Call) (core.Record, error) { return nil, w.hold(ctx, c) },
	}, {
		// And then writes.
		Name: "hold_and_note", Alone: true, Input: []core.Column{text},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			if err := w.hold(ctx, c); err != nil {
				return nil, err
			}
			return nil, w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				_, err := tx.Insert(ctx, tables.Insert{Table: "note", Rows: []core.Record{{"text": c.Text("text")}}})
				return err
			})
		},
	}, {
		Name:   "sum",
		Input:  []core.Column{{Name: "of", Kind: core.Integer, List: true}, {Name: "at", Kind: core.Timestamp}, {Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}},
		Output: []core.Column{{Name: "total", Kind: core.Integer}, {Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2}, {Name: "at", Kind: core.Timestamp}},
		Run: func(_ context.Context, c core.Call) (core.Record, error) {
			total := int64(0)
			list, _ := c.In["of"].([]any)
			for _, n := range list {
				total += n.(int64)
			}
			return core.Record{"total": total, "price": c.In["price"], "at": c.In["at"]}, nil
		},
	}}
}

func (w *world) hold(ctx context.Context, c core.Call) error {
	w.calls.tell <- c.Key
	select {
	case <-w.calls.let:
		return nil
	case <-ctx.Done():
		return core.E("test.hold", ctx.Err())
	}
}

// administer calls an action that changes rights.
func (w *world) administer(name string, in core.Record) {
	w.t.Helper()
	for _, a := range w.store.AccessActions(w.logins) {
		if a.Name != name {
			continue
		}
		values, err := core.ParseInput(a.Input, in)
		if err == nil {
			_, err = a.Run(core.WithCaller(w.t.Context(), core.System("test")), core.Call{In: values})
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}
