package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"colonnade/core"
)

// batch is a mutation of several root fields, sent as the administrator.
type batch struct {
	roots     []string
	declared  []string
	variables map[string]any
}

// add adds a root field; args alternate between names with their types, such as "unit String", and values.
func (b *batch) add(field, selection string, args ...any) string {
	as := fmt.Sprint("f", len(b.roots))
	var list []string
	for i := 0; i < len(args); i += 2 {
		name, typ, _ := strings.Cut(args[i].(string), " ")
		variable := fmt.Sprint("v", len(b.declared))
		b.declared = append(b.declared, "$"+variable+": "+typ)
		if b.variables == nil {
			b.variables = map[string]any{}
		}
		b.variables[variable] = args[i+1]
		list = append(list, name+": $"+variable)
	}
	b.roots = append(b.roots, as+": "+field+"("+strings.Join(list, ", ")+") { "+selection+" }")
	return as
}

func (b *batch) String() string {
	head := ""
	if len(b.declared) > 0 {
		head = "(" + strings.Join(b.declared, ", ") + ")"
	}
	return "mutation" + head + " { " + strings.Join(b.roots, "\n") + " }"
}

// do sends what was added, when there is something, and returns the answers.
func (b *batch) do(t testing.TB, p *Program) map[string]any {
	t.Helper()
	if len(b.roots) == 0 {
		return nil
	}
	out := p.must(t, b.String(), b.variables)
	*b = batch{}
	return out
}

const asking = 3 // people who ask

// populate makes units, teams and people.
func (w *world) populate(t testing.TB) {
	t.Helper()
	var b batch
	here, away := b.add("create_unit", "id", "name String!", "here"), b.add("create_unit", "id", "name String!", "away")
	below := b.add("create_unit", "id", "name String!", "below", "parent String", "here")
	crewUnit := choose(w.maker, "here", "below", "away")
	crew, strangers := b.add("create_team", "id", "name String!", "crew", "unit String", crewUnit), b.add("create_team", "id", "name String!", "strangers", "unit String", "away")
	user := func(name, unit string) string {
		return b.add("create_user", "id", "name String!", name, "email String!", name+"@example.com", "unit String", unit)
	}
	other := user("other", "away")
	var names, at, ids, keys []string
	for i := range asking {
		names = append(names, fmt.Sprint("person", i))
		at = append(at, choose(w.maker, "here", "here", "below", "away"))
		ids = append(ids, user(names[i], at[i]))
		keys = append(keys, b.add("create_api_key", "secret", "name String!", "oracle", "user String", names[i]+"@example.com"))
	}
	data := b.do(t, w.program)
	get := func(as, field string) string { return data[as].(map[string]any)[field].(string) }
	id := func(as string) core.ID { return core.ID(get(as, "id")) }
	w.here, w.away, w.below, w.crew, w.strangers, w.other = id(here), id(away), id(below), id(crew), id(strangers), id(other)
	w.units = map[core.ID]core.ID{w.below: w.here, w.here: core.RootUnit, w.away: core.RootUnit}
	for i := range asking {
		p := &person{world: w, name: names[i], key: get(keys[i], "secret"), id: id(ids[i]), unit: w.unitNamed(at[i])}
		p.teams = []core.ID{p.unit}
		if w.chance(0.6) {
			p.teams = append(p.teams, w.crew)
			b.add("add_member", "id", "team String!", "crew", "user String!", string(p.id))
		}
		w.people = append(w.people, p)
	}
	b.do(t, w.program)
	w.roles = []string{"one", "two", "three"}
	w.assignments(t, w.unitNamed(crewUnit))
}

func (w *world) unitNamed(name string) core.ID {
	return map[string]core.ID{"here": w.here, "below": w.below, "away": w.away}[name]
}

// assignments gives the roles to people and teams, which have to be there for that.
func (w *world) assignments(t testing.TB, crewUnit core.ID) {
	t.Helper()
	var b batch
	for _, r := range w.roles {
		b.add("put_role", "role", "name String!", r)
	}
	units := []core.ID{"", "", w.here, w.below, w.away}
	for _, team := range []core.ID{w.crew, w.here} {
		for _, role := range subset(w.maker, w.roles, 0.3) {
			from, apart := choose(w.maker, units...), w.chance(0.4)
			b.add("assign_role", "role", "role String!", role, "team String", string(team), "unit String", maybe(from), "inherit String", pick(apart, "team", "member"))
			if from == "" {
				from = pick(team == w.crew, crewUnit, w.here)
			}
			for _, p := range w.people {
				if slices.Contains(p.teams, team) {
					p.hold(role, from, apart, team)
				}
			}
		}
	}
	for _, p := range w.people {
		held := subset(w.maker, w.roles, 0.4)
		if len(held) == 0 && len(p.holdings) == 0 {
			held = []string{choose(w.maker, w.roles...)}
		}
		for _, role := range held {
			for range 1 + w.IntN(2) {
				from := choose(w.maker, units...)
				b.add("assign_role", "role", "role String!", role, "user String", string(p.id), "unit String", maybe(from))
				p.hold(role, pick(from == "", p.unit, from), false, "")
			}
		}
		b.do(t, w.program)
	}
}

// maybe is the id as an argument that may be left out.
func maybe(id core.ID) any {
	if id == "" {
		return nil
	}
	return string(id)
}

// hold notes what a role counts from for a person, who has it through the team when there is one.
func (p *person) hold(role string, from core.ID, apart bool, team core.ID) {
	h := holding{role: role, unit: from, apart: apart, owners: append([]core.ID{p.id}, p.teams...)}
	if apart {
		h.owners = []core.ID{team}
	}
	p.holdings = append(p.holdings, h)
}
