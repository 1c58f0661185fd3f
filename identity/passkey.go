package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// passkey is a key that a device of a user keeps, after Web Authentication (https://www.w3.org/TR/webauthn-3/). It is good for
// one host, and signs only when the device has verified who holds it: it counts as two factors.
type passkey struct {
	ID           core.ID `gorm:"primaryKey"`
	UserID       core.ID
	CredentialID string              // as the device calls it
	Host         string              // for which it was made
	Name         string              // for people
	Credential   webauthn.Credential `gorm:"serializer:json"`
	CreatedAt    db.Time
	UsedAt       db.Time
}

// TableName implements gorm's Tabler.
func (passkey) TableName() string { return "_passkey" }

// passkeyChallenge is what a device was asked to sign. It is good once.
type passkeyChallenge struct {
	Hash    string               `gorm:"primaryKey"`
	UserID  *core.ID             // who adds a passkey; nil for who signs in
	Session webauthn.SessionData `gorm:"serializer:json"`
	EndsAt  db.Time
}

// TableName implements gorm's Tabler.
func (passkeyChallenge) TableName() string { return "_passkey_challenge" }

const (
	challengeLife = 5 * time.Minute
	maxPasskeys   = 20 // of a user
	maxKeyName    = 100
)

// Site is this server as the browser knows it.
type Site struct {
	Host   string // without a port
	Origin string
}

var errPasskey = core.E("identity.passkey", core.Unknown, "the passkey is not known here, or what it says is not for this page: sign in in another way")

// holder is a user as the library knows him.
type holder struct {
	id   core.ID
	name string // his e-mail address
	keys []passkey
}

var _ webauthn.User = (*holder)(nil)

// WebAuthnID implements webauthn.User.
func (h *holder) WebAuthnID() []byte { return []byte(h.id) }

// WebAuthnName implements webauthn.User.
func (h *holder) WebAuthnName() string { return h.name }

// WebAuthnDisplayName implements webauthn.User.
func (h *holder) WebAuthnDisplayName() string { return h.name }

// WebAuthnCredentials implements webauthn.User.
func (h *holder) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, len(h.keys))
	for i := range h.keys {
		out[i] = h.keys[i].Credential
	}
	return out
}

func (s *Service) relyingParty(site Site) (*webauthn.WebAuthn, error) {
	const op = "identity.relyingParty"
	rp, err := webauthn.New(&webauthn.Config{RPID: site.Host, RPDisplayName: "Colonnade", RPOrigins: []string{site.Origin}})
	if err != nil {
		return nil, core.E(op, core.Invalid, "passkeys need a server with a name: open it as https://NAME, or http://localhost, and not by its address", err)
	}
	return rp, nil
}

// ask keeps what a device is asked to sign, until it has.
func (s *Service) ask(ctx context.Context, session *webauthn.SessionData, user *core.ID) error {
	row := passkeyChallenge{Hash: derived("passkey", session.Challenge), UserID: user, Session: *session, EndsAt: db.Time{Time: s.now().Add(challengeLife)}}
	return s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		if err := g.Where("ends_at <= ?", db.Time{Time: s.now()}).Delete(&passkeyChallenge{}).Error; err != nil {
			return err
		}
		return g.Create(&row).Error
	})
}

// answered returns what the device was asked to sign, and forgets it.
func (s *Service) answered(ctx context.Context, challenge string) (row passkeyChallenge, err error) {
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		err := g.Where("hash = ? AND ends_at > ?", derived("passkey", challenge), db.Time{Time: s.now()}).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errPasskey
		}
		if err != nil {
			return err
		}
		done := g.Where("hash = ?", row.Hash).Delete(&passkeyChallenge{})
		if done.Error == nil && done.RowsAffected == 0 {
			return errPasskey // somebody else was first
		}
		return done.Error
	})
	return row, err
}

// holds returns the passkeys of a user for a host.
func holds(g *gorm.DB, user core.ID, host string) (out []passkey, err error) {
	return out, g.Where("user_id = ? AND host = ?", user, host).Order("id").Find(&out).Error
}

