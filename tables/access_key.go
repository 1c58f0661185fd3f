package tables

import (
	"context"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

func (a access) createKey(l *authz.Logins) core.Action {
	return core.Action{
		Name: "create_api_key", Doc: "Creates a key with which a program acts as the user. The secret is shown this once.", Secret: true,
		Input: []core.Column{
			required(text("name", "What the key is for.")),
			text("user", "The e-mail address or id of another user, for which one must manage access; oneself when left out."),
			{Name: "expires_at", Kind: core.Timestamp, Doc: "Within a year; in 90 days when left out."},
		},
		Output:   []core.Column{{Name: "id", Kind: core.UUID}, text("secret", "Send it as Authorization: Bearer ..."), {Name: "expires_at", Kind: core.Timestamp}},
		Examples: []core.Example{{In: core.Record{"name": "nightly report"}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				user, err := tx.keyUser(ctx, c.Text("user"))
				if err != nil {
					return err
				}
				expires, _ := c.In["expires_at"].(time.Time)
				secret, k, err := l.CreateKey(ctx, tx.DB(), user, c.Text("name"), expires)
				out = core.Record{"id": string(k.ID), "secret": secret, "expires_at": k.ExpiresAt.Time}
				return err
			})
			if err != nil {
				return nil, core.E("tables.create_api_key", err)
			}
			return out, nil
		},
	}
}

// keyUser returns the caller, or the user of that name when the caller may administer him.
func (tx *Tx) keyUser(ctx context.Context, name string) (core.ID, error) {
	caller := core.CallerFrom(ctx)
	if err := tx.snap.Policy.May(caller, ""); err != nil {
		return "", err
	}
	if name == "" {
		return caller.User, nil
	}
	user, err := tx.user(name)
	if err == nil && user == caller.User {
		return user, nil
	}
	// A key is the whole person: even who manages access may not be somebody else. Nor is it told who there is.
	if !caller.IsSystem() && !caller.HasRole(authz.Administrator) {
		return "", core.E("tables.keyUser", core.Denied, core.At{Column: "user"}, "only an administrator makes or ends keys of others")
	}
	return user, err
}

func (a access) revokeKey(l *authz.Logins) core.Action {
	return core.Action{
		Name: "revoke_api_key", Doc: "Ends a key for good.",
		Input: []core.Column{
			required(core.Column{Name: "id", Kind: core.UUID, Doc: "The key."}),
			text("user", "Whose key it is, when not one's own."),
		},
		Output:   idOutput,
		Examples: []core.Example{{In: core.Record{"id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			err := a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				user, err := tx.keyUser(ctx, c.Text("user"))
				if err != nil {
					return err
				}
				return l.RevokeKey(ctx, tx.DB(), user, core.ID(c.Text("id")))
			})
			if err != nil {
				return nil, core.E("tables.revoke_api_key", err)
			}
			return core.Record{"id": c.Text("id")}, nil
		},
	}
}
