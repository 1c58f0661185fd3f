package oracle

import (
	"maps"
	"slices"
	"testing"

	"colonnade/core"
)

// writes are mutations that are tried and undone: what they touch, what they return, and how they are refused.
func (g *game) writes(t testing.TB, p *person, table *core.Table) (out []probe) {
	t.Helper()
	a := asker{maker: g.maker, p: p, n: new(int)}
	n := table.Name
	fields := a.plainFields(n)
	d := &document{p: p}
	returning := d.selection(&query{table: n, fields: fields})
	set := g.someValues(table)

	where := a.cond(n, 1)
	deletes, updates := p.reachable("delete", table, where), p.reachable("update", table, where)
	out = append(out, g.query(t, p, "mutation($where: "+n+"_bool_exp!) { q: delete_"+n+"(where: $where, dry_run: true) { affected_rows returning "+returning+" } }",
		map[string]any{"where": p.condition(n, where)}, func(got any, kind string) string {
			if len(p.may("delete", n)) == 0 {
				return pick(kind == string(core.Denied), "", "a delete without the privilege was not denied")
			}
			return p.wrote(got, kind, n, fields, deletes, deletes)
		}))

	out = append(out, g.query(t, p, "mutation($where: "+n+"_bool_exp!, $set: "+n+"_set_input) { q: update_"+n+"(where: $where, _set: $set, dry_run: true) { affected_rows returning "+returning+" } }",
		map[string]any{"where": p.condition(n, where), "set": inputOf(table, set)}, func(got any, kind string) string {
			if len(p.may("update", n)) == 0 {
				return pick(kind == string(core.Denied), "", "an update without the privilege was not denied")
			}
			return p.wrote(got, kind, n, fields, updates, changedBy(updates, set))
		}))
	out[0].path, out[1].path = "delete tried", "update tried"
	out[1].turns = func() []bool {
		next := changedBy(p.reachable("update", table, where), set)
		return append(p.powers(), p.after(n, next).powersOver(n, next)...)
	}

	for _, c := range g.conflicts(table) {
		out = append(out, g.inserting(t, p, table, c))
		out[len(out)-1].path = pick(c.constraint == "", "insert tried", "insert with on_conflict tried")
	}
	for i := range out {
		out[i].moves = true
		if out[i].turns == nil {
			out[i].turns = p.powers
		}
	}
	return append(out, g.missed(t, p, table, set)...)
}

// owned is a new record as one that the person has created.
func (p *person) owned(table *core.Table, r core.Record) core.Record {
	out := r.Clone()
	for _, u := range p.schema.Unions(table.Name) {
		if out[u.Column] == nil { // the table of no record is none
			out[u.Which] = nil
		}
	}
	if _, ok := r["stage"]; !ok && hasColumn(*table, "stage") {
		out["stage"] = stages[0].Value
	}
	if table.Owned() {
		out["owner_id"], out["unit_id"] = string(p.id), string(p.unit)
	}
	return out
}

// returned checks what a write answers of one record, as it is afterwards.
func (p *person) returned(got any, table string, fields []field, r core.Record) string {
	q := p.at()
	if !q.visible(table, r) {
		return pick(got == nil, "", "a record out of reach was returned")
	}
	return wants(q.object(&query{table: table, fields: fields}, r))(got, "")
}

