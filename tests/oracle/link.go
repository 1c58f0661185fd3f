package oracle

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"colonnade/core"
)

// end is one of the two of a link: the column of the link that leads to it, and its field that lists what is at the other one.
type end struct{ column, field, table string }

// ends are those of the links of the world, if there are some.
func (w *world) ends() (out []end, links *core.Table) {
	for _, t := range w.schema.Tables() {
		if t.Link == nil {
			continue
		}
		links = t
		for _, e := range []core.LinkEnd{t.Link.From, t.Link.To} {
			c, _ := t.Column(e.Column)
			out = append(out, end{e.Column, e.Field, c.Target})
		}
	}
	return out, links
}

// linking links a record with another, or ends their link. It may fail for other reasons than those that are said here: it is
// compared what there is when it does not.
func (g *game) linking(p *person, table *core.Table, r core.Record) deed {
	ends, links := g.ends()
	near, far := ends[0], ends[1]
	if near.table != table.Name || far.table == table.Name && g.chance(0.5) {
		near, far = far, near
	}
	other := choose(g.maker, g.rows[far.table]...)
	between := func(l core.Record) bool { return l[near.column] == r["id"] && l[far.column] == other["id"] }
	have := g.rows[links.Name]
	i := slices.IndexFunc(have, between)
	d := deed{
		path: "link", variables: map[string]any{"id": r["id"], "to": []any{other["id"]}}, want: maps.Clone(g.rows), told: func(any) string { return "" },
		may: p.visible(table.Name, r) && p.visible(far.table, other) && p.nameable(links.Name, near.column) && p.nameable(links.Name, far.column),
	}
	told := func(name, n string) func(any) string { return wantsOnly(map[string]any{name: json.Number(n)}) }
	if g.chance(0.5) {
		d.document = "mutation($id: uuid!, $to: [uuid!]!) { q: link_records(table: \"" + table.Name + "\", field: \"" + near.field + "\", id: $id, to: $to) { linked } }"
		d.may = d.may && len(p.may("create", links.Name)) > 0
		if i < 0 {
			link := core.Record{near.column: r["id"], far.column: other["id"]}
			d.want[links.Name], d.told = append(have[:len(have):len(have)], link), told("linked", "1")
		} else if p.seesLink(links, have[i], near, far) { // nothing is to be done, whether he sees what it joins or not
			d.may, d.told = true, told("linked", "0")
		}
		return d
	}
	d.path = "unlink"
	d.document = "mutation($id: uuid!, $to: [uuid!]!) { q: unlink_records(table: \"" + table.Name + "\", field: \"" + near.field + "\", id: $id, to: $to) { unlinked } }"
	if i >= 0 && p.seesLink(links, have[i], near, far) && p.able("delete", links.Name, have[i]) { // whether he sees what it joins or not
		d.may, d.want[links.Name], d.told = true, slices.Concat(have[:i], have[i+1:]), told("unlinked", "1")
	} else { // it is refused, or as if there were none
		d.may, d.told = true, told("unlinked", "0")
	}
	return d
}

// seesLink reports whether the person sees a link, and of which records it is.
func (p *person) seesLink(links *core.Table, l core.Record, of ...end) bool {
	return p.visible(links.Name, l) && !slices.ContainsFunc(of, func(e end) bool { return !p.shown(links.Name, l, e.column) })
}

// restoring has an administrator delete a record, which the person then brings back: with what went with it, and what it was looked up by.
func (g *game) restoring(t testing.TB, p *person, table *core.Table, r core.Record) deed {
	t.Helper()
	g.program.must(t, "mutation($id: uuid!) { delete_"+table.Name+"_by_pk(id: $id) { id } }", map[string]any{"id": r["id"]})
	d := deed{
		path: "restore", document: "mutation($ids: [uuid!]!) { q: restore_" + table.Name + "(ids: $ids) { affected_rows } }", variables: map[string]any{"ids": []any{r["id"]}},
		want: g.rows, told: func(any) string { return "" },
	}
	g.rows = g.without(g.rows, table.Name, r, nil)
	for _, other := range g.people {
		other.forget()
	}
	d.may = p.able("delete", table.Name, r) && len(p.may("create", table.Name)) > 0
	return d
}
