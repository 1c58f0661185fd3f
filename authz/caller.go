package authz

import (
	"fmt"
	"maps"
	"slices"

	"colonnade/core"
	"colonnade/rules"
)

// Caller returns the user as a caller: with unit, teams and all roles. A user who is not there, or is disabled, is
// refused.
func (p *Policy) Caller(user core.ID, cause core.Cause) (core.Caller, error) {
	const op = "authz.Caller"
	if c, ok := p.callers.Load(user); ok {
		c := c.(core.Caller)
		c.Cause = cause
		return c, nil
	}
	u, ok := p.users[user]
	if !ok {
		return core.Caller{}, core.E(op, core.Unknown, "there is no such user: sign in again")
	}
	if u.Disabled {
		return core.Caller{}, core.E(op, core.Unknown, "the account is disabled: ask an administrator")
	}
	c := core.Caller{User: user, Name: u.Name, Unit: u.UnitID, Below: p.Below(u.UnitID), Teams: slices.Clip(p.teams[user])}
	c.Roles, c.Bases = p.rolesOf(u)
	c.Reports, c.ReportsBelow = p.reportsOf(u)
	c.Profiles = p.profilesOf(u.ID)
	p.callers.Store(user, c)
	c.Cause = cause
	return c, nil
}

// Holders returns the users who hold the role, directly, through a team or inherited, and whose accounts are not disabled, in the order of their ids.
func (p *Policy) Holders(role string) (out []core.ID) {
	for _, id := range slices.Sorted(maps.Keys(p.users)) {
		if c, err := p.Caller(id, core.Cause{}); err == nil && slices.Contains(c.Roles, role) {
			out = append(out, id)
		}
	}
	return out
}

// Renew returns c with the rights that p gives his user, for somebody who was resolved by an older policy. Callers that are no
// users, such as the machinery, stay as they are; a user who is disabled is refused.
func (p *Policy) Renew(c core.Caller) (core.Caller, error) {
	if _, ok := p.users[c.User]; !ok || c.IsSystem() {
		return c, nil
	}
	now, err := p.Caller(c.User, c.Cause)
	if err != nil {
		return core.Caller{}, core.E("authz.Renew", err)
	}
	now.Behalf, now.Scope, now.Login = c.Behalf, c.Scope, c.Login
	return now, nil
}

// Below returns the unit and every unit under it. The slice is shared: do not change it.
func (p *Policy) Below(unit core.ID) []core.ID {
	if b, ok := p.below.Load(unit); ok {
		return b.([]core.ID)
	}
	out := []core.ID{unit}
	seen := map[core.ID]bool{unit: true}
	for i := 0; i < len(out); i++ {
		for _, child := range p.children[out[i]] {
			if !seen[child] {
				seen[child] = true
				out = append(out, child)
			}
		}
	}
	slices.Sort(out)
	out = slices.Clip(out)
	p.below.Store(unit, out)
	return out
}

// within reports whether the unit is the other one, or below it.
func (p *Policy) within(unit, of core.ID) bool {
	for range len(p.parents) + 1 {
		if unit == of {
			return true
		}
		parent, ok := p.parents[unit]
		if !ok {
			return false
		}
		unit = parent
	}
	return false
}

// CheckGrant returns an error when the grant is no good grant for the schema, or gives more than c holds: a higher
// level, more columns, other rows, or a condition over columns that c does not see. The role may be one that the policy
// does not know yet.
func (p *Policy) CheckGrant(c core.Caller, g Grant) error {
	const op = "authz.CheckGrant"
	if g.Role == Administrator {
		return core.E(op, core.Invalid, "the administrator holds every right already: choose another role")
	}
	if g.Action == "" && !p.Sees(c, g.Table) { // like one that is not there
		return core.E(op, core.Denied, core.At{Table: g.Table}, g.String()+": you cannot give a privilege that you do not hold")
	}
	h, err := p.check(g, p.compileOnce) // not kept: it comes from outside
	if err != nil {
		if p.May(c, "define_tables") != nil {
			err = core.Discreet(err)
		}
		return core.E(op, err)
	}
	var units []core.ID
	if role, ok := p.roles[g.Role]; ok {
		units = p.holders(role)
	}
	return p.mayGive(c, g, &h, units)
}

