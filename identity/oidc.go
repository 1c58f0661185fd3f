package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// leaveLife is how long somebody may be away at the provider.
const leaveLife = 10 * time.Minute

// leave is somebody who is away at a provider. What proves that it is he who comes back is in his browser only: state, nonce and
// the verifier of PKCE follow from that.
type leave struct {
	Hash       string `gorm:"primaryKey"` // of what the browser keeps
	ProviderID core.ID
	UserID     *core.ID // who connects a log-in with his account; nil for who signs in
	Next       string   // where to go afterwards
	EndsAt     db.Time
}

// TableName implements gorm's Tabler.
func (leave) TableName() string { return "_provider_leave" }

// derived returns what follows from the secret of the browser for one purpose.
func derived(purpose, kept string) string {
	sum := sha256.Sum256([]byte(purpose + "\n" + kept))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Leaving is how a browser goes to a provider.
type Leaving struct {
	Location string
	Kept     string // for a cookie, until the browser comes back
	Ends     time.Time
}

// Leave sends somebody to the provider of that name: to sign in, or, when he is signed in, to connect that log-in with his
// account. callback is the address where he comes back, next where he goes then.
func (s *Service) Leave(ctx context.Context, name, callback, next string, connect core.ID) (Leaving, error) {
	const op = "identity.Leave"
	p, err := s.findProvider(ctx, "name = ?", name)
	if err != nil {
		return Leaving{}, core.E(op, err)
	}
	client, _, err := s.oauth(ctx, p, callback)
	if err != nil {
		return Leaving{}, core.E(op, err)
	}
	kept := rand.Text() + rand.Text()
	row := leave{Hash: derived("row", kept), ProviderID: p.ID, Next: next, EndsAt: db.Time{Time: s.now().Add(leaveLife)}}
	if connect != "" {
		row.UserID = &connect
	}
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		if err := g.Where("ends_at <= ?", db.Time{Time: s.now()}).Delete(&leave{}).Error; err != nil {
			return err
		}
		return g.Create(&row).Error
	})
	if err != nil {
		return Leaving{}, core.E(op, err)
	}
	location := client.AuthCodeURL(derived("state", kept), oidc.Nonce(derived("nonce", kept)), oauth2.S256ChallengeOption(derived("verifier", kept)))
	return Leaving{location, kept, row.EndsAt.Time}, nil
}

func (s *Service) oauth(ctx context.Context, p *provider, callback string) (*oauth2.Config, *discovery, error) {
	d, err := s.discover(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	secret, err := s.secrets.Get(s.db.Gorm(ctx), clientSecret, p.ID)
	if err != nil && core.KindOf(err) != core.NotFound { // a public client has none
		return nil, nil, err
	}
	scopes := append([]string{oidc.ScopeOpenID}, p.Scopes...)
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: string(secret), Endpoint: d.endpoint, RedirectURL: callback, Scopes: scopes}, d, nil
}

// Return is how a browser comes back from a provider.
type Return struct {
	Provider string // by the address that it came back to
	Callback string
	Kept     string // of the cookie
	State    string
	Code     string
	Issuer   string // as the provider names itself; "" when it does not
	Problem  string // what the provider says is wrong
	From     authz.Peer
	Who      core.ID // who is signed in in the browser; "" for nobody
}

// Arrival is what came of it.
type Arrival struct {
	In
	Next      string
	Connected bool // the log-in was connected with the account of who is signed in; there is no new session
}

// Arrive ends what [Service.Leave] began. Each leave ends once, however it ends.
func (s *Service) Arrive(ctx context.Context, r Return) (Arrival, error) {
	const op = "identity.Arrive"
	away, err := s.endLeave(ctx, r)
	if err != nil {
		return Arrival{}, core.E(op, err) // anybody can come here with anything; it is no attempt to sign in
	}
	p, err := s.findProvider(ctx, "id = ?", away.ProviderID)
	if err != nil {
		return Arrival{}, core.E(op, err)
	}
	out, user, err := s.arrive(ctx, p, r, away)
	if err != nil {
		s.logins.Refused(ctx, p.Name, user, core.AsError(err).Public())
	}
	return out, core.E(op, err)
}

// arrive goes on with who was away, and tells whose account it is about, as far as that is known.
func (s *Service) arrive(ctx context.Context, p *provider, r Return, away leave) (Arrival, core.ID, error) {
	const op = "identity.arrive"
	if p.Name != r.Provider { // an answer of another provider (mix-up, RFC 9700 4.4)
		return Arrival{}, "", core.E(op, errArrival)
	}
	if r.Problem != "" || r.Code == "" {
		return Arrival{}, "", core.E(op, core.Denied, fmt.Sprintf("%s did not sign you in: try again", p.Label), fmt.Errorf("the provider says %q", r.Problem))
	}
	c, err := s.exchange(ctx, p, r)
	if err != nil {
		return Arrival{}, "", core.E(op, err)
	}
	if away.UserID != nil {
		if *away.UserID != r.Who {
			return Arrival{}, *away.UserID, core.E(op, errArrival)
		}
		return Arrival{Next: away.Next, Connected: true}, r.Who, core.E(op, s.connect(ctx, c, r.Who))
	}
	in, user, err := s.arrived(ctx, p, c, r.From)
	return Arrival{In: in, Next: away.Next}, user, core.E(op, err)
}

