package main

import (
	"bytes"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
)

// TestVerifyCommand verifies a database, and again after somebody has changed it past Colonnade.
func TestVerifyCommand(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.send(t, "admin", `mutation { create_table(name: "customer", columns: [{name: "name", kind: "text"}]) { version } }`, nil)
		s.send(t, "admin", `mutation { insert_customer_one(object: {name: "Ann"}) { id } }`, nil)
		if err := s.app.flows.Drain(t.Context()); err != nil { // until events can be read
			t.Fatal(err)
		}
		for unsealed := true; unsealed; { // transactions of others on the server hold it up
			if _, err := s.app.store.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			head := s.send(t, "admin", `mutation { history_head { unsealed } }`, nil)
			unsealed = !strings.Contains(string(head), `"unsealed":0`)
		}
		verify := func(args ...string) (string, error) {
			var out bytes.Buffer
			err := run(t.Context(), append([]string{"verify", "--data", c.Data, "--database", c.Database}, args...), &out)
			return out.String(), err
		}
		attack := db.New(s.app.db.Dialect).Write(`UPDATE "customer" SET name = 'Bob'`)
		out, err := verify() // while the server runs
		if err != nil || !strings.Contains(out, "1 version as sealed, 0 erased, 0 not sealed yet; 1 record as their last versions") || !strings.Contains(out, "The head is ") {
			t.Fatal(out, err)
		}
		_, err = verify("--head", strings.Repeat("0", 64))
		if core.KindOf(err) != core.Failed {
			t.Fatal(err)
		}
		if _, err := s.app.db.Exec(t.Context(), attack); err != nil {
			t.Fatal(err)
		}
		s.stop(t)
		out, err = verify("--table", "customer")
		if core.KindOf(err) != core.Failed || !strings.Contains(out, "current: customer ") || !strings.Contains(out, "name is not what the last version of the record says") {
			t.Fatal(out, err)
		}
		s.open(t, c)
	})
}
