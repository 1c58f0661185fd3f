package oracle

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"colonnade/core"
)

// exports are files of the table: as lines, whose values are compared, and in other forms, whose bytes must stay.
func (g *game) exports(t testing.TB, p *person, table *core.Table) (out []probe) {
	t.Helper()
	a := asker{maker: g.maker, p: p, n: new(int)}
	where := cond(and{})
	if g.chance(0.5) {
		where = a.cond(table.Name, 1)
	}
	raw, err := json.Marshal(p.condition(table.Name, where))
	if err != nil {
		t.Fatal(err)
	}
	q := &query{table: table.Name, where: where, limit: everything}
	for i := range table.Columns {
		if name := table.Columns[i].Name; p.nameable(table.Name, name) || p.veiled(table.Name, name) {
			q.fields = append(q.fields, field{as: name, column: name})
		}
	}
	want := []any{}
	for _, r := range p.pick(q, g.rows[table.Name], everything) {
		want = append(want, p.object(q, r))
	}
	path := "/data/export/" + table.Name + "?where=" + url.QueryEscape(string(raw))
	get := func(form string) func() []byte {
		return func() []byte { return g.program.call(t, p.key, http.MethodGet, path+"&format="+form, nil) }
	}
	fine := func([]byte) string { return "" }
	return append(out,
		probe{what: path, send: get("ndjson"), check: func(body []byte) string {
			got := []any{}
			for line := range bytes.Lines(body) {
				got = append(got, parsed(line))
			}
			return wants(want)(got, "")
		}},
		probe{what: path + " as CSV", send: get("csv"), check: fine},
		probe{what: path + " as Parquet", send: get("parquet"), check: fine},
	)
}

// searches asks for words in all tables at once.
func (g *game) searches(t testing.TB, p *person) []probe {
	t.Helper()
	a := asker{maker: g.maker, p: p, n: new(int)}
	text := a.words()
	ranks, titles := map[string]any{}, map[string]any{}
	for _, table := range g.schema.Tables() {
		if !p.readable(table.Name) || !a.searches(table.Name) {
			continue
		}
		for _, r := range g.rows[table.Name] {
			if !p.visible(table.Name, r) || !p.finds(table.Name, r, text) {
				continue
			}
			id := table.Name + " " + r["id"].(string)
			ranks[id] = json.Number(string(core.AppendValue(nil, p.rank(&query{table: table.Name, search: text}, r))))
			for _, c := range table.Search {
				if p.nameable(table.Name, c.Column) {
					if titles[id] = p.value(table.Name, r, c.Column); titles[id] == "" { // an empty name is none
						titles[id] = nil
					}
					break
				}
			}
		}
	}
	one := g.query(t, p, "mutation($text: String!) { q: search(text: $text, limit: 100) { hits { table id title rank } } }", map[string]any{"text": text}, func(got any, kind string) string {
		o, _ := got.(map[string]any)
		hits, _ := o["hits"].([]any)
		gotRanks, gotTitles := map[string]any{}, map[string]any{}
		for _, h := range hits {
			h := h.(map[string]any)
			id := h["table"].(string) + " " + h["id"].(string)
			gotRanks[id], gotTitles[id] = h["rank"], h["title"]
		}
		if wrong := wants(ranks)(gotRanks, kind); wrong != "" {
			return wrong
		}
		return wants(titles)(gotTitles, kind)
	})
	one.path = "search"
	return []probe{one}
}
