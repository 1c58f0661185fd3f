package authz

import (
	"fmt"
	"slices"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/rules"
)

// Who is above others in the hierarchy reaches what belongs to them and to their teams, in tables that take part in it, as far
// as a role gives the privilege at all: the level of each grant extends to these records, and its condition and hidden columns
// hold for them too. What belongs to direct reports may be read, updated, appended and appended to, what belongs to those
// further below read. A privilege at the level organization has no use for it.

// Hierarchy says which hierarchy counts. There is one row.
type Hierarchy struct {
	ID    core.ID `gorm:"primaryKey"`
	Mode  string  // NoHierarchy, Managers or Positions
	Depth int     // how many steps below somebody his reports are
}

// The modes of a hierarchy.
const (
	NoHierarchy = "off"
	Managers    = "manager"  // the manager of each user, when he works in the unit of the user or in one above it
	Positions   = "position" // the position above that of the user, whatever the units are
)

// MaxHierarchyDepth is how many steps the hierarchy may reach down.
const MaxHierarchyDepth = 32

const hierarchyID core.ID = "00000000-0000-7000-8000-000000000003"

// Position is a node of the trees of positions.
type Position struct {
	ID       core.ID `gorm:"primaryKey"`
	Name     string
	ParentID *core.ID // nil at the top
}

// TableName implements gorm's Tabler.
func (Hierarchy) TableName() string { return "_hierarchy" }

// TableName implements gorm's Tabler.
func (Position) TableName() string { return "_position" }

// hierarchy is who is below whom.
type hierarchy struct {
	Hierarchy
	positions map[core.ID]*Position
	below     map[core.ID][]core.ID // by manager: his reports; by position: those under it
	at        map[core.ID][]core.ID // the users in a position
}

func (p *Policy) addHierarchy(d *Data) {
	h := hierarchy{positions: map[core.ID]*Position{}, below: map[core.ID][]core.ID{}, at: map[core.ID][]core.ID{}}
	h.Mode = NoHierarchy
	for _, row := range d.Hierarchies {
		h.Hierarchy = row
	}
	switch h.Mode {
	case Managers:
		for _, u := range d.Users {
			if u.ManagerID != nil {
				h.below[*u.ManagerID] = append(h.below[*u.ManagerID], u.ID)
			}
		}
	case Positions:
		for i := range d.Positions {
			q := &d.Positions[i]
			h.positions[q.ID] = q
			if q.ParentID != nil {
				h.below[*q.ParentID] = append(h.below[*q.ParentID], q.ID)
			}
		}
		for _, u := range d.Users {
			if u.PositionID != nil {
				h.at[*u.PositionID] = append(h.at[*u.PositionID], u.ID)
			}
		}
	}
	p.hierarchy = h
}

// reports returns the users who are below the user if he works in the unit, by the steps down to them, the direct ones first.
func (p *Policy) reports(u *User, unit core.ID) [][]core.ID {
	h := &p.hierarchy
	var top core.ID
	switch {
	case h.Mode == Managers:
		top = u.ID
	case h.Mode == Positions && u.PositionID != nil:
		top = *u.PositionID
	default:
		return nil
	}
	var out [][]core.ID
	seen := map[core.ID]bool{top: true}
	for level := []core.ID{top}; len(level) > 0 && len(out) < h.Depth; {
		var next, users []core.ID
		for _, above := range level {
			for _, id := range h.below[above] {
				if seen[id] {
					continue
				}
				seen[id] = true
				next = append(next, id)
				switch {
				case h.Mode == Positions:
					users = append(users, h.at[id]...)
				case p.within(p.users[id].UnitID, unit):
					users = append(users, id)
				}
			}
		}
		out = append(out, users)
		level = next
	}
	return out
}

// reportsOf returns whose records the user reaches because they are below him: the direct reports with their teams, and all.
func (p *Policy) reportsOf(u *User) (direct, all []core.ID) {
	for i, level := range p.reports(u, u.UnitID) {
		for _, id := range level {
			all = append(append(all, id), p.teams[id]...)
		}
		if i == 0 {
			direct = slices.Clone(all)
		}
	}
	return compact(direct), compact(all)
}

func compact(ids []core.ID) []core.ID {
	slices.Sort(ids)
	return slices.Clip(slices.Compact(ids))
}

// reportsOver returns the list of the caller with the owners whose records the privilege reaches through the hierarchy; "" when
// there is none.
func reportsOver(priv Privilege) string {
	switch priv {
	case Read:
		return rules.ReportsBelow
	case Update, Append, AppendTo:
		return rules.Reports
	}
	return ""
}

// ThroughHierarchy reports whether the privilege extends to what belongs to those below one.
func ThroughHierarchy(priv Privilege) bool { return reportsOver(priv) != "" }

