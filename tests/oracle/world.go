package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"colonnade/core"
)

// world is what is in a program: the definitions, the records, and people.
type world struct {
	maker
	program *Program

	schema     *core.Schema
	meanings   map[string]*reachingMeaning // of calculated columns that read other records, by table and column
	conditions map[string]meant            // of grants, by table and text
	bans       map[string]meant            // what messages of rules read, by table
	roles      []string
	inherits   map[string][]string
	denying    string   // a role that denies private columns; empty for none
	purging    string   // a role that may delete for good; empty for none
	profiles   []string // column profiles that there are
	rows       map[string][]core.Record
	codes      int // given to records, each once

	units             map[core.ID]core.ID // to the one above
	here, below, away core.ID
	crew, strangers   core.ID // teams
	other             core.ID // a user who never asks
	people            []*person

	managers   map[core.ID]core.ID // of users
	positions  map[core.ID]string  // of users
	byPosition bool                // people are above each other by their positions
	steps      int                 // how far down one reads; 0 where there is no hierarchy
	shares     []share
}

// tableNames are the tables of the world.
func (w *world) tableNames() (out []string) {
	for _, t := range w.schema.Tables() {
		out = append(out, t.Name)
	}
	return out
}

// within reports whether the unit is the one at the top or below it.
func (w *world) within(unit, top core.ID) bool {
	for unit != "" && unit != top {
		unit = w.units[unit]
	}
	return unit == top
}

// includes reports whether a role is another one, or includes it.
func (w *world) includes(role, other string) bool {
	return role == other || slices.ContainsFunc(w.inherits[role], func(inner string) bool { return w.includes(inner, other) })
}

// newWorld makes a world up and puts it into the program.
func newWorld(t testing.TB, m maker, program *Program) *world {
	t.Helper()
	w := &world{
		maker: m, program: program, meanings: map[string]*reachingMeaning{}, conditions: map[string]meant{}, bans: map[string]meant{},
		rows: map[string][]core.Record{}, units: map[core.ID]core.ID{}, managers: map[core.ID]core.ID{}, positions: map[core.ID]string{},
	}
	w.define(t)
	w.ban(t)
	w.populate(t)
	w.entitle(t)
	w.fill(t)
	w.manage(t)
	w.share(t)
	w.read(t)
	return w
}

// entitle gives the roles and people their rights, in place of those that they had.
func (w *world) entitle(t testing.TB) {
	t.Helper()
	for _, p := range w.people {
		p.grants = nil
		p.forget()
	}
	w.grant(t)
	w.secured(t)
}

// define makes the tables.
func (w *world) define(t testing.TB) {
	t.Helper()
	tables := w.tables()
	w.program.must(t, "mutation($name: String!) { put_data_class(name: $name) { version } }", map[string]any{"name": private.Name})
	changes := []core.Change{core.PutClass{Put: private}}
	var specs []any
	for _, table := range tables {
		changes = append(changes, core.CreateTable{Define: table})
		specs = append(specs, map[string]any{"change": "create_table", "define": table})
	}
	empty, err := core.NewSchema(0)
	if err != nil {
		t.Fatal(err)
	}
	if w.schema, err = empty.With(changes...); err != nil {
		t.Fatal(err)
	}
	w.apply(t, specs...)
	speak := speaker{maker: w.maker, schema: w.schema, meanings: w.meanings}
	for range 3 + w.IntN(6) {
		table := choose(w.maker, tables...).Name
		c, m := speak.derived(table)
		if !w.reachesOthers(table, m) {
			continue
		}
		next, err := w.schema.With(core.AddColumn{To: table, Add: c})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.change(t, map[string]any{"change": "add_column", "table": table, "define": c}); err != nil {
			if !strings.Contains(err.Error(), "too large") {
				t.Fatal(err)
			}
			continue
		}
		w.schema, speak.schema = next, next
		w.meanings[table+"."+c.Name] = &reachingMeaning{c, m}
	}
}

// reachesOthers reports whether an expression over a table reads other records.
func (w *world) reachesOthers(table string, m meant) bool {
	return slices.ContainsFunc(m.reads, func(n mention) bool {
		return n.column == "id" || n.table != table || w.meanings[n.table+"."+n.column] != nil
	})
}

// derived makes a calculated column that may read other records.
func (s *speaker) derived(table string) (core.Column, meant) {
	kind := choose(s.maker, spoken...)
	m := s.term(kind, &spot{table: table}, 3)
	s.n++
	c := core.Column{Name: fmt.Sprint("r", s.n), Kind: kind, Formula: m.text, Stored: s.chance(0.5)}
	if kind == core.Decimal {
		c.Precision, c.Scale = 30, 4
	}
	if s.chance(0.25) {
		c.Rights = core.DefinerRights
	}
	if s.chance(0.12) {
		s.secure(&c)
	}
	return c, m
}

func (w *world) change(t testing.TB, changes ...any) (map[string]any, error) {
	t.Helper()
	return w.program.try(t, `mutation($changes: [apply_change_changes_input!]!) { apply_change(changes: $changes) { version } }`, map[string]any{"changes": changes})
}

func (w *world) apply(t testing.TB, changes ...any) {
	t.Helper()
	if _, err := w.change(t, changes...); err != nil {
		t.Fatal(err)
	}
}

// read reads everything as the administrator.
func (w *world) read(t testing.TB) {
	t.Helper()
	for _, table := range w.schema.Tables() {
		var columns []string
		for c := range table.Stored {
			if !c.Calculated() {
				columns = append(columns, c.Name)
			}
		}
		data := w.program.must(t, "{ rows: "+table.Name+"(limit: 1000) { "+strings.Join(columns, " ")+" } }", nil)
		var rows []core.Record
		for _, o := range data["rows"].([]any) {
			r := core.Record{}
			for c := range table.Stored {
				if v := o.(map[string]any)[c.Name]; v != nil {
					r[c.Name] = w.value(t, c, v)
				} else {
					r[c.Name] = nil
				}
			}
			rows = append(rows, r)
		}
		slices.SortFunc(rows, func(a, b core.Record) int { return cmp.Compare(a["id"].(string), b["id"].(string)) })
		w.rows[table.Name] = rows
	}
	for _, p := range w.people {
		p.forget()
	}
}

// value is the Go form of a value of an answer.
func (w *world) value(t testing.TB, c *core.Column, v any) any {
	t.Helper()
	if c.Kind == core.JSON {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		v = json.RawMessage(raw)
	}
	plain := *c
	if c.Kind == core.Autonumber || c.Kind == core.AnyLookup || c.Kind == core.Lookup {
		plain = core.Column{Name: c.Name, Kind: core.Text}
	}
	out, err := plain.Parse(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
