package flows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// flow is a row of _flow.
type flow struct {
	id      core.ID
	name    string
	version int64
	enabled bool
	runAs   core.ID
	since   int64 // microseconds: it sees changes from then on
	def     *definition
}

// set is the flows of one moment. It never changes.
type set struct {
	version int64
	flows   []*flow
}

// flows returns the present flows, as c sees them.
func (s *Service) flows(ctx context.Context, c db.Conn) (*set, error) {
	const op = "flows.flows"
	v, err := s.flowVersion(ctx, c)
	if err != nil {
		return nil, core.E(op, err)
	}
	if now := s.current.Load(); now != nil && now.version == v {
		return now, nil
	}
	next := &set{version: v}
	err = c.Query(ctx, db.New(s.db.Dialect).Write(selectFlow, " ORDER BY name"), func(scan func(...any) error) error {
		f, source, err := scanFlow(scan)
		if err != nil {
			return err
		}
		if f.def, err = s.definition(f.id, f.version, source); err != nil {
			s.log.ErrorContext(ctx, "flows: the flow cannot run with this version of the program", "flow", f.name, "err", err)
			f.enabled = false
		}
		next.flows = append(next.flows, f)
		return nil
	})
	if err != nil {
		return nil, core.E(op, err)
	}
	s.current.Store(next)
	return next, nil
}

func (s *Service) flowVersion(ctx context.Context, c db.Conn) (int64, error) {
	var v string
	b := db.New(s.db.Dialect).Write(`SELECT value FROM "_meta" WHERE key = 'flow_version'`)
	if err := c.Query(ctx, b, func(scan func(...any) error) error { return scan(&v) }); err != nil {
		return 0, err
	}
	return strconv.ParseInt(v, 10, 64)
}

const selectFlow = `SELECT CAST(id AS text), name, version, enabled, CAST(run_as AS text), enabled_since, definition FROM "_flow"`

func scanFlow(scan func(...any) error) (*flow, string, error) {
	f := &flow{}
	var source string
	err := scan(&f.id, &f.name, &f.version, &f.enabled, &f.runAs, &f.since, &source)
	return f, source, err
}

// find returns the flow of that name.
func (s *Service) find(ctx context.Context, c db.Conn, name string) (f *flow, source string, err error) {
	b := db.New(s.db.Dialect).Write(selectFlow, " WHERE name = ").Arg(name)
	err = c.Query(ctx, b, func(scan func(...any) error) (err error) {
		f, source, err = scanFlow(scan)
		return err
	})
	return f, source, core.E("flows.find", err)
}

// definition returns what the text of a saved version means. Callers may be in a transaction that never commits, so the
// text counts and not the number.
func (s *Service) definition(id core.ID, version int64, source string) (*definition, error) {
	k := versionKey(id, version)
	if d, ok := s.versions.Load(k); ok && d.(*definition).source == source {
		return d.(*definition), nil
	}
	d, err := parse(source)
	if err != nil {
		return nil, err
	}
	return d, d.check(s.actions)
}

func versionKey(id core.ID, version int64) string {
	return string(id) + "/" + strconv.FormatInt(version, 10)
}

// version returns the definition that a run began with.
func (s *Service) version(ctx context.Context, id core.ID, version int64) (*definition, error) {
	if d, ok := s.versions.Load(versionKey(id, version)); ok {
		return d.(*definition), nil
	}
	var source string
	b := db.New(s.db.Dialect).Write(`SELECT definition FROM "_flow_version" WHERE flow_id = `).Arg(id).Write(" AND version = ").Arg(version)
	if err := s.db.Query(context.WithoutCancel(ctx), b, func(scan func(...any) error) error { return scan(&source) }); err != nil {
		return nil, core.E("flows.version", err)
	}
	d, err := s.definition(id, version, source)
	if err != nil {
		return nil, fatal(core.Invalid, "the flow cannot run with this version of the program: "+core.AsError(err).Public())
	}
	s.versions.Store(versionKey(id, version), d) // it was read outside any transaction, so it stays as it is
	return d, nil
}

