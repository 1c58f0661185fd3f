package rules

import (
	"slices"

	"colonnade/core"
)

// sortRules finds which rules read other records. One that checks by them looks when the record is written, so that it sees
// the record among them; one that changes the record by them cannot wait so long.
func (t *tableSet) sortRules() error {
	for i := range t.rules {
		r := &t.rules[i]
		if r.needs = t.needsOf(t.computed(r), map[*Expr]bool{}); len(r.needs) == 0 {
			continue
		}
		writes, checks := false, false
		for _, ds := range [][]deed{r.do, r.otherwise} {
			for j := range ds {
				kind := deeds[ds[j].name]
				writes = writes || kind.writes && kind.do != nil
				checks = checks || !kind.writes && kind.do != nil
			}
		}
		if writes && checks {
			return core.E("rules.NewSet", core.Invalid, core.At{Rule: r.source.Name}, "a rule that reads other records either changes the record, before it is written, or checks it, when it is: make two rules of it")
		}
		r.late = checks
	}
	return nil
}

// computed returns what the rule computes, the calculated columns included that it checks.
func (t *tableSet) computed(r *rule) []*Expr {
	out := slices.Collect(r.expressions)
	for _, ds := range [][]deed{r.do, r.otherwise} {
		for i := range ds {
			if d := &ds[i]; d.column != nil && t.formulas[d.column.Name] != nil {
				out = append(out, t.formulas[d.column.Name])
			}
		}
	}
	return out
}

// Verifies reports whether [Set.Verify] has something to ask about an operation.
func (s *Set) Verifies(table string, op core.Op) bool {
	t, ok := s.tables[table]
	return ok && op != core.Delete && slices.ContainsFunc(t.rules, func(r rule) bool { return r.late && r.source.Runs(op) })
}

// VerifyNeeds returns what [Set.Verify] reads of other records for an operation.
func (s *Set) VerifyNeeds(table string, op core.Op) (out []*Need) {
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	for i := range t.rules {
		if r := &t.rules[i]; r.late && r.source.Runs(op) {
			out = append(out, r.needs...)
		}
	}
	return out
}

// Anchor is the record on which a check over several others hangs: the lookups that lead to it from the record that is checked.
// Two transactions that write records of one anchor have to wait for each other, or they could break together what neither
// breaks alone.
type Anchor struct {
	Old  bool
	Path []Step
}

// Anchors returns the anchors of the rules that check by other records. wide says that one of them reads more than the records of
// one anchor, so that all writers of the table wait for each other.
func (s *Set) Anchors(table string, op core.Op) (out []Anchor, wide bool) {
	t, ok := s.tables[table]
	if !ok {
		return nil, false
	}
	for i := range t.rules {
		r := &t.rules[i]
		if !r.late || !r.source.Runs(op) {
			continue
		}
		for _, n := range r.needs {
			for _, read := range s.written(n.e.Reads) {
				anchor, far := read.anchor()
				wide = wide || far
				if anchor != nil && !slices.ContainsFunc(out, func(a Anchor) bool { return a.same(anchor) }) {
					out = append(out, *anchor)
				}
			}
		}
	}
	return out, wide
}

// written returns the reads, with those of calculated columns of other records written out.
func (s *Set) written(reads []Read) []Read {
	out := slices.Clone(reads)
	for _, r := range reads {
		if len(r.Path) == 0 {
			continue
		}
		for _, inner := range s.Reads(r.Table, r.Column) {
			out = append(out, Read{r.Old, slices.Concat(r.Path, inner.Path), inner.Table, inner.Column})
		}
	}
	return out
}

// anchor returns the record from which r leads to several; nil when there is none but the record itself. far says that several
// lead to several more, or that it is a tree.
func (r Read) anchor() (a *Anchor, far bool) {
	many := func(s Step) bool { return s.Relation.Many || s.Down }
	i := slices.IndexFunc(r.Path, many)
	if i < 0 {
		return nil, false
	}
	if r.Path[i].Down || slices.ContainsFunc(r.Path[i+1:], many) {
		return nil, true
	}
	if i == 0 { // its own records: who writes one of them waits for the record, when a rule there checks it
		return nil, false
	}
	return &Anchor{r.Old, r.Path[:i]}, false
}

func (a *Anchor) same(b *Anchor) bool {
	return a.Old == b.Old && slices.EqualFunc(a.Path, b.Path, func(x, y Step) bool { return x.From == y.From && x.Relation.Name == y.Relation.Name })
}
