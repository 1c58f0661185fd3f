package flows

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
	"colonnade/tables"
)

// reader is the name under which the dispatcher keeps its place in the stream of events.
const readerName = "flows"

// How many events one round of the dispatcher takes, and the pause between two.
const (
	round = 500 // they may start as many runs, in one transaction
	pause = 5 * time.Millisecond
)

// matcher knows which flows a change starts. It holds for one set of flows and one schema.
type matcher struct {
	set    *set
	schema *core.Schema
	tables map[string][]listener
}

type listener struct {
	flow *flow
	when *rules.Expr // nil for always
}

// matcher compiles the triggers once for each version of flows and schema.
func (s *Service) matcher(ctx context.Context, set *set, snap *tables.Snapshot) *matcher {
	if m := s.matched.Load(); m != nil && m.set == set && m.schema == snap.Schema {
		return m
	}
	m := &matcher{set: set, schema: snap.Schema, tables: map[string][]listener{}}
	for _, f := range set.flows {
		if !f.enabled || f.def.trigger.event == nil {
			continue
		}
		e := f.def.trigger.event
		when, err := e.compile(snap.Schema)
		if err != nil {
			s.log.ErrorContext(ctx, "flows: the trigger does not fit the tables", "flow", f.name, "err", err)
			continue
		}
		m.tables[e.table] = append(m.tables[e.table], listener{f, when})
	}
	s.matched.Store(m)
	return m
}

// dispatcher starts the runs of events, until ctx ends.
func (s *Service) dispatcher(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		for {
			more, err := s.dispatch(ctx)
			if err != nil {
				s.complain(ctx, "flows: events", err)
			}
			if err != nil || !more || ctx.Err() != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		wake := s.wake
		if m := s.matched.Load(); m != nil && len(m.tables) == 0 && !s.awaiting.Load() {
			wake = nil // no flow listens: the place in the stream can move on more slowly
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-t.C:
		}
	}
}

// dispatch takes one round of events, and reports whether there may be more at once. The cursor moves in the
// transaction that the runs come with: a run is there if and only if its cause is, and once.
func (s *Service) dispatch(ctx context.Context) (more bool, err error) {
	const op = "flows.dispatch"
	from, err := s.store.ReadCursor(ctx, readerName)
	if err != nil {
		return false, core.E(op, err)
	}
	snap := s.store.Snapshot()
	set, err := s.flows(ctx, s.db)
	if err != nil {
		return false, core.E(op, err)
	}
	m := s.matcher(ctx, set, snap)
	var events []core.Event
	var to tables.Cursor
	awaited, err := s.awaitedColumns(ctx, s.db)
	if err != nil {
		return false, core.E(op, err)
	}
	s.awaiting.Store(len(awaited) > 0)
	listens := len(m.tables) > 0 || len(awaited) > 0
	if !listens {
		to, err = s.store.LastEvent(ctx, from)
	} else {
		events, to, err = s.store.Events(ctx, snap, from, round)
	}
	if err != nil || to == from {
		return false, core.E(op, err)
	}
	err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		v, err := s.flowVersion(ctx, tx.DB())
		if err != nil {
			return err
		}
		if v != set.version {
			return core.E(op, core.Conflict, "the flows have just changed")
		}
		if err := tx.MoveCursor(ctx, readerName, from, to); err != nil {
			return err
		}
		if awaited, err = s.awaitedColumns(ctx, tx.DB()); err != nil {
			return err
		}
		if len(awaited) > 0 && !listens {
			return core.E(op, core.Conflict, "somebody has just begun to wait for events")
		}
		if err := s.correlate(ctx, tx, events, awaited); err != nil {
			return err
		}
		return s.startAll(ctx, tx, m, events)
	})
	if err != nil && core.KindOf(err) == core.Conflict {
		s.Wake() // another process was faster, or something has changed: look again
		return false, nil
	}
	if err != nil {
		return false, core.E(op, err)
	}
	last := to.Seq
	for _, e := range events {
		last = max(last, e.Seq)
	}
	s.seen.Store(max(s.seen.Load(), last))
	return listens, nil
}

