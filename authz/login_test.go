package authz

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

const goodPassword = "correct horse battery"

// signedUp returns the logins of d with one user, ann@example.com.
func signedUp(t *testing.T, d *db.DB) (*Logins, *clock, core.ID) {
	t.Helper()
	c := newClock()
	l := NewLogins(d, LoginOptions{Now: c.now})
	var ann core.ID
	hash, err := HashPassword(t.Context(), goodPassword)
	must(t, err)
	must(t, change(t, d, func(tx *gorm.DB) (err error) {
		ann, err = CreateUser(tx, NewUser{Name: "Ann", Email: " Ann@Example.com", Password: hash})
		return err
	}))
	return l, c, ann
}

func TestSession(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, c, ann := signedUp(t, d)
		ctx := t.Context()
		s, err := l.Login(ctx, "ANN@example.com ", goodPassword, Peer{Address: "127.0.0.1"})
		must(t, err)
		if s.User != ann || len(s.Token) != 43 {
			t.Fatalf("session %+v", s)
		}
		var stored []session
		must(t, d.Gorm(ctx).Find(&stored).Error)
		if len(stored) != 1 || strings.Contains(stored[0].Hash, s.Token) {
			t.Fatalf("stored: %+v", stored)
		}
		user := func() error {
			got, err := userOf(l.Authenticate(ctx, s.Token))
			if err == nil && got != ann {
				t.Fatalf("user %s, want %s", got, ann)
			}
			return err
		}
		must(t, user())
		for range 20 { // in use: ten minutes less than eight hours at a time
			c.add(7*time.Hour + 50*time.Minute)
			must(t, user())
		}
		c.add(9 * time.Hour) // idle
		wantKind(t, user(), core.Unknown, "sign in again")

		s, err = l.Login(ctx, "ann@example.com", goodPassword, Peer{Address: "127.0.0.1"})
		must(t, err)
		for range 23 { // in use, but seven days are over: 23 * 7 h = 161 h
			c.add(7 * time.Hour)
			must(t, user())
		}
		c.add(7 * time.Hour)
		wantKind(t, user(), core.Unknown)
	})
}

func TestSessionEnds(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, c, ann := signedUp(t, d)
		other := NewLogins(d, LoginOptions{Now: c.now}) // another process
		ctx := t.Context()
		for name, end := range map[string]func(token string) error{
			"logout":   func(token string) error { return other.Logout(ctx, token) },
			"sessions": func(string) error { return change(t, d, func(tx *gorm.DB) error { return EndSessions(tx, ann) }) },
			"password": func(string) error {
				return change(t, d, func(tx *gorm.DB) error { return SetPassword(tx, ann, weak(t, goodPassword)) })
			},
			"disabled": func(string) error { return change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, ann, true) }) },
		} {
			must(t, change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, ann, false) }))
			s, err := l.Login(ctx, "ann@example.com", goodPassword, Peer{Address: "127.0.0.1"})
			must(t, err)
			check := func() error { _, err := l.Authenticate(ctx, s.Token); return err }
			must(t, check())
			must(t, end(s.Token))
			c.add(999 * time.Millisecond)
			must(t, check()) // another process did it, and the second is not over
			c.add(time.Millisecond)
			if err := check(); core.KindOf(err) != core.Unknown {
				t.Errorf("%s: a second later: %v", name, err)
			}

			must(t, change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, ann, false) }))
			s, err = l.Login(ctx, "ann@example.com", goodPassword, Peer{Address: "127.0.0.1"})
			must(t, err)
			must(t, check())
			must(t, end(s.Token))
			l.Forget() // this process did it
			if err := check(); core.KindOf(err) != core.Unknown {
				t.Errorf("%s: on the next request: %v", name, err)
			}
		}
	})
}