// Put saves a definition, and returns the flow's name and its new version; the same text gives no new one. The caller
// needs the right to manage flows, and to administer the user that the flow shall act as, unless that is himself.
func (s *Service) Put(ctx context.Context, source string) (name string, version int64, err error) {
	const op = "flows.Put"
	d, err := parse(source)
	if err != nil {
		return "", 0, core.E(op, err)
	}
	if err := d.check(s.actions); err != nil {
		return "", 0, core.E(op, err)
	}
	err = s.store.Tx(ctx, tables.TxOptions{Define: true}, func(ctx context.Context, tx *tables.Tx) (err error) {
		version, err = s.put(ctx, tx, d)
		return err
	})
	if err != nil {
		return "", 0, core.E(op, err)
	}
	return d.name, version, nil
}

// RestoreVersion saves the definition that a flow had in that version again, as if somebody put it now, and returns its new version. What
// it names must be called so now. The caller needs what [Service.Put] asks for.
func (s *Service) RestoreVersion(ctx context.Context, name string, version int64) (next int64, err error) {
	const op = "flows.RestoreVersion"
	err = s.store.Tx(ctx, tables.TxOptions{Define: true}, func(ctx context.Context, tx *tables.Tx) error {
		if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "manage_flows"); err != nil {
			return err
		}
		var source string
		b := db.New(s.db.Dialect).Write(`SELECT v.definition FROM "_flow_version" AS v JOIN "_flow" AS f ON f.id = v.flow_id WHERE f.name = `).Arg(name).Write(" AND v.version = ").Arg(version)
		if err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&source) }); err != nil {
			return err
		}
		if source == "" {
			return core.E(op, core.NotFound, fmt.Sprintf("there is no version %d of a flow %q", version, name))
		}
		d, err := parse(source)
		if err != nil {
			return err
		}
		if err := d.check(s.actions); err != nil {
			return err
		}
		next, err = s.put(ctx, tx, d)
		return err
	})
	return next, core.E(op, err)
}

func (s *Service) put(ctx context.Context, tx *tables.Tx, d *definition) (int64, error) {
	snap, caller := tx.Snapshot(), core.CallerFrom(ctx)
	if err := snap.Policy.May(caller, "manage_flows"); err != nil {
		return 0, err
	}
	if e := d.trigger.event; e != nil && !snap.Policy.Sees(caller, e.table) {
		return 0, e.at.problem("", "table %s: there is no such table", e.table)
	}
	runAs, err := s.runAs(ctx, tx, d)
	if err != nil {
		return 0, err
	}
	as, err := snap.Policy.Caller(runAs, core.Cause{Kind: "flow"})
	if err != nil {
		return 0, err
	}
	err = d.fits(snap.Schema, func(table, column string) bool {
		return column == "" && snap.Policy.Sees(caller, table) || column != "" && snap.Sees(as, table)[column]
	})
	if err != nil {
		return 0, err
	}
	if e := d.trigger.event; e != nil {
		when, err := e.compile(snap.Schema)
		if err == nil {
			err = e.told(when, snap, runAs)
		}
		if err != nil {
			if snap.Policy.May(caller, "define_tables") != nil {
				err = core.Discreet(err)
			}
			return 0, err
		}
	}
	t, err := d.trace(snap, runAs)
	if err == nil {
		err = t.refused(d.steps)
	}
	if err != nil {
		return 0, err
	}
	if err := s.bump(ctx, tx); err != nil {
		return 0, err
	}
	old, source, err := s.find(ctx, tx.DB(), d.name)
	if err != nil {
		return 0, err
	}
	f := &flow{id: core.NewID(), name: d.name, version: 1, enabled: d.enabled, runAs: runAs, since: s.now().UnixMicro(), def: d}
	if old != nil {
		if old.runAs == runAs && source == d.source {
			return old.version, nil
		}
		f.id, f.version = old.id, old.version+1
		if old.enabled {
			f.since = old.since
		}
	}
	if err := s.save(ctx, tx, f, old, source); err != nil {
		return 0, err
	}
	if err := s.reschedule(ctx, tx.DB(), f, old, source); err != nil {
		return 0, err
	}
	tx.AfterCommit(func() { s.matched.Store(nil); s.Wake() })
	return f.version, nil
}

