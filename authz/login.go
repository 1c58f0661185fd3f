package authz

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// LoginOptions of [NewLogins]; the zero value works.
type LoginOptions struct {
	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil

	// Change runs a change of the directory in a transaction and publishes the policy that follows from it.
	// Without it the transaction is run and nothing is published.
	Change func(ctx context.Context, f func(*db.Tx) error) error

	// Note keeps what happens at a way in, in the transaction in which it happens. Without it, nothing is kept.
	Note func(ctx context.Context, tx *db.Tx, n Notice) error
}

// Logins tells who comes in: with a password, a session token, an API key, or the setup link of an empty database.
//
// Its methods open transactions of their own, unless they are given one, and so must not be called within one.
type Logins struct {
	db       *db.DB
	log      *slog.Logger
	now      func() time.Time
	change   func(ctx context.Context, f func(*db.Tx) error) error
	note     func(ctx context.Context, tx *db.Tx, n Notice) error
	account  *throttle
	address  *throttle
	setup    setup
	mu       sync.RWMutex
	known    map[[32]byte]known // by the hash of the token
	revision uint64             // rises with every change that may end a session
}

// Proof is what a good token proves.
type Proof struct {
	User  core.ID
	Login core.Login
	Scope *core.Scope // of a key that is made for less than the user may do

	Rights  string // of the user of a session, when it began: see [RightsOf]; "" before anybody noted them
	Pending bool   // the user has a second factor, and the session is without it
}

// known is what the database said about a token.
type known struct {
	Proof
	checked  time.Time
	idle     time.Time
	ends     time.Time
	revision uint64
}

const (
	keyUsedEvery = time.Hour   // how exactly the last use of a key is
	recheck      = time.Second // how soon a change by another process is seen
	knownTokens  = 50_000
)

// NewLogins returns the logins of a database.
func NewLogins(d *db.DB, o LoginOptions) *Logins {
	l := &Logins{db: d, log: o.Log, now: o.Now, change: o.Change, note: o.Note, account: &throttle{db: d, limit: 5}, address: &throttle{db: d, limit: 20}, known: map[[32]byte]known{}}
	if l.log == nil {
		l.log = slog.Default()
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.change == nil {
		l.change = func(ctx context.Context, f func(*db.Tx) error) error { return d.Tx(ctx, db.TxOptions{}, f) }
	}
	return l
}

// Login checks the password and returns a new session. Whether it was the e-mail or the password that was wrong is not
// told, in words or by the time that it takes.
func (l *Logins) Login(ctx context.Context, email, password string, from Peer) (Session, error) {
	const op = "authz.Login"
	email = foldEmail(email)
	if err := l.AttemptFrom(ctx, from.Address); err != nil {
		return Session{}, core.E(op, err)
	}
	var a account
	err := l.db.Gorm(ctx).Where("email = ?", email).Take(&a).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return Session{}, core.E(op, l.db.Classify(err))
	}
	fresh, err := l.verify(ctx, email, &a, password)
	if err != nil {
		if core.KindOf(err) == core.Unknown {
			l.Refused(ctx, "password", a.ID, a.refusal())
		}
		return Session{}, core.E(op, err)
	}
	s, err := l.Begin(ctx, Start{User: a.ID, Method: "password", Peer: from}, func(tx *gorm.DB) error {
		if fresh != "" {
			return tx.Model(&account{}).Where("id = ? AND password_hash = ?", a.ID, a.PasswordHash).Update("password_hash", fresh).Error
		}
		return nil
	})
	return s, core.E(op, err)
}

// refusal says, for who may read the access log, why a password did not let somebody in.
func (a *account) refusal() string {
	switch {
	case a.ID == "":
		return "no such account"
	case a.Disabled:
		return "the account is disabled"
	case a.PasswordHash == nil:
		return "the account has no password"
	}
	return "wrong password"
}

// verify checks the password of an account, which is empty when there is none of that e-mail address. The hash is the one
// to keep in place of one of older costs, if any.
func (l *Logins) verify(ctx context.Context, email string, a *account, password string) (Hash, error) {
	const op = "authz.verify"
	if err := l.Attempt(ctx, "password", email, a.ID); err != nil {
		return "", core.E(op, err)
	}
	phc := nobody()
	if a.PasswordHash != nil {
		phc = *a.PasswordHash
	}
	ok, stale, err := VerifyPassword(ctx, phc, password)
	if err != nil {
		return "", core.E(op, err)
	}
	if !ok || a.PasswordHash == nil || a.Disabled {
		return "", core.E(op, core.Unknown, "the e-mail address or the password is wrong")
	}
	if err := l.Forgive(ctx, "password", email); err != nil {
		return "", core.E(op, err)
	}
	if !stale {
		return "", nil
	}
	return hashPassword(ctx, password)
}

// Attempt counts an attempt to prove something of an account, which is of the user when there is one, and refuses it when there
// were too many.
func (l *Logins) Attempt(ctx context.Context, method, account string, user core.ID) error {
	return l.attempt(ctx, l.account, method+"\n"+account, method, user)
}

