package tables

import (
	"maps"
	"slices"

	"colonnade/authz"
	"colonnade/core"
)

// Whose a record is decides who reaches it, so that to give it to somebody else needs a right of its own, assign, on the record
// as it was: for a new one, as it would be if it were the caller's.

// place puts a record into the unit of its owner.
func (w *writer) place(r core.Record) error {
	owner, _ := r["owner_id"].(string)
	if owner == "" {
		return core.E("tables.place", core.Invalid, w.at("owner_id"), "a value is required")
	}
	unit, ok := w.tx.snap.owners[core.ID(owner)]
	switch {
	case ok:
		r["unit_id"] = string(unit)
	case core.ID(owner) == actorOf(w.caller): // the machinery, or somebody who did not sign in
		r["unit_id"] = string(core.RootUnit)
	default:
		return core.E("tables.place", core.Invalid, w.at("owner_id"), "there is no such user or team")
	}
	return nil
}

// owns reports whether the owner is the caller or one of his teams.
func (w *writer) owns(owner any) bool {
	id, _ := owner.(string)
	return core.ID(id) == actorOf(w.caller) || slices.Contains(w.caller.Teams, core.ID(id))
}

// mayAssign returns an error when the caller may give away no record of the table.
func (w *writer) mayAssign() error {
	if w.defined {
		return nil
	}
	if _, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Assign); err != nil {
		return core.E("tables.mayAssign", core.Denied, w.at("owner_id"), "to give a record to another owner you need the privilege assign on "+w.table.Name+": leave owner_id out, or ask an administrator for it")
	}
	return nil
}

// assigned checks that the caller may give the record to the owner that it gets, and that he can be one. It returns the record as
// it would be if it stayed with whom it was, as which it must be in reach of the write: to leave is the purpose of giving it away.
func (w *writer) assigned(before, after core.Record) (kept core.Record, err error) {
	const op = "tables.assigned"
	switch {
	case !w.table.Owned(), w.defined, before == nil && w.owns(after["owner_id"]):
		return after, nil
	case before != nil && before["owner_id"] == after["owner_id"] && before["unit_id"] == after["unit_id"]:
		return after, nil
	}
	kept = maps.Clone(after)
	was := before
	if before != nil {
		kept["owner_id"], kept["unit_id"] = before["owner_id"], before["unit_id"]
	} else {
		kept["owner_id"], kept["unit_id"] = string(w.caller.User), string(w.caller.Unit)
		was = kept
	}
	may, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Assign)
	if err != nil {
		return nil, w.mayAssign()
	}
	if may.Rows != nil {
		ok, err := w.holds(may.Rows, was)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, core.E(op, core.Denied, w.at("owner_id"), "your privilege assign on "+w.table.Name+" does not reach this record: leave owner_id out, or ask an administrator")
		}
	}
	if w.caller.IsSystem() {
		return kept, nil
	}
	owner, _ := after["owner_id"].(string)
	return kept, w.tx.snap.Policy.CheckOwner(w.table.Name, core.ID(owner))
}
