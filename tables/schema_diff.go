package tables

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// renames returns the changes that give tables, columns and parts the names of the files, where the files say what they
// were called. A name that is there already was given before.
func (b *codeFiles) renames(s *core.Schema) []core.Change {
	tables := map[string]string{}
	var out []core.Change
	for _, f := range b.tables {
		if _, err := s.Table(f.Name); err != nil && f.was != "" && live(s, f.was) != nil {
			tables[f.was] = f.Name
		}
	}
	if len(tables) > 0 {
		out = append(out, core.RenameTables{To: tables})
	}
	for _, f := range b.tables {
		t := live(s, f.Name)
		if was, ok := oldName(tables, f.Name); ok {
			t = live(s, was)
		}
		if t == nil {
			continue
		}
		columns := map[string]string{}
		for name, note := range f.columns {
			_, there := t.Column(name)
			if _, before := t.Column(note.was); !there && before && note.was != "" {
				columns[note.was] = name
			}
		}
		if len(columns) > 0 {
			out = append(out, core.RenameColumns{Of: f.Name, To: columns})
		}
		for _, part := range []core.Part{core.PartKey, core.PartIndex, core.PartRule, core.PartDuplicate} {
			have := partNames(t, part)
			for _, name := range slices.Sorted(maps.Keys(f.parts[part])) {
				if was := f.parts[part][name]; !slices.Contains(have, name) && slices.Contains(have, was) {
					out = append(out, core.RenamePart{Part: part, Of: f.Name, Name: was, To: name})
				}
			}
		}
	}
	return out
}

func live(s *core.Schema, name string) *core.Table {
	t, err := s.Table(name)
	if err != nil || t.Builtin {
		return nil
	}
	return t
}

func oldName(renamed map[string]string, to string) (string, bool) {
	for from, name := range renamed {
		if name == to {
			return from, true
		}
	}
	return "", false
}

func partNames(t *core.Table, p core.Part) (names []string) {
	switch p {
	case core.PartKey:
		for _, k := range t.Keys {
			names = append(names, k.Name)
		}
	case core.PartIndex:
		for _, x := range t.Indexes {
			names = append(names, x.Name)
		}
	case core.PartRule:
		for _, r := range t.Rules {
			names = append(names, r.Name)
		}
	case core.PartDuplicate:
		for _, r := range t.Duplicates {
			names = append(names, r.Name)
		}
	}
	return names
}

// changes returns what makes the tables of s those of the files. What the files do not name stays.
func (b *codeFiles) changes(s *core.Schema) ([]core.Change, error) {
	out := b.renames(s)
	next := s
	if len(out) > 0 {
		var err error
		if next, err = s.Edit(core.EditOptions{Rename: rules.RenameColumns, Follow: rules.Follow}, out...); err != nil {
			return nil, err
		}
	}
	for _, o := range b.options {
		have := s.OptionSets()
		i := slices.IndexFunc(have, func(h core.OptionSet) bool { return h.Name == o.Name })
		if i < 0 || !reflect.DeepEqual(have[i], o) {
			out = append(out, core.PutOptions{Put: o})
		}
	}
	for _, c := range b.classes {
		if was, ok := s.DataClass(c.Name); !ok || !was.Same(c) {
			out = append(out, core.PutClass{Put: c})
		}
	}
	for _, o := range b.operations {
		if was, ok := s.Operation(o.Name); !ok || *was != o {
			out = append(out, core.PutOperation{Put: o})
		}
	}
	if b.onlyRegistered != nil && *b.onlyRegistered != s.OnlyRegistered() {
		out = append(out, core.RestrictOperations{On: *b.onlyRegistered})
	}
	for _, f := range b.tables {
		t := live(next, f.Name)
		if t == nil {
			out = append(out, core.CreateTable{Define: f.Table})
			continue
		}
		changes, err := f.changes(plainDefinition(t))
		if err != nil {
			return nil, core.E("tables.changes", core.At{Table: f.Name}, err)
		}
		out = append(out, changes...)
	}
	return out, nil
}

