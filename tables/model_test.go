package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// book is a database in plain Go: its tables by name, and those that were dropped.
type book struct {
	tables  map[string]*sheet
	dropped map[string]*sheet
	done    []string // for who looks for a fault
}

// sheet is a table: columns by name, and records by id.
type sheet struct {
	columns map[string]*strip
	dropped map[string]*strip
	rows    map[core.ID]int64 // the version of each record
}

// strip is a column with its values that are not NULL.
type strip struct {
	core.Column
	key      bool
	values   map[core.ID]any
	retyped  bool // a column of another kind has had its name
	targetOf *sheet
	emptied  map[core.ID]bool // records whose lookup went with its target while the column or the table was dropped
}

// settle gives the records of emptied lookups, which are back, the version that says so.
func (sh *sheet) settle() {
	moved := map[core.ID]bool{}
	for _, st := range sh.columns {
		maps.Copy(moved, st.emptied)
		st.emptied = nil
	}
	for id := range moved {
		if sh.rows[id] > 0 {
			sh.rows[id]++
		}
	}
}

// TestChangesAgainstModel changes tables and writes to them at random, and compares every outcome, and then all records, with
// maps. After each, the store is sound.
func TestChangesAgainstModel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		b := &book{tables: map[string]*sheet{}, dropped: map[string]*sheet{}}
		rapid.Check(t, func(r *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(r, "steps") {
				b.step(t, r, s)
			}
			b.compare(t, s)
		})
		mustBeSound(t, s)
	})
}

// move is one thing that may be done: with the store, and, when the model says that it works, with the model.
type move struct {
	what string
	do   func(ctx context.Context, tx *Tx) error
	ok   bool
	then func()
}

func changing(list ...core.Change) func(ctx context.Context, tx *Tx) error {
	return func(ctx context.Context, tx *Tx) error { return tx.Change(ctx, list...) }
}

func (b *book) step(t *testing.T, r *rapid.T, s *Store) {
	t.Helper()
	m := b.draw(r)
	if m == nil {
		return
	}
	err := s.Tx(root(t), TxOptions{Define: true}, m.do)
	b.done = append(b.done, fmt.Sprint(m.what, ": ", m.ok))
	if (err == nil) != m.ok {
		t.Fatalf("%s: error %v, the model says otherwise", strings.Join(b.done, "\n"), err)
	}
	if m.ok {
		m.then()
	}
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

var (
	tableNames  = []string{"ta", "tb", "tc"}
	columnNames = []string{"ca", "cb", "cc", "cd"}
)

// draw returns what is done next; nil when that is not possible now.
func (b *book) draw(r *rapid.T) *move {
	what := rapid.SampledFrom([]string{
		"create", "drop", "undo", "rename", "add", "add", "rename column", "drop column", "undo column", "retype", "key", "insert", "insert", "insert", "update", "update", "delete",
	}).Draw(r, "what")
	name := rapid.SampledFrom(tableNames).Draw(r, "table")
	sh := b.tables[name]
	switch what {
	case "create":
		return b.create(name)
	case "undo":
		return b.undo(name)
	}
	if sh == nil {
		return nil
	}
	switch what {
	case "drop":
		return b.drop(name)
	case "rename":
		return b.rename(name, rapid.SampledFrom(tableNames).Draw(r, "to"))
	case "add":
		return b.add(r, name)
	case "insert":
		return sh.insert(r, name)
	case "update", "delete":
		if len(sh.rows) == 0 {
			return nil
		}
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(sh.rows))).Draw(r, "id")
		if what == "delete" {
			return b.delete(name, id)
		}
		return sh.update(r, name, id)
	}
	column := rapid.SampledFrom(columnNames).Draw(r, "column")
	if what == "undo column" {
		return sh.undo(name, column)
	}
	st := sh.columns[column]
	if st == nil {
		return nil
	}
	switch what {
	case "rename column":
		return sh.rename(name, column, rapid.SampledFrom(columnNames).Draw(r, "to"))
	case "drop column":
		return sh.drop(name, column)
	case "retype":
		return sh.retype(name, column, rapid.Bool().Draw(r, "lose"))
	}
	return sh.key(name, column)
}

func (b *book) create(name string) *move {
	return &move{
		"create " + name, changing(core.CreateTable{Define: core.Table{Name: name, Ownership: core.OrgOwned}}), b.tables[name] == nil,
		func() { b.tables[name] = &sheet{map[string]*strip{}, map[string]*strip{}, map[core.ID]int64{}} },
	}
}

