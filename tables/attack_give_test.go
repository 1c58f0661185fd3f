package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// TestAttackA09 has an administrator of one branch hand out, by every action that could, what he does not hold: another level,
// another unit, another column, more in a role that others hold, himself as somebody else's administrator.
func TestAttackA09(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		actions := s.AccessActions(authz.NewLogins(s.db, authz.LoginOptions{Log: s.o.Log}))
		west, east := unit(t, s, "West", core.RootUnit), unit(t, s, "East", core.RootUnit)
		city := unit(t, s, "City", west)
		role(t, s, "head", append(grant("product", authz.UnitBelow, []string{"cost"}, authz.Read, authz.Update),
			append(grant("product", authz.Unit, nil, authz.Delete), authz.Grant{Action: "manage_access"}, authz.Grant{Action: "run_flows"})...)...)
		role(t, s, "clerk", grant("product", authz.Unit, []string{"cost"}, authz.Read)...)
		role(t, s, "easterner", grant("product", authz.Own, []string{"cost"}, authz.Read)...)
		role(t, s, "powerful", grant("product", authz.Organization, nil, authz.Read)...)
		role(t, s, "purger", authz.Grant{Action: "purge_records"})
		role(t, s, "empty")
		head := person(t, s, "head", west, "head")
		person(t, s, "here", west)
		person(t, s, "there", city)
		person(t, s, "away", east, "easterner")
		boss := person(t, s, "boss", west, "powerful")
		administer(t, s, func(g *gorm.DB) error {
			if _, err := authz.CreateTeam(g, "westerners", west); err != nil {
				return err
			}
			for _, team := range []core.ID{city} { // whoever works there is powerful
				if err := authz.AssignRole(g, authz.Assignment{Team: team, Role: "purger"}); err != nil {
					return err
				}
			}
			return authz.AssignRole(g, authz.Assignment{User: core.CallerFrom(boss).User, Role: "empty", Unit: east})
		})
		head = as(t, s, core.CallerFrom(head).User)
		for _, c := range []struct {
			action string
			in     map[string]any
			says   string // why not; "" when it may be done
		}{
			{"assign_role", map[string]any{"role": "clerk", "user": "here@example.com"}, ""},
			{"assign_role", map[string]any{"role": "clerk", "user": "here@example.com", "unit": "City"}, ""},
			{"assign_role", map[string]any{"role": "clerk", "user": "here@example.com", "unit": "East"}, "in a unit in which you do not hold it"},
			{"assign_role", map[string]any{"role": "clerk", "user": "here@example.com", "unit": "Organization"}, "in a unit in which you do not hold it"},
			{"assign_role", map[string]any{"role": "head", "user": "there@example.com"}, "in a unit in which you do not hold it"}, // delete is of his own unit
			{"assign_role", map[string]any{"role": "clerk", "user": "away@example.com"}, "the unit is not yours"},
			{"assign_role", map[string]any{"role": "powerful", "user": "here@example.com"}, "more rows than you do"},
			{"assign_role", map[string]any{"role": "administrator", "user": "head@example.com"}, "only an administrator can make administrators"},
			{"assign_role", map[string]any{"role": "clerk", "team": "westerners", "inherit": "team"}, ""},
			{"assign_role", map[string]any{"role": "clerk", "user": "here@example.com", "inherit": "team"}, "only a team"},
			{"assign_role", map[string]any{"role": "clerk", "team": "East"}, "the unit is not yours"},
			{"grant", map[string]any{"role": "clerk", "table": "product", "privileges": []any{"read"}, "level": "unit"}, "you do not hold this column"},
			{"grant", map[string]any{"role": "clerk", "table": "product", "privileges": []any{"read"}, "level": "unit", "hidden": []any{"cost"}}, ""},
			{"grant", map[string]any{"role": "clerk", "table": "product", "privileges": []any{"append"}, "level": "own"}, "you cannot give a privilege that you do not hold"},
			{"grant", map[string]any{"role": "clerk", "table": "product", "privileges": []any{"all"}, "level": "own", "hidden": []any{"cost"}}, "you cannot give a privilege that you do not hold"},
			{"grant", map[string]any{"role": "clerk", "table": "product", "privileges": []any{"read"}, "hidden": []any{"cost"}}, "more rows than you do"},
			{"grant", map[string]any{"role": "easterner", "table": "product", "privileges": []any{"read"}, "level": "own", "hidden": []any{"cost"}}, ""},
			{"grant", map[string]any{"role": "easterner", "table": "product", "privileges": []any{"read"}, "level": "unit", "hidden": []any{"cost"}}, "in a unit in which you do not hold it"},
			{"grant", map[string]any{"role": "empty", "table": "product", "privileges": []any{"update"}, "level": "unit_and_below", "hidden": []any{"cost"}}, "in a unit in which you do not hold it"},
			{"grant", map[string]any{"role": "clerk", "actions": []any{"run_flows"}}, ""},
			{"grant", map[string]any{"role": "clerk", "actions": []any{"define_tables"}}, "you cannot give a right that you do not hold"},
			{"put_role", map[string]any{"name": "easterner", "inherits": []any{"clerk"}}, "in a unit in which you do not hold it"},
			{"put_role", map[string]any{"name": "new", "inherits": []any{"clerk"}}, ""},
			{"put_role", map[string]any{"name": "new", "inherits": []any{"powerful"}}, "more rows than you do"},
			{"put_role", map[string]any{"name": "powerful"}, "more rows than you do"},
			{"drop_role", map[string]any{"name": "purger"}, "purge_records, which you do not hold"},
			{"create_user", map[string]any{"name": "N", "email": "n1@example.com", "unit": "West", "roles": []any{"clerk"}}, ""},
			{"create_user", map[string]any{"name": "N", "email": "n2@example.com", "unit": "East"}, "the unit is not yours"},
			{"create_user", map[string]any{"name": "N", "email": "n3@example.com", "unit": "City"}, "purge_records, which you do not hold"}, // by the team of the unit
			{"create_user", map[string]any{"name": "N", "email": "n4@example.com", "unit": "West", "roles": []any{"powerful"}}, "more rows than you do"},
			{"add_member", map[string]any{"team": "City", "user": "here@example.com"}, "purge_records, which you do not hold"},
			{"add_member", map[string]any{"team": "West", "user": "here@example.com"}, "the users of its unit"},
			{"disable_user", map[string]any{"user": "boss@example.com"}, "more rows than you do"},
		} {
			in, err := json.Marshal(c.in)
			must(t, err)
			head := as(t, s, core.CallerFrom(head).User)
			if _, err = call(head, actions, c.action, string(in)); c.says == "" && err != nil {
				t.Errorf("%s %s: %v", c.action, in, err)
			} else if c.says != "" {
				if err == nil {
					t.Errorf("%s %s is done", c.action, in)
					continue
				}
				wantKind(t, err, core.AsError(err).Kind, c.says)
			}
		}
	})
}

// Who may write a column in some records only learns nothing of the others by writing what they may hold already.
func TestWritingWhatIsThereTellsNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "seller", slices.Concat(
			grant("product", authz.Organization, []string{"cost"}, authz.Read, authz.Update), grant("product", authz.Own, nil, authz.Read, authz.Update))...)
		ann := person(t, s, "ann", core.RootUnit, "seller")
		id := mustInsert(t, root(t), s, "product", core.Record{"title": "t", "cost": "3"})
		var answers []string
		for _, cost := range []any{"3", "4", nil} {
			var res Result
			err := s.Tx(ann, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
				res, err = tx.Update(ctx, Update{Table: "product", Where: ByID(id...), Set: core.Record{"cost": cost}})
				return err
			})
			wantKind(t, err, core.Denied, "product.cost", "may not write this column in this record")
			answers = append(answers, fmt.Sprint(err, res))
		}
		if answers[0] != answers[1] || answers[0] != answers[2] {
			t.Errorf("the value that is there is told from others: %q", answers)
		}
	})
}
