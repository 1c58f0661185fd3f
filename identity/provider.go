package identity

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/egress"
)

// provider is another server that says who somebody is: an identity provider of OpenID Connect.
type provider struct {
	ID             core.ID `gorm:"primaryKey"`
	Name           string  // in addresses
	Label          string  // on the button
	Issuer         string
	ClientID       string
	Scopes         []string    `gorm:"serializer:json"`
	GroupsClaim    string      // the claim with the groups of a user; "" for none
	GroupRoles     []groupRole `gorm:"serializer:json"`
	DefaultRoles   []string    `gorm:"serializer:json"` // of users that a first log-in makes
	OnFirst        string      // refuse or create
	TrustEmail     bool        // that the provider has verified every address, though it does not say so
	SecondFactor   bool        // its log-ins count as with a second factor
	BearerAudience string      // of access tokens that are taken as bearer tokens; "" for none
	Enabled        bool
	CreatedAt      db.Time
	ChangedAt      db.Time
}

// groupRole gives the members of a group of the provider a role here.
type groupRole struct {
	Group string `json:"group"`
	Role  string `json:"role"`
}

// TableName implements gorm's Tabler.
func (provider) TableName() string { return "_provider" }

// externalLogin says which user somebody of a provider is. The issuer and the subject are all that counts: an e-mail address
// proves nothing.
type externalLogin struct {
	ID        core.ID `gorm:"primaryKey"`
	Issuer    string
	Subject   string
	UserID    core.ID
	CreatedAt db.Time
	UsedAt    db.Time
}

// TableName implements gorm's Tabler.
func (externalLogin) TableName() string { return "_external_login" }

// The things that a first log-in can lead to.
const (
	onFirstRefuse = "refuse"
	onFirstCreate = "create"
)

const clientSecret = "oidc" // the kind of the secret of a provider

// check says what is wrong with the provider.
func (p *provider) check(s *Service) error {
	const op = "identity.put_provider"
	at := func(column string) core.At { return core.At{Column: column} }
	if err := core.CheckName("provider", p.Name); err != nil {
		return core.E(op, at("name"), err)
	}
	u, err := url.Parse(p.Issuer)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return core.E(op, core.Invalid, at("issuer"), "the issuer is an address such as https://login.example.com, without ? and #")
	}
	if err := s.guard.CheckURL(p.Issuer); err != nil {
		return core.E(op, at("issuer"), err)
	}
	if !egress.Sealed(u) {
		return core.E(op, core.Invalid, at("issuer"), "the issuer must begin with https://, since what it says is believed")
	}
	switch {
	case p.ClientID == "":
		return core.E(op, core.Invalid, at("client_id"), "name the client that the provider knows this server as")
	case p.OnFirst != onFirstRefuse && p.OnFirst != onFirstCreate:
		return core.E(op, core.Invalid, at("on_first_login"), "the first log-in of somebody is one to refuse, or to create a user for")
	case p.BearerAudience != "" && p.BearerAudience == p.ClientID:
		return core.E(op, core.Invalid, at("bearer_audience"), "the audience of access tokens must differ from the client_id, or tokens that say who signed in elsewhere would be taken")
	case len(p.GroupRoles) > 0 && p.GroupsClaim == "":
		return core.E(op, core.Invalid, at("groups_claim"), "name the claim that holds the groups, such as groups")
	}
	return nil
}

// complete fills in what was left out.
func (p *provider) complete() {
	if p.Label == "" {
		p.Label = p.Name
	}
	if p.OnFirst == "" {
		p.OnFirst = onFirstRefuse
	}
	if p.Scopes == nil {
		p.Scopes = []string{"email", "profile"}
	}
	if p.GroupRoles == nil {
		p.GroupRoles = []groupRole{}
	}
	if p.DefaultRoles == nil {
		p.DefaultRoles = []string{}
	}
}

// checkRoles refuses a provider that hands out what is not there.
func (p *provider) checkRoles(policy *authz.Policy) error {
	for _, name := range p.roles() {
		if err := policy.NeedRole(name); err != nil {
			return core.E("identity.put_provider", core.At{Column: "group_roles"}, err)
		}
	}
	return nil
}

// roles are all that the provider hands out.
func (p *provider) roles() []string {
	out := slices.Clone(p.DefaultRoles)
	for _, g := range p.GroupRoles {
		out = append(out, g.Role)
	}
	return out
}

// mapped returns the roles that are for the provider to give and take, and whether the groups are in them.
func (p *provider) mapped(groups []string) map[string]bool {
	out := map[string]bool{}
	for _, g := range p.GroupRoles {
		out[g.Role] = out[g.Role] || slices.Contains(groups, g.Group)
	}
	return out
}

// findProvider returns the enabled provider that the condition finds.
func (s *Service) findProvider(ctx context.Context, where string, arg any) (*provider, error) {
	var p provider
	if err := s.db.Gorm(ctx).Where("enabled AND "+where, arg).Take(&p).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, core.E("identity.findProvider", core.NotFound, "there is no such provider to sign in with")
		}
		return nil, core.E("identity.findProvider", s.db.Classify(err))
	}
	return &p, nil
}

// Button is a provider on the page to sign in.
type Button struct{ Name, Label string }

// Buttons returns the providers that people can sign in with, by name.
func (s *Service) Buttons(ctx context.Context) ([]Button, error) {
	var out []Button
	err := s.db.Gorm(ctx).Model(&provider{}).Where("enabled").Order("name").Find(&out).Error
	if err != nil {
		return nil, core.E("identity.Buttons", s.db.Classify(err))
	}
	return out, nil
}

// put keeps a provider in place of the one of its name. A provider that leads elsewhere forgets the secret, unless it is told
// again: who may not read it must not have it sent to a server of his own.
func (s *Service) put(ctx context.Context, tx *db.Tx, p *provider, secret string) error {
	g := tx.Gorm(ctx)
	var old provider
	err := g.Where("name = ?", p.Name).Take(&old).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	p.ID, p.CreatedAt, p.ChangedAt = core.NewID(), db.Now(), db.Now()
	if err == nil {
		p.ID, p.CreatedAt = old.ID, old.CreatedAt
		if secret == "" && (p.Issuer != old.Issuer || p.ClientID != old.ClientID) {
			if err := s.secrets.Drop(ctx, tx, clientSecret, p.ID); err != nil {
				return err
			}
		}
	}
	if secret != "" {
		if err := s.secrets.Put(ctx, tx, clientSecret, p.ID, []byte(secret)); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.discovered.Delete(p.ID) })
	if err := s.noteProvider(ctx, tx, "put_provider", p, map[string]any{"secret": secret != "", "before": old.noted()}); err != nil {
		return err
	}
	return g.Save(p).Error
}

// noteProvider keeps in the access log that a provider was changed: who can be let in by whom depends on it.
func (s *Service) noteProvider(ctx context.Context, tx *db.Tx, change string, p *provider, more map[string]any) error {
	data := map[string]any{"change": change, "provider": p.noted()}
	maps.Copy(data, more)
	return s.logins.Note(ctx, tx, authz.Notice{Kind: authz.NoticeProvider, Data: data})
}

// noted is what is kept of the provider; nil when there is none.
func (p *provider) noted() any {
	if p.ID == "" {
		return nil
	}
	out := p.shown(false)
	delete(out, "has_secret")
	return out
}

// texts are the texts of a claim that holds one or several.
func texts(raw json.RawMessage) []string {
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return strings.Fields(one)
	}
	return nil
}