// lookups calls f for each column, dropped ones included, that leads to the table.
func (b *book) lookups(to *sheet, f func(from *sheet, name string, st *strip)) {
	for _, all := range []map[string]*sheet{b.tables, b.dropped} {
		for _, from := range all {
			for _, columns := range []map[string]*strip{from.columns, from.dropped} {
				for name, st := range columns {
					if st.targetOf == to {
						f(from, name, st)
					}
				}
			}
		}
	}
}

// drop drops a table that nothing has ever looked up: the others are refused, or take their lookups along.
func (b *book) drop(name string) *move {
	sh, free := b.tables[name], true
	b.lookups(sh, func(*sheet, string, *strip) { free = false })
	if !free || b.dropped[name] != nil {
		return nil
	}
	return &move{"drop " + name, changing(core.DropTable{Name: name}), true, func() {
		delete(b.tables, name)
		b.dropped[name] = sh
	}}
}

func (b *book) undo(name string) *move {
	sh := b.dropped[name]
	return &move{"undo " + name, changing(core.UndoTable{Name: name}), sh != nil && b.tables[name] == nil, func() {
		delete(b.dropped, name)
		b.tables[name] = sh
		sh.settle()
	}}
}

// rename gives a table another name; with the one that has it, it swaps names.
func (b *book) rename(name, to string) *move {
	if name == to {
		return nil
	}
	one, other := b.tables[name], b.tables[to]
	rename := map[string]string{name: to}
	if other != nil {
		rename[to] = name
	}
	return &move{fmt.Sprint("rename ", rename), changing(core.RenameTables{To: rename}), true, func() {
		delete(b.tables, name)
		b.tables[to] = one
		if other != nil {
			b.tables[name] = other
		}
		for name, sh := range b.tables {
			b.lookups(sh, func(_ *sheet, _ string, st *strip) { st.Target = name })
		}
	}}
}

func (b *book) add(r *rapid.T, name string) *move {
	sh := b.tables[name]
	st := &strip{values: map[core.ID]any{}}
	st.Name = rapid.SampledFrom(columnNames).Draw(r, "column")
	st.Kind = rapid.SampledFrom([]core.Kind{core.Text, core.Text, core.Integer, core.Integer, core.Boolean, core.Lookup}).Draw(r, "kind")
	switch st.Kind {
	case core.Lookup:
		st.Target = rapid.SampledFrom(sortedNames(b.tables)).Draw(r, "target")
		st.targetOf = b.tables[st.Target]
		st.OnDelete = rapid.SampledFrom([]core.OnDelete{core.SetNull, core.Cascade, core.Restrict}).Draw(r, "on delete")
		st.Inverse = st.Name + "_of_" + strconv.Itoa(rapid.IntRange(0, 1<<30).Draw(r, "inverse"))
	case core.Integer:
		if rapid.Bool().Draw(r, "default") {
			st.Default = "7"
		}
	}
	add := st.Column
	return &move{fmt.Sprint("add ", name, " ", add.Name, " ", add.Kind, add.Default), changing(core.AddColumn{To: name, Add: add}), sh.columns[add.Name] == nil, func() {
		sh.columns[add.Name] = st
		if add.Default != "" {
			for id := range sh.rows {
				st.values[id] = int64(7)
			}
		}
	}}
}

func (sh *sheet) rename(table, name, to string) *move {
	if name == to {
		return nil
	}
	one, other := sh.columns[name], sh.columns[to]
	rename := map[string]string{name: to}
	if other != nil {
		rename[to] = name
	}
	return &move{fmt.Sprint("rename in ", table, " ", rename), changing(core.RenameColumns{Of: table, To: rename}), true, func() {
		delete(sh.columns, name)
		sh.columns[to] = one
		if other != nil {
			sh.columns[name] = other
		}
	}}
}

func (sh *sheet) drop(table, name string) *move {
	st := sh.columns[name]
	if st.key || sh.dropped[name] != nil {
		return nil
	}
	return &move{"drop " + table + "." + name, changing(core.DropColumn{Of: table, Name: name}), true, func() {
		delete(sh.columns, name)
		sh.dropped[name] = st
	}}
}

