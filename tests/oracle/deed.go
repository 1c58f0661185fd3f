package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"colonnade/core"
)

// deed is a change that a person makes, or is refused.
type deed struct {
	path      string
	document  string // of one root field, called q
	variables map[string]any
	may       bool                     // whether he may; it can be refused for other reasons too
	want      map[string][]core.Record // the records afterwards
	told      func(got any) string     // what is wrong with the answer; "" for nothing
	shares    []share                  // that there are then besides
}

// act has a person change a record for good, and compares all records with those that there should be.
func (g *game) act(t testing.TB, p *person) {
	t.Helper()
	table := choose(g.maker, g.schema.Tables()...)
	rows := g.rows[table.Name]
	if !p.readable(table.Name) || table.Link != nil || len(rows) == 0 {
		return
	}
	kinds := []func(p *person, table *core.Table, r core.Record) deed{g.delete, g.merge}
	if table.Owned() {
		kinds = append(kinds, g.assign)
	}
	kinds = append(kinds, func(p *person, table *core.Table, r core.Record) deed { return g.restoring(t, p, table, r) })
	if ends, _ := g.ends(); slices.ContainsFunc(ends, func(e end) bool { return e.table == table.Name }) && !slices.ContainsFunc(ends, func(e end) bool { return len(g.rows[e.table]) == 0 }) {
		kinds = append(kinds, g.linking, g.linking)
	}
	d := choose(g.maker, kinds...)(p, table, choose(g.maker, rows...))
	body := g.program.send(t, p.key, d.document, d.variables)
	answer := understood(t, body)
	before, want := g.rows, d.want
	wrong, nothing := "", answer.kind() == "" && answer.Data["q"] == nil
	switch kind := answer.kind(); {
	case kind == string(core.Internal):
		wrong = "it broke"
	case kind != "" || nothing:
		want = before
	case !d.may:
		wrong = "it was not refused"
	default:
		wrong = d.told(answer.Data["q"])
		g.shares = append(g.shares, d.shares...)
	}
	g.rows = map[string][]core.Record{}
	g.read(t)
	if wrong == "" {
		wrong = g.difference(want)
	}
	if wrong != "" && nothing && d.may { // or it was done, and the record is out of his sight now
		wrong = g.difference(d.want)
	}
	if wrong != "" {
		g.rows = before
		t.Fatalf("%s\n%s\n%s\ngot %s\n%s\n%s", wrong, d.document, literal(d.variables), body, g.describe(p), g.content())
	}
	g.count.Answers.add(d.path, 1)
}

// difference names a record that is not as it should be; what the program itself keeps of a record is left out.
func (g *game) difference(want map[string][]core.Record) string {
	for _, table := range g.schema.Tables() {
		have, should := plainly(table, g.rows[table.Name]), plainly(table, want[table.Name])
		for _, r := range should {
			if !slices.Contains(have, r) {
				return table.Name + " was to have " + r
			}
		}
		for _, r := range have {
			if !slices.Contains(should, r) {
				return table.Name + " has " + r
			}
		}
	}
	return ""
}

// plainly are records as texts, without what the program calculates; links are what they join.
func plainly(table *core.Table, rows []core.Record) (out []string) {
	for _, r := range rows {
		plain := core.Record{}
		for c := range table.Stored {
			if !c.Calculated() && (table.Link == nil && writable(c) || table.Link != nil && (c.Name == table.Link.From.Column || c.Name == table.Link.To.Column)) {
				plain[c.Name] = r[c.Name]
			}
		}
		raw, err := json.Marshal(plain)
		if err != nil {
			panic(err)
		}
		out = append(out, string(raw))
	}
	return out
}

// delete deletes a record: what looks it up looks up nothing, and its links go.
func (g *game) delete(p *person, table *core.Table, r core.Record) deed {
	return deed{
		path: "delete", document: "mutation($id: uuid!) { q: delete_" + table.Name + "_by_pk(id: $id) { id } }",
		variables: map[string]any{"id": r["id"]}, may: p.able("delete", table.Name, r), want: g.without(g.rows, table.Name, r, nil),
		told: wantsOnly(map[string]any{"id": r["id"]}),
	}
}

