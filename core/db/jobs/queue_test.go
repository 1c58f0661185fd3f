package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestQueue is what every queue must do.
func TestQueue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		q, err := d.OpenQueue(ctx, db.QueueOptions{Grace: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.OpenQueue(ctx, db.QueueOptions{}); err != nil { // the tables are there already
			t.Fatal(err)
		}
		put := func(outcome error, ids ...core.ID) {
			t.Helper()
			err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return errors.Join(q.Put(ctx, tx, ids...), outcome) })
			if (err != nil) != (outcome != nil) {
				t.Fatal(err)
			}
		}
		lost, kept, later, ended, stuck := core.NewID(), core.NewID(), core.NewID(), core.NewID(), core.NewID()
		put(core.E("test", core.Failed, "rolled back"), lost)
		put(nil, kept, later, ended)

		calls, stopped := make(chan core.ID, 10), make(chan error, 1)
		var again atomic.Bool
		again.Store(true)
		err = q.Start(ctx, func(ctx context.Context, id core.ID) error {
			calls <- id
			switch {
			case id == stuck:
				<-ctx.Done()
				stopped <- ctx.Err()
				return db.Again{}
			case id == later && again.CompareAndSwap(true, false):
				return db.Again{After: 10 * time.Millisecond}
			case id == ended:
				return d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return q.Done(ctx, tx) })
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[core.ID]int{}
		for range 4 {
			seen[<-calls]++
		}
		if seen[kept] != 1 || seen[later] != 2 || seen[ended] != 1 {
			t.Errorf("%v", seen)
		}
		put(nil, stuck)
		if id := <-calls; id != stuck {
			t.Errorf("got %s, want %s", id, stuck)
		}
		handed, err := q.Handed(ctx, time.Now().Add(time.Minute))
		if err != nil || len(handed) == 0 || handed[len(handed)-1] != stuck {
			t.Errorf("%v %v", handed, err)
		}
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("the work that Stop cut off saw %v", err)
		}
		if len(calls) > 0 {
			t.Errorf("also %s was called", <-calls)
		}
	})
}
