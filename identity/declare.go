package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
	"colonnade/core/db"
)

// Declared is a provider that the operator sets up, beside the action put_provider.
type Declared struct {
	provider provider
	secret   string
}

// declaration is a provider as a file says it: what put_provider takes, and where the secret is found.
type declaration struct {
	Name           string      `yaml:"name"`
	Label          string      `yaml:"label"`
	Issuer         string      `yaml:"issuer"`
	ClientID       string      `yaml:"client_id"`
	SecretFile     string      `yaml:"client_secret_file"`
	SecretEnv      string      `yaml:"client_secret_env"`
	Scopes         []string    `yaml:"scopes"`
	GroupsClaim    string      `yaml:"groups_claim"`
	GroupRoles     []groupRole `yaml:"group_roles"`
	DefaultRoles   []string    `yaml:"default_roles"`
	OnFirst        string      `yaml:"on_first_login"`
	TrustEmail     bool        `yaml:"trust_email"`
	SecondFactor   bool        `yaml:"second_factor"`
	BearerAudience string      `yaml:"bearer_audience"`
	Enabled        *bool       `yaml:"enabled"`
}

// ReadProviders reads the providers of a document in YAML, and the secrets that it names.
func ReadProviders(document []byte) ([]Declared, error) {
	const op = "identity.ReadProviders"
	var all struct {
		Providers []declaration `yaml:"providers"`
	}
	d := yaml.NewDecoder(bytes.NewReader(document))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, core.E(op, core.Invalid, "the providers cannot be read: "+strings.TrimPrefix(err.Error(), "yaml: "), err)
	}
	var out []Declared
	for i, p := range all.Providers {
		if slices.ContainsFunc(out, func(o Declared) bool { return o.provider.Name == p.Name }) {
			return nil, core.E(op, core.Invalid, fmt.Sprintf("the provider %s is there twice", p.Name))
		}
		one, err := p.declared()
		if err != nil {
			return nil, core.E(op, core.At{Item: i + 1}, err, fmt.Sprintf("the provider %s: %s", p.Name, core.AsError(err).Msg))
		}
		out = append(out, one)
	}
	return out, nil
}

func (d *declaration) declared() (out Declared, err error) {
	out.provider = provider{
		Name: d.Name, Label: d.Label, Issuer: d.Issuer, ClientID: d.ClientID, Scopes: d.Scopes, GroupsClaim: d.GroupsClaim, GroupRoles: d.GroupRoles, DefaultRoles: d.DefaultRoles,
		OnFirst: d.OnFirst, TrustEmail: d.TrustEmail, SecondFactor: d.SecondFactor, BearerAudience: d.BearerAudience, Enabled: d.Enabled == nil || *d.Enabled,
	}
	out.provider.complete()
	out.secret, err = d.secret()
	return out, err
}

// secret reads the secret from where the declaration says that it is; "" for a public client.
func (d *declaration) secret() (string, error) {
	const op = "identity.secret"
	var text string
	switch {
	case d.SecretFile != "" && d.SecretEnv != "":
		return "", core.E(op, core.Invalid, "name one place for the secret: client_secret_file or client_secret_env")
	case d.SecretFile != "":
		b, err := os.ReadFile(d.SecretFile)
		if err != nil {
			return "", core.E(op, core.Invalid, "the file of the client secret cannot be read: "+err.Error())
		}
		text = strings.TrimSpace(string(b))
	case d.SecretEnv != "":
		text = os.Getenv(d.SecretEnv)
	default:
		return "", nil
	}
	if text == "" {
		return "", core.E(op, core.Invalid, "the client secret is empty where it should be")
	}
	return text, nil
}

// Declare sets up the providers, as the operator, where they are not as they should be. put_provider and drop_provider leave
// them alone from then on; what is not named stays as it is. It is called before anybody signs in.
func (s *Service) Declare(ctx context.Context, all []Declared) error {
	const op = "identity.Declare"
	ctx = core.WithCaller(ctx, core.Caller{Name: "operator", Cause: core.Cause{Kind: "setup"}})
	s.declared = map[string]bool{}
	for i := range all {
		p := &all[i].provider
		if err := p.check(s); err != nil {
			return core.E(op, err, fmt.Sprintf("the provider %s: %s", p.Name, core.AsError(err).Msg))
		}
		s.declared[p.Name] = true
		err := s.declare(ctx, *p, all[i].secret)
		if core.KindOf(err) == core.Exists { // another server was first
			err = s.declare(ctx, *p, all[i].secret)
		}
		if err != nil {
			return core.E(op, err)
		}
		s.tellMissing(ctx, p)
	}
	return nil
}

func (s *Service) declare(ctx context.Context, p provider, told string) error {
	return s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		same, err := s.same(ctx, tx, &p, told)
		if err != nil || same {
			return err
		}
		return s.put(ctx, tx, &p, told)
	})
}

// same reports whether the provider is there already, with the same secret.
func (s *Service) same(ctx context.Context, tx *db.Tx, p *provider, told string) (bool, error) {
	g := tx.Gorm(ctx)
	var have provider
	if err := g.Where("name = ?", p.Name).Limit(1).Find(&have).Error; err != nil || have.ID == "" {
		return false, err
	}
	a, errA := json.Marshal(p.shown(false))
	was := have
	was.ID = p.ID
	b, errB := json.Marshal(was.shown(false))
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		return false, err
	}
	if told == "" {
		return true, nil // one that an administrator told stays
	}
	sealed, err := s.secrets.Get(g, clientSecret, have.ID)
	if kind := core.KindOf(err); kind == core.NotFound || kind == core.Unavailable { // none, or under a key that is lost
		return false, nil
	}
	return err == nil && string(sealed) == told, err
}

// tellMissing warns of roles that the provider hands out and that are not there, as in a new database: nobody gets them yet.
func (s *Service) tellMissing(ctx context.Context, p *provider) {
	policy := s.store.Snapshot().Policy
	for _, role := range p.roles() {
		if policy.NeedRole(role) != nil {
			s.log.WarnContext(ctx, "identity: a provider hands out a role that is not there: nobody gets it until it is", "provider", p.Name, "role", role)
		}
	}
}
