package oracle

import (
	"slices"
	"strings"
	"testing"

	"colonnade/core"
)

// grant gives the roles their rights.
func (w *world) grant(t testing.TB) {
	t.Helper()
	w.inherits = choose(w.maker, map[string][]string{}, map[string][]string{"three": {"one"}}, map[string][]string{"two": {"one"}, "three": {"two"}})
	w.denying = choose(w.maker, "", "", "", "one", "two", "three")
	w.purging = choose(w.maker, "", "one", "two", "three")
	var all []grant
	for _, role := range w.roles {
		all = append(all, w.put(t, role)...)
	}
	for _, p := range w.people {
		for _, g := range all {
			if slices.ContainsFunc(p.holdings, func(h holding) bool { return w.includes(h.role, g.role) }) {
				p.grants = append(p.grants, g)
			}
		}
	}
}

// put makes up what a role gives. A grant whose condition the program finds too large is left out.
func (w *world) put(t testing.TB, role string) []grant {
	t.Helper()
	var out []grant
	for _, table := range w.schema.Tables() {
		if w.chance(w.theme.skipped) {
			continue
		}
		reads := w.grantOf(role, table, "read")
		out = append(out, reads)
		if more := w.grantOf(role, table, "read"); w.chance(w.theme.another) && (more.level != reads.level || more.condition != reads.condition) { // else it would take the place of the first
			out = append(out, more)
		}
		more := []string{"update", "delete"}
		if table.Owned() {
			more = append(more, "assign", "share")
		}
		if w.chance(0.6) {
			out = append(out, w.grantOf(role, table, append([]string{"create", "append", "append_to"}, subset(w.maker, more, 0.7)...)...))
		}
	}
	for {
		_, err := w.program.try(t, `mutation($name: String!, $grants: [put_role_grants_input!], $inherits: [String!], $limits: put_role_limits_input, $deny: [String!], $actions: [String!]) {
			put_role(name: $name, deny_classes: $deny, actions: $actions, grants: $grants, inherits: $inherits, limits: $limits) { role } }`,
			map[string]any{"name": role, "grants": specsOf(out), "inherits": append([]string{}, w.inherits[role]...), "deny": pick(role == w.denying, []string{private.Name}, []string{}),
				"actions": pick(role == w.purging, []string{"purge_records"}, []string{}), "limits": map[string]any{
					"tokens": 2000, "nodes": 5000, "aliases": 1000, "depth": 30, "terms": 10000, "rows": 10000000, "nesting": 100,
				}})
		if err == nil {
			return out
		}
		i := slices.IndexFunc(out, func(g grant) bool { return len(w.conditions[g.table+" "+g.condition].reads) > 0 })
		if i < 0 || !strings.Contains(err.Error(), "too large") {
			t.Fatal(err)
		}
		out = slices.Delete(out, i, i+1)
	}
}

func specsOf(all []grant) (out []any) {
	for _, g := range all {
		spec := map[string]any{"table": g.table, "privileges": g.privileges, "level": g.level}
		if g.condition != "" {
			spec["condition"] = g.condition
		}
		if len(g.hidden) > 0 {
			spec["hidden"] = g.hidden
		}
		out = append(out, spec)
	}
	return out
}

// grantOf makes a grant up.
func (w *world) grantOf(role string, table *core.Table, privileges ...string) grant {
	g := grant{role: role, table: table.Name, privileges: privileges, level: organization, condition: w.rowCondition(table)}
	if table.Owned() {
		g.level = choose(w.maker, own, unit, unitBelow, organization, organization)
		if w.chance(w.theme.narrow) {
			g.level = own
		}
	}
	for _, c := range table.Columns {
		searched := slices.ContainsFunc(table.Search, func(of core.SearchColumn) bool { return of.Column == c.Name })
		if c.Name != "id" && w.chance(pick(searched, w.theme.unfound, w.theme.hidden)) {
			g.hidden = append(g.hidden, c.Name)
			if of, ok := table.TargetColumn(&c); ok && c.Kind == core.AnyLookup {
				g.hidden = append(g.hidden, of.Name)
			}
		}
	}
	return g
}

// rowCondition is a condition on the records of the table: none, one over a record, or one that reads others.
func (w *world) rowCondition(table *core.Table) string {
	if !w.chance(w.theme.condition) {
		return ""
	}
	var m meant
	if w.chance(0.15) {
		speak := speaker{maker: w.maker, schema: w.schema, meanings: w.meanings}
		m = speak.term(core.Boolean, &spot{table: table.Name}, 2)
		if simpleFormulas[m.text].value != nil || slices.ContainsFunc(m.reads, func(n mention) bool { return n.own && w.meanings[n.table+"."+n.column] != nil }) {
			return "" // of a version, a column that is stored is what it was
		}
	} else {
		all := slices.Clone(plainConditions)
		for _, c := range table.Columns {
			all = append(all, kindConditions[c.Name]...)
		}
		plain := choose(w.maker, all...)
		m = meant{text: plain.text, eval: func(_ *sight, at []core.Record) any { return plain.eval(at[0]) }}
	}
	w.conditions[table.Name+" "+m.text] = m
	return m.text
}
