package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/secret"
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
		signed := s.send(t, "admin", `mutation { sign_head { head } }`, nil)
		if !strings.Contains(string(signed), "--secrets-key") {
			t.Fatalf("%s", signed)
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

// TestSignedHeads has a server write signed heads, and verifies the database by them, and by what somebody made of them.
func TestSignedHeads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		c.Heads = filepath.Join(t.TempDir(), "heads")
		if _, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler)); core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), "--secrets-key") {
			t.Fatal(err)
		}
		t.Setenv("COLONNADE_SECRETS_KEYS", secret.NewKey())
		s := newScenario(t, c)
		s.send(t, "admin", `mutation { create_table(name: "customer", columns: [{name: "name", kind: "text"}]) { version } }`, nil)
		for head := ""; !strings.Contains(head, `"signature":"`); { // until the first seal
			head = string(s.send(t, "admin", `mutation { sign_head { head seal signer signature } }`, nil))
		}
		s.stop(t)
		verify := func(args ...string) (string, error) {
			var out bytes.Buffer
			err := run(t.Context(), append([]string{"verify", "--data", c.Data, "--database", c.Database}, args...), &out)
			return out.String(), err
		}
		out, err := verify("--signed", c.Heads)
		if err != nil || !strings.Contains(out, "are signed by ") {
			t.Fatal(out, err)
		}
		lines, err := os.ReadFile(c.Heads)
		if err != nil {
			t.Fatal(err)
		}
		other := filepath.Join(t.TempDir(), "other")
		for name, text := range map[string]string{
			"another seal":  strings.Replace(string(lines), `"seal":`, `"seal":1`, 1),
			"another head":  strings.Replace(string(lines), `"head":"`, `"head":"00`, 1),
			"no head":       "hello\n",
			"an empty file": "",
		} {
			if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := verify("--signed", other); err == nil {
				t.Errorf("%s: nothing is said", name)
			}
		}
		if _, err := verify("--signed", c.Heads, "--signer", strings.Repeat("A", 43)); core.KindOf(err) != core.Failed {
			t.Error(err)
		}
		s.open(t, c)
	})
}
