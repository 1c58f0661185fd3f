package rules

import (
	"slices"
	"strconv"
	"strings"
)

// Counts returns expressions over the same record that count what e reads in lists of other records: who gets the same from each with
// his own rights as with everybody's reads every one of those records, and every value there.
func (s *Set) Counts(e *Expr) ([]*Expr, error) {
	t := s.tables[e.table.Name]
	env, err := tableEnv(t.schema, t.table, Options{Old: true})
	if err != nil {
		return nil, err
	}
	var out []*Expr
	for _, r := range s.ReadsOf(e) {
		if !slices.ContainsFunc(r.Path, func(s Step) bool { return s.Relation.Many }) {
			continue
		}
		start := ""
		if r.Old {
			start = oldPrefix
		}
		x, err := compile(env, t.table, counting(start, r.Path, r.Column, 0), Options{Old: true})
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// counting writes how many values there are at the end of a path: of records in lists of records it is a sum of counts.
func counting(start string, path []Step, column string, depth int) string {
	i := slices.IndexFunc(path, func(s Step) bool { return s.Relation.Many })
	chain := start + wayOf(path[:i+1])
	if path[i].Down {
		chain = downName + "(" + chain + ")"
	}
	x := "x" + strconv.Itoa(depth)
	rest := path[i+1:]
	if slices.ContainsFunc(rest, func(s Step) bool { return s.Relation.Many }) {
		return chain + ".sum(" + x + ", " + counting(x+".", rest, column, depth+1) + ")"
	}
	inner := x + "."
	if len(rest) > 0 {
		inner += wayOf(rest) + "."
	}
	return chain + ".count(" + x + ", !isNull(" + inner + column + "))"
}

// wayOf returns the names of the relations of a path, joined by dots.
func wayOf(path []Step) string {
	var out []string
	for _, s := range path {
		out = append(out, s.Relation.Name)
	}
	return strings.Join(out, ".")
}