func (sh *sheet) undo(table, name string) *move {
	st := sh.dropped[name]
	for _, old := range sh.dropped {
		if old.retyped { // its undo goes by the name of the column that took its place
			return nil
		}
	}
	return &move{"undo " + table + "." + name, changing(core.UndoColumn{Of: table, Name: name}), st != nil && sh.columns[name] == nil, func() {
		delete(sh.dropped, name)
		sh.columns[name] = st
		sh.settle()
	}}
}

// retype makes a text a number or a number a text. With lose, what is no number becomes NULL.
func (sh *sheet) retype(table, name string, lose bool) *move {
	st := sh.columns[name]
	if st.key || st.Kind != core.Text && st.Kind != core.Integer || sh.dropped[name] != nil || st.Default != "" {
		return nil
	}
	next := &strip{Column: core.Column{Name: name, Kind: core.Text}, values: map[core.ID]any{}}
	lost := false
	for id, v := range st.values {
		if n, ok := v.(int64); ok {
			next.values[id] = strconv.FormatInt(n, 10)
		} else if n, err := strconv.ParseInt(v.(string), 10, 64); err == nil {
			next.values[id] = n
		} else if v != "" { // which is nothing where it is no text
			lost = true
		}
	}
	if st.Kind == core.Text {
		next.Kind = core.Integer
	}
	c := core.RetypeColumn{Of: table, To: next.Column}
	if lose {
		c.OnLoss = "null"
	}
	return &move{fmt.Sprint("retype ", table, ".", name, " ", lose), changing(c), lose || !lost, func() {
		st.retyped = true
		sh.columns[name], sh.dropped[name] = next, st
	}}
}

// key makes a column the key of its table, or ends that.
func (sh *sheet) key(table, name string) *move {
	st := sh.columns[name]
	if st.key {
		return &move{"drop key of " + table + "." + name, changing(core.AlterColumn{Of: table, Column: name, Set: map[string]any{"unique": false}}), true, func() { st.key = false }}
	}
	if st.Kind == core.Boolean {
		return nil
	}
	return &move{"key " + table + "." + name, changing(core.AlterColumn{Of: table, Column: name, Set: map[string]any{"unique": true}}), st.distinct(), func() { st.key = true }}
}

func (st *strip) distinct() bool {
	seen := map[any]bool{}
	for _, v := range st.values {
		if seen[v] {
			return false
		}
		seen[v] = true
	}
	return true
}

// value draws a value for the column.
func (st *strip) value(r *rapid.T) any {
	switch st.Kind {
	case core.Text:
		return rapid.SampledFrom([]any{nil, "1", "-7", "x", ""}).Draw(r, "text")
	case core.Integer:
		return rapid.SampledFrom([]any{nil, int64(1), int64(-7), int64(1 << 40)}).Draw(r, "integer")
	case core.Boolean:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(r, "boolean")
	}
	if ids := slices.Sorted(maps.Keys(st.targetOf.rows)); len(ids) > 0 && rapid.Bool().Draw(r, "some") {
		return string(rapid.SampledFrom(ids).Draw(r, "lookup"))
	}
	return nil
}

// record draws values for some columns, and reports whether the keys take them for the record.
func (sh *sheet) record(r *rapid.T, id core.ID) (out core.Record, ok bool) {
	out, ok = core.Record{}, true
	for _, name := range sortedNames(sh.columns) {
		st := sh.columns[name]
		if rapid.IntRange(0, 3).Draw(r, "leave out") == 0 {
			continue
		}
		out[name] = st.value(r)
		for other, v := range st.values {
			ok = ok && (!st.key || other == id || v != out[name])
		}
	}
	return out, ok
}

func (sh *sheet) set(id core.ID, values core.Record) (changed bool) {
	for name, v := range values {
		st := sh.columns[name]
		changed = changed || st.values[id] != v
		if v == nil {
			delete(st.values, id)
		} else {
			st.values[id] = v
		}
	}
	return changed
}

func (sh *sheet) insert(r *rapid.T, table string) *move {
	id := core.NewID()
	values, ok := sh.record(r, id)
	for name, st := range sh.columns {
		if _, given := values[name]; !given && st.Default != "" {
			values[name] = int64(7)
			for _, v := range st.values {
				ok = ok && (!st.key || v != any(int64(7)))
			}
		}
	}
	row := maps.Clone(values)
	row["id"] = string(id)
	return &move{fmt.Sprint("insert ", table, " ", row), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Insert(ctx, Insert{Table: table, Rows: []core.Record{row}})
		return err
	}, ok, func() {
		sh.rows[id] = 1
		sh.set(id, values)
		for _, st := range sh.dropped {
			if st.Default != "" { // the database keeps it
				st.values[id] = int64(7)
			}
		}
	}}
}