func TestRenew(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, c, ann := signedUp(t, d)
		ctx := t.Context()
		s, err := l.Login(ctx, "ann@example.com", goodPassword, Peer{Address: "127.0.0.1"})
		must(t, err)
		c.add(time.Hour)
		r, err := l.Renew(ctx, s.Token, Renewal{Rights: "new"})
		must(t, err)
		if r.Token == s.Token || r.User != ann || !r.Ends.Equal(s.Ends) {
			t.Errorf("rotated %+v to %+v", s, r)
		}
		_, err = l.Authenticate(ctx, s.Token)
		wantKind(t, err, core.Unknown)
		_, err = l.Authenticate(ctx, r.Token)
		must(t, err)
		_, err = l.Renew(ctx, s.Token, Renewal{Rights: "new"})
		wantKind(t, err, core.Unknown)
	})
}

func TestLoginRefused(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, _, ann := signedUp(t, d)
		ctx := t.Context()
		var said string
		try := func(email, password string) {
			t.Helper()
			_, err := l.Login(ctx, email, password, Peer{Address: "127.0.0.1"})
			wantKind(t, err, core.Unknown)
			if msg := core.AsError(err).Public(); said != "" && msg != said {
				t.Errorf("the answers differ: %q and %q", said, msg)
			} else {
				said = msg
			}
		}
		try("ann@example.com", "wrong horse battery")
		try("bob@example.com", goodPassword)
		try("", "")
		must(t, change(t, d, func(tx *gorm.DB) error {
			_, err := CreateUser(tx, NewUser{Name: "Robot", Email: "robot@example.com"})
			return err
		}))
		try("robot@example.com", "")
		must(t, change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, ann, true) }))
		try("ann@example.com", goodPassword)
		for _, token := range []string{"", "x", strings.Repeat("x", 43), strings.Repeat("x", 5000), keyPrefix + strings.Repeat("x", 43)} {
			_, err := l.Authenticate(ctx, token)
			wantKind(t, err, core.Unknown)
		}
	})
}

func TestLoginRehashes(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, _, ann := signedUp(t, d)
		must(t, change(t, d, func(tx *gorm.DB) error {
			return changeUser(tx, "test", ann, map[string]any{"password_hash": weak(t, goodPassword)})
		}))
		_, err := l.Login(t.Context(), "ann@example.com", goodPassword, Peer{Address: "::1"})
		must(t, err)
		var a account
		must(t, d.Gorm(t.Context()).Take(&a).Error)
		ok, stale, err := VerifyPassword(t.Context(), *a.PasswordHash, goodPassword)
		if !ok || stale || err != nil {
			t.Errorf("after the login: %v %v %v", ok, stale, err)
		}
	})
}

func TestThrottleAccount(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, c, _ := signedUp(t, d)
		n := 0
		try := func(password string) error {
			n++
			_, err := l.Login(t.Context(), "ann@example.com", password, Peer{Address: fmt.Sprintf("10.0.0.%d", n)}) // from everywhere
			return err
		}
		for range 5 {
			wantKind(t, try("wrong horse battery"), core.Unknown)
		}
		wantKind(t, try(goodPassword), core.Limit, "wait 30 seconds")
		c.add(29 * time.Second)
		wantKind(t, try(goodPassword), core.Limit, "wait 1 second and")
		c.add(time.Second)
		must(t, try(goodPassword))
		must(t, try(goodPassword)) // and is forgiven
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	now, a := newClock(), attempts{}
	a.Since = dbTime(now.t)
	var pauses []time.Duration
	for range 8 {
		for range 20 {
			if p := a.take(20, now.t); p != (pause{}) {
				t.Fatalf("made to wait %s too early", p.wait)
			}
		}
		p := a.take(20, now.t)
		pauses = append(pauses, p.wait)
		if again := a.take(20, now.t); again != (pause{wait: p.wait}) || !p.begins {
			t.Fatalf("an attempt in a pause changed it from %v to %v", p, again)
		}
		if a.EndsAt.Before(a.PausedFor.Add(longestPause)) {
			t.Fatal("forgotten before it counts no longer")
		}
		now.add(p.wait)
	}
	want := "[30s 1m0s 2m0s 4m0s 8m0s 15m0s 15m0s 15m0s]"
	if got := fmt.Sprint(pauses); got != want {
		t.Errorf("pauses %s, want %s", got, want)
	}
}

