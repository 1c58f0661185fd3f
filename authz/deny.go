package authz

import (
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"colonnade/core"
)

// A role may deny data classes: the columns that carry one are hidden from all who hold the role, whatever other roles and column
// profiles give them, and an administrator among them too. It is the one exception to rights that add up.

// noClasses is what a role has that denies none.
const noClasses = "[]"

// Denied returns the data classes that the role denies, sorted.
func (r *Role) Denied() (out []string, err error) {
	if r.DeniedClasses != "" {
		err = json.Unmarshal([]byte(r.DeniedClasses), &out)
	}
	return out, core.E("authz.Denied", err)
}

// DeniedTo returns the names of the roles that deny the class by themselves, in their order.
func (d *Data) DeniedTo(class string) (out []string) {
	for i := range d.Roles {
		if denied, err := d.Roles[i].Denied(); err == nil && slices.Contains(denied, class) {
			out = append(out, d.Roles[i].Name)
		}
	}
	slices.Sort(out)
	return out
}

// DenyClasses has the role deny these data classes and no others. Who may say so, [Policy.Administers] tells.
func DenyClasses(tx *gorm.DB, name string, classes []string) error {
	if err := needRole(tx, "authz.DenyClasses", name); err != nil {
		return err
	}
	text, err := json.Marshal(append([]string{}, tidy(classes)...))
	if err != nil {
		return core.E("authz.DenyClasses", err)
	}
	return tx.Model(&Role{}).Where("name = ?", name).Update("denied_classes", string(text)).Error
}

// addDenied reads which data classes the roles deny.
func (p *Policy) addDenied(d *Data) error {
	p.denied = make([][]string, len(p.names))
	for i := range d.Roles {
		r := &d.Roles[i]
		classes, err := r.Denied()
		if err != nil {
			return err
		}
		if r.Name == Administrator && len(classes) > 0 {
			return core.E("authz.addDenied", core.Invalid, "the role administrator denies nothing: deny the class to another role, which administrators may hold too")
		}
		for _, name := range classes {
			if _, err := p.schema.NeedClass(name); err != nil {
				return core.E("authz.addDenied", err, fmt.Sprintf("role %q: %s", r.Name, core.AsError(err).Msg))
			}
		}
		p.denied[p.roles[r.Name]] = classes
	}
	return nil
}

// denies reports whether a role of s denies a class that the column of the table carries.
func (p *Policy) denies(s *roleSet, table, column string) bool {
	return len(s.denied) > 0 && slices.ContainsFunc(p.set.Classes(table, column), func(class string) bool { return s.denied[class] })
}

// deniedOf returns the data classes that the roles deny; nil for none.
func (p *Policy) deniedOf(roles []int) map[string]bool {
	var out map[string]bool
	for _, i := range roles {
		for _, class := range p.denied[i] {
			if out == nil {
				out = map[string]bool{}
			}
			out[class] = true
		}
	}
	return out
}

// everything is the decision of who holds every right: all rows, and all columns but those that are denied.
func (p *Policy) everything(s *roleSet, t *tablePolicy, priv Privilege) *Decision {
	if !priv.Columns() {
		return t.full
	}
	columns := map[string]column{}
	for i := range t.Columns {
		if name := t.Columns[i].Name; p.denies(s, t.Name, name) {
			columns[name] = column{}
		}
	}
	if len(columns) == 0 {
		return t.full
	}
	return &Decision{table: t.Table, columns: columns}
}

// Denying tells which data class that the column carries is denied to the caller, and which of his roles deny it; "" for none.
func (p *Policy) Denying(c core.Caller, table, column string) (class string, roles []string) {
	if c.IsSystem() {
		return "", nil
	}
	s := p.roleSet(c)
	for _, class := range p.set.Classes(table, column) {
		if !s.denied[class] {
			continue
		}
		for _, i := range s.roles {
			if slices.Contains(p.denied[i], class) {
				roles = append(roles, p.names[i])
			}
		}
		return class, roles
	}
	return "", nil
}

// classesDenied returns the data classes that the role denies, with what it includes, sorted.
func (p *Policy) classesDenied(role string) ([]string, error) {
	i, err := p.role(role)
	if err != nil {
		return nil, core.E("authz.classesDenied", err)
	}
	var out []string
	for _, j := range p.implied[i] {
		out = append(out, p.denied[j]...)
	}
	return tidy(out), nil
}

// KeepsDenials returns an error when a user who was denied a data class in the policy before is not in p, unless an administrator
// has it so: what is denied cannot be had by leaving the role or the team.
func (p *Policy) KeepsDenials(c core.Caller, before *Policy) error {
	if before.Administers(c) == nil || !slices.ContainsFunc(before.denied, func(classes []string) bool { return len(classes) > 0 }) {
		return nil
	}
	for id := range before.users {
		was, err := before.Caller(id, core.Cause{})
		if err != nil {
			continue // he cannot sign in
		}
		is, err := p.Caller(id, core.Cause{})
		if err != nil {
			continue
		}
		now := p.roleSet(is).denied
		for class := range before.roleSet(was).denied {
			if _, there := p.schema.DataClass(class); there && !now[class] {
				return core.E("authz.KeepsDenials", core.Denied, "a role of a user denies a data class, and he would be denied it no longer: ask an administrator")
			}
		}
	}
	return nil
}