var errArrival = core.E("identity.Arrive", core.Denied, "this does not belong to a log-in that was begun in this browser within ten minutes: begin again")

// endLeave returns and forgets the leave that the browser comes back from.
func (s *Service) endLeave(ctx context.Context, r Return) (leave, error) {
	var away leave
	if r.Kept == "" || subtle.ConstantTimeCompare([]byte(derived("state", r.Kept)), []byte(r.State)) != 1 {
		return away, errArrival
	}
	err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		if err := g.Where("hash = ? AND ends_at > ?", derived("row", r.Kept), db.Time{Time: s.now()}).Take(&away).Error; err != nil {
			if errors.Is(err, gorm.ErrRecordNotFound) {
				return errArrival
			}
			return err
		}
		done := g.Where("hash = ?", away.Hash).Delete(&leave{})
		if done.Error == nil && done.RowsAffected == 0 {
			return errArrival
		}
		return done.Error
	})
	return away, err
}

// claims are what a provider says of somebody.
type claims struct {
	Issuer        string          `json:"iss"`
	Subject       string          `json:"sub"`
	Party         string          `json:"azp"`
	Audience      json.RawMessage `json:"aud"`
	Name          string          `json:"name"`
	Email         string          `json:"email"`
	EmailVerified bool            `json:"email_verified"`
	Methods       []string        `json:"amr"`
	groups        []string
}

// exchange has the provider say who it was.
func (s *Service) exchange(ctx context.Context, p *provider, r Return) (*claims, error) {
	const op = "identity.exchange"
	client, d, err := s.oauth(ctx, p, r.Callback)
	if err != nil {
		return nil, err
	}
	if r.Issuer != "" && r.Issuer != p.Issuer || r.Issuer == "" && d.mustName {
		return nil, core.E(op, errArrival)
	}
	refused := func(err error) error {
		return core.E(op, core.Denied, fmt.Sprintf("what %s says of you cannot be believed: try again, and tell an administrator when it goes on", p.Label), err)
	}
	ctx = oidc.ClientContext(ctx, s.client)
	got, err := client.Exchange(ctx, r.Code, oauth2.VerifierOption(derived("verifier", r.Kept)))
	if err != nil {
		return nil, refused(err)
	}
	raw, _ := got.Extra("id_token").(string)
	token, err := s.verifier(d, p.ClientID).Verify(ctx, raw)
	if err != nil {
		return nil, refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(derived("nonce", r.Kept))) != 1 {
		return nil, refused(errors.New("the nonce is another one"))
	}
	var c claims
	var all map[string]json.RawMessage
	if err := errors.Join(token.Claims(&c), token.Claims(&all)); err != nil {
		return nil, refused(err)
	}
	if len(token.Audience) > 1 && c.Party == "" || c.Party != "" && c.Party != p.ClientID {
		return nil, refused(errors.New("the token is for another client"))
	}
	if c.Subject == "" {
		return nil, refused(errors.New("the token names nobody"))
	}
	c.Issuer, c.groups = p.Issuer, texts(all[p.GroupsClaim])
	return &c, nil
}

// strong reports whether the provider asked for a second factor (RFC 8176).
func (p *provider) strong(c *claims) bool { return p.SecondFactor || slices.Contains(c.Methods, "mfa") }

// connected returns the user who the log-in is connected with, "" for none.
func connected(g *gorm.DB, issuer, subject string) (core.ID, error) {
	var x externalLogin
	err := g.Where("issuer = ? AND subject = ?", issuer, subject).Take(&x).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return x.UserID, err
}

// connect connects a log-in with the account of a user.
func (s *Service) connect(ctx context.Context, c *claims, user core.ID) error {
	ctx = core.WithCaller(ctx, core.Caller{User: user, Cause: core.Cause{Kind: "api"}})
	return s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return s.connectIn(ctx, tx, c.Issuer, c.Subject, user) })
}

func (s *Service) connectIn(ctx context.Context, tx *db.Tx, issuer, subject string, user core.ID) error {
	g := tx.Gorm(ctx)
	have, err := connected(g, issuer, subject)
	switch {
	case err != nil || have == user:
		return err
	case have != "":
		return core.E("identity.connect", core.Exists, "this log-in is connected with another account already: disconnect it there first")
	}
	if err := s.logins.Changed(ctx, tx, user, "connect_login", map[string]any{"issuer": issuer, "subject": subject}); err != nil {
		return err
	}
	return g.Create(&externalLogin{ID: core.NewID(), Issuer: issuer, Subject: subject, UserID: user, CreatedAt: db.Now()}).Error
}

