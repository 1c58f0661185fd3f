package tables

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// AccessActions returns the actions that administer users, units, teams, roles and keys.
func (s *Store) AccessActions(l *authz.Logins) []core.Action {
	a := access{s, l}
	return append([]core.Action{
		a.putRole(), a.dropRole(), a.grant(), a.revoke(), a.assignRole(), a.unassignRole(),
		a.createUser(), a.disableUser(), a.createUnit(), a.createTeam(), a.addMember(), a.removeMember(),
		a.createKey(l), a.revokeKey(l),
	}, a.codeActions()...)
}

// access makes actions that change the policy.
type access struct {
	store  *Store
	logins *authz.Logins
}

var grantInput = []core.Column{
	text("table", "The table."),
	{Name: "privileges", Kind: core.Text, List: true, Doc: "create, read, update, delete."},
	text("level", "own, unit, unit_and_below or organization; organization when left out."),
	text("condition", "An expression that the rows must meet as well."),
	{Name: "hidden", Kind: core.Text, List: true, Doc: "Columns that the grant leaves out."},
}

var actionsInput = core.Column{Name: "actions", Kind: core.Text, List: true, Doc: "Rights that are about no table: define_tables, manage_access, manage_flows, run_flows, import_data, manage_models."}

// grantSpec is one grant as an argument: the same for several privileges.
type grantSpec struct {
	Table      string   `json:"table"`
	Privileges []string `json:"privileges"`
	Level      string   `json:"level,omitempty"`
	Condition  string   `json:"condition,omitempty"`
	Hidden     []string `json:"hidden,omitempty"`
}

func (g grantSpec) grants(role string) ([]authz.Grant, error) {
	level := authz.Organization
	if g.Level != "" {
		var err error
		if level, err = authz.ParseLevel(g.Level); err != nil {
			return nil, err
		}
	}
	if len(g.Privileges) == 0 {
		return nil, core.E("tables.grants", core.Invalid, core.At{Table: g.Table}, "the grant names no privilege")
	}
	var out []authz.Grant
	for _, p := range g.Privileges {
		hidden := g.Hidden
		if p == string(authz.Delete) {
			hidden = nil // a record is deleted with all its columns
		}
		out = append(out, authz.Grant{Role: role, Table: g.Table, Privilege: authz.Privilege(p), Level: level, Condition: g.Condition, Hidden: hidden})
	}
	return out, nil
}

// action wraps what changes the policy; run gets GORM over the transaction.
func (a access) action(name, doc string, input, output []core.Column, example core.Record, run func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error)) core.Action {
	return core.Action{
		Name: name, Doc: doc, Input: input, Output: output, Privilege: "manage_access", Define: true, Examples: []core.Example{{In: example}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			return a.change(ctx, name, func(ctx context.Context, tx *Tx, g *gorm.DB) (core.Record, error) { return run(ctx, tx, g, c) })
		},
	}
}

// change runs f in a unit of work that changes the policy. The right to it is checked here too, whoever calls.
func (a access) change(ctx context.Context, name string, f func(ctx context.Context, tx *Tx, g *gorm.DB) (core.Record, error)) (out core.Record, err error) {
	err = a.store.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		if err := tx.snap.Policy.May(core.CallerFrom(ctx), "manage_access"); err != nil {
			return err
		}
		tx.AfterCommit(a.logins.Forget)
		return tx.ChangePolicy(ctx, func() error {
			out, err = f(ctx, tx, tx.DB().Gorm(ctx))
			return err
		})
	})
	if err != nil {
		return nil, core.E("tables."+name, err)
	}
	return out, nil
}

var (
	roleOutput = []core.Column{text("role", "The role.")}
	idOutput   = []core.Column{{Name: "id", Kind: core.UUID, Doc: "The id."}}
)

