package authz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/rules"
)

// Administrator is the built-in role that holds every right.
const Administrator = "administrator"

// Data is everything that a policy is made of, as the database holds it.
type Data struct {
	Units   []BusinessUnit
	Users   []User
	Teams   []Team
	Members []Member
	Roles   []Role
	Rules   []Rule
	Limits  []QueryLimit
	Shared  []string // the physical names of the tables of which records are shared

	Positions   []Position
	Hierarchies []Hierarchy // one

	Profiles []ColumnProfile
	Holders  []ProfileHolder
}

// Load reads the data of a policy, in the context of g. Within a transaction the parts fit together.
func Load(g *gorm.DB) (*Data, error) {
	d := &Data{}
	var n int64
	if err := g.Model(&Rule{}).Count(&n).Error; err != nil {
		return nil, err
	}
	d.Rules = make([]Rule, 0, n) // of all, they are the ones that are many
	for _, to := range []any{&d.Units, &d.Users, &d.Teams, &d.Members, &d.Roles, &d.Rules, &d.Limits, &d.Positions, &d.Hierarchies, &d.Profiles, &d.Holders} {
		if err := g.Order("id").Find(to).Error; err != nil {
			return nil, err // the transaction classifies it
		}
	}
	once := map[string]string{} // many rules name few things
	for i := range d.Rules {
		for _, f := range d.Rules[i].fields() {
			if _, ok := once[*f]; !ok {
				once[*f] = *f
			}
			*f = once[*f]
		}
	}
	shared := `SELECT t.name FROM "_table" t WHERE EXISTS (SELECT 1 FROM "_share" s WHERE s.table_name = t.name) ORDER BY t.name`
	return d, g.Raw(shared).Scan(&d.Shared).Error
}

// Policy is the compiled form of a [Data] for a schema. It is immutable, but for caches of what follows from it.
type Policy struct {
	schema  *core.Schema
	set     *rules.Set
	roles   map[string]int  // index of a role by its name
	names   []string        // the reverse
	implied [][]int         // the roles that a role includes, itself among them
	direct  [][]int         // those that it includes by itself
	strong  map[string]bool // roles that ask for a second factor
	admin   int
	tables  map[string]*tablePolicy
	actions []map[string]bool // by role

	everybody core.Limits   // who signed in
	limits    []core.Limits // by role

	denied [][]string // by role: data classes

	profiles      []*profile
	profileByName map[string]int
	profilesHeld  map[string][]int // by who is given them: a role, a team or a user

	users     map[core.ID]*User
	teamsByID map[core.ID]*Team
	teams     map[core.ID][]core.ID // of a user
	assigned  map[string][]assigned // to a user or a team
	shared    map[string]bool       // by table: records of it are shared, or can be
	units     map[core.ID]*BusinessUnit
	parents   map[core.ID]core.ID
	children  map[core.ID][]core.ID
	hierarchy hierarchy

	exprs   sync.Map // exprKey -> *rules.Expr
	below   sync.Map // unit -> []core.ID
	callers sync.Map // user -> core.Caller
	adding  sync.Mutex
	sets    atomic.Pointer[map[string]*roleSet]
}

type assigned struct {
	role  int
	unit  core.ID // that it counts from; "" for that of the holder
	apart bool    // of a team: own are the records of the team only
}

// tablePolicy is what the roles hold on one table.
type tablePolicy struct {
	*core.Table
	index  int
	grants map[int]*heldRow // by role
	full   *Decision        // every row and column
	denied [privileges]error
}

type exprKey struct {
	table, source string
	rules.Options
}

// NewPolicy compiles the data. It refuses all of it when a grant names a table, a column or a role that is not there,
// or has a condition that is no condition.
func NewPolicy(s *core.Schema, set *rules.Set, d *Data) (*Policy, error) {
	const op = "authz.NewPolicy"
	p := &Policy{
		schema: s, set: set, roles: map[string]int{}, tables: map[string]*tablePolicy{},
		users: map[core.ID]*User{}, teamsByID: map[core.ID]*Team{}, teams: map[core.ID][]core.ID{}, assigned: map[string][]assigned{},
		units: map[core.ID]*BusinessUnit{}, parents: map[core.ID]core.ID{}, children: map[core.ID][]core.ID{},
	}
	p.sets.Store(&map[string]*roleSet{})
	p.addDirectory(d)
	p.addHierarchy(d)
	for i, t := range s.Tables() {
		tp := &tablePolicy{Table: t, index: i, grants: map[int]*heldRow{}, full: &Decision{table: t}}
		for j, priv := range Privileges {
			tp.denied[j] = errNoTable(t.Name, priv)
		}
		p.tables[t.Name] = tp
	}
	if err := p.addRoles(d); err != nil {
		return nil, core.E(op, err)
	}
	p.addLimits(d)
	if err := p.addDenied(d); err != nil {
		return nil, core.E(op, err)
	}
	if err := p.addProfiles(d); err != nil {
		return nil, core.E(op, err)
	}
	alike := &sharing{held: map[heldKey]*held{}, rows: map[[privileges]*held]*heldRow{}}
	for i := range d.Rules {
		if err := p.addRule(&d.Rules[i], alike); err != nil {
			return nil, core.E(op, err)
		}
	}
	p.addShared(d)
	return p, nil
}

