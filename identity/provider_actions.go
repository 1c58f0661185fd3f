package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

var providerColumns = []core.Column{
	required(text("name", "The name, as in addresses; one of that name is replaced.")),
	text("label", "What is on the button; the name when left out."),
	required(text("issuer", "The address of the provider, exactly as it names itself.")),
	required(text("client_id", "What the provider knows this server as.")),
	{Name: "scopes", Kind: core.Text, List: true, Doc: "What is asked for besides openid; email and profile when left out."},
	text("groups_claim", "The claim that holds the groups of a user, such as groups."),
	{Name: "group_roles", Kind: core.Object, List: true, Doc: "Roles that follow the groups, at each log-in: who is in none of a role's groups loses it.", Fields: []core.Column{
		required(text("group", "A group of the provider.")), required(text("role", "The role of its members.")),
	}},
	{Name: "default_roles", Kind: core.Text, List: true, Doc: "Roles of users whom a first log-in makes."},
	text("on_first_login", "What becomes of somebody whose log-in is connected with no user: refuse, or create a user; refuse when left out."),
	{Name: "trust_email", Kind: core.Boolean, Doc: "The provider has verified every e-mail address, though it does not say so."},
	{Name: "second_factor", Kind: core.Boolean, Doc: "Its log-ins count as with a second factor. Those that say so themselves (amr: mfa) do in any case."},
	text("bearer_audience", "Its access tokens for this audience are taken as bearer tokens; none when left out."),
	{Name: "enabled", Kind: core.Boolean, Doc: "Whether one can sign in with it; true when left out."},
}

func (s *Service) putProvider() core.Action {
	a := core.Action{
		Name: "put_provider", Doc: "Sets up an identity provider of OpenID Connect to sign in with, for administrators. Its callback address is /auth/oidc/NAME/callback.", StepUp: true, Secret: true,
		Input:  append(append([]core.Column{}, providerColumns...), text("client_secret", "What the provider knows this server by; it is sealed and never shown. Left out, the one that is there stays, unless issuer or client_id are others.")),
		Output: []core.Column{idColumn},
		Examples: []core.Example{{In: core.Record{
			"name": "corporate", "label": "Corporate account", "issuer": "https://login.example.com", "client_id": "colonnade", "groups_claim": "groups", "group_roles": []any{map[string]any{"group": "sales", "role": "sales"}},
		}}},
	}
	return s.personal(a, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		if err := tx.Snapshot().Policy.Administers(who); err != nil {
			return nil, err
		}
		p := &provider{Enabled: true}
		if err := p.read(c.In); err != nil {
			return nil, err
		}
		p.complete()
		if err := cmp.Or(s.notDeclared(p.Name), p.check(s), p.checkRoles(tx.Snapshot().Policy)); err != nil {
			return nil, err
		}
		err := s.put(ctx, tx.DB(), p, c.Text("client_secret"))
		return core.Record{"id": string(p.ID)}, err
	})
}

// notDeclared refuses to change a provider that the operator sets up.
func (s *Service) notDeclared(name string) error {
	if !s.declared[name] {
		return nil
	}
	return core.E("identity.notDeclared", core.Denied, core.At{Column: "name"}, fmt.Sprintf("the provider %s is set up by --providers, when the server starts: change it there", name))
}

// read takes what the input names.
func (p *provider) read(in core.Record) error {
	named := struct {
		Name           *string      `json:"name"`
		Label          *string      `json:"label"`
		Issuer         *string      `json:"issuer"`
		ClientID       *string      `json:"client_id"`
		Scopes         *[]string    `json:"scopes"`
		GroupsClaim    *string      `json:"groups_claim"`
		GroupRoles     *[]groupRole `json:"group_roles"`
		DefaultRoles   *[]string    `json:"default_roles"`
		OnFirst        *string      `json:"on_first_login"`
		TrustEmail     *bool        `json:"trust_email"`
		SecondFactor   *bool        `json:"second_factor"`
		BearerAudience *string      `json:"bearer_audience"`
		Enabled        *bool        `json:"enabled"`
	}{&p.Name, &p.Label, &p.Issuer, &p.ClientID, &p.Scopes, &p.GroupsClaim, &p.GroupRoles, &p.DefaultRoles, &p.OnFirst, &p.TrustEmail, &p.SecondFactor, &p.BearerAudience, &p.Enabled}
	return json.Unmarshal(core.AppendValue(nil, map[string]any(in)), &named)
}

