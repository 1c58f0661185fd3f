package authz

import (
	"context"
	"strings"
	"testing"

	"colonnade/core"
)

func TestPassword(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	hash, err := HashPassword(ctx, "correct horse battery")
	must(t, err)
	if !strings.HasPrefix(string(hash), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash is %s", hash)
	}
	again, err := HashPassword(ctx, "correct horse battery")
	must(t, err)
	if hash == again {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	for _, c := range []struct {
		phc       Hash
		password  string
		ok, stale bool
	}{
		{hash, "correct horse battery", true, false},
		{hash, "correct horse batterx", false, false},
		{hash, "", false, false},
		{hash, strings.Repeat("x", maxPassword+1), false, false},
		{nobody(), "correct horse battery", false, false},
		{weak(t, "correct horse battery"), "correct horse battery", true, true},
	} {
		ok, stale, err := VerifyPassword(ctx, c.phc, c.password)
		if err != nil || ok != c.ok || stale != c.stale {
			t.Errorf("verify %.20q: %v %v %v, want %v %v", c.password, ok, stale, err, c.ok, c.stale)
		}
	}
}

// weak returns a hash with lower costs than we want.
func weak(t *testing.T, password string) Hash {
	t.Helper()
	a := argon{memory: 1024, time: 1, threads: 1}
	salt := []byte("0123456789abcdef")
	key, err := a.key(t.Context(), password, salt, keyBytes)
	must(t, err)
	return a.phc(salt, key)
}

func TestPasswordRefused(t *testing.T) {
	t.Parallel()
	for password, words := range map[string]string{
		"":                           "0 characters",
		"short":                      "5 characters: use at least 12",
		"ääääööööüüü":                "11 characters",
		"aaaaaaaaaaaaaaaa":           "easy to guess",
		strings.Repeat("ab", 65):     "130 characters: use at most 128",
		"twelve chars\xff and bytes": "not valid text",
	} {
		wantKind(t, checkPassword(password), core.Invalid, words)
	}
}

func TestGuessable(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"password1234", "Password2024!", "P@ssw0rd1234", "qwertyuiop12", "1q2w3e4r5t6y", "iloveyou2024!", "abcdefghijkl", "Michael19871987", "passwordpassword", "dragonmonkey",
		"annette.smith", "Annette2024!!", "annette@example.com", "ANNETTE_SMITH_", "colonnade2026", "            ", "ääääööööüüüü", "0987654321aaaa",
	} {
		if err := checkPassword(bad, "Annette Smith", "annette@example.com"); core.KindOf(err) != core.Invalid {
			t.Errorf("%q is taken: %v", bad, err)
		}
	}
	for _, good := range []string{"correct horse battery", "correct horse battery staple", "xK9#mQ2$vL5p", "ein langer Satz mit Wörtern", "a long enough sentence", "zwölf Zeichen!", "annette bakes purple trains", strings.Repeat("geht auch lang ", 8)} {
		must(t, checkPassword(good, "Annette Smith", "annette@example.com"))
	}
}

func TestPasswordHashBroken(t *testing.T) {
	t.Parallel()
	for _, phc := range []Hash{"", "$2a$10$abc", "$argon2id$v=19$m=1,t=0,p=1$AAAA$AAAA", "$argon2id$v=19$m=99999999,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=1,p=1$AAAA$!"} {
		if ok, _, err := VerifyPassword(t.Context(), phc, "correct horse battery"); ok || err == nil {
			t.Errorf("%q: %v %v", phc, ok, err)
		}
	}
}

func TestPasswordWaitsForItsTurn(t *testing.T) {
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	defer func() {
		for range cap(hashing) {
			<-hashing
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := HashPassword(ctx, "correct horse battery")
	wantKind(t, err, core.Unavailable)
}

func BenchmarkHashPassword(b *testing.B) {
	for b.Loop() {
		if _, err := HashPassword(b.Context(), "correct horse battery"); err != nil {
			b.Fatal(err)
		}
	}
}
