package authz

import (
	"maps"
	"slices"

	"colonnade/core"
	"colonnade/rules"
)

// arms returns what lets a privilege reach more records of the table than its levels do, besides every record: expressions, one of
// which must hold. A share takes the place of the level, and never of the condition of a grant.
func (p *Policy) arms(t *core.Table, priv Privilege) (out []string) {
	if right := core.Op(priv); p.shared[t.Name] && core.ShareRight(right) != 0 {
		out = append(out, rules.Shared(right))
	}
	return out
}

// addShared finds the tables of which records are shared, or can be: a role grants share, or they
// inherit from such. The others pay nothing for it.
func (p *Policy) addShared(d *Data) {
	p.shared = map[string]bool{}
	for name, t := range p.tables {
		granted := slices.ContainsFunc(slices.Collect(maps.Values(t.grants)), func(of *heldRow) bool { return len(of[Share.index()]) > 0 })
		p.shared[name] = t.Owned() && (granted || t.KeepPreviousOwner || slices.Contains(d.Shared, t.SQL()))
	}
	for name := range p.tables {
		for from := range p.schema.Sharers(name) {
			p.shared[name] = p.shared[name] || p.shared[from.Table.Name]
		}
	}
}

// CheckShared returns an error when records of the table cannot be shared.
func (p *Policy) CheckShared(table string) error {
	const op = "authz.CheckShared"
	switch t := p.tables[table]; {
	case p.shared[table]:
		return nil
	case !t.Owned():
		return core.E(op, core.Invalid, core.At{Table: table}, "the records of this table belong to the organization, so there is nothing to share: give roles the privileges")
	}
	return core.E(op, core.Invalid, core.At{Table: table}, "no role holds the privilege share on this table, so that its records are not shared: grant it to a role first")
}