// AskNewPasskey returns what a browser needs to make a passkey of the caller, who has signed in in it.
func (s *Service) AskNewPasskey(ctx context.Context, who core.Caller, site Site) (any, error) {
	const op = "identity.AskNewPasskey"
	if err := mayChangeFactors(who); err != nil {
		return nil, core.E(op, err)
	}
	rp, err := s.relyingParty(site)
	if err != nil {
		return nil, core.E(op, err)
	}
	u := s.store.Snapshot().Policy.FindUser(string(who.User))
	keys, err := holds(s.db.Gorm(ctx), u.ID, site.Host)
	if err != nil {
		return nil, core.E(op, s.db.Classify(err))
	}
	if len(keys) >= maxPasskeys {
		return nil, core.E(op, core.Limit, fmt.Sprintf("you have %d passkeys: take one away first", len(keys)))
	}
	h := &holder{u.ID, u.Email, keys}
	creation, session, err := rp.BeginRegistration(h,
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired}),
		webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation))
	if err != nil {
		return nil, core.E(op, err)
	}
	return creation, core.E(op, s.ask(ctx, session, &u.ID))
}

// mayChangeFactors refuses who has not signed in for himself, just now with his second factor when he has one.
func mayChangeFactors(who core.Caller) error {
	if err := bySession(who); err != nil {
		return err
	}
	if who.Behalf != "" {
		return core.E("identity.mayChangeFactors", core.Denied, "the account of somebody else is his own affair")
	}
	if who.Login.Stale {
		return core.E("identity.mayChangeFactors", core.Denied, "prove your second factor again first")
	}
	return nil
}

// AddPasskey keeps the passkey that the browser has made. When it is the user's first second factor, recovery codes are
// returned; from then on his sessions need one, and the one in which this happens has it.
func (s *Service) AddPasskey(ctx context.Context, who core.Caller, site Site, name string, made []byte) (codes []string, err error) {
	const op = "identity.AddPasskey"
	if err := mayChangeFactors(who); err != nil {
		return nil, core.E(op, err)
	}
	if name = strings.TrimSpace(name); name == "" || len(name) > maxKeyName {
		return nil, core.E(op, core.Invalid, core.At{Column: "name"}, fmt.Sprintf("a passkey needs a name of at most %d bytes, such as that of the device", maxKeyName))
	}
	credential, err := s.newCredential(ctx, who.User, site, made)
	if err != nil {
		return nil, core.E(op, err)
	}
	key := passkey{ID: core.NewID(), UserID: who.User, CredentialID: encodeID(credential.ID), Host: site.Host, Name: name, Credential: *credential, CreatedAt: db.Now()}
	err = s.store.ChangeAccess(ctx, func(tx *db.Tx) error {
		tx.AfterCommit(s.logins.Forget)
		codes, err = s.addPasskey(ctx, tx, &key, who.Login.ID)
		return err
	})
	if core.KindOf(err) == core.Exists {
		return nil, core.E(op, core.Exists, "this passkey is there already")
	}
	return codes, core.E(op, err)
}