// TestThrottleShared has two servers count together, one of which starts anew after each attempt.
func TestThrottleShared(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, c, ann := signedUp(t, d)
		var kept []Notice
		note := func(_ context.Context, _ *db.Tx, n Notice) error {
			kept = append(kept, n)
			return nil
		}
		l.note = note
		try := func(l *Logins, password string) error {
			_, err := l.Login(t.Context(), "ann@example.com", password, Peer{Address: "127.0.0.1"})
			return err
		}
		again := func() *Logins { return NewLogins(d, LoginOptions{Now: c.now, Note: note}) }
		for i := range 5 {
			wantKind(t, try([]*Logins{l, again()}[i%2], "wrong horse battery"), core.Unknown)
		}
		wantKind(t, try(again(), goodPassword), core.Limit, "wait 30 seconds")
		wantKind(t, try(l, goodPassword), core.Limit, "wait 30 seconds")
		c.add(30 * time.Second)
		must(t, try(again(), goodPassword))
		var reasons []string
		for _, n := range kept {
			if n.User != ann {
				t.Errorf("a notice is about %q", n.User)
			}
			reason, _ := n.Data["reason"].(string)
			reasons = append(reasons, string(n.Kind)+" "+reason)
		}
		want := strings.Repeat("refused wrong password,", 5) + "refused too many attempts,sign_in "
		if got := strings.Join(reasons, ","); got != want {
			t.Errorf("kept are %s", got)
		}
		c.add(time.Hour)
		must(t, l.AttemptFrom(t.Context(), "10.0.0.1"))
		var left []attempts
		must(t, d.Gorm(t.Context()).Find(&left).Error)
		if len(left) != 1 || left[0].Count != 1 {
			t.Errorf("what counts no longer is there: %+v", left)
		}
	})
}

// TestThrottleTogether has many attempts at once: none is lost.
func TestThrottleTogether(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		results := make(chan error, 30)
		for range cap(results) {
			l := NewLogins(d, LoginOptions{Now: c.now})
			go func() { results <- l.AttemptFrom(t.Context(), "10.0.0.1") }()
		}
		good := 0
		for range cap(results) {
			switch err := <-results; {
			case err == nil:
				good++
			case core.KindOf(err) != core.Limit:
				t.Error(err)
			}
		}
		if good != 20 {
			t.Errorf("%d attempts were let through, want 20", good)
		}
	})
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"10.1.2.3": "10.1.2.3", "10.1.2.3:555": "10.1.2.3", "::ffff:10.1.2.3": "10.1.2.3",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:80": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "?": "?",
	} {
		if got := network(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestKey(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		l, c, ann := signedUp(t, d)
		ctx := t.Context()
		create := func(name string, expires time.Time) (secret string, k Key, err error) {
			err = d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
				secret, k, err = l.CreateKey(ctx, tx, NewKey{User: ann, Name: name, Expires: expires})
				return err
			})
			return secret, k, err
		}
		secret, k, err := create("nightly import", time.Time{})
		must(t, err)
		if !strings.HasPrefix(secret, "col_") || len(secret) != 47 || !strings.HasPrefix(secret, k.Prefix) || k.Hash == secret {
			t.Fatalf("key %s, stored %+v", secret, k)
		}
		user, err := userOf(l.Authenticate(ctx, secret))
		if err != nil || user != ann {
			t.Fatalf("%s %v", user, err)
		}
		revoke := func(user, id core.ID) error {
			return d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return l.RevokeKey(ctx, tx, user, id) })
		}
		wantKind(t, revoke(core.NewID(), k.ID), core.NotFound)
		must(t, revoke(ann, k.ID))
		_, err = l.Authenticate(ctx, secret)
		wantKind(t, err, core.Unknown)
		wantKind(t, revoke(ann, k.ID), core.NotFound)

		secret, _, err = create("short", c.t.Add(time.Hour))
		must(t, err)
		_, err = l.Authenticate(ctx, secret)
		must(t, err)
		c.add(time.Hour)
		_, err = l.Authenticate(ctx, secret)
		wantKind(t, err, core.Unknown)

		secret, _, err = create("of a user who goes", time.Time{})
		must(t, err)
		must(t, change(t, d, func(tx *gorm.DB) error { return DisableUser(tx, ann, true) }))
		_, err = l.Authenticate(ctx, secret)
		wantKind(t, err, core.Unknown)

		_, _, err = create("", time.Time{})
		wantKind(t, err, core.Invalid, "name")
		_, _, err = create("x", c.t)
		wantKind(t, err, core.Invalid, "future")
		_, _, err = create("x", c.t.AddDate(2, 0, 0))
		wantKind(t, err, core.Invalid, "within a year")
		keys, err := Keys(d.Gorm(ctx), ann)
		if err != nil || len(keys) != 3 || keys[2].RevokedAt.IsZero() || !keys[0].RevokedAt.IsZero() {
			t.Errorf("keys %+v %v", keys, err)
		}
	})
}

