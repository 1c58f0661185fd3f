package tables

import (
	"context"

	"colonnade/authz"
	"colonnade/core"
)

func (a access) compareRoles() core.Action {
	fields := []core.Column{
		text("role", "The role that grants it: the one that is compared, or one that it includes."), text("action", "A right that is about no table; * for all of an administrator."), text("table", "The table."),
		text("privilege", "The privilege."), text("level", "How far it reaches."), text("condition", "The condition that rows must meet as well."),
		{Name: "hidden", Kind: core.Text, List: true, Required: true, Doc: "The columns that it leaves out."},
	}
	return core.Action{
		Name: "compare_roles", Privilege: "manage_access", Doc: "Tells what each of two roles grants that the other does not, with what they include.",
		Input: []core.Column{required(text("a", "A role.")), required(text("b", "The other one."))},
		Output: []core.Column{
			{Name: "only_a", Kind: core.Object, List: true, Required: true, Fields: fields, Doc: "What only the first grants."},
			{Name: "only_b", Kind: core.Object, List: true, Required: true, Fields: fields, Doc: "What only the second grants."},
			{Name: "profiles_a", Kind: core.Text, List: true, Required: true, Doc: "The column profiles that only the first brings along."},
			{Name: "profiles_b", Kind: core.Text, List: true, Required: true, Doc: "The column profiles that only the second brings along."},
			{Name: "denied_a", Kind: core.Text, List: true, Required: true, Doc: "The data classes that only the first denies."},
			{Name: "denied_b", Kind: core.Text, List: true, Required: true, Doc: "The data classes that only the second denies."},
		},
		Examples: []core.Example{{In: core.Record{"a": "support", "b": "support_lead"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			snap := a.store.Snapshot()
			if tx := a.store.txFrom(ctx); tx != nil {
				snap = tx.snap
			}
			onlyA, onlyB, err := snap.Policy.Compare(c.Text("a"), c.Text("b"))
			if err != nil {
				return nil, core.E("tables.compare_roles", err)
			}
			profilesA, profilesB, err := snap.Policy.CompareProfiles(c.Text("a"), c.Text("b"))
			if err != nil {
				return nil, core.E("tables.compare_roles", err)
			}
			deniedA, deniedB, err := snap.Policy.CompareDenied(c.Text("a"), c.Text("b"))
			if err != nil {
				return nil, core.E("tables.compare_roles", err)
			}
			caller := core.CallerFrom(ctx)
			return core.Record{
				"only_a": shownGrants(caller, snap, onlyA), "only_b": shownGrants(caller, snap, onlyB),
				"profiles_a": core.Texts(profilesA), "profiles_b": core.Texts(profilesB),
				"denied_a": core.Texts(deniedA), "denied_b": core.Texts(deniedB),
			}, nil
		},
	}
}

// shownGrants leaves out what is about tables that the caller may not know of.
func shownGrants(c core.Caller, snap *Snapshot, list []authz.Grant) []any {
	out := []any{}
	for _, g := range list {
		if g.Table != "" && !snap.Policy.Sees(c, g.Table) {
			continue
		}
		level := ""
		if g.Action == "" {
			level = g.Level.String()
		}
		out = append(out, map[string]any{
			"role": g.Role, "action": orNull(g.Action), "table": orNull(g.Table), "privilege": orNull(string(g.Privilege)),
			"level": orNull(level), "condition": orNull(g.Condition), "hidden": core.Texts(g.Hidden),
		})
	}
	return out
}
