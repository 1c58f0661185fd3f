package tables

import (
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/rules"
)

// copied refuses defaults and rules that read a secured column which the caller does not read in every record: they read with
// everybody's eyes, and would show him what they read, or give it to others. It is about those that he writes, and about those
// that come to read such a column because of what else he changes.
func (c *candidate) copied(caller core.Caller) error {
	if caller.IsSystem() {
		return nil
	}
	for _, t := range c.next.Schema.Tables() {
		if t.Builtin {
			continue
		}
		for _, d := range c.next.Rules.Definitions(t.Name) {
			reads := slices.DeleteFunc(d.Reads, func(at core.At) bool { return slices.Contains(c.readBefore(t, d), c.next.physical(at)) })
			at := c.next.secret(caller, reads)
			if at == (core.At{}) {
				continue
			}
			if d.Rule != "" {
				return core.E("tables.copied", core.Denied, core.At{Table: t.Name, Rule: d.Rule}, readsSecured("rule", at))
			}
			return core.E("tables.copied", core.Denied, core.At{Table: t.Name, Column: d.Column}, readsSecured("default", at))
		}
	}
	return nil
}

func readsSecured(what string, at core.At) string {
	return fmt.Sprintf("the %s reads %s.%s, which is secured: who writes it must himself read that in every record; ask an administrator", what, at.Table, at.Column)
}

// secret returns the first of the columns that is secured and that the caller does not read in every record, a zero [core.At] for
// none.
func (n *Snapshot) secret(caller core.Caller, columns []core.At) core.At {
	for _, at := range columns {
		t, err := n.Schema.Table(at.Table)
		if err != nil {
			continue
		}
		if of, ok := t.Column(at.Column); ok && of.Secured && !n.Policy.ReadsColumn(caller, at.Table, at.Column) {
			return at
		}
	}
	return core.At{}
}

// physical returns the column as SQL has it.
func (n *Snapshot) physical(at core.At) core.At {
	t, err := n.Schema.Table(at.Table)
	if err != nil {
		return at
	}
	if of, ok := t.Column(at.Column); ok {
		return core.At{Table: t.SQL(), Column: of.SQL()}
	}
	return at
}

// readBefore returns what the definition read before the change, by physical names; nothing when it is the change that writes it.
func (c *candidate) readBefore(t *core.Table, d rules.Definition) (out []core.At) {
	was, ok := c.from.Schema.Stored(t.SQL())
	if !ok || !c.untouched(was, t, d) {
		return nil
	}
	name := rules.Definition{Rule: c.ruleBefore(was, t, d.Rule)}
	if of, ok := t.Column(d.Column); ok && d.Rule == "" {
		name.Column = columnOf(was, of.SQL()).Name
	}
	for _, old := range c.from.Rules.Definitions(was.Name) {
		if old.Column == name.Column && old.Rule == name.Rule {
			for _, at := range old.Reads {
				out = append(out, c.from.physical(at))
			}
		}
	}
	return out
}

// untouched reports whether the definition is the one that the table had before, under other names perhaps.
func (c *candidate) untouched(was, is *core.Table, d rules.Definition) bool {
	if d.Rule != "" {
		return !c.puts(d.Rule)
	}
	of, _ := is.Column(d.Column)
	old := columnOf(was, of.SQL())
	if old == nil {
		return false
	}
	source, err := rules.Follow(c.from.Schema, c.next.Schema, is.SQL(), old.DefaultSource())
	return err == nil && source == of.DefaultSource()
}

// puts reports whether the change puts a rule of the name, or one that it renames to that, on whichever table.
func (c *candidate) puts(rule string) bool {
	names := []string{rule}
	for _, x := range slices.Backward(c.changes) {
		if r, ok := x.(core.RenamePart); ok && r.Part == core.PartRule && slices.Contains(names, r.To) {
			names = append(names, r.Name)
		}
	}
	return slices.ContainsFunc(c.changes, func(x core.Change) bool {
		put, ok := x.(core.PutRule)
		return ok && slices.Contains(names, put.Put.Name)
	})
}

// ruleBefore returns what the rule was called before the change.
func (c *candidate) ruleBefore(was, is *core.Table, name string) string {
	for _, x := range slices.Backward(c.changes) {
		if r, ok := x.(core.RenamePart); ok && r.Part == core.PartRule && r.To == name && (r.Of == was.Name || r.Of == is.Name) {
			name = r.Name
		}
	}
	return name
}
