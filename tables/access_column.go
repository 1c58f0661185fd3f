package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

var columnRightFields = []core.Column{
	required(text("table", "The table.")), required(text("column", "The column, which is secured.")),
	text("read", "none (when left out), masked: what the mask of the column makes of the value, or full."),
	{Name: "create", Kind: core.Boolean, Doc: "Whether new records may be given a value."},
	{Name: "update", Kind: core.Boolean, Doc: "Whether the value may be changed."},
	text("unmask", "none (when left out), one or many: of how many records at a time the value may be asked for with a reason, see unmask."),
}

var profileToFields = []core.Column{
	required(text("profile", "The column profile.")),
	text("role", "The role that it comes with; or"),
	text("team", "the name or id of a team; or"),
	text("user", "the e-mail address or id of a user."),
}

var profileOutput = []core.Column{text("profile", "The column profile.")}

func (a access) putProfile() core.Action {
	input := []core.Column{
		required(text("name", "The name of the column profile; one of that name is replaced, and who holds it still does.")),
		text("doc", "Who it is for."),
		{Name: "columns", Kind: core.Object, List: true, Fields: columnRightFields, Doc: "The secured columns that it gives."},
	}
	example := core.Record{"name": "payroll", "columns": []any{map[string]any{"table": "employee", "column": "salary", "read": "full", "update": true}}}
	doc := "Creates or replaces a column profile, which gives secured columns to those who hold it. Who gives a column holds it himself in every record of its table."
	return a.action("put_column_profile", doc, input, profileOutput, example, func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
		name := c.Text("name")
		columns, err := columnRights(name, c.In["columns"])
		if err != nil {
			return nil, err
		}
		return core.Record{"profile": name}, a.putProfileSpec(ctx, tx, g, name, c.Text("doc"), columns)
	})
}

// columnRights reads what a column profile is to give.
func columnRights(profile string, in any) ([]authz.ColumnRight, error) {
	list, _ := in.([]any)
	out := make([]authz.ColumnRight, len(list))
	for i, right := range list {
		if err := decodeInput(right, &out[i]); err != nil {
			of, _ := right.(map[string]any)
			table, _ := of["table"].(string)
			column, _ := of["column"].(string)
			return nil, core.E("tables.columnRights", core.At{Table: table, Column: column, Item: item(len(list), i)}, err, fmt.Sprintf("column profile %q: %s", profile, core.AsError(err).Msg))
		}
	}
	return out, nil
}

// putProfileSpec creates or replaces a column profile. One that is there is changed only by who could hand it out as it was.
func (a access) putProfileSpec(ctx context.Context, tx *Tx, g *gorm.DB, name, doc string, columns []authz.ColumnRight) error {
	caller := core.CallerFrom(ctx)
	if slices.ContainsFunc(tx.snap.access.Profiles, func(p authz.ColumnProfile) bool { return p.Name == name }) {
		if err := tx.snap.Policy.CheckProfile(caller, name); err != nil {
			return err
		}
	}
	if err := tx.snap.Policy.CheckColumns(caller, columns); err != nil {
		return err
	}
	return authz.PutProfile(g, name, doc, columns)
}

func (a access) dropProfile() core.Action {
	input := []core.Column{required(text("name", "The column profile."))}
	return a.action("drop_column_profile", "Takes a column profile from everybody and deletes it.", input, profileOutput, core.Record{"name": "payroll"},
		func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
			return core.Record{"profile": c.Text("name")}, a.dropProfileNamed(ctx, tx, g, c.Text("name"))
		})
}

func (a access) dropProfileNamed(ctx context.Context, tx *Tx, g *gorm.DB, name string) error {
	if err := tx.snap.Policy.CheckProfile(core.CallerFrom(ctx), name); err != nil {
		return err
	}
	return authz.DropProfile(g, name)
}

func (a access) assignProfile() core.Action {
	return a.profileTo("assign_column_profile", "Gives a column profile to a role, a team or a user.", authz.AssignProfile)
}

