package oracle

import (
	"slices"
	"testing"

	"colonnade/core"
)

// share is what a record is shared with somebody for.
type share struct {
	table, id string
	with      core.ID // a user or a team; empty for everyone
	rights    []string
}

// share shares some of the records of people.
func (w *world) share(t testing.TB) {
	t.Helper()
	for _, table := range w.schema.Tables() {
		if !table.Owned() || w.chance(0.4) {
			continue
		}
		for _, r := range subset(w.maker, w.rows[table.Name], 0.3) {
			s := share{table.Name, r["id"].(string), choose(w.maker, w.people[0].id, w.people[1].id, w.crew, w.here, ""), subset(w.maker, []string{"read", "update", "delete"}, 0.6)}
			var b batch
			args := []any{"table String!", s.table, "id uuid!", s.id, "rights [String!]", append([]string{}, s.rights...)}
			switch {
			case len(s.rights) == 0:
				continue
			case s.with == "":
				args = append(args, "everyone Boolean", true)
			case s.with == w.crew || s.with == w.here:
				args = append(args, "team String", string(s.with))
			default:
				args = append(args, "user String", string(s.with))
			}
			b.add("share_record", "rights", args...)
			if _, err := w.program.try(t, b.String(), b.variables); err == nil { // it would give nobody anything
				w.shares = append(w.shares, s)
			}
		}
	}
}

// shared reports whether the record is shared with the person for the privilege.
func (p *person) shared(table, privilege string, r core.Record) bool {
	return slices.ContainsFunc(p.shares, func(s share) bool {
		return s.table == table && s.id == r["id"] && slices.Contains(s.rights, privilege) && (s.with == "" || s.with == p.id || slices.Contains(p.teams, s.with))
	})
}

// manage has some people report to others.
func (w *world) manage(t testing.TB) {
	t.Helper()
	if w.chance(0.4) {
		return
	}
	w.steps = 1 + w.IntN(3)
	var b batch
	b.add("set_hierarchy", "mode", "mode String!", "manager", "depth bigint", w.steps)
	above := []core.ID{w.people[0].id}
	for _, user := range []core.ID{w.people[1].id, w.people[2].id, w.other} {
		if w.chance(0.7) {
			w.managers[user] = choose(w.maker, above...)
			b.add("set_manager", "id", "user String!", string(user), "manager String", string(w.managers[user]))
		}
		above = append(above, user)
	}
	b.do(t, w.program)
}

// reports are the owners whose records the person reaches as somebody above them, with a privilege on a table.
func (p *person) reports(table, privilege string) (out []core.ID) {
	reach := map[string]int{"read": p.steps, "update": 1, "append": 1, "append_to": 1}[privilege]
	if !p.table(table).Hierarchy {
		return nil
	}
	for user := range p.managers {
		at, n := user, 0
		for at != "" && at != p.id {
			at, n = p.managers[at], n+1
		}
		if unit, teams := p.placeOf(user); at == p.id && n <= min(reach, p.steps) && p.within(unit, p.unit) {
			out = append(append(out, user), teams...)
		}
	}
	return out
}

// placeOf is the unit and the teams of a user.
func (w *world) placeOf(user core.ID) (core.ID, []core.ID) {
	for _, p := range w.people {
		if p.id == user {
			return p.unit, p.teams
		}
	}
	return w.away, []core.ID{w.away}
}
