package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"colonnade/core"
)

const roots = 20 // of a mutation at most

// holder is a role with which somebody can own records of every table.
const holder = "holder"

// fill puts records into the tables: some of them were others before, some were deleted.
func (w *world) fill(t testing.TB) {
	t.Helper()
	var b batch
	var grants []any
	for _, table := range w.schema.Tables() {
		privileges := []string{"read"}
		if table.Owned() {
			privileges = append(privileges, "share") // which lets records be shared at all
		}
		grants = append(grants, map[string]any{"table": table.Name, "privileges": privileges})
	}
	b.add("put_role", "role", "name String!", holder, "grants [put_role_grants_input!]", grants)
	for _, p := range w.people {
		b.add("assign_role", "role", "role String!", holder, "user String", string(p.id))
	}
	b.add("assign_role", "role", "role String!", holder, "user String", string(w.other))
	b.add("assign_role", "role", "role String!", holder, "team String", string(w.crew))
	b.add("assign_role", "role", "role String!", holder, "team String", string(w.strangers))
	b.do(t, w.program)

	for range 2 {
		for _, table := range w.schema.Tables() {
			w.insert(t, table)
		}
	}
	b.add("drop_role", "role", "name String!", holder)
	b.add("put_role", "role", "name String!", holder, "grants [put_role_grants_input!]", grants)
	b.add("assign_role", "role", "role String!", holder, "user String", string(w.other))
	b.add("assign_role", "role", "role String!", holder, "team String", string(w.strangers))
	b.do(t, w.program)
}

// insert puts records into one table, and changes and deletes some.
func (w *world) insert(t testing.TB, table *core.Table) {
	t.Helper()
	var objects, gone []any
	var updates batch
	for range w.IntN(7) {
		r := w.record(table)
		if !linksTwo(table, r) || w.linked(table, r) {
			continue
		}
		w.rows[table.Name] = append(w.rows[table.Name], r)
		was := r
		if w.chance(0.4) {
			was = w.another(table, r)
			updates.add("update_"+table.Name+"_by_pk", "id", "pk_columns "+table.Name+"_pk_columns_input!", map[string]any{"id": r["id"]}, "_set "+table.Name+"_set_input", inputOf(table, r, "id"))
		}
		objects = append(objects, inputOf(table, was))
	}
	for range w.IntN(3) {
		if r := w.record(table); table.Link == nil {
			objects, gone = append(objects, inputOf(table, r)), append(gone, r["id"])
		}
	}
	if len(objects) == 0 {
		return
	}
	var b batch
	b.add("insert_"+table.Name, "affected_rows", "objects ["+table.Name+"_insert_input!]!", objects)
	b.do(t, w.program)
	updates.do(t, w.program)
	if len(gone) > 0 {
		b.add("delete_"+table.Name, "affected_rows", "where "+table.Name+"_bool_exp!", map[string]any{"id": map[string]any{"_in": gone}})
		b.do(t, w.program)
	}
}

// another is what the record may have been before.
func (w *world) another(table *core.Table, r core.Record) core.Record {
	out, fresh := r.Clone(), w.record(table)
	for c := range table.Stored {
		if c.Name != "id" && c.Kind != core.Status && !c.Required && c.Of == "" && c.Kind != core.AnyLookup && w.chance(0.4) {
			out[c.Name] = fresh[c.Name]
		}
	}
	return out
}

// inputOf is a record as the API takes it, without some columns.
func inputOf(table *core.Table, r core.Record, without ...string) map[string]any {
	out := map[string]any{}
	for c := range table.Stored {
		if _, ok := r[c.Name]; ok && writable(c) && !slices.Contains(without, c.Name) {
			out[c.Name] = json.RawMessage(c.AppendJSON(nil, r[c.Name]))
		}
	}
	return out
}

// writable reports whether the API takes the column of a record.
func writable(c *core.Column) bool {
	return !c.Calculated() && c.Kind != core.Autonumber && (!c.System || c.Name == "id" || c.Name == "owner_id" || c.Name == "unit_id")
}

// record makes a record up. It looks up records that are there.
func (w *world) record(table *core.Table) core.Record {
	r := core.Record{}
	for c := range table.Stored {
		switch {
		case c.Name == "id":
			r["id"] = string(core.NewID())
		case c.Name == "owner_id":
			r[c.Name] = string(choose(w.maker, w.people[0].id, w.people[1].id, w.people[2].id, w.crew, w.strangers, w.other))
		case c.Name == "unit_id":
			r[c.Name] = string(choose(w.maker, w.here, w.below, w.away, w.away))
		case !writable(c) || c.Of != "":
		case w.chance(0.2) && !c.Required && c.Kind != core.Status:
			r[c.Name] = nil
		case c.Unique:
			w.codes++
			r[c.Name] = fmt.Sprint("k", w.codes)
		case c.Kind == core.AnyLookup:
			target := choose(w.maker, c.Targets...)
			r[c.Name] = w.lookup(target)
			of, _ := table.TargetColumn(c)
			if r[of.Name] = nil; r[c.Name] != nil {
				r[of.Name] = of.Options[slices.Index(c.Targets, target)].Value
			}
		case c.Kind == core.Lookup:
			r[c.Name] = w.lookup(c.Target)
		default:
			r[c.Name] = w.any(c)
		}
	}
	return r
}

func (w *world) lookup(table string) any {
	if to := w.rows[table]; len(to) > 0 {
		return choose(w.maker, to...)["id"]
	}
	return nil
}

// linksTwo reports whether a record has what is required of it.
func linksTwo(t *core.Table, r core.Record) bool {
	return t.Link == nil || r[t.Link.From.Column] != nil && r[t.Link.To.Column] != nil
}

// linked reports whether there is another link of the two already.
func (w *world) linked(t *core.Table, r core.Record) bool {
	return t.Link != nil && slices.ContainsFunc(w.rows[t.Name], func(other core.Record) bool {
		return other["id"] != r["id"] && other[t.Link.From.Column] == r[t.Link.From.Column] && other[t.Link.To.Column] == r[t.Link.To.Column]
	})
}