// runAs returns the user whose rights the flow has: who saves it, or a program's account whose rights that person holds all of.
// What a flow does is written down as done by that user, so only an administrator may name another person.
func (s *Service) runAs(ctx context.Context, tx *tables.Tx, d *definition) (core.ID, error) {
	caller, policy := core.CallerFrom(ctx), tx.Snapshot().Policy
	user := caller.User
	if d.runAs != "" {
		var person bool
		var err error
		if user, person, err = s.account(ctx, tx, d.runAs); err != nil {
			return "", err
		}
		if err := policy.CheckActAs(caller, user, person); err != nil {
			return "", core.E("flows.runAs", core.Denied, core.At{Line: d.at.line, Pos: d.at.column}, "run_as: you can name yourself, or a service that you administer; only an administrator can name another person", err)
		}
		if user == "" {
			return "", d.at.problem("", "run_as: there is no user %q: use the e-mail address or the id", d.runAs)
		}
	}
	if _, err := policy.Caller(user, core.Cause{}); err != nil {
		if d.runAs == "" {
			return "", place{1, 1}.problem("", "the flow needs a user whose rights it has: add run_as: somebody@example.com")
		}
		return "", d.at.problem("", "run_as: %s", core.AsError(err).Msg)
	}
	return user, nil
}