func (sh *sheet) update(r *rapid.T, table string, id core.ID) *move {
	values, ok := sh.record(r, id)
	if len(values) == 0 {
		return nil
	}
	return &move{fmt.Sprint("update ", table, " ", id, " ", values), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Update(ctx, Update{Table: table, Where: ByID(id), Set: values})
		return err
	}, ok, func() {
		if sh.set(id, values) {
			sh.rows[id]++
		}
	}}
}

// live reports whether neither the column nor its table is dropped.
func (b *book) live(of *sheet, name string, st *strip) bool {
	return of.columns[name] == st && slices.Contains(slices.Collect(maps.Values(b.tables)), of)
}

// delete deletes a record with what hangs on it, unless something holds it that stays.
func (b *book) delete(name string, id core.ID) *move {
	goes := map[*sheet]map[core.ID]bool{}
	var reach func(sh *sheet, id core.ID)
	each := func(sh *sheet, id core.ID, f func(from *sheet, st *strip, child core.ID)) {
		b.lookups(sh, func(from *sheet, name string, st *strip) {
			for child, v := range st.values {
				if b.live(from, name, st) && v == string(id) && from.rows[child] > 0 {
					f(from, st, child)
				}
			}
		})
	}
	reach = func(sh *sheet, id core.ID) {
		if goes[sh] == nil {
			goes[sh] = map[core.ID]bool{}
		}
		if goes[sh][id] {
			return
		}
		goes[sh][id] = true
		each(sh, id, func(from *sheet, st *strip, child core.ID) {
			if st.OnDelete == core.Cascade {
				reach(from, child)
			}
		})
	}
	reach(b.tables[name], id)
	ok := true
	cleared := map[*sheet]map[core.ID]bool{}
	for sh, ids := range goes {
		for id := range ids {
			each(sh, id, func(from *sheet, st *strip, child core.ID) {
				if goes[from][child] {
					return
				}
				ok = ok && st.OnDelete != core.Restrict
				if cleared[from] == nil {
					cleared[from] = map[core.ID]bool{}
				}
				cleared[from][child] = true
			})
		}
	}
	return &move{fmt.Sprint("delete ", name, " ", id), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Delete(ctx, Remove{Table: name, Where: ByID(id)})
		return err
	}, ok, func() {
		for sh, ids := range cleared {
			for id := range ids {
				sh.rows[id]++
			}
		}
		for sh, ids := range goes {
			b.lookups(sh, func(from *sheet, name string, st *strip) {
				for id, v := range st.values {
					if !ids[core.ID(v.(string))] {
						continue
					}
					delete(st.values, id)
					if !b.live(from, name, st) {
						if st.emptied == nil {
							st.emptied = map[core.ID]bool{}
						}
						st.emptied[id] = true
					}
				}
			})
			for id := range ids {
				delete(sh.rows, id)
				for _, columns := range []map[string]*strip{sh.columns, sh.dropped} {
					for _, st := range columns {
						delete(st.values, id)
					}
				}
			}
		}
	}}
}

// compare looks at every record of every table.
func (b *book) compare(t *testing.T, s *Store) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(b.done, "\n"))
		}
	}()
	for _, name := range tableNames {
		sh := b.tables[name]
		if _, err := s.Snapshot().Schema.Table(name); (err == nil) != (sh != nil) {
			t.Fatalf("%s: %v, the model says %v", name, err, sh != nil)
		}
		if sh == nil {
			continue
		}
		n := 0
		for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: name}) {
			must(t, err)
			n++
			id := core.ID(r["id"].(string))
			if sh.rows[id] != r["version"] {
				t.Fatalf("%s %v: the model has version %d", name, r, sh.rows[id])
			}
			for _, c := range columnNames {
				st := sh.columns[c]
				v, there := r[c]
				if there != (st != nil) || st != nil && v != st.values[id] {
					t.Fatalf("%s %v: the model says %s is %+v", name, r, c, st)
				}
			}
		}
		if n != len(sh.rows) {
			t.Fatalf("%s has %d records, the model %d", name, n, len(sh.rows))
		}
	}
	if problems := unsound(t, s); len(problems) > 0 {
		t.Fatal(problems)
	}
}
