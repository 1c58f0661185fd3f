package authz

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// TestAttackA05 draws roles that include each other over up to six steps, roles without any grant among them, held from units and
// through teams. What the user reaches, rows and columns, is what following each way from an assignment to a grant gives: neither
// more, nor less by a role in between.
func TestAttackA05(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		s, set := world(t, deal())
		table, err := s.Table("deal")
		must(t, err)
		rows := randomRows(100)
		store(t, d, table, rows)
		root := core.RootUnit
		rapid.Check(t, func(t *rapid.T) {
			roles := []string{"a", "b", "c", "d", "e", "f", "g"}
			byRole := map[string][]Grant{}
			var grants []Grant
			for range rapid.IntRange(0, 5).Draw(t, "grants") {
				g := Grant{
					Role:      rapid.SampledFrom(roles).Draw(t, "role"),
					Table:     "deal",
					Privilege: Read,
					Level:     Level(rapid.IntRange(int(Own), int(Organization)).Draw(t, "level")),
					Condition: rapid.SampledFrom(conditions[:4]).Draw(t, "condition").source,
					Hidden:    rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"cost", "title"}), 0, 2, rapid.ID).Draw(t, "hidden"),
				}
				grants, byRole[g.Role] = append(grants, g), append(byRole[g.Role], g)
			}
			data := data(roles, grants...)
			includes := map[string][]string{}
			for i, role := range roles {
				for _, from := range roles[i+1:] {
					if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
						data.inherit(role, from)
						includes[role] = append(includes[role], from)
					}
				}
			}
			data.Units = append(data.Units, BusinessUnit{ID: here, ParentID: &root}, BusinessUnit{ID: under, ParentID: &here}, BusinessUnit{ID: away, ParentID: &root})
			data.Users = []User{{ID: me, UnitID: here}}
			data.Teams = []Team{{ID: myTeam, UnitID: away}}
			data.Members = []Member{{ID: core.NewID(), TeamID: myTeam, UserID: me}}
			var ways []way
			for range rapid.IntRange(1, 3).Draw(t, "assignments") {
				w := way{role: rapid.SampledFrom(roles).Draw(t, "assigned"), unit: here}
				who := ofUser(me)
				if rapid.Bool().Draw(t, "to the team") {
					who, w.unit, w.apart = ofTeam(myTeam), away, rapid.Bool().Draw(t, "apart")
				}
				named := rapid.SampledFrom([]core.ID{"", "", here, under, away}).Draw(t, "unit")
				if named != "" {
					w.unit = named
				}
				ways = append(ways, w)
				data.Rules = append(data.Rules, newRule("g", []string{who, ofRole(w.role), placed(named, w.apart)}))
			}
			var follow func(w way) []way
			follow = func(w way) []way {
				out := []way{w}
				for _, from := range includes[w.role] {
					out = append(out, follow(way{from, w.unit, w.apart})...)
				}
				return out
			}
			var all []way
			for _, w := range ways {
				all = append(all, follow(w)...)
			}
			// Whether one of the grants, by one of the ways, reaches the row and leaves the column in.
			want := func(r core.Record, column string) bool {
				return slices.ContainsFunc(all, func(w way) bool {
					return slices.ContainsFunc(byRole[w.role], func(g Grant) bool { return w.reaches(g, r) && !slices.Contains(g.Hidden, column) })
				})
			}
			p, err := NewPolicy(s, set, data)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Caller(me, core.Cause{})
			if err != nil {
				t.Fatal(err)
			}
			dec, err := p.Decide(c, "deal", Read)
			if holds := slices.ContainsFunc(all, func(w way) bool { return len(byRole[w.role]) > 0 }); holds != (err == nil) {
				t.Fatalf("%v, of %v: %v", all, byRole, err)
			}
			if err != nil {
				return
			}
			check(t, d, c, dec.Rows, rows, func(r core.Record) bool { return want(r, "id") })
			for _, column := range []string{"cost", "title", "stage"} {
				visible, guard := dec.Column(column)
				if !visible {
					check(t, d, c, dec.Rows, rows, func(r core.Record) bool {
						if want(r, column) {
							t.Fatalf("%s of %v is hidden", column, r)
						}
						return want(r, "id")
					})
					continue
				}
				check(t, d, c, dec.Rows, rows, func(r core.Record) bool { return want(r, "id") })
				if guard != nil {
					check(t, d, c, guard, rows, func(r core.Record) bool { return want(r, column) })
				}
			}
		})
	})
}

// way is one way from an assignment to a role, and where it counts from.
type way struct {
	role  string
	unit  core.ID
	apart bool
}

func (w way) reaches(g Grant, r core.Record) bool {
	owner, unit := core.ID(r["owner_id"].(string)), core.ID(r["unit_id"].(string))
	in := owner == myTeam || owner == me && !w.apart
	switch g.Level {
	case Unit:
		in = in || unit == w.unit
	case UnitBelow:
		in = in || unit == w.unit || w.unit == here && unit == under
	case Organization:
		in = true
	}
	i := slices.IndexFunc(conditions, func(c struct {
		source string
		holds  func(core.Record) bool
	}) bool {
		return c.source == g.Condition
	})
	return in && conditions[i].holds(r)
}

// check compares an expression, in memory and in SQL, with what it should say of the rows.
func check(t *rapid.T, d *db.DB, c core.Caller, x *rules.Expr, rows []core.Record, want func(core.Record) bool) {
	found := where(t, d, "deal", c, x)
	for _, r := range rows {
		ok := x == nil
		if x != nil {
			var err error
			if ok, err = x.True(r, nil, c, nil); err != nil {
				t.Fatal(err)
			}
		}
		if w := want(r); ok != w || found[fmt.Sprint(r["id"])] != w {
			t.Fatalf("row %v: %v in memory, %v in SQL, want %v; roles %v, bases %+v", r, ok, found[fmt.Sprint(r["id"])], w, c.Roles, c.Bases)
		}
	}
}