// changes returns what makes the table that of the file.
func (f *tableFile) changes(t core.Table) (out []core.Change, err error) {
	if f.Ownership != "" && f.Ownership != t.Ownership {
		out = append(out, core.SetOwnership{Of: f.Name, To: f.Ownership})
	}
	set, err := difference(t, f.Table, "name", "ownership", "columns", "keys", "indexes", "rules", "search", "duplicates")
	if err != nil {
		return nil, err
	}
	var before []core.Change // what needs the new columns comes last
	if len(set) > 0 {
		before = append(before, core.AlterTable{Of: f.Name, Set: set})
	}
	for _, c := range f.Columns {
		was, ok := t.Column(c.Name)
		if !ok {
			out = append(out, core.AddColumn{To: f.Name, Add: c})
			continue
		}
		changes, err := f.column(*was, c)
		if err != nil {
			return nil, core.E("tables.changes", core.At{Column: c.Name}, err)
		}
		out = append(out, changes...)
	}
	out = append(out, before...)
	for _, k := range f.Keys {
		i := slices.IndexFunc(t.Keys, func(o core.Key) bool { return o.Name == k.Name })
		if i >= 0 && t.Keys[i].Same(k) {
			continue
		}
		if i >= 0 {
			out = append(out, core.DropPart{Part: core.PartKey, Of: f.Name, Name: k.Name})
		}
		out = append(out, core.AddKey{To: f.Name, Add: k})
	}
	for _, x := range f.Indexes {
		i := slices.IndexFunc(t.Indexes, func(o core.Index) bool { return o.Name == x.Name })
		if i >= 0 && reflect.DeepEqual(t.Indexes[i], x) {
			continue
		}
		if i >= 0 {
			out = append(out, core.DropPart{Part: core.PartIndex, Of: f.Name, Name: x.Name})
		}
		out = append(out, core.AddIndex{To: f.Name, Add: x})
	}
	for _, r := range f.Rules {
		i := slices.IndexFunc(t.Rules, func(o core.Rule) bool { return o.Name == r.Name })
		if i < 0 || !t.Rules[i].Same(&r) {
			out = append(out, core.PutRule{On: f.Name, Put: r})
		}
	}
	for _, r := range f.Duplicates {
		i := slices.IndexFunc(t.Duplicates, func(o core.DuplicateRule) bool { return o.Name == r.Name })
		if i < 0 || !t.Duplicates[i].Same(r) {
			out = append(out, core.PutDuplicateRule{On: f.Name, Put: r})
		}
	}
	if f.search && !slices.Equal(t.Search, f.Search) {
		out = append(out, core.PutSearch{On: f.Name, Columns: f.Search})
	}
	return out, nil
}

// column returns what makes a column that of the file. Names that the file leaves out stay what they are.
func (f *tableFile) column(was, c core.Column) ([]core.Change, error) {
	if c.Kind == was.Kind && c.Kind == core.Lookup {
		if c.Relation == "" {
			c.Relation = was.Relation
		}
		if c.Inverse == "" {
			c.Inverse = was.Inverse
		}
		if c.OnDelete == "" {
			c.OnDelete = was.OnDelete
		}
	}
	note := f.columns[c.Name]
	other := c.Kind != was.Kind || c.Target != was.Target || c.Precision != was.Precision || c.Scale != was.Scale
	switch {
	case c.Calculated() != was.Calculated():
		return nil, core.E("tables.column", core.Invalid, "a calculated column has no values of its own: drop the column, and add it under another name")
	case other && c.Calculated():
		return []core.Change{core.DropColumn{Of: f.Name, Name: c.Name}, core.AddColumn{To: f.Name, Add: c}}, nil
	case other:
		return []core.Change{core.RetypeColumn{Of: f.Name, To: c, OnLoss: note.onLoss}}, nil
	}
	set, err := difference(was, c, "name", "kind", "target", "precision", "scale")
	if err != nil || len(set) == 0 {
		return nil, err
	}
	return []core.Change{core.AlterColumn{Of: f.Name, Column: c.Name, Set: set, Backfill: note.backfill}}, nil
}

// difference returns the settings of to that differ, by their JSON names; nil for those that it has not.
func difference[T any](from, to T, without ...string) (map[string]any, error) {
	before, err := settingsOf(from)
	if err != nil {
		return nil, err
	}
	after, err := settingsOf(to)
	if err != nil {
		return nil, err
	}
	set := map[string]any{}
	for name := range before {
		if _, ok := after[name]; !ok {
			set[name] = nil
		}
	}
	for name, v := range after {
		if !reflect.DeepEqual(before[name], v) {
			set[name] = v
		}
	}
	for _, name := range without {
		delete(set, name)
	}
	return set, nil
}

func settingsOf(v any) (out map[string]any, err error) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

