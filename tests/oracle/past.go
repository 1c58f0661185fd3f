package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"colonnade/core"
)

// version is a record as it was.
type version struct {
	number int64
	record core.Record // nil after a delete
}

// past is the history of the records of a table, as an administrator reads it.
type past struct {
	versions map[string][]version // by record, the oldest first
	gone     []core.Record        // as they last were
	order    []string             // of the changes in the feed: the record and its version, with a space between
}

// remember reads the history of a table as the administrator: its feed has all versions when nothing else is at work on the server.
func (g *game) remember(t testing.TB, table *core.Table) past {
	t.Helper()
	out := past{versions: map[string][]version{}}
	data := g.program.must(t, "{ q: "+table.Name+"_deleted(limit: 1000, order_by: {id: asc}) { id record } }", nil)
	total := int64(0)
	for _, o := range data["q"].([]any) {
		r := g.recordOf(t, table, o.(map[string]any)["record"])
		out.gone = append(out.gone, r)
		total += r["version"].(int64) + 1
	}
	for _, r := range g.rows[table.Name] {
		total += r["version"].(int64)
	}
	for int64(len(out.order)) < total { // PostgreSQL shows a change once every older transaction has ended
		out.order, out.versions = nil, map[string][]version{}
		data = g.program.must(t, "{ q: "+table.Name+`_changes(since: "start", limit: 1000) { changes { id version after } } }`, nil)
		for _, o := range data["q"].(map[string]any)["changes"].([]any) {
			change := o.(map[string]any)
			id := change["id"].(string)
			number, err := change["version"].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			v := version{number: number}
			if change["after"] != nil {
				v.record = g.recordOf(t, table, change["after"])
			}
			out.versions[id] = append(out.versions[id], v)
			out.order = append(out.order, fmt.Sprint(id, " ", number))
		}
	}
	return out
}

// recordOf is a record of an answer, without calculated columns.
func (g *game) recordOf(t testing.TB, table *core.Table, v any) core.Record {
	t.Helper()
	out := core.Record{}
	for c := range table.Stored {
		if x := v.(map[string]any)[c.Name]; x != nil && !c.Calculated() {
			out[c.Name] = g.value(t, c, x)
		} else {
			out[c.Name] = nil
		}
	}
	return out
}

// at is the person, with nothing found out yet: for a record that is not as it is now.
func (p *person) at() *person {
	out := *p
	out.forget()
	return &out
}

// sees reports whether the person may see a version of a record that is by now, or last was, another.
func (p *person) sees(table string, v, now core.Record) bool {
	return v != nil && p.at().visible(table, v) && p.at().visible(table, now)
}

// version is what the person sees of a version, without the columns that depend on other records.
func (p *person) version(table *core.Table, v, now core.Record) any {
	out := map[string]any{}
	then, later := p.at(), p.at()
	for i := range table.Columns {
		c := &table.Columns[i]
		veiled := p.veiled(table.Name, c.Name)
		if !p.nameable(table.Name, c.Name) && !veiled || p.meanings[table.Name+"."+c.Name] != nil {
			continue
		}
		value := p.plain(v, c.Name)
		if veiled {
			value = masked(c, value)
		}
		for _, s := range p.secrets(table.Name, c.Name) {
			if !then.left(table.Name, v, s) || !later.left(table.Name, now, s) {
				value = nil
			}
		}
		out[c.Name] = parsed(c.AppendJSON(nil, value))
	}
	return out
}

// bare is a record of an answer without the columns that depend on other records.
func (p *person) bare(table *core.Table, record any) any {
	o, ok := record.(map[string]any)
	if !ok {
		return record
	}
	for _, c := range table.Columns {
		if p.meanings[table.Name+"."+c.Name] != nil {
			delete(o, c.Name)
		}
	}
	return o
}

