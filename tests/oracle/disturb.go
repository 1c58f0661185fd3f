package oracle

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"colonnade/core"
)

// view is everything that a person sees.
func (p *person) view() string {
	var out []byte
	for _, table := range p.schema.Tables() {
		for _, r := range p.rows[table.Name] {
			if !p.visible(table.Name, r) {
				continue
			}
			out = append(out, table.Name...)
			for i := range table.Columns {
				out = append(table.Columns[i].AppendJSON(out, p.display(table.Name, r, table.Columns[i].Name)), ' ')
			}
		}
	}
	return string(out)
}

// hindsight is everything that a person sees of the past, which may depend on records of now: by a condition, or by shares that are inherited.
func (g *game) hindsight(p *person) string {
	var out []byte
	for _, table := range g.schema.Tables() {
		past := g.pasts[table.Name]
		last := map[string]core.Record{}
		for _, r := range slices.Concat(g.rows[table.Name], past.gone) {
			last[r["id"].(string)] = r
		}
		for _, id := range slices.Sorted(maps.Keys(past.versions)) {
			for _, v := range past.versions[id] {
				if p.sees(table.Name, v.record, last[id]) {
					out = core.AppendValue(out, p.version(table, v.record, last[id]))
				} else if v.record != nil && p.at().visible(table.Name, v.record) { // of which the feed tells that it left
					out = append(out, id...)
				}
			}
		}
	}
	return string(out)
}

// disturb changes data at random of which a person sees nothing. It reports whether there was some.
func (g *game) disturb(t testing.TB, p *person) bool {
	t.Helper()
	before, once := p.view(), g.hindsight(p)
	var b batch
	for range 40 {
		if len(b.roots) == roots {
			break
		}
		table := choose(g.maker, g.schema.Tables()...)
		rows := g.rows[table.Name]
		if g.chance(0.25) {
			r := g.record(table)
			g.owned(r, nil)
			if !linksTwo(table, r) || g.linked(table, r) {
				continue
			}
			created := r.Clone()
			g.complete(table, created)
			g.rows[table.Name] = append(rows[:len(rows):len(rows)], created)
			if g.unseen(p, before, once) {
				b.add("insert_"+table.Name+"_one", "id", "object "+table.Name+"_insert_input!", inputOf(table, r))
				continue
			}
		} else if len(rows) > 0 {
			i := g.IntN(len(rows))
			changed, set := g.changed(table, rows[i])
			g.rows[table.Name] = slices.Concat(rows[:i], []core.Record{changed}, rows[i+1:])
			if len(set) > 0 && !g.linked(table, changed) && g.unseen(p, before, once) {
				b.add("update_"+table.Name+"_by_pk", "id", "pk_columns "+table.Name+"_pk_columns_input!", map[string]any{"id": changed["id"]}, "_set "+table.Name+"_set_input", inputOf(table, set))
				continue
			}
		}
		g.rows[table.Name] = rows
	}
	p.forget() // what was tried
	if len(b.roots) == 0 {
		return false
	}
	b.do(t, g.program)
	g.read(t)
	if after := p.view(); after != before {
		return false // a stored column was computed anew, and the version of its record has risen
	}
	return true
}

// unseen reports whether the person sees what he saw before.
func (g *game) unseen(p *person, before, once string) bool {
	p.forget()
	return p.view() == before && g.hindsight(p) == once
}

// owned gives a record an owner that may have one.
func (g *game) owned(r, was core.Record) {
	if _, ok := r["owner_id"]; ok {
		r["owner_id"] = string(choose(g.maker, g.strangers, g.other))
		if was != nil && g.chance(0.5) {
			r["owner_id"] = was["owner_id"]
		}
	}
}

// complete gives a new record values in the columns that the program fills in.
func (g *game) complete(table *core.Table, r core.Record) {
	for c := range table.Stored {
		if _, ok := r[c.Name]; !ok {
			r[c.Name] = nil
		}
	}
	r["version"] = int64(1)
	if of, ok := table.Column("no"); ok {
		r["no"] = fmt.Sprint("N?", of.Name)
	}
}

// changed returns the record with other values, and those. It leaves codes alone: who may write one learns whether it is taken.
func (g *game) changed(table *core.Table, r core.Record) (changed, set core.Record) {
	fresh := g.record(table)
	g.owned(fresh, r)
	changed, set = r.Clone(), core.Record{}
	for c := range table.Stored {
		if c.Name == "id" || c.Unique || c.Of != "" || !writable(c) || c.Required && fresh[c.Name] == nil || !g.chance(0.3) {
			continue
		}
		if c.Kind == core.Status && !follows(c, r[c.Name], fresh[c.Name]) {
			continue
		}
		set[c.Name] = fresh[c.Name]
		if of, ok := table.TargetColumn(c); ok {
			set[of.Name] = fresh[of.Name]
			if fresh[c.Name] == nil {
				set[of.Name] = nil
			}
		}
	}
	for name, v := range set {
		changed[name] = v
	}
	if _, placed := set["unit_id"]; !placed && set["owner_id"] != nil && set["owner_id"] != r["owner_id"] { // it goes to the unit of its new owner
		at, _ := g.placeOf(core.ID(set["owner_id"].(string)))
		changed["unit_id"] = string(at)
	}
	changed["version"] = r["version"].(int64) + 1
	return changed, set
}

// follows reports whether a status may go from one value to another.
func follows(c *core.Column, from, to any) bool {
	i := slices.IndexFunc(c.Options, func(o core.Option) bool { return o.Value == from })
	return from == to || i >= 0 && slices.Contains(c.Options[i].Next, to.(string))
}