func (p *Policy) addDirectory(d *Data) {
	for i := range d.Units {
		u := &d.Units[i]
		p.units[u.ID] = u
		if u.ParentID != nil {
			p.parents[u.ID] = *u.ParentID
			p.children[*u.ParentID] = append(p.children[*u.ParentID], u.ID)
		}
	}
	for i := range d.Users {
		p.users[d.Users[i].ID] = &d.Users[i]
	}
	for i := range d.Teams {
		p.teamsByID[d.Teams[i].ID] = &d.Teams[i]
	}
	for _, m := range d.Members {
		p.teams[m.UserID] = append(p.teams[m.UserID], m.TeamID)
	}
	for _, u := range d.Users {
		if t := p.teamsByID[u.UnitID]; t != nil && t.UnitDefault {
			p.teams[u.ID] = append(p.teams[u.ID], t.ID)
		}
	}
	for id, teams := range p.teams {
		slices.Sort(teams)
		p.teams[id] = slices.Compact(teams)
	}
}

// addRoles has casbin resolve which roles include which. What users and teams hold follows from that by itself.
func (p *Policy) addRoles(d *Data) error {
	p.strong = map[string]bool{}
	for _, r := range d.Roles {
		p.strong[r.Name] = r.SecondFactor
		p.roles[r.Name] = len(p.names)
		p.names = append(p.names, r.Name)
	}
	if _, ok := p.roles[Administrator]; !ok {
		p.roles[Administrator] = len(p.names)
		p.names = append(p.names, Administrator)
	}
	p.admin = p.roles[Administrator]
	p.actions = make([]map[string]bool, len(p.names))
	p.implied, p.direct = make([][]int, len(p.names)), make([][]int, len(p.names))
	var graph []Rule
	for _, r := range d.Rules {
		if r.Ptype == "g" && strings.HasPrefix(r.V0, "role:") {
			graph = append(graph, r)
		}
	}
	e, err := newEnforcer(memory{rules: graph}, nil, nil)
	if err != nil {
		return err
	}
	for i, name := range p.names {
		includes, err := e.GetImplicitRolesForUser(ofRole(name), everywhere)
		if err != nil {
			return err
		}
		all := map[int]bool{i: true}
		for _, r := range includes {
			j, err := p.role(strings.TrimPrefix(r, "role:"))
			if err != nil {
				return err
			}
			all[j] = true
		}
		p.implied[i] = slices.Sorted(maps.Keys(all))
	}
	for _, r := range graph {
		i, j := p.roles[strings.TrimPrefix(r.V0, "role:")], p.roles[strings.TrimPrefix(r.V1, "role:")]
		p.direct[i] = append(p.direct[i], j)
	}
	return nil
}

func (p *Policy) role(name string) (int, error) {
	if i, ok := p.roles[name]; ok {
		return i, nil
	}
	msg := fmt.Sprintf("there is no role %q", name)
	if near := core.Suggest(name, p.names); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return 0, core.E("authz.role", core.NotFound, msg)
}

func (p *Policy) addRule(r *Rule, alike *sharing) error {
	if r.Ptype == "g" {
		if strings.HasPrefix(r.V0, "role:") {
			return nil // see addRoles
		}
		role, err := p.role(strings.TrimPrefix(r.V1, "role:"))
		if err != nil {
			return err
		}
		unit, apart := placeOf(r.V2)
		p.assigned[r.V0] = append(p.assigned[r.V0], assigned{role, unit, apart})
		return nil
	}
	g, err := grantOf(r.values())
	if err != nil {
		return err
	}
	role, err := p.role(g.Role)
	if err != nil {
		return core.E("authz.addRule", core.At{Table: g.Table}, err)
	}
	if core.IsDroppedName(g.Table) {
		return nil // it waits for the table to come back
	}
	h, err := p.check(g, p.compile)
	if err != nil {
		return err
	}
	if g.Action != "" {
		if p.actions[role] == nil {
			p.actions[role] = map[string]bool{}
		}
		p.actions[role][g.Action] = true
		return nil
	}
	t := p.tables[g.Table]
	t.grants[role] = alike.with(t.grants[role], g.Privilege.index(), alike.one(&g, h))
	return nil
}

