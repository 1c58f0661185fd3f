package tables

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// grantSpec is one grant as an argument: the same for several privileges.
type grantSpec struct {
	Table      string   `json:"table"`
	Privileges []string `json:"privileges"`
	Level      string   `json:"level,omitempty"`
	Condition  string   `json:"condition,omitempty"`
	Hidden     []string `json:"hidden,omitempty"`
}

// allPrivileges is what a grant may name for every privilege that there is on its table.
const allPrivileges = "all"

// grants returns the grants of the role that g describes. Hidden columns are of those privileges that are about columns.
func (g grantSpec) grants(s *core.Schema, role string) ([]authz.Grant, error) {
	level := authz.Organization
	if g.Level != "" {
		var err error
		if level, err = authz.ParseLevel(g.Level); err != nil {
			return nil, err
		}
	}
	var out []authz.Grant
	for _, p := range g.privileges(s) {
		grant := authz.Grant{Role: role, Table: g.Table, Privilege: p, Level: level, Condition: g.Condition}
		if p.Columns() {
			grant.Hidden = g.Hidden
		}
		out = append(out, grant)
	}
	if len(out) == 0 {
		return nil, core.E("tables.grants", core.Invalid, core.At{Table: g.Table}, "the grant names no privilege")
	}
	return out, nil
}

// privileges returns those that g names; all of a table that is not there are all that there could be.
func (g grantSpec) privileges(s *core.Schema) (out []authz.Privilege) {
	for _, name := range g.Privileges {
		if name != allPrivileges {
			out = append(out, authz.Privilege(name))
			continue
		}
		of := authz.Privileges
		if t, err := s.Table(g.Table); err == nil {
			of = authz.PrivilegesOn(t)
		}
		out = append(out, of...)
	}
	return out
}

func (a access) putRole() core.Action {
	input := []core.Column{
		required(text("name", "The name of the role; one of that name is replaced.")),
		text("doc", "Who it is for."),
		{Name: "grants", Kind: core.Object, List: true, Fields: grantInput, Doc: "What its holders may do with which rows and columns."},
		actionsInput,
		{Name: "inherits", Kind: core.Text, List: true, Doc: "Roles whose rights it includes."},
		{Name: "column_profiles", Kind: core.Text, List: true, Doc: "Column profiles that its holders get with it: see put_column_profile."},
		limitsInput("What one request of its holders may ask for at most, where that is more than everybody may: see set_limits."),
		{Name: "second_factor", Kind: core.Boolean, Doc: "Whether its holders must sign in with a second factor: see require_second_factor, whose rights this takes. As it is when left out."},
		{Name: "deny_classes", Kind: core.Text, List: true, Doc: "Data classes that its holders are denied, whatever else gives them: the columns that carry one are hidden from them. As they are when left out; only administrators say otherwise."},
		{Name: "tests", Kind: core.Object, List: true, Fields: roleTestInput, Doc: "Examples of what it gives and does not give. A change of rights or tables that breaks one is refused."},
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
	Profiles []string    `json:"column_profiles"`
	Limits   core.Limits `json:"limits"`

	SecondFactor *bool     `json:"second_factor"` // as it is when nil
	DenyClasses  *[]string `json:"deny_classes"`  // as they are when nil

	Tests []authz.RoleTest `json:"tests"`
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
		var all []authz.Grant
		for i, s := range spec.Grants {
			list, err := s.grants(tx.snap.Schema, spec.Name)
			if err != nil {
				return core.E("tables.put_role", core.At{Item: i + 1}, err)
			}
			for _, grant := range list {
				if grant.Privilege.Columns() {
					grant.Hidden = append(grant.Hidden[:len(grant.Hidden):len(grant.Hidden)], waiting[grant.Table]...)
				}
				if err := tx.snap.Policy.CheckGrant(core.CallerFrom(ctx), grant); err != nil {
					return core.E("tables.put_role", core.At{Item: i + 1}, err)
				}
				all = append(all, grant)
			}
		}
		for _, name := range spec.Actions {
			action := authz.Grant{Role: spec.Name, Action: name}
			if err := tx.snap.Policy.CheckGrant(core.CallerFrom(ctx), action); err != nil {
				return err
			}
			all = append(all, action)
		}
		if err := authz.PutGrants(g, spec.Name, all...); err != nil {
			return err
		}
		for _, from := range spec.Inherits {
			if err := tx.snap.Policy.CheckInclude(core.CallerFrom(ctx), spec.Name, from); err != nil {
				return err
			}
			if err := authz.InheritRole(g, spec.Name, from); err != nil {
				return err
			}
		}
		for _, name := range spec.Profiles {
			if err := tx.snap.Policy.CheckProfile(core.CallerFrom(ctx), name); err != nil {
				return err
			}
			if err := authz.AssignProfile(g, name, authz.ProfileTo{Role: spec.Name}); err != nil {
				return err
			}
		}
		if err := a.allow(ctx, tx, g, spec.Name, spec.Limits); err != nil {
			return err
		}
		if err := a.demand(ctx, tx, g, spec.Name, spec.SecondFactor); err != nil {
			return err
		}
		if err := a.deny(ctx, tx, g, spec.Name, spec.DenyClasses); err != nil {
			return err
		}
		for _, t := range spec.Tests {
			if t.Empty() {
				return core.E("tables.put_role", core.Invalid, fmt.Sprintf("the test %q expects nothing: say what one may, may_not, or what it shows or hides", t.Name))
			}
		}
		rest, err := tx.snap.access.WaitingTests(spec.Name)
		if err != nil {
			return err
		}
		if err := authz.SetTests(g, spec.Name, append(spec.Tests, rest...)); err != nil {
			return err
		}
		return authz.SaveMoved(g, tx.snap.access.WaitingGrants(spec.Name))
	})
}

