package request

import (
	"context"
	"fmt"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

const manage = "manage_credentials"

func texts(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Text, List: true, Doc: doc}
}

// described are the columns that make out a credential, but for the secret.
var described = []core.Column{
	need(text("name", "What flows name it by.")),
	need(text("kind", strings.Join(kinds, ", ")+": how the secret is sent.")),
	need(texts("hosts", "The hosts that it is sent to: api.example.com.")),
	texts("roles", "Who may use it, of those who may call servers: whoever has one of these roles; everybody where there are none."),
	text("header", "Of the kind header: the header that the secret is sent in."),
	text("token_url", "Of the kind oauth2: the address that gives tokens."),
	text("client_id", "Of the kind oauth2: what the secret belongs to."),
	texts("scopes", "Of the kind oauth2: what tokens are asked for."),
}

func (s *Service) put() core.Action {
	return core.Action{
		Name: "put_credential", Doc: "Keeps what a server knows this one by, for http_request, in place of the credential of that name. The secret is sealed, and nobody reads it. It has to be given again with every change, " +
			"so that nobody sends a secret elsewhere who does not know it.",
		Privilege: manage, StepUp: true, Secret: true,
		Input:  append(append([]core.Column{}, described...), need(text("value", "The secret: a token, USER:PASSWORD for basic, the client's secret for oauth2."))),
		Output: []core.Column{need(text("name", "As it was given."))},
		Examples: []core.Example{
			{In: core.Record{"name": "shop", "kind": "bearer", "hosts": []any{"api.example.com"}, "value": "a long text that nobody guesses"}},
			{In: core.Record{"name": "crm", "kind": "oauth2", "hosts": []any{"crm.example.com"}, "token_url": "https://login.example.com/token", "client_id": "colonnade", "scopes": []any{"contacts.read"}, "value": "a long text that nobody guesses"}},
		},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			return core.Record{"name": c.Text("name")}, core.E("request.put_credential", s.keep(ctx, c))
		},
	}
}

// keep keeps the credential that the call describes.
func (s *Service) keep(ctx context.Context, c core.Call) error {
	with := credential{
		Name: c.Text("name"), Kind: c.Text("kind"), secret: c.Text("value"),
		Settings: settings{Hosts: list(c, "hosts"), Roles: list(c, "roles"), Header: c.Text("header"), TokenURL: c.Text("token_url"), ClientID: c.Text("client_id"), Scopes: list(c, "scopes")},
	}
	return s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		if err := with.check(s, tx.Snapshot().Policy); err != nil {
			return err
		}
		g := tx.DB().Gorm(ctx)
		there, err := find(g, with.Name)
		if err != nil {
			return err
		}
		with.ID, with.ChangedBy, with.ChangedAt = core.NewID(), core.CallerFrom(ctx).User, db.Now()
		if there != nil {
			with.ID = there.ID
		}
		if err := g.Save(&with).Error; err != nil {
			return err
		}
		if err := s.secrets.Put(ctx, tx.DB(), secretKind, with.ID, []byte(with.secret)); err != nil {
			return err
		}
		return s.note(ctx, tx.DB(), "put_credential", &with)
	})
}

// list returns the texts of an argument.
func list(c core.Call, name string) []string {
	out := []string{}
	given, _ := c.In[name].([]any)
	for _, v := range given {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (s *Service) note(ctx context.Context, tx *db.Tx, what string, c *credential) error {
	if s.o.Note == nil {
		return nil
	}
	data := c.describe()
	data["change"] = what
	return s.o.Note(ctx, tx, authz.Notice{Kind: authz.NoticeCredential, Data: data})
}

func (s *Service) list() core.Action {
	return core.Action{
		Name: "list_credentials", Doc: "Lists the credentials that http_request may send, without their secrets.", Privilege: manage,
		Output: []core.Column{need(core.Column{Name: "credentials", Kind: core.Object, List: true, Fields: append(append([]core.Column{}, described...),
			core.Column{Name: "changed_by", Kind: core.UUID, Required: true, Doc: "The user who changed it last."}, core.Column{Name: "changed_at", Kind: core.DateTime, Required: true, Doc: "When that was."})})},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			const op = "request.list_credentials"
			var all []credential
			if err := s.db.Gorm(ctx).Order("name").Find(&all).Error; err != nil {
				return nil, core.E(op, s.db.Classify(err))
			}
			out := []any{}
			for i := range all {
				d := all[i].describe()
				d["changed_by"], d["changed_at"] = string(all[i].ChangedBy), all[i].ChangedAt.Time
				out = append(out, d)
			}
			return core.Record{"credentials": out}, nil
		},
	}
}

func (s *Service) delete() core.Action {
	return core.Action{
		Name: "delete_credential", Doc: "Forgets a credential and its secret. Requests that name it fail from then on.", Privilege: manage, StepUp: true,
		Input: []core.Column{need(text("name", "The credential."))}, Output: []core.Column{need(text("name", "As it was given."))}, Examples: []core.Example{{In: core.Record{"name": "shop"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "request.delete_credential"
			name := c.Text("name")
			err := s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				g := tx.DB().Gorm(ctx)
				with, err := find(g, name)
				if err != nil {
					return err
				}
				if with == nil {
					return core.E(op, core.NotFound, core.At{Column: "name"}, fmt.Sprintf("there is no credential %q: list_credentials names them", name))
				}
				if err := g.Delete(with).Error; err != nil {
					return err
				}
				if err := s.secrets.Drop(ctx, tx.DB(), secretKind, with.ID); err != nil {
					return err
				}
				return s.note(ctx, tx.DB(), "delete_credential", with)
			})
			return core.Record{"name": name}, core.E(op, err)
		},
	}
}
