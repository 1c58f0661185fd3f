package authz

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
)

func TestNewPolicyRefuses(t *testing.T) {
	t.Parallel()
	s, set := world(t, deal(), country())
	for _, c := range []struct {
		g    Grant
		kind core.ErrKind
		says []string
	}{
		{Grant{Role: "clark", Table: "deal", Privilege: Read, Level: Own}, core.NotFound, []string{"clark", "did you mean clerk"}},
		{Grant{Role: "clerk", Table: "deals", Privilege: Read, Level: Own}, core.NotFound, []string{`deals: role "clerk"`, "no such table"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: "peek", Level: Own}, core.Invalid, []string{"peek", "there are: create, read, update, delete, append, append_to, assign, share"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read}, core.Invalid, []string{"level is missing", "unit_and_below"}},
		{Grant{Role: "clerk", Table: "country", Privilege: Read, Level: UnitBelow}, core.Invalid, []string{"user-owned", "choose the level organization"}},
		{Grant{Role: "clerk", Table: "_user", Privilege: Update, Level: Organization}, core.Invalid, []string{"built-in"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Hidden: []string{"coast"}}, core.Invalid, []string{"deal.coast", "clerk", "did you mean cost"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Hidden: []string{"id"}}, core.Invalid, []string{"primary key"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Delete, Level: Own, Hidden: []string{"cost"}}, core.Invalid, []string{"only create, read and update"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: "own", Level: Own}, core.Invalid, []string{"own", "no privilege"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: AppendTo, Level: Own, Hidden: []string{"cost"}}, core.Invalid, []string{"only create, read and update"}},
		{Grant{Role: "clerk", Table: "country", Privilege: Share, Level: Organization}, core.Invalid, []string{"share country", "belong to the organization"}},
		{Grant{Role: "clerk", Table: "country", Privilege: Assign, Level: Organization}, core.Invalid, []string{"nothing to assign"}},
		{Grant{Role: "clerk", Action: "view_system"}, core.Invalid, []string{"view_system", "there are"}},
		{Grant{Role: "clerk", Action: "fly"}, core.Invalid, []string{"fly", "manage_access"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Condition: "amount >"}, core.Invalid, []string{"deal", "clerk", "line 1:"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Condition: "stage == 'a' &&\n  salary > 1"}, core.Invalid, []string{"clerk", "line 2:3", "salary"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Condition: "amount + 1"}, core.Invalid, []string{"clerk", "condition"}},
		{Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Condition: "true) || (true"}, core.Invalid, []string{"clerk", "line 1:"}},
	} {
		_, err := NewPolicy(s, set, data([]string{"clerk"}, c.g))
		wantKind(t, err, c.kind, c.says...)
	}
	d := data([]string{"clerk"})
	d.Rules = append(d.Rules, newRule("p", []string{"role:clerk", "deal", "read", "everything", "", "[]"}))
	_, err := NewPolicy(s, set, d)
	wantKind(t, err, core.Invalid, "everything", "unit_and_below")
	d.Rules[0] = newRule("p", []string{"role:clerk", "deal", "read", "own", "", "{}"})
	_, err = NewPolicy(s, set, d)
	wantKind(t, err, core.Invalid, "JSON")
}