// pastOf are questions about the history of a table.
func (g *game) pastOf(t testing.TB, p *person, table *core.Table) (out []probe) {
	t.Helper()
	past := g.remember(t, table)
	g.pasts[table.Name] = past
	rows := slices.Concat(g.rows[table.Name], past.gone)
	for range min(2, len(rows)) {
		now := choose(g.maker, rows...)
		var want []any
		for _, v := range slices.Backward(past.versions[now["id"].(string)]) {
			if p.sees(table.Name, v.record, now) {
				want = append(want, map[string]any{"version": json.Number(fmt.Sprint(v.number)), "record": p.version(table, v.record, now)})
			}
		}
		out = append(out, g.query(t, p, "query($id: uuid!) { q: "+table.Name+"_history(id: $id) { version record } }", map[string]any{"id": now["id"]}, func(got any, kind string) string {
			list, _ := got.([]any)
			kept := []any{}
			for _, o := range list {
				v := o.(map[string]any)
				if v["record"] = p.bare(table, v["record"]); v["record"] != nil { // a delete has none
					kept = append(kept, v)
				}
			}
			return wants(append([]any{}, want...))(kept, kind)
		}))
	}
	want := []any{}
	for _, r := range past.gone {
		if p.at().visible(table.Name, r) {
			want = append(want, map[string]any{"id": r["id"], "record": p.version(table, r, r)})
		}
	}
	out = append(out, g.query(t, p, "{ q: "+table.Name+"_deleted(limit: 1000, order_by: {id: asc}) { id record } }", nil, func(got any, kind string) string {
		list, _ := got.([]any)
		for _, o := range list {
			o := o.(map[string]any)
			o["record"] = p.bare(table, o["record"])
		}
		return wants(want)(got, kind)
	}))
	out[len(out)-1].path = "deleted"
	out = append(append(out, g.feed(t, p, table, past)...), g.purged(t, p, table, past))
	for i := range out {
		out[i].counts = table.Name
	}
	return out
}

// feed asks for all changes of a table, once and as a subscription.
func (g *game) feed(t testing.TB, p *person, table *core.Table, past past) (out []probe) {
	last := map[string]core.Record{}
	for _, r := range slices.Concat(g.rows[table.Name], past.gone) {
		last[r["id"].(string)] = r
	}
	want := []any{}
	for _, change := range past.order {
		var id string
		var number int64
		if _, err := fmt.Sscan(change, &id, &number); err != nil {
			t.Fatal(err)
		}
		var before, after core.Record
		for _, v := range past.versions[id] {
			switch v.number {
			case number - 1:
				before = v.record
			case number:
				after = v.record
			}
		}
		was, is := before != nil && p.at().visible(table.Name, before), after != nil && p.at().visible(table.Name, after)
		if !p.sees(table.Name, after, last[id]) && (!was || is) {
			continue
		}
		told := map[string]any{"op": "update", "id": id, "version": json.Number(fmt.Sprint(number)), "before": nil, "after": nil}
		if p.sees(table.Name, before, last[id]) {
			told["before"] = p.version(table, before, last[id])
		}
		if p.sees(table.Name, after, last[id]) {
			told["after"] = p.version(table, after, last[id])
		}
		switch {
		case !is:
			told["op"] = "delete"
		case told["before"] == nil:
			told["op"] = "create"
		}
		want = append(want, told)
	}
	document, check := "{ q: "+table.Name+`_changes(since: "start", limit: 1000) { changes { op id version before after } } }`, func(got any, kind string) string {
		page, _ := got.(map[string]any)
		list, _ := page["changes"].([]any)
		for _, o := range list {
			o := o.(map[string]any)
			o["before"], o["after"] = p.bare(table, o["before"]), p.bare(table, o["after"])
		}
		return wants(want)(list, kind)
	}
	out = append(out, g.query(t, p, document, nil, check))
	out[0].path = "feed"
	if len(want) > 0 { // nothing is told of nothing
		out = append(out, g.subscription(t, p, "subscription "+document, nil, check))
		out[1].path = "feed subscribed to"
	}
	return out
}
