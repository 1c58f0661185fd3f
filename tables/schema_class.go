package tables

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// declassified refuses changes that are for administrators: of what a data class says, and of a column that carries one no longer, of
// which its values would be free then.
func (c *candidate) declassified(caller core.Caller) error {
	const op = "tables.declassified"
	for _, was := range c.from.Schema.DataClasses() {
		if _, ok := c.next.Schema.DataClass(was.Name); ok {
			continue
		}
		if roles := c.from.access.DeniedTo(was.Name); len(roles) > 0 && c.from.Policy.May(caller, "manage_access") == nil {
			return core.E(op, core.Invalid, fmt.Sprintf("the data class %s is denied to %s: take it from deny_classes of the role first", was.Name, strings.Join(roles, ", ")))
		}
	}
	if c.from.Policy.Administers(caller) == nil {
		return nil
	}
	for _, was := range c.from.Schema.DataClasses() {
		is, ok := c.next.Schema.DataClass(was.Name)
		if !ok { // a dropped column may carry it, and come back
			return core.E(op, core.Denied, fmt.Sprintf("data class %s: it is dropped by an administrator: ask one", was.Name))
		}
		said, says := was, *is
		said.Label, said.Doc, says.Label, says.Doc = "", "", "", ""
		if !said.Same(says) {
			return core.E(op, core.Denied, fmt.Sprintf("data class %s: what it says of the columns that carry it is changed by an administrator: ask one", was.Name))
		}
	}
	for _, t := range c.next.Schema.Tables() {
		was, ok := c.from.Schema.Stored(t.SQL())
		if !ok {
			continue
		}
		for i := range t.Columns {
			is := &t.Columns[i]
			old := before(was, t, is)
			if old == nil {
				continue
			}
			carried := was.ClassesOf(old)
			if !old.Virtual() { // its history holds what it was calculated from
				carried = c.from.Rules.Classes(was.Name, old.Name)
			}
			for _, name := range carried {
				if !slices.Contains(c.next.Rules.Classes(t.Name, is.Name), name) {
					return core.E(op, core.Denied, core.At{Table: t.Name, Column: is.Name}, fmt.Sprintf("the column carries the data class %s, which an administrator takes away: ask one", name))
				}
			}
		}
	}
	return nil
}
