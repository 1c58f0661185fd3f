package authz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casbin/casbin/v2"
	"gorm.io/gorm"

	"colonnade/core"
)

// CreateRole adds a role, which grants nothing yet.
func CreateRole(tx *gorm.DB, name, doc string) (core.ID, error) {
	const op = "authz.CreateRole"
	at := core.At{Table: "_role", Column: "name"}
	if err := core.CheckName("role", name); err != nil {
		return "", core.E(op, at, err)
	}
	var n int64
	if err := tx.Model(&Role{}).Where("name = ?", name).Count(&n).Error; err != nil {
		return "", err
	}
	if n > 0 {
		return "", core.E(op, core.Exists, at, "there is a role of this name already")
	}
	r := Role{ID: core.NewID(), Name: name, Doc: doc, Tests: noTests, DeniedClasses: noClasses}
	return r.ID, tx.Create(&r).Error
}

// DropRole removes a role with its grants; who held it holds it no longer.
func DropRole(tx *gorm.DB, name string) error {
	const op = "authz.DropRole"
	if name == Administrator {
		return core.E(op, core.Invalid, "the role administrator is built in and stays")
	}
	if err := needRole(tx, op, name); err != nil {
		return err
	}
	return keepAdministrator(tx, op, func() error {
		a := &adapter{tx: tx}
		for _, f := range []struct {
			ptype string
			field int
		}{{"p", 0}, {"g", 0}, {"g", 1}} {
			if err := a.RemoveFilteredPolicy(f.ptype, f.ptype, f.field, ofRole(name)); err != nil {
				return err
			}
		}
		return tx.Where("name = ?", name).Delete(&Role{}).Error
	})
}

// RequireSecondFactor says whether who holds the role must sign in with a second factor.
func RequireSecondFactor(tx *gorm.DB, name string, required bool) error {
	if err := needRole(tx, "authz.RequireSecondFactor", name); err != nil {
		return err
	}
	return tx.Model(&Role{}).Where("name = ?", name).Update("second_factor", required).Error
}

func needRole(tx *gorm.DB, op, name string) error {
	var names []string
	if err := tx.Model(&Role{}).Order("name").Pluck("name", &names).Error; err != nil {
		return err
	}
	if slices.Contains(names, name) {
		return nil
	}
	msg := fmt.Sprintf("there is no role %q", name)
	if near := core.Suggest(name, names); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return core.E(op, core.NotFound, core.At{Table: "_role"}, msg)
}

// Assignment gives a role to a user, or to all members of a team.
type Assignment struct {
	User  core.ID // one of the two
	Team  core.ID
	Role  string
	Unit  core.ID // that the levels unit and unit_and_below count from; that of the user or the team when empty
	Apart bool    // of a team: the level own is about the records of the team only, and not about those of its members too
}

// rule checks the assignment and returns it as casbin keeps it.
func (a Assignment) rule(tx *gorm.DB, op string) ([]string, error) {
	if (a.User == "") == (a.Team == "") {
		return nil, core.E(op, core.Invalid, "name either a user or a team")
	}
	if err := needRole(tx, op, a.Role); err != nil {
		return nil, err
	}
	who := ofUser(a.User)
	var err error
	if a.User != "" {
		err = need(tx, op, &User{}, a.User, "user")
	} else {
		who = ofTeam(a.Team)
		err = need(tx, op, &Team{}, a.Team, "team")
	}
	if err == nil && a.Unit != "" {
		err = need(tx, op, &BusinessUnit{}, a.Unit, "unit")
	}
	if err == nil && a.Apart && a.Team == "" {
		err = core.E(op, core.Invalid, "only a team holds a role for its own records: leave out inherit, or name a team")
	}
	return []string{who, ofRole(a.Role), placed(a.Unit, a.Apart)}, err
}

// AssignRole gives the role. To hold it already is no error.
func AssignRole(tx *gorm.DB, a Assignment) error {
	const op = "authz.AssignRole"
	if a.Role == Administrator && a.Unit != "" {
		return core.E(op, core.Invalid, "an administrator reaches everything: leave out the unit")
	}
	rule, err := a.rule(tx, op)
	if err != nil {
		return err
	}
	e, err := newEnforcer(&adapter{tx: tx}, nil, Rule{Ptype: "g", V0: rule[0]})
	if err != nil {
		return err
	}
	other := []string{rule[0], rule[1], placed(a.Unit, !a.Apart)}
	if _, err := e.RemoveGroupingPolicy(other); err != nil { // of two answers to what is own, the last one holds
		return err
	}
	_, err = e.AddGroupingPolicy(rule)
	return err
}

// UnassignRole takes the role away.
func UnassignRole(tx *gorm.DB, a Assignment) error {
	const op = "authz.UnassignRole"
	rule, err := a.rule(tx, op)
	if err != nil {
		return err
	}
	return keepAdministrator(tx, op, func() error {
		e, err := newEnforcer(&adapter{tx: tx}, nil, Rule{Ptype: "g", V0: rule[0]})
		if err != nil {
			return err
		}
		ok, err := e.RemoveGroupingPolicy(rule)
		if err == nil && !ok {
			return core.E(op, core.NotFound, fmt.Sprintf("the role %q is not assigned like this", a.Role))
		}
		return err
	})
}

