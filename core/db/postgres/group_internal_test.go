package postgres

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestGroupQueue follows members through the queue: one that is cancelled leaves it, unless its group has departed; then it
// does its part for the others.
func TestGroupQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{flights: maxFlights} // all under way
		type outcome struct {
			group []*member
			err   error
		}
		board := func(ctx context.Context) (*member, chan outcome) {
			m, out := &member{}, make(chan outcome, 1)
			go func() {
				group, err := g.board(ctx, m)
				out <- outcome{group, err}
			}()
			synctest.Wait() // until it is in the queue
			return m, out
		}
		gone, leave := context.WithCancel(t.Context())
		_, left := board(gone)
		first, sends := board(t.Context())
		second, sent := board(t.Context())
		leave()
		if o := <-left; !errors.Is(o.err, context.Canceled) || o.group != nil || len(g.waiting) != 2 {
			t.Errorf("a cancelled member gets %v, %d wait", o, len(g.waiting))
		}

		g.land()
		o := <-sends
		if o.err != nil || len(o.group) != 2 || o.group[0] != first || o.group[1] != second {
			t.Errorf("the first member gets %v", o)
		}
		second.err = errAlone
		close(second.group)
		if o := <-sent; o.err != nil || o.group != nil {
			t.Errorf("the second member gets %v", o)
		}

		g.land()
		if g.flights != maxFlights-1 {
			t.Errorf("%d under way", g.flights)
		}
	})
}

// TestGroupLeave cancels members while their group departs: one that is too late sends it.
func TestGroupLeave(t *testing.T) {
	for range 2000 {
		g := &groups{flights: maxFlights}
		ctx, leave := context.WithCancel(t.Context())
		got := make(chan bool, 1)
		go func() {
			group, err := g.board(ctx, &member{})
			if err == nil {
				g.land()
			}
			got <- len(group) == 1
		}()
		go leave()
		g.land()
		sends := <-got
		if sends && g.flights != maxFlights-1 || len(g.waiting) > 0 {
			t.Fatalf("the member sends: %t; %d under way, %d wait", sends, g.flights, len(g.waiting))
		}
	}
}