// startAll writes the runs that the events start.
func (s *Service) startAll(ctx context.Context, tx *tables.Tx, m *matcher, events []core.Event) error {
	batches := map[*flow][]core.Event{}
	var order []*flow
	var runs []newRun
	all, err := s.candidates(tx, m, events)
	if err == nil {
		err = s.decide(ctx, tx, all)
	}
	if err != nil {
		return err
	}
	for _, c := range all {
		n, err := s.refused(ctx, tx, c)
		if err != nil {
			return err
		}
		switch f := c.flow; {
		case n != nil:
			runs = append(runs, *n)
		case !c.starts:
		case !f.def.trigger.event.batched:
			n, err := s.single(f, *c.seen)
			if err != nil {
				return err
			}
			runs = append(runs, n)
		default:
			if batches[f] == nil {
				order = append(order, f)
			}
			batches[f] = append(batches[f], *c.seen)
		}
	}
	for _, f := range order {
		more, err := s.batch(ctx, tx, f, batches[f])
		if err != nil {
			return err
		}
		runs = append(runs, more...)
	}
	if len(runs) == 0 {
		return nil
	}
	policy := tx.Snapshot().Policy
	for i := range runs {
		if as, err := policy.Caller(runs[i].flow.runAs, core.Cause{}); err == nil {
			runs[i].unit = as.Unit
		}
	}
	_, err = s.insert(ctx, tx.DB(), runs)
	return err
}

// candidate is an event that may start a flow.
type candidate struct {
	listener
	event  core.Event
	caller core.Caller // that the flow acts as
	seen   *core.Event // as he may see it
	starts bool
	failed error // why the flow cannot tell
}

