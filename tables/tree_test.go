package tables

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
)

// TestWritersInCircles has many writers change records of a tree, in which circles come and go, whose totals of everything below
// are stored: each waits for the others, and none is given up because two wait for each other.
func TestWritersInCircles(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "part", Columns: []core.Column{
			{Name: "weight", Kind: core.Integer}, {Name: "note", Kind: core.Text}, {Name: "part_of_id", Kind: core.Lookup, Target: "part", OnDelete: core.SetNull, Inverse: "parts"}}}},
			core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{{Name: "n", Kind: core.Integer}, {Name: "part_id", Kind: core.Lookup, Target: "part", OnDelete: core.Cascade, Inverse: "items"}}}},
			core.AddColumn{To: "part", Add: core.Column{Name: "total", Kind: core.Integer, Formula: "descendants(parts).sum(p, p.weight)", Stored: true}},
			core.AddColumn{To: "part", Add: core.Column{Name: "own", Kind: core.Integer, Formula: "items.sum(i, i.n)", Stored: true}},
			core.AddColumn{To: "part", Add: core.Column{Name: "all", Kind: core.Integer, Formula: "own + descendants(parts).sum(p, p.own)", Stored: true}})
		rows := make([]core.Record, 12)
		for i := range rows {
			rows[i] = core.Record{"weight": 1}
		}
		ids := mustInsert(t, root(t), s, "part", rows...)
		var keys []any
		for _, id := range ids {
			keys = append(keys, string(id))
		}
		const writers, units = 8, 30
		var clashes atomic.Int64
		run(t, writers, func(i int) error {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			one := func() core.ID { return ids[r.IntN(len(ids))] }
			for range units {
				err := s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
					switch r.IntN(8) {
					case 0:
						_, err = tx.Insert(ctx, Insert{Table: "part", Rows: []core.Record{{"weight": 1, "part_of_id": string(one())}}})
					case 1:
						_, err = tx.Delete(ctx, Remove{Table: "part", Where: And{Compare{Column: "part_of_id", Op: Eq, Value: string(one())}, Compare{Column: "weight", Op: Eq, Value: 1}, Not{Compare{Column: "id", Op: In, Value: keys}}}})
					case 2:
						_, err = tx.Insert(ctx, Insert{Table: "item", Rows: []core.Record{{"n": 1, "part_id": string(one())}, {"n": 2, "part_id": string(one())}}})
					case 3:
						_, err = tx.Update(ctx, Update{Table: "item", Where: Compare{Column: "part_id", Op: Eq, Value: string(one())}, Set: core.Record{"part_id": string(one())}})
					case 4, 5:
						_, err = tx.Update(ctx, Update{Table: "part", Where: ByID(one()), Set: core.Record{"part_of_id": string(one())}})
					default:
						_, err = tx.Update(ctx, Update{Table: "part", Where: ByID(one(), one()), Set: core.Record{"weight": r.IntN(9)}})
					}
					return err
				})
				if errors.Is(err, db.ErrClash) {
					clashes.Add(1)
				} else if err != nil {
					return err
				}
			}
			return nil
		})
		if n := clashes.Load(); n > 0 {
			t.Errorf("%d of %d units were given up", n, writers*units)
		}
		mustVerify(t, s)
	})
}
