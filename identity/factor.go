package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// factor is what a user has besides his password.
type factor struct {
	ID          core.ID `gorm:"primaryKey"`
	UserID      core.ID
	Kind        string
	CreatedAt   db.Time
	ConfirmedAt db.Time // zero until its first code was told
	UsedStep    int64   // of the last code, so that none is good twice
}

// TableName implements gorm's Tabler.
func (factor) TableName() string { return "_factor" }

type recoveryCode struct {
	Hash   string `gorm:"primaryKey"`
	UserID core.ID
	UsedAt db.Time
}

// TableName implements gorm's Tabler.
func (recoveryCode) TableName() string { return "_recovery_code" }

const (
	totpKind      = "totp" // of factors, and of their secrets
	recoveryCodes = 10
	recoveryBytes = 10 // 80 random bits, so that a plain hash is enough
)

var errCode = core.E("identity.prove", core.Unknown, "the code is wrong, was used, or has ended: take the next one")

// prove checks a code of the user: of the authenticator app, or a recovery code. Neither is good twice.
func (s *Service) prove(ctx context.Context, user core.ID, code string) error {
	const op = "identity.prove"
	if err := s.logins.Attempt(ctx, "code", string(user), user); err != nil {
		return core.E(op, err)
	}
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		if len(code) == totpDigits {
			return s.useCode(tx.Gorm(ctx), user, code, true)
		}
		done := tx.Gorm(ctx).Model(&recoveryCode{}).Where("hash = ? AND user_id = ? AND used_at IS NULL", hashCode(user, code), user).Update("used_at", db.Now())
		if done.Error == nil && done.RowsAffected == 0 {
			return errCode
		}
		return done.Error
	})
	if core.KindOf(err) == core.Unknown {
		s.logins.Refused(ctx, "code", user, "wrong code")
	}
	if err != nil {
		return core.E(op, err)
	}
	return core.E(op, s.logins.Forgive(ctx, "code", string(user)))
}

// useCode uses up a code of the app that the user has confirmed, or is about to.
func (s *Service) useCode(g *gorm.DB, user core.ID, code string, confirmed bool) error {
	q := g.Where("user_id = ? AND kind = ? AND confirmed_at IS NULL", user, totpKind)
	if confirmed {
		q = g.Where("user_id = ? AND kind = ? AND confirmed_at IS NOT NULL", user, totpKind)
	}
	var f factor
	if err := q.Take(&f).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errCode
		}
		return err
	}
	key, err := s.secrets.Get(g, totpKind, f.ID)
	if err != nil {
		return err
	}
	step, ok := totpStepOf(key, code, s.now())
	if !ok {
		return errCode
	}
	columns := map[string]any{"used_step": step}
	if !confirmed {
		columns["confirmed_at"] = db.Now()
	}
	done := g.Model(&factor{}).Where("id = ? AND used_step < ?", f.ID, step).Updates(columns)
	if done.Error == nil && done.RowsAffected == 0 {
		return errCode
	}
	return done.Error
}

// enroll makes a new app of the user, which counts when its first code was told.
func (s *Service) enroll(ctx context.Context, tx *db.Tx, user core.ID) ([]byte, error) {
	if err := s.dropFactors(ctx, tx, "user_id = ? AND confirmed_at IS NULL", user); err != nil {
		return nil, err
	}
	f := factor{ID: core.NewID(), UserID: user, Kind: totpKind, CreatedAt: db.Now()}
	key := newTOTPSecret()
	if err := s.secrets.Put(ctx, tx, totpKind, f.ID, key); err != nil {
		return nil, err
	}
	return key, tx.Gorm(ctx).Create(&f).Error
}

// confirm makes the new app the one of the user, in place of the one before, and returns recovery codes.
func (s *Service) confirm(ctx context.Context, tx *db.Tx, user core.ID, code string) ([]string, error) {
	g := tx.Gorm(ctx)
	var old []core.ID
	if err := g.Model(&factor{}).Where("user_id = ? AND confirmed_at IS NOT NULL", user).Pluck("id", &old).Error; err != nil {
		return nil, err
	}
	if err := s.useCode(g, user, strings.TrimSpace(code), false); err != nil {
		if core.KindOf(err) == core.Unknown {
			return nil, core.E("identity.confirm", core.Invalid, core.At{Column: "code"}, "this is not the code that the app shows now: check the clocks, and try the next one")
		}
		return nil, err
	}
	for _, id := range old {
		if err := s.dropFactors(ctx, tx, "id = ?", id); err != nil {
			return nil, err
		}
	}
	if err := authz.SetSecondFactor(g, user, true); err != nil {
		return nil, err
	}
	if err := s.logins.Changed(ctx, tx, user, "confirm_totp", nil); err != nil {
		return nil, err
	}
	return s.newRecoveryCodes(g, user)
}

// dropSecondFactor takes away what the user has besides his password.
func (s *Service) dropSecondFactor(ctx context.Context, tx *db.Tx, user core.ID) error {
	if err := s.dropFactors(ctx, tx, "user_id = ?", user); err != nil {
		return err
	}
	g := tx.Gorm(ctx)
	for _, rows := range []any{&passkey{}, &recoveryCode{}} {
		if err := g.Where("user_id = ?", user).Delete(rows).Error; err != nil {
			return err
		}
	}
	if err := s.logins.Changed(ctx, tx, user, "drop_second_factor", nil); err != nil {
		return err
	}
	return authz.SetSecondFactor(g, user, false)
}

func (s *Service) dropFactors(ctx context.Context, tx *db.Tx, where string, arg any) error {
	var all []factor
	if err := tx.Gorm(ctx).Where(where, arg).Find(&all).Error; err != nil {
		return err
	}
	for _, f := range all {
		if err := s.secrets.Drop(ctx, tx, f.Kind, f.ID); err != nil {
			return err
		}
		if err := tx.Gorm(ctx).Delete(&f).Error; err != nil {
			return err
		}
	}
	return nil
}

// newRecoveryCodes makes codes for when the app is gone; those before are good no longer.
func (s *Service) newRecoveryCodes(g *gorm.DB, user core.ID) ([]string, error) {
	if err := g.Where("user_id = ?", user).Delete(&recoveryCode{}).Error; err != nil {
		return nil, err
	}
	out := make([]string, recoveryCodes)
	for i := range out {
		b := make([]byte, recoveryBytes)
		_, _ = rand.Read(b) // never fails
		code := base32Plain.EncodeToString(b)
		out[i] = strings.Join([]string{code[:4], code[4:8], code[8:12], code[12:]}, "-")
		if err := g.Create(&recoveryCode{Hash: hashCode(user, code), UserID: user}).Error; err != nil {
			return nil, err
		}
	}
	return out, nil
}

func hashCode(user core.ID, code string) string {
	sum := sha256.Sum256([]byte(string(user) + "\n" + code))
	return hex.EncodeToString(sum[:])
}
