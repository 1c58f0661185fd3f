package secret_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/secret"
)

const canary = "canary-of-a-secret"

func TestStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		old, next := secret.NewKey(), secret.NewKey()
		s := secret.New(d, ring(t, old))
		one, two := core.NewID(), core.NewID()
		put(t, d, s, "test", one, canary)
		put(t, d, s, "test", two, "another")
		put(t, d, s, "other", one, "of another kind")
		wantSecret(t, d, s, "test", one, canary)
		put(t, d, s, "test", one, canary+"2")
		wantSecret(t, d, s, "test", one, canary+"2")
		wantSecret(t, d, s, "other", one, "of another kind")

		var sealed []string
		must(t, d.Gorm(ctx).Raw(`SELECT sealed FROM "_secret" ORDER BY id`).Scan(&sealed).Error)
		if text := strings.Join(sealed, " "); len(sealed) != 3 || strings.Contains(text, canary) {
			t.Fatal("not sealed:", text)
		}

		// Under two keys, and then under the new one, after which the old one is not needed.
		both := secret.New(d, ring(t, next, old))
		put(t, d, both, "test", core.NewID(), "new")
		n, err := both.Rotate(ctx)
		if err != nil || n != 3 {
			t.Fatal(n, err)
		}
		if n, err := both.Rotate(ctx); err != nil || n != 0 {
			t.Fatal("rotated again:", n, err)
		}
		held, err := both.Status(ctx)
		if err != nil || len(held) != 1 || held[0].Count != 4 || !held[0].There {
			t.Fatal(held, err)
		}
		wantSecret(t, d, secret.New(d, ring(t, next)), "test", one, canary+"2")

		// Without the key there is a clear word, and nothing else.
		_, err = secret.New(d, ring(t, old)).Get(d.Gorm(ctx), "test", one)
		wantKind(t, err, core.Unavailable, "does not have the key "+held[0].Key)
		_, err = secret.New(d, nil).Get(d.Gorm(ctx), "test", one)
		wantKind(t, err, core.Unavailable, "does not have the key")
		err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return secret.New(d, nil).Put(ctx, tx, "test", one, nil) })
		wantKind(t, err, core.Unavailable, "colonnade secrets new-key")

		must(t, d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return both.Drop(ctx, tx, "test", two) }))
		_, err = both.Get(d.Gorm(ctx), "test", two)
		wantKind(t, err, core.NotFound)
	})
}

// A-16, who can write to the database puts a secret where it is not meant to be, or changes it.
func TestAttackA16ForgedEnvelopes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		s := secret.New(d, ring(t, secret.NewKey()))
		mine, theirs := core.NewID(), core.NewID()
		put(t, d, s, "test", mine, canary)
		put(t, d, s, "test", theirs, "theirs")
		var good string
		must(t, d.Gorm(ctx).Raw(`SELECT sealed FROM "_secret" WHERE of_id = ?`, mine).Scan(&good).Error)
		for name, c := range map[string]struct {
			of     core.ID
			kind   string
			sealed string
		}{
			"of another":      {theirs, "test", good},
			"of another kind": {theirs, "other", good},
			"a bit less":      {theirs, "test", good[:len(good)-1]},
			"no envelope":     {theirs, "test", "plain"},
			"older form":      {theirs, "test", "cs0" + good[3:]},
		} {
			t.Run(name, func(t *testing.T) {
				exec(t, d, `UPDATE "_secret" SET sealed = ?, kind = ? WHERE of_id = ?`, c.sealed, c.kind, c.of)
				_, err := s.Get(d.Gorm(ctx), c.kind, c.of)
				wantKind(t, err, core.Internal)
			})
		}
		for i := len("cs1."); i < len(good); i++ { // every character counts
			bad := []byte(good)
			bad[i] ^= 1
			exec(t, d, `UPDATE "_secret" SET sealed = ? WHERE of_id = ?`, string(bad), mine)
			if plain, err := s.Get(d.Gorm(ctx), "test", mine); err == nil {
				t.Fatalf("opens with character %d changed: %q", i, plain)
			}
		}
	})
}

func TestKeyFile(t *testing.T) {
	folder, data := t.TempDir(), t.TempDir()
	file := filepath.Join(folder, "keys")
	_, err := secret.ReadKeyring(file)
	wantKind(t, err, core.Invalid, "new-key")
	first, err := secret.AddKey(file)
	must(t, err)
	r, err := secret.ReadKeyring(file, data)
	must(t, err)
	if r.Active() != first || !r.Holds(first) {
		t.Fatal(r.Active())
	}
	second, err := secret.AddKey(file)
	must(t, err)
	both, err := secret.ReadKeyring(file, data)
	must(t, err)
	if both.Active() != second || !both.Holds(first) {
		t.Fatal("the new key is not first, or the old one is gone")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}

	must(t, os.Chmod(file, 0o640))
	_, err = secret.ReadKeyring(file)
	wantKind(t, err, core.Invalid, "chmod 600")
	inData := filepath.Join(data, "deep", "keys")
	must(t, os.MkdirAll(filepath.Dir(inData), 0o700))
	_, err = secret.AddKey(inData)
	must(t, err)
	_, err = secret.ReadKeyring(inData, data)
	wantKind(t, err, core.Invalid, "move the file elsewhere")
	link := filepath.Join(folder, "link")
	must(t, os.Symlink(data, link))
	_, err = secret.ReadKeyring(filepath.Join(link, "deep", "keys"), data)
	wantKind(t, err, core.Invalid, "move the file elsewhere")

	must(t, os.WriteFile(file, []byte("# nothing\n"), 0o600))
	must(t, os.Chmod(file, 0o600))
	_, err = secret.ReadKeyring(file)
	wantKind(t, err, core.Invalid, "holds no key")
	for _, bad := range []string{"x", "cok_", secret.NewKey() + "x", strings.ToUpper(secret.NewKey())} {
		_, err = secret.ParseKeyring(bad)
		wantKind(t, err, core.Invalid, "key 1 is no key")
		if strings.Contains(err.Error(), bad) && len(bad) > 5 {
			t.Error("the error tells the key:", err)
		}
	}
}

func ring(t *testing.T, keys ...string) *secret.Keyring {
	t.Helper()
	r, err := secret.ParseKeyring(strings.Join(keys, ","))
	must(t, err)
	return r
}

func put(t *testing.T, d *db.DB, s *secret.Store, kind string, of core.ID, plain string) {
	t.Helper()
	must(t, d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return s.Put(t.Context(), tx, kind, of, []byte(plain)) }))
}

func exec(t *testing.T, d *db.DB, sql string, args ...any) {
	t.Helper()
	must(t, d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.Gorm(t.Context()).Exec(sql, args...).Error }))
}

func wantSecret(t *testing.T, d *db.DB, s *secret.Store, kind string, of core.ID, want string) {
	t.Helper()
	got, err := s.Get(d.Gorm(context.WithoutCancel(t.Context())), kind, of)
	if err != nil || string(got) != want {
		t.Fatalf("%s: %q %v, want %q", kind, got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind core.ErrKind, words ...string) {
	t.Helper()
	if core.KindOf(err) != kind {
		t.Fatalf("%v, want %s", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%v does not say %q", err, w)
		}
	}
}
