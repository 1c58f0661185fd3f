package tables

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// administer changes who there is.
func administer(t testing.TB, s *Store, f func(g *gorm.DB) error) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() error { return f(tx.DB().Gorm(ctx)) })
	}))
}

// TestAttackA22 has callers move records out of their scope and into it, by every column that scope depends on.
func TestAttackA22(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		west, east := unit(t, s, "West", core.RootUnit), unit(t, s, "East", core.RootUnit)
		rw := []authz.Privilege{authz.Create, authz.Read, authz.Update}
		role(t, s, "seller", grant("product", authz.Unit, nil, rw...)...)
		role(t, s, "lead", slices.Concat(grant("product", authz.Unit, nil, rw...), grant("product", authz.Unit, nil, authz.Assign))...)
		role(t, s, "taker", slices.Concat(grant("product", authz.Organization, nil, rw...), grant("product", authz.Own, nil, authz.Assign))...)
		role(t, s, "cheap", slices.Concat([]authz.Grant{
			{Table: "product", Privilege: authz.Update, Level: authz.Organization, Condition: "stock < 5"},
			{Table: "product", Privilege: authz.Assign, Level: authz.Organization, Condition: "stock < 3"},
		}, grant("product", authz.Organization, nil, authz.Read, authz.Create))...)
		role(t, s, "all", grant("product", authz.Organization, nil, authz.Read, authz.Update, authz.Assign)...)
		role(t, s, "idle")
		ann, lead, eve := person(t, s, "ann", west, "seller"), person(t, s, "lead", west, "lead"), person(t, s, "eve", east, "seller")
		taker, cheap := person(t, s, "taker", west, "taker"), person(t, s, "cheap", west, "cheap")
		user := func(ctx context.Context) string { return string(core.CallerFrom(ctx).User) }
		wide, all := person(t, s, "wide", west), person(t, s, "all", west, "all")
		idle, gone := person(t, s, "idle", west, "idle"), person(t, s, "gone", west, "seller")
		var team, mute core.ID
		administer(t, s, func(g *gorm.DB) (err error) {
			if err := authz.DisableUser(g, core.CallerFrom(gone).User, true); err != nil {
				return err
			}
			if team, err = authz.CreateTeam(g, "sellers", east); err != nil {
				return err
			}
			if mute, err = authz.CreateTeam(g, "mute", east); err != nil {
				return err
			}
			for _, unit := range []core.ID{west, east} {
				if err := authz.AssignRole(g, authz.Assignment{User: core.CallerFrom(wide).User, Role: "lead", Unit: unit}); err != nil {
					return err
				}
			}
			return authz.AssignRole(g, authz.Assignment{Team: team, Role: "seller"})
		})
		wide, all = as(t, s, core.CallerFrom(wide).User), as(t, s, core.CallerFrom(all).User)
		ann, lead, taker, cheap = as(t, s, core.CallerFrom(ann).User), as(t, s, core.CallerFrom(lead).User), as(t, s, core.CallerFrom(taker).User), as(t, s, core.CallerFrom(cheap).User)
		const unseen = "" // nothing is changed, as if there were no such record
		for _, c := range []struct {
			name   string
			who    context.Context
			of     context.Context // whose the record is
			stock  int
			set    core.Record
			denied []string
			none   bool
		}{
			{name: "away without assign", who: ann, of: ann, set: core.Record{"owner_id": user(eve)}, denied: []string{"you need the privilege assign on product"}},
			{name: "away, to nobody: no word about who there is", who: ann, of: ann, set: core.Record{"owner_id": string(core.NewID())}, denied: []string{"you need the privilege assign on product"}},
			{name: "to oneself without assign", who: ann, of: lead, set: core.Record{"owner_id": user(ann)}, denied: []string{"you need the privilege assign on product"}},
			{name: "out of the unit, with assign", who: lead, of: ann, set: core.Record{"owner_id": user(eve)}},
			{name: "to a team", who: lead, of: ann, set: core.Record{"owner_id": string(team)}},
			{name: "to a team that reads nothing", who: lead, of: ann, set: core.Record{"owner_id": string(mute)}, denied: []string{"holds no right to read"}},
			{name: "to a user who reads nothing", who: lead, of: ann, set: core.Record{"owner_id": user(idle)}, denied: []string{"holds no right to read"}},
			{name: "to a disabled user", who: lead, of: ann, set: core.Record{"owner_id": user(gone)}, denied: []string{"disabled"}},
			{name: "from another unit", who: lead, of: eve, set: core.Record{"owner_id": user(lead)}, none: true},
			{name: "what one may update, and not assign", who: taker, of: eve, set: core.Record{"owner_id": user(taker)}, denied: []string{"your privilege assign on product does not reach this record"}},
			{name: "to another unit without assign", who: ann, of: ann, set: core.Record{"unit_id": string(east)}, denied: []string{"you need the privilege assign on product"}},
			{name: "to a unit out of reach of assign", who: lead, of: ann, set: core.Record{"unit_id": string(east)}, denied: []string{"product.unit_id", "does not reach this unit"}},
			{name: "and one's own record", who: taker, of: taker, set: core.Record{"unit_id": string(east)}, denied: []string{"product.unit_id", "does not reach this unit"}},
			{name: "to an own unit", who: wide, of: ann, set: core.Record{"unit_id": string(east)}},
			{name: "to an own unit, with another owner", who: wide, of: eve, set: core.Record{"unit_id": string(east), "owner_id": user(ann)}},
			{name: "to a unit that is not there", who: wide, of: ann, set: core.Record{"unit_id": string(core.NewID())}, denied: []string{"does not reach this unit"}},
			{name: "a unit of a table that is not there", who: all, of: ann, set: core.Record{"unit_id": string(core.NewID())}, denied: []string{"there is no unit"}},
			{name: "a condition, from within", who: cheap, of: ann, stock: 4, set: core.Record{"stock": 9}, denied: []string{"out of your reach to update"}},
			{name: "a condition, from outside", who: cheap, of: ann, stock: 9, set: core.Record{"stock": 1}, none: true},
			{name: "the condition of assign is of the record as it was", who: cheap, of: ann, stock: 4, set: core.Record{"stock": 1, "owner_id": user(eve)}, denied: []string{"does not reach this record"}},
			{name: "that of update of the record as it will be", who: cheap, of: ann, stock: 1, set: core.Record{"stock": 7, "owner_id": user(eve)}, denied: []string{"out of your reach to update"}},
			{name: "both hold", who: cheap, of: ann, stock: 1, set: core.Record{"stock": 4, "owner_id": user(eve)}},
		} {
			row := core.Record{"title": c.name[:min(30, len(c.name))], "stock": c.stock, "owner_id": user(c.of)}
			id := mustInsert(t, root(t), s, "product", row)
			before := find(t, s, "product", id[0])
			var res Result
			err := s.Tx(c.who, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
				res, err = tx.Update(ctx, Update{Table: "product", Where: ByID(id...), Set: c.set})
				return err
			})
			after := find(t, s, "product", id[0])
			switch {
			case len(c.denied) > 0:
				wantKind(t, err, core.AsError(err).Kind, c.denied...)
				if !equalRecords(before, after) {
					t.Errorf("%s: it is refused, and %v became %v", c.name, before, after)
				}
			case c.none && (err != nil || res.Affected() != 0 || !equalRecords(before, after)):
				t.Errorf("%s: %+v %v", c.name, res, err)
			case !c.none && (err != nil || !keeps(after, c.set) || c.set["unit_id"] == nil && after["unit_id"] != string(s.Snapshot().owners[core.ID(after["owner_id"].(string))])):
				t.Errorf("%s: %v %v", c.name, after, err)
			}
		}
		// A new record is one's own, or given away at once.
		for i, c := range []struct {
			who   context.Context
			owner string
			says  string
		}{
			{ann, user(ann), ""},
			{ann, user(eve), "you need the privilege assign on product"},
			{lead, user(eve), ""},
			{lead, string(team), ""},
			{taker, user(eve), ""},
			{lead, user(idle), "holds no right to read"},
			{lead, string(core.NewID()), "there is no such user or team"},
			{ann, string(core.NewID()), "you need the privilege assign on product"},
		} {
			_, err := insert(c.who, s, "product", core.Record{"title": fmt.Sprint("new ", i), "owner_id": c.owner})
			if c.says == unseen && err != nil || c.says != unseen && err == nil {
				t.Errorf("%s: %v", c.says, err)
			} else if c.says != unseen {
				wantKind(t, err, core.AsError(err).Kind, c.says)
			}
		}
	})
}

