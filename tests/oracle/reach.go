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
	held      []profile

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

// powers are which grants besides those to read reach which records: what somebody may change he learns by trying, and so of
// what a condition on it reads.
func (p *person) powers() (out []bool) {
	for _, table := range p.schema.Tables() {
		out = append(out, p.powersOver(table.Name, p.rows[table.Name])...)
	}
	return out
}

func (p *person) powersOver(table string, rows []core.Record) (out []bool) {
	for _, g := range p.grants {
		for _, privilege := range g.privileges {
			if g.table != table || privilege == "read" {
				continue
			}
			for _, r := range rows {
				out = append(out, p.reaches(g, privilege, r))
			}
		}
	}
	return out
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

// left reports whether a grant that reaches the record leaves the column in.
func (p *person) left(table string, r core.Record, column string) bool {
	return slices.ContainsFunc(p.may("read", table), func(g grant) bool { return !slices.Contains(g.hidden, column) && p.reaches(g, "read", r) })
}

// shown reports whether the column by itself is visible to the person in a record.
func (p *person) shown(table string, r core.Record, column string) bool {
	return p.given(table, column, "read") == "full" && p.left(table, r, column)
}

// secrets are the columns of the record whose visibility decides about that of the column.
func (p *person) secrets(_, column string) []string {
	return append([]string{column}, simpleFormulas[column].reads...)
}

// nameable reports whether the person may name the column in a query.
func (p *person) nameable(table, column string) bool {
	return p.given(table, column, "read") == "full" && p.open(table, column)
}

// open reports whether the grants leave the column in, somewhere, and the person may name all that it is calculated from.
func (p *person) open(table, column string) bool {
	for _, s := range p.secrets(table, column) {
		if !slices.ContainsFunc(p.may("read", table), func(g grant) bool { return !slices.Contains(g.hidden, s) }) {
			return false
		}
		if s != column && p.given(table, s, "read") != "full" {
			return false
		}
	}
	d := p.meanings[table+"."+column]
	return d == nil || d.column.Rights == core.DefinerRights || !slices.ContainsFunc(d.means.reads, func(n mention) bool { return !p.nameable(n.table, n.column) })
}

// value is what the person may know of the column of a visible record.
func (p *person) value(table string, r core.Record, column string) any {
	key := spotted{table, r["id"].(string), column}
	if known, ok := p.seen[key]; ok {
		return known
	}
	v, ok := p.look(table, r, column)
	if !ok || !p.nameable(table, column) {
		v = nil
	}
	p.seen[key] = v
	return v
}

// look is the value of a column, as far as it is not for a column profile to decide about the column itself; ok is false where the
// person may not know it.
func (p *person) look(table string, r core.Record, column string) (v any, ok bool) {
	for _, s := range p.secrets(table, column) {
		if !p.left(table, r, s) || s != column && !p.shown(table, r, s) {
			return nil, false
		}
	}
	if d := p.meanings[table+"."+column]; d != nil {
		return p.reaching(table, r, d)
	}
	return p.plain(r, column), true
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