// demand says whether the holders of the role must sign in with a second factor; nil leaves that as it is.
func (a access) demand(ctx context.Context, tx *Tx, g *gorm.DB, name string, required *bool) error {
	i := slices.IndexFunc(tx.snap.access.Roles, func(r authz.Role) bool { return r.Name == name })
	if required == nil || *required == (i >= 0 && tx.snap.access.Roles[i].SecondFactor) {
		return nil
	}
	if err := tx.snap.Policy.CheckSecondFactor(core.CallerFrom(ctx)); err != nil {
		return core.E("tables.put_role", core.At{Column: "second_factor"}, err)
	}
	return authz.RequireSecondFactor(g, name, *required)
}

// deny says which data classes the holders of the role are denied; nil leaves that as it is.
func (a access) deny(ctx context.Context, tx *Tx, g *gorm.DB, name string, classes *[]string) error {
	const op = "tables.put_role"
	if classes == nil {
		return nil
	}
	var have []string
	for i := range tx.snap.access.Roles {
		if r := &tx.snap.access.Roles[i]; r.Name == name {
			var err error
			if have, err = r.Denied(); err != nil {
				return core.E(op, err)
			}
		}
	}
	if slices.Equal(have, slices.Compact(slices.Sorted(slices.Values(*classes)))) {
		return nil
	}
	at := core.At{Column: "deny_classes"}
	if err := tx.snap.Policy.Administers(core.CallerFrom(ctx)); err != nil {
		return core.E(op, core.Denied, at, "which data classes a role denies is for administrators to say", err)
	}
	for _, class := range *classes {
		if _, err := tx.snap.Schema.NeedClass(class); err != nil {
			return core.E(op, at, err)
		}
	}
	return core.E(op, authz.DenyClasses(g, name, *classes))
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
	return a.grants("grant", "Grants a role more. A grant of the same table, privilege, level and condition is replaced.",
		core.Record{"role": "support", "table": "product", "privileges": []any{"update"}, "level": "own"},
		func(ctx context.Context, tx *Tx, g *gorm.DB, role string, grants []authz.Grant) error {
			for _, grant := range grants {
				if err := tx.snap.Policy.CheckGrant(core.CallerFrom(ctx), grant); err != nil {
					return err
				}
			}
			return authz.PutGrants(g, role, grants...)
		})
}

func (a access) revoke() core.Action {
	return a.grants("revoke", "Takes back what was granted to a role with the same condition.",
		core.Record{"role": "support", "table": "product", "privileges": []any{"update"}},
		func(_ context.Context, _ *Tx, g *gorm.DB, _ string, grants []authz.Grant) error {
			for _, grant := range grants {
				if err := authz.DropGrant(g, grant); err != nil {
					return err
				}
			}
			return nil
		})
}

// grants is an action that does something with the grants to a role that its arguments describe.
func (a access) grants(name, doc string, example core.Record, do func(ctx context.Context, tx *Tx, g *gorm.DB, role string, grants []authz.Grant) error) core.Action {
	input := append(append([]core.Column{required(text("role", "The role."))}, grantInput...), actionsInput)
	return a.action(name, doc, input, roleOutput, example, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		if err := tx.snap.Policy.CheckRole(core.CallerFrom(ctx), c.Text("role")); err != nil {
			return nil, err
		}
		list, err := grantsOf(tx.snap.Schema, c)
		if err != nil {
			return nil, err
		}
		return core.Record{"role": c.Text("role")}, do(ctx, tx, g, c.Text("role"), list)
	})
}

// grantsOf reads the grants from the arguments of grant and revoke.
func grantsOf(s *core.Schema, c core.Call) ([]authz.Grant, error) {
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
	list, err := spec.grants(s, role)
	return append(out, list...), err
}