// keeps reports whether the record has the values.
func keeps(r, values core.Record) bool {
	for name, v := range values {
		if name != "stock" && !equal(r[name], v) {
			return false
		}
	}
	return true
}

// equalRecords compares all values of two records.
func equalRecords(a, b core.Record) bool {
	for name := range a {
		if !equal(a[name], b[name]) {
			return false
		}
	}
	return len(a) == len(b)
}

// TestBasis is about levels that count from the units of assignments, and from the records of a team only.
func TestBasis(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		west := unit(t, s, "West", core.RootUnit)
		city, east := unit(t, s, "City", west), unit(t, s, "East", core.RootUnit)
		role(t, s, "unit", grant("product", authz.Unit, nil, authz.Read)...)
		role(t, s, "below", grant("product", authz.UnitBelow, nil, authz.Read)...)
		role(t, s, "own", grant("product", authz.Own, nil, authz.Read, authz.Create)...)
		role(t, s, "sub")
		places := map[string]core.ID{"west": west, "city": city, "east": east}
		for _, name := range []string{"west", "city", "east"} {
			must(t, insertIn(root(t), s, name, core.SystemID, places[name]))
		}
		n := 0
		for _, c := range []struct {
			name  string
			give  func(user, team core.ID) []authz.Assignment
			reads []string
		}{
			{"from the unit of the user", func(u, _ core.ID) []authz.Assignment { return []authz.Assignment{{User: u, Role: "unit"}} }, []string{"mine", "team", "west"}},
			{"from another unit", func(u, _ core.ID) []authz.Assignment { return []authz.Assignment{{User: u, Role: "unit", Unit: east}} }, []string{"east", "mine", "team"}},
			{"from two", func(u, _ core.ID) []authz.Assignment {
				return []authz.Assignment{{User: u, Role: "unit", Unit: east}, {User: u, Role: "unit", Unit: city}}
			}, []string{"city", "east", "mine", "team"}},
			{"two roles, each from its unit", func(u, _ core.ID) []authz.Assignment {
				return []authz.Assignment{{User: u, Role: "unit", Unit: east}, {User: u, Role: "below"}}
			}, []string{"city", "east", "mine", "team", "west"}},
			{"below another unit", func(u, _ core.ID) []authz.Assignment { return []authz.Assignment{{User: u, Role: "below", Unit: city}} }, []string{"city", "mine", "team"}},
			{"by an included role", func(u, _ core.ID) []authz.Assignment { return []authz.Assignment{{User: u, Role: "sub", Unit: city}} }, []string{"city", "mine", "team"}},
			{"from the unit of the team", func(_, team core.ID) []authz.Assignment { return []authz.Assignment{{Team: team, Role: "unit"}} }, []string{"east", "mine", "team"}},
			{"of the team's default", func(_, _ core.ID) []authz.Assignment { return []authz.Assignment{{Team: west, Role: "unit"}} }, []string{"mine", "team", "west"}},
			{"own, for the members", func(_, team core.ID) []authz.Assignment { return []authz.Assignment{{Team: team, Role: "own"}} }, []string{"mine", "team"}},
			{"own, of the team only", func(_, team core.ID) []authz.Assignment {
				return []authz.Assignment{{Team: team, Role: "own", Apart: true}}
			}, []string{"team"}},
			{"own, both ways", func(u, team core.ID) []authz.Assignment {
				return []authz.Assignment{{Team: team, Role: "own", Apart: true}, {User: u, Role: "own"}}
			}, []string{"mine", "team"}},
		} {
			n++
			user := core.CallerFrom(person(t, s, fmt.Sprint("p", n), west)).User
			var team core.ID
			var given []authz.Assignment
			administer(t, s, func(g *gorm.DB) (err error) {
				if n == 1 {
					if err := authz.InheritRole(g, "sub", "unit"); err != nil {
						return err
					}
				}
				if team, err = authz.CreateTeam(g, fmt.Sprint("t", n), east); err != nil {
					return err
				}
				if err := authz.AddMember(g, team, user); err != nil {
					return err
				}
				given = c.give(user, team)
				for _, a := range given {
					if err := authz.AssignRole(g, a); err != nil {
						return err
					}
				}
				return nil
			})
			must(t, insertIn(root(t), s, "mine", user, ""))
			must(t, insertIn(root(t), s, "team", team, ""))
			var got []string
			for r, err := range s.Scan(as(t, s, user), s.Snapshot(), Query{Table: "product"}) {
				must(t, err)
				got = append(got, r["title"].(string))
			}
			slices.Sort(got)
			if !slices.Equal(got, c.reads) {
				t.Errorf("%s: reads %v, want %v", c.name, got, c.reads)
			}
			administer(t, s, func(g *gorm.DB) error {
				for _, a := range given {
					if err := authz.UnassignRole(g, a); err != nil {
						return err
					}
				}
				return nil
			})
			must(t, write(root(t), s, func(tx *Tx) error {
				_, err := tx.Delete(root(t), Remove{Table: "product", Where: Compare{Column: "title", Op: In, Value: []any{"mine", "team"}}})
				return err
			}))
		}
	})
}

// insertIn makes a product of an owner in a unit.
func insertIn(ctx context.Context, s *Store, title string, owner, unit core.ID) error {
	r := core.Record{"title": title, "owner_id": string(owner)}
	if unit != "" {
		r["unit_id"] = string(unit)
	}
	_, err := insert(ctx, s, "product", r)
	return err
}
