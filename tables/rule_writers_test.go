package tables

import (
	"context"
	"testing"

	"colonnade/core"
)

// TestRulesAreAskedByEveryWriter goes through the ways to write a record: each is seen by a rule that counts.
func TestRulesAreAskedByEveryWriter(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "box", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
			core.CreateTable{Define: core.Table{Name: "thing", Columns: []core.Column{
				{Name: "code", Kind: core.Text, Unique: true}, {Name: "box_id", Kind: core.Lookup, Target: "box", OnDelete: core.SetNull}, {Name: "seen", Kind: core.Integer},
			}}},
			core.PutRule{On: "thing", Put: core.Rule{Name: "count", Do: []core.Deed{{Do: "set", Column: "seen", Value: "coalesce(seen, 0) + 1"}}}},
			core.PutRule{On: "thing", Put: core.Rule{Name: "stays", On: []core.Op{core.Delete}, When: "code == 'kept'", Do: []core.Deed{{Do: "fail", Message: "stays"}}}},
		)
		boxes := mustInsert(t, root(t), s, "box", core.Record{"name": "a"}, core.Record{"name": "b"})
		id := mustInsert(t, root(t), s, "thing", core.Record{"code": "x", "box_id": string(boxes[0])})[0]
		seen := int64(1)
		var merged Merged
		for _, way := range []struct {
			name string
			do   func(ctx context.Context, tx *Tx) error
		}{
			{"insert", func(context.Context, *Tx) error { return nil }},
			{"update", func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "thing", Where: ByID(id), Set: core.Record{"code": "y"}})
				return err
			}},
			{"update of rows", func(ctx context.Context, tx *Tx) error {
				_, err := tx.UpdateRows(ctx, "thing", []RowUpdate{{ID: id, Set: core.Record{"code": "z"}}})
				return err
			}},
			{"upsert", func(ctx context.Context, tx *Tx) error {
				_, err := tx.Insert(ctx, Insert{Table: "thing", Rows: []core.Record{{"code": "z", "box_id": string(boxes[0])}}, OnConflict: &OnConflict{Key: "code", Update: []string{"box_id"}}})
				return err
			}},
			{"merge of what it looks up", func(ctx context.Context, tx *Tx) (err error) {
				merged, err = tx.Merge(ctx, Merge{Table: "box", Winner: boxes[1], Losers: []core.ID{boxes[0]}})
				return err
			}},
			{"unmerge", func(ctx context.Context, tx *Tx) error {
				_, err := tx.Unmerge(ctx, "box", merged.ID)
				return err
			}},
			{"delete of what it looks up", func(ctx context.Context, tx *Tx) error {
				_, err := tx.Delete(ctx, Remove{Table: "box", Where: ByID(boxes[0])})
				return err
			}},
			{"restore of what it looked up", func(ctx context.Context, tx *Tx) error {
				_, err := tx.Restore(ctx, "box", boxes[0])
				return err
			}},
			{"restore", func(ctx context.Context, tx *Tx) error {
				if _, err := tx.Delete(ctx, Remove{Table: "thing", Where: ByID(id)}); err != nil {
					return err
				}
				_, err := tx.Restore(ctx, "thing", id)
				return err
			}},
		} {
			must(t, s.Tx(root(t), TxOptions{}, way.do))
			if got := find(t, s, "thing", id)["seen"]; got != seen {
				t.Errorf("after %s the rule has seen the record %v times, not %d", way.name, got, seen)
				seen, _ = got.(int64)
			}
			seen++
		}
		kept := mustInsert(t, root(t), s, "thing", core.Record{"code": "kept"})[0]
		wantKind(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "thing", Where: ByID(kept)})
			return err
		}), core.Failed)
	})
}