func (a access) unassignProfile() core.Action {
	return a.profileTo("unassign_column_profile", "Takes a column profile from a role, a team or a user.", authz.UnassignProfile)
}

// profileTo is an action about who holds a column profile.
func (a access) profileTo(name, doc string, do func(*gorm.DB, string, authz.ProfileTo) error) core.Action {
	return a.action(name, doc, profileToFields, profileOutput, core.Record{"profile": "payroll", "role": "clerk"},
		func(ctx context.Context, tx *Tx, g *gorm.DB, c core.Call) (core.Record, error) {
			if err := tx.snap.Policy.CheckProfile(core.CallerFrom(ctx), c.Text("profile")); err != nil {
				return nil, err
			}
			to, err := tx.profileTo(core.CallerFrom(ctx), c)
			if err != nil {
				return nil, err
			}
			return core.Record{"profile": c.Text("profile")}, do(g, c.Text("profile"), to)
		})
}

// profileTo reads who is given a column profile, whom the caller may administer.
func (tx *Tx) profileTo(caller core.Caller, c core.Call) (to authz.ProfileTo, err error) {
	role, team, user := c.Text("role"), c.Text("team"), c.Text("user")
	switch {
	case role != "" && team == "" && user == "":
		to.Role = role
		return to, tx.snap.Policy.CheckRole(caller, role)
	case role == "" && team != "" && user == "":
		if to.Team, err = tx.team(team); err == nil {
			err = tx.snap.Policy.CheckTeam(caller, to.Team)
		}
		return to, err
	case role == "" && team == "" && user != "":
		if to.User, err = tx.user(user); err == nil {
			err = tx.snap.Policy.CheckUser(caller, to.User)
		}
		return to, err
	}
	return to, core.E("tables.profileTo", core.Invalid, "name either a role, a team or a user")
}

func (a access) listProfiles() core.Action {
	ids := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.UUID, List: true, Required: true, Doc: doc}
	}
	return core.Action{
		Name: "column_profiles", Privilege: "manage_access", Doc: "Lists the column profiles: what they give, of tables that you may know of, and who holds them.",
		Output: []core.Column{{Name: "profiles", Kind: core.Object, List: true, Required: true, Doc: "The profiles, by name.", Fields: []core.Column{
			text("name", "The name."), text("doc", "Who it is for."),
			{Name: "columns", Kind: core.Object, List: true, Required: true, Fields: columnRightFields, Doc: "What it gives."},
			{Name: "roles", Kind: core.Text, List: true, Required: true, Doc: "The roles that it comes with."}, ids("teams", "The teams that it is given to."), ids("users", "The users that it is given to."),
		}}},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			snap := a.store.Snapshot()
			if tx := a.store.txFrom(ctx); tx != nil {
				snap = tx.snap
			}
			list, err := shownProfiles(core.CallerFrom(ctx), snap)
			if err != nil {
				return nil, core.E("tables.column_profiles", err)
			}
			return core.Record{"profiles": list}, nil
		},
	}
}

// shownProfiles returns the column profiles as the caller may know them.
func shownProfiles(c core.Caller, snap *Snapshot) ([]any, error) {
	out := []any{}
	byName := func(a, b authz.ColumnProfile) int { return strings.Compare(a.Name, b.Name) }
	for _, p := range slices.SortedFunc(slices.Values(snap.access.Profiles), byName) {
		rights, err := p.Present(snap.Schema)
		if err != nil {
			return nil, err
		}
		columns := []any{}
		for _, r := range rights {
			if snap.Policy.Sees(c, r.Table) {
				columns = append(columns, map[string]any{"table": r.Table, "column": r.Column, "read": r.Read.String(), "create": r.Create, "update": r.Update, "unmask": r.Unmask.String()})
			}
		}
		roles, teams, users := snap.access.HoldersOf(p.ID)
		out = append(out, map[string]any{"name": p.Name, "doc": orNull(p.Doc), "columns": columns, "roles": core.Texts(roles), "teams": core.Texts(teams), "users": core.Texts(users)})
	}
	return out, nil
}
