package oracle

import (
	"slices"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// reachingMeaning is a calculated column that reads other records.
type reachingMeaning struct {
	column core.Column
	means  meant
}

// sight reads records for somebody: with everything in sight, or as the caller may. What he may not read of the record and of
// those on its lookups makes the whole value a secret; in lists it is passed over, unless every record has to be in sight.
type sight struct {
	p      *person
	all    bool
	every  bool
	wide   bool        // and those that a condition leaves out
	writes core.Record // of whose column s the value is the writer's own
	secret bool
}

// sent reports whether the column holds what the writer has sent, or is made of nothing else.
func (v *sight) sent(r core.Record, column string) bool {
	return v.writes != nil && r != nil && r["id"] == v.writes["id"] && (column == "s" || column == "loud")
}

// barred reports whether the person may not even name what an expression reads of other records.
func (p *person) barred(m meant) bool {
	return slices.ContainsFunc(m.reads, func(n mention) bool { return !n.own && !p.nameable(n.table, n.column) })
}

// round brings a value into the form of the column.
func (d *reachingMeaning) round(v any) any {
	if x, ok := v.(decimal.Decimal); ok {
		return x.Round(int32(d.column.Scale))
	}
	return v
}

// whole is the value of a column with everything in sight.
func (p *person) whole(table string, r core.Record, d *reachingMeaning) any {
	key := spotted{table, r["id"].(string), "whole " + d.column.Name}
	if v, ok := p.seen[key]; ok {
		return v
	}
	v := d.round(d.means.eval(&sight{p: p, all: true}, []core.Record{r}))
	p.seen[key] = v
	return v
}

// reaching is the column as the caller sees it in a record, apart from whether he may see the column itself; ok is false when it
// reads what he may not see.
func (p *person) reaching(table string, r core.Record, d *reachingMeaning) (out any, ok bool) {
	if d.column.Rights == core.DefinerRights {
		return p.whole(table, r, d), true
	}
	if !p.open(table, d.column.Name) {
		return nil, false
	}
	v := &sight{p: p}
	out = d.round(d.means.eval(v, []core.Record{r}))
	return out, !v.secret
}

// read is a column of a record; among says that the record is one of a list, or was reached from there.
func (v *sight) read(table string, r core.Record, column string, among bool) any {
	if r == nil {
		return nil
	}
	if among && !v.all && !v.every {
		return v.p.value(table, r, column)
	}
	d := v.p.meanings[table+"."+column]
	if v.all {
		if d != nil {
			return v.p.whole(table, r, d)
		}
		return v.p.plain(r, column)
	}
	if d == nil {
		for _, s := range v.p.secrets(table, column) {
			v.secret = v.secret || !v.p.shown(table, r, s)
		}
		return v.p.plain(r, column)
	}
	v.secret = v.secret || !v.p.shown(table, r, column)
	if d.column.Rights == core.DefinerRights {
		return v.p.whole(table, r, d)
	}
	v.secret = v.secret || v.every && v.p.barred(d.means)
	return d.round(d.means.eval(v, []core.Record{r}))
}

// follow returns the record that a lookup leads to.
func (v *sight) follow(table string, r core.Record, rel core.Relation, among bool) core.Record {
	to, which := v.read(table, r, rel.Column, among), any(nil)
	if rel.Which != "" {
		which = v.read(table, r, rel.Which, among)
	}
	if to == nil || rel.Which != "" && which != rel.Target {
		return nil
	}
	found := v.p.find(rel.Table, to)
	if v.all || found != nil && v.p.visible(rel.Table, found) {
		return found
	}
	v.secret = v.secret || !among || v.every
	return nil
}

// list returns the records that a relation to many leads to from r.
func (v *sight) list(r core.Record, rel core.Relation) (out []core.Record) {
	if r == nil {
		return nil
	}
	if v.every {
		return v.everyOne(r, rel)
	}
	see := func(table string, r core.Record, column string) any { return v.read(table, r, column, true) }
	visible := func(table string, r core.Record) bool { return v.all || v.p.visible(table, r) }
	var linked []any
	if rel.Through != "" {
		for _, l := range v.p.rows[rel.Through] {
			if visible(rel.Through, l) && see(rel.Through, l, rel.Near) == r["id"] {
				linked = append(linked, see(rel.Through, l, rel.Column))
			}
		}
	}
	for _, c := range v.p.rows[rel.Table] {
		switch {
		case !visible(rel.Table, c):
		case rel.Through != "":
			if slices.Contains(linked, c["id"]) {
				out = append(out, c)
			}
		case see(rel.Table, c, rel.Column) == r["id"] && (rel.Which == "" || see(rel.Table, c, rel.Which) == rel.Target):
			out = append(out, c)
		}
	}
	return out
}

// everyOne is list where all of the records have to be in sight, as members of the list.
func (v *sight) everyOne(r core.Record, rel core.Relation) []core.Record {
	out := (&sight{p: v.p, all: true}).list(r, rel)
	seen := (&sight{p: v.p}).list(r, rel)
	v.secret = v.secret || len(seen) < len(out)
	return out
}

// below returns what a relation of a table to itself leads to, and what it leads to from there, without r.
func (v *sight) below(r core.Record, rel core.Relation) (out []core.Record) {
	seen := map[any]bool{}
	for next := v.list(r, rel); len(next) > 0; {
		c := next[0]
		if next = next[1:]; seen[c["id"]] {
			continue
		}
		seen[c["id"]] = true
		if c["id"] != r["id"] {
			out = append(out, c)
		}
		next = append(next, v.list(c, rel)...)
	}
	return out
}

func (w *world) find(table string, id any) core.Record {
	if i := slices.IndexFunc(w.rows[table], func(r core.Record) bool { return r["id"] == id }); i >= 0 {
		return w.rows[table][i]
	}
	return nil
}
