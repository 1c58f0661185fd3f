package tables

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// ladder is a world in which somebody is above others, said in plain Go.
type ladder struct {
	mode  string
	depth int

	units     map[core.ID]core.ID // and their parents
	users     []core.ID
	unit      map[core.ID]core.ID // of a user
	above     map[core.ID]core.ID // of a user or a position
	position  map[core.ID]core.ID
	teams     map[core.ID][]core.ID // of a user
	byTeam    map[core.ID]bool      // users who hold the role for the records of their team only
	apart     core.ID               // that team
	condition bool                  // the role reaches cheap records only
}

// steps returns how many steps a user is below another; 0 when he is not.
func (l *ladder) steps(user, of core.ID) int {
	at, top := user, of
	if l.mode == authz.Positions {
		at, top = l.position[user], l.position[of]
	}
	for n := 1; at != "" && top != ""; n++ {
		if at = l.above[at]; at != top || at == "" {
			continue
		}
		if l.mode == authz.Managers && !l.inside(l.unit[user], l.unit[of]) {
			return 0
		}
		return n
	}
	return 0
}

func (l *ladder) inside(unit, of core.ID) bool {
	for ; unit != ""; unit = l.units[unit] {
		if unit == of {
			return true
		}
	}
	return false
}

// reaches reports whether a user reaches the records of an owner at the level own.
func (l *ladder) reaches(user, owner core.ID, priv authz.Privilege) bool {
	if l.byTeam[user] {
		return owner == l.apart
	}
	if owner == user || slices.Contains(l.teams[user], owner) {
		return true
	}
	deepest := map[authz.Privilege]int{authz.Read: l.depth, authz.Update: 1}[priv]
	return slices.ContainsFunc(l.users, func(r core.ID) bool {
		n := l.steps(r, user)
		return l.mode != authz.NoHierarchy && n >= 1 && n <= deepest && (owner == r || slices.Contains(l.teams[r], owner))
	})
}

func newLadder(t *testing.T, s *Store, r *rand.Rand) *ladder {
	t.Helper()
	l := &ladder{
		mode: []string{authz.NoHierarchy, authz.Managers, authz.Managers, authz.Positions, authz.Positions}[r.IntN(5)], depth: 1 + r.IntN(4),
		units: map[core.ID]core.ID{core.RootUnit: ""}, unit: map[core.ID]core.ID{}, above: map[core.ID]core.ID{}, position: map[core.ID]core.ID{}, teams: map[core.ID][]core.ID{},
		byTeam: map[core.ID]bool{}, condition: r.IntN(2) == 0,
	}
	condition := ""
	if l.condition {
		condition = "stock < 5"
	}
	name := func(what string, i int) string { return fmt.Sprintf("%s %d %x", what, i, r.Uint64()) }
	pick := func(ids []core.ID) core.ID { return ids[r.IntN(len(ids))] }
	administer(t, s, func(g *gorm.DB) error {
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		role := fmt.Sprintf("own_%x", r.Uint64())
		_, err := authz.CreateRole(g, role, "")
		check(err)
		for _, p := range []authz.Privilege{authz.Read, authz.Update} {
			check(authz.PutGrants(g, role, authz.Grant{Table: "product", Privilege: p, Level: authz.Own, Condition: condition}))
		}
		check(authz.SetHierarchy(g, l.mode, l.depth))
		units, positions := []core.ID{core.RootUnit}, []core.ID(nil)
		for i := range 4 {
			parent := pick(units)
			u, err := authz.CreateUnit(g, name("unit", i), parent)
			check(err)
			units, l.units[u] = append(units, u), parent
		}
		for i := range 5 {
			var parent core.ID
			if len(positions) > 0 && r.IntN(4) > 0 {
				parent = pick(positions)
			}
			q, err := authz.PutPosition(g, name("position", i), parent)
			check(err)
			positions, l.above[q] = append(positions, q), parent
		}
		teams := make([]core.ID, 3)
		for i := range teams {
			teams[i], err = authz.CreateTeam(g, name("team", i), pick(units))
			check(err)
		}
		l.apart = teams[0]
		check(authz.AssignRole(g, authz.Assignment{Team: l.apart, Role: role, Apart: true}))
		for i := range 9 {
			home := pick(units)
			if r.IntN(2) == 0 {
				home = core.RootUnit
			}
			u, err := authz.CreateUser(g, authz.NewUser{Name: name("user", i), Email: fmt.Sprintf("u%x@example.com", r.Uint64()), Unit: home})
			check(err)
			l.unit[u], l.teams[u] = home, []core.ID{home}
			if len(l.users) > 0 && r.IntN(5) > 0 {
				l.above[u] = pick(l.users)
				check(authz.SetManager(g, u, l.above[u]))
			}
			if r.IntN(5) > 0 {
				l.position[u] = pick(positions)
				check(authz.SetPosition(g, u, l.position[u]))
			}
			if r.IntN(2) == 0 {
				team := pick(teams[1:])
				l.teams[u] = append(l.teams[u], team)
				check(authz.AddMember(g, team, u))
			}
			if l.byTeam[u] = r.IntN(4) == 0; l.byTeam[u] {
				l.teams[u] = append(l.teams[u], l.apart)
				check(authz.AddMember(g, l.apart, u))
			} else {
				check(authz.AssignRole(g, authz.Assignment{User: u, Role: role}))
			}
			l.users = append(l.users, u)
		}
		return nil
	})
	return l
}

