package authz

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// ArmKind is by what a record is in reach of a grant.
type ArmKind string

// The kinds of arms.
const (
	ByOwner  ArmKind = "owner"  // it belongs to the caller or to a team of his
	ByReport ArmKind = "report" // it belongs to somebody below him
	ByShare  ArmKind = "share"  // it is shared with the caller
	ByUnit   ArmKind = "unit"   // it belongs to a unit that the role counts from, or to one below
)

// Way is a grant that a caller holds, with how he came to it and what it reaches.
type Way struct {
	Grant
	Routes    []Route     // how he holds the role
	Units     []core.ID   // that its level counts from
	Arms      []Arm       // one of which must hold for a record; none for all records
	Condition *rules.Expr // that the record must meet as well; nil for none

	reads  []rules.Read // of the condition
	hidden map[string]bool
}

// Arm is one of the alternatives by which a record is in reach.
type Arm struct {
	Kind ArmKind
	Rows *rules.Expr
}

// Route is how somebody holds a role.
type Route struct {
	Team  core.ID  // through which; "" for by himself
	Roles []string // the one that is assigned, then those that lead from it to the role, which is the last
	Unit  core.ID  // that the assignment names, "" for none
	Apart bool     // it counts for the records of the team only
}

// Ways returns the grants that give the caller the privilege on the table, none when it is denied.
func (p *Policy) Ways(c core.Caller, table string, priv Privilege) []Way {
	t, ok := p.tables[table]
	if !ok || priv.index() < 0 {
		return nil
	}
	all := Grant{Role: Administrator, Table: table, Privilege: priv, Level: Organization}
	if c.IsSystem() {
		all.Role = c.Name
		return []Way{{Grant: all}}
	}
	s := p.roleSet(c)
	if s.admin && (!t.Builtin || priv == Read) {
		return []Way{{Grant: all, Routes: p.routes(c.User, p.admin)}}
	}
	var out []Way
	for _, h := range t.held(s, priv) {
		out = append(out, p.way(c, s, t, priv, h))
	}
	return out
}

func (p *Policy) way(c core.Caller, s *roleSet, t *tablePolicy, priv Privilege, h holding) Way {
	w := Way{Grant: h.grant(p.names[h.role], t.Name, priv), Routes: p.routes(c.User, h.role), reads: h.reads, hidden: h.hidden}
	if h.Level == Unit || h.Level == UnitBelow {
		w.Units, _ = p.places(c, h.basis)
	}
	compiled := func(source string, o rules.Options) *rules.Expr {
		x, err := p.compileFor(t.Table, source, o)
		if err != nil {
			panic(fmt.Sprintf("authz: a part of a policy that was compiled does not compile: %v", err))
		}
		return x
	}
	for _, a := range h.Level.arms(h.basis, h.reports) {
		w.Arms = append(w.Arms, Arm{a.kind, compiled(a.source, s.options(false))})
	}
	if len(w.Arms) > 0 {
		for _, source := range p.arms(t.Table, priv) {
			w.Arms = append(w.Arms, Arm{ByShare, compiled(source, s.options(true))})
		}
	}
	if h.Condition != "" {
		w.Condition = compiled(h.Condition, rules.Options{})
	}
	return w
}

// Tells reports whether c sees, in every record that he reads, all that decides whether w reaches it, so that it tells him nothing
// new of the record whether it does.
func (p *Policy) Tells(c core.Caller, w *Way) bool {
	inherits := slices.ContainsFunc(p.tables[w.Table].Columns, func(c core.Column) bool { return c.InheritShares }) // from records that he may not see
	return p.Beyond(c, w.Table, w.reads) == "" && (len(w.Arms) == 0 || !inherits && p.seesAll(c, w.Table, placing, false))
}

// placing are the columns by which a record is within a level.
var placing = []string{"owner_id", "unit_id"}

// Surveys reports whether c sees all that decides whom the privileges on the table reach a record for, whoever that is.
func (p *Policy) Surveys(c core.Caller, table string, privs ...Privilege) bool {
	t := p.tables[table]
	if t.Owned() && !p.seesAll(c, table, placing, false) {
		return false
	}
	for _, of := range t.grants {
		for _, priv := range privs {
			if slices.ContainsFunc(of[priv.index()], func(h *held) bool { return p.Beyond(c, table, h.reads) != "" }) {
				return false
			}
		}
	}
	return true
}

// RightWays returns how the caller holds a right that is about no table, by role; none when he does not.
func (p *Policy) RightWays(c core.Caller, right string) (out []Way) {
	if c.IsSystem() {
		return []Way{{Grant: Grant{Role: c.Name, Action: right}}}
	}
	for _, i := range p.roleSet(c).roles {
		if i == p.admin || p.actions[i][right] {
			out = append(out, Way{Grant: Grant{Role: p.names[i], Action: right}, Routes: p.routes(c.User, i)})
		}
	}
	return out
}

