package authz

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

const (
	keyPrefix  = "col_"
	keyShown   = 12                   // characters of a key that stay readable
	keyLife    = 90 * 24 * time.Hour  // unless told otherwise
	longestKey = 366 * 24 * time.Hour // at most
)

// NewKey is what [Logins.CreateKey] needs.
type NewKey struct {
	User    core.ID
	Name    string      // what it is for
	Expires time.Time   // in 90 days when zero
	Scope   *core.Scope // what it can do of what the user may; nil for everything
}

// CreateKey makes an API key that acts as the user. The secret is returned this once.
func (l *Logins) CreateKey(ctx context.Context, tx *db.Tx, n NewKey) (secret string, k Key, err error) {
	const op = "authz.CreateKey"
	now, name, expires := l.now(), strings.TrimSpace(n.Name), n.Expires
	if expires.IsZero() {
		expires = now.Add(keyLife)
	}
	if name == "" || len(name) > 200 {
		return "", k, core.E(op, core.Invalid, core.At{Column: "name"}, "the key needs a name of at most 200 characters that says what it is for")
	}
	if !expires.After(now) || expires.Sub(now) > longestKey {
		return "", k, core.E(op, core.Invalid, core.At{Column: "expires_at"}, "a key expires in the future, within a year: choose an earlier day")
	}
	if err := need(tx.Gorm(ctx), op, &User{}, n.User, "user"); err != nil {
		return "", k, err
	}
	secret = keyPrefix + newToken()
	k = Key{ID: core.NewID(), Prefix: secret[:keyShown], Hash: hashToken(secret), UserID: n.User, Name: name, Scope: n.Scope, CreatedAt: dbTime(now), ExpiresAt: dbTime(expires)}
	if err := tx.Gorm(ctx).Create(&k).Error; err != nil {
		return "", Key{}, err
	}
	return secret, k, l.Changed(ctx, tx, n.User, "create_api_key", map[string]any{"key": k.ID, "name": name, "scope": n.Scope})
}

// RevokeKey ends a key of the user for good. A user of another's key is told that there is no such key.
func (l *Logins) RevokeKey(ctx context.Context, tx *db.Tx, user, id core.ID) error {
	done := tx.Gorm(ctx).Model(&Key{}).Where("id = ? AND user_id = ? AND revoked_at IS NULL", id, user).Update("revoked_at", dbTime(l.now()))
	if done.Error != nil {
		return done.Error
	}
	if done.RowsAffected == 0 {
		return core.E("authz.RevokeKey", core.NotFound, fmt.Sprintf("there is no key %s in use", id))
	}
	tx.AfterCommit(l.Forget)
	return l.Changed(ctx, tx, user, "revoke_api_key", map[string]any{"key": id})
}

// Keys returns the keys of a user, the newest first.
func Keys(g *gorm.DB, user core.ID) ([]Key, error) {
	var out []Key
	return out, g.Where("user_id = ?", user).Order("id DESC").Find(&out).Error
}
