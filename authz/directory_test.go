package authz

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// company is a directory: units Organization > (sales > west), (support), and three users.
type company struct {
	sales, west, support core.ID
	ann, bob, cid        core.ID // in sales, west, support
	team                 core.ID // of bob and cid
}

func newCompany(t *testing.T, d *db.DB) *company {
	t.Helper()
	c := &company{}
	must(t, change(t, d, func(tx *gorm.DB) (err error) {
		unit := func(name string, parent core.ID) (id core.ID) {
			if err == nil {
				id, err = CreateUnit(tx, name, parent)
			}
			return id
		}
		c.sales = unit("Sales", core.RootUnit)
		c.west = unit("West", c.sales)
		c.support = unit("Support", core.RootUnit)
		user := func(name string, in core.ID) (id core.ID) {
			if err == nil {
				id, err = CreateUser(tx, NewUser{Name: name, Email: name + "@example.com", Unit: in})
			}
			return id
		}
		c.ann, c.bob, c.cid = user("ann", c.sales), user("bob", c.west), user("cid", c.support)
		if err != nil {
			return err
		}
		if c.team, err = CreateTeam(tx, "Night shift", ""); err != nil {
			return err
		}
		for _, u := range []core.ID{c.bob, c.cid, c.bob} {
			if err := AddMember(tx, c.team, u); err != nil {
				return err
			}
		}
		for _, r := range []string{"clerk", "manager", "auditor"} {
			if _, err := CreateRole(tx, r, ""); err != nil {
				return err
			}
		}
		return InheritRole(tx, "manager", "clerk")
	}))
	return c
}

func TestUnits(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newCompany(t, d)
		p := policyOf(t, d)
		below := func(unit core.ID, want ...core.ID) {
			t.Helper()
			slices.Sort(want)
			if got := policyOf(t, d).Below(unit); !slices.Equal(got, want) {
				t.Errorf("below %s: %v, want %v", unit, got, want)
			}
		}
		below(core.RootUnit, core.RootUnit, c.sales, c.west, c.support)
		below(c.sales, c.sales, c.west)
		below(c.west, c.west)
		move := func(id, parent core.ID) error {
			return change(t, d, func(tx *gorm.DB) error { return MoveUnit(tx, id, parent) })
		}
		wantKind(t, move(core.RootUnit, c.sales), core.Invalid, "top of the tree")
		wantKind(t, move(c.sales, c.west), core.Invalid, "below it")
		wantKind(t, move(c.sales, c.sales), core.Invalid)
		wantKind(t, move(c.sales, core.NewID()), core.NotFound, "no unit")
		wantKind(t, move(c.sales, "x"), core.Invalid, "no uuid")
		must(t, move(c.west, c.support))
		below(c.sales, c.sales)
		below(c.support, c.support, c.west)
		below(c.sales, c.sales)
		if got := p.Below(c.sales); len(got) != 2 {
			t.Error("a policy changed after it was made")
		}
		must(t, change(t, d, func(tx *gorm.DB) error { return RenameUnit(tx, c.west, " Wild West ") }))
		_, err := CreateUnit(d.Gorm(t.Context()), " ", c.west)
		wantKind(t, err, core.Invalid, "needs a name")
	})
}

func TestUsers(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newCompany(t, d)
		for _, n := range []struct {
			NewUser
			kind core.ErrKind
			says string
		}{
			{NewUser{Name: "", Email: "x@example.com"}, core.Invalid, "needs a name"},
			{NewUser{Name: "X", Email: "x"}, core.Invalid, "name@example.com"},
			{NewUser{Name: "X", Email: "X <x@example.com>"}, core.Invalid, "name@example.com"},
			{NewUser{Name: "X", Email: "x@example.com", Unit: core.NewID()}, core.NotFound, "no unit"},
			{NewUser{Name: "X", Email: "ANN@example.COM"}, core.Exists, "_user.email"},
		} {
			wantKind(t, change(t, d, func(tx *gorm.DB) error { _, err := CreateUser(tx, n.NewUser); return err }), n.kind, n.says)
		}
		must(t, change(t, d, func(tx *gorm.DB) error { return RenameUser(tx, c.ann, "Anna", "ANN@example.com") }))
		wantKind(t, change(t, d, func(tx *gorm.DB) error { return RenameUser(tx, c.ann, "Anna", "bob@example.com") }), core.Exists)
		wantKind(t, change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, core.NewID(), true) }), core.NotFound)
		// Whoever goes around the check meets the index.
		err := change(t, d, func(tx *gorm.DB) error {
			return tx.Create(&account{User: User{ID: core.NewID(), Name: "X", Email: "BOB@example.com", UnitID: c.west, CreatedAt: db.Now(), ChangedAt: db.Now()}}).Error
		})
		wantKind(t, err, core.Exists)
	})
}

