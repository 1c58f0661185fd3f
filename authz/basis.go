package authz

import (
	"maps"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// A role counts from somewhere: its levels unit and unit_and_below from the unit that its assignment names, or from that of the
// user, or of the team that holds it; its level own from the records of the user and his teams, or from those of one team only.
// Several assignments of a role add up. What all but a few roles count from, the user's own unit and teams, is the caller
// himself; for the others he has a [core.Basis].

// counts is what a role of a user counts from.
type counts struct {
	member bool // the records of the user and of all his teams are his own
	teams  map[core.ID]bool
	units  map[core.ID]bool
}

// from returns what the roles of the user count from, by role, with those that they include.
func (p *Policy) from(u *User) map[int]*counts {
	out := map[int]*counts{}
	add := func(a assigned, unit, team core.ID) {
		for _, i := range p.implied[a.role] {
			c := out[i]
			if c == nil {
				c = &counts{teams: map[core.ID]bool{}, units: map[core.ID]bool{}}
				out[i] = c
			}
			c.units[a.at(unit)] = true
			if a.apart {
				c.teams[team] = true
			} else {
				c.member = true
			}
		}
	}
	for _, a := range p.assigned[ofUser(u.ID)] {
		add(a, u.UnitID, "")
	}
	for _, t := range p.teams[u.ID] {
		for _, a := range p.assigned[ofTeam(t)] {
			add(a, p.teamsByID[t].UnitID, t)
		}
	}
	return out
}

// at returns the unit that the assignment counts from, for a holder in a unit.
func (a assigned) at(unit core.ID) core.ID {
	if a.unit != "" {
		return a.unit
	}
	return unit
}

// usual reports whether the role counts from the user's own unit and teams.
func (c *counts) usual(u *User) bool { return c.member && len(c.units) == 1 && c.units[u.UnitID] }

// basis returns where the role counts from, still without roles.
func (p *Policy) basis(u *User, c *counts) core.Basis {
	b := core.Basis{Units: slices.Sorted(maps.Keys(c.units))}
	if c.member {
		b.Owners = append([]core.ID{u.ID}, p.teams[u.ID]...)
	} else {
		b.Owners = slices.Sorted(maps.Keys(c.teams))
	}
	for _, unit := range b.Units {
		b.Below = append(b.Below, p.Below(unit)...)
	}
	slices.Sort(b.Below)
	b.Below = slices.Clip(slices.Compact(b.Below))
	return b
}

// rolesOf returns the names of the roles that the user holds, directly, through a team, and inherited; and where they count from
// as far as that is not his own unit and teams. The order of the bases depends on their roles only, so that users whose roles
// fall apart in the same way share their decisions.
func (p *Policy) rolesOf(u *User) (names []string, bases []core.Basis) {
	from := p.from(u)
	byPlace := map[string]*core.Basis{}
	for _, i := range slices.SortedFunc(maps.Keys(from), func(i, j int) int { return strings.Compare(p.names[i], p.names[j]) }) {
		names = append(names, p.names[i])
		if from[i].usual(u) {
			continue
		}
		b := p.basis(u, from[i])
		key := join(b.Owners) + ";" + join(b.Units)
		if byPlace[key] == nil {
			byPlace[key] = &b
		}
		byPlace[key].Roles = append(byPlace[key].Roles, p.names[i])
	}
	for _, b := range byPlace {
		bases = append(bases, *b)
	}
	slices.SortFunc(bases, func(a, b core.Basis) int { return slices.Compare(a.Roles, b.Roles) })
	return slices.Clip(names), bases
}

func join(ids []core.ID) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(string(id) + ",")
	}
	return b.String()
}

// holding is a grant that a caller holds, and the basis that it counts from: 0 for the caller himself, otherwise one more than
// its place among his bases. reports is the list of those below him whose records it reaches, "" for none.
type holding struct {
	*held
	role    int
	basis   int
	reports string
}

// arm is one of the alternatives by which a record is in reach.
type arm struct {
	kind   ArmKind
	source string
}

// arms returns the alternatives by which the level reaches a record of a user-owned table; none for every record. They are as
// cheap as they come early.
func (l Level) arms(basis int, reports string) (out []arm) {
	if l == Organization {
		return nil
	}
	own, unit, below := "owner_id == caller.user || owner_id in caller.teams", "unit_id == caller.unit", "unit_id in caller.below"
	if i := basis - 1; i >= 0 {
		own, unit, below = "owner_id in "+rules.BasisList("owners", i), "unit_id in "+rules.BasisList("units", i), "unit_id in "+rules.BasisList("below", i)
	}
	out = append(out, arm{ByOwner, own})
	if reports != "" {
		out = append(out, arm{ByReport, "owner_id in " + reports})
	}
	switch l {
	case Unit:
		out = append(out, arm{ByUnit, unit})
	case UnitBelow:
		out = append(out, arm{ByUnit, below})
	}
	return out
}

// source returns the level as an expression over a user-owned table, "" for every row.
func (l Level) source(basis int, reports string) string {
	var parts []string
	for _, a := range l.arms(basis, reports) {
		parts = append(parts, a.source)
	}
	return strings.Join(parts, " || ")
}

// places returns the units that what c holds by the basis counts from, and those with what is below them.
func (p *Policy) places(c core.Caller, basis int) (units, below []core.ID) {
	if basis == 0 {
		return []core.ID{c.Unit}, c.Below
	}
	return c.Bases[basis-1].Units, c.Bases[basis-1].Below
}

// spans reports whether what c holds at a level, by a basis, is no less than another level that counts from each of the units.
func (p *Policy) spans(c core.Caller, h holding, level Level, from []core.ID) bool {
	if level < Unit || h.Level == Organization {
		return level <= h.Level
	}
	units, below := p.places(c, h.basis)
	in := below
	if h.Level == Unit && level == Unit {
		in = units
	}
	return level <= h.Level && !slices.ContainsFunc(from, func(unit core.ID) bool { return !slices.Contains(in, unit) })
}

// holders returns the units that the role counts from for those who hold it, directly or in another role.
func (p *Policy) holders(role int) (units []core.ID) {
	add := func(who string, unit core.ID) {
		for _, a := range p.assigned[who] {
			if slices.Contains(p.implied[a.role], role) {
				units = append(units, a.at(unit))
			}
		}
	}
	for id, u := range p.users {
		add(ofUser(id), u.UnitID)
	}
	for id, t := range p.teamsByID {
		add(ofTeam(id), t.UnitID)
	}
	slices.Sort(units)
	return slices.Compact(units)
}
