package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"colonnade/core"
)

// purges reports whether the person holds the right to delete for good what was deleted.
func (p *person) purges() bool {
	return p.purging != "" && slices.ContainsFunc(p.holdings, func(h holding) bool { return p.includes(h.role, p.purging) })
}

// purged asks what would go if a record was deleted for good: one that was deleted, or one that never was.
func (g *game) purged(t testing.TB, p *person, table *core.Table, past past) probe {
	t.Helper()
	id, gone := string(core.NewID()), core.Record(nil)
	if len(past.gone) > 0 && g.chance(0.8) {
		gone = choose(g.maker, past.gone...)
		id = gone["id"].(string)
	}
	document := "mutation($ids: [uuid!]!) { q: purge_" + table.Name + "(ids: $ids, dry_run: true) { id tables { table records versions } } }"
	out := g.query(t, p, document, map[string]any{"ids": []any{id}}, func(got any, kind string) string {
		switch {
		case !p.purges() || len(p.may("delete", table.Name)) == 0 || !p.readable(table.Name):
			return pick(kind == string(core.Denied), "", "it was not denied")
		case gone == nil || !p.at().able("delete", table.Name, gone):
			return pick(kind == string(core.NotFound), "", "it was found")
		case kind != "":
			return "it was refused as " + kind
		}
		for _, o := range got.(map[string]any)["tables"].([]any) {
			if o := o.(map[string]any); o["table"] == table.Name {
				n := json.Number(fmt.Sprint(len(past.versions[id])))
				return wants(map[string]any{"table": table.Name, "records": json.Number("1"), "versions": n})(o, "")
			}
		}
		return "the record itself was not counted"
	})
	out.path, out.turns = pick(gone == nil, "purge of nothing", "purge"), p.powers
	return out
}
