package authz

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// resetLife is how long a link to set a new password works.
const resetLife = 24 * time.Hour

type passwordReset struct {
	Hash      string `gorm:"primaryKey"` // of the token
	UserID    core.ID
	CreatedBy core.ID
	EndsAt    db.Time
}

// TableName implements gorm's Tabler.
func (passwordReset) TableName() string { return "_password_reset" }

var errReset = core.E("authz.ResetPassword", core.Denied, "the link is not valid, was used, or has ended: ask an administrator for another one")

// ChangePassword gives a user another password, for which he tells the one that he has. His sessions end, but for the one to
// keep; his API keys stay.
func (l *Logins) ChangePassword(ctx context.Context, user, keep core.ID, old, password string) error {
	const op = "authz.ChangePassword"
	var a account
	if err := l.db.Gorm(ctx).Where("id = ?", user).Take(&a).Error; err != nil {
		return core.E(op, l.db.Classify(err))
	}
	if a.PasswordHash == nil {
		return core.E(op, core.Invalid, "you have no password: ask an administrator for a link to set one")
	}
	if _, err := l.verify(ctx, a.Email, &a, old); err != nil {
		if core.KindOf(err) == core.Unknown {
			return core.E(op, core.Denied, core.At{Column: "old"}, "this is not your password")
		}
		return core.E(op, err)
	}
	hash, err := HashPassword(ctx, password, a.Name, a.Email)
	if err != nil {
		return core.E(op, err)
	}
	return core.E(op, l.change(ctx, func(tx *db.Tx) error {
		if err := changeUser(tx.Gorm(ctx), op, user, map[string]any{"password_hash": hash}); err != nil {
			return err
		}
		if err := l.Changed(ctx, tx, user, "change_password", nil); err != nil {
			return err
		}
		_, err := l.EndSessions(ctx, tx, user, keep)
		return err
	}))
}

// NewReset returns the token of a link with which the user sets a new password, once, within a day. The link before it works no
// longer.
func (l *Logins) NewReset(ctx context.Context, tx *db.Tx, user, by core.ID) (token string, ends time.Time, err error) {
	const op = "authz.NewReset"
	g := tx.Gorm(ctx)
	var u User
	if err := need(g, op, &u, user, "user"); err != nil {
		return "", ends, err
	}
	if u.Kind == Service {
		return "", ends, core.E(op, core.Invalid, "a service has no password: make a key for it")
	}
	if err := g.Where("user_id = ?", user).Delete(&passwordReset{}).Error; err != nil {
		return "", ends, err
	}
	if err := l.Changed(ctx, tx, user, "reset_password", nil); err != nil {
		return "", ends, err
	}
	token, ends = newToken(), l.now().Add(resetLife).UTC()
	return token, ends, g.Create(&passwordReset{Hash: hashToken(token), UserID: user, CreatedBy: by, EndsAt: dbTime(ends)}).Error
}

// ResetPassword sets the password of who has the link. All of his sessions end; a second factor stays. A password that is
// refused does not use the link up.
func (l *Logins) ResetPassword(ctx context.Context, token, password string) error {
	const op = "authz.ResetPassword"
	var r passwordReset
	err := l.db.Gorm(ctx).Where("hash = ?", hashToken(token)).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !l.now().Before(r.EndsAt.Time) {
		l.Refused(ctx, "reset", r.UserID, "the link is not valid, was used, or has ended")
		return errReset
	}
	var u User
	if err == nil {
		err = l.db.Gorm(ctx).Where("id = ?", r.UserID).Take(&u).Error
	}
	if err != nil {
		return core.E(op, l.db.Classify(err))
	}
	hash, err := HashPassword(ctx, password, u.Name, u.Email)
	if err != nil {
		return core.E(op, err)
	}
	ctx = core.WithCaller(ctx, core.Caller{User: u.ID, Name: u.Name, Unit: u.UnitID, Cause: core.Cause{Kind: "api"}})
	return core.E(op, l.change(ctx, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		done := g.Where("hash = ?", r.Hash).Delete(&passwordReset{})
		if done.Error == nil && done.RowsAffected == 0 {
			return errReset // somebody else was first
		}
		if done.Error != nil {
			return done.Error
		}
		tx.AfterCommit(l.Forget)
		if err := l.Changed(ctx, tx, u.ID, "set_password", nil); err != nil {
			return err
		}
		return SetPassword(g, u.ID, hash)
	}))
}
