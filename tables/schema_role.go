package tables

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
)

// roleFile is a role in a file.
type roleFile struct {
	Role     string      `json:"role"`
	Doc      string      `json:"doc,omitempty"`
	Inherits []string    `json:"inherits,omitempty"`
	Profiles []string    `json:"column_profiles,omitempty"`
	Actions  []string    `json:"actions,omitempty"`
	Grants   []grantSpec `json:"grants,omitempty"`
	Limits   core.Limits `json:"limits,omitzero"`

	SecondFactor bool     `json:"second_factor,omitempty"`
	DenyClasses  []string `json:"deny_classes,omitempty"`

	Tests []authz.RoleTest `json:"tests,omitempty"`
}

func readRole(f File) (r roleFile, err error) {
	m, err := decodeFile(f)
	if err == nil {
		err = strictly(f, m, &r)
	}
	if err != nil {
		return r, err
	}
	if want := roleFolder + r.Role + ".yaml"; f.Path != want {
		return r, core.E("tables.readRole", core.Invalid, fmt.Sprintf("%s: the role is named %q: call the file %s", f.Path, r.Role, want))
	}
	if err := core.CheckName("role", r.Role); err != nil || r.Role == authz.Administrator {
		return r, core.E("tables.readRole", core.Invalid, f.Path+": this cannot be the name of a role that is defined", err)
	}
	return r, nil
}

// tidy brings the role into the form in which two equal ones are the same, on the tables of the schema.
func (r *roleFile) tidy(s *core.Schema) error {
	var all []authz.Grant
	for i, g := range r.Grants {
		list, err := g.grants(s, r.Role)
		if err != nil {
			return core.E("tables.tidy", core.At{Item: i + 1}, err)
		}
		all = append(all, list...)
	}
	r.Grants = grantSpecs(all)
	r.Inherits = slices.Compact(slices.Sorted(slices.Values(r.Inherits)))
	r.Profiles = slices.Compact(slices.Sorted(slices.Values(r.Profiles)))
	r.DenyClasses = slices.Compact(slices.Sorted(slices.Values(r.DenyClasses)))
	r.Actions = slices.Compact(slices.Sorted(slices.Values(r.Actions)))
	return nil
}

// grantSpecs groups grants that differ in their privilege only, in one order for all.
func grantSpecs(all []authz.Grant) (out []grantSpec) {
	slices.SortStableFunc(all, func(a, b authz.Grant) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), cmp.Compare(b.Level, a.Level), strings.Compare(a.Condition, b.Condition), slices.Compare(a.Hidden, b.Hidden),
			cmp.Compare(slices.Index(authz.Privileges, a.Privilege), slices.Index(authz.Privileges, b.Privilege)))
	})
	for _, g := range all {
		hidden := slices.Compact(slices.Sorted(slices.Values(g.Hidden)))
		spec := grantSpec{Table: g.Table, Privileges: []string{string(g.Privilege)}, Level: g.Level.String(), Condition: g.Condition, Hidden: hidden}
		if n := len(out); n > 0 && out[n-1].Table == spec.Table && out[n-1].Level == spec.Level && out[n-1].Condition == spec.Condition && slices.Equal(out[n-1].Hidden, spec.Hidden) {
			if !slices.Contains(out[n-1].Privileges, spec.Privileges[0]) {
				out[n-1].Privileges = append(out[n-1].Privileges, spec.Privileges[0])
			}
			continue
		}
		out = append(out, spec)
	}
	return out
}

// rolesOf returns the roles of the policy but the built-in one, by name.
func rolesOf(s *core.Schema, d *authz.Data) (map[string]roleFile, error) {
	grants, inherits := d.Grants(), d.Inherits()
	out := map[string]roleFile{}
	for _, role := range d.Roles {
		if role.Name == authz.Administrator {
			continue
		}
		r := roleFile{Role: role.Name, Doc: role.Doc, Inherits: inherits[role.Name], Profiles: d.ProfilesOf(role.Name), Limits: d.LimitsOf(role.Name), SecondFactor: role.SecondFactor}
		var err error
		if r.DenyClasses, err = role.Denied(); err != nil {
			return nil, core.E("tables.rolesOf", err)
		}
		var onTables []authz.Grant
		for _, g := range grants[role.Name] {
			if g.Action != "" {
				r.Actions = append(r.Actions, g.Action)
			} else {
				onTables = append(onTables, g)
			}
		}
		r.Grants = grantSpecs(onTables)
		if r.Tests, err = role.RoleTests(); err != nil {
			return nil, core.E("tables.rolesOf", err)
		}
		tests := r.Tests
		r.Tests = nil
		for _, t := range tests {
			if t, ok := t.Present(); ok {
				r.Tests = append(r.Tests, t)
			}
		}
		if err := r.tidy(s); err != nil {
			return nil, core.E("tables.rolesOf", err)
		}
		out[r.Role] = r
	}
	return out, nil
}

func exportRoles(s *core.Schema, d *authz.Data) ([]File, error) {
	roles, err := rolesOf(s, d)
	if err != nil {
		return nil, err
	}
	var out []File
	for _, r := range roles {
		text, err := encodeFile(r)
		if err != nil {
			return nil, err
		}
		out = append(out, File{roleFolder + r.Role + ".yaml", text})
	}
	return out, nil
}

// otherRoles returns the roles of the files that are not what the policy has, each after those that it includes.
func (b *codeFiles) otherRoles(n *Snapshot) (out []roleFile, isNew map[string]bool, err error) {
	have, err := rolesOf(n.Schema, n.access)
	if err != nil {
		return nil, nil, err
	}
	for i := range b.roles {
		if err := b.roles[i].tidy(n.Schema); err != nil {
			return nil, nil, core.E("tables.otherRoles", err, fmt.Sprintf("%s%s.yaml: %s", roleFolder, b.roles[i].Role, core.AsError(err).Msg))
		}
	}
	isNew = map[string]bool{}
	done := map[string]bool{}
	var add func(r roleFile) error
	add = func(r roleFile) error {
		if done[r.Role] {
			return nil
		}
		done[r.Role] = true
		for _, other := range b.roles {
			if slices.Contains(r.Inherits, other.Role) {
				if err := add(other); err != nil {
					return err
				}
			}
		}
		was, ok := have[r.Role]
		a, err := json.Marshal(was)
		if err != nil {
			return err
		}
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		isNew[r.Role] = !ok
		if !ok || string(a) != string(b) {
			out = append(out, r)
		}
		return nil
	}
	for _, r := range b.roles {
		if err := add(r); err != nil {
			return nil, nil, err
		}
	}
	return out, isNew, nil
}

// putFile makes the role that of the file.
func (a access) putFile(ctx context.Context, tx *Tx, g *gorm.DB, r roleFile) error {
	return a.putSpec(ctx, tx, g, roleSpec{Name: r.Role, Doc: r.Doc, Grants: r.Grants, Actions: r.Actions, Inherits: r.Inherits, Profiles: r.Profiles, Limits: r.Limits, SecondFactor: &r.SecondFactor, DenyClasses: &r.DenyClasses, Tests: r.Tests})
}