// InheritRole has the role include everything of another one. A circle is refused.
func InheritRole(tx *gorm.DB, role, from string) error {
	const op = "authz.InheritRole"
	for _, name := range []string{role, from} {
		if err := needRole(tx, op, name); err != nil {
			return err
		}
	}
	if role == Administrator {
		return core.E(op, core.Invalid, "the administrator holds every right already: choose another role")
	}
	if err := lockDirectory(tx); err != nil {
		return err
	}
	e, err := newEnforcer(&adapter{tx: tx}, nil, Rule{Ptype: "g"})
	if err != nil {
		return err
	}
	includes, err := e.GetImplicitRolesForUser(ofRole(from), everywhere)
	if err != nil {
		return err
	}
	if role == from || slices.Contains(includes, ofRole(role)) {
		return core.E(op, core.Invalid, fmt.Sprintf("%s includes %s already, so that this would be a circle", from, role))
	}
	if _, err := e.AddGroupingPolicy(ofRole(role), ofRole(from), everywhere); err != nil {
		return err
	}
	return checkDepth(e, op)
}

// checkDepth refuses chains of roles that are longer than casbin follows.
func checkDepth(e *casbin.Enforcer, op string) error {
	rules, err := e.GetGroupingPolicy()
	if err != nil {
		return err
	}
	next := map[string][]string{}
	for _, r := range rules {
		if strings.HasPrefix(r[0], "role:") {
			next[r[0]] = append(next[r[0]], r[1])
		}
	}
	depths := map[string]int{}
	var depth func(role string) int
	depth = func(role string) int {
		if d, ok := depths[role]; ok {
			return d
		}
		d := 0
		for _, r := range next[role] {
			d = max(d, depth(r)+1)
		}
		depths[role] = d
		return d
	}
	for role := range next {
		if depth(role) > maxRoleDepth {
			return core.E(op, core.Limit, fmt.Sprintf("the roles would include each other over more than %d steps", maxRoleDepth))
		}
	}
	return nil
}

// DisinheritRole ends what [InheritRole] began.
func DisinheritRole(tx *gorm.DB, role, from string) error {
	const op = "authz.DisinheritRole"
	return keepAdministrator(tx, op, func() error {
		e, err := newEnforcer(&adapter{tx: tx}, nil, Rule{Ptype: "g", V0: ofRole(role)})
		if err != nil {
			return err
		}
		ok, err := e.RemoveGroupingPolicy(ofRole(role), ofRole(from), everywhere)
		if err == nil && !ok {
			return core.E(op, core.NotFound, fmt.Sprintf("%s does not include %s", role, from))
		}
		return err
	})
}

// PutGrants stores grants of one role that [Policy.CheckGrant] has let pass. Each takes the place of one of the same table,
// privilege, level and condition, or of the same action; of two such in the list the last one counts.
func PutGrants(tx *gorm.DB, role string, grants ...Grant) error {
	const op = "authz.PutGrants"
	if err := needRole(tx, op, role); err != nil {
		return err
	}
	if err := lockDirectory(tx); err != nil {
		return err
	}
	e, err := grantsOf(tx, role)
	if err != nil {
		return err
	}
	old, err := e.GetPolicy()
	if err != nil {
		return err
	}
	type what struct{ object, act, level, condition string }
	key := func(r []string) what { return what{r[1], r[2], r[3], r[4]} }
	at := map[what]int{}
	var put, gone [][]string
	for _, g := range grants {
		g.Role = role
		r := g.rule()
		if i, ok := at[key(r)]; ok {
			put[i] = r
			continue
		}
		at[key(r)] = len(put)
		put = append(put, r)
	}
	for _, r := range old {
		if _, ok := at[key(r)]; ok {
			gone = append(gone, r)
		}
	}
	if len(gone) > 0 {
		if _, err := e.RemovePolicies(gone); err != nil {
			return err
		}
	}
	if len(put) > 0 {
		_, err = e.AddPolicies(put)
	}
	return err
}

// DropGrant removes the grants of that role, table, privilege and condition, or of that action.
func DropGrant(tx *gorm.DB, g Grant) error {
	const op = "authz.DropGrant"
	e, err := grantsOf(tx, g.Role)
	if err != nil {
		return err
	}
	r := g.rule()
	same, err := e.GetFilteredPolicy(0, r[0], r[1], r[2])
	if err != nil {
		return err
	}
	same = slices.DeleteFunc(same, func(old []string) bool { return old[4] != r[4] })
	if len(same) == 0 {
		return core.E(op, core.NotFound, core.At{Table: g.Table}, g.String()+": there is no such grant")
	}
	_, err = e.RemovePolicies(same)
	return err
}

// grantsOf returns an enforcer over the grants of one role.
func grantsOf(tx *gorm.DB, role string) (*casbin.Enforcer, error) {
	return newEnforcer(&adapter{tx: tx}, nil, Rule{Ptype: "p", V0: ofRole(role)})
}
