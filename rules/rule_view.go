package rules

import (
	"fmt"
	"maps"
	"slices"

	"colonnade/core"
)

// View is a rule as it is told to somebody, so that forms can do what it says.
type View struct {
	core.Rule // without tests, and without what is not told

	// Server says that the rule reads what its reader may not, or other records: only the server can tell what it does.
	Server bool
	Reads  []string // the columns that it reads of the record
	Old    []string // and of the record before
}

// Views returns the rules in force of the table, in their order. reads reports whether their reader may read the column in
// every record, knows whether he may know that there is one.
func (s *Set) Views(table string, reads, knows func(column string) bool) ([]View, error) {
	t, ok := s.tables[table]
	if !ok {
		return nil, core.E("rules.Views", core.NotFound, core.At{Table: table}, "there is no such table")
	}
	out := make([]View, len(t.rules))
	for i := range t.rules {
		out[i] = t.rules[i].view(reads, knows)
	}
	return out, nil
}

func (r *rule) view(reads, knows func(string) bool) View {
	v := View{Rule: *r.source, Server: len(r.needs) > 0}
	v.Tests = nil
	columns, old := map[string]bool{}, map[string]bool{}
	for e := range r.expressions {
		for _, c := range e.Columns {
			columns[c] = true
		}
		for _, c := range e.OldColumns {
			old[c] = true
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(columns)), slices.Collect(maps.Keys(old))) {
		v.Server = v.Server || !reads(name)
	}
	for _, deeds := range [][]deed{r.do, r.otherwise} {
		for i := range deeds {
			v.Server = v.Server || deeds[i].column != nil && !knows(deeds[i].column.Name)
		}
	}
	if v.Server {
		v.Doc, v.When, v.Do, v.Else = "", "", nil, nil
		return v
	}
	v.Reads, v.Old = slices.Sorted(maps.Keys(columns)), slices.Sorted(maps.Keys(old))
	return v
}

// Warnings tells what may surprise in the order of the rules of the table: rules run once, and one that gives a column a value
// comes too late for those before it that read the column.
func (s *Set) Warnings(table string) (out []string) {
	if t, ok := s.tables[table]; ok {
		out = t.warnings()
	}
	return out
}

// Warnings is [Set.Warnings] for the table with the rule.
func (c *Check) Warnings() []string { return c.t.warnings() }

func (t *tableSet) warnings() (out []string) {
	for i := range t.rules {
		late := &t.rules[i]
		for c := range late.writes {
			for j := range t.rules[:i] {
				early := &t.rules[j]
				if !together(early.source, late.source) || !t.readsColumn(early, c) {
					continue
				}
				msg := fmt.Sprintf("rule %q gives %s a value after rule %q has read it", late.source.Name, c, early.source.Name)
				if back := t.readsBack(late, early); back != "" {
					msg += fmt.Sprintf(", and reads %s, which that gives a value: they go round in a circle, of which one round is made", back)
				} else {
					msg += fmt.Sprintf(": give %q the lower order, unless that is meant", late.source.Name)
				}
				if !slices.Contains(out, msg) {
					out = append(out, msg)
				}
			}
		}
	}
	return out
}

// together reports whether both rules run in one write.
func together(a, b *core.Rule) bool {
	return slices.ContainsFunc([]core.Op{core.Create, core.Update, core.Delete}, func(o core.Op) bool { return a.Runs(o) && b.Runs(o) })
}

// writes yields the columns that the rule gives values.
func (r *rule) writes(yield func(column string) bool) {
	for _, ds := range [][]deed{r.do, r.otherwise} {
		for i := range ds {
			if d := &ds[i]; deeds[d.name].writes && d.do != nil && !yield(d.column.Name) {
				return
			}
		}
	}
}

// readsColumn reports whether the rule reads the column, itself or through calculated ones, or checks it.
func (t *tableSet) readsColumn(r *rule, column string) bool {
	for e := range r.expressions {
		if t.dependsOn(e, column) {
			return true
		}
	}
	for _, ds := range [][]deed{r.do, r.otherwise} {
		for i := range ds {
			if d := &ds[i]; (d.name == "require" || d.name == "lock") && (d.column.Name == column || d.column.Calculated() && t.dependsOn(t.formulas[d.column.Name], column)) {
				return true
			}
		}
	}
	return false
}

func (t *tableSet) dependsOn(e *Expr, column string) bool {
	return slices.ContainsFunc(e.Columns, func(c string) bool {
		return c == column || t.formulas[c] != nil && t.dependsOn(t.formulas[c], column)
	})
}

// readsBack returns a column that early gives a value and late reads, "" when there is none.
func (t *tableSet) readsBack(late, early *rule) string {
	for c := range early.writes {
		if t.readsColumn(late, c) {
			return c
		}
	}
	return ""
}
