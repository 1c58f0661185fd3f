package authz

import (
	"context"
	"crypto/subtle"
	"sync"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// setupLife is how long the setup link works.
const setupLife = 15 * time.Minute

// setup is the link that is printed while nobody can sign in. It lives in memory: a restart makes a new one.
type setup struct {
	mu   sync.Mutex
	hash string // of the token, "" when there is none
	ends time.Time
}

// NeedsSetup reports whether there is no user yet. Until there is one, the server listens on the loopback address only.
func (l *Logins) NeedsSetup(ctx context.Context) (bool, error) {
	var n int64
	if err := l.db.Gorm(ctx).Model(&User{}).Limit(1).Count(&n).Error; err != nil {
		return false, core.E("authz.NeedsSetup", l.db.Classify(err))
	}
	return n == 0, nil
}

// SetupToken returns a token for [Logins.CreateFirstAdministrator]. The one before it works no longer.
func (l *Logins) SetupToken(ctx context.Context) (string, error) {
	const op = "authz.SetupToken"
	empty, err := l.NeedsSetup(ctx)
	if err != nil {
		return "", err
	}
	if !empty {
		return "", core.E(op, core.Denied, "there is a user already: sign in")
	}
	token := newToken()
	l.setup.mu.Lock()
	defer l.setup.mu.Unlock()
	l.setup.hash, l.setup.ends = hashToken(token), l.now().Add(setupLife)
	return token, nil
}

// CreateFirstAdministrator makes the first user, who holds every right. The token works once; input that is refused
// does not use it up.
func (l *Logins) CreateFirstAdministrator(ctx context.Context, token, name, email, password string) (core.ID, error) {
	const op = "authz.CreateFirstAdministrator"
	l.setup.mu.Lock()
	defer l.setup.mu.Unlock()
	if l.setup.hash == "" || subtle.ConstantTimeCompare([]byte(hashToken(token)), []byte(l.setup.hash)) != 1 || !l.now().Before(l.setup.ends) {
		l.Refused(ctx, "setup", "", "the link is not valid or has ended")
		return "", core.E(op, core.Denied, "the setup link is not valid or has ended: restart the server to get a new one")
	}
	hash, err := HashPassword(ctx, password, name, email)
	if err != nil {
		return "", core.E(op, err)
	}
	u, err := newAccount(NewUser{Name: name, Email: email, Password: hash}, l.now())
	if err != nil {
		return "", core.E(op, err)
	}
	err = l.change(ctx, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		if err := lockDirectory(g); err != nil { // two servers may set up one database at the same time
			return err
		}
		var n int64
		if err := g.Model(&User{}).Limit(1).Count(&n).Error; err != nil {
			return err
		}
		if n > 0 {
			return core.E(op, core.Denied, "there is a user already: sign in")
		}
		if err := g.Create(u).Error; err != nil {
			return err
		}
		if err := l.Changed(acting(ctx, u.ID), tx, u.ID, "create_first_administrator", nil); err != nil {
			return err
		}
		return AssignRole(g, Assignment{User: u.ID, Role: Administrator})
	})
	if err != nil {
		return "", core.E(op, err)
	}
	l.setup.hash = ""
	return u.ID, nil
}