// account finds a user by e-mail address or id, "" when there is none; a person is no service.
func (s *Service) account(ctx context.Context, tx *tables.Tx, name string) (user core.ID, person bool, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text), kind = 'person' FROM "_user" WHERE `)
	if id, err := core.ParseID(name); err == nil {
		b.Write("id = ").Arg(id)
	} else {
		b.Write("lower(email) = ").Arg(strings.ToLower(name))
	}
	err = tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&user, &person) })
	return user, person, err
}

// save writes the flow, and changes what people can start when it is started by hand.
func (s *Service) save(ctx context.Context, tx *tables.Tx, f, old *flow, source string) error {
	write := func() error { return s.writeFlow(ctx, tx, f, old, core.CallerFrom(ctx).User) }
	var was *definition
	if old != nil {
		was, _ = s.definition(old.id, old.version, source) // nil for one that this program cannot run
	}
	if s.sameStart(was, f.def) {
		return write()
	}
	return tx.ChangeDefined(ctx, write)
}

func (s *Service) writeFlow(ctx context.Context, tx *tables.Tx, f, old *flow, by core.ID) error {
	d, at := f.def, tx.Now()
	b := db.New(s.db.Dialect)
	if old == nil {
		b.Write(`INSERT INTO "_flow" (id, name, created_at, doc, definition, version, enabled, run_as, updated_at, updated_by, enabled_since) VALUES (`).
			Arg(f.id).Write(", ").Arg(f.name).Write(", ").Value(&moment, at)
		for _, v := range []any{d.doc, d.source, f.version, f.enabled, f.runAs} {
			b.Write(", ").Arg(v)
		}
		b.Write(", ").Value(&moment, at).Write(", ").Arg(by).Write(", ").Arg(f.since).Write(")")
	} else {
		b.Write(`UPDATE "_flow" SET doc = `).Arg(d.doc).Write(", definition = ").Arg(d.source).Write(", version = ").Arg(f.version).
			Write(", enabled = ").Arg(f.enabled).Write(", run_as = ").Arg(f.runAs).Write(", updated_at = ").Value(&moment, at).
			Write(", updated_by = ").Arg(by).Write(", enabled_since = ").Arg(f.since).Write(" WHERE id = ").Arg(f.id)
	}
	if _, err := tx.DB().Exec(ctx, b); err != nil {
		return err
	}
	b = db.New(s.db.Dialect).Write(`INSERT INTO "_flow_version" (id, flow_id, version, definition, created_at, created_by) VALUES (`).
		Arg(core.NewID()).Write(", ").Arg(f.id).Write(", ").Arg(f.version).Write(", ").Arg(d.source).Write(", ").Value(&moment, at).Write(", ").Arg(by).Write(")")
	_, err := tx.DB().Exec(ctx, b)
	return err
}

// Run starts a flow by hand and returns the id of the run, which joins the unit of work that ctx carries. The caller
// needs the right to run flows.
func (s *Service) Run(ctx context.Context, name string, input map[string]any) (core.ID, error) {
	const op = "flows.Run"
	var id core.ID
	err := s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		var err error
		id, err = s.begin(ctx, tx, name, input, "manual")
		return err
	})
	return id, core.E(op, err)
}

func (s *Service) byHand(ctx context.Context, tx *tables.Tx, f *flow, input map[string]any) (newRun, error) {
	const op = "flows.Run"
	trigger := map[string]any{"kind": "manual", "at": s.now()}
	switch t := f.def.trigger; {
	case t.event != nil:
		return newRun{}, core.E(op, core.Invalid, fmt.Sprintf("the flow %s is started by changes of %s, and not by hand", f.name, t.event.table))
	case t.webhook != nil:
		return newRun{}, core.E(op, core.Invalid, fmt.Sprintf("the flow %s is started by deliveries to %s%s, and not by hand", f.name, HookPath, f.name))
	case t.cron != nil && len(input) > 0:
		return newRun{}, core.E(op, core.Invalid, fmt.Sprintf("the flow %s takes no input", f.name))
	case t.manual != nil:
		plain, err := plainInput(t.manual.input, input)
		if err != nil {
			return newRun{}, err
		}
		trigger["input"] = plain
	}
	raw, err := toJSON(trigger)
	if err != nil {
		return newRun{}, err
	}
	return s.causedBy(ctx, tx, f, raw)
}

// causedBy is a run that the caller of ctx starts.
func (s *Service) causedBy(ctx context.Context, tx *tables.Tx, f *flow, input []byte) (newRun, error) {
	const op = "flows.Run"
	caller := core.CallerFrom(ctx)
	if err := s.tooDeep(ctx, tx.DB(), f.name, caller.Cause); err != nil {
		return newRun{}, err
	}
	n := newRun{flow: f, kind: "manual", input: input, cause: caller.Cause, startedBy: caller.User, due: s.now()}
	if n.cause.Kind == "" {
		n.cause.Kind = "api"
	}
	if n.startedBy == "" {
		n.startedBy = core.SystemID
	}
	as, err := tx.Snapshot().Policy.Caller(f.runAs, core.Cause{})
	if err != nil {
		return newRun{}, core.E(op, core.Denied, "the user that the flow acts as cannot: "+core.AsError(err).Msg)
	}
	n.unit = as.Unit
	return n, nil
}

// plainInput returns the inputs as expressions see them, each of the columns among them.
func plainInput(columns []core.Column, input map[string]any) (map[string]any, error) {
	given := map[string]any{}
	for i := range columns {
		if c := &columns[i]; c.Default != "" {
			v, err := defaultOf(c)
			if err != nil {
				return nil, core.E("flows.plainInput", err)
			}
			given[c.Name] = v
		}
	}
	maps.Copy(given, input)
	in, err := core.ParseInput(columns, given)
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		if _, ok := in[c.Name]; !ok {
			in[c.Name] = nil // so that expressions can name it
		}
	}
	typed := core.Table{Columns: columns}
	var plain map[string]any
	return plain, unmarshal(typed.AppendJSON(nil, in), &plain)
}

// Cancel ends a run. What its steps have done stays. The caller owns the run, or has the right to manage flows.
func (s *Service) Cancel(ctx context.Context, id core.ID) error {
	const op = "flows.Cancel"
	err := s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		if err := s.mayCancel(ctx, tx, id); err != nil {
			return err
		}
		found, err := s.cancelRun(ctx, tx.DB(), id)
		if err == nil && !found {
			err = core.E(op, core.Invalid, core.At{Table: "_flow_run"}, "the run has ended already")
		}
		return err
	})
	return core.E(op, err)
}

// cancelRun ends a run and those that it has called, and reports whether it had not ended. It needs no worker: who holds the run finds out when
// it writes, or by its heart.
func (s *Service) cancelRun(ctx context.Context, tx *db.Tx, id core.ID) (found bool, err error) {
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_run" SET status = 'cancelled', fence = fence + 1, lease = 0, worker = NULL, kept_input = NULL, finished_at = `).
		Value(&moment, s.now()).Write(" WHERE status IN ('waiting', 'running') AND id = ").Arg(id)
	err = tx.Query(ctx, b.Write(" RETURNING flow_name"), func(scan func(...any) error) error {
		var name string
		found = true
		err := scan(&name)
		s.count(tx, name, cancelled)
		return err
	})
	if err != nil || !found {
		return false, err
	}
	tx.AfterCommit(func() { s.letGo([]core.ID{id}) })
	if err := s.forget(ctx, tx, id); err != nil {
		return true, err
	}
	if err := s.dropWaits(ctx, tx, id); err != nil {
		return true, err
	}
	if err := s.answer(ctx, tx, id, answered{Status: cancelled}); err != nil {
		return true, err
	}
	below, err := s.children(ctx, tx, id)
	for _, child := range below {
		if err == nil {
			_, err = s.cancelRun(ctx, tx, child)
		}
	}
	return true, err
}

