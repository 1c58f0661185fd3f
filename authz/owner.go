package authz

import (
	"fmt"

	"colonnade/core"
)

// CheckOwner returns an error when records of the table cannot be given to the user or the team: there is no such, the user is
// disabled, or holds no right to read any of them, which would leave records that nobody looks after.
func (p *Policy) CheckOwner(table string, owner core.ID) error {
	const op = "authz.CheckOwner"
	at := core.At{Table: table, Column: "owner_id"}
	c, err := p.owner(owner)
	if err != nil {
		return core.E(op, at, err)
	}
	if _, err := p.Decide(c, table, Read); err != nil {
		return core.E(op, core.Invalid, at, "the new owner holds no right to read records of this table: choose another one, or ask an administrator for the privilege")
	}
	return nil
}

// CheckPlace returns an error when there is no such unit in which a record of the table could be.
func (p *Policy) CheckPlace(table string, unit core.ID) error {
	if t, ok := p.teamsByID[unit]; ok && t.UnitDefault { // each unit has one
		return nil
	}
	return core.E("authz.CheckPlace", core.Invalid, core.At{Table: table, Column: "unit_id"}, fmt.Sprintf("there is no unit %s", unit))
}

// owner returns a user, or a team, as a caller with the roles that it holds.
func (p *Policy) owner(id core.ID) (core.Caller, error) {
	const op = "authz.owner"
	if u, ok := p.users[id]; ok {
		if u.Disabled {
			return core.Caller{}, core.E(op, core.Invalid, "the account is disabled: choose another one")
		}
		return p.Caller(id, core.Cause{})
	}
	if _, ok := p.teamsByID[id]; !ok {
		return core.Caller{}, core.E(op, core.Invalid, fmt.Sprintf("there is no user or team %s", id))
	}
	c := core.Caller{User: id, Teams: []core.ID{id}} // where its roles count from does not tell whether it holds any
	for _, a := range p.assigned[ofTeam(id)] {
		for _, i := range p.implied[a.role] {
			c.Roles = append(c.Roles, p.names[i])
		}
	}
	return c, nil
}