// newCredential verifies what the browser has made.
func (s *Service) newCredential(ctx context.Context, user core.ID, site Site, made []byte) (*webauthn.Credential, error) {
	refused := func(err error) error {
		return core.E("identity.newCredential", core.Invalid, "what the device made cannot be used: try again, or use another device", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(made)
	if err != nil {
		return nil, refused(err)
	}
	asked, err := s.answered(ctx, parsed.Response.CollectedClientData.Challenge)
	if err != nil {
		return nil, err
	}
	if asked.UserID == nil || *asked.UserID != user {
		return nil, errPasskey
	}
	rp, err := s.relyingParty(site)
	if err != nil {
		return nil, err
	}
	credential, err := rp.CreateCredential(&holder{id: user}, asked.Session, parsed)
	if err != nil {
		return nil, refused(err)
	}
	credential.Attestation = webauthn.CredentialAttestation{} // who made the device is nobody's business here
	return credential, nil
}

func (s *Service) addPasskey(ctx context.Context, tx *db.Tx, key *passkey, session core.ID) (codes []string, err error) {
	g := tx.Gorm(ctx)
	has, err := hasFactor(g, key.UserID)
	if err != nil {
		return nil, err
	}
	if err := s.logins.Changed(ctx, tx, key.UserID, "add_passkey", map[string]any{"passkey": key.ID, "name": key.Name}); err != nil {
		return nil, err
	}
	if err := g.Create(key).Error; err != nil || has {
		return nil, err
	}
	if err := authz.SetSecondFactor(g, key.UserID, true); err != nil {
		return nil, err
	}
	if codes, err = s.newRecoveryCodes(g, key.UserID); err != nil {
		return nil, err
	}
	return codes, s.logins.StrengthenSession(ctx, tx, session)
}

// hasFactor reports whether the user has a second factor.
func hasFactor(g *gorm.DB, user core.ID) (bool, error) {
	var apps, keys int64
	err := errors.Join(
		g.Model(&factor{}).Where("user_id = ? AND confirmed_at IS NOT NULL", user).Count(&apps).Error,
		g.Model(&passkey{}).Where("user_id = ?", user).Count(&keys).Error)
	return apps+keys > 0, err
}

// AskPasskey returns what a browser needs to sign in with a passkey.
func (s *Service) AskPasskey(ctx context.Context, site Site) (any, error) {
	const op = "identity.AskPasskey"
	rp, err := s.relyingParty(site)
	if err != nil {
		return nil, core.E(op, err)
	}
	assertion, session, err := rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, core.E(op, err)
	}
	return assertion, core.E(op, s.ask(ctx, session, nil))
}

// SignInByPasskey begins a session with what a passkey has signed. A session of the same user, of which token is, goes on in
// its place: so he proves his second factor.
func (s *Service) SignInByPasskey(ctx context.Context, site Site, signed []byte, token string, from authz.Peer) (authz.Session, error) {
	const op = "identity.SignInByPasskey"
	user, reason, err := s.verifyPasskey(ctx, site, signed)
	if err != nil {
		if core.KindOf(err) == core.Unknown {
			s.logins.Refused(ctx, "passkey", user, reason)
		}
		return authz.Session{}, core.E(op, err)
	}
	if proof, err := s.logins.AuthenticatePending(ctx, token); err == nil && proof.Login.Kind == "session" && proof.User == user {
		return s.logins.Renew(ctx, token, authz.Renewal{Strong: true})
	}
	return s.logins.Begin(ctx, authz.Start{User: user, Method: "passkey", Strong: true, Peer: from}, nil)
}

// verifyPasskey returns who has signed, and where nobody has that could be believed, why, for the log.
func (s *Service) verifyPasskey(ctx context.Context, site Site, signed []byte) (user core.ID, reason string, err error) {
	const op = "identity.verifyPasskey"
	parsed, err := protocol.ParseCredentialRequestResponseBytes(signed)
	if err != nil {
		return "", "", core.E(op, core.Invalid, "this is not what a passkey signs: send the credential as the browser gives it", err)
	}
	asked, err := s.answered(ctx, parsed.Response.CollectedClientData.Challenge)
	if err != nil {
		return "", "nobody asked for it, or too long ago", err
	}
	rp, err := s.relyingParty(site)
	if err != nil {
		return "", "", err
	}
	var key passkey
	err = s.db.Gorm(ctx).Where("credential_id = ? AND host = ?", encodeID(parsed.RawID), site.Host).Take(&key).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && asked.UserID != nil {
		return "", "no such passkey", errPasskey
	}
	if err != nil {
		return "", "", core.E(op, s.db.Classify(err))
	}
	find := func([]byte, []byte) (webauthn.User, error) { return &holder{id: key.UserID, keys: []passkey{key}}, nil }
	_, credential, err := rp.ValidatePasskeyLogin(find, asked.Session, parsed)
	if err != nil {
		return key.UserID, "the signature is wrong", core.E(op, core.Unknown, core.AsError(errPasskey).Msg, err)
	}
	if credential.Authenticator.CloneWarning {
		return key.UserID, "the passkey was copied: another one has signed since", errPasskey
	}
	if _, err := s.asks(ctx, authz.Proof{User: key.UserID}, core.Cause{}); core.KindOf(err) == core.Unknown {
		return key.UserID, "the account is disabled", errPasskey
	} else if err != nil {
		return key.UserID, "", core.E(op, err)
	}
	return key.UserID, "", core.E(op, s.usedPasskey(ctx, &key, credential))
}

// usedPasskey keeps how often the passkey has signed. Of two answers with one number, one counts.
func (s *Service) usedPasskey(ctx context.Context, key *passkey, now *webauthn.Credential) error {
	now.Attestation = webauthn.CredentialAttestation{}
	was, err := json.Marshal(key.Credential)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		done := tx.Gorm(ctx).Model(&passkey{}).Where("id = ? AND credential = ?", key.ID, string(was)).Select("Credential", "UsedAt").Updates(&passkey{Credential: *now, UsedAt: db.Now()})
		if done.Error == nil && done.RowsAffected == 0 {
			return errPasskey
		}
		return done.Error
	})
}
