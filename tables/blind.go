package tables

import (
	"slices"

	"colonnade/authz"
	"colonnade/core"
)

// A write that leaves a record as it is makes no version of it. To who may set a column that he does not read, that would tell its
// value, one guess at a time, and a dry run would not even overwrite it. What he sets is a change whatever it was before.

// blind reports whether the caller sets a column that he may not read in the record.
func (w *writer) blind(in input, old core.Record) (bool, error) {
	read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read)
	if err != nil {
		return true, nil //nolint:nilerr // who reads nothing of the table knows nothing of the record
	}
	if !read.Hides() {
		return false, nil
	}
	for name := range in.values {
		visible, guard := read.Column(name)
		if visible && guard != nil {
			if visible, err = w.holds(guard, old); err != nil {
				return false, err
			}
		}
		if !visible {
			return true, nil
		}
	}
	return false, nil
}

// tells reports whether the answer to an upsert might tell what the caller may not read of the columns that it sets.
func (w *writer) tells(u *upsert) bool {
	read, err := w.tx.snap.Policy.Decide(w.caller, w.table.Name, authz.Read)
	columns := u.taken()
	for _, c := range u.key.columns {
		columns = append(columns, c.Name)
	}
	return err != nil || slices.ContainsFunc(columns, func(name string) bool {
		visible, guard := read.Column(name)
		return !visible || guard != nil
	})
}

// findsBy refuses a key that the caller may not read: the record that is changed would tell whose the value is.
func (w *writer) findsBy(k *uniqueKey) error {
	for _, c := range k.columns {
		if _, err := w.readable(c, "find records by"); err != nil {
			if !w.sets(c.Name) {
				return w.unknown(c.Name) // nor may he know that it is there
			}
			return err
		}
	}
	return nil
}

// sets reports whether the caller may give the column a value in some record that he writes.
func (w *writer) sets(column string) bool {
	return slices.ContainsFunc([]*authz.Decision{w.create, w.update}, func(may *authz.Decision) bool {
		if may == nil { // of an insert that only changes there is no create
			return false
		}
		ok, _ := may.Column(column)
		return ok
	})
}

// hides reports whether the caller may not read the key of the record.
func (w *writer) hides(k *uniqueKey, old core.Record) (bool, error) {
	for _, c := range k.columns {
		guard, err := w.readable(c, "find records by")
		if err != nil {
			return true, err
		}
		if guard == nil {
			continue
		}
		if ok, err := w.holds(guard.holds, old); err != nil || !ok {
			return true, err
		}
	}
	return false, nil
}
