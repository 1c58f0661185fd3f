package tables

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// AccessActions returns the actions that administer users, units, teams, roles and keys.
func (s *Store) AccessActions(l *authz.Logins) []core.Action {
	a := access{s, l}
	rights := []core.Action{
		a.putRole(), a.dropRole(), a.grant(), a.revoke(), a.assignRole(), a.unassignRole(),
		a.putProfile(), a.dropProfile(), a.assignProfile(), a.unassignProfile(),
		a.createUser(), a.disableUser(), a.moveUser(), a.createUnit(), a.moveUnit(), a.renameUnit(), a.createTeam(), a.addMember(), a.removeMember(),
	}
	rights = append(rights, a.hierarchyActions()...)
	return slices.Concat(rights, []core.Action{
		a.previewAccess(rights), a.compareRoles(), a.explainAccess(), a.whoCan(), a.listProfiles(), a.setLimits(), a.createKey(l), a.listKeys(l), a.revokeKey(l),
	}, a.codeActions())
}

// access makes actions that change the policy.
type access struct {
	store  *Store
	logins *authz.Logins
}

var grantInput = []core.Column{
	text("table", "The table."),
	{Name: "privileges", Kind: core.Text, List: true, Doc: "create, read, update, delete, append, append_to, assign, share; or all."},
	text("level", "own, unit, unit_and_below or organization; organization when left out."),
	text("condition", "An expression that the rows must meet as well."),
	{Name: "hidden", Kind: core.Text, List: true, Doc: "Columns that the grant leaves out."},
}

// roleTestInput describes a test of a role.
var roleTestInput = []core.Column{
	required(text("name", "What it shows.")),
	required(text("table", "The table of the record.")),
	text("owner", "Who the record belongs to: me, team (one of mine) or other, which it is when left out."),
	text("unit", "The business unit that it belongs to: mine, below or other, which it is when left out."),
	{Name: "record", Kind: core.JSON, Doc: "Its values."},
	{Name: "given", Kind: core.Object, List: true, Doc: "What conditions read of other records, since there are none.", Fields: []core.Column{
		required(text("read", "As the condition writes it, such as customer.region.")), {Name: "value", Kind: core.JSON, Doc: "What it is."},
	}},
	{Name: "may", Kind: core.Text, List: true, Doc: "Privileges that a holder of the role has on the record, and"},
	{Name: "may_not", Kind: core.Text, List: true, Doc: "those that he has not."},
	{Name: "shows", Kind: core.Text, List: true, Doc: "Columns that he may read of it, and"},
	{Name: "hides", Kind: core.Text, List: true, Doc: "those that he may not."},
}

var actionsInput = core.Column{Name: "actions", Kind: core.Text, List: true, Doc: "Rights that are about no table: define_tables, manage_access, manage_flows, run_flows, import_data, allow_duplicates, manage_models, manage_currencies, purge_records, verify_history, act_on_behalf, any_operation, explain_queries."}

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

var assignInput = []core.Column{
	required(text("role", "The role.")),
	text("user", "The e-mail address or id of a user; or"),
	text("team", "the name or id of a team."),
	text("unit", "The name or id of the unit that the levels unit and unit_and_below count from; that of the user or the team when left out."),
	text("inherit", "Of a team: member (the default), the level own is about the records of its members and their teams too; or team, about those of the team only."),
}