// routes returns how a user holds the role.
func (p *Policy) routes(user core.ID, role int) (out []Route) {
	add := func(who string, team core.ID) {
		for _, a := range p.assigned[who] {
			if slices.Contains(p.implied[a.role], role) {
				out = append(out, Route{team, p.chain(a.role, role), a.unit, a.apart})
			}
		}
	}
	add(ofUser(user), "")
	for _, t := range p.teams[user] {
		add(ofTeam(t), t)
	}
	return out
}

// chain returns the names of the roles on the shortest way from one to another that it includes.
func (p *Policy) chain(from, to int) []string {
	before := map[int]int{from: from}
	for level := []int{from}; len(level) > 0; {
		var next []int
		for _, i := range level {
			for _, j := range p.direct[i] {
				if _, ok := before[j]; !ok {
					before[j] = i
					next = append(next, j)
				}
			}
		}
		level = next
	}
	out := []string{p.names[to]}
	for at := to; at != from; {
		at = before[at]
		out = append(out, p.names[at])
	}
	slices.Reverse(out)
	return out
}

// Givers returns the names of the roles that grant the privilege on the table by themselves, or the right that is about no table
// when that is named instead.
func (p *Policy) Givers(table string, priv Privilege, right string) (out []string) {
	for i, name := range p.names {
		given := p.actions[i][right]
		if t, ok := p.tables[table]; ok && priv.index() >= 0 && t.grants[i] != nil {
			given = len(t.grants[i][priv.index()]) > 0
		}
		if given {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Apart returns the columns of the table by which the column, as the caller reads it, can be hidden in a record: itself, and for
// a calculated one of the reader's rights those that it reads there. beyond is what it reads elsewhere and is out of the caller's
// reach in every record, "" for nothing.
func (p *Policy) Apart(c core.Caller, table, name string) (columns []string, beyond string) {
	columns = []string{name}
	t, ok := p.tables[table]
	if !ok {
		return columns, ""
	}
	if of, ok := t.Column(name); !ok || !of.Calculated() || of.Rights == core.DefinerRights {
		return columns, ""
	}
	for _, r := range p.set.Reads(table, name) {
		columns = append(columns, r.From()...)
		if beyond == "" && !p.Reaches(c, r) {
			beyond = r.String()
		}
	}
	slices.Sort(columns[1:])
	return slices.Compact(columns), beyond
}

// Leaves reports whether the grant leaves out the column.
func (w *Way) Leaves(column string) bool { return w.hidden[column] }

// Secured tells of a secured column how much of it the profiles of the caller give for the privilege, and which of them do.
func (p *Policy) Secured(c core.Caller, table, column string, priv Privilege) (given Reading, profiles []string, secured bool) {
	t, ok := p.tables[table]
	if !ok {
		return ReadNone, nil, false
	}
	of, ok := t.Column(column)
	if !ok || t.SecuredBy(of) == nil {
		return ReadNone, nil, false
	}
	s := p.roleSet(c)
	if given = s.given(t.Table, of, priv); given == ReadNone || s.admin {
		return given, nil, true
	}
	holders := append([]string{ofUser(c.User)}, teamKeys(p.teams[c.User])...)
	for _, role := range s.roles {
		holders = append(holders, ofRole(p.names[role]))
	}
	for _, who := range holders {
		for _, i := range p.profilesHeld[who] {
			if slices.ContainsFunc(p.profiles[i].rights, func(r ColumnRight) bool {
				return r.Table == table && r.Column == t.SecuredBy(of).Name && r.to(priv) == given
			}) {
				profiles = append(profiles, p.profiles[i].name)
			}
		}
	}
	slices.Sort(profiles)
	return given, slices.Compact(profiles), true
}

// Superiors returns how an owner, a user or a team, is below the user: the names of the one below, and of those between him and the
// user, from below. They are users, or positions where these count. through is the team through which it is, "" for none.
func (p *Policy) Superiors(user, owner core.ID) (names []string, through string) {
	u := p.users[user]
	if u == nil {
		return nil, ""
	}
	for _, level := range p.reports(u, u.UnitID) {
		for _, id := range level {
			if id != owner && !slices.Contains(p.teams[id], owner) {
				continue
			}
			if t := p.teamsByID[owner]; t != nil {
				through = t.Name
			}
			return append([]string{p.users[id].Name}, p.between(p.users[id], u)...), through
		}
	}
	return nil, ""
}

// between returns the names of who is between somebody and who is above him.
func (p *Policy) between(low, high *User) (names []string) {
	if p.hierarchy.Mode == Positions {
		for id := *low.PositionID; id != *high.PositionID; id = *p.hierarchy.positions[id].ParentID {
			names = append(names, p.hierarchy.positions[id].Name)
		}
		return names
	}
	for id := *low.ManagerID; id != high.ID; id = *p.users[id].ManagerID {
		names = append(names, p.users[id].Name)
	}
	return names
}

// UnitName returns what the unit is called.
func (p *Policy) UnitName(id core.ID) string {
	if u := p.units[id]; u != nil {
		return u.Name
	}
	return string(id)
}

// String says how the role is held, without names of anything but roles.
func (r Route) String() string {
	if len(r.Roles) == 1 {
		return r.Roles[0]
	}
	return r.Roles[0] + ", which includes " + strings.Join(r.Roles[1:], ", which includes ")
}
