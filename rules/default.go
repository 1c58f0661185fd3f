package rules

import (
	"maps"
	"slices"

	"colonnade/core"
)

// sortDefaults orders the defaults of a table so that each comes after those that it reads, directly or by calculated columns of the
// record, and refuses a circle with its path.
func (s *Set) sortDefaults(t *tableSet) error {
	byName := make(map[string]assignment, len(t.defaults))
	for _, d := range t.defaults {
		byName[d.column.Name] = d
	}
	sorted := make([]assignment, 0, len(t.defaults))
	done := map[string]bool{}
	var visit func(name string, path []calculated) error
	visit = func(name string, path []calculated) error {
		d, ok := byName[name]
		if !ok || done[name] {
			return nil
		}
		of := calculated{t.table.Name, name}
		if i := slices.Index(path, of); i >= 0 {
			return core.E("rules.NewSet", core.Invalid, core.At{Table: of.table, Column: name}, "the defaults read each other in a circle: "+circle(append(slices.Clone(path[i:]), of)))
		}
		for _, read := range s.Plain(of.table, d.value.Columns) {
			if err := visit(read, append(slices.Clip(path), of)); err != nil {
				return err
			}
		}
		done[name] = true
		sorted = append(sorted, d)
		return nil
	}
	for _, d := range t.defaults {
		if err := visit(d.column.Name, nil); err != nil {
			return err
		}
	}
	t.defaults = sorted
	return nil
}

// Defaults fills the columns that r lacks and that have a default, in place, each after those that it reads. A column that is
// there and NULL stays NULL. ask answers what they read of other records.
func (s *Set) Defaults(table string, r core.Record, c core.Caller, ask Ask) error {
	const op = "rules.Defaults"
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	for _, d := range t.defaults {
		if _, ok := r[d.column.Name]; ok {
			continue
		}
		if err := t.assign(d, r, nil, &c, ask); err != nil {
			return core.E(op, core.At{Table: table, Column: d.column.Name}, err)
		}
	}
	return nil
}

// Default gives r, which lacks the column, its default, in place.
func (s *Set) Default(table, column string, r core.Record, c core.Caller, ask Ask) error {
	t, d := s.defaultOf(table, column)
	if d == nil {
		return nil
	}
	if err := t.assign(*d, r, nil, &c, ask); err != nil {
		return core.E("rules.Default", core.At{Table: table, Column: column}, err)
	}
	return nil
}

// DefaultReads reports whether the default of the column depends on the other columns of the record.
func (s *Set) DefaultReads(table, column string) bool {
	_, d := s.defaultOf(table, column)
	return d != nil && len(d.value.Columns) > 0
}

// DefaultNeeds returns what the default of the column reads of other records.
func (s *Set) DefaultNeeds(table, column string) []*Need {
	t, d := s.defaultOf(table, column)
	if d == nil {
		return nil
	}
	return t.needsOf([]*Expr{d.value}, map[*Expr]bool{})
}

// DefaultWatches returns what the database keeps that the default of the column depends on, in its own record and in others. Stored
// calculated columns of the record itself are none of it: they are computed with the default.
func (s *Set) DefaultWatches(table, column string) []Read {
	_, d := s.defaultOf(table, column)
	if d == nil {
		return nil
	}
	x := expansion{set: s, reads: map[string]Read{}, own: true}
	x.follow(d.value, nil)
	return slices.SortedFunc(maps.Values(x.reads), compareReads)
}

// defaultOf returns nil when the column has no default.
func (s *Set) defaultOf(table, column string) (*tableSet, *assignment) {
	t, ok := s.tables[table]
	if !ok {
		return nil, nil
	}
	i := slices.IndexFunc(t.defaults, func(a assignment) bool { return a.column.Name == column })
	if i < 0 {
		return t, nil
	}
	return t, &t.defaults[i]
}
