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
	return err != nil || slices.ContainsFunc(u.taken(), func(name string) bool {
		visible, guard := read.Column(name)
		return !visible || guard != nil
	})
}