// mayCancel does not tell strangers whether there is such a run.
func (s *Service) mayCancel(ctx context.Context, tx *tables.Tx, id core.ID) error {
	caller := core.CallerFrom(ctx)
	if tx.Snapshot().Policy.May(caller, "manage_flows") == nil {
		_, err := s.read(ctx, tx.DB(), id)
		return err
	}
	r, err := s.store.Find(ctx, tx.Snapshot(), "_flow_run", id)
	if err == nil && r["owner_id"] == string(caller.User) {
		return nil
	}
	if err == nil || core.KindOf(err) == core.NotFound || core.KindOf(err) == core.Denied {
		return noRun(id)
	}
	return err
}

// Actions returns what can be called about flows.
func (s *Service) Actions() []core.Action {
	text := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Text, Required: true, Doc: doc}
	}
	run := core.Column{Name: "run_id", Kind: core.UUID, Required: true, Doc: "The run."}
	return append(append(s.webhookActions(), s.nextFires()), append([]core.Action{{
		Name: "put_flow", Doc: "Saves the definition of a flow. It acts with the rights of the user that it names, or of yourself.",
		Privilege: "manage_flows", Define: true,
		Input:  []core.Column{{Name: "definition", Kind: core.LongText, Required: true, Doc: "YAML or JSON: name, trigger, steps."}},
		Output: []core.Column{text("name", "The name of the flow."), {Name: "version", Kind: core.Integer, Required: true, Doc: "Rises by one with every change."}},
		Examples: []core.Example{{
			Doc: "a flow that is started by hand",
			In:  core.Record{"definition": "name: hello\ntrigger: {manual: {input: [{name: who, kind: text, required: true}]}}\nsteps:\n  - set: {greeting: '=\"Hello \" + trigger.input.who'}\n"},
			Out: core.Record{"name": "hello", "version": int64(1)},
		}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			name, version, err := s.Put(ctx, c.Text("definition"))
			return core.Record{"name": name, "version": version}, err
		},
	}, {
		Name: "restore_flow_version", Doc: "Saves the definition that a flow had in an earlier version again, as its newest one. Runs keep the version that they began with.",
		Privilege: "manage_flows", Define: true,
		Input:    []core.Column{text("name", "The flow."), {Name: "version", Kind: core.Integer, Required: true, Doc: "The version; _flow_version lists those that were."}},
		Output:   []core.Column{{Name: "version", Kind: core.Integer, Required: true, Doc: "The new version; the present one when that says the same."}},
		Examples: []core.Example{{Doc: "needs the flow of the example of put_flow", In: core.Record{"name": "hello", "version": int64(1)}, Out: core.Record{"version": int64(1)}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			version, err := s.RestoreVersion(ctx, c.Text("name"), c.Int("version", 0))
			return core.Record{"version": version}, err
		},
	}, {
		Name: "run_flow", Doc: "Starts a flow by hand. The run has the rights of the flow's own user; wait_run tells when it has ended.",
		Privilege: "run_flows",
		Input:     []core.Column{text("name", "The flow."), {Name: "input", Kind: core.JSON, Doc: "An object with the inputs that the flow declares."}},
		Output:    []core.Column{run},
		Examples:  []core.Example{{Doc: "needs the flow of the example of put_flow", In: core.Record{"name": "hello", "input": map[string]any{"who": "Ann"}}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			var input map[string]any
			if raw, err := toJSON(c.In["input"]); err != nil || unmarshal(raw, &input) != nil {
				return nil, core.E("flows.run_flow", core.Invalid, core.At{Column: "input"}, "the input is an object of names and values")
			}
			id, err := s.Run(ctx, c.Text("name"), input)
			return core.Record{"run_id": string(id)}, err
		},
	}, {
		Name: "wait_run", Doc: "Waits until a run has ended, and tells how.",
		Privilege: "run_flows", Alone: true,
		Input:  []core.Column{run, {Name: "seconds", Kind: core.Integer, Doc: "How long to wait at most; 30 when left out, at most 300."}},
		Output: []core.Column{text("status", "waiting, running, succeeded, failed or cancelled."), {Name: "error", Kind: core.LongText, Doc: "Why the run failed."}},
		Run:    s.waitRun,
	}, {
		Name: "cancel_run", Doc: "Ends a run that you own, or with the right to manage flows any run. What it has done stays.",
		Input:  []core.Column{run},
		Output: []core.Column{run},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			return core.Record{"run_id": c.In["run_id"]}, s.Cancel(ctx, core.ID(c.Text("run_id")))
		},
	}, s.emitting(), s.deleting()}, append(s.replaying(), s.approvalActions()...)...)...)
}

