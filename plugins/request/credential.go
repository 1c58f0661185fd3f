package request

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/egress"
)

// The kinds of credentials: how the secret is sent.
const (
	bearer    = "bearer"    // Authorization: Bearer SECRET
	basic     = "basic"     // Authorization: Basic, of USER:PASSWORD
	header    = "header"    // as the value of a header
	signature = "signature" // not at all: requests are signed with it, after Standard Webhooks
	oauth     = "oauth2"    // to a server that gives tokens for it (RFC 6749, 4.4), which are sent as bearer tokens
)

var kinds = []string{bearer, basic, header, signature, oauth}

// credential is what a server knows the caller by, but for the secret itself.
type credential struct {
	ID        core.ID `gorm:"primaryKey"`
	Name      string
	Kind      string
	Settings  settings `gorm:"serializer:json"`
	ChangedBy core.ID
	ChangedAt db.Time

	secret string
}

// settings are what the kinds need, and who may use the credential where.
type settings struct {
	Hosts    []string `json:"hosts"`
	Roles    []string `json:"roles,omitempty"` // everybody who may call servers where there are none
	Header   string   `json:"header,omitempty"`
	TokenURL string   `json:"token_url,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
}

// TableName implements gorm's Tabler.
func (credential) TableName() string { return "_credential" }

// secretKind is the kind of the secrets of credentials.
const secretKind = "credential"

// find returns the credential of that name; nil when there is none.
func find(g *gorm.DB, name string) (*credential, error) {
	var c credential
	err := g.Where("name = ?", name).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	return &c, err
}

// open returns a credential that the caller of ctx may use, with its secret.
func (s *Service) open(ctx context.Context, name string) (*credential, error) {
	const op = "request.open"
	c, err := find(s.db.Gorm(ctx), name)
	if err != nil {
		return nil, core.E(op, s.db.Classify(err))
	}
	if c == nil || !c.usable(core.CallerFrom(ctx)) {
		return nil, core.E(op, core.Denied, core.At{Column: "credential"}, fmt.Sprintf("there is no credential %q that you may use: who manages credentials can make one, or let a role of yours use it", name))
	}
	plain, err := s.secrets.Get(s.db.Gorm(ctx), secretKind, c.ID)
	c.secret = string(plain)
	return c, core.E(op, err)
}

// usable reports whether the caller may use the credential.
func (c *credential) usable(who core.Caller) bool {
	return len(c.Settings.Roles) == 0 || who.HasRole(authz.Administrator) || slices.ContainsFunc(c.Settings.Roles, who.HasRole)
}

// fits refuses an address that the credential was not made for.
func (c *credential) fits(u *url.URL) error {
	const op = "request.fits"
	if host := egress.Host(u.String()); !slices.Contains(c.Settings.Hosts, host) {
		return core.E(op, core.Denied, core.At{Column: "url"}, fmt.Sprintf("the credential %s is for %s, and is not sent to %s", c.Name, strings.Join(c.Settings.Hosts, ", "), host))
	}
	if !egress.Sealed(u) {
		return core.E(op, core.Denied, core.At{Column: "url"}, "a credential is sent to addresses that begin with https:// only")
	}
	return nil
}

// write writes the credential into the headers of a request, and returns all that must not come back.
func (c *credential) write(ctx context.Context, s *Service, r *asked, h http.Header) (told []string, err error) {
	told = []string{c.secret}
	set := func(name, value, secret string) {
		h.Set(name, value)
		told = append(told, secret)
	}
	switch c.Kind {
	case bearer:
		h.Set("Authorization", "Bearer "+c.secret)
	case basic:
		encoded := base64.StdEncoding.EncodeToString([]byte(c.secret))
		set("Authorization", "Basic "+encoded, encoded)
		if _, password, _ := strings.Cut(c.secret, ":"); len(password) >= minSecret {
			told = append(told, password)
		}
	case header:
		h.Set(c.Settings.Header, c.secret)
	case signature:
		at := s.o.Now().Unix()
		h.Set("Webhook-Id", r.id)
		h.Set("Webhook-Timestamp", strconv.FormatInt(at, 10))
		h.Set("Webhook-Signature", egress.Sign(c.secret, r.id, at, r.body))
	case oauth:
		t, err := c.tokens(s).Token()
		if err != nil {
			return nil, c.noToken(ctx, err)
		}
		set("Authorization", "Bearer "+t.AccessToken, t.AccessToken)
	}
	return told, nil
}

// version names a credential as it is now.
func (c *credential) version() string { return string(c.ID) + "/" + c.ChangedAt.String() }

// tokens returns the source of tokens, which asks for a new one when the last has become too old.
func (c *credential) tokens(s *Service) oauth2.TokenSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.tokens[c.version()]; of != nil {
		return of
	}
	o := clientcredentials.Config{ClientID: c.Settings.ClientID, ClientSecret: c.secret, TokenURL: c.Settings.TokenURL, Scopes: c.Settings.Scopes}
	// Not under the context of this call: the source outlives it. The client bounds how long an answer takes.
	of := o.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, s.client))
	if len(s.tokens) >= maxTokens {
		clear(s.tokens)
	}
	s.tokens[c.version()] = of
	return of
}

// maxTokens is for how many credentials tokens are kept.
const maxTokens = 1000

// forget has the next request ask for a new token, and reports whether the credential has any.
func (c *credential) forget(s *Service) bool {
	if c == nil || c.Kind != oauth {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, c.version())
	return true
}

// noToken says why there is no token. What the server sent is not quoted: it may hold the secret.
func (c *credential) noToken(ctx context.Context, err error) error {
	const op = "request.noToken"
	host := egress.Host(c.Settings.TokenURL)
	var refused *oauth2.RetrieveError
	var told *core.Error
	switch {
	case ctx.Err() != nil:
		return core.E(op, ctx.Err())
	case errors.As(err, &refused) && refused.Response != nil && egress.Busy(refused.Response.StatusCode):
		return core.E(op, core.Unavailable, fmt.Sprintf("%s, which gives tokens for the credential %s, answered with the status %d", host, c.Name, refused.Response.StatusCode))
	case errors.As(err, &refused) && refused.Response != nil:
		why := ""
		if token(refused.ErrorCode) {
			why = ": " + refused.ErrorCode
		}
		return core.E(op, core.Failed, fmt.Sprintf("%s gives no token for the credential %s: status %d%s", host, c.Name, refused.Response.StatusCode, why))
	case errors.As(err, &told):
		return core.E(op, told)
	}
	return core.E(op, core.Failed, fmt.Sprintf("%s answers with no token for the credential %s", host, c.Name))
}

// minSecret is how long a secret is at least: a shorter one would be found in too many answers.
const minSecret = 8

// check says what is wrong with the credential.
func (c *credential) check(s *Service, policy *authz.Policy) error {
	if err := core.CheckName("credential", c.Name); err != nil {
		return core.E("request.check", core.At{Column: "name"}, err)
	}
	if len(c.Settings.Hosts) == 0 {
		return invalid("hosts", "name the hosts that it may be sent to, such as api.example.com")
	}
	for i, host := range c.Settings.Hosts {
		c.Settings.Hosts[i] = egress.Host("https://" + host)
		if u, err := url.Parse("https://" + host); err != nil || c.Settings.Hosts[i] == "" || u.Port() != "" || u.Path != "" || u.User != nil || u.RawQuery != "" || strings.Contains(host, "*") {
			return invalid("hosts", fmt.Sprintf("%q is no host such as api.example.com, without a port, a path and *", host))
		}
	}
	for _, role := range c.Settings.Roles {
		if err := policy.NeedRole(role); err != nil {
			return core.E("request.check", core.At{Column: "roles"}, err)
		}
	}
	if err := c.checkSecret(); err != nil {
		return err
	}
	return c.checkKind(s)
}

func (c *credential) checkSecret() error {
	user, password, pair := strings.Cut(c.secret, ":")
	switch {
	case len(c.secret) < minSecret || len(c.secret) > 8<<10:
		return invalid("value", fmt.Sprintf("a secret has %d to 8192 bytes", minSecret))
	case strings.ContainsAny(c.secret, "\r\n\x00"):
		return invalid("value", "a secret is one line: it is written into a header")
	case c.Kind == basic && (!pair || user == "" && password == ""):
		return invalid("value", "give the user and the password as USER:PASSWORD; either may be empty")
	case c.Kind == signature && len(c.secret) < minKey:
		return invalid("value", fmt.Sprintf("a key to sign with has at least %d characters", minKey))
	}
	return nil
}

// minKey is how long a key is at least that requests are signed with, in bytes.
const minKey = 24

func (c *credential) checkKind(s *Service) error {
	o := &c.Settings
	switch {
	case !slices.Contains(kinds, c.Kind):
		return invalid("kind", "the kind is one of "+strings.Join(kinds, ", "))
	case (c.Kind == header) != (o.Header != ""):
		return invalid("header", "a credential of the kind header, and no other, names the header that it is sent in")
	case c.Kind == header && (!token(o.Header) || slices.ContainsFunc(ownHeaders, func(own string) bool { return strings.EqualFold(own, o.Header) })):
		return invalid("header", fmt.Sprintf("%q is no header that a secret can be sent in", o.Header))
	case c.Kind != oauth && (o.TokenURL != "" || o.ClientID != "" || len(o.Scopes) > 0):
		return invalid("token_url", "token_url, client_id and scopes are for credentials of the kind oauth2")
	case c.Kind != oauth:
		return nil
	case o.ClientID == "":
		return invalid("client_id", "name the client that the server that gives tokens knows this server as")
	}
	if err := s.o.Egress.CheckURL(o.TokenURL); err != nil {
		return core.E("request.checkKind", core.At{Column: "token_url"}, err)
	}
	if u, err := url.Parse(o.TokenURL); err != nil || !egress.Sealed(u) {
		return invalid("token_url", "the secret is sent to addresses that begin with https:// only")
	}
	return nil
}

// describe is what lists and the audit say of the credential.
func (c *credential) describe() map[string]any {
	out := map[string]any{"name": c.Name, "kind": c.Kind, "hosts": core.Texts(c.Settings.Hosts), "roles": core.Texts(c.Settings.Roles), "scopes": core.Texts(c.Settings.Scopes)}
	for name, value := range map[string]string{"header": c.Settings.Header, "token_url": c.Settings.TokenURL, "client_id": c.Settings.ClientID} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}
