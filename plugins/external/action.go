package external

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/tables"
)

// Actions returns the actions of the plugins, enabled or not, and those that administer them.
func (s *Service) Actions() []core.Action {
	out := []core.Action{s.list(), s.enable(), s.disable(), s.putSecret()}
	for _, p := range s.plugins {
		for i := range p.Manifest.Actions {
			out = append(out, s.action(p, &p.Manifest.Actions[i]))
		}
	}
	return out
}

// action makes an action of one that a manifest describes.
func (s *Service) action(p *loaded, a *Action) core.Action {
	out := core.Action{
		Name: p.Name + "_" + a.Name, Doc: a.Doc + fmt.Sprintf(" An action of the plugin %s %s.", p.Name, p.Version), Input: a.Input, Output: a.Output,
		Privilege: "use_plugins", Alone: true, Sends: p.sends(),
		Run: func(ctx context.Context, c core.Call) (core.Record, error) { return s.run(ctx, p, a, c) },
	}
	if p.Wants.reads() {
		out.Reads = core.AnyTable
	}
	for _, x := range a.Examples {
		out.Examples = append(out.Examples, core.Example{Doc: x.Doc, In: x.In})
	}
	return out
}

// run calls an action of a plugin for the caller of ctx.
func (s *Service) run(ctx context.Context, p *loaded, a *Action, c core.Call) (core.Record, error) {
	const op = "external.run"
	if err := s.enabled(ctx, p.Plugin); err != nil {
		return nil, core.E(op, err)
	}
	if err := p.breaker.open(p.Plugin, s.o.Now()); err != nil {
		return nil, core.E(op, err)
	}
	snap := s.store.Snapshot()
	caller, err := narrow(snap, core.CallerFrom(ctx), p.Plugin)
	if err != nil {
		return nil, core.E(op, err)
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, core.E(op, ctx.Err())
	}
	out, err := s.perform(core.WithCaller(ctx, caller), p, a, c)
	if err != nil && ctx.Err() != nil {
		return nil, core.E(op, ctx.Err()) // it was stopped from outside, and is not to blame
	}
	p.breaker.note(err, s.o.Now())
	var f *faulty
	if errors.As(err, &f) && f.err != nil {
		s.o.Log.WarnContext(ctx, "plugins: a plugin broke", "plugin", p.Name, "action", a.Name, "err", snap.Logged(f.err))
	}
	return out, core.E(op, err)
}

// perform has the plugin answer within its time.
func (s *Service) perform(ctx context.Context, p *loaded, a *Action, c core.Call) (core.Record, error) {
	id := c.Key
	if id == "" {
		id = string(core.NewID())
	}
	request, err := p.ask(a, c, id)
	if err != nil {
		return nil, err
	}
	var ran *module
	if p.Wasm != "" { // to compile takes what it takes
		if ran, err = p.module(ctx, s.cache); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithTimeout(ctx, p.Limits.Time)
	defer stop()
	var answer []byte
	if ran != nil {
		answer, err = ran.run(ctx, &hosting{service: s, plugin: p.Plugin, key: c.Key, made: map[string]int{}}, request)
	} else {
		answer, err = s.post(ctx, p.Plugin, id, request)
	}
	if errors.Is(err, errStopped) {
		return nil, late(p.Plugin, fmt.Sprintf("had not answered after %s and was stopped: limits.time of its manifest says how long it may take", p.Limits.Time), err)
	}
	if err != nil {
		return nil, err
	}
	return p.read(a, answer)
}

// narrow returns the caller with what is left of his rights in the hands of the plugin: what its manifest asks for, without the data classes that
// must not go where it sends values.
func narrow(snap *tables.Snapshot, c core.Caller, p *Plugin) (core.Caller, error) {
	const op = "external.narrow"
	if c.IsSystem() {
		return c, core.E(op, core.Denied, "a plugin acts for somebody: the machinery calls none")
	}
	sends := p.sends()
	scope := &core.Scope{Tables: []string{}, Privileges: map[string][]string{}, Actions: []string{"any_operation"}, Classes: snap.Barred(&sends)}
	for _, w := range p.Wants.Tables {
		t, err := snap.Schema.Table(w.Table)
		if err != nil || t.Builtin {
			return c, core.E(op, core.Invalid, core.At{Table: w.Table}, fmt.Sprintf("the manifest of the plugin %s asks for a table that is not there: make the table, or change line %d of the manifest", p.Name, w.line))
		}
		if !c.Scope.Holds(t.SQL()) {
			continue
		}
		scope.Tables = append(scope.Tables, t.SQL())
		scope.Privileges[t.SQL()] = w.Privileges
	}
	if c.Scope != nil {
		scope.ReadOnly = c.Scope.ReadOnly
		scope.Actions = slices.DeleteFunc(scope.Actions, func(right string) bool { return !c.Scope.Acts(right) })
	}
	c.Scope = scope
	return c, nil
}
