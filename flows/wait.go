package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
	"colonnade/tables"
)

// await is what a wait step waits for: one of a time and an event.
type await struct {
	length *value // for; nil for none
	until  *value

	table   string // of the event; "" for one that is emitted
	match   string // the column that holds the key
	on      []core.Op
	when    *value
	name    string // of the event that is emitted
	at      place
	key     *value
	timeout *value
}

// maxWait is how long a step may wait.
const maxWait = 10 * 366 * 24 * time.Hour

// errSuspended says that a step waits, and the run with it: it holds no worker, no job and no memory until it is woken.
var errSuspended = errors.New("the run waits for something")

// await puts the run off until what the step waits for has come.
func (in *interpreter) await(ctx context.Context, st *step, m *mark, it iteration) error {
	switch m.status {
	case succeeded:
		return in.remember(ctx, st, m)
	case waiting:
		return in.arrived(ctx, st, m)
	}
	w, shown, err := in.expect(st)
	if err != nil {
		return in.stop(ctx, st, m, err)
	}
	w.path, w.iter = m.path, it.String()
	if m.input, err = toJSON(shown); err != nil {
		return in.stop(ctx, st, m, err)
	}
	m.status, m.attempt, m.started, m.awaits = waiting, 1, in.s.now(), w
	in.wait(m)
	return errSuspended
}

// expect evaluates what the step waits for, and returns it as people read it too.
func (in *interpreter) expect(st *step) (*expected, map[string]any, error) {
	const op = "flows.wait"
	a := st.await
	c, err := in.caller(in.s.store.Snapshot())
	if err != nil {
		return nil, nil, err
	}
	w := &expected{due: never}
	shown := map[string]any{}
	moment := func(v *value, absolute bool) error {
		x, err := v.eval(in.scope, c)
		if err != nil {
			return err
		}
		due, err := momentOf(x, in.s.now(), absolute)
		if err == nil {
			w.due, shown["until"] = due.UnixMicro(), due
		}
		return err
	}
	switch {
	case a.length != nil:
		return w, shown, moment(a.length, false)
	case a.until != nil:
		return w, shown, moment(a.until, true)
	case a.timeout != nil:
		if err := moment(a.timeout, false); err != nil {
			return nil, nil, err
		}
	}
	key, err := a.key.eval(in.scope, c)
	if err != nil {
		return nil, nil, err
	}
	if a.table == "" {
		w.source, shown["event"] = emitted+a.name, a.name
		w.key, err = keyText(key)
	} else {
		shown["table"], shown["match"] = a.table, a.match
		w.source, w.key, err = a.row(in.s.store.Snapshot(), key)
	}
	if err == nil && w.key == "" {
		err = core.E(op, core.Invalid, "the key is empty: nothing could ever come")
	}
	shown["key"] = w.key
	return w, shown, err
}

// row returns the source of events of the table, and the key as they have it.
func (a *await) row(snap *tables.Snapshot, key any) (source, text string, err error) {
	const op = "flows.wait"
	t, c, err := a.column(snap.Schema)
	if err != nil {
		return "", "", core.E(op, core.Invalid, core.At{Table: a.table, Column: a.match}, "there is no such column any more", err)
	}
	parsed, err := c.Parse(key)
	if err == nil {
		text, err = columnKey(t, c.Name, core.Record{c.Name: parsed})
	}
	if err != nil {
		return "", "", core.E(op, core.At{Table: a.table, Column: a.match}, err)
	}
	return rowEvents + t.SQL() + " " + c.SQL(), text, nil
}

// column finds the column that holds the key.
func (a *await) column(schema *core.Schema) (*core.Table, *core.Column, error) {
	t, err := schema.Table(a.table)
	if err != nil {
		return nil, nil, err
	}
	c, err := t.Need(a.match)
	return t, c, err
}

// columnKey is the value of a column as the key of a wait; "" for none.
func columnKey(t *core.Table, column string, r core.Record) (string, error) {
	c, ok := t.Column(column)
	v := r[column]
	if !ok || v == nil {
		return "", nil
	}
	one := core.Table{Name: t.Name, Columns: []core.Column{*c}}
	var m map[string]any
	if err := unmarshal(one.AppendJSON(nil, core.Record{column: v}), &m); err != nil {
		return "", err
	}
	return keyText(m[column])
}