// mayGive returns an error when the grant gives more than c holds, to holders for whom it counts from the units.
func (p *Policy) mayGive(c core.Caller, g Grant, h *held, units []core.ID) error {
	const op = "authz.CheckGrant"
	if g.Action != "" {
		if p.May(c, g.Action) != nil {
			return core.E(op, core.Denied, g.String()+": you cannot give a right that you do not hold")
		}
		return nil
	}
	if c.IsSystem() || p.roleSet(c).admin {
		return nil
	}
	t := p.tables[g.Table]
	mine := t.held(p.roleSet(c), g.Privilege)
	if len(mine) == 0 {
		return core.E(op, core.Denied, core.At{Table: g.Table}, g.String()+": you cannot give a privilege that you do not hold")
	}
	leak := "" // a column that the grant would give away
	narrower, elsewhere := false, false
	for _, m := range mine {
		if m.Level < h.Level || m.Condition != "" && m.Condition != h.Condition {
			continue
		}
		if !p.spans(c, m, h.Level, units) {
			elsewhere = true
			continue
		}
		if name := firstMissing(p.lacking(c, t, g.Privilege, m), h.hidden); name != "" {
			leak = name
			continue
		}
		if m.Condition == h.Condition {
			return nil
		}
		narrower = true
	}
	if narrower {
		return p.mayRead(c, g, h)
	}
	if leak != "" {
		return core.E(op, core.Denied, core.At{Table: g.Table, Column: leak}, g.String()+": you do not hold this column: hide it in the grant")
	}
	if elsewhere {
		return core.E(op, core.Denied, core.At{Table: g.Table}, g.String()+": it would hold in a unit in which you do not hold it: choose a lower level, or another unit or role")
	}
	return core.E(op, core.Denied, core.At{Table: g.Table}, g.String()+": the grant reaches more rows than you do: choose a lower level, or your own condition")
}

// lacking returns the columns of the table that a grant of the privilege, which c holds, does not give him.
func (p *Policy) lacking(c core.Caller, t *tablePolicy, priv Privilege, m holding) map[string]bool {
	s := p.roleSet(c)
	if len(s.denied) == 0 || !priv.Columns() {
		return m.hidden
	}
	out := maps.Clone(m.hidden)
	for i := range t.Columns {
		if name := t.Columns[i].Name; p.denies(s, t.Name, name) {
			if out == nil {
				out = map[string]bool{}
			}
			out[name] = true
		}
	}
	return out
}

// mayRead refuses a condition over what c does not see: its holders could be asked what it let through.
func (p *Policy) mayRead(c core.Caller, g Grant, h *held) error {
	if name := p.Beyond(c, g.Table, h.reads); name != "" {
		return core.E("authz.CheckGrant", core.Denied, core.At{Table: g.Table, Column: name}, g.String()+": the condition reads a column that you do not see")
	}
	return nil
}

// Beyond returns the first of what is read from records of the table, and on the way there, that c does not see in every
// record: a column that is hidden in some, or of another table, records of which are out of reach. It is "" when there is
// none.
func (p *Policy) Beyond(c core.Caller, table string, reads []rules.Read) string {
	for _, r := range reads {
		if !p.seesAll(c, table, r.From(), false) {
			return r.String()
		}
		for i, step := range r.Path {
			rel, here := step.Relation, r.At(i)
			if rel.Through != "" && !p.seesAll(c, rel.Through, []string{rel.Near, rel.Column}, true) || !p.seesAll(c, rel.Table, here, true) {
				return r.String()
			}
		}
	}
	return ""
}

// Reaches reports whether c may read the columns on the way of r to other records, and the one at its end, in some of them at
// least.
func (p *Policy) Reaches(c core.Caller, r rules.Read) bool {
	return c.IsSystem() || p.passes(p.roleSet(c), r)
}