// merge makes one record of two: what looked up the other one looks up the first, which is shared with whom the other one was.
func (g *game) merge(p *person, table *core.Table, winner core.Record) deed {
	rows := g.rows[table.Name]
	loser := choose(g.maker, rows...)
	d := deed{
		path: "merge", document: "mutation($winner: uuid!, $losers: [uuid!]!) { q: merge_" + table.Name + "(winner: $winner, losers: $losers) { moved } }",
		variables: map[string]any{"winner": winner["id"], "losers": []any{loser["id"]}},
		may:       winner["id"] != loser["id"] && p.able("update", table.Name, winner) && p.able("delete", table.Name, loser),
	}
	for _, s := range g.shares {
		if s.table == table.Name && s.id == loser["id"] {
			s.id = winner["id"].(string)
			d.shares = append(d.shares, s)
		}
	}
	changed := maps.Clone(g.rows)
	i := slices.IndexFunc(rows, func(r core.Record) bool { return r["id"] == winner["id"] })
	next := winner.Clone()
	for c := range table.Stored {
		if (c.Kind == core.Lookup && c.Target == table.Name || c.Kind == core.AnyLookup) && next[c.Name] == loser["id"] { // it would look up itself
			next[c.Name] = nil
			if of, ok := table.TargetColumn(c); ok {
				next[of.Name] = nil
			}
		}
	}
	changed[table.Name] = slices.Concat(rows[:i], []core.Record{next}, rows[i+1:])
	d.want = g.without(changed, table.Name, loser, winner["id"])
	d.told = func(got any) string {
		told, err := got.(map[string]any)["moved"].(json.Number).Int64()
		if err != nil {
			return err.Error()
		}
		after, w := p.at(), *p.world
		w.rows, after.world = d.want, &w
		seen := int64(0)
		for _, rel := range g.schema.Relations(table.Name) {
			for _, c := range w.rows[rel.Table] {
				if rel.Many && c[rel.Column] == winner["id"] && after.visible(rel.Table, c) && after.shown(rel.Table, c, rel.Column) {
					seen++
				}
			}
		}
		return pick(told <= seen, "", fmt.Sprint("it was told of more lookups than ", seen))
	}
	return d
}

// without are the records without one; what looked that up looks up another one, or nothing.
func (g *game) without(rows map[string][]core.Record, table string, r core.Record, instead any) map[string][]core.Record {
	out := maps.Clone(rows)
	out[table] = slices.DeleteFunc(slices.Clone(out[table]), func(other core.Record) bool { return other["id"] == r["id"] })
	for _, rel := range g.schema.Relations(table) {
		if !rel.Many {
			continue
		}
		t, err := g.schema.Table(rel.Table)
		if err != nil {
			panic(err)
		}
		var kept []core.Record
		for _, c := range out[rel.Table] {
			if c[rel.Column] == r["id"] && (rel.Which == "" || c[rel.Which] == rel.Target) {
				c = c.Clone()
				if c[rel.Column] = instead; instead == nil && rel.Which != "" {
					c[rel.Which] = nil
				}
			}
			if linksTwo(t, c) {
				kept = append(kept, c)
			}
		}
		out[rel.Table] = kept
	}
	return out
}

// assign gives a record to somebody else.
func (g *game) assign(p *person, table *core.Table, r core.Record) deed {
	next := r.Clone()
	owner := choose(g.maker, p.id, g.people[0].id, g.other, g.strangers)
	at, _ := g.placeOf(owner)
	next["owner_id"], next["unit_id"] = string(owner), string(at)
	d := deed{
		path: "assign", document: "mutation($id: uuid!, $owner: uuid!) { q: update_" + table.Name + "_by_pk(pk_columns: {id: $id}, _set: {owner_id: $owner}) { id } }",
		variables: map[string]any{"id": r["id"], "owner": next["owner_id"]},
		may:       p.ableColumn("update", table.Name, r, "owner_id", true) && (r["owner_id"] == next["owner_id"] || p.able("assign", table.Name, r)),
		want:      maps.Clone(g.rows), told: func(any) string { return "" },
	}
	rows := d.want[table.Name]
	i := slices.IndexFunc(rows, func(other core.Record) bool { return other["id"] == r["id"] })
	if r["owner_id"] == next["owner_id"] { // it stays where it is
		next = r
	}
	d.want[table.Name] = slices.Concat(rows[:i], []core.Record{next}, rows[i+1:])
	return d
}

// wantsOnly is a check of what is told that the answer is the one that is expected.
func wantsOnly(want any) func(got any) string {
	return func(got any) string { return wants(want)(got, "") }
}