// Who is above somebody reaches what belongs to him: SQL and memory agree with a model that walks up from the owner.
func TestHierarchy(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": true}})
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		reached := 0
		for world := range 12 {
			l := newLadder(t, s, r)
			owners := slices.Concat(l.users, []core.ID{l.apart}, l.teams[l.users[0]], l.teams[l.users[1]])
			slices.Sort(owners)
			records := map[core.ID]core.Record{}
			for i, owner := range slices.Compact(owners) {
				row := core.Record{"title": fmt.Sprint(world, " ", i), "stock": int64(i % 7), "owner_id": string(owner)}
				records[mustInsert(t, root(t), s, "product", row)[0]] = row
			}
			for _, user := range l.users {
				ctx := as(t, s, user)
				caller := core.CallerFrom(ctx)
				for _, priv := range []authz.Privilege{authz.Read, authz.Update} {
					may, err := s.Snapshot().Policy.Decide(caller, "product", priv)
					must(t, err)
					var seen []core.ID
					must(t, s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
						seen, err = tx.ids(ctx, "product", core.Op(priv), And{})
						return err
					}))
					for id, row := range records {
						want := l.reaches(user, core.ID(row["owner_id"].(string)), priv) && (!l.condition || row["stock"].(int64) < 5)
						memory, err := may.Rows.True(row, nil, caller, nil)
						must(t, err)
						if got := slices.Contains(seen, id); got != want || memory != want {
							t.Fatalf("seed %d, world %d (%s, depth %d): %s %s a record of %s: %v in SQL, %v in memory, want %v", seed, world, l.mode, l.depth, user, priv, row["owner_id"], got, memory, want)
						}
						if want && !slices.Contains(l.teams[user], core.ID(row["owner_id"].(string))) && string(user) != row["owner_id"] {
							reached++
						}
					}
				}
			}
		}
		if reached < 20 {
			t.Errorf("only %d records were reached through the hierarchy", reached)
		}
	})
}

// A record of a report may be changed, and not be deleted, given away or shared; and that of his report only read. A table that
// does not take part, and columns that are hidden, stay what they are.
func TestHierarchyPrivileges(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": true}})
		var grants []authz.Grant
		for _, p := range authz.Privileges {
			grants = append(grants, authz.Grant{Table: "product", Privilege: p, Level: authz.Own})
		}
		role(t, s, "seller", grants...)
		role(t, s, "reader", authz.Grant{Table: "product", Privilege: authz.Read, Level: authz.Own, Hidden: []string{"cost"}})
		id := func(ctx context.Context) core.ID { return core.CallerFrom(ctx).User }
		ann, bob := id(person(t, s, "ann", core.RootUnit, "seller")), id(person(t, s, "bob", core.RootUnit, "seller"))
		cid, dan := id(person(t, s, "cid", core.RootUnit, "seller")), id(person(t, s, "dan", core.RootUnit, "reader"))
		administer(t, s, func(g *gorm.DB) error {
			for user, manager := range map[core.ID]core.ID{bob: ann, cid: bob, ann: dan} {
				if err := authz.SetManager(g, user, manager); err != nil {
					return err
				}
			}
			return authz.SetHierarchy(g, authz.Managers, 2)
		})
		wantCircle := func(user, manager core.ID) {
			t.Helper()
			wantKind(t, s.ChangeAccess(root(t), func(tx *db.Tx) error { return authz.SetManager(tx.Gorm(t.Context()), user, manager) }), core.Invalid, "reports to him")
		}
		wantCircle(dan, cid)
		wantCircle(dan, dan)
		for owner, may := range map[core.ID][]authz.Privilege{
			ann: authz.Privileges, bob: {authz.Read, authz.Update, authz.Append, authz.AppendTo}, cid: {authz.Read}, dan: nil,
		} {
			of := mustInsert(t, root(t), s, "product", core.Record{"title": string(owner[24:]), "owner_id": string(owner)})
			for _, p := range authz.Privileges {
				if p == authz.Create {
					continue // of a record that there is
				}
				var found []core.ID
				must(t, s.Tx(as(t, s, ann), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
					found, err = tx.ids(ctx, "product", core.Op(p), ByID(of...))
					return err
				}))
				if want := slices.Contains(may, p); (len(found) == 1) != want {
					t.Errorf("ann may %s a record of %s: %v, want %v", p, owner, len(found) == 1, want)
				}
			}
		}
		if visible, _ := decided(t, s, as(t, s, dan), "product").Column("cost"); visible {
			t.Error("a hidden column is seen through the hierarchy")
		}
		for _, off := range []func(){
			func() { define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": false}}) },
			func() {
				define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": true}})
				administer(t, s, func(g *gorm.DB) error { return authz.SetHierarchy(g, authz.NoHierarchy, 2) })
			},
		} {
			off()
			if rows := decided(t, s, as(t, s, ann), "product").Rows.Source; strings.Contains(rows, "report") {
				t.Errorf("where the hierarchy does not count, ann reads %s", rows)
			}
		}
		wantKind(t, s.Change(root(t), core.AlterTable{Of: "shop", Set: map[string]any{"hierarchy": true}}), core.Invalid, "shop", "belong to the organization")
		wantKind(t, s.Change(root(t), core.AddColumn{To: "product", Add: core.Column{Name: "peek", Kind: core.Boolean, Formula: "owner_id in caller.reports"}}), core.Invalid, "there is no caller.reports")
	})
}

