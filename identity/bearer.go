package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"colonnade/authz"
	"colonnade/core"
)

const maxBearer = 8 << 10 // bytes of an access token

// errBearer is the one answer to every access token that is not good.
var errBearer = core.E("identity.bearer", core.Unknown, "the access token is not valid or has ended, or its user is not known here: sign in again")

// isJWT reports whether a token can be an access token of a provider. Ours have no dots.
func isJWT(token string) bool { return strings.Count(token, ".") == 2 && len(token) <= maxBearer }

// bearer returns what the access token of a provider proves: a JWT for the audience that the provider was set up with here,
// of somebody whose log-in is connected with a user.
func (s *Service) bearer(ctx context.Context, token string) (authz.Proof, error) {
	const op = "identity.bearer"
	p, err := s.issuerOf(ctx, token)
	if err != nil {
		return authz.Proof{}, err
	}
	d, err := s.discover(ctx, p)
	if err != nil {
		return authz.Proof{}, core.E(op, err)
	}
	t, err := s.verifier(d, p.BearerAudience).Verify(oidc.ClientContext(ctx, s.client), token)
	if err == nil && t.Subject == "" {
		err = errors.New("the token names nobody")
	}
	if err != nil {
		return authz.Proof{}, core.E(op, core.Unknown, core.AsError(errBearer).Msg, err)
	}
	user, err := connected(s.db.Gorm(ctx), p.Issuer, t.Subject)
	if err != nil {
		return authz.Proof{}, core.E(op, s.db.Classify(err))
	}
	if user == "" {
		return authz.Proof{}, errBearer
	}
	return authz.Proof{User: user, Login: core.Login{Kind: "token", Strong: p.SecondFactor}}, nil
}

// issuerOf returns the provider that a token claims to be of, which is to be verified.
func (s *Service) issuerOf(ctx context.Context, token string) (*provider, error) {
	parts := strings.Split(token, ".")
	var head struct {
		Type string `json:"typ"`
	}
	var body struct {
		Issuer string `json:"iss"`
	}
	if decodePart(parts[0], &head) != nil || decodePart(parts[1], &body) != nil || body.Issuer == "" {
		return nil, errBearer
	}
	switch strings.ToLower(head.Type) {
	case "", "jwt", "at+jwt", "application/at+jwt":
	default:
		return nil, errBearer // made for something else, such as signing out
	}
	p, err := s.findProvider(ctx, "bearer_audience <> '' AND issuer = ?", body.Issuer)
	if core.KindOf(err) == core.NotFound {
		return nil, errBearer
	}
	return p, err
}

func decodePart(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func addQuery(address string, more map[string]string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	q := u.Query()
	for name, v := range more {
		q.Set(name, v)
	}
	u.RawQuery = q.Encode()
	return u.String()
}