func (s *Service) listProviders() core.Action {
	return s.personal(core.Action{
		Name: "list_providers", Doc: "Lists the identity providers, without their secrets, for administrators.",
		Output: []core.Column{{Name: "providers", Kind: core.Object, List: true, Required: true, Fields: append([]core.Column{idColumn, required(core.Column{Name: "has_secret", Kind: core.Boolean})}, providerColumns...)}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, _ core.Call) (core.Record, error) {
		if err := tx.Snapshot().Policy.Administers(who); err != nil {
			return nil, err
		}
		var all []provider
		if err := tx.DB().Gorm(ctx).Order("name").Find(&all).Error; err != nil {
			return nil, err
		}
		list := make([]any, len(all))
		for i := range all {
			_, err := s.secrets.Get(tx.DB().Gorm(ctx), clientSecret, all[i].ID)
			list[i] = all[i].shown(core.KindOf(err) != core.NotFound)
		}
		return core.Record{"providers": list}, nil
	})
}

func (p *provider) shown(secret bool) core.Record {
	groups := make([]any, len(p.GroupRoles))
	for i, g := range p.GroupRoles {
		groups[i] = core.Record{"group": g.Group, "role": g.Role}
	}
	return core.Record{
		"id": string(p.ID), "name": p.Name, "label": p.Label, "issuer": p.Issuer, "client_id": p.ClientID, "scopes": core.Texts(p.Scopes), "groups_claim": p.GroupsClaim, "group_roles": groups,
		"default_roles": core.Texts(p.DefaultRoles), "on_first_login": p.OnFirst, "trust_email": p.TrustEmail, "second_factor": p.SecondFactor, "bearer_audience": p.BearerAudience, "enabled": p.Enabled, "has_secret": secret,
	}
}

func (s *Service) dropProvider() core.Action {
	return s.personal(core.Action{
		Name: "drop_provider", Doc: "Takes an identity provider away, with its secret, for administrators. What was connected with it is connected again when the same issuer comes back.", StepUp: true,
		Input: []core.Column{required(text("name", "The name."))}, Output: []core.Column{idColumn}, Examples: []core.Example{{In: core.Record{"name": "corporate"}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		if err := tx.Snapshot().Policy.Administers(who); err != nil {
			return nil, err
		}
		if err := s.notDeclared(c.Text("name")); err != nil {
			return nil, err
		}
		g := tx.DB().Gorm(ctx)
		var p provider
		if err := g.Where("name = ?", c.Text("name")).Limit(1).Find(&p).Error; err != nil {
			return nil, err
		}
		if p.ID == "" {
			return nil, core.E("identity.drop_provider", core.NotFound, core.At{Column: "name"}, "there is no such provider")
		}
		if err := s.secrets.Drop(ctx, tx.DB(), clientSecret, p.ID); err != nil {
			return nil, err
		}
		tx.AfterCommit(func() { s.discovered.Delete(p.ID) })
		if err := s.noteProvider(ctx, tx.DB(), "drop_provider", &p, nil); err != nil {
			return nil, err
		}
		return core.Record{"id": string(p.ID)}, g.Delete(&p).Error
	})
}

func (s *Service) connectLogin() core.Action {
	return s.personal(core.Action{
		Name: "connect_login", Doc: "Connects what a provider calls somebody with a user, for administrators. People connect their own log-ins on the page /account.", StepUp: true,
		Input: []core.Column{
			required(text("user", "The e-mail address or id.")), required(text("provider", "The name of the provider.")), required(text("subject", "What the provider calls him (sub); not his e-mail address.")),
		},
		Output: []core.Column{idColumn}, Examples: []core.Example{{In: core.Record{"user": "ann@example.com", "provider": "corporate", "subject": "00u1a2b3c4"}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		if err := tx.Snapshot().Policy.Administers(who); err != nil {
			return nil, err
		}
		user, err := s.other(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		p, err := s.findProvider(ctx, "name = ?", c.Text("provider"))
		if err != nil {
			return nil, core.E("identity.connect_login", core.At{Column: "provider"}, err)
		}
		return core.Record{"id": string(user)}, s.connectIn(ctx, tx.DB(), p.Issuer, c.Text("subject"), user)
	})
}

func (s *Service) listLogins() core.Action {
	return s.personal(core.Action{
		Name: "list_logins", Doc: "Lists what one's account is connected with at identity providers; for administrators, that of a user.",
		Input: []core.Column{text("user", "The e-mail address or id of another user.")},
		Output: []core.Column{{Name: "logins", Kind: core.Object, List: true, Required: true, Fields: []core.Column{
			idColumn, required(text("issuer", "The provider.")), required(text("subject", "What the provider calls him.")), {Name: "used_at", Kind: core.Timestamp, Doc: "The last log-in."},
		}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.theirs(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		var all []externalLogin
		if err := tx.DB().Gorm(ctx).Where("user_id = ?", user).Order("id").Find(&all).Error; err != nil {
			return nil, err
		}
		list := make([]any, len(all))
		for i, x := range all {
			list[i] = core.Record{"id": string(x.ID), "issuer": x.Issuer, "subject": x.Subject, "used_at": momentOrNull(x.UsedAt)}
		}
		return core.Record{"logins": list}, nil
	})
}

func momentOrNull(t db.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Time
}

func (s *Service) disconnectLogin() core.Action {
	return s.personal(core.Action{
		Name: "disconnect_login", Doc: "Takes away a connection of one's account with an identity provider; for administrators, that of a user.", StepUp: true,
		Input: []core.Column{required(core.Column{Name: "id", Kind: core.UUID, Doc: "As list_logins tells it."}), text("user", "The e-mail address or id of another user.")}, Output: []core.Column{idColumn},
		Examples: []core.Example{{In: core.Record{"id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.other(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		g := tx.DB().Gorm(ctx)
		var x externalLogin
		err = g.Where("id = ? AND user_id = ?", c.Text("id"), user).Take(&x).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, core.E("identity.disconnect_login", core.NotFound, core.At{Column: "id"}, "there is no such connection")
		}
		if err == nil {
			err = s.logins.Changed(ctx, tx.DB(), user, "disconnect_login", map[string]any{"issuer": x.Issuer, "subject": x.Subject})
		}
		if err != nil {
			return nil, err
		}
		return core.Record{"id": c.Text("id")}, g.Delete(&x).Error
	})
}

// theirs returns the caller, or for an administrator the user that is named.
func (s *Service) theirs(tx *tables.Tx, who core.Caller, name string) (core.ID, error) {
	if name == "" {
		return who.User, nil
	}
	return s.other(tx, who, name)
}
