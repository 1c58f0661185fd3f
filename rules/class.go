package rules

import (
	"slices"

	"colonnade/core"
)

// checkClasses refuses a data class whose mask fits no kind of column.
func checkClasses(s *core.Schema) error {
	for _, c := range s.DataClasses() {
		if c.Mask == "" {
			continue
		}
		var first error // of a text, for which most masks are
		fits := slices.ContainsFunc(core.MaskableKinds(), func(k core.Kind) bool {
			column := &core.Column{Name: core.MaskValue, Kind: k}
			if k == core.Decimal {
				column.Precision = 38
			}
			_, err := CompileMask(&core.Table{}, column, c.Mask)
			if first == nil {
				first = err
			}
			return err == nil
		})
		if !fits {
			return core.E("rules.checkClasses", core.Invalid, "data class "+c.Name+": "+core.AsError(first).Msg, first)
		}
	}
	return nil
}

// findClasses notes which data classes the columns carry: by their definition, and those of everything that their values come from.
// Of a calculated column that is what its formula depends on, be it by a condition or by the way to it, and whoever's rights it has;
// of any other what its default and the rules that write it depend on. It compiles the masks that come from classes.
func (s *Set) findClasses(schema *core.Schema) {
	if len(schema.DataClasses()) == 0 {
		return
	}
	from := map[core.At][]core.At{}
	for _, t := range schema.Tables() {
		s.tables[t.Name].sources(s, from)
		for i := range t.Columns {
			if carried := t.ClassesOf(&t.Columns[i]); len(carried) > 0 {
				s.tables[t.Name].classes[t.Columns[i].Name] = slices.Sorted(slices.Values(carried))
			}
		}
	}
	for more := true; more; { // rules write what formulas read, which rules read
		more = false
		for to, sources := range from {
			more = s.inherit(to, sources) || more
		}
	}
	for _, t := range schema.Tables() {
		for i := range t.Columns {
			s.tables[t.Name].maskByClass(schema, &t.Columns[i])
		}
	}
}

// inherit gives the column the classes of the others, and reports whether it did not have them all.
func (s *Set) inherit(to core.At, from []core.At) (more bool) {
	classes := s.tables[to.Table].classes
	have := classes[to.Column]
	for _, at := range from {
		for _, name := range s.Classes(at.Table, at.Column) {
			if i, ok := slices.BinarySearch(have, name); !ok {
				have, more = slices.Insert(have, i, name), true
			}
		}
	}
	if more {
		classes[to.Column] = have
	}
	return more
}

// sources notes from which columns the values of the columns of t come, that are not written by people.
func (t *tableSet) sources(s *Set, from map[core.At][]core.At) {
	add := func(c *core.Column, read func(w *reading)) {
		w := reading{set: s}
		read(&w)
		to := core.At{Table: t.table.Name, Column: c.Name}
		from[to] = slices.Concat(from[to], w.own, w.others)
	}
	for i := range t.table.Columns {
		if c := &t.table.Columns[i]; c.Of != "" {
			add(c, func(w *reading) { w.column(t.table.Name, c.Of, false) })
		}
	}
	for _, name := range t.order {
		c, _ := t.table.Column(name)
		add(c, func(w *reading) { w.column(t.table.Name, name, false) })
	}
	for _, d := range t.defaults {
		add(d.column, func(w *reading) { w.expression(t.table.Name, d.value, false) })
	}
	for i := range t.rules {
		r := &t.rules[i]
		for _, d := range slices.Concat(r.do, r.otherwise) {
			if kind := deeds[d.name]; !kind.writes || kind.do == nil {
				continue
			}
			add(d.column, func(w *reading) {
				for _, e := range []*Expr{r.when, d.value} {
					if e != nil {
						w.expression(t.table.Name, e, false)
					}
				}
			})
		}
	}
}

// maskByClass gives the column, when it has no mask, that of its classes: of the first, where each has one that fits. What one of them
// would not show, the mask of another must not.
func (t *tableSet) maskByClass(s *core.Schema, c *core.Column) {
	if c.Mask != "" || !c.Maskable() {
		return
	}
	var first *Expr
	for _, name := range t.classes[c.Name] {
		of, _ := s.DataClass(name)
		if of.Mask == "" {
			return
		}
		e, err := CompileMask(t.table, c, of.Mask)
		if err != nil {
			return
		}
		if first == nil {
			first = e
		}
	}
	if first != nil {
		t.masks[c.Name] = first
	}
}

// Classes returns the data classes that the column carries, by itself or through what it is calculated from, sorted. The slice is
// shared: do not change it.
func (s *Set) Classes(table, column string) []string {
	if t, ok := s.tables[table]; ok {
		return t.classes[column]
	}
	return nil
}
