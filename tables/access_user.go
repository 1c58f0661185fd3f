package tables

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

func (a access) assign(name, doc string, do func(*gorm.DB, authz.Assignment) error) core.Action {
	return a.action(name, doc, assignInput, roleOutput, core.Record{"role": "support", "user": "ann@example.com"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		caller := core.CallerFrom(ctx)
		if err := tx.snap.Policy.CheckRole(caller, c.Text("role")); err != nil { // before a word about who there is
			return nil, err
		}
		as, err := tx.assignment(c)
		if err != nil {
			return nil, core.E("tables."+name, err)
		}
		home := tx.snap.owners[as.User+as.Team]
		if err := tx.snap.Policy.CheckUnit(caller, home); err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckAssign(caller, as.Role, cmp.Or(as.Unit, home)); err != nil {
			return nil, err
		}
		return core.Record{"role": as.Role}, do(g, as)
	})
}

// assignment reads the arguments of assign_role and unassign_role.
func (tx *Tx) assignment(c core.Call) (as authz.Assignment, err error) {
	const op = "tables.assignment"
	as.Role = c.Text("role")
	switch inherit := c.Text("inherit"); inherit {
	case "", "member":
	case "team":
		as.Apart = true
	default:
		return as, core.E(op, core.Invalid, core.At{Column: "inherit"}, fmt.Sprintf("%q is neither member nor team", inherit))
	}
	switch user, team := c.Text("user"), c.Text("team"); {
	case (user == "") == (team == ""):
		return as, core.E(op, core.Invalid, "name either a user or a team")
	case user != "":
		as.User, err = tx.user(user)
	default:
		as.Team, err = tx.team(team)
	}
	if err == nil && c.Text("unit") != "" {
		as.Unit, err = tx.unit(c.Text("unit"))
	}
	return as, err
}

func (a access) assignRole() core.Action {
	return a.assign("assign_role", "Gives a role to a user or a team, to hold in his unit or in another one. Several units of one role add up.", authz.AssignRole)
}

func (a access) unassignRole() core.Action {
	return a.assign("unassign_role", "Takes a role from a user or a team.", authz.UnassignRole)
}

// user finds a user by e-mail address or id.
func (tx *Tx) user(name string) (core.ID, error) {
	for _, u := range tx.snap.access.Users {
		if strings.EqualFold(u.Email, strings.TrimSpace(name)) || string(u.ID) == name {
			return u.ID, nil
		}
	}
	return "", core.E("tables.user", core.NotFound, core.At{Column: "user"}, fmt.Sprintf("there is no user %q: use the e-mail address or the id", name))
}

func (tx *Tx) team(name string) (core.ID, error) {
	for _, t := range tx.snap.access.Teams {
		if t.Name == name || string(t.ID) == name {
			return t.ID, nil
		}
	}
	return "", core.E("tables.team", core.NotFound, core.At{Column: "team"}, fmt.Sprintf("there is no team %q", name))
}

// unit finds a unit by name or id; the root when name is empty.
func (tx *Tx) unit(name string) (core.ID, error) {
	if name == "" {
		return core.RootUnit, nil
	}
	var found core.ID
	for _, u := range tx.snap.access.Units {
		if string(u.ID) == name {
			return u.ID, nil
		}
		if u.Name == name {
			if found != "" {
				return "", core.E("tables.unit", core.Invalid, core.At{Column: "unit"}, fmt.Sprintf("several units are called %q: use the id", name))
			}
			found = u.ID
		}
	}
	if found == "" {
		return "", core.E("tables.unit", core.NotFound, core.At{Column: "unit"}, fmt.Sprintf("there is no unit %q", name))
	}
	return found, nil
}