func (a access) putRole() core.Action {
	input := []core.Column{
		required(text("name", "The name of the role; one of that name is replaced.")),
		text("doc", "Who it is for."),
		{Name: "grants", Kind: core.Object, List: true, Fields: grantInput, Doc: "What its holders may do with which rows and columns."},
		actionsInput,
		{Name: "inherits", Kind: core.Text, List: true, Doc: "Roles whose rights it includes."},
	}
	example := core.Record{"name": "support", "grants": []any{map[string]any{"table": "product", "privileges": []any{"read"}, "hidden": []any{"price"}}}}
	return a.action("put_role", "Creates or replaces a role with everything that it grants.", input, roleOutput, example, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		var spec roleSpec
		if err := decodeInput(c.In, &spec); err != nil {
			return nil, err
		}
		return core.Record{"role": spec.Name}, a.putSpec(ctx, tx, g, spec)
	})
}

// roleSpec is a role as an argument.
type roleSpec struct {
	Name     string      `json:"name"`
	Doc      string      `json:"doc"`
	Grants   []grantSpec `json:"grants"`
	Actions  []string    `json:"actions"`
	Inherits []string    `json:"inherits"`
}

// putSpec creates or replaces a role. What it hid of columns that are dropped it hides of them when they come back.
func (a access) putSpec(ctx context.Context, tx *Tx, g *gorm.DB, spec roleSpec) error {
	if spec.Name == authz.Administrator {
		return core.E("tables.put_role", core.Invalid, "the role administrator holds everything and cannot be changed: choose another name")
	}
	waiting := tx.snap.access.Waiting(spec.Name)
	return authz.KeepAdministrator(g, func() error {
		if err := a.clear(ctx, tx, g, spec.Name, spec.Doc); err != nil {
			return err
		}
		for i, s := range spec.Grants {
			list, err := s.grants(spec.Name)
			if err != nil {
				return core.E("tables.put_role", core.At{Item: i + 1}, err)
			}
			for _, grant := range list {
				if grant.Privilege != authz.Delete {
					grant.Hidden = append(grant.Hidden[:len(grant.Hidden):len(grant.Hidden)], waiting[grant.Table]...)
				}
				if err := a.give(ctx, tx, g, grant); err != nil {
					return core.E("tables.put_role", core.At{Item: i + 1}, err)
				}
			}
		}
		for _, name := range spec.Actions {
			if err := a.give(ctx, tx, g, authz.Grant{Role: spec.Name, Action: name}); err != nil {
				return err
			}
		}
		for _, from := range spec.Inherits {
			if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), from); err != nil {
				return err
			}
			if err := authz.InheritRole(g, spec.Name, from); err != nil {
				return err
			}
		}
		return authz.SaveMoved(g, tx.snap.access.WaitingGrants(spec.Name))
	})
}

// clear makes the role one that grants nothing, and keeps who holds it.
func (a access) clear(ctx context.Context, tx *Tx, g *gorm.DB, name, doc string) error {
	for _, r := range tx.snap.access.Roles {
		if r.Name != name {
			continue
		}
		if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), name); err != nil {
			return err
		}
		return authz.ResetRole(g, name, doc)
	}
	_, err := authz.CreateRole(g, name, doc)
	return err
}

func (a access) give(ctx context.Context, tx *Tx, g *gorm.DB, grant authz.Grant) error {
	if err := tx.snap.Policy.CheckGrant(core.CallerFrom(ctx), grant); err != nil {
		return err
	}
	return authz.PutGrant(g, grant)
}

func (a access) dropRole() core.Action {
	input := []core.Column{required(text("name", "The role."))}
	return a.action("drop_role", "Removes a role from everybody and deletes it.", input, roleOutput, core.Record{"name": "support"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		return core.Record{"role": c.Text("name")}, a.dropNamed(ctx, tx, g, c.Text("name"))
	})
}

func (a access) dropNamed(ctx context.Context, tx *Tx, g *gorm.DB, name string) error {
	if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), name); err != nil {
		return err
	}
	return authz.DropRole(g, name)
}