func TestCaller(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newCompany(t, d)
		must(t, change(t, d, func(tx *gorm.DB) error {
			for _, a := range []Assignment{
				{User: c.ann, Role: "manager"},
				{User: c.ann, Role: "manager"}, // twice is once
				{Team: c.team, Role: "clerk", Unit: c.sales},
				{User: c.cid, Role: "auditor", Unit: c.support},
			} {
				if err := AssignRole(tx, a); err != nil {
					return err
				}
			}
			return nil
		}))
		wants := func(user core.ID, unit core.ID, below, teams int, roles string) {
			t.Helper()
			got, err := policyOf(t, d).Caller(user, core.Cause{Kind: "api", Depth: 1})
			must(t, err)
			if got.User != user || got.Unit != unit || len(got.Below) != below || len(got.Teams) != teams || fmt.Sprint(got.Roles) != roles || got.Cause.Depth != 1 {
				t.Errorf("%+v, want unit %s, %d below, %d teams, roles %s", got, unit, below, teams, roles)
			}
		}
		wants(c.ann, c.sales, 2, 1, "[clerk manager]") // the team of the unit
		wants(c.bob, c.west, 1, 2, "[clerk]")          // through the other team
		wants(c.cid, c.support, 1, 2, "[auditor clerk]")
		must(t, change(t, d, func(tx *gorm.DB) error { return MoveUser(tx, c.cid, c.west) }))
		wants(c.cid, c.west, 1, 2, "[auditor clerk]")

		must(t, change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, c.ann, true) }))
		_, err := policyOf(t, d).Caller(c.ann, core.Cause{})
		wantKind(t, err, core.Unknown, "disabled")
		_, err = policyOf(t, d).Caller(core.NewID(), core.Cause{})
		wantKind(t, err, core.Unknown)
		_, err = policyOf(t, d).Caller(core.SystemID, core.Cause{})
		wantKind(t, err, core.Unknown)
	})
}

func TestRoles(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newCompany(t, d)
		do := func(f func(tx *gorm.DB) error) error { return change(t, d, f) }
		wantKind(t, do(func(tx *gorm.DB) error { return InheritRole(tx, "clerk", "manager") }), core.Invalid, "circle")
		wantKind(t, do(func(tx *gorm.DB) error { return InheritRole(tx, "clerk", "clerk") }), core.Invalid, "circle")
		wantKind(t, do(func(tx *gorm.DB) error { return InheritRole(tx, "clerk", "managr") }), core.NotFound, "did you mean manager")
		wantKind(t, do(func(tx *gorm.DB) error { _, err := CreateRole(tx, "clerk", ""); return err }), core.Exists)
		wantKind(t, do(func(tx *gorm.DB) error { _, err := CreateRole(tx, "Big Boss", ""); return err }), core.Invalid)
		wantKind(t, do(func(tx *gorm.DB) error { return AssignRole(tx, Assignment{Role: "clerk"}) }), core.Invalid, "either")
		wantKind(t, do(func(tx *gorm.DB) error {
			return AssignRole(tx, Assignment{User: c.ann, Role: Administrator, Unit: c.west})
		}), core.Invalid)
		wantKind(t, do(func(tx *gorm.DB) error { return UnassignRole(tx, Assignment{User: c.ann, Role: "clerk"}) }), core.NotFound)
		wantKind(t, do(func(tx *gorm.DB) error { return DropRole(tx, Administrator) }), core.Invalid)
		wantKind(t, do(func(tx *gorm.DB) error { return DisinheritRole(tx, "clerk", "manager") }), core.NotFound)

		must(t, do(func(tx *gorm.DB) error {
			return PutGrants(tx, "clerk", Grant{Table: "_user", Privilege: Read, Level: Organization})
		}))
		must(t, do(func(tx *gorm.DB) error { return AssignRole(tx, Assignment{User: c.ann, Role: "clerk"}) }))
		must(t, do(func(tx *gorm.DB) error { return DropRole(tx, "clerk") }))
		var n int64
		must(t, d.Gorm(t.Context()).Model(&Rule{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d rules are left of a dropped role", n)
		}
		policyOf(t, d)
		last := "auditor"
		for i := range maxRoleDepth {
			next := fmt.Sprintf("step%d", i)
			must(t, do(func(tx *gorm.DB) error {
				if _, err := CreateRole(tx, next, ""); err != nil {
					return err
				}
				return InheritRole(tx, next, last)
			}))
			last = next
		}
		wantKind(t, do(func(tx *gorm.DB) error { return InheritRole(tx, "manager", last) }), core.Limit)
		must(t, do(func(tx *gorm.DB) error { return AssignRole(tx, Assignment{User: c.bob, Role: last}) }))
		caller, err := policyOf(t, d).Caller(c.bob, core.Cause{})
		must(t, err)
		if len(caller.Roles) != maxRoleDepth+1 {
			t.Errorf("%d roles at the end of the longest chain", len(caller.Roles))
		}
	})
}

