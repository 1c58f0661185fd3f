package rules

import (
	"slices"

	"colonnade/core"
)

// checkStored refuses to store what changes although no record does, and notes the stored calculated columns, each after
// those that it reads.
func (t *tableSet) checkStored() error {
	for _, name := range t.order {
		c, _ := t.table.Column(name)
		if !c.Stored {
			continue
		}
		if t.needs[name] {
			return core.E("rules.NewSet", core.Invalid, core.At{Table: t.table.Name, Column: name}, "the formula reads other records, which change while the record does not: leave stored out")
		}
		if via := t.outside(name); via != "" {
			msg := "the formula reads the caller or the time, which change while the record does not: leave stored out"
			if via != name {
				msg = "the formula reads " + via + ", which reads the caller or the time, and these change while the record does not: leave stored out"
			}
			return core.E("rules.NewSet", core.Invalid, core.At{Table: t.table.Name, Column: name}, msg)
		}
		t.stored = append(t.stored, c)
	}
	return nil
}

// outside returns the first of the column and the virtual ones that it reads whose formula reads the caller or the time, ""
// when none does.
func (t *tableSet) outside(name string) string {
	e := t.formulas[name]
	if e.Outside {
		return name
	}
	for _, column := range e.Columns {
		if t.formulas[column] == nil {
			continue
		}
		if via := t.outside(column); via != "" {
			return via
		}
	}
	return ""
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

// Store computes the stored calculated columns of r, which is about to be written, in place.
func (s *Set) Store(table string, r core.Record) error {
	const op = "rules.Store"
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	for _, c := range t.stored {
		v, err := t.formula(t.row(r, nil, &core.Caller{}, nil), c.Name) // which reads no caller
		if err != nil {
			return core.E(op, core.At{Table: table, Column: c.Name}, err)
		}
		r[c.Name] = v
	}
	return nil
}

// Formulas returns the calculated columns that the formula of the column reads, directly or through others, sorted.
func (s *Set) Formulas(table, column string) []string {
	t, ok := s.tables[table]
	if !ok || t.formulas[column] == nil {
		return nil
	}
	var out []string
	var visit func(name string)
	visit = func(name string) {
		for _, read := range t.formulas[name].Columns {
			if t.formulas[read] != nil && !slices.Contains(out, read) {
				out = append(out, read)
				visit(read)
			}
		}
	}
	visit(column)
	slices.Sort(out)
	return out
}