// arrived begins the session of somebody whom a provider has named, who is the user. His roles follow his groups.
func (s *Service) arrived(ctx context.Context, p *provider, c *claims, from authz.Peer) (in In, user core.ID, err error) {
	const op = "identity.arrived"
	user, err = connected(s.db.Gorm(ctx), c.Issuer, c.Subject)
	if err != nil {
		return in, user, core.E(op, s.db.Classify(err))
	}
	if user == "" {
		if user, err = s.first(ctx, p, c); err != nil {
			return in, user, err
		}
	}
	if _, err := s.asks(ctx, authz.Proof{User: user}, core.Cause{}); err != nil { // disabled
		return in, user, core.E(op, err)
	}
	if err := s.followGroups(ctx, p, c, user); err != nil {
		return in, user, err
	}
	session, err := s.logins.Begin(ctx, authz.Start{User: user, Method: p.Name, Strong: p.strong(c), Peer: from}, func(tx *gorm.DB) error {
		return tx.Model(&externalLogin{}).Where("issuer = ? AND subject = ?", c.Issuer, c.Subject).Update("used_at", db.Now()).Error
	})
	if err != nil {
		return in, user, core.E(op, err)
	}
	in, err = s.entered(ctx, session, "")
	return in, user, err
}

// first makes the user of a first log-in, when the provider is for that. A user of the same e-mail address is never taken for
// him: who gets an address at some provider would get the account.
func (s *Service) first(ctx context.Context, p *provider, c *claims) (user core.ID, err error) {
	const op = "identity.first"
	if p.OnFirst != onFirstCreate {
		return "", core.E(op, core.Denied, fmt.Sprintf("no account is connected with your log-in at %s: sign in to your account, and connect it on the page /account, or ask an administrator", p.Label))
	}
	if c.Email == "" || !c.EmailVerified && !p.TrustEmail {
		return "", core.E(op, core.Denied, fmt.Sprintf("%s does not say that your e-mail address was verified, so that no account can be made: ask an administrator", p.Label))
	}
	name := c.Name
	if name == "" {
		name = c.Email
	}
	err = s.change(ctx, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		if user, err = connected(g, c.Issuer, c.Subject); err != nil || user != "" { // another request of his was first
			return err
		}
		if user, err = authz.CreateUser(g, authz.NewUser{Name: name, Email: c.Email}); err != nil {
			return err
		}
		for _, role := range p.DefaultRoles {
			if err := authz.AssignRole(g, authz.Assignment{User: user, Role: role}); err != nil && core.KindOf(err) != core.NotFound {
				return err
			}
		}
		return s.connectIn(ctx, tx, c.Issuer, c.Subject, user)
	})
	if core.KindOf(err) == core.Exists {
		return "", core.E(op, core.Denied, "there is an account with your e-mail address, which is not connected with this log-in: sign in to it, and connect the log-in on the page /account", err)
	}
	return user, core.E(op, err)
}

// followGroups gives and takes the roles that the provider is in charge of.
func (s *Service) followGroups(ctx context.Context, p *provider, c *claims, user core.ID) error {
	const op = "identity.followGroups"
	want, policy := p.mapped(c.groups), s.store.Snapshot().Policy
	maps.DeleteFunc(want, func(role string, _ bool) bool { return policy.NeedRole(role) != nil }) // nobody has what is not there
	same, err := authz.Follows(s.db.Gorm(ctx), user, want)
	if err != nil {
		return core.E(op, s.db.Classify(err))
	}
	if same {
		return nil
	}
	return core.E(op, s.change(ctx, func(tx *db.Tx) error { return authz.Follow(tx.Gorm(ctx), user, want) }))
}

// change runs a change of the policy that a provider caused.
func (s *Service) change(ctx context.Context, f func(tx *db.Tx) error) error {
	return s.store.ChangeAccess(core.WithCaller(ctx, core.Caller{Name: "provider", Cause: core.Cause{Kind: "api"}}), func(tx *db.Tx) error {
		tx.AfterCommit(s.logins.Forget)
		return f(tx)
	})
}

// SignOut returns where who has the session signs out of the provider that it began with, "" when there is none. back is where
// he goes from there.
func (s *Service) SignOut(ctx context.Context, token, back string) string {
	p, err := s.findProvider(ctx, "name = ?", s.logins.Method(ctx, token))
	if err != nil {
		return ""
	}
	d, err := s.discover(ctx, p)
	if err != nil || d.end == "" {
		return ""
	}
	return addQuery(d.end, map[string]string{"client_id": p.ClientID, "post_logout_redirect_uri": back})
}
