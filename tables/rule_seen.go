package tables

import (
	"slices"

	"colonnade/authz"
	"colonnade/rules"
)

// Reaches implements rules.Viewer: every table on the way is open to the caller, or each record that is read, from this one, and in
// each what is read there.
func (v *viewer) Reaches(e *rules.Expr) (bool, error) {
	shut := func(r rules.Read) bool { return len(r.Path) > 0 && !v.open(r) }
	if !slices.ContainsFunc(e.Reads, shut) {
		return true, nil
	}
	return v.reachesEach(e)
}

// reachesBehind reports whether the caller may read all that a calculated column with the reader's rights is made of. What it was made
// of before the change nobody can tell.
func (v *viewer) reachesBehind(column string, old bool) (bool, error) {
	e, ok := v.w.tx.snap.Rules.Formula(v.w.table.Name, column)
	if !ok || old {
		return false, nil
	}
	for _, own := range e.Columns {
		if ok, err := v.Sees(own, false); err != nil || !ok {
			return false, err
		}
	}
	return v.Reaches(e)
}

// open reports whether the caller may read all records on the way of r, with the lookups that lead on and the column in the end.
func (v *viewer) open(r rules.Read) bool {
	snap := v.w.tx.snap
	open := func(table string, columns ...string) bool {
		may, err := snap.Policy.Decide(v.w.caller, table, authz.Read)
		return err == nil && may.Rows == nil && !slices.ContainsFunc(columns, func(c string) bool {
			shown, guard := may.Column(c)
			return !shown || guard != nil
		})
	}
	for i, s := range r.Path {
		if !open(s.From) || !open(s.Relation.Table, r.At(i)...) || !s.Relation.Many && !open(s.From, s.Own()...) {
			return false
		}
		if s.Relation.Through != "" && !open(s.Relation.Through) {
			return false
		}
	}
	return true
}

// reachesEach asks about the records that e reads: those to which lookups lead, and those of lists, of which the caller must see as many
// as there are.
func (v *viewer) reachesEach(e *rules.Expr) (bool, error) {
	tx := v.w.tx
	if tx.snap.MayRead(v.w.caller, e) != "" {
		return false, nil
	}
	counts, err := tx.snap.Rules.Counts(e)
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be counted, because formulas read each other over too many relations, is not shown
	}
	for _, x := range append([]*rules.Expr{e}, counts...) {
		q, seen := condition{tx: tx, caller: v.w.caller, e: x}, make([]reading, 1)
		if err := q.read([]asked{{record: v.next, old: v.old}}, nil, seen); err != nil || !seen[0].seen {
			return false, err
		}
		if x == e {
			continue
		}
		for _, n := range x.Needs {
			all, err := v.w.ask(n, v.next, v.old)
			if err != nil || !equal(all, seen[0].needs[n]) {
				return false, err
			}
		}
	}
	return true, nil
}