func TestSetup(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		l := NewLogins(d, LoginOptions{Now: c.now})
		ctx := t.Context()
		needs, err := l.NeedsSetup(ctx)
		if !needs || err != nil {
			t.Fatal(needs, err)
		}
		admin := func(token, password string) error {
			_, err := l.CreateFirstAdministrator(ctx, token, "Ann", "ann@example.com", password)
			return err
		}
		wantKind(t, admin("", goodPassword), core.Denied)
		old, err := l.SetupToken(ctx)
		must(t, err)
		token, err := l.SetupToken(ctx)
		must(t, err)
		wantKind(t, admin(old, goodPassword), core.Denied)
		c.add(setupLife)
		wantKind(t, admin(token, goodPassword), core.Denied, "restart")
		token, err = l.SetupToken(ctx)
		must(t, err)
		c.add(setupLife - 1)
		wantKind(t, admin(token, "short"), core.Invalid, "at least 12")
		must(t, admin(token, goodPassword))
		wantKind(t, admin(token, goodPassword), core.Denied)
		_, err = l.SetupToken(ctx)
		wantKind(t, err, core.Denied)
		needs, err = l.NeedsSetup(ctx)
		if needs || err != nil {
			t.Fatal(needs, err)
		}
		s, err := l.Login(ctx, "ann@example.com", goodPassword, Peer{Address: "127.0.0.1"})
		must(t, err)
		p := policyOf(t, d)
		caller, err := p.Caller(s.User, core.Cause{Kind: "api"})
		must(t, err)
		must(t, p.May(caller, "manage_access"))
	})
}

// Two servers that print a link each make one administrator.
func TestSetupTwice(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		results := make(chan error, 4)
		var start sync.WaitGroup
		start.Add(cap(results))
		for i := range cap(results) {
			go func() {
				l := NewLogins(d, LoginOptions{})
				token, err := l.SetupToken(t.Context())
				start.Done()
				start.Wait()
				if err == nil {
					_, err = l.CreateFirstAdministrator(t.Context(), token, "Ann", fmt.Sprintf("ann%d@example.com", i), goodPassword)
				}
				results <- err
			}()
		}
		made := 0
		for range cap(results) {
			if err := <-results; err == nil {
				made++
			} else if core.KindOf(err) != core.Denied {
				t.Error(err)
			}
		}
		if made != 1 {
			t.Errorf("%d administrators were made", made)
		}
	})
}

// policyOf compiles what the database holds.
func policyOf(t *testing.T, d *db.DB, tables ...core.Table) *Policy {
	t.Helper()
	s, set := world(t, tables...)
	data, err := Load(d.Gorm(t.Context()))
	must(t, err)
	p, err := NewPolicy(s, set, data)
	must(t, err)
	return p
}

func BenchmarkAuthenticateKnown(b *testing.B) {
	c := newClock()
	l := &Logins{now: c.now, known: map[[32]byte]known{}}
	token := newToken()
	l.known[sha256.Sum256([]byte(token))] = known{Proof: Proof{User: core.NewID()}, checked: c.t, idle: c.t.Add(time.Hour), ends: c.t.Add(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// userOf is the user that a token proves to be.
func userOf(p Proof, err error) (core.ID, error) { return p.User, err }