// Somebody can always administer the rest.
func TestLastAdministrator(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newCompany(t, d)
		do := func(f func(tx *gorm.DB) error) error { return change(t, d, f) }
		must(t, do(func(tx *gorm.DB) error { return DisableUser(tx, c.cid, true) })) // nobody is one yet
		must(t, do(func(tx *gorm.DB) error { return AssignRole(tx, Assignment{User: c.ann, Role: Administrator}) }))
		leave := map[string]func(tx *gorm.DB) error{
			"unassign": func(tx *gorm.DB) error { return UnassignRole(tx, Assignment{User: c.ann, Role: Administrator}) },
			"disable":  func(tx *gorm.DB) error { return DisableUser(tx, c.ann, true) },
		}
		for _, f := range leave {
			wantKind(t, do(f), core.Invalid, "nobody would be an administrator")
		}
		must(t, do(func(tx *gorm.DB) error { return InheritRole(tx, "manager", Administrator) }))
		must(t, do(func(tx *gorm.DB) error { return AssignRole(tx, Assignment{Team: c.team, Role: "manager"}) }))
		must(t, do(leave["disable"])) // bob is one, through the team
		for name, f := range map[string]func(tx *gorm.DB) error{
			"leave the team":   func(tx *gorm.DB) error { return RemoveMember(tx, c.team, c.bob) },
			"disable":          func(tx *gorm.DB) error { return DisableUser(tx, c.bob, true) },
			"drop the role":    func(tx *gorm.DB) error { return DropRole(tx, "manager") },
			"stop inheriting":  func(tx *gorm.DB) error { return DisinheritRole(tx, "manager", Administrator) },
			"unassign manager": func(tx *gorm.DB) error { return UnassignRole(tx, Assignment{Team: c.team, Role: "manager"}) },
		} {
			if err := do(f); core.KindOf(err) != core.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, do(func(tx *gorm.DB) error { return RemoveMember(tx, c.team, c.cid) })) // he is disabled
		wantKind(t, do(func(tx *gorm.DB) error { return RemoveMember(tx, c.team, c.cid) }), core.NotFound)
	})
}

func TestStoredGrants(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		newCompany(t, d)
		put := func(g Grant) error { return change(t, d, func(tx *gorm.DB) error { return PutGrants(tx, g.Role, g) }) }
		g := Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Hidden: []string{"stage", "cost", "cost"}}
		must(t, put(g))
		must(t, put(g))
		g.Level = Unit
		must(t, put(g)) // beside it
		g.Condition, g.Level, g.Hidden = `stage == "it's ""open"", 100%"`, Organization, nil
		must(t, put(g)) // beside it
		must(t, put(Grant{Role: "clerk", Action: "run_flows"}))
		must(t, put(Grant{Role: "clerk", Action: "run_flows"}))
		wantKind(t, put(Grant{Role: "clark", Action: "run_flows"}), core.NotFound, "did you mean clerk")

		grants := func() (out []string) {
			data, err := Load(d.Gorm(t.Context()))
			must(t, err)
			for _, r := range data.Rules {
				if r.Ptype == "p" {
					g, err := grantOf(r.values())
					must(t, err)
					out = append(out, fmt.Sprintf("%s %s %s %s %v", g, g.Action, g.Level, g.Condition, g.Hidden))
				}
			}
			slices.Sort(out)
			return out
		}
		twice := []Grant{{Table: "deal", Privilege: Update, Level: Own}, {Table: "deal", Privilege: Update, Level: Own, Hidden: []string{"cost"}}, {Table: "deal", Privilege: Update, Level: Unit}}
		must(t, change(t, d, func(tx *gorm.DB) error { return PutGrants(tx, "clerk", twice...) })) // of the first two the last
		must(t, change(t, d, func(tx *gorm.DB) error { return PutGrants(tx, "clerk") }))
		want := []string{
			`role "clerk", action run_flows run_flows none  []`,
			`role "clerk", read deal  organization stage == "it's ""open"", 100%" []`,
			`role "clerk", read deal  own  [cost stage]`,
			`role "clerk", read deal  unit  [cost stage]`,
			`role "clerk", update deal  own  [cost]`,
			`role "clerk", update deal  unit  []`,
		}
		if got := grants(); !slices.Equal(got, want) {
			t.Errorf("stored:\n%q\nwant:\n%q", got, want)
		}
		drop := func(g Grant) error { return change(t, d, func(tx *gorm.DB) error { return DropGrant(tx, g) }) }
		must(t, drop(g))
		wantKind(t, drop(g), core.NotFound)
		must(t, drop(Grant{Role: "clerk", Action: "run_flows"}))
		if got := grants(); !slices.Equal(got, want[2:]) {
			t.Errorf("left: %q", got)
		}
	})
}