// checkReports returns an error when c could not administer those whose records the user would reach in the unit.
func (p *Policy) checkReports(c core.Caller, u *User, unit core.ID) error {
	for _, level := range p.reports(u, unit) {
		for _, id := range level {
			if p.checkUser(c, p.users[id]) != nil {
				return core.E("authz.checkReports", core.Denied, core.At{Table: "_user"}, "somebody reports to the user whom you could not administer: ask an administrator")
			}
		}
	}
	return nil
}

// SetHierarchy chooses which hierarchy counts, and how many steps down.
func SetHierarchy(tx *gorm.DB, mode string, depth int) error {
	const op = "authz.SetHierarchy"
	switch {
	case !slices.Contains([]string{NoHierarchy, Managers, Positions}, mode):
		return core.E(op, core.Invalid, core.At{Column: "mode"}, fmt.Sprintf("%q is no hierarchy: choose %s, %s or %s", mode, NoHierarchy, Managers, Positions))
	case depth < 1 || depth > MaxHierarchyDepth:
		return core.E(op, core.Invalid, core.At{Column: "depth"}, fmt.Sprintf("the depth is a number from 1 to %d", MaxHierarchyDepth))
	}
	return tx.Save(&Hierarchy{ID: hierarchyID, Mode: mode, Depth: depth}).Error
}

// SetManager has the user report to the manager; to nobody when it is empty. A circle is refused.
func SetManager(tx *gorm.DB, user, manager core.ID) error {
	const op = "authz.SetManager"
	if manager == "" {
		return changeUser(tx, op, user, map[string]any{"manager_id": nil})
	}
	if err := lockDirectory(tx); err != nil {
		return err
	}
	seen := map[core.ID]bool{}
	for above := manager; !seen[above]; {
		if above == user {
			return core.E(op, core.Invalid, core.At{Table: "_user", Column: "manager_id"}, "the manager is the user himself, or reports to him: choose somebody else")
		}
		seen[above] = true
		var u User
		if err := need(tx, op, &u, above, "user"); err != nil {
			return err
		}
		if u.ManagerID != nil {
			above = *u.ManagerID
		}
	}
	return changeUser(tx, op, user, map[string]any{"manager_id": manager})
}

// SetPosition puts the user into the position; into none when it is empty.
func SetPosition(tx *gorm.DB, user, position core.ID) error {
	const op = "authz.SetPosition"
	if position == "" {
		return changeUser(tx, op, user, map[string]any{"position_id": nil})
	}
	if err := need(tx, op, &Position{}, position, "position"); err != nil {
		return err
	}
	return changeUser(tx, op, user, map[string]any{"position_id": position})
}

// PutPosition adds a position under another one, or at the top when parent is empty; one of that name moves there, with what is
// under it.
func PutPosition(tx *gorm.DB, name string, parent core.ID) (core.ID, error) {
	const op = "authz.PutPosition"
	name, err := checkLabel(op, "position", name)
	if err != nil {
		return "", err
	}
	if err := lockDirectory(tx); err != nil {
		return "", err
	}
	var have []Position
	if err := tx.Where("name = ?", name).Find(&have).Error; err != nil {
		return "", err
	}
	q := Position{ID: core.NewID(), Name: name}
	if len(have) > 0 {
		q = have[0]
	}
	q.ParentID = nil
	if parent != "" {
		q.ParentID = &parent
	}
	for above := q.ParentID; above != nil; {
		if *above == q.ID {
			return "", core.E(op, core.Invalid, core.At{Table: "_position", Column: "parent_id"}, "the position above is the position itself, or under it: choose another one")
		}
		var a Position
		if err := need(tx, op, &a, *above, "position"); err != nil {
			return "", err
		}
		above = a.ParentID
	}
	return q.ID, tx.Save(&q).Error
}

// RenamePosition gives a position another name.
func RenamePosition(tx *gorm.DB, id core.ID, name string) error {
	const op = "authz.RenamePosition"
	name, err := checkLabel(op, "position", name)
	if err != nil {
		return err
	}
	var n int64
	if err := tx.Model(&Position{}).Where("name = ? AND id <> ?", name, id).Count(&n).Error; err != nil {
		return err
	}
	if n > 0 {
		return core.E(op, core.Exists, core.At{Table: "_position", Column: "name"}, "there is a position of this name already")
	}
	return tx.Model(&Position{}).Where("id = ?", id).Update("name", name).Error
}

// DropPosition removes a position that nobody holds and under which there is none.
func DropPosition(tx *gorm.DB, id core.ID) error {
	const op = "authz.DropPosition"
	for _, c := range []struct {
		of    any
		where string
		msg   string
	}{
		{&User{}, "position_id = ?", "somebody is in the position: put him into another one first"},
		{&Position{}, "parent_id = ?", "there are positions under it: move or drop them first"},
	} {
		var n int64
		if err := tx.Model(c.of).Where(c.where, id).Count(&n).Error; err != nil {
			return err
		}
		if n > 0 {
			return core.E(op, core.Invalid, core.At{Table: "_position"}, c.msg)
		}
	}
	return tx.Where("id = ?", id).Delete(&Position{}).Error
}
