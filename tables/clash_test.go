package tables

import (
	"context"
	"errors"
	"sync"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
)

// TestClash has two units of work wait for each other, each for a record that the other has changed. The database gives one up: made
// again it does well, otherwise it is refused.
func TestClash(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if s.db.Dialect.LockRow() == "" {
			t.Skip("there is one writer")
		}
		define(t, s, shop()...)
		ids := mustInsert(t, root(t), s, "product", core.Record{"title": "a", "stock": 0}, core.Record{"title": "b", "stock": 0})
		for _, again := range []bool{true, false} {
			var met, done sync.WaitGroup
			met.Add(2)
			errs, calls := make([]error, 2), make([]int, 2)
			for n := range 2 {
				done.Go(func() {
					errs[n] = s.Tx(root(t), TxOptions{Again: again}, func(ctx context.Context, tx *Tx) error {
						calls[n]++
						for i, id := range []core.ID{ids[n], ids[1-n]} {
							if _, err := tx.Update(ctx, Update{Table: "product", Where: ByID(id), Inc: core.Record{"stock": 1}}); err != nil {
								return err
							}
							if i == 0 && calls[n] == 1 { // both have changed one
								met.Done()
								met.Wait()
							}
						}
						return nil
					})
				})
			}
			done.Wait()
			err := errors.Join(errs...)
			// Who is made again may take his row before the other is awake that waits for it, and they clash once more.
			if again && (err != nil || calls[0]+calls[1] < 3) {
				t.Errorf("made again: %v after %v calls", err, calls)
			}
			if !again && (core.KindOf(err) != core.Conflict || !errors.Is(err, db.ErrClash) || calls[0]+calls[1] != 2) {
				t.Errorf("made once: %v after %v calls", err, calls)
			}
		}
		for _, id := range ids { // twice, and once
			if got := find(t, s, "product", id)["stock"]; got != int64(3) {
				t.Errorf("the stock is %v", got)
			}
		}
		mustBeSound(t, s)
	})
}

// TestClashesEnd gives up in the end: a unit of work that clashes each time is refused, and so is one whose caller has gone.
func TestClashesEnd(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		clash := core.E("test", core.Conflict, "another change came first", db.ErrClash)
		calls := 0
		err := s.Tx(root(t), TxOptions{Again: true}, func(context.Context, *Tx) error { calls++; return clash })
		if !errors.Is(err, db.ErrClash) || calls != maxClashes+1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		ctx, cancel := context.WithCancel(root(t))
		calls = 0
		if err = s.Tx(ctx, TxOptions{Again: true}, func(context.Context, *Tx) error { calls++; cancel(); return clash }); err == nil || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}
