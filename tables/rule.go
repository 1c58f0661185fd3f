package tables

import (
	"fmt"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// ruled runs the business rules over a record that is about to be written, in place. given is what the caller sent for it. It
// returns what rules have still to check when the record is written, nil when that is nothing.
func (w *writer) ruled(op core.Op, given, next, old core.Record) (*rules.Write, error) {
	set := w.tx.snap.Rules
	if !set.HasRules(w.table.Name, op) {
		return nil, nil
	}
	asked := w.ruleWrite(op, given, next, old)
	if w.tx.advice != nil { // the record is tried also where a rule refuses it
		asked.Advise, asked.Log = true, &rules.Log{}
	}
	if err := set.Apply(w.table.Name, asked); err != nil {
		return nil, err
	}
	if !set.Verifies(w.table.Name, op) {
		return nil, nil
	}
	asked.Log = w.tx.advice
	return asked, nil
}

// ruleWrite is the record as its rules see it.
func (w *writer) ruleWrite(op core.Op, given, next, old core.Record) *rules.Write {
	out := &rules.Write{Op: op, Record: next, Old: old, Caller: w.caller, Now: w.tx.now, Ask: w.ask}
	if !w.caller.IsSystem() {
		if w.defined {
			given = nil
		}
		out.Viewer = &viewer{w: w, given: given, next: next, old: old}
	}
	return out
}

// viewer says what the caller may know of a record that he writes: what he reads, and what he sent himself. It implements
// [rules.Viewer].
type viewer struct {
	w                *writer
	given, next, old core.Record

	asked bool
	read  *authz.Decision // nil when he reads nothing of the table
}

var _ rules.Viewer = (*viewer)(nil)

func (v *viewer) may() *authz.Decision {
	if !v.asked {
		v.asked = true
		v.read, _ = v.w.tx.snap.Policy.Decide(v.w.caller, v.w.table.Name, authz.Read)
	}
	return v.read
}

// Knows implements rules.Viewer.
func (v *viewer) Knows(column string) bool {
	all := []*authz.Decision{v.may()}
	if !v.w.defined { // otherwise it is the definition that writes
		all = append(all, v.w.create, v.w.update)
	}
	return visible(column, all...)
}

// Sees implements rules.Viewer.
func (v *viewer) Sees(column string, old bool) (bool, error) {
	record := v.next
	if old {
		record = v.old
	}
	if record == nil || !old && v.sent(column) {
		return true, nil
	}
	if c, _ := v.w.table.Column(column); v.w.tx.snap.Rules.Reaches(v.w.table.Name, column) && readers(c) { // it says what other records hold
		if ok, err := v.reachesBehind(column, old); err != nil || !ok {
			return false, err
		}
	}
	may := v.may()
	if may == nil {
		return false, nil
	}
	shown, guard := may.Column(column)
	for _, e := range []*rules.Expr{may.Rows, guard} {
		if !shown || e == nil {
			continue
		}
		var err error
		if shown, err = v.w.holds(e, record); err != nil {
			return false, err
		}
	}
	return shown, nil
}

// sent reports whether the column holds what the caller sent, or is calculated from nothing else.
func (v *viewer) sent(column string) bool {
	value, ok := v.given[column]
	if ok {
		return equal(value, v.next[column])
	}
	c, _ := v.w.table.Column(column)
	if c == nil || !c.Calculated() {
		return false
	}
	reads := v.w.tx.snap.Rules.Reads(v.w.table.Name, column)
	for _, r := range reads {
		if c, _ := v.w.table.Column(r.Column); len(r.Path) == 0 && c.Calculated() && readers(c) {
			continue // what it reads follows
		}
		if value, ok := v.given[r.Column]; len(r.Path) > 0 || !ok || !equal(value, v.next[r.Column]) {
			return false
		}
	}
	return len(reads) > 0
}

// mustBeRuled refuses a batch with a record that the business rules were not asked about: a way to write that forgets them is
// a mistake of ours.
func (w *writer) mustBeRuled() error {
	for i := range w.batch {
		if !w.batch[i].ruled && !w.unruled && w.tx.snap.Rules.HasRules(w.table.Name, w.batch[i].op) {
			return core.E("tables.mustBeRuled", core.At{Table: w.table.Name}, fmt.Errorf("a record is written that the rules were not asked about"))
		}
	}
	return nil
}
