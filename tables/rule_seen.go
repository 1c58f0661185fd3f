package tables

import (
	"slices"

	"github.com/tidwall/gjson"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// Reaches implements rules.Viewer: every table on the way is open to the caller, or each record that is read, from this one, and in
// each what is read there.
func (v *viewer) Reaches(e *rules.Expr) (bool, error) {
	shut := func(r rules.Read) bool { return len(r.Path) > 0 && !v.open(r) }
	if !slices.ContainsFunc(v.w.tx.snap.Rules.ReadsOf(e), shut) {
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
		if s.Relation.Through != "" && !open(s.Relation.Through, s.Relation.Near, s.Relation.Column) {
			return false
		}
	}
	return true
}

// reachesEach asks about the records that e reads: those to which lookups lead, and each of the lists, whatever there is in it. What
// the columns hold plays no part, so that a secret that is empty is told as little as another.
func (v *viewer) reachesEach(e *rules.Expr) (bool, error) {
	tx := v.w.tx
	if tx.snap.MayRead(v.w.caller, e) != "" {
		return false, nil
	}
	reads := tx.snap.Rules.ReadsOf(e)
	p, given := &planner{snap: tx.snap, caller: v.w.caller}, values{table: v.w.table}
	own, was := beginnings(reads, false), beginnings(reads, true)
	seen, err := p.seen(reads, given.row(p, own), given.row(p, was), true)
	if kind := core.KindOf(err); kind == core.Denied || kind == core.Invalid { // he cannot name something of it
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s := &selection{shape: &db.Shape{Many: true}, from: func(b *db.Builder) { given.from(b, []asked{{record: v.next, old: v.old}}, own, was) }}
	s.add(db.ShapeField{Key: "seen", Kind: core.Boolean}, seen)
	b := db.New(tx.store.db.Dialect)
	s.answer(b)
	raw, err := tx.query(b, s.shape)
	return gjson.GetBytes(raw, "0.seen").Bool(), err
}

// beginnings are the columns of the record, or with old of the one before, at which the ways to other records begin.
func beginnings(reads []rules.Read, old bool) (out []string) {
	for _, r := range reads {
		if r.Old == old && len(r.Path) > 0 {
			out = append(out, r.From()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
