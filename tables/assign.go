package tables

import (
	"context"
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
		return core.E("tables.mayAssign", core.Denied, w.at("owner_id"), "to give a record to another owner or unit you need the privilege assign on "+w.table.Name+": leave them out, or ask an administrator for it")
	}
	return nil
}

// follows puts a record that gets another owner into his unit, unless the change names a unit.
func (w *writer) follows(in input, old, next core.Record) error {
	if !w.table.Owned() || next["owner_id"] == old["owner_id"] && next["unit_id"] == old["unit_id"] {
		return nil
	}
	if err := w.mayAssign(); err != nil { // before a word about who there is
		return err
	}
	if in.values["unit_id"] != nil {
		return nil
	}
	return w.place(next)
}

// placed reports whether the unit of the record is not simply that of its owner.
func (w *writer) placed(before, after core.Record) bool {
	owner, _ := after["owner_id"].(string)
	natural, ok := w.tx.snap.owners[core.ID(owner)]
	return (before == nil || before["unit_id"] != after["unit_id"]) && (!ok && before != nil || ok && after["unit_id"] != string(natural))
}

// assigned checks that the caller may give the record to the owner and the unit that it gets, and that they can have it. It returns
// the record as it would be if it stayed with whom it was, as which it must be in reach of the write: to leave is the purpose of
// giving it away. A unit other than that of the owner must be in reach of assign too.
func (w *writer) assigned(before, after core.Record) (kept core.Record, err error) {
	moved := false
	if w.table.Owned() && !w.defined {
		moved = w.placed(before, after)
	}
	switch {
	case !w.table.Owned(), w.defined, before == nil && w.owns(after["owner_id"]) && !moved:
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
	if err := w.mayAssign(); err != nil || w.caller.IsSystem() {
		return kept, err
	}
	if err := w.assigns(was, "owner_id"); err != nil {
		return nil, err
	}
	if moved {
		there := maps.Clone(after)
		there["owner_id"] = nil // whom it belongs to says nothing about the unit
		if err := w.assigns(there, "unit_id"); err != nil {
			return nil, err
		}
		unit, _ := after["unit_id"].(string)
		if err := w.tx.snap.Policy.CheckPlace(w.table.Name, core.ID(unit)); err != nil {
			return nil, err
		}
	}
	if before != nil && before["owner_id"] == after["owner_id"] || w.owns(after["owner_id"]) && before == nil {
		return kept, nil
	}
	owner, _ := after["owner_id"].(string)
	return kept, w.tx.snap.Policy.CheckOwner(w.table.Name, core.ID(owner))
}

// assigns checks that the caller's assign reaches the record.
func (w *writer) assigns(r core.Record, column string) error {
	may, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Assign)
	if err != nil || may.Rows == nil {
		return err
	}
	ok, err := w.holds(may.Rows, r)
	if err != nil {
		return err
	}
	if !ok {
		return core.E("tables.assigns", core.Denied, w.at(column), "your privilege assign on "+w.table.Name+" does not reach "+map[string]string{"owner_id": "this record", "unit_id": "this unit"}[column]+": leave "+column+" out, or ask an administrator")
	}
	return nil
}

// keepOwners shares the records of the batch that were given away with whom they belonged to, where the table says so.
func (w *writer) keepOwners(ctx context.Context) error {
	if !w.table.KeepPreviousOwner {
		return nil
	}
	var list []share
	for i := range w.batch {
		c := &w.batch[i]
		if c.op != core.Update || c.before["owner_id"] == c.after["owner_id"] {
			continue
		}
		owner := core.ID(c.before["owner_id"].(string))
		if _, known := w.tx.snap.owners[owner]; !known {
			continue
		}
		s := share{
			table: w.table, record: core.ID(c.after["id"].(string)), principal: owner, rights: core.ShareRight(core.Read) | core.ShareRight(core.Update),
			cause: sharedToKeep, by: actorOf(w.caller), at: w.tx.now,
		}
		s.identify()
		list = append(list, s)
	}
	return w.tx.putShares(ctx, list)
}
