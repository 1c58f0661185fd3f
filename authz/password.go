package authz

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"colonnade/core"
)

// MinPassword and MaxPassword are how many characters a password has.
const (
	MinPassword = 12
	MaxPassword = 128
)

// maxPassword bounds what one attempt costs; in bytes.
const maxPassword = 4 * MaxPassword

// argon are the costs of argon2id, after OWASP's Password Storage Cheat Sheet.
type argon struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

var costs = argon{memory: 19 * 1024, time: 2, threads: 1}

const saltBytes, keyBytes = 16, 32

// hashing bounds the memory and the processors that passwords take at one time.
var hashing = make(chan struct{}, runtime.NumCPU())

func (a argon) key(ctx context.Context, password string, salt []byte, n int) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, a.time, a.memory, a.threads, uint32(n)), nil
}

// Hash is a password as it is stored: a PHC string of argon2id.
type Hash string

// checkPassword returns an error when the password is too weak to be taken, by the rules of NIST SP 800-63B: length, and not
// to be among the first that somebody would try. There are no rules of composition, and no password ends by time.
func checkPassword(password string, personal ...string) error {
	const op = "authz.HashPassword"
	at := core.At{Column: "password"}
	if !utf8.ValidString(password) {
		return core.E(op, core.Invalid, at, "the password is not valid text: type another one")
	}
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return core.E(op, core.Invalid, at, fmt.Sprintf("the password has %s: use at least %d", core.Count(n, "character"), MinPassword))
	case n > MaxPassword:
		return core.E(op, core.Invalid, at, fmt.Sprintf("the password has %s: use at most %d", core.Count(n, "character"), MaxPassword))
	case guessable(password, personal...):
		return core.E(op, core.Invalid, at, "the password is easy to guess: it is made of common words, of a pattern, or of the name or the e-mail address; use several words that do not belong together")
	}
	return nil
}

// HashPassword returns the hash of a password that is strong enough, with a salt of its own. personal is what is known of
// the person, which the password must not be made of. It takes tens of milliseconds, and waits for its turn when many ask:
// call it before a transaction begins.
func HashPassword(ctx context.Context, password string, personal ...string) (Hash, error) {
	if err := checkPassword(password, personal...); err != nil {
		return "", err
	}
	return hashPassword(ctx, password)
}

func hashPassword(ctx context.Context, password string) (Hash, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	key, err := costs.key(ctx, password, salt, keyBytes)
	if err != nil {
		return "", core.E("authz.HashPassword", err)
	}
	return costs.phc(salt, key), nil
}

func (a argon) phc(salt, key []byte) Hash {
	return Hash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.time, a.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)))
}

// VerifyPassword reports whether the password is the one of the hash, and whether the hash should be made anew because
// the costs have changed since.
func VerifyPassword(ctx context.Context, h Hash, password string) (ok, stale bool, err error) {
	a, salt, want, err := parsePHC(string(h))
	if err != nil {
		return false, false, core.E("authz.VerifyPassword", err)
	}
	if len(password) > maxPassword {
		password = "" // takes as long, and never fits
	}
	got, err := a.key(ctx, password, salt, len(want))
	if err != nil {
		return false, false, core.E("authz.VerifyPassword", err)
	}
	ok = subtle.ConstantTimeCompare(got, want) == 1 && password != ""
	return ok, a != costs || len(salt) != saltBytes || len(want) != keyBytes, nil
}

func parsePHC(phc string) (a argon, salt, key []byte, err error) {
	bad := fmt.Errorf("a password hash is not of the form $argon2id$v=19$m=...,t=...,p=...$salt$key")
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return a, nil, nil, bad
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &a.threads); err != nil || n != 3 || a.time == 0 || a.threads == 0 || a.memory > 1<<20 {
		return a, nil, nil, bad
	}
	salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return a, nil, nil, bad
	}
	key, err = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) < 16 || len(key) > 64 {
		return a, nil, nil, bad
	}
	return a, salt, key, nil
}

// nobody is the hash that stands in for users who do not exist, so that they take as long as the others.
var nobody = sync.OnceValue(func() Hash {
	salt, key := make([]byte, saltBytes), make([]byte, keyBytes)
	_, _ = rand.Read(salt)
	_, _ = rand.Read(key)
	return costs.phc(salt, key)
})