func (a access) grant() core.Action {
	input := append(append([]core.Column{required(text("role", "The role."))}, grantInput...), actionsInput)
	example := core.Record{"role": "support", "table": "product", "privileges": []any{"update"}, "level": "own"}
	return a.action("grant", "Grants a role more. A grant of the same table, privilege, level and condition is replaced.", input, roleOutput, example, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), c.Text("role")); err != nil {
			return nil, err
		}
		list, err := grantsOf(c)
		if err != nil {
			return nil, err
		}
		for _, grant := range list {
			if err := a.give(ctx, tx, g, grant); err != nil {
				return nil, err
			}
		}
		return core.Record{"role": c.Text("role")}, nil
	})
}

func (a access) revoke() core.Action {
	input := append(append([]core.Column{required(text("role", "The role."))}, grantInput...), actionsInput)
	example := core.Record{"role": "support", "table": "product", "privileges": []any{"update"}}
	return a.action("revoke", "Takes back what was granted to a role with the same condition.", input, roleOutput, example, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), c.Text("role")); err != nil {
			return nil, err
		}
		list, err := grantsOf(c)
		if err != nil {
			return nil, err
		}
		for _, grant := range list {
			if err := authz.DropGrant(g, grant); err != nil {
				return nil, err
			}
		}
		return core.Record{"role": c.Text("role")}, nil
	})
}

// grantsOf reads the grants from the arguments of grant and revoke.
func grantsOf(c core.Call) ([]authz.Grant, error) {
	var spec struct {
		grantSpec
		Actions []string `json:"actions"`
	}
	if err := decodeInput(c.In, &spec); err != nil {
		return nil, err
	}
	role := c.Text("role")
	var out []authz.Grant
	for _, name := range spec.Actions {
		out = append(out, authz.Grant{Role: role, Action: name})
	}
	if spec.Table == "" && len(out) > 0 {
		return out, nil
	}
	list, err := spec.grants(role)
	return append(out, list...), err
}

var assignInput = []core.Column{
	required(text("role", "The role.")),
	text("user", "The e-mail address or id of a user; or"),
	text("team", "the name or id of a team."),
}

func (a access) assign(name, doc string, do func(*gorm.DB, authz.Assignment) error) core.Action {
	return a.action(name, doc, assignInput, roleOutput, core.Record{"role": "support", "user": "ann@example.com"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), c.Text("role")); err != nil {
			return nil, err
		}
		as := authz.Assignment{Role: c.Text("role")}
		var err error
		switch {
		case c.Text("user") != "" && c.Text("team") != "", c.Text("user") == "" && c.Text("team") == "":
			return nil, core.E("tables."+name, core.Invalid, "name either a user or a team")
		case c.Text("user") != "":
			as.User, err = tx.user(c.Text("user"))
		default:
			as.Team, err = tx.team(c.Text("team"))
		}
		if err == nil {
			err = tx.snap.Policy.CheckUnit(core.CallerFrom(ctx), tx.snap.owners[as.User+as.Team])
		}
		if err != nil {
			return nil, err
		}
		return core.Record{"role": as.Role}, do(g, as)
	})
}

