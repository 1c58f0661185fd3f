package main

import "testing"

func TestResting(t *testing.T) {
	const mb = 1 << 20
	var r resting
	for i, step := range []struct {
		allocated, spare uint64
		want             bool
	}{
		{100 * mb, 80 * mb, false}, // it has worked
		{101 * mb, 80 * mb, true},
		{102 * mb, 60 * mb, false}, // nothing has come since
		{110 * mb, 60 * mb, false},
		{111 * mb, 20 * mb, false}, // not worth it
		{112 * mb, 40 * mb, true},
	} {
		if got := r.look(step.allocated, step.spare); got != step.want {
			t.Errorf("look %d: %v, want %v", i, got, step.want)
		}
	}
}