// The adapter does what casbin expects of one.
func TestAdapter(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		must(t, change(t, d, func(tx *gorm.DB) error {
			a := &adapter{tx: tx}
			e, err := newEnforcer(a, nil, nil)
			if err != nil {
				return err
			}
			rule := func(role, table string) []string {
				return Grant{Role: role, Table: table, Privilege: Read, Level: Organization}.rule()
			}
			for _, r := range [][]string{rule("a", "x"), rule("a", "y"), rule("b", "x")} {
				if _, err := e.AddPolicy(r); err != nil {
					return err
				}
			}
			if _, err := e.AddGroupingPolicies([][]string{{"role:b", "role:a", "*"}, {"user:1", "role:b", "*"}}); err != nil {
				return err
			}
			if _, err := e.RemovePolicy(rule("b", "x")); err != nil {
				return err
			}
			check := func(e interface {
				Enforce(...any) (bool, error)
			}, want ...bool) {
				t.Helper()
				for i, r := range [][]any{{"user:1", "u", "x", "read"}, {"user:1", "u", "y", "read"}, {"user:1", "u", "x", "delete"}, {"user:2", "u", "x", "read"}} {
					if ok, err := e.Enforce(r...); err != nil || ok != want[i] {
						t.Errorf("%v: %v %v, want %v", r, ok, err, want[i])
					}
				}
			}
			check(e, true, true, false, false)
			again, err := newEnforcer(a, nil, nil)
			if err != nil {
				return err
			}
			check(again, true, true, false, false)
			if err := again.SavePolicy(); err != nil {
				return err
			}
			if _, err := again.RemoveFilteredPolicy(1, "y"); err != nil {
				return err
			}
			if again, err = newEnforcer(a, nil, nil); err != nil {
				return err
			}
			check(again, true, false, false, false)
			part, err := newEnforcer(&adapter{tx: tx}, nil, Rule{Ptype: "g"})
			if err != nil {
				return err
			}
			if err := part.SavePolicy(); err == nil {
				t.Error("a part of the policy was saved in place of all of it")
			}
			return nil
		}))
	})
}

// Two administrators who disable each other at the same time: one of them stays.
func TestAdministratorsCross(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newCompany(t, d)
		both := []core.ID{c.ann, c.bob}
		for _, u := range both {
			must(t, change(t, d, func(tx *gorm.DB) error { return AssignRole(tx, Assignment{User: u, Role: Administrator}) }))
		}
		results := make(chan error, len(both))
		for _, u := range both {
			go func() { results <- change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, u, true) }) }()
		}
		if a, b := <-results, <-results; (a == nil) == (b == nil) {
			t.Errorf("%v and %v: one of the two must be refused", a, b)
		}
	})
}

// What the tables declare is there, and what proves an identity is not declared.
func TestTables(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		newCompany(t, d)
		s, _ := world(t)
		for _, table := range s.Tables() {
			if !table.Builtin || table.Owned() || table.Name[0] != '_' {
				t.Errorf("%s is no built-in table", table.Name)
			}
			var names []string
			for _, c := range table.Columns {
				names = append(names, c.Name)
				for _, secret := range []string{"password", "hash", "token", "secret"} {
					if strings.Contains(c.Name, secret) {
						t.Errorf("%s.%s can be read", table.Name, c.Name)
					}
				}
			}
			b := db.New(d.Dialect).Write("SELECT ").Names(names...).Write(" FROM ").Name(table.Name)
			if err := d.Query(t.Context(), b, func(func(...any) error) error { return nil }); err != nil {
				t.Errorf("%s: %v", b, err)
			}
		}
	})
}