// seesAll reports whether c sees the columns in every record that he reaches, and with all, reaches every record.
func (p *Policy) seesAll(c core.Caller, table string, columns []string, all bool) bool {
	d, err := p.Decide(c, table, Read)
	if err != nil || all && d.Rows != nil {
		return false
	}
	for _, name := range columns {
		if ok, guard := d.Column(name); !ok || guard != nil {
			return false
		}
		if of, _ := d.table.Column(name); of.Formula != "" && of.Rights != core.DefinerRights && p.Beyond(c, table, p.set.Reads(table, name)) != "" {
			return false
		}
	}
	return true
}

// firstMissing returns a member of a that is not in b.
func firstMissing(a, b map[string]bool) string {
	out := ""
	for name := range a {
		if !b[name] && (out == "" || name < out) {
			out = name
		}
	}
	return out
}

// NeedRole returns an error when there is no role of that name.
func (p *Policy) NeedRole(name string) error {
	_, err := p.role(name)
	return core.E("authz.NeedRole", err)
}

// CheckRole returns an error when c must not hand out the role, or a role that includes it: c holds the role, or
// everything that the role grants.
func (p *Policy) CheckRole(c core.Caller, role string) error {
	const op = "authz.CheckRole"
	i, err := p.role(role)
	if err != nil {
		return core.E(op, err)
	}
	if c.IsSystem() || p.roleSet(c).admin || slices.Contains(p.roleSet(c).roles, i) {
		return nil
	}
	return core.E(op, p.checkRole(c, i, nil))
}

// CheckAssign is [Policy.CheckRole] for a holder for whom the role counts from the unit: c holds what it grants there too.
func (p *Policy) CheckAssign(c core.Caller, role string, unit core.ID) error {
	const op = "authz.CheckAssign"
	i, err := p.role(role)
	if err != nil {
		return core.E(op, err)
	}
	if c.IsSystem() || p.roleSet(c).admin {
		return nil
	}
	return core.E(op, p.checkRole(c, i, []core.ID{unit}))
}

// CheckInclude returns an error when c must not have the role include another one: c may not hand that out to all who hold the
// role. The role may be one that the policy does not know yet.
func (p *Policy) CheckInclude(c core.Caller, role, from string) error {
	if err := p.CheckRole(c, from); err != nil {
		return err
	}
	i, ok := p.roles[role]
	if !ok || c.IsSystem() || p.roleSet(c).admin {
		return nil
	}
	return core.E("authz.CheckInclude", p.checkRole(c, p.roles[from], p.holders(i)))
}

// checkRole checks what the role grants, and those that it includes, for who counts from the units.
func (p *Policy) checkRole(c core.Caller, role int, units []core.ID) error {
	const op = "authz.checkRole"
	for _, j := range p.implied[role] {
		for _, i := range p.profilesHeld[ofRole(p.names[j])] {
			if err := p.CheckProfile(c, p.profiles[i].name); err != nil {
				return core.E(op, err, fmt.Sprintf("role %q: %s", p.names[role], core.AsError(err).Msg))
			}
		}
		if j == p.admin {
			return core.E(op, core.Denied, fmt.Sprintf("role %q: only an administrator can make administrators", p.names[role]))
		}
		if err := p.CheckLimits(c, p.limits[j]); err != nil {
			return core.E(op, err, fmt.Sprintf("role %q: %s", p.names[role], core.AsError(err).Msg))
		}
		for _, action := range slices.Sorted(maps.Keys(p.actions[j])) {
			if p.May(c, action) != nil {
				return core.E(op, core.Denied, fmt.Sprintf("role %q: it holds the right to %s, which you do not hold", p.names[role], action))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(p.tables)) {
			if of := p.tables[name].grants[j]; of != nil {
				for i, grants := range of {
					for _, h := range grants {
						if err := p.mayGive(c, h.grant(p.names[j], name, Privileges[i]), h, units); err != nil {
							return core.E(op, err)
						}
					}
				}
			}
		}
	}
	return nil
}

// CheckUser returns an error when c must not administer the user, such as set a password: the user holds a role that c
// could not hand out, works in a unit that is not below that of c, or has somebody below him whom c must not administer.
func (p *Policy) CheckUser(c core.Caller, user core.ID) error {
	const op = "authz.CheckUser"
	u, ok := p.users[user]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: "_user"}, fmt.Sprintf("there is no user %s", user))
	}
	if err := p.checkUser(c, u); err != nil {
		return core.E(op, err)
	}
	return core.E(op, p.checkReports(c, u, u.UnitID))
}