func TestDecideWhoever(t *testing.T) {
	t.Parallel()
	s, set := world(t, deal(), country())
	d := data([]string{"clerk", "boss", "root"}, Grant{Role: "clerk", Table: "country", Privilege: Read, Level: Organization}, Grant{Role: "clerk", Action: "run_flows"})
	d.inherit("boss", "clerk")
	d.inherit("root", Administrator)
	p, err := NewPolicy(s, set, d)
	must(t, err)
	for _, c := range []struct {
		caller core.Caller
		table  string
		priv   Privilege
		ok     bool
	}{
		{core.Caller{}, "country", Read, false},
		{core.Caller{User: "u"}, "country", Read, false},
		{core.Caller{User: "u", Roles: []string{"clerk"}}, "country", Read, true},
		{core.Caller{User: "u", Roles: []string{"boss", "gone", "boss"}}, "country", Read, true},
		{core.Caller{User: "u", Roles: []string{"boss"}}, "country", Update, false},
		{core.Caller{User: "u", Roles: []string{"boss"}}, "nothing", Read, false},
		{core.Caller{User: "u", Roles: []string{"boss"}}, "country", "peek", false},
		{core.Caller{User: "u", Roles: []string{"clerk"}}, "_user", Read, false},
		{core.Caller{User: "u", Roles: []string{Administrator}}, "country", Delete, true},
		{core.Caller{User: "u", Roles: []string{"root"}}, "deal", Delete, true},
		{core.Caller{User: "u", Roles: []string{Administrator}}, "_user", Read, true},
		{core.Caller{User: "u", Roles: []string{Administrator}}, "_user", Update, false},
		{core.Caller{User: "u", Roles: []string{Administrator}}, "nothing", Read, false},
		{core.System("setup"), "_user", Update, true},
		{core.System("setup"), "nothing", Read, false},
	} {
		got, err := p.Decide(c.caller, c.table, c.priv)
		if (err == nil) != c.ok || c.ok && (got.Rows != nil || got.Hides()) {
			t.Errorf("%v %s %s: %+v %v, want %v", c.caller, c.table, c.priv, got, err, c.ok)
		}
		if !c.ok {
			wantKind(t, err, core.Denied)
		}
		if grants := p.Ways(c.caller, c.table, c.priv); (len(grants) > 0) != c.ok {
			t.Errorf("%v %s %s: explained by %v", c.caller, c.table, c.priv, grants)
		}
	}
	// A table out of reach and one that is not there are told apart by nothing but the name that was asked for.
	_, denied := p.Decide(core.Caller{User: "u"}, "deal", Read)
	_, missing := p.Decide(core.Caller{User: "u"}, "deals", Read)
	if a, b := core.AsError(denied), core.AsError(missing); a.Msg != b.Msg || a.Kind != b.Kind {
		t.Errorf("%v and %v differ", denied, missing)
	}
	must(t, p.May(core.Caller{User: "u", Roles: []string{"boss"}}, "run_flows"))
	must(t, p.May(core.Caller{User: "u", Roles: []string{"root"}}, "manage_access"))
	must(t, p.May(core.Caller{User: "u"}, ""))
	must(t, p.May(core.System("setup"), "manage_access"))
	wantKind(t, p.May(core.Caller{User: "u", Roles: []string{"boss"}}, "manage_access"), core.Denied, "manage access")
	wantKind(t, p.May(core.Caller{}, ""), core.Unknown)
}