// keyText is a value without members as the key of a wait.
func keyText(v any) (string, error) {
	v, err := plain(v)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number, bool:
		return fmt.Sprint(v), nil
	}
	return "", core.E("flows.wait", core.Invalid, "the key is a list or an object: name a text, a number or an id")
}

// momentOf returns the time that v is, or is away from now.
func momentOf(v any, now time.Time, absolute bool) (time.Time, error) {
	out, ok := now, false
	switch v := v.(type) {
	case time.Time:
		out, ok = v, absolute
	case core.Span:
		if v > core.Span(maxWait.Microseconds()) {
			v = core.Span(maxWait.Microseconds()) + core.Hour
		}
		out, ok = now.Add(time.Duration(v)*time.Microsecond), !absolute
	case string:
		if absolute {
			p, err := moment.Parse(v)
			if err != nil {
				p, err = (&core.Column{Kind: core.Date}).Parse(v)
			}
			t, is := p.(time.Time)
			out, ok = t, err == nil && is
		} else if d, err := parseLength(v); err == nil {
			out, ok = now.Add(d), true
		}
	}
	switch {
	case !ok && absolute:
		return out, core.E("flows.wait", core.Invalid, fmt.Sprintf("%v is no moment: write one like 2030-01-31T12:00:00Z, or a date", v))
	case !ok:
		return out, core.E("flows.wait", core.Invalid, fmt.Sprintf("%v is no length of time: write one like 90s, 15m, 36h or 7d", v))
	case out.Sub(now) > maxWait:
		return out, core.E("flows.wait", core.Invalid, "a step waits ten years at most")
	}
	return out.UTC(), nil
}

// parseLength reads a length of time, which may be in days.
func parseLength(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	d, err := time.ParseDuration(days + "h")
	if err == nil && d > maxWait/24 {
		err = errors.New("too long")
	}
	return 24 * d, err
}

// begins has the step wait for what f begins, in one transaction: f returns what that is, and the input as people read it.
func (in *interpreter) begins(ctx context.Context, caller core.Caller, st *step, m *mark, f func(context.Context, *tables.Tx) (*expected, any, error)) error {
	ctx = core.WithCaller(context.WithoutCancel(ctx), caller)
	err := in.s.store.Tx(ctx, tables.TxOptions{Again: true}, func(ctx context.Context, tx *tables.Tx) error {
		m.status, m.awaits = "", nil
		w, input, err := f(ctx, tx)
		if err != nil {
			return err
		}
		if m.input, err = toJSON(input); err != nil {
			return err
		}
		w.path, w.iter = m.path, m.iter
		m.status, m.awaits = waiting, w
		if err := in.s.write(ctx, tx.DB(), in.r, append(in.dirty[:len(in.dirty):len(in.dirty)], m)); err != nil {
			return err
		}
		return in.s.keep(ctx, tx.DB(), in.r)
	})
	if err == nil {
		in.clean(append(in.dirty, m))
		return errSuspended
	}
	m.status, m.awaits = "", nil
	switch core.KindOf(err) {
	case core.Internal, core.Unavailable, core.Conflict:
		return err // the run goes on later
	}
	return in.stop(ctx, st, m, err)
}

// arrived looks whether what the step waits for has come, or its time is over, and remembers that.
func (in *interpreter) arrived(ctx context.Context, st *step, m *mark) error {
	due, state, event, err := in.s.expected(ctx, in.r, m)
	if err != nil {
		return err
	}
	now := in.s.now()
	if state != fired && due > now.UnixMicro() {
		return errSuspended
	}
	var out any = map[string]any{"timed_out": state != fired, "event": event}
	if st.kind == "wait" && (st.await.length != nil || st.await.until != nil) {
		out = map[string]any{"at": now}
	}
	if st.kind == "call" {
		var answer answered
		if err := remarshal(event, &answer); err != nil {
			return err
		}
		if answer.Status != succeeded {
			return in.stopAfter(ctx, st, m, answer)
		}
		out = answer.Output
	}
	if m.output, err = toJSON(out); err != nil {
		return err
	}
	m.status, m.finished = succeeded, now
	if err := in.tx(ctx, func(tx *db.Tx) error { return in.taken(ctx, tx, m) }, m); err != nil {
		return err
	}
	return in.known(st, out)
}

