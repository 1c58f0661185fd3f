package tables

import (
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// binds reports whether the lookup is part of a key for which NULL is a value like others. Such a lookup must not be empty
// for a moment while records go or come back: two records could be the same then.
func binds(t *core.Table, c *core.Column) bool {
	return slices.ContainsFunc(t.Keys, func(k core.Key) bool { return k.Nulls == core.NullsEqual && slices.Contains(k.Columns, c.Name) })
}

// bound reports whether one of the tables has a lookup that binds.
func (tx *Tx) bound(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		t, err := tx.snap.Schema.Table(name)
		return err == nil && slices.ContainsFunc(t.Columns, func(c core.Column) bool { return c.Kind == core.Lookup && binds(t, &c) })
	})
}

// deferring runs f, which writes records of the tables so that all references hold in the end. Where a lookup binds, the
// database checks them then.
func (tx *Tx) deferring(ctx context.Context, names []string, f func() error) error {
	if !tx.bound(names) {
		return f()
	}
	if _, err := tx.db.Exec(ctx, db.New(tx.db.Dialect).Write(tx.db.Defer(true))); err != nil {
		return err
	}
	err := f()
	if _, after := tx.db.Exec(context.WithoutCancel(ctx), db.New(tx.db.Dialect).Write(tx.db.Defer(false))); err == nil {
		err = after
	}
	return err
}