func (a access) assignRole() core.Action {
	return a.assign("assign_role", "Gives a role to a user or a team.", authz.AssignRole)
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
		text("password", "At least 12 characters; without one the user signs in with keys only."),
		{Name: "roles", Kind: core.Text, List: true, Doc: "Roles to assign."},
	}
	example := core.Record{"name": "Ann", "email": "ann@example.com", "roles": []any{"support"}}
	return core.Action{
		Name: "create_user", Doc: "Creates a user.", Input: input, Output: idOutput, Privilege: "manage_access", Define: true, Examples: []core.Example{{In: example}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			var hash authz.Hash
			if p := c.Text("password"); p != "" { // takes its time: not in the transaction
				var err error
				if hash, err = authz.HashPassword(ctx, p); err != nil {
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
	id, err := authz.CreateUser(g, authz.NewUser{Name: c.Text("name"), Email: c.Text("email"), Unit: unit, Password: hash})
	if err != nil {
		return nil, err
	}
	roles, _ := c.In["roles"].([]any)
	for _, r := range roles {
		if err := tx.snap.Policy.CheckRole(caller, r.(string)); err != nil {
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

func (a access) createUnit() core.Action {
	input := []core.Column{required(text("name", "The name.")), text("parent", "The name or id of the unit above; the root when left out.")}
	return a.action("create_unit", "Creates a business unit.", input, idOutput, core.Record{"name": "West"}, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		parent, err := tx.unit(c.Text("parent"))
		if err != nil {
			return nil, err
		}
		if err := tx.snap.Policy.CheckUnit(core.CallerFrom(ctx), parent); err != nil {
			return nil, err
		}
		id, err := authz.CreateUnit(g, c.Text("name"), parent)
		return core.Record{"id": string(id)}, err
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

func (a access) createKey(l *authz.Logins) core.Action {
	return core.Action{
		Name: "create_api_key", Doc: "Creates a key with which a program acts as the user. The secret is shown this once.", Secret: true,
		Input: []core.Column{
			required(text("name", "What the key is for.")),
			text("user", "The e-mail address or id of another user, for which one must manage access; oneself when left out."),
			{Name: "expires_at", Kind: core.Timestamp, Doc: "Within a year; in 90 days when left out."},
		},
		Output:   []core.Column{{Name: "id", Kind: core.UUID}, text("secret", "Send it as Authorization: Bearer ..."), {Name: "expires_at", Kind: core.Timestamp}},
		Examples: []core.Example{{In: core.Record{"name": "nightly report"}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				user, err := tx.keyUser(ctx, c.Text("user"))
				if err != nil {
					return err
				}
				expires, _ := c.In["expires_at"].(time.Time)
				secret, k, err := l.CreateKey(ctx, tx.DB(), user, c.Text("name"), expires)
				out = core.Record{"id": string(k.ID), "secret": secret, "expires_at": k.ExpiresAt.Time}
				return err
			})
			if err != nil {
				return nil, core.E("tables.create_api_key", err)
			}
			return out, nil
		},
	}
}

// keyUser returns the caller, or the user of that name when the caller may administer him.
func (tx *Tx) keyUser(ctx context.Context, name string) (core.ID, error) {
	caller := core.CallerFrom(ctx)
	if err := tx.snap.Policy.May(caller, ""); err != nil {
		return "", err
	}
	if name == "" {
		return caller.User, nil
	}
	user, err := tx.user(name)
	if err == nil && user == caller.User {
		return user, nil
	}
	// A key is the whole person: even who manages access may not be somebody else. Nor is it told who there is.
	if !caller.IsSystem() && !caller.HasRole(authz.Administrator) {
		return "", core.E("tables.keyUser", core.Denied, core.At{Column: "user"}, "only an administrator makes or ends keys of others")
	}
	return user, err
}

func (a access) revokeKey(l *authz.Logins) core.Action {
	return core.Action{
		Name: "revoke_api_key", Doc: "Ends a key for good.",
		Input: []core.Column{
			required(core.Column{Name: "id", Kind: core.UUID, Doc: "The key."}),
			text("user", "Whose key it is, when not one's own."),
		},
		Output:   idOutput,
		Examples: []core.Example{{In: core.Record{"id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			err := a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				user, err := tx.keyUser(ctx, c.Text("user"))
				if err != nil {
					return err
				}
				return l.RevokeKey(ctx, tx.DB(), user, core.ID(c.Text("id")))
			})
			if err != nil {
				return nil, core.E("tables.revoke_api_key", err)
			}
			return core.Record{"id": c.Text("id")}, nil
		},
	}
}
