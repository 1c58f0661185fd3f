package tables

import (
	"context"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// aside reports whether the rows of an insert can be prepared on a goroutine of their own, while others are written: no rule,
// right, default, number or calculated column asks the database, or changes the keys by which records are found.
func (w *writer) aside(u *upsert) bool {
	rules, may := w.tx.snap.Rules, []*authz.Decision{w.create, w.update}
	if u != nil && len(u.Update) > 0 && !u.all || rules.HasRules(w.table.Name, core.Create) || rules.HasRules(w.table.Name, core.Update) {
		return false
	}
	return !slices.ContainsFunc(w.stored, func(c *core.Column) bool {
		return c.Kind == core.Autonumber || c.Default != "" || c.Calculated() || slices.ContainsFunc(may, func(d *authz.Decision) bool { return limits(d, c) })
	})
}

// limits reports whether the decision depends on what a record holds.
func limits(d *authz.Decision, c *core.Column) bool {
	if d == nil {
		return false
	}
	_, holds := d.Column(c.Name)
	return holds != nil || d.Rows != nil
}

// prepared is a batch of changes, or what is wrong with one of them.
type prepared struct {
	changes []change
	err     error
}

// insertAside writes a batch while the next is prepared. What the next collides with is there already: no two rows have
// one key.
func (w *writer) insertAside(ctx context.Context, u *upsert, rows []core.Record, res *Result) error {
	preparer := *w
	preparer.columns = nil // which are found out as they are needed
	ready := func() prepared { return prepared{} }
	defer func() { ready() }()
	var batches [2][]change // to be used again
	var raw [2][]byte
	turn := 0
	for from, part := range w.parts(rows) {
		var f *found
		var wrong error
		if u != nil {
			if f, wrong = w.look(ctx, u, part, from, len(rows), raw[turn]); wrong == nil {
				raw[turn] = f.raw
			}
		}
		before := ready()
		if before.err != nil {
			return before.err
		}
		if wrong == nil {
			batch := &batches[turn]
			ready = db.Start(func() prepared {
				preparer.batch = *batch
				err := preparer.prepareFound(u, f, part, from, len(rows), res)
				*batch = preparer.batch
				return prepared{*batch, err}
			})
		}
		w.batch = before.changes
		if err := w.flush(ctx); err != nil || wrong != nil {
			if err == nil {
				err = wrong
			}
			return err
		}
		turn = 1 - turn
	}
	last := ready()
	if last.err != nil {
		return last.err
	}
	w.batch = last.changes
	return w.flush(ctx)
}

// prepareFound is prepare for rows that collide with what was found, nil for none.
func (w *writer) prepareFound(u *upsert, f *found, rows []core.Record, from, n int, res *Result) error {
	if u != nil {
		of := *u
		if err := of.read(f); err != nil {
			return err
		}
		u = &of
	}
	return w.prepare(u, rows, from, n, res)
}