// checkUser is CheckUser for what the user holds himself.
func (p *Policy) checkUser(c core.Caller, u *User) error {
	const op = "authz.CheckUser"
	if err := p.CheckUnit(c, u.UnitID); err != nil {
		return core.E(op, err)
	}
	for _, a := range p.assigned[ofUser(u.ID)] {
		if err := p.CheckAssign(c, p.names[a.role], a.at(u.UnitID)); err != nil {
			return core.E(op, err)
		}
	}
	if err := p.checkProfiles(c, ofUser(u.ID)); err != nil {
		return core.E(op, err)
	}
	for _, t := range p.teams[u.ID] {
		if err := p.CheckTeam(c, t); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

// CheckMove returns an error when c must not have the user work in the unit: the user is not c's to administer, the unit is not below
// that of c, its team or the user's roles give there what c does not hold, or somebody would be below him there whom c must not
// administer.
func (p *Policy) CheckMove(c core.Caller, user, unit core.ID) error {
	const op = "authz.CheckMove"
	if err := p.CheckUser(c, user); err != nil {
		return core.E(op, err)
	}
	if err := p.CheckUnit(c, unit); err != nil {
		return core.E(op, err)
	}
	if err := p.CheckTeam(c, unit); err != nil { // every unit has a team of its users, by the same id
		return core.E(op, err)
	}
	for _, a := range p.assigned[ofUser(user)] {
		if err := p.CheckAssign(c, p.names[a.role], a.at(unit)); err != nil {
			return core.E(op, err)
		}
	}
	return core.E(op, p.checkReports(c, p.users[user], unit))
}

// CheckActAs returns an error when c must not have something act as the user, "" for one that is not there: who there is, is
// told to administrators only. A person, who signs in with a password, answers for what is recorded as his own doing; an
// account of a program may be used by who manages access and holds all of its rights.
func (p *Policy) CheckActAs(c core.Caller, user core.ID, person bool) error {
	const op = "authz.CheckActAs"
	switch {
	case c.IsSystem(), p.roleSet(c).admin, user != "" && user == c.User:
		return nil
	case user == "" || person:
		return core.E(op, core.Denied, "only an administrator has something act as another person")
	}
	if err := p.May(c, "manage_access"); err != nil {
		return core.E(op, err)
	}
	return p.CheckUser(c, user)
}

// Administers returns nil when c holds every right, and nothing narrows that.
func (p *Policy) Administers(c core.Caller) error {
	if c.IsSystem() || p.roleSet(c).admin && c.Scope == nil {
		return nil
	}
	return core.E("authz.Administers", core.Denied, "this is for administrators")
}

// CheckTeam returns an error when c must not choose the members of the team: it holds a role that c could not hand out,
// or its records belong to a unit that is not below that of c.
func (p *Policy) CheckTeam(c core.Caller, team core.ID) error {
	const op = "authz.CheckTeam"
	t, ok := p.teamsByID[team]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: "_team"}, fmt.Sprintf("there is no team %s", team))
	}
	if err := p.CheckUnit(c, t.UnitID); err != nil {
		return core.E(op, err)
	}
	for _, a := range p.assigned[ofTeam(team)] {
		if err := p.CheckAssign(c, p.names[a.role], a.at(t.UnitID)); err != nil {
			return core.E(op, err)
		}
	}
	return core.E(op, p.checkProfiles(c, ofTeam(team)))
}

// CheckUnit returns an error when c must not place users or units in the unit: it is not the unit of c or below it.
func (p *Policy) CheckUnit(c core.Caller, unit core.ID) error {
	if c.IsSystem() || p.roleSet(c).admin || c.Unit != "" && p.within(unit, c.Unit) {
		return nil
	}
	return core.E("authz.CheckUnit", core.Denied, core.At{Table: "_unit"}, "the unit is not yours and not below yours: choose one that is")
}
