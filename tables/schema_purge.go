package tables

import (
	"context"
	"slices"
	"time"

	"colonnade/core"
)

// KeepDropped is how long what was dropped can be brought back, unless [Options] says otherwise.
const KeepDropped = 30 * 24 * time.Hour

// tidyEvery is how often what was dropped long ago is looked for.
const tidyEvery = time.Minute

// MaxBlocked is how many records a change of the schema reads or writes while writers wait, unless [Options] says
// otherwise: some tenths of a second.
const MaxBlocked = 20_000

// tidy purges what was dropped long ago, and what dead processes left, until ctx ends.
func (s *Store) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		err := s.PurgeDropped(core.WithCaller(ctx, core.System("schema")), s.o.KeepDropped)
		if err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: what was dropped long ago cannot be purged", "err", err)
		}
		if err := s.CleanIndexes(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: half-made indexes cannot be deleted", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// PurgeDropped deletes for good what was dropped longer ago than age: one thing after the other, each in a transaction of
// its own.
func (s *Store) PurgeDropped(ctx context.Context, age time.Duration) error {
	const op = "tables.PurgeDropped"
	for _, c := range purges(s.Snapshot().Schema, time.Now().Add(-age)) {
		err := s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
			if !slices.Contains(purges(tx.snap.Schema, tx.now.Add(-age)), c) { // another process was faster, or it went along
				return nil
			}
			_, err := tx.ChangeWith(ctx, ChangeOptions{MayBlock: true}, c)
			return err
		})
		if err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

// purges returns the changes that delete what was dropped before the moment: what refers to others before them.
func purges(s *core.Schema, before time.Time) (out []core.Change) {
	for _, t := range s.Tables() {
		for _, x := range t.Dropped {
			if x.Column != nil && x.At.Before(before) {
				out = append(out, core.PurgeColumn{Of: t.Name, Physical: x.Column.SQL()})
			}
		}
	}
	left := slices.DeleteFunc(slices.Clone(s.Dropped()), func(t *core.Table) bool { return t.Purged })
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(t *core.Table) bool {
			return !slices.ContainsFunc(left, func(o *core.Table) bool { return o != t && refers(o, t) })
		})
		i = max(i, 0) // tables that refer to each other: the first refuses
		if left[i].DroppedAt.Before(before) {
			out = append(out, core.PurgeTable{Physical: left[i].SQL()})
		}
		left = slices.Delete(left, i, i+1)
	}
	return out
}

// refers reports whether a column of the dropped table looks up records of another.
func refers(from, to *core.Table) bool {
	return slices.ContainsFunc(from.Columns, func(c core.Column) bool { return c.Target == to.SQL() })
}
