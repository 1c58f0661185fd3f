package authz

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"colonnade/core"
	"colonnade/rules"
)

// Moved is a grant that follows tables and columns to their new names, or are the tests of a role that do.
type Moved struct {
	Role   string
	Table  string // as it was called
	Before Rule
	After  *Rule  // nil when nothing is left that it could be about
	Tests  string // of the role, when it is about them

	Profile *ColumnProfile // as it is after, when it is about one
}

// Follow returns the data with the names that tables and columns have after the moves, and the rules that differ. d stays
// as it is. What is dropped keeps its grants under a name that nobody can use, so that it comes back with them, and
// nothing else that has its name meanwhile gets them.
func (d *Data) Follow(m core.Moves, from, to *core.Schema) (*Data, []Moved, error) {
	next := *d
	next.Rules = nil
	var moved []Moved
	for _, r := range d.Rules {
		after, g, err := r.follow(m, from, to)
		if err != nil {
			return nil, nil, core.E("authz.Follow", err)
		}
		if after == nil || after.ID != r.ID {
			moved = append(moved, Moved{Role: g.Role, Table: g.Table, Before: r, After: after})
		}
		if after != nil {
			next.Rules = append(next.Rules, *after)
		}
	}
	profiles, follow, err := d.followProfiles(m)
	if err != nil {
		return nil, nil, core.E("authz.Follow", err)
	}
	next.Profiles, moved = profiles, append(moved, follow...)
	next.Roles = slices.Clone(d.Roles)
	for i := range next.Roles {
		role := &next.Roles[i]
		was := role.Tests
		if err := role.followTests(m, from, to); err != nil {
			return nil, nil, core.E("authz.Follow", err)
		}
		if role.Tests != was {
			moved = append(moved, Moved{Role: role.Name, Tests: role.Tests})
		}
	}
	return &next, moved, nil
}

// followTests gives the tests the names after the moves.
func (r *Role) followTests(m core.Moves, from, to *core.Schema) error {
	tests, err := r.RoleTests()
	if err != nil {
		return err
	}
	next := tests[:0]
	for _, t := range tests {
		t, ok, err := t.follow(m, from, to)
		if err != nil {
			return err
		}
		if ok {
			next = append(next, t)
		}
	}
	text, err := EncodeTests(next)
	if err == nil && len(tests) > 0 {
		r.Tests = text
	}
	return err
}

// follow returns the rule after the moves; nil when nothing is left of it.
func (r *Rule) follow(m core.Moves, from, to *core.Schema) (*Rule, Grant, error) {
	if r.Ptype != "p" || r.V1 == anyTable {
		return r, Grant{}, nil
	}
	g, err := grantOf(r.values())
	if err != nil {
		return nil, g, err
	}
	next := g
	if next.Table = m.Table(g.Table); next.Table == "" {
		return nil, g, nil
	}
	next.Hidden = nil
	for _, name := range g.Hidden {
		if to := m.Column(g.Table, name); to != "" {
			next.Hidden = append(next.Hidden, to)
		}
	}
	if t, _ := from.Table(g.Table); t != nil && (len(m.Renamed(g.Table)) > 0 || strings.Contains(g.Condition, ".")) && g.Condition != "" {
		if next.Condition, err = rules.Follow(from, to, t.SQL(), g.Condition); err != nil {
			return nil, g, core.E("authz.follow", core.At{Table: g.Table}, err, fmt.Sprintf("%s: the condition cannot follow the rename", g.String()))
		}
	}
	after := newRule("p", next.rule())
	return &after, g, nil
}

// SaveMoved writes what [Data.Follow] has changed.
func SaveMoved(tx *gorm.DB, moved []Moved) error {
	for _, m := range moved {
		var err error
		if m.Profile != nil {
			err = tx.Model(&ColumnProfile{}).Where("id = ?", m.Profile.ID).Update("rights", m.Profile.Rights).Error
		} else if m.Tests == "" {
			err = tx.Where("id = ?", m.Before.ID).Delete(&Rule{}).Error
		} else {
			err = tx.Model(&Role{}).Where("name = ?", m.Role).Update("tests", m.Tests).Error
		}
		if err != nil {
			return err
		}
	}
	for _, m := range moved {
		if m.After == nil {
			continue
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(m.After).Error; err != nil {
			return err
		}
	}
	return nil
}

// Grants returns what the rules grant, by role in the order of the rules. What is about something dropped is left out.
func (d *Data) Grants() map[string][]Grant {
	out := map[string][]Grant{}
	for i := range d.Rules {
		if d.Rules[i].Ptype != "p" {
			continue
		}
		g, err := grantOf(d.Rules[i].values())
		if err != nil || core.IsDroppedName(g.Table) {
			continue
		}
		var hidden []string
		for _, name := range g.Hidden {
			if !core.IsDroppedName(name) {
				hidden = append(hidden, name)
			}
		}
		g.Hidden = hidden
		out[g.Role] = append(out[g.Role], g)
	}
	return out
}

// Waiting returns what a role hides of dropped columns, by table.
func (d *Data) Waiting(role string) map[string][]string {
	out := map[string][]string{}
	for i := range d.Rules {
		if d.Rules[i].Ptype != "p" || d.Rules[i].V0 != ofRole(role) {
			continue
		}
		g, err := grantOf(d.Rules[i].values())
		if err != nil {
			continue
		}
		for _, name := range g.Hidden {
			if core.IsDroppedName(name) && !slices.Contains(out[g.Table], name) {
				out[g.Table] = append(out[g.Table], name)
			}
		}
	}
	return out
}

// WaitingGrants returns what a role holds of dropped tables, for [SaveMoved] to keep when the role is made anew.
func (d *Data) WaitingGrants(role string) (out []Moved) {
	for _, r := range d.Rules {
		if r.Ptype == "p" && r.V0 == ofRole(role) && core.IsDroppedName(r.V1) {
			out = append(out, Moved{Role: role, Table: r.V1, Before: r, After: &r})
		}
	}
	return out
}

// Inherits returns the roles that each role includes.
func (d *Data) Inherits() map[string][]string {
	out := map[string][]string{}
	for _, r := range d.Rules {
		if role, ok := strings.CutPrefix(r.V0, "role:"); ok && r.Ptype == "g" {
			out[role] = append(out[role], strings.TrimPrefix(r.V1, "role:"))
		}
	}
	return out
}
