package rules

import (
	"maps"
	"slices"
	"strings"

	"colonnade/core"
)

// maxInlined is how deep formulas may read formulas, in levels of their trees together.
const maxInlined = 250

// arrange orders the calculated columns so that each comes after those that it reads, and refuses a cycle, with its path,
// and formulas that would become too large where they are written into each other.
func (t *tableSet) arrange() error {
	v := visitor{t: t, done: map[string]cost{}}
	for i := range t.table.Columns { // in this order, for a stable result
		if name := t.table.Columns[i].Name; t.formulas[name] != nil {
			if err := v.visit(name); err != nil {
				return err
			}
		}
	}
	return nil
}

type visitor struct {
	t    *tableSet
	done map[string]cost // with everything written in
	path []string
}

func (v *visitor) visit(name string) error {
	const op = "rules.NewSet"
	if _, ok := v.done[name]; ok {
		return nil
	}
	if i := slices.Index(v.path, name); i >= 0 {
		cycle := append(slices.Clone(v.path[i:]), name)
		return core.E(op, core.Invalid, core.At{Column: name}, "the formulas read each other in a circle: "+strings.Join(cycle, " -> "))
	}
	v.path = append(v.path, name)
	e := v.t.formulas[name]
	total := cost{weight: e.cost.weight, depth: e.cost.depth}
	stored := map[string]bool{}
	for _, column := range e.Columns {
		if v.t.formulas[column] == nil {
			stored[column] = true
			continue
		}
		if err := v.visit(column); err != nil {
			return err
		}
		inner := v.done[column]
		total.weight += e.cost.uses[column] * inner.weight
		total.depth = max(total.depth, e.cost.depth+inner.depth)
		for _, r := range v.t.reads[column] {
			stored[r] = true
		}
	}
	if total.weight > maxWeight || total.depth > maxInlined {
		return core.E(op, core.Invalid, core.At{Column: name}, "the formula and the formulas that it reads are too large together")
	}
	v.path = v.path[:len(v.path)-1]
	v.done[name] = total
	v.t.order = append(v.t.order, name)
	v.t.reads[name] = slices.Sorted(maps.Keys(stored))
	return nil
}