// The compiled policy and casbin agree, whatever the roles include and wherever they are held.
func TestCasbinAgrees(t *testing.T) {
	t.Parallel()
	secret := deal()
	for i := range secret.Columns {
		if secret.Columns[i].Name == "cost" {
			secret.Columns[i].Classes = []string{"trade"}
		}
	}
	s, set := worldOf(t, core.Shared{Classes: []core.DataClass{{Name: "trade"}}}, secret, country())
	tables := []string{"deal", "country", "_user"}
	id := func(kind, i int) core.ID { return core.ID(fmt.Sprintf("00000000-0000-7000-8%03d-%012d", kind, i)) }
	rapid.Check(t, func(t *rapid.T) {
		roles := make([]string, rapid.IntRange(1, 7).Draw(t, "roles"))
		for i := range roles {
			roles[i] = fmt.Sprintf("r%d", i)
		}
		role := rapid.SampledFrom(append([]string{Administrator}, roles...))
		var grants []Grant
		for range rapid.IntRange(0, 12).Draw(t, "grants") {
			g := Grant{Role: rapid.SampledFrom(roles).Draw(t, "role")}
			if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
				g.Action = rapid.SampledFrom(Actions).Draw(t, "action").Name
			} else {
				g.Table, g.Privilege, g.Level = rapid.SampledFrom(tables).Draw(t, "table"), Read, Organization
				of, _ := s.Table(g.Table)
				g.Privilege = rapid.SampledFrom(PrivilegesOn(of)).Draw(t, "privilege")
			}
			grants = append(grants, g)
		}
		d := data(roles, grants...)
		deny := map[string]bool{}
		for i := range d.Roles {
			if r := &d.Roles[i]; r.Name != Administrator && rapid.IntRange(0, 4).Draw(t, "denies") == 0 {
				r.DeniedClasses, deny[r.Name] = `["trade"]`, true
			}
		}
		for i := range roles { // a DAG: to later roles only, or to the administrator
			for j := i + 1; j < len(roles); j++ {
				if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
					d.inherit(roles[i], roles[j])
				}
			}
			if rapid.IntRange(0, 20).Draw(t, "administrator") == 0 {
				d.inherit(roles[i], Administrator)
			}
		}
		units := []core.ID{core.RootUnit}
		for i := range rapid.IntRange(0, 5).Draw(t, "units") {
			parent := rapid.SampledFrom(units).Draw(t, "parent")
			d.Units = append(d.Units, BusinessUnit{ID: id(1, i), ParentID: &parent})
			units = append(units, id(1, i))
		}
		assign := func(who string) {
			for range rapid.IntRange(0, 2).Draw(t, "assignments") {
				var unit core.ID
				r := role.Draw(t, "assigned")
				if rapid.Bool().Draw(t, "in a unit") {
					unit = rapid.SampledFrom(units).Draw(t, "domain")
				}
				apart := strings.HasPrefix(who, "team:") && rapid.Bool().Draw(t, "apart")
				d.Rules = append(d.Rules, newRule("g", []string{who, ofRole(r), placed(unit, apart)}))
			}
		}
		for i := range 3 {
			d.Teams = append(d.Teams, Team{ID: id(2, i), UnitID: rapid.SampledFrom(units).Draw(t, "unit of the team")})
			assign(ofTeam(id(2, i)))
		}
		for _, u := range units {
			d.Teams = append(d.Teams, Team{ID: u, UnitID: u, UnitDefault: true})
		}
		if rapid.Bool().Draw(t, "default team") {
			assign(ofTeam(rapid.SampledFrom(units).Draw(t, "whose")))
		}
		for i := range 3 {
			d.Users = append(d.Users, User{ID: id(3, i), UnitID: rapid.SampledFrom(units).Draw(t, "unit")})
			assign(ofUser(id(3, i)))
			if rapid.Bool().Draw(t, "in a team") {
				d.Members = append(d.Members, Member{UserID: id(3, i), TeamID: rapid.SampledFrom(d.Teams[:3]).Draw(t, "team").ID})
			}
		}
		p, err := NewPolicy(s, set, d)
		if err != nil {
			t.Fatal(err)
		}
		oracle, err := newEnforcer(memory{rules: d.explicit()}, func(requested, domain string) bool { return requested == domain }, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range d.Users {
			c, err := p.Caller(u.ID, core.Cause{})
			if err != nil {
				t.Fatal(err)
			}
			agree := func(obj, act string, got error) {
				want := false
				for _, unit := range units { // that a role counts from one of them is enough to hold it
					ok, err := oracle.Enforce(ofUser(u.ID), string(unit), obj, act)
					if err != nil {
						t.Fatal(err)
					}
					want = want || ok
				}
				if (got == nil) != want {
					t.Fatalf("user %s in %s, %s %s: casbin says %v, the policy %v; roles %v", u.ID, u.UnitID, act, obj, want, got, c.Roles)
				}
			}
			for _, table := range tables {
				for _, priv := range Privileges {
					if table == "_user" && priv != Read {
						continue // nobody writes it, which casbin need not know
					}
					_, err := p.Decide(c, table, priv)
					agree(table, string(priv), err)
				}
			}
			for _, a := range Actions {
				agree(anyTable, a.Name, p.May(c, a.Name))
			}
			denied := false
			for _, unit := range units {
				got, err := oracle.GetImplicitRolesForUser(ofUser(u.ID), string(unit))
				denied = denied || slices.ContainsFunc(got, func(r string) bool { return deny[strings.TrimPrefix(r, "role:")] })
				for _, name := range append([]string{Administrator}, roles...) {
					if err != nil || slices.Contains(got, ofRole(name)) != slices.Contains(from(c, name), unit) {
						t.Fatalf("in %s casbin resolves %v, the policy %v: %v", unit, got, c, err)
					}
				}
			}
			for _, priv := range Privileges { // a class that one of his roles denies is hidden, whatever the others give
				may, err := p.Decide(c, "deal", priv)
				if err != nil {
					continue
				}
				cost, _ := may.Column("cost")
				margin, _ := may.Column("margin") // which is calculated from it
				if want := !denied || !priv.Columns(); cost != want || margin != want {
					t.Fatalf("%s of %v: cost is %v and margin %v, and casbin says that it is denied: %v", priv, c.Roles, cost, margin, denied)
				}
			}
		}
	})
}

// from returns the units that a role of the caller counts from.
func from(c core.Caller, role string) []core.ID {
	for _, b := range c.Bases {
		if slices.Contains(b.Roles, role) {
			return b.Units
		}
	}
	if c.HasRole(role) {
		return []core.ID{c.Unit}
	}
	return nil
}