// drops returns the changes that drop what the list names and what is there: dropping twice is dropping once.
func (d dropList) drops(s *core.Schema) ([]core.Change, error) {
	var out []core.Change
	of := func(list []string, have func(t *core.Table, name string) bool, drop func(table, name string) core.Change) error {
		for _, full := range list {
			table, name, ok := strings.Cut(full, ".")
			if !ok {
				return core.E("tables.drops", core.Invalid, fmt.Sprintf("%s: %q is not of the form table.name", dropFile, full))
			}
			if t := live(s, table); t != nil && have(t, name) {
				out = append(out, drop(table, name))
			}
		}
		return nil
	}
	part := func(list []string, p core.Part) error {
		return of(list, func(t *core.Table, name string) bool { return slices.Contains(partNames(t, p), name) },
			func(table, name string) core.Change { return core.DropPart{Part: p, Of: table, Name: name} })
	}
	if err := part(d.Rules, core.PartRule); err != nil {
		return nil, err
	}
	if err := part(d.Duplicates, core.PartDuplicate); err != nil {
		return nil, err
	}
	if err := part(d.Keys, core.PartKey); err != nil {
		return nil, err
	}
	if err := part(d.Indexes, core.PartIndex); err != nil {
		return nil, err
	}
	err := of(d.Columns, func(t *core.Table, name string) bool { _, ok := t.Column(name); return ok },
		func(table, name string) core.Change { return core.DropColumn{Of: table, Name: name} })
	if err != nil {
		return nil, err
	}
	for _, name := range d.Tables {
		if live(s, name) != nil {
			out = append(out, core.DropTable{Name: name})
		}
	}
	for _, name := range d.Options {
		if slices.ContainsFunc(s.OptionSets(), func(o core.OptionSet) bool { return o.Name == name }) {
			out = append(out, core.DropOptions{Name: name})
		}
	}
	for _, name := range d.Operations {
		if _, ok := s.Operation(name); ok {
			out = append(out, core.DropOperation{Name: name})
		}
	}
	for _, name := range d.Classes {
		if _, ok := s.DataClass(name); ok {
			out = append(out, core.DropClass{Name: name})
		}
	}
	return out, nil
}

// describe says what a change does, for people.
func describe(c core.Change) string {
	switch c := c.(type) {
	case core.CreateTable:
		return "create table " + c.Define.Name
	case core.AlterTable:
		return fmt.Sprintf("change table %s: %s", c.Of, settings(c.Set))
	case core.RenameTables:
		return "rename " + renamed("table ", c.To)
	case core.DropTable:
		return "drop table " + c.Name
	case core.SetOwnership:
		return fmt.Sprintf("let the records of %s belong to the %s", c.Of, c.To)
	case core.AddColumn:
		return fmt.Sprintf("add column %s.%s (%s)", c.To, c.Add.Name, c.Add.Kind)
	case core.AlterColumn:
		return fmt.Sprintf("change column %s.%s: %s", c.Of, c.Column, settings(c.Set))
	case core.RenameColumns:
		return "rename " + renamed("column "+c.Of+".", c.To)
	case core.RetypeColumn:
		return fmt.Sprintf("make column %s.%s one of the kind %s", c.Of, c.To.Name, c.To.Kind)
	case core.DropColumn:
		return fmt.Sprintf("drop column %s.%s", c.Of, c.Name)
	case core.AddKey:
		return fmt.Sprintf("add key %s.%s", c.To, c.Add.Name)
	case core.AddIndex:
		return fmt.Sprintf("add index %s.%s", c.To, c.Add.Name)
	case core.PutRule:
		return fmt.Sprintf("put rule %s.%s", c.On, c.Put.Name)
	case core.PutDuplicateRule:
		return fmt.Sprintf("put duplicate rule %s.%s", c.On, c.Put.Name)
	case core.PutSearch:
		return "set what is searched in " + c.On
	case core.PutOptions:
		return "put option set " + c.Put.Name
	case core.DropOptions:
		return "drop option set " + c.Name
	case core.PutClass:
		return "put data class " + c.Put.Name
	case core.DropClass:
		return "drop data class " + c.Name
	case core.PutOperation:
		return "put operation " + c.Put.Name
	case core.DropOperation:
		return "drop operation " + c.Name
	case core.RestrictOperations:
		if c.On {
			return "let only registered operations run"
		}
		return "let operations run that are not registered"
	case core.RenamePart:
		return fmt.Sprintf("rename %s %s.%s to %s", c.Part, c.Of, c.Name, c.To)
	case core.DropPart:
		return fmt.Sprintf("drop %s %s.%s", c.Part, c.Of, c.Name)
	}
	return fmt.Sprintf("change %s", c.Table())
}

func settings(set map[string]any) string { return strings.Join(slices.Sorted(maps.Keys(set)), ", ") }

func renamed(what string, to map[string]string) string {
	var out []string
	for _, from := range slices.Sorted(maps.Keys(to)) {
		out = append(out, what+from+" to "+to[from])
	}
	return strings.Join(out, ", ")
}