func decided(t *testing.T, s *Store, ctx context.Context, table string) *authz.Decision {
	t.Helper()
	may, err := s.Snapshot().Policy.Decide(core.CallerFrom(ctx), table, authz.Read)
	must(t, err)
	return may
}

// Who administers a unit does not get at what belongs to others by way of somebody who is above them.
func TestHierarchyEscalation(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.AlterTable{Of: "product", Set: map[string]any{"hierarchy": true}})
		role(t, s, "lead", append(grant("product", authz.Own, nil, authz.Read), authz.Grant{Action: "manage_access"})...)
		role(t, s, "seller", grant("product", authz.Own, nil, authz.Read)...)
		west, east := unit(t, s, "West", core.RootUnit), unit(t, s, "East", core.RootUnit)
		coast := unit(t, s, "Coast", west)
		id := func(ctx context.Context) core.ID { return core.CallerFrom(ctx).User }
		lead := id(person(t, s, "lead", west, "lead"))
		wes, sub, eve := id(person(t, s, "wes", west, "seller")), id(person(t, s, "sub", west, "seller")), id(person(t, s, "eve", east, "seller"))
		low, top := id(person(t, s, "low", coast, "seller")), id(person(t, s, "top", west, authz.Administrator))
		administer(t, s, func(g *gorm.DB) error {
			head, err := authz.PutPosition(g, "head", "")
			if err != nil {
				return err
			}
			clerk, err := authz.PutPosition(g, "clerk", head)
			return errors.Join(err, authz.SetPosition(g, wes, head), authz.SetPosition(g, eve, clerk), authz.SetManager(g, sub, wes), authz.SetManager(g, top, low))
		})
		for _, c := range []struct {
			mode           string
			wes, low, low2 bool // whether lead administers them, and may move the last one up
		}{
			{authz.NoHierarchy, true, true, true},
			{authz.Managers, true, true, false}, // in West he would be above an administrator
			{authz.Positions, false, true, true},
		} {
			administer(t, s, func(g *gorm.DB) error { return authz.SetHierarchy(g, c.mode, 3) })
			p, caller := s.Snapshot().Policy, core.CallerFrom(as(t, s, lead))
			for what, check := range map[string]struct {
				err error
				ok  bool
			}{
				"who is above somebody elsewhere": {p.CheckUser(caller, wes), c.wes},
				"who would be above somebody":     {p.CheckUser(caller, low), c.low},
				"to where he is above somebody":   {p.CheckMove(caller, low, west), c.low2},
			} {
				if (check.err == nil) != check.ok {
					t.Errorf("%s: %s: %v, want %v", c.mode, what, check.err, check.ok)
				} else if !check.ok {
					wantKind(t, check.err, core.Denied, "somebody reports to the user whom you could not administer")
				}
			}
		}
		call := func(name string, in core.Record) error {
			i := slices.IndexFunc(s.AccessActions(nil), func(a core.Action) bool { return a.Name == name })
			_, err := s.AccessActions(nil)[i].Run(as(t, s, lead), core.Call{In: in})
			return err
		}
		wantKind(t, call("set_manager", core.Record{"user": string(top), "manager": string(lead)}), core.Denied, "for administrators")
		wantKind(t, call("set_position", core.Record{"user": string(lead), "position": "head"}), core.Denied, "for administrators")
		wantKind(t, call("put_position", core.Record{"name": "clerk"}), core.Denied, "for administrators")
		wantKind(t, call("set_hierarchy", core.Record{"mode": "manager"}), core.Denied, "for administrators")
	})
}