func (s *Service) waitRun(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "flows.wait_run"
	id := core.ID(c.Text("run_id"))
	if err := s.mayWatch(ctx, id); err != nil {
		return nil, core.E(op, err)
	}
	short, stop := context.WithTimeout(ctx, time.Duration(min(max(c.Int("seconds", 30), 0), 300))*time.Second)
	defer stop()
	r, err := s.Wait(short, id)
	if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return nil, core.E(op, err)
	}
	out := core.Record{"status": r.Status}
	if r.Error != "" {
		out["error"] = r.Error
	}
	return out, nil
}

// mayWatch lets the one who started a run see how it ends, and everybody who may read it.
func (s *Service) mayWatch(ctx context.Context, id core.ID) error {
	var by core.ID
	b := db.New(s.db.Dialect).Write(`SELECT CAST(started_by AS text) FROM "_flow_run" WHERE trigger_kind = 'manual' AND id = `).Arg(id)
	if err := s.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&by) }); err != nil {
		return err
	}
	if caller := core.CallerFrom(ctx); by != "" && by == caller.User {
		return nil
	}
	_, err := s.store.Find(ctx, s.store.Snapshot(), "_flow_run", id)
	if err != nil && core.KindOf(err) == core.Denied {
		return noRun(id)
	}
	return err
}
