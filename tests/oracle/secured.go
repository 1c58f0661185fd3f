package oracle

import (
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// profile is a column profile, which gives secured columns to those who hold it.
type profile struct {
	name   string
	rights []columnRight
}

// columnRight is what a profile gives of a secured column.
type columnRight struct {
	table, column  string
	read           string // none, masked or full
	create, update bool
	unmask         string // none, one or many
}

// mask is what the mask of a column makes of its values.
type mask struct {
	text string
	of   func(v any) any
}

// masks are those that columns of a kind may have.
var masks = map[core.Kind][]mask{
	core.Text: {
		{`"***"`, func(any) any { return "***" }},
		{`value.left(1) + "*"`, func(v any) any { return with(v, func(s string) any { return s[:min(1, len(s))] + "*" }) }},
	},
	core.Integer: {
		{"7", func(any) any { return int64(7) }},
		{"value * 0", func(v any) any { return with(v, func(int64) any { return int64(0) }) }},
	},
	core.Decimal: {{"value * 0.0 + 1.5", func(v any) any { return with(v, func(decimal.Decimal) any { return decimal.New(15, -1) }) }}},
	core.Boolean: {{"true", func(any) any { return true }}, {"value || true", func(any) any { return true }}},
	core.Date:    {{`date("2000-01-01")`, func(any) any { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }}},
}

// secure makes a secured column of c, with or without a mask.
func (m maker) secure(c *core.Column) {
	c.Secured = true
	if all := masks[c.Kind]; len(all) > 0 && m.chance(0.7) {
		c.Mask = choose(m, all...).text
	}
}

// masked is what the mask of a column makes of a value.
func masked(c *core.Column, v any) any {
	i := slices.IndexFunc(masks[c.Kind], func(m mask) bool { return m.text == c.Mask })
	return masks[c.Kind][i].of(v)
}

// securing returns the column whose profiles give the column: itself, or the one that it is a part of; nil where that is not secured.
func securing(t *core.Table, name string) *core.Column {
	c, _ := t.Column(name)
	if c.Of != "" {
		c, _ = t.Column(c.Of)
	}
	if !c.Secured {
		return nil
	}
	return c
}

// secured makes column profiles up, and gives them to roles, teams and people.
func (w *world) secured(t testing.TB) {
	t.Helper()
	var b batch
	for _, name := range w.profiles {
		b.add("drop_column_profile", "profile", "name String!", name)
	}
	w.profiles = nil
	for _, p := range w.people {
		p.held = nil
	}
	for _, name := range []string{"desk", "office"} {
		f := w.profile(name)
		if len(f.rights) == 0 {
			continue
		}
		w.profiles = append(w.profiles, name)
		b.add("put_column_profile", "profile", "name String!", name, "columns [put_column_profile_columns_input!]", f.specs())
		for _, role := range subset(w.maker, w.roles, 0.3) {
			b.add("assign_column_profile", "profile", "profile String!", name, "role String", role)
			w.give(f, func(p *person) bool {
				return slices.ContainsFunc(p.holdings, func(h holding) bool { return w.includes(h.role, role) })
			})
		}
		for _, team := range subset(w.maker, []core.ID{w.crew, w.here}, 0.3) {
			b.add("assign_column_profile", "profile", "profile String!", name, "team String", string(team))
			w.give(f, func(p *person) bool { return slices.Contains(p.teams, team) })
		}
		for _, p := range subset(w.maker, w.people, 0.3) {
			b.add("assign_column_profile", "profile", "profile String!", name, "user String", string(p.id))
			w.give(f, func(other *person) bool { return other == p })
		}
	}
	b.do(t, w.program)
}

// profile makes a column profile up.
func (w *world) profile(name string) profile {
	f := profile{name: name}
	for _, table := range w.schema.Tables() {
		for _, c := range table.Columns {
			if !c.Secured {
				continue
			}
			r := columnRight{table.Name, c.Name, choose(w.maker, "none", "masked", "masked", "full"), w.chance(0.5), w.chance(0.5), choose(w.maker, "none", "one", "many")}
			if r.read == "masked" && c.Mask == "" {
				r.read = "none"
			}
			if r.read != "none" || r.create || r.update || r.unmask != "none" {
				f.rights = append(f.rights, r)
			}
		}
	}
	return f
}

func (f *profile) specs() (out []any) {
	for _, r := range f.rights {
		out = append(out, map[string]any{"table": r.table, "column": r.column, "read": r.read, "create": r.create, "update": r.update, "unmask": r.unmask})
	}
	return out
}

// give gives a profile to some of the people.
func (w *world) give(f profile, to func(p *person) bool) {
	for _, p := range w.people {
		if to(p) {
			p.held = append(p.held, f)
		}
	}
}

// given is how much of a column the privilege extends to, as far as data classes and profiles decide: none, masked or full.
func (p *person) given(table, column, privilege string) string {
	if p.denied(table, column) {
		return "none"
	}
	secured := securing(p.table(table), column)
	if secured == nil {
		return "full"
	}
	out := "none"
	for _, r := range p.rightsOn(table, secured.Name) {
		switch {
		case privilege == "create" && r.create, privilege == "update" && r.update, privilege == "read" && r.read == "full":
			return "full"
		case privilege == "read" && r.read == "masked":
			out = "masked"
		}
	}
	return out
}

// unmasks is of how many records the person may ask for the value of a column: none, one or many.
func (p *person) unmasks(table, column string) string {
	out := "none"
	secured := securing(p.table(table), column)
	if secured == nil || p.denied(table, column) {
		return out
	}
	for _, r := range p.rightsOn(table, secured.Name) {
		if r.unmask == "many" || out == "none" {
			out = r.unmask
		}
	}
	return out
}

// rightsOn is what the profiles of the person give of a secured column.
func (p *person) rightsOn(table, column string) (out []columnRight) {
	for _, f := range p.held {
		for _, r := range f.rights {
			if r.table == table && r.column == column {
				out = append(out, r)
			}
		}
	}
	return out
}

// veiled reports whether the person sees of the column what its mask makes of it.
func (p *person) veiled(table, column string) bool {
	return p.given(table, column, "read") == "masked" && p.open(table, column)
}

// display is what is shown to the person of the column of a visible record: where he reads it masked, what the mask makes of the value.
func (p *person) display(table string, r core.Record, column string) any {
	if !p.veiled(table, column) {
		return p.value(table, r, column)
	}
	if v, ok := p.look(table, r, column); ok {
		c, _ := p.table(table).Column(column)
		return masked(c, v)
	}
	return nil
}

// unmaskings are questions for values that are hidden or masked otherwise.
func (g *game) unmaskings(t testing.TB, p *person, table *core.Table) (out []probe) {
	t.Helper()
	var secured []string
	for _, c := range table.Columns {
		if securing(table, c.Name) != nil {
			secured = append(secured, c.Name)
		}
	}
	if len(secured) == 0 || len(g.rows[table.Name]) == 0 {
		return nil
	}
	column := choose(g.maker, secured...)
	r := choose(g.maker, g.rows[table.Name]...)
	ids := []any{r["id"], choose(g.maker, g.rows[table.Name]...)["id"]}
	arguments := map[string]any{"table": table.Name, "columns": []any{column}, "reason": "an oracle asks"}
	one := map[string]any{"id": r["id"]}
	many := map[string]any{"ids": ids}
	for name, v := range arguments {
		one[name], many[name] = v, v
	}
	return []probe{
		g.query(t, p, "mutation($table: String!, $id: uuid!, $columns: [String!]!, $reason: String!) { q: unmask(table: $table, id: $id, columns: $columns, reason: $reason) { id values } }", one,
			func(got any, kind string) string {
				refusal := p.unmasking(table.Name, column, "one", "many")
				if refusal == "" && !p.visible(table.Name, r) {
					refusal = string(core.NotFound)
				}
				if refusal != "" {
					return pick(kind == refusal, "", "the refusal was to be "+refusal)
				}
				return wants(p.unmasked(table.Name, r, column))(got, kind)
			}),
		g.query(t, p, "mutation($table: String!, $ids: [uuid!]!, $columns: [String!]!, $reason: String!) { q: unmask_many(table: $table, ids: $ids, columns: $columns, reason: $reason) { records { id values } } }", many,
			func(got any, kind string) string {
				if refusal := p.unmasking(table.Name, column, "many"); refusal != "" {
					return pick(kind == refusal, "", "the refusal was to be "+refusal)
				}
				want := []any{}
				for _, r := range g.rows[table.Name] { // which are in the order of their ids
					if slices.Contains(ids, r["id"]) && p.visible(table.Name, r) {
						want = append(want, p.unmasked(table.Name, r, column))
					}
				}
				return wants(map[string]any{"records": want})(got, kind)
			}),
	}
}

// unmasking is how a question for the value of a column is refused that takes one of the rights; "" when it is answered.
func (p *person) unmasking(table, column string, rights ...string) string {
	has := p.unmasks(table, column)
	switch {
	case p.nameable(table, column) || p.open(table, column) && slices.Contains(rights, has):
		return ""
	case !p.veiled(table, column) && (has == "none" || !p.open(table, column)):
		return string(core.Invalid)
	}
	return string(core.Denied)
}

func (p *person) unmasked(table string, r core.Record, column string) any {
	v, ok := p.look(table, r, column)
	if !ok {
		v = nil
	}
	c, _ := p.table(table).Column(column)
	return map[string]any{"id": r["id"], "values": map[string]any{column: parsed(c.AppendJSON(nil, v))}}
}
