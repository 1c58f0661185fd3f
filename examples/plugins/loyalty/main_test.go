package main

import (
	"encoding/json"
	"testing"
)

func TestWhole(t *testing.T) {
	for amount, want := range map[json.Number]int64{"0": 0, "0.99": 0, "12.50": 12, "9007199254740993.5": 9007199254740993} {
		if got, err := whole(amount); err != nil || got != want {
			t.Errorf("%s: %d, %v", amount, got, err)
		}
	}
	for _, amount := range []json.Number{"-1", "x", "1e30"} {
		if got, err := whole(amount); err == nil {
			t.Errorf("%s: %d", amount, got)
		}
	}
}
