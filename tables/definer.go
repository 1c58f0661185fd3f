package tables

import (
	"colonnade/authz"
	"colonnade/core"
)

// definers refuses a column that would show with the definer's rights what the definer himself may not read: new ones, and
// those that are calculated otherwise than before.
func (c *candidate) definers(caller core.Caller) error {
	for _, t := range c.next.Schema.Tables() {
		for i := range t.Columns {
			col := &t.Columns[i]
			if col.Rights != core.DefinerRights || !col.Calculated() || c.stays(t, col) {
				continue
			}
			if name := c.next.Policy.Beyond(caller, t.Name, c.next.Rules.Reads(t.Name, col.Name)); name != "" {
				return core.E("tables.definers", core.Denied, core.At{Table: t.Name, Column: col.Name}, "with the definer's rights the column would show "+name+", which you may not read in every record: leave rights out, or ask an administrator")
			}
			if d, err := c.next.Policy.Decide(caller, t.Name, authz.Read); err != nil || d.Rows != nil {
				return core.E("tables.definers", core.Denied, core.At{Table: t.Name, Column: col.Name}, "a column with the definer's rights is made by somebody who may read every record of the table")
			}
		}
	}
	return nil
}

// stays reports whether the column is calculated as before.
func (c *candidate) stays(t *core.Table, col *core.Column) bool {
	was, ok := c.from.Schema.Stored(t.SQL())
	if !ok {
		return false
	}
	old := columnOf(was, col.SQL())
	return old != nil && old.Formula == col.Formula && old.Rights == col.Rights
}
