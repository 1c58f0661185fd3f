package tables

import (
	"cmp"
	"context"
	"slices"

	"colonnade/core"
)

// given is a record that got another owner.
type given struct {
	id       any
	from, to any
}

// givenAway returns the records of the batch that got another owner, where others may follow.
func (w *writer) givenAway() (out []given) {
	if !w.table.Owned() || !slices.ContainsFunc(w.tx.snap.Schema.Relations(w.table.Name), w.tx.followed) {
		return nil
	}
	for i := range w.batch {
		c := &w.batch[i]
		if c.op == core.Update && c.before["owner_id"] != c.after["owner_id"] {
			out = append(out, given{c.after["id"], c.before["owner_id"], c.after["owner_id"]})
		}
	}
	return out
}

// followed reports whether records follow to another owner by the relation, which leads to them.
func (tx *Tx) followed(rel core.Relation) bool {
	if !rel.Many {
		return false
	}
	t, err := tx.snap.Schema.Table(rel.Table)
	if err != nil {
		return false
	}
	c, ok := t.Column(rel.Column)
	return ok && c.FollowsOwner()
}

// followOwners gives the records that look up some that were given away to the same owners, where their lookups say so, and in
// turn those that look these up. Each is written by the definition of its table, whoever assigns. A circle ends at the records
// that have their owner.
func (w *writer) followOwners(ctx context.Context, away []given) error {
	if len(away) == 0 {
		return nil
	}
	a := authority{w.tx, w.caller, core.NewID()}
	for _, rel := range w.tx.snap.Schema.Relations(w.table.Name) {
		if !w.tx.followed(rel) {
			continue
		}
		for part := range slices.Chunk(away, maxBatch) {
			if err := a.reassign(ctx, rel, part); err != nil {
				return core.E("tables.followOwners", err)
			}
		}
	}
	return nil
}

// reassign gives the records that look up some which were given away to their owners.
func (a authority) reassign(ctx context.Context, rel core.Relation, away []given) error {
	t, err := a.tx.snap.Schema.Table(rel.Table)
	if err != nil {
		return err
	}
	targets, to := make([]any, len(away)), make(map[any]given, len(away))
	for i, g := range away {
		targets[i], to[g.id] = g.id, g
	}
	ids, err := a.tx.keysOf(ctx, t.Name, "", referring(rel, targets), true)
	if err != nil {
		return err
	}
	c, _ := t.Column(rel.Column)
	var denied error
	checked := map[any]bool{}
	err = a.relink(ctx, "", t.Name, ids, func(child core.Record) core.Record {
		g, ok := to[child[rel.Column]]
		switch {
		case !ok, denied != nil, child["owner_id"] == g.to:
			return nil
		case c.OnAssign == core.AssignOwned && child["owner_id"] != g.from:
			return nil
		case c.OnAssign == core.AssignActive && !t.Active(child):
			return nil
		}
		if !checked[g.to] && !a.caller.IsSystem() {
			checked[g.to] = true
			owner, _ := g.to.(string)
			if err := a.tx.snap.Policy.CheckOwner(t.Name, core.ID(owner)); err != nil {
				denied = a.conceal(ctx, t.Name, child, err)
			}
		}
		return core.Record{"owner_id": g.to}
	})
	return cmp.Or(denied, err)
}