// explicit returns the rules and the membership of teams in casbin's form, with the unit that each assignment counts from.
func (d *Data) explicit() (out []Rule) {
	home := map[string]core.ID{}
	for _, u := range d.Users {
		home[ofUser(u.ID)] = u.UnitID
	}
	for _, t := range d.Teams {
		home[ofTeam(t.ID)] = t.UnitID
		for _, u := range d.Users {
			if t.UnitDefault && u.UnitID == t.UnitID {
				out = append(out, newRule("g", []string{ofUser(u.ID), ofTeam(t.ID), everywhere}))
			}
		}
	}
	for _, m := range d.Members {
		out = append(out, newRule("g", []string{ofUser(m.UserID), ofTeam(m.TeamID), everywhere}))
	}
	for _, r := range d.Rules {
		if unit, of := home[r.V0]; of && r.Ptype == "g" {
			named, _ := placeOf(r.V2)
			if named != "" {
				unit = named
			}
			r = newRule("g", []string{r.V0, r.V1, string(unit)})
		}
		out = append(out, r)
	}
	return out
}

func TestCheckGrant(t *testing.T) {
	t.Parallel()
	s, set := world(t, deal(), country())
	d := data([]string{"lead", "clerk", "powerful", "boss"},
		Grant{Role: "lead", Table: "deal", Privilege: Read, Level: UnitBelow, Hidden: []string{"cost"}},
		Grant{Role: "lead", Table: "deal", Privilege: Read, Level: Organization, Condition: `stage == "public"`, Hidden: []string{"cost", "amount"}},
		Grant{Role: "lead", Table: "deal", Privilege: Update, Level: Unit},
		Grant{Role: "lead", Action: "manage_access"},
		Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Own, Hidden: []string{"cost"}},
		Grant{Role: "powerful", Table: "deal", Privilege: Delete, Level: Own},
	)
	d.inherit("boss", Administrator)
	west, unit := core.ID("00000000-0000-7000-8001-000000000001"), core.RootUnit
	d.Units = append(d.Units, BusinessUnit{ID: west, ParentID: &unit})
	ann, team := core.ID("00000000-0000-7000-8003-000000000001"), core.ID("00000000-0000-7000-8002-000000000001")
	d.Users = append(d.Users, User{ID: ann, UnitID: west})
	d.Teams = append(d.Teams, Team{ID: team, UnitID: west}, Team{ID: "t2", UnitID: core.RootUnit})
	d.Members = append(d.Members, Member{TeamID: team, UserID: ann})
	d.Rules = append(d.Rules, newRule("g", []string{ofTeam(team), ofRole("powerful"), everywhere}))
	p, err := NewPolicy(s, set, d)
	must(t, err)
	lead := core.Caller{User: "u", Unit: west, Below: []core.ID{west}, Roles: []string{"lead"}}
	admin := core.Caller{User: "a", Roles: []string{Administrator}}
	for _, c := range []struct {
		g    Grant
		says string // why not; "" when it may be given
	}{
		{Grant{Table: "deal", Privilege: Read, Level: Own, Hidden: []string{"cost"}}, ""},
		{Grant{Table: "deal", Privilege: Read, Level: UnitBelow, Hidden: []string{"cost", "stage"}}, ""},
		{Grant{Table: "deal", Privilege: Read, Level: Unit}, "deal.cost"},
		{Grant{Table: "deal", Privilege: Read, Level: Organization, Hidden: []string{"cost"}}, "more rows"},
		{Grant{Table: "deal", Privilege: Read, Level: Organization, Condition: `stage == "public"`, Hidden: []string{"cost", "amount"}}, ""},
		{Grant{Table: "deal", Privilege: Read, Level: Organization, Condition: `stage == "public"`, Hidden: []string{"cost"}}, "deal.amount"},
		{Grant{Table: "deal", Privilege: Read, Level: Organization, Condition: `stage == "secret"`, Hidden: []string{"cost", "amount"}}, "more rows"},
		{Grant{Table: "deal", Privilege: Read, Level: Unit, Condition: `title == "x"`, Hidden: []string{"cost"}}, ""},
		{Grant{Table: "deal", Privilege: Read, Level: Unit, Condition: `cost > 100`, Hidden: []string{"cost"}}, "you do not see"},
		{Grant{Table: "deal", Privilege: Update, Level: Own, Condition: `cost > 100`}, "you do not see"},
		{Grant{Table: "deal", Privilege: Update, Level: Unit}, ""},
		{Grant{Table: "deal", Privilege: Delete, Level: Own}, "do not hold"},
		{Grant{Table: "country", Privilege: Read, Level: Organization}, "do not hold"},
		{Grant{Action: "manage_access"}, ""},
		{Grant{Action: "define_tables"}, "do not hold"},
	} {
		c.g.Role = "clerk"
		err := p.CheckGrant(lead, c.g)
		if c.says == "" && err != nil {
			t.Errorf("%+v: %v", c.g, err)
		} else if c.says != "" {
			wantKind(t, err, core.Denied, c.says)
		}
		if err := p.CheckGrant(admin, c.g); err != nil {
			t.Errorf("the administrator may not give %+v: %v", c.g, err)
		}
	}
	wantKind(t, p.CheckGrant(admin, Grant{Role: Administrator, Action: "run_flows"}), core.Invalid)
	must(t, p.CheckGrant(lead, Grant{Role: "made_just_now", Action: "manage_access"}))
	must(t, p.CheckRole(lead, "lead"))
	must(t, p.CheckRole(lead, "clerk"))
	wantKind(t, p.CheckRole(lead, "powerful"), core.Denied, "deal")
	wantKind(t, p.CheckRole(lead, "boss"), core.Denied, "only an administrator")
	wantKind(t, p.CheckRole(lead, "nobody"), core.NotFound)
	wantKind(t, p.CheckTeam(lead, team), core.Denied, "do not hold")
	wantKind(t, p.CheckTeam(lead, "t2"), core.Denied, "unit")
	wantKind(t, p.CheckTeam(lead, "t3"), core.NotFound)
	wantKind(t, p.CheckUser(lead, ann), core.Denied)
	wantKind(t, p.CheckUser(admin, "x"), core.NotFound)
	must(t, p.CheckUser(admin, ann))
	must(t, p.CheckUnit(lead, west))
	wantKind(t, p.CheckUnit(lead, core.RootUnit), core.Denied)
}

