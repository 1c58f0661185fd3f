package oracle

import (
	"slices"

	"colonnade/core"
)

// level is how far a grant reaches over the records of a table.
type level string

const (
	own          level = "own"
	unit         level = "unit"
	unitBelow    level = "unit_and_below"
	organization level = "organization"
)

// grant is what a role gives.
type grant struct {
	role, table string
	privileges  []string
	level       level
	condition   string
	hidden      []string
}

// holding is a role that a person holds, and what its levels count from.
type holding struct {
	role   string
	owners []core.ID
	unit   core.ID
	apart  bool // it is about the records of a team only
}

// person is somebody who asks, and may see some of a world.
type person struct {
	*world
	name, key string
	id, unit  core.ID
	teams     []core.ID
	holdings  []holding
	grants    []grant // of the roles that he holds

	seen map[spotted]any // what was found out about the rows
}

// spotted is something of a record: a column, or without one whether it is visible.
type spotted struct{ table, id, column string }

func (p *person) table(name string) *core.Table {
	t, err := p.schema.Table(name)
	if err != nil {
		panic(err)
	}
	return t
}

// may returns the grants of the privilege on the table.
func (p *person) may(privilege, table string) (out []grant) {
	for _, g := range p.grants {
		if g.table == table && slices.Contains(g.privileges, privilege) {
			out = append(out, g)
		}
	}
	return out
}

// known reports whether the person holds a privilege on the table at all.
func (p *person) known(table string) bool {
	return slices.ContainsFunc(p.grants, func(g grant) bool { return g.table == table })
}

// readable reports whether the person may read records of the table.
func (p *person) readable(table string) bool { return len(p.may("read", table)) > 0 }

// reaches reports whether the grant reaches the record with the privilege.
func (p *person) reaches(g grant, privilege string, r core.Record) bool {
	in := g.level == organization || p.shared(g.table, privilege, r)
	for _, h := range p.holdings {
		if in {
			break
		}
		if !p.includes(h.role, g.role) {
			continue
		}
		owner, at := core.ID(r["owner_id"].(string)), core.ID(r["unit_id"].(string))
		in = slices.Contains(h.owners, owner) || !h.apart && slices.Contains(p.reports(g.table, privilege), owner) || g.level == unit && at == h.unit || g.level == unitBelow && p.within(at, h.unit)
	}
	if !in || g.condition == "" {
		return in
	}
	return p.conditions[g.table+" "+g.condition].eval(&sight{p: p, all: true}, []core.Record{r}) == true
}

// visible reports whether the person may read the record.
func (p *person) visible(table string, r core.Record) bool {
	key := spotted{table, r["id"].(string), ""}
	if known, ok := p.seen[key]; ok {
		return known.(bool)
	}
	visible := slices.ContainsFunc(p.may("read", table), func(g grant) bool { return p.reaches(g, "read", r) })
	p.seen[key] = visible
	return visible
}

// shown reports whether the column by itself is visible to the person in a record.
func (p *person) shown(table string, r core.Record, column string) bool {
	return slices.ContainsFunc(p.may("read", table), func(g grant) bool { return !slices.Contains(g.hidden, column) && p.reaches(g, "read", r) })
}

// secrets are the columns of the record whose visibility decides about that of the column.
func (p *person) secrets(_, column string) []string {
	return append([]string{column}, simpleFormulas[column].reads...)
}

// nameable reports whether the person may name the column in a query.
func (p *person) nameable(table, column string) bool {
	for _, s := range p.secrets(table, column) {
		if !slices.ContainsFunc(p.may("read", table), func(g grant) bool { return !slices.Contains(g.hidden, s) }) {
			return false
		}
	}
	d := p.meanings[table+"."+column]
	return d == nil || d.column.Rights == core.DefinerRights || !slices.ContainsFunc(d.means.reads, func(n mention) bool { return !p.nameable(n.table, n.column) })
}

// value is what the person sees in the column of a visible record.
func (p *person) value(table string, r core.Record, column string) any {
	key := spotted{table, r["id"].(string), column}
	if known, ok := p.seen[key]; ok {
		return known
	}
	v := p.look(table, r, column)
	p.seen[key] = v
	return v
}

func (p *person) look(table string, r core.Record, column string) any {
	for _, s := range p.secrets(table, column) {
		if !p.shown(table, r, s) {
			return nil
		}
	}
	if d := p.meanings[table+"."+column]; d != nil {
		if !p.nameable(table, column) {
			return nil
		}
		return p.reaching(table, r, d)
	}
	return p.plain(r, column)
}

// plain is the value of a column that depends on the record and the person alone, with everything in sight.
func (p *person) plain(r core.Record, column string) any {
	if f, ok := simpleFormulas[column]; ok {
		return f.value(p, r)
	}
	return r[column]
}

// forget drops what was found out about the rows.
func (p *person) forget() { p.seen = map[spotted]any{} }