// check returns the grant ready for use, or an error that says which grant is wrong, where and why.
func (p *Policy) check(g Grant, compile func(*core.Table, string) (*rules.Expr, error)) (h held, err error) {
	const op = "authz.check"
	fail := func(at core.At, kind core.ErrKind, msg string) error {
		at.Table = g.Table
		return core.E(op, kind, at, g.String()+": "+msg)
	}
	if g.Action != "" {
		names := make([]string, len(Actions))
		for i, a := range Actions {
			names[i] = a.Name
		}
		if !slices.Contains(names, g.Action) {
			return h, fail(core.At{}, core.Invalid, "there is no such action privilege; there are: "+strings.Join(names, ", "))
		}
		if g.Table != "" || g.Privilege != "" || g.Condition != "" || len(g.Hidden) > 0 || g.Level != None && g.Level != Organization {
			return h, fail(core.At{}, core.Invalid, "an action privilege has no table, privilege, level, condition or hidden columns: leave them out")
		}
		return h, nil
	}
	t, ok := p.tables[g.Table]
	if !ok {
		return h, fail(core.At{}, core.NotFound, "there is no such table")
	}
	if g.Privilege.index() < 0 {
		return h, fail(core.At{}, core.Invalid, fmt.Sprintf("%q is no privilege; there are: %s", g.Privilege, list(Privileges)))
	}
	switch {
	case t.Builtin && g.Privilege != Read:
		return h, fail(core.At{}, core.Invalid, "a built-in table can be read only; its records are changed by actions")
	case g.Level <= None || g.Level > Organization:
		return h, fail(core.At{}, core.Invalid, "the level is missing; choose one of: "+strings.Join(levels[1:], ", "))
	case g.Level != Organization && !t.Owned():
		return h, fail(core.At{}, core.Invalid, fmt.Sprintf("the level %s needs a user-owned table, and the records of this one belong to the organization: choose the level organization", g.Level))
	case g.Privilege.owned() && !t.Owned():
		return h, fail(core.At{}, core.Invalid, "the records of this table belong to the organization, so there is nothing to "+g.Privilege.verb()+": leave the privilege out")
	case len(g.Hidden) > 0 && !g.Privilege.Columns():
		return h, fail(core.At{}, core.Invalid, "only create, read and update can leave out columns")
	}
	h = held{Level: g.Level, Condition: g.Condition}
	if len(g.Hidden) > 0 {
		h.Hidden, h.hidden = tidy(g.Hidden), map[string]bool{}
	}
	for _, name := range h.Hidden {
		if core.IsDroppedName(name) {
			continue // it waits for the column to come back
		}
		c, err := t.Need(name)
		if err != nil {
			return h, fail(core.At{Column: name}, core.Invalid, "hidden: "+core.AsError(err).Msg)
		}
		if name == "id" {
			return h, fail(core.At{Column: name}, core.Invalid, "the primary key cannot be hidden")
		}
		h.hidden[name] = true
		if of, ok := t.TargetColumn(c); ok && c.Kind == core.AnyLookup { // a lookup takes along to which table it leads
			h.hidden[of.Name] = true
		}
		for _, m := range t.Monies() { // an amount takes what is beside it along
			if m.Amount.Name == name {
				h.hidden[m.Code.Name], h.hidden[m.Rate.Name], h.hidden[m.Base.Name] = true, true, true
			}
		}
	}
	if g.Condition != "" {
		x, err := compile(t.Table, g.Condition)
		if err != nil {
			e := core.AsError(err)
			return h, core.E(op, core.At{Table: g.Table, Column: e.Column, Line: e.Line, Pos: e.Pos}, g.String()+": condition: "+e.Msg, err)
		}
		if x.Type != "bool" {
			return h, fail(core.At{Line: 1, Pos: 1}, core.Invalid, fmt.Sprintf("condition: the expression is a %s, a condition is true or false", x.Type))
		}
		h.reads = x.Reads
	}
	return h, nil
}

func list[T ~string](of []T) string {
	out := make([]string, len(of))
	for i, s := range of {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

func (p *Policy) compileOnce(t *core.Table, source string) (*rules.Expr, error) {
	return rules.Compile(p.schema, t, source, rules.Options{})
}

// compile returns the expression over the table; each is compiled once and kept.
func (p *Policy) compile(t *core.Table, source string) (*rules.Expr, error) {
	return p.compileFor(t, source, rules.Options{})
}

// compileFor is compile for an expression of the policy itself, which may name what a condition may not.
func (p *Policy) compileFor(t *core.Table, source string, o rules.Options) (*rules.Expr, error) {
	key := exprKey{t.Name, source, o}
	if x, ok := p.exprs.Load(key); ok {
		return x.(*rules.Expr), nil
	}
	x, err := rules.Compile(p.schema, t, source, o)
	if err != nil {
		return nil, err
	}
	first, _ := p.exprs.LoadOrStore(key, x)
	return first.(*rules.Expr), nil
}
