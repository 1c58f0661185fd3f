package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestMutationsThatClash sends mutations that change the same two records in opposite orders, at once: nobody is told to try again, and
// each has happened once.
func TestMutationsThatClash(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		for _, q := range []string{
			`mutation { create_table(name: "stock", columns: [{name: "code", kind: "text", unique: true}, {name: "n", kind: "integer"}]) { version } }`,
			`mutation { insert_stock(objects: [{code: "a", n: 0}, {code: "b", n: 0}]) { affected_rows } }`,
		} {
			if got := string(s.send(t, "admin", q, nil)); strings.Contains(got, `"errors"`) {
				t.Fatal(got)
			}
		}
		const writers, rounds = 2, 4
		var done sync.WaitGroup
		for n := range writers {
			done.Go(func() {
				first, second := "a", "b"
				if n%2 == 1 {
					first, second = second, first
				}
				for range rounds {
					q := fmt.Sprintf(`mutation { x: update_stock_by_code(key_columns: {code: "%s"}, _inc: {n: 1}) { n } y: update_stock_by_code(key_columns: {code: "%s"}, _inc: {n: 1}) { n } }`, first, second)
					if got := string(s.send(t, "admin", q, nil)); strings.Contains(got, `"errors"`) {
						t.Error(got)
					}
				}
			})
		}
		done.Wait()
		want := fmt.Sprintf(`"n":%d`, writers*rounds)
		if got := string(s.send(t, "admin", `{ stock { n } }`, nil)); strings.Count(got, want) != 2 {
			t.Error(got)
		}
	})
}
