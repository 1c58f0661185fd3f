package rules

import (
	"fmt"
	"maps"
	"slices"

	"colonnade/core"
)

// checkStored refuses to store what changes although no record does, and to identify records by what others make of them. It
// notes the stored calculated columns, each after those of its table that it reads.
func (s *Set) checkStored(t *tableSet) error {
	const op = "rules.NewSet"
	for _, name := range t.order {
		c, _ := t.table.Column(name)
		if !c.Stored {
			continue
		}
		at := core.At{Table: t.table.Name, Column: name}
		x := expansion{set: s, reads: map[string]Read{}}
		x.expand(t, name, nil)
		switch {
		case x.outside == at:
			return core.E(op, core.Invalid, at, "the formula reads the caller or the time, which change while the record does not: leave stored out")
		case x.outside != core.At{}:
			return core.E(op, core.Invalid, at, fmt.Sprintf("the formula reads %s.%s, which reads the caller or the time, and these change while the record does not: leave stored out", x.outside.Table, x.outside.Column))
		case x.builtin(s) != "":
			return core.E(op, core.Invalid, at, "the formula reads "+x.builtin(s)+", whose records are not written like others, so that the stored value would not follow them: leave stored out")
		case t.needs[name] && identifies(t.table, c):
			return core.E(op, core.Invalid, at, "the formula reads other records, whose changes would refuse each other: it can be part of no key and no duplicate rule, and is not unique")
		}
		t.stored = append(t.stored, c)
		t.watches[name] = slices.SortedFunc(maps.Values(x.reads), compareReads)
	}
	return nil
}

// identifies reports whether two records of t can be the same because of the column.
func identifies(t *core.Table, c *core.Column) bool {
	return c.Unique ||
		slices.ContainsFunc(t.Keys, func(k core.Key) bool { return slices.Contains(k.Columns, c.Name) }) ||
		slices.ContainsFunc(t.Duplicates, func(r core.DuplicateRule) bool {
			return slices.ContainsFunc(r.Columns, func(dc core.DuplicateColumn) bool { return dc.Column == c.Name })
		})
}

// builtin returns a built-in table that is on the way to what the formula reads, "" for none.
func (x *expansion) builtin(s *Set) string {
	for _, r := range x.reads {
		for _, step := range r.Path {
			if s.tables[step.Relation.Table].table.Builtin {
				return step.Relation.Table
			}
		}
	}
	return ""
}

// expansion is what a formula reads of what the database keeps: the formulas of virtual columns are written in.
type expansion struct {
	set      *Set
	reads    map[string]Read
	formulas []core.At // that were written in, each once
	outside  core.At   // the first of them that reads the caller or the time
	whole    bool      // those of stored columns are written in, too
	own      bool      // those of stored columns of the record itself are
}

func (x *expansion) expand(t *tableSet, column string, path []Step) {
	e := t.formulas[column]
	if at := (core.At{Table: t.table.Name, Column: column}); !slices.Contains(x.formulas, at) {
		x.formulas = append(x.formulas, at)
	}
	if e.Outside && x.outside == (core.At{}) {
		x.outside = core.At{Table: t.table.Name, Column: column}
	}
	x.follow(e, path)
}

// follow notes what an expression reads.
func (x *expansion) follow(e *Expr, path []Step) {
	for _, r := range e.Reads {
		r.Path = slices.Concat(path, r.Path)
		of := x.set.tables[r.Table]
		if c, ok := of.table.Column(r.Column); ok && c.Calculated() && (x.whole || c.Virtual() || x.own && len(r.Path) == 0) {
			x.expand(of, r.Column, r.Path)
			r.Column = "id" // the records count
			if len(r.Path) == 0 {
				continue
			}
		}
		x.reads[r.String()] = r
	}
}

// StoredFormulas returns the calculated columns of the table that are stored, each after those of them that it reads. The
// slice is shared: do not change it.
func (s *Set) StoredFormulas(table string) []*core.Column {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	return t.stored
}

// Watches returns what the database keeps that the stored calculated column depends on, directly or through virtual ones, in
// its own record and in others. The slice is shared: do not change it.
func (s *Set) Watches(table, column string) []Read {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	return t.watches[column]
}

// Store computes the stored calculated columns of r, which is about to be written, in place, as far as they depend on r alone.
func (s *Set) Store(table string, r core.Record) error {
	return s.store(table, r, nil, func(t *tableSet, name string) bool { return !t.needs[name] })
}

// StoreNeeds computes those that depend on other records, too; ask answers what they read there.
func (s *Set) StoreNeeds(table string, r core.Record, ask Ask) error {
	return s.store(table, r, ask, func(t *tableSet, name string) bool { return t.needs[name] })
}

func (s *Set) store(table string, r core.Record, ask Ask, which func(t *tableSet, name string) bool) error {
	const op = "rules.Store"
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	for _, c := range t.stored {
		if !which(t, c.Name) {
			continue
		}
		v, err := t.formula(t.row(r, nil, &core.Caller{}, ask), c.Name) // which reads no caller
		if err != nil {
			return core.E(op, core.At{Table: table, Column: c.Name}, err)
		}
		r[c.Name] = v
	}
	return nil
}

// StoredNeeds returns what the stored calculated columns of the table read of other records.
func (s *Set) StoredNeeds(table string) []*Need {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	var of []*Expr
	for _, c := range t.stored {
		if t.needs[c.Name] {
			of = append(of, t.formulas[c.Name])
		}
	}
	return t.needsOf(of, map[*Expr]bool{})
}

// Formulas returns the calculated columns whose formulas make the value of a calculated column: itself, and what it reads in its
// own record and in others.
func (s *Set) Formulas(table, column string) []core.At {
	t, ok := s.tables[table]
	if !ok || t.formulas[column] == nil {
		return nil
	}
	x := expansion{set: s, reads: map[string]Read{}, whole: true}
	x.expand(t, column, nil)
	return x.formulas
}