// Forgive forgets the attempts, after one that succeeded.
func (l *Logins) Forgive(ctx context.Context, method, account string) error {
	return core.E("authz.Forgive", l.account.forgive(ctx, method+"\n"+account))
}

// AttemptFrom counts an attempt by address, from which one person may try many accounts.
func (l *Logins) AttemptFrom(ctx context.Context, address string) error {
	return l.attempt(ctx, l.address, "address\n"+network(address), "address", "")
}

// attempt counts an attempt. Of a pause, the beginning is kept: who goes on does not fill the log.
func (l *Logins) attempt(ctx context.Context, t *throttle, key, method string, user core.ID) error {
	const op = "authz.attempt"
	p, err := t.take(ctx, key, l.now())
	if err != nil {
		return core.E(op, err)
	}
	if p.begins {
		l.Refused(ctx, method, user, "too many attempts")
	}
	if p.wait > 0 {
		return tooMany(op, p.wait)
	}
	return nil
}

// Forget has the next request of everybody checked against the database. It is called after the commit of any change
// that may end somebody's access: of users, passwords, sessions, keys.
func (l *Logins) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision++
	clear(l.known)
}

// errSignIn is the one answer to every token that is not good, or no longer.
var errSignIn = core.E("authz.Authenticate", core.Unknown, "the session or the key is not valid or has ended: sign in again")

// errPending is the answer to a session that waits for the second factor.
var errPending = core.E("authz.Authenticate", core.Unknown, "the session waits for your second factor: sign in with it first")

// Authenticate returns what a session token or an API key proves.
func (l *Logins) Authenticate(ctx context.Context, token string) (Proof, error) {
	p, err := l.AuthenticatePending(ctx, token)
	if err == nil && p.Pending {
		return Proof{}, errPending
	}
	return p, err
}

// AuthenticatePending is [Logins.Authenticate] for who is about to prove a second factor.
func (l *Logins) AuthenticatePending(ctx context.Context, token string) (Proof, error) {
	if len(token) < 40 || len(token) > 60 {
		return Proof{}, errSignIn
	}
	now := l.now()
	sum := sha256.Sum256([]byte(token))
	l.mu.RLock()
	k, ok := l.known[sum]
	revision := l.revision
	l.mu.RUnlock()
	if !ok || now.Sub(k.checked) >= recheck || now.Before(k.checked) {
		var err error
		if k, err = l.check(ctx, token, hex.EncodeToString(sum[:]), now); err != nil {
			return Proof{}, err
		}
		k.revision = revision
		l.remember(sum, k)
	}
	if !now.Before(k.idle) || !now.Before(k.ends) {
		return Proof{}, errSignIn
	}
	return k.Proof, nil
}

func (l *Logins) remember(sum [32]byte, k known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.revision != l.revision {
		return // what the database said may be out of date
	}
	if len(l.known) >= knownTokens {
		clear(l.known)
	}
	l.known[sum] = k
}

// check asks the database about a token.
func (l *Logins) check(ctx context.Context, token, hash string, now time.Time) (known, error) {
	if strings.HasPrefix(token, keyPrefix) {
		return l.checkKey(ctx, hash, now)
	}
	return l.checkSession(ctx, hash, now)
}

func (l *Logins) checkKey(ctx context.Context, hash string, now time.Time) (known, error) {
	const op = "authz.Authenticate"
	var row struct {
		Key
		Disabled bool
	}
	q := l.db.Gorm(ctx).Table("_api_key").Select(`"_api_key".*, u.disabled`).Joins(`JOIN "_user" u ON u.id = user_id`)
	if err := q.Where("hash = ? AND revoked_at IS NULL", hash).Take(&row).Error; err != nil {
		return known{}, l.noSuchToken(op, err)
	}
	if row.Disabled || !now.Before(row.ExpiresAt.Time) {
		return known{}, errSignIn
	}
	if now.Sub(row.UsedAt.Time) >= keyUsedEvery {
		l.touch(ctx, &Key{}, hash, map[string]any{"used_at": dbTime(now)})
	}
	p := Proof{User: row.UserID, Login: core.Login{Kind: "key", ID: row.ID}, Scope: row.Scope}
	return known{Proof: p, checked: now, idle: row.ExpiresAt.Time, ends: row.ExpiresAt.Time}, nil
}

// touch records that a session or a key is in use. It fails nobody: the worst is that a session ends early.
func (l *Logins) touch(ctx context.Context, of any, hash string, columns map[string]any) {
	err := l.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return tx.Gorm(ctx).Model(of).Where("hash = ?", hash).Updates(columns).Error
	})
	if err != nil {
		l.log.WarnContext(ctx, "authz: the use of a session or key was not recorded", "err", err)
	}
}

// newToken returns 32 random bytes as text.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// hashToken returns what is stored of a token. The token has 256 random bits, so that a plain hash is enough.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func dbTime(t time.Time) db.Time { return db.Time{Time: t.UTC().Truncate(time.Microsecond)} }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
