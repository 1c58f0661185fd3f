package authz

import (
	"slices"

	"colonnade/core"
)

// Lacking returns those of the rights for which whom a record of the table is shared with holds no privilege, so that they have no
// effect until a role gives it: of a team, when none of its members does. A user who is disabled, or is not there, is refused.
func (p *Policy) Lacking(table string, principal core.ID, rights core.ShareRights) (lacking []core.Op, err error) {
	const op = "authz.Lacking"
	if principal == core.Everyone {
		return nil, nil
	}
	c, err := p.owner(principal)
	if err != nil {
		return nil, core.E(op, err)
	}
	who := []core.Caller{c}
	if _, ok := p.teamsByID[principal]; ok {
		for user, teams := range p.teams {
			if slices.Contains(teams, principal) {
				if c, err := p.Caller(user, core.Cause{}); err == nil {
					who = append(who, c)
				}
			}
		}
	}
	for right := range rights.Each {
		if !slices.ContainsFunc(who, func(c core.Caller) bool { _, err := p.Decide(c, table, Privilege(right)); return err == nil }) {
			lacking = append(lacking, right)
		}
	}
	return lacking, nil
}

// PrincipalName returns what a user, a team or everyone is called, and which of these it is: user, team or everyone.
func (p *Policy) PrincipalName(id core.ID) (kind, name string) {
	if id == core.Everyone {
		return "everyone", "everyone"
	}
	if u, ok := p.users[id]; ok {
		return "user", u.Name
	}
	if t, ok := p.teamsByID[id]; ok {
		return "team", t.Name
	}
	return "", ""
}
