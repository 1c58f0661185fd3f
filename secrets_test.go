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

// TestSecretsCommand makes a key, has something sealed, and moves it to a new key; and looks for it in a backup.
func TestSecretsCommand(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		const canary = "canary-of-a-secret"
		c.Dev, c.SecretsKey = false, filepath.Join(t.TempDir(), "keys")
		place := []string{"--data", c.Data, "--database", c.Database}
		secrets := func(args ...string) string {
			t.Helper()
			var out bytes.Buffer
			if err := runSecrets(t.Context(), args, &out); err != nil {
				t.Fatal(args, err)
			}
			return out.String()
		}
		secrets("new-key", c.SecretsKey)
		id := core.NewID()
		keep := func(a *app) {
			if err := a.db.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
				keys, err := c.secretKeys()
				if err != nil {
					return err
				}
				return secret.New(a.db, keys).Put(t.Context(), tx, "test", id, []byte(canary))
			}); err != nil {
				t.Fatal(err)
			}
		}
		withServer(t, c, keep)
		with := append(place, "--secrets-key", c.SecretsKey)
		if out := secrets(append([]string{"status"}, with...)...); !strings.Contains(out, "1 secret\n") {
			t.Fatal(out)
		}
		secrets("new-key", c.SecretsKey)
		if out := secrets(append([]string{"rotate"}, with...)...); !strings.HasPrefix(out, "1 secret under another key before") {
			t.Fatal(out)
		}
		if out := secrets(append([]string{"rotate"}, with...)...); !strings.HasPrefix(out, "0 secrets") {
			t.Fatal(out)
		}

		file := filepath.Join(t.TempDir(), "a.backup")
		if err := runBackup(t.Context(), append(place, file), &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{file, filepath.Join(c.Data, "colonnade.db")} {
			b, err := os.ReadFile(name)
			if err == nil && bytes.Contains(b, []byte(canary)) {
				t.Errorf("%s holds the secret", name)
			}
		}
		var out bytes.Buffer
		if err := runSecrets(t.Context(), append([]string{"status"}, place...), &out); core.KindOf(err) != core.Failed || !strings.Contains(out.String(), "the key is not here") {
			t.Fatal("without the key:", err, out.String())
		}

		c.SecretsKey = filepath.Join(c.Data, "keys") // beside what it opens
		secrets("new-key", c.SecretsKey)
		if _, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler)); core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), "move the file elsewhere") {
			t.Fatal(err)
		}
	})
}

// withServer opens the program, and closes it when f has returned.
func withServer(t *testing.T, c *config, f func(a *app)) {
	t.Helper()
	a, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f(a)
	if err := a.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