// candidates returns the events that may start flows, in their order: those of which the flow's user sees something.
func (s *Service) candidates(tx *tables.Tx, m *matcher, events []core.Event) (out []*candidate, err error) {
	for _, e := range events {
		for _, l := range m.tables[e.Table] {
			if !slices.Contains(l.flow.def.trigger.event.on, e.Op) || e.At.UnixMicro() < l.flow.since {
				continue
			}
			c := &candidate{listener: l, event: e, starts: l.when == nil}
			if c.caller, err = tx.Snapshot().Policy.Caller(l.flow.runAs, core.Cause{Kind: "flow"}); err != nil {
				c.failed = core.E("flows.candidates", core.Denied, "the user that the flow acts as cannot: "+core.AsError(err).Msg)
			} else if c.seen, err = s.seenBy(tx, c.caller, e); err != nil {
				return nil, err
			}
			if c.seen != nil || c.failed != nil {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// decide asks the conditions of the triggers: of each flow about all its events at once.
func (s *Service) decide(ctx context.Context, tx *tables.Tx, all []*candidate) error {
	of := map[*flow][]*candidate{}
	var order []*flow
	for _, c := range all {
		if c.when == nil || c.failed != nil {
			continue
		}
		if of[c.flow] == nil {
			order = append(order, c.flow)
		}
		of[c.flow] = append(of[c.flow], c)
	}
	for _, f := range order {
		if err := s.ask(ctx, tx, of[f]); err != nil {
			return err
		}
	}
	return nil
}

// ask asks the condition of one flow about events. One that fails must hold up no other, so that those of which some fail are asked
// one by one, and those that fail are noted.
func (s *Service) ask(ctx context.Context, tx *tables.Tx, list []*candidate) error {
	records, old := make([]core.Record, len(list)), make([]core.Record, len(list))
	for i, c := range list {
		records[i], old[i] = c.seen.After, c.seen.Before
		if records[i] == nil {
			records[i] = old[i]
		}
	}
	var held []bool
	question := func() (err error) {
		held, err = s.store.Holds(core.WithCaller(ctx, list[0].caller), tx.Snapshot(), list[0].when, records, old)
		return err
	}
	err := question
	if len(list[0].when.Needs) > 0 { // which the database answers: after an error there nothing else could be done
		err = func() error { return tx.Savepoint(ctx, question) }
	}
	switch err := err(); {
	case err == nil:
		for i, c := range list {
			c.starts = held[i]
		}
	case ctx.Err() != nil || core.KindOf(err) == core.Conflict || core.KindOf(err) == core.Unavailable:
		return err
	case len(list) == 1:
		list[0].failed = core.E("flows.ask", core.At{Table: list[0].event.Table}, "the condition of the trigger fails", err)
	default:
		for i := range list {
			if err := s.ask(ctx, tx, list[i:i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// refused returns a run that says why the event does not start the flow, as it should; nil when there is nothing to say.
func (s *Service) refused(ctx context.Context, tx *tables.Tx, c *candidate) (*newRun, error) {
	err := c.failed
	if err == nil && c.starts {
		if err = s.tooDeep(ctx, tx.DB(), c.flow.name, c.event.Cause); err != nil && core.KindOf(err) != core.Limit {
			return nil, err
		}
		if err != nil {
			s.log.WarnContext(ctx, "flows: a loop ends", "flow", c.flow.name, "err", err)
		}
	}
	if err == nil {
		return nil, nil
	}
	e := c.event
	input, bad := toJSON(map[string]any{"kind": "event", "table": e.Table, "op": string(e.Op), "at": e.At})
	return &newRun{flow: c.flow, kind: "event", input: input, cause: e.Cause, startedBy: e.Actor, refused: err}, bad
}

// seenBy returns the event with what the caller may read of it; nil when the record is out of his reach. What the record says
// of others is no part of the event.
func (s *Service) seenBy(tx *tables.Tx, caller core.Caller, e core.Event) (*core.Event, error) {
	snap, ask := tx.Snapshot(), tx.Ask(caller)
	may, err := snap.Policy.Decide(caller, e.Table, "read")
	if err != nil {
		return nil, nil // the flow's user may not read the table
	}
	table, err := snap.Schema.Table(e.Table)
	if err != nil {
		return nil, err
	}
	show := func(r core.Record) (core.Record, error) {
		if r == nil {
			return nil, nil
		}
		full := r.Clone()
		conditions := ask
		if may.Rows == nil && !may.Hides() {
			conditions = nil // none reads what other records say
		}
		if err := snap.Rules.Calculate(e.Table, full, caller, conditions); err != nil {
			return nil, err
		}
		maps.Copy(full, r) // as it was stored
		if may.Rows != nil {
			if in, err := may.Rows.True(full, nil, caller, ask); err != nil || !in {
				return nil, err
			}
		}
		out := full.Clone()
		for name, value := range full {
			visible, guard := may.Column(name)
			var mask *rules.Expr
			if !visible {
				mask, guard = may.Mask(name)
				visible = mask != nil
			}
			if visible && guard != nil {
				if visible, err = guard.True(full, nil, caller, ask); err != nil {
					return nil, err
				}
			}
			c, ok := table.Column(name)
			if !visible || ok && snap.Rules.Reaches(e.Table, name) && !snap.ShowsStored(caller, table, c) {
				delete(out, name)
				continue
			}
			if mask != nil {
				if out[name], err = mask.Masked(c, value); err != nil {
					return nil, err
				}
			}
		}
		return out, nil
	}
	if e.Before, err = show(e.Before); err != nil {
		return nil, err
	}
	after := e.After
	if e.After, err = show(e.After); err != nil {
		return nil, err
	}
	if e.After == nil && (after != nil || e.Before == nil) {
		return nil, nil
	}
	return &e, nil
}

func (s *Service) single(f *flow, e core.Event) (newRun, error) {
	t, err := s.store.Snapshot().Schema.Table(e.Table)
	if err != nil {
		return newRun{}, err
	}
	last := e.After
	if last == nil {
		last = e.Before
	}
	input, err := toJSON(map[string]any{
		"kind": "event", "table": e.Table, "op": string(e.Op), "at": e.At, "actor": string(e.Actor),
		"record": json.RawMessage(t.AppendJSON(nil, last)), "old": json.RawMessage(t.AppendJSON(nil, e.Before)), "records": []any{json.RawMessage(t.AppendJSON(nil, last))},
	})
	return newRun{flow: f, kind: "event", input: input, cause: e.Cause, startedBy: e.Actor, due: s.now(), items: 1}, err
}

// batch puts events into the run of the flow that still gathers, and into new ones.
func (s *Service) batch(ctx context.Context, tx *tables.Tx, f *flow, events []core.Event) ([]newRun, error) {
	t, err := tx.Snapshot().Schema.Table(f.def.trigger.event.table)
	if err != nil {
		return nil, err
	}
	var records []any
	depth := 0
	for _, e := range events {
		last := e.After
		if last == nil {
			last = e.Before
		}
		records = append(records, json.RawMessage(t.AppendJSON(nil, last)))
		depth = max(depth, e.Cause.Depth)
	}
	most := f.def.trigger.event.max
	n, err := s.gather(ctx, tx, f, records, depth)
	if err != nil {
		return nil, err
	}
	first := events[0]
	var out []newRun
	for records = records[n:]; len(records) > 0; records = records[min(most, len(records)):] {
		part := records[:min(most, len(records))]
		input, err := toJSON(map[string]any{"kind": "event", "table": t.Name, "at": first.At, "records": part})
		if err != nil {
			return nil, err
		}
		r := newRun{flow: f, kind: "event", input: input, cause: first.Cause, startedBy: first.Actor, due: s.now(), items: len(part)}
		r.cause.Depth = depth
		if len(part) < most {
			r.due = r.due.Add(f.def.trigger.event.wait)
		}
		out = append(out, r)
	}
	return out, nil
}

// gather adds records to a run of the flow that nobody has begun and whose time has not come, and returns how many.
func (s *Service) gather(ctx context.Context, tx *tables.Tx, f *flow, records []any, depth int) (int, error) {
	most := f.def.trigger.event.max
	var id core.ID
	var raw []byte
	var items int64
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text), items, CAST(coalesce(kept_input, input) AS text) FROM "_flow_run" WHERE status = 'waiting' AND fence = 0 AND flow_id = `).Arg(f.id).
		Write(" AND version = ").Arg(f.version).Write(" AND items < ").Arg(int64(most)).Write(" AND due > ").Arg(s.now().UnixMicro()).Write(" LIMIT 1", s.db.Lock())
	err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&id, &items, &raw) })
	if err != nil || id == "" {
		return 0, err
	}
	var input map[string]json.RawMessage
	var have []any
	if err := errors.Join(unmarshal(raw, &input), unmarshal(input["records"], &have)); err != nil {
		return 0, err
	}
	n := min(most-len(have), len(records))
	all, err := toJSON(append(have, records[:n]...))
	if err != nil {
		return 0, err
	}
	input["records"] = all
	var whole bytes.Buffer
	if err := json.NewEncoder(&whole).Encode(input); err != nil {
		return 0, err
	}
	canonical, err := toJSON(json.RawMessage(whole.Bytes()))
	if err != nil {
		return 0, err
	}
	shown, err := shownTrigger(tx.Snapshot(), f.def, canonical)
	if err != nil {
		return 0, err
	}
	b = db.New(s.db.Dialect).Write(`UPDATE "_flow_run" SET `)
	if shown != nil {
		b.Write("kept_input = ").Value(&anyJSON, json.RawMessage(canonical)).Write(", ")
		canonical = shown
	}
	b.Write("input = ").Value(&anyJSON, json.RawMessage(canonical)).Write(", items = ").Arg(int64(len(have) + n)).
		Write(", depth = CASE WHEN depth < ").Arg(int64(depth)).Write(" THEN ").Arg(int64(depth)).Write(" ELSE depth END")
	if len(have)+n == most {
		b.Write(", due = ").Arg(s.now().UnixMicro())
	}
	_, err = tx.DB().Exec(ctx, b.Write(" WHERE id = ").Arg(id))
	return n, err
}

// dispatchAll dispatches until no event is left, also none that a transaction at work elsewhere still hides.
func (s *Service) dispatchAll(ctx context.Context) error {
	begun := time.Now()
	for {
		more, err := s.dispatch(ctx)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		hidden, err := s.hidden(ctx)
		if err != nil || !hidden || time.Since(begun) > 5*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("flows: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
}

// hidden reports whether there are events with a higher number than any that was dispatched.
func (s *Service) hidden(ctx context.Context) (bool, error) {
	var last int64
	b := db.New(s.db.Dialect).Write(`SELECT coalesce(max(seq), 0) FROM "_event"`)
	if err := s.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&last) }); err != nil {
		return false, err
	}
	if s.seen.Load() == 0 {
		c, err := s.store.ReadCursor(ctx, readerName)
		if err != nil {
			return false, err
		}
		s.seen.Store(c.Seq)
	}
	return last > s.seen.Load(), nil
}