// missed are writes by the key of a record that the person does not see: as if it were not there.
func (g *game) missed(t testing.TB, p *person, table *core.Table, set core.Record) (out []probe) {
	t.Helper()
	n := table.Name
	i := slices.IndexFunc(g.rows[n], func(r core.Record) bool { return !p.visible(n, r) })
	if i < 0 {
		return nil
	}
	id := g.rows[n][i]["id"]
	nothing := func(privilege string) func(got any, kind string) string {
		return func(got any, kind string) string {
			if len(p.may(privilege, n)) == 0 {
				return pick(kind == string(core.Denied), "", "it was not denied")
			}
			return pick(got == nil && (kind == "" || kind == string(core.Denied) || kind == string(core.Invalid)), "", "there was something")
		}
	}
	for _, id := range []any{id, string(core.NewID())} {
		out = append(out,
			g.query(t, p, "mutation($id: uuid!) { q: delete_"+n+"_by_pk(id: $id, dry_run: true) { id } }", map[string]any{"id": id}, nothing("delete")),
			g.query(t, p, "mutation($id: uuid!, $set: "+n+"_set_input) { q: update_"+n+"_by_pk(pk_columns: {id: $id}, _set: $set, dry_run: true) { id } }",
				map[string]any{"id": id, "set": inputOf(table, set)}, nothing("update")))
	}
	return out
}

// plainFields are columns of the record alone, whose values no other change of the same write touches.
func (a asker) plainFields(table string) []field {
	out := []field{{as: "id", column: "id"}}
	for _, c := range a.p.table(table).Columns {
		if !a.p.volatile(table, c.Name) && a.chance(0.5) {
			out = append(out, field{as: "x_" + c.Name, column: c.Name})
		}
	}
	return out
}

// volatile reports whether the column tells of the write itself, or of other records.
func (p *person) volatile(table, column string) bool {
	c, _ := p.table(table).Column(column)
	return c.System && column != "owner_id" && column != "unit_id" || p.meanings[table+"."+column] != nil || c.Kind == core.Autonumber
}

// someValues are values to set.
func (g *game) someValues(table *core.Table) core.Record {
	out, fresh := core.Record{}, g.record(table)
	for _, name := range []string{"s", "n", "d", "b", "day"} {
		if len(out) == 0 || g.chance(0.3) {
			out[name] = fresh[name]
		}
	}
	return out
}

// reachable are the records that meet the condition, and that the person may both read and reach with the privilege.
func (p *person) reachable(privilege string, table *core.Table, where cond) (out []core.Record) {
	for _, r := range p.pick(&query{table: table.Name, where: where}, p.rows[table.Name], everything) {
		if slices.ContainsFunc(p.may(privilege, table.Name), func(g grant) bool { return p.reaches(g, privilege, r) }) {
			out = append(out, r)
		}
	}
	return out
}

func changedBy(rows []core.Record, set core.Record) (out []core.Record) {
	for _, r := range rows {
		next := r.Clone()
		for name, v := range set {
			next[name] = v
		}
		out = append(out, next)
	}
	return out
}

// after is the person when the records of a table have become these: what one of them lets him see depends on the others.
func (p *person) after(table string, rows []core.Record) *person {
	out, w := p.at(), *p.world
	w.rows = maps.Clone(w.rows)
	w.rows[table] = slices.Clone(w.rows[table])
	for i, old := range w.rows[table] {
		if j := slices.IndexFunc(rows, func(r core.Record) bool { return r["id"] == old["id"] }); j >= 0 {
			w.rows[table][i] = rows[j]
		}
	}
	out.world = &w
	return out
}

// wrote checks the answer of a write of records, as they are afterwards; it may have been refused for one of them.
func (p *person) wrote(got any, kind, table string, fields []field, rows, after []core.Record) string {
	if kind != "" {
		return pick(kind == string(core.Denied) || kind == string(core.Invalid), "", "it was refused as "+kind)
	}
	o, _ := got.(map[string]any)
	want := map[string]any{}
	q := p.after(table, after)
	for _, r := range after {
		if q.visible(table, r) {
			want[r["id"].(string)] = q.object(&query{table: table, fields: fields}, r)
		}
	}
	have := map[string]any{}
	list, _ := o["returning"].([]any)
	for _, r := range list {
		have[r.(map[string]any)["id"].(string)] = r
	}
	if !agree(want, have) {
		return disagreement("returning", want, have)
	}
	return pick(agree(o["affected_rows"], parsed(core.AppendValue(nil, int64(len(rows))))), "", "another number of records")
}