func (a access) createUser() core.Action {
	input := []core.Column{
		required(text("name", "The name for people.")), required(text("email", "What the user signs in with.")),
		text("unit", "The name or id of the business unit; the root when left out."),
		text("kind", "person, or service for a program, which comes in with keys only; person when left out."),
		text("password", "Of a person: at least 12 characters; without one he cannot sign in with a password."),
		{Name: "roles", Kind: core.Text, List: true, Doc: "Roles to assign."},
	}
	example := core.Record{"name": "Ann", "email": "ann@example.com", "roles": []any{"support"}}
	return core.Action{
		Name: "create_user", Doc: "Creates a user.", Input: input, Output: idOutput, Privilege: "manage_access", Define: true, Examples: []core.Example{{In: example}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			var hash authz.Hash
			if p := c.Text("password"); p != "" { // takes its time: not in the transaction
				var err error
				if hash, err = authz.HashPassword(ctx, p, c.Text("name"), c.Text("email")); err != nil {
					return nil, core.E("tables.create_user", err)
				}
			}
			return a.change(ctx, "create_user", func(ctx context.Context, tx *Tx, g *gorm.DB) (core.Record, error) {
				return a.newUser(ctx, tx, g, c, hash)
			})
		},
	}
}

func (a access) newUser(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call, hash authz.Hash) (core.Record, error) {
	caller := core.CallerFrom(ctx)
	unit, err := tx.unit(c.Text("unit"))
	if err != nil {
		return nil, err
	}
	if err := tx.snap.Policy.CheckUnit(caller, unit); err != nil {
		return nil, err
	}
	if err := tx.snap.Policy.CheckTeam(caller, unit); err != nil { // he is in the team of the unit
		return nil, err
	}
	id, err := authz.CreateUser(g, authz.NewUser{Name: c.Text("name"), Email: c.Text("email"), Unit: unit, Kind: c.Text("kind"), Password: hash})
	if err != nil {
		return nil, err
	}
	roles, _ := c.In["roles"].([]any)
	for _, r := range roles {
		if err := tx.snap.Policy.CheckAssign(caller, r.(string), unit); err != nil {
			return nil, err
		}
		if err := authz.AssignRole(g, authz.Assignment{User: id, Role: r.(string)}); err != nil {
			return nil, err
		}
	}
	return core.Record{"id": string(id)}, nil
}

func (a access) disableUser() core.Action {
	input := []core.Column{required(text("user", "The e-mail address or id.")), {Name: "disabled", Kind: core.Boolean, Doc: "False lets the user in again; true when left out."}}
	return a.action("disable_user", "Keeps a user out, from the next request on.", input, idOutput, core.Record{"user": "ann@example.com"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		id, err := tx.user(c.Text("user"))
		if err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckUser(core.CallerFrom(ctx), id); err != nil {
			return nil, err
		}
		disabled := true
		if v, ok := c.In["disabled"].(bool); ok {
			disabled = v
		}
		return core.Record{"id": string(id)}, authz.DisableUser(g, id, disabled)
	})
}

func (a access) createTeam() core.Action {
	input := []core.Column{required(text("name", "The name.")), text("unit", "The name or id of the business unit; the root when left out.")}
	return a.action("create_team", "Creates a team, which can own records and hold roles.", input, idOutput, core.Record{"name": "Night shift"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		unit, err := tx.unit(c.Text("unit"))
		if err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckUnit(core.CallerFrom(ctx), unit); err != nil {
			return nil, err
		}
		id, err := authz.CreateTeam(g, c.Text("name"), unit)
		return core.Record{"id": string(id)}, err
	})
}

func (a access) membership(name, doc string, do func(tx *gorm.DB, team, user core.ID) error) core.Action {
	input := []core.Column{required(text("team", "The name or id of the team.")), required(text("user", "The e-mail address or id of the user."))}
	return a.action(name, doc, input, idOutput, core.Record{"team": "Night shift", "user": "ann@example.com"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		team, err := tx.team(c.Text("team"))
		if err != nil {
			return nil, err
		}
		user, err := tx.user(c.Text("user"))
		if err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckUnit(core.CallerFrom(ctx), tx.snap.owners[team]); err != nil {
			return nil, err // its members own what the team owns
		}
		if err := tx.snap.Policy.CheckTeam(core.CallerFrom(ctx), team); err != nil {
			return nil, err
		}
		return core.Record{"id": string(user)}, do(g, team, user)
	})
}

func (a access) addMember() core.Action {
	return a.membership("add_member", "Puts a user into a team.", authz.AddMember)
}

func (a access) removeMember() core.Action {
	return a.membership("remove_member", "Takes a user out of a team.", authz.RemoveMember)
}
