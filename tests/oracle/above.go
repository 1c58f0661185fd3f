package oracle

import (
	"maps"
	"slices"
	"testing"
	"time"

	"colonnade/core"
)

// share is what a record is shared with somebody for.
type share struct {
	table, id string
	with      core.ID // a user or a team; empty for everyone
	rights    []string
	ended     bool // it has expired
}

// share shares some of the records of people, and waits for the ends of those shares that have one.
func (w *world) share(t testing.TB) {
	t.Helper()
	for _, table := range w.schema.Tables() {
		if !table.Owned() || w.chance(0.6-w.theme.shared) {
			continue
		}
		for _, r := range subset(w.maker, w.rows[table.Name], w.theme.shared) {
			w.shareOne(t, table.Name, r["id"].(string))
		}
	}
	for _, s := range w.shares {
		for s.ended && !w.over(t, s) {
			continue
		}
	}
}

// shareOne shares a record.
func (w *world) shareOne(t testing.TB, table, id string) {
	t.Helper()
	with := choose(w.maker, w.people[0].id, w.people[1].id, w.crew, w.here, "")
	s := share{table, id, with, subset(w.maker, []string{"read", "update", "delete", "share", "assign"}, 0.6), w.chance(w.theme.ended)}
	args := []any{"table String!", table, "id uuid!", id}
	switch {
	case w.chance(0.2):
		s.rights = []string{"read", "update"}
		args = append(args, "template String", "reviewer")
	case len(s.rights) == 0:
		return
	default:
		args = append(args, "rights [String!]", append([]string{}, s.rights...))
	}
	switch with {
	case "":
		args = append(args, "everyone Boolean", true)
	case w.crew, w.here:
		args = append(args, "team String", string(with))
	default:
		args = append(args, "user String", string(with))
	}
	if s.ended {
		args = append(args, "expires_at timestamptz", time.Now().Add(100*time.Millisecond).UTC().Format(core.TimeLayout))
	}
	var b batch
	b.add("share_record", "rights", args...)
	if _, err := w.program.try(t, b.String(), b.variables); err == nil { // it would give nobody anything, or would be over
		w.shares = append(w.shares, s)
	}
}

// over reports whether the program counts a share as one that has ended.
func (w *world) over(t testing.TB, s share) bool {
	t.Helper()
	data := w.program.must(t, "mutation($table: String!, $id: uuid!) { q: record_shares(table: $table, id: $id) { shares { with ended } } }", map[string]any{"table": s.table, "id": s.id})
	for _, o := range data["q"].(map[string]any)["shares"].([]any) {
		if o := o.(map[string]any); o["with"] == string(s.with) || s.with == "" && o["with"] == string(core.Everyone) {
			return o["ended"].(bool)
		}
	}
	return true
}

// shared reports whether the record is shared with the person for the privilege: itself, or what it inherits shares from. That may be
// gone: the shares of a record that is deleted stay, and a version from before leads to them.
func (p *person) shared(table, privilege string, r core.Record) bool {
	id := r["id"]
	for range 1 + core.ShareSteps {
		if slices.ContainsFunc(p.shares, func(s share) bool {
			return s.table == table && s.id == id && slices.Contains(s.rights, privilege) && !s.ended && (s.with == "" || s.with == p.id || slices.Contains(p.teams, s.with))
		}) {
			return true
		}
		columns := p.table(table).Columns
		i := slices.IndexFunc(columns, func(c core.Column) bool { return c.InheritShares }) // of which a table has one at most
		if i < 0 || r == nil || r[columns[i].Name] == nil {
			return false
		}
		table, id = columns[i].Target, r[columns[i].Name]
		r = p.find(table, id)
	}
	return false
}

// manage has some people report to others: by their managers, or by positions.
func (w *world) manage(t testing.TB) {
	t.Helper()
	if w.chance(0.4) {
		return
	}
	w.steps = 1 + w.IntN(3)
	w.byPosition = w.chance(0.5)
	var b batch
	b.add("set_hierarchy", "mode", "mode String!", pick(w.byPosition, "position", "manager"), "depth bigint", w.steps)
	if w.byPosition {
		for _, q := range slices.Sorted(maps.Keys(positions)) { // the upper ones first
			b.add("put_position", "id", "name String!", q, "parent String", maybe(core.ID(positions[q])))
		}
	}
	above := []core.ID{w.people[0].id}
	for _, user := range []core.ID{w.people[0].id, w.people[1].id, w.people[2].id, w.other} {
		switch {
		case w.chance(0.3):
		case w.byPosition:
			w.positions[user] = choose(w.maker, slices.Sorted(maps.Keys(positions))...)
			b.add("set_position", "id", "user String!", string(user), "position String", w.positions[user])
		case user != above[0]:
			w.managers[user] = choose(w.maker, above...)
			b.add("set_manager", "id", "user String!", string(user), "manager String", string(w.managers[user]))
		}
		above = append(above, user)
	}
	b.do(t, w.program)
}

// positions are what positions there are, each with the one above it.
var positions = map[string]string{"1 head": "", "2 lead": "1 head", "3 clerk": "2 lead", "3 writer": "2 lead"}

// reports are the owners whose records the person reaches as somebody above them, with a privilege on a table.
func (p *person) reports(table, privilege string) (out []core.ID) {
	reach := map[string]int{"read": p.steps, "update": 1, "append": 1, "append_to": 1}[privilege]
	if !p.table(table).Hierarchy {
		return nil
	}
	for user := range p.usersBelow(min(reach, p.steps)) {
		_, teams := p.placeOf(user)
		out = append(append(out, user), teams...)
	}
	return out
}

// usersBelow are the users who are so many steps below the person, at most.
func (p *person) usersBelow(steps int) map[core.ID]bool {
	out := map[core.ID]bool{}
	for user, at := range p.positions { // in any unit
		n := 0
		for at != "" && at != p.positions[p.id] {
			at, n = positions[at], n+1
		}
		if at != "" && 0 < n && n <= steps {
			out[user] = true
		}
	}
	for user := range p.managers { // in the unit of the person, or below it
		at, n := user, 0
		for at != "" && at != p.id {
			at, n = p.managers[at], n+1
		}
		if unit, _ := p.placeOf(user); at == p.id && n <= steps && p.within(unit, p.unit) {
			out[user] = true
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
