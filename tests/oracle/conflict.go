package oracle

import (
	"maps"
	"slices"
	"testing"

	"colonnade/core"
)

// conflict is how an insert meets a record that exists.
type conflict struct {
	constraint string   // "" for an insert that knows of none
	keys       []string // the columns of the constraint
	mode       string
	meets      core.Record // nil for a key that is free
}

// conflicts are inserts of all forms.
func (g *game) conflicts(table *core.Table) []conflict {
	modes := []string{"upsert", "upsert", "create_only", "update_only"}
	out := []conflict{{}, {table.Name + "_pkey", []string{"id"}, choose(g.maker, modes...), nil}}
	rows := g.rows[table.Name]
	if len(rows) == 0 {
		return out
	}
	out = append(out, conflict{table.Name + "_pkey", []string{"id"}, choose(g.maker, modes...), choose(g.maker, rows...)})
	met := choose(g.maker, rows...)
	switch {
	case met["code"] == nil:
	case len(table.Keys) > 0 && met["n"] != nil && g.chance(0.5):
		out = append(out, conflict{table.Keys[0].Name, table.Keys[0].Columns, choose(g.maker, modes...), met})
	default:
		out = append(out, conflict{table.Name + "_code_key", []string{"code"}, choose(g.maker, modes...), met})
	}
	return out
}

// inserting is an insert that is tried, of a record that the person may create or that meets another.
func (g *game) inserting(t testing.TB, p *person, table *core.Table, c conflict) probe {
	t.Helper()
	n := table.Name
	r := g.creatable(p, table)
	for _, name := range c.keys {
		if c.meets != nil {
			r[name] = c.meets[name]
		}
	}
	if c.mode == "update_only" { // which takes nothing else
		maps.DeleteFunc(r, func(name string, _ any) bool { return !slices.Contains(c.keys, name) && name != "n" && name != "s" })
	}
	arguments, variables := "object: $object, dry_run: true", map[string]any{"object": inputOf(table, r)}
	if c.constraint != "" {
		arguments += ", on_conflict: {constraint: " + c.constraint + ", update_columns: " + pick(c.mode == "create_only", "[]", "[n, s]") + ", mode: " + c.mode + "}"
	}
	fields := (asker{maker: g.maker, p: p, n: new(int)}).plainFields(n)
	returning := (&document{p: p}).selection(&query{table: n, fields: fields})
	out := g.query(t, p, "mutation($object: "+n+"_insert_input!) { q: insert_"+n+"_one("+arguments+") "+returning+" }", variables, func(got any, kind string) string {
		refusals := []string{string(core.Denied), string(core.Invalid), string(core.Exists), string(core.NotFound)}
		switch {
		case len(p.may("create", n)) == 0:
			return pick(kind == string(core.Denied), "", "an insert without the privilege was not denied")
		case kind != "" && !slices.Contains(refusals, kind):
			return "it was refused as " + kind
		case kind != "":
			return ""
		case c.meets == nil && c.mode == "update_only", c.meets != nil && (c.mode == "create_only" || !p.able("update", n, c.meets) || slices.ContainsFunc(c.keys, func(name string) bool { return !p.nameable(n, name) })):
			return "it was not refused"
		case c.meets == nil:
			return p.returned(got, n, fields, p.owned(table, r))
		}
		next := c.meets.Clone()
		for _, name := range []string{"n", "s"} {
			if v, given := r[name]; given {
				next[name] = v
			}
		}
		return p.after(n, []core.Record{next}).returned(got, n, fields, next)
	})
	out.turns = func() []bool { // who may write the columns of a key learns whether it is taken
		return append(append(p.powers(), g.linked(table, r)), p.powersOver(n, []core.Record{p.owned(table, r)})...)
	}
	return out
}

// creatable is a record that the person may create, as far as that shows in the columns that he may give a value.
func (g *game) creatable(p *person, table *core.Table) core.Record {
	r := g.record(table)
	for c := range table.Stored {
		hides := p.given(table.Name, c.Name, "create") != "full" || !slices.ContainsFunc(p.may("create", table.Name), func(of grant) bool { return !slices.Contains(of.hidden, c.Name) })
		if c.Name == "owner_id" || c.Name == "unit_id" || c.Name != "id" && !c.Required && (hides || c.Kind == core.Lookup || c.Kind == core.AnyLookup || c.Of != "") && g.chance(0.97) {
			delete(r, c.Name)
		}
	}
	return r
}
