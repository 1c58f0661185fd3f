package rules

import (
	"maps"
	"slices"
	"strings"

	"colonnade/core"
)

// maxInlined is how deep formulas may read formulas, in levels of their trees together.
const maxInlined = 250

// arrange orders the calculated columns so that each comes after those that it reads, and refuses a cycle, over tables too,
// with its path, and formulas that would become too large where they are written into each other.
func (s *Set) arrange(schema *core.Schema) error {
	v := visitor{set: s, done: map[calculated]cost{}}
	for _, t := range schema.Tables() { // in this order, for a stable result
		for i := range t.Columns {
			if name := t.Columns[i].Name; s.tables[t.Name].formulas[name] != nil {
				if err := v.visit(calculated{t.Name, name}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// calculated is a calculated column.
type calculated struct{ table, column string }

type visitor struct {
	set  *Set
	done map[calculated]cost // with everything written in
	path []calculated
}

func (v *visitor) visit(of calculated) error {
	const op = "rules.NewSet"
	at := core.At{Table: of.table, Column: of.column}
	if _, ok := v.done[of]; ok {
		return nil
	}
	if i := slices.Index(v.path, of); i >= 0 {
		return core.E(op, core.Invalid, at, "the formulas read each other in a circle: "+circle(append(slices.Clone(v.path[i:]), of)))
	}
	v.path = append(v.path, of)
	t := v.set.tables[of.table]
	e := t.formulas[of.column]
	total := cost{weight: e.cost.weight, depth: e.cost.depth}
	for _, name := range slices.Sorted(maps.Keys(e.vars)) {
		p := e.vars[name]
		if !p.column.Calculated() {
			continue
		}
		next := calculated{p.table.Name, p.column.Name}
		if err := v.visit(next); err != nil {
			return err
		}
		inner := v.done[next]
		total.weight += e.cost.uses[name] * inner.weight
		total.depth = max(total.depth, e.cost.depth+inner.depth)
	}
	if total.weight > maxWeight || total.depth > maxInlined {
		return core.E(op, core.Invalid, at, "the formula and the formulas that it reads are too large together")
	}
	v.path = v.path[:len(v.path)-1]
	v.done[of] = total
	t.order = append(t.order, of.column)
	t.reads[of.column] = v.set.ReadsOf(e)
	t.needs[of.column] = len(e.Needs) > 0 || slices.ContainsFunc(e.Columns, func(name string) bool { return t.needs[name] })
	return nil
}

// ReadsOf returns the columns that e reads, of its record and of others, and what the formulas of those among them read that
// are calculated: see [Set.Reads].
func (s *Set) ReadsOf(e *Expr) []Read {
	all := map[string]Read{}
	for _, r := range e.Reads {
		all[r.String()] = r
		c, _ := s.tables[r.Table].table.Column(r.Column)
		if !c.Calculated() || c.Rights == core.DefinerRights {
			continue
		}
		for _, inner := range s.tables[r.Table].reads[r.Column] {
			inner.Old, inner.Path = r.Old, slices.Concat(r.Path, inner.Path)
			all[inner.String()] = inner
		}
	}
	return slices.SortedFunc(maps.Values(all), compareReads)
}

// circle tells a path, with the tables where there are several.
func circle(path []calculated) string {
	several := slices.ContainsFunc(path, func(c calculated) bool { return c.table != path[0].table })
	var names []string
	for _, c := range path {
		name := c.column
		if several {
			name = c.table + "." + name
		}
		names = append(names, name)
	}
	return strings.Join(names, " -> ")
}
