package tables

import "colonnade/core"

// unsecured refuses a change that would show or open a secured column to others, unless the caller holds everything of it: one that
// is secured no longer, or shows more to those who read it masked.
func (c *candidate) unsecured(caller core.Caller) error {
	for _, t := range c.next.Schema.Tables() {
		was, ok := c.from.Schema.Stored(t.SQL())
		if !ok || t.Builtin {
			continue
		}
		for i := range t.Columns {
			is := &t.Columns[i]
			old := before(was, t, is)
			if old == nil || !old.Secured || is.Secured && c.masksAsBefore(t, is, was, old) {
				continue
			}
			if !c.from.Policy.HoldsColumn(caller, was.Name, old.Name) {
				return core.E("tables.unsecured", core.Denied, core.At{Table: t.Name, Column: is.Name}, "the column is secured: who changes that, or its mask, must himself create, read and update it in every record; ask an administrator")
			}
		}
	}
	return nil
}

// before returns what the column of t was in the table before the change, under another kind perhaps; nil for a new one.
func before(was, t *core.Table, is *core.Column) *core.Column {
	if old := columnOf(was, is.SQL()); old != nil {
		return old
	}
	for _, x := range t.Dropped { // the column whose place it takes
		if x.Column != nil && x.By == is.SQL() {
			return columnOf(was, x.Column.SQL())
		}
	}
	return nil
}

// masksAsBefore reports whether the column shows who reads it masked what it showed him before, or nothing.
func (c *candidate) masksAsBefore(t *core.Table, is *core.Column, was *core.Table, old *core.Column) bool {
	mask, before := c.next.Rules.Mask(t.Name, is.Name), c.from.Rules.Mask(was.Name, old.Name)
	return mask == nil || before != nil && mask.Source == before.Source
}