// taken notes that the run has what it waited for: it does not get the same event again.
func (in *interpreter) taken(ctx context.Context, tx *db.Tx, m *mark) error {
	if err := in.s.keep(ctx, tx, in.r); err != nil { // first, as by who delivers: neither waits for what the other has
		return err
	}
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_wait" SET state = 2, event = NULL WHERE run_id = `).Arg(in.r.id).Write(" AND path = ").Arg(m.path).Write(" AND iteration = ").Arg(m.iter)
	_, err := tx.Exec(ctx, b)
	return err
}

func remarshal(v, to any) error {
	raw, err := toJSON(v)
	if err != nil {
		return err
	}
	return unmarshal(raw, to)
}

// keyed reports whether the event shows the key, to the one who sees it.
func (a *await) keyed(t *core.Table, e *core.Event, key string) (bool, error) {
	for _, r := range []core.Record{e.After, e.Before} {
		if got, err := columnKey(t, a.match, r); err != nil || got == key {
			return err == nil, err
		}
	}
	return false, nil
}

// meets reports whether the event, as the flow's user sees it, is one that the step waits for.
func (a *await) meets(t *core.Table, e *core.Event, c core.Caller) (bool, map[string]any, error) {
	last := e.After
	if last == nil {
		last = e.Before
	}
	var event map[string]any
	raw, err := toJSON(map[string]any{
		"table": e.Table, "op": string(e.Op), "at": e.At, "actor": string(e.Actor),
		"record": json.RawMessage(t.AppendJSON(nil, last)), "old": json.RawMessage(t.AppendJSON(nil, e.Before)),
	})
	if err == nil {
		err = unmarshal(raw, &event)
	}
	if err != nil || a.when == nil {
		return err == nil, event, err
	}
	v, err := a.when.eval(map[string]any{"event": event}, c)
	yes, _ := v.(bool)
	return yes && err == nil, event, nil // what cannot be told does not hold, as for conditions of triggers over records out of reach
}

// checkAwait compiles the expressions of a wait. The condition is asked where the event is, and sees nothing of the run.
func checkAwait(st *step, s *scope) (err error) {
	a := st.await
	for _, v := range []*value{a.length, a.until, a.key, a.timeout} {
		if v == nil {
			continue
		}
		if err := v.compile(s, st.path); err != nil {
			return err
		}
		if v.fixed() && v != a.key {
			if _, err := momentOf(v.literal, time.Now(), v == a.until); err != nil {
				return v.at.problem(st.path, "%s", core.AsError(err).Msg)
			}
		}
	}
	if a.when == nil {
		return nil
	}
	if a.when.expr, err = rules.CompileFree([]string{"event"}, a.when.source); err != nil {
		e := core.AsError(err)
		return a.when.at.within(e.Line, e.Pos).problem(st.path, "when: %s", message(e))
	}
	return nil
}

// fits checks that the tables whose events steps wait for are there with their columns, as far as sees lets them be known: the empty column stands
// for the table. Who waits for a value of a column that he may not read would find out what it is.
func (d *definition) fits(schema *core.Schema, sees func(table, column string) bool) (err error) {
	d.each(func(st *step) {
		if st.await == nil || st.await.table == "" || err != nil {
			return
		}
		a := st.await
		t, bad := schema.Table(a.table)
		switch {
		case bad != nil || !sees(a.table, ""):
			err = a.at.problem(st.path, "table %s: there is no such table", a.table)
		case t.Builtin:
			err = a.at.problem(st.path, "table %s is kept by Colonnade and has no events: choose another", a.table)
		default:
			if c, bad := t.Need(a.match); bad != nil || !sees(a.table, a.match) {
				err = a.at.problem(st.path, "match: table %s has no column %s", a.table, a.match)
			} else if c.Virtual() {
				err = a.at.problem(st.path, "match: %s.%s is computed when it is read, so events do not tell it: choose a stored column", a.table, a.match)
			}
		}
	})
	return err
}
