package authz

import (
	"slices"

	"colonnade/core"
)

// Compare returns what each of two roles grants that the other does not, with what they include.
func (p *Policy) Compare(a, b string) (onlyA, onlyB []Grant, err error) {
	const op = "authz.Compare"
	of := func(role string) ([]Grant, error) {
		i, err := p.role(role)
		if err != nil {
			return nil, err
		}
		return p.grantsOf(i), nil
	}
	ga, err := of(a)
	if err != nil {
		return nil, nil, core.E(op, err)
	}
	gb, err := of(b)
	if err != nil {
		return nil, nil, core.E(op, err)
	}
	return without(ga, gb), without(gb, ga), nil
}

// CompareProfiles returns the column profiles that each of two roles brings along and the other does not, sorted.
func (p *Policy) CompareProfiles(a, b string) (onlyA, onlyB []string, err error) {
	of := func(role string) (out []string, err error) {
		i, err := p.role(role)
		if err != nil {
			return nil, core.E("authz.CompareProfiles", err)
		}
		for _, j := range p.implied[i] {
			for _, k := range p.profilesHeld[ofRole(p.names[j])] {
				out = append(out, p.profiles[k].name)
			}
		}
		slices.Sort(out)
		return slices.Compact(out), nil
	}
	return differ(of, a, b)
}

// CompareDenied returns the data classes that each of two roles denies and the other does not, with what they include, sorted.
func (p *Policy) CompareDenied(a, b string) (onlyA, onlyB []string, err error) {
	return differ(p.classesDenied, a, b)
}

// differ returns what each of two roles has of what of tells, and the other has not.
func differ(of func(role string) ([]string, error), a, b string) (onlyA, onlyB []string, err error) {
	ofA, err := of(a)
	if err != nil {
		return nil, nil, err
	}
	ofB, err := of(b)
	if err != nil {
		return nil, nil, err
	}
	missing := func(list, from []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(from, name) })
	}
	return missing(ofA, ofB), missing(ofB, ofA), nil
}

// without returns the grants of a that b does not have. Which role they come from makes no difference.
func without(a, b []Grant) (out []Grant) {
	same := func(x, y Grant) bool {
		x.Role, y.Role = "", ""
		return slices.Equal(x.rule(), y.rule())
	}
	for _, g := range a {
		if !slices.ContainsFunc(b, func(o Grant) bool { return same(g, o) }) && !slices.ContainsFunc(out, func(o Grant) bool { return same(g, o) }) {
			out = append(out, g)
		}
	}
	return out
}

// grantsOf returns everything that the role grants, with what it includes, in the order of actions, tables and privileges.
func (p *Policy) grantsOf(role int) (out []Grant) {
	if slices.Contains(p.implied[role], p.admin) {
		return []Grant{{Role: Administrator, Action: anyTable}}
	}
	for _, a := range Actions {
		for _, i := range p.implied[role] {
			if p.actions[i][a.Name] {
				out = append(out, Grant{Role: p.names[i], Action: a.Name})
			}
		}
	}
	for _, t := range p.schema.Tables() {
		tp := p.tables[t.Name]
		for j, priv := range Privileges {
			for _, i := range p.implied[role] {
				if of := tp.grants[i]; of != nil {
					for _, h := range of[j] {
						out = append(out, h.grant(p.names[i], t.Name, priv))
					}
				}
			}
		}
	}
	return out
}
