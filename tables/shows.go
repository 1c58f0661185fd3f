package tables

import (
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// ShowsStored reports whether the value that the database keeps of a column is the one that the caller may see, as far as it
// depends on other records: that of a column with the definer's rights, or when he may read everything that it depends on. What
// he may read of the record itself is for the policy to say.
func (n *Snapshot) ShowsStored(caller core.Caller, t *core.Table, c *core.Column) bool {
	switch {
	case c.Virtual():
		return false
	case !c.Calculated() || !readers(c) || !n.Rules.Reaches(t.Name, c.Name):
		return true
	}
	return !slices.ContainsFunc(n.Rules.Reads(t.Name, c.Name), func(r rules.Read) bool { return !n.unrestricted(caller, r) })
}

// unrestricted reports whether the caller may read all records that a way leads through, and what is read there.
func (n *Snapshot) unrestricted(caller core.Caller, r rules.Read) bool {
	plain := func(table string, columns ...string) bool {
		may, err := n.Policy.Decide(caller, table, authz.Read)
		return err == nil && may.Rows == nil && !slices.ContainsFunc(columns, func(name string) bool {
			visible, guard := may.Column(name)
			return !visible || guard != nil
		})
	}
	for i, s := range r.Path {
		rel := s.Relation
		if !plain(rel.Table, r.At(i)...) || rel.Through != "" && !plain(rel.Through, rel.Near, rel.Column) {
			return false
		}
	}
	return true
}
