package core

import "slices"

// OnAssign says which records go along when the record that they look up is given to another owner.
type OnAssign string

// What a lookup does; the zero value is AssignNone.
const (
	AssignNone   OnAssign = "none"
	AssignAll    OnAssign = "all"
	AssignOwned  OnAssign = "owned"  // those that belong to whom the record belonged to
	AssignActive OnAssign = "active" // those with a status whose option is of the state [ActiveState]
)

// ActiveState is the state of the options of a status by which a record counts as active.
const ActiveState = "active"

// FollowsOwner reports whether records go along by the lookup.
func (c *Column) FollowsOwner() bool { return c.OnAssign != "" && c.OnAssign != AssignNone }

// Active reports whether the record has a status that is active.
func (t *Table) Active(r Record) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool {
		return c.Kind == Status && slices.ContainsFunc(c.Options, func(o Option) bool { return o.State == ActiveState && r[c.Name] == o.Value })
	})
}

// mayBeActive reports whether the table has a status that can be active.
func (t *Table) mayBeActive() bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool {
		return c.Kind == Status && slices.ContainsFunc(c.Options, func(o Option) bool { return o.State == ActiveState })
	})
}

// checkOnAssign checks that owners are followed among tables whose records belong to users.
func (s *Schema) checkOnAssign() error {
	const op = "core.NewSchema"
	for _, t := range s.sorted {
		for i := range t.Columns {
			c := &t.Columns[i]
			if !c.FollowsOwner() {
				continue
			}
			at := At{Table: t.Name, Column: c.Name}
			unowned := func(target string) bool { return !s.tables[target].Owned() }
			if !t.Owned() || c.Kind == Lookup && unowned(c.Target) || slices.ContainsFunc(c.Targets, unowned) {
				return E(op, Invalid, at, "records follow to another owner among tables whose records belong to users: leave on_assign out, or set the ownership of both to user")
			}
			if c.OnAssign == AssignActive && !t.mayBeActive() {
				return E(op, Invalid, at, "on_assign is active, and the table has no status with an option of the state active: choose all or owned, or give options that state")
			}
		}
	}
	return nil
}
