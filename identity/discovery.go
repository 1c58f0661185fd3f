package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"colonnade/core"
)

// algorithms are the signatures that are taken: asymmetric ones, so that nobody who knows the client secret, or nothing at
// all, can make one.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

const (
	discoverAgain = time.Hour        // how long what a provider says of itself counts
	keysAgain     = time.Hour        // how long its keys count; those that it withdraws are good no longer
	unknownAgain  = 10 * time.Second // how soon the keys are asked for again because one is not there
)

// discovery is what a provider says of itself.
type discovery struct {
	provider provider // that it was asked as
	at       time.Time
	endpoint oauth2.Endpoint
	end      string // where people sign out
	mustName bool   // it tells its issuer with each answer (RFC 9207)
	keys     *keySet
}

// discover returns what the provider says of itself, which is asked for once an hour.
func (s *Service) discover(ctx context.Context, p *provider) (*discovery, error) {
	const op = "identity.discover"
	if v, ok := s.discovered.Load(p.ID); ok {
		d := v.(*discovery)
		if d.provider.Issuer == p.Issuer && s.now().Sub(d.at) < discoverAgain {
			return d, nil
		}
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, s.client), p.Issuer) // which compares the issuer
	if err != nil {
		return nil, core.E(op, core.Unavailable, fmt.Sprintf("the provider %s does not say how to sign in with it: try again, and tell an administrator when it goes on", p.Label), err)
	}
	var more struct {
		Keys     string `json:"jwks_uri"`
		End      string `json:"end_session_endpoint"`
		MustName bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, core.E(op, core.Unavailable, fmt.Sprintf("the provider %s does not say how to sign in with it", p.Label), err)
	}
	d := &discovery{provider: *p, at: s.now(), endpoint: found.Endpoint(), end: more.End, mustName: more.MustName, keys: &keySet{url: more.Keys, client: s.client, now: s.now}}
	s.discovered.Store(p.ID, d)
	return d, nil
}

// verifier checks tokens of the provider for an audience.
func (s *Service) verifier(d *discovery, audience string) *oidc.IDTokenVerifier {
	return oidc.NewVerifier(d.provider.Issuer, d.keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms, Now: s.now})
}

// keySet are the keys of a provider. A token with a key that is not there has them asked for again, at most every ten seconds,
// so that a stranger's tokens do not have us call the provider each time.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	keys  []jose.JSONWebKey
	read  time.Time
	tried time.Time
}

var _ oidc.KeySet = (*keySet)(nil)

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	allowed := make([]jose.SignatureAlgorithm, len(algorithms))
	for i, a := range algorithms {
		allowed[i] = jose.SignatureAlgorithm(a)
	}
	signed, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, err
	}
	if len(signed.Signatures) != 1 {
		return nil, fmt.Errorf("a token has one signature, not %d", len(signed.Signatures))
	}
	id := signed.Signatures[0].Header.KeyID
	keys, err := k.of(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if payload, err := signed.Verify(&keys[i]); err == nil {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("no key of the provider has signed the token")
}

// of returns the keys of that id; all of them when it is empty.
func (k *keySet) of(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	found := k.find(id)
	if (len(found) == 0 || now.Sub(k.read) >= keysAgain) && now.Sub(k.tried) >= unknownAgain {
		k.tried = now
		if err := k.fetch(ctx, now); err != nil {
			return nil, err
		}
		found = k.find(id)
	}
	if now.Sub(k.read) >= keysAgain {
		return nil, fmt.Errorf("the keys of the provider are out of date, and it does not tell others")
	}
	return found, nil
}

func (k *keySet) find(id string) []jose.JSONWebKey {
	if id == "" {
		return k.keys
	}
	return slices.Collect(func(yield func(jose.JSONWebKey) bool) {
		for _, key := range k.keys {
			if key.KeyID == id && !yield(key) {
				return
			}
		}
	})
}

// fetch asks the provider. A key that we cannot use is passed over.
func (k *keySet) fetch(ctx context.Context, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the keys of the provider: %s", res.Status)
	}
	var all struct{ Keys []json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		return err
	}
	var keys []jose.JSONWebKey
	for _, raw := range all.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.IsPublic() && key.Use != "enc" {
			keys = append(keys, key)
		}
	}
	k.keys, k.read = keys, now
	return nil
}