// A policy serves many requests at a time; whoever asks first, all get the same decision.
func TestDecideConcurrently(t *testing.T) {
	t.Parallel()
	s, set := world(t, deal(), country())
	roles := []string{"a", "b", "c", "d"}
	var grants []Grant
	for i, r := range roles {
		grants = append(grants, Grant{Role: r, Table: "deal", Privilege: Read, Level: Own + Level(i), Hidden: []string{"cost"}})
	}
	p, err := NewPolicy(s, set, data(roles, grants...))
	must(t, err)
	var running sync.WaitGroup
	found := make([][16]*Decision, 8)
	for g := range found {
		running.Go(func() {
			for i := range 16 {
				bits := (i + 5*g) % 16
				c := core.Caller{User: "u"}
				for j, r := range roles {
					if bits&(1<<j) != 0 {
						c.Roles = append(c.Roles, r)
					}
				}
				d, err := p.Decide(c, "deal", Read)
				if (err == nil) != (bits > 0) {
					t.Errorf("roles %v: %v", c.Roles, err)
				}
				found[g][bits] = d
				p.Below(core.RootUnit)
			}
		})
	}
	running.Wait()
	for bits := 1; bits < 16; bits++ {
		for g := range found {
			a, b := found[0][bits], found[g][bits]
			if a.Rows != b.Rows || a.Hides() != b.Hides() {
				t.Errorf("roles %b: two decisions", bits)
			}
		}
	}
}

// More sets of roles than are kept are decided all the same.
func TestManyRoleSets(t *testing.T) {
	t.Parallel()
	s, set := world(t, country())
	roles := make([]string, 1100) // more than the key on the stack holds
	for i := range roles {
		roles[i] = fmt.Sprintf("r%d", i)
	}
	p, err := NewPolicy(s, set, data(roles, Grant{Role: "r1099", Table: "country", Privilege: Read, Level: Organization}))
	must(t, err)
	for i := range 3 * maxRoleSets / 2 {
		c := core.Caller{User: "u", Roles: []string{roles[i%1099], roles[i/1099]}}
		_, err := p.Decide(c, "country", Read)
		wantKind(t, err, core.Denied)
		c.Roles = append(c.Roles, "r1099")
		if _, err := p.Decide(c, "country", Read); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(*p.sets.Load()); n > maxRoleSets+1 {
		t.Errorf("%d sets of roles are kept", n)
	}
}
