package tables

import (
	"context"
	"fmt"
	"slices"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

var scopeColumns = []core.Column{
	{Name: "read_only", Kind: core.Boolean, Doc: "The key reads records, and does not write them."},
	{Name: "tables", Kind: core.Text, List: true, Doc: "The only tables that the key is for; every table when left out."},
	{Name: "actions", Kind: core.Text, List: true, Doc: "The only rights about no table that the key has, such as import_data."},
}

func (a access) createKey(l *authz.Logins) core.Action {
	return core.Action{
		Name: "create_api_key", Doc: "Creates a key with which a program acts as the user. The secret is shown this once. With read_only, tables or actions the key has less than the user: what it names, as far as the user has it.", Secret: true, StepUp: true,
		Input: append([]core.Column{
			required(text("name", "What the key is for.")),
			text("user", "The e-mail address or id of a service that one administers, or, for administrators, of anybody; oneself when left out."),
			{Name: "expires_at", Kind: core.Timestamp, Doc: "Within a year; in 90 days when left out."},
		}, scopeColumns...),
		Output:   []core.Column{{Name: "id", Kind: core.UUID}, text("secret", "Send it as Authorization: Bearer ..."), {Name: "expires_at", Kind: core.Timestamp}},
		Examples: []core.Example{{In: core.Record{"name": "nightly report", "read_only": true, "tables": []any{"customer"}}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				n := authz.NewKey{Name: c.Text("name")}
				n.Expires, _ = c.In["expires_at"].(time.Time)
				if n.User, err = tx.keyUser(ctx, c.Text("user")); err != nil {
					return err
				}
				if n.Scope, err = tx.scope(ctx, c); err != nil {
					return err
				}
				secret, k, err := l.CreateKey(ctx, tx.DB(), n)
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

// scope returns what a new key is made for, nil for all that its user may do.
func (tx *Tx) scope(ctx context.Context, c core.Call) (*core.Scope, error) {
	const op = "tables.scope"
	tables, narrow := c.In["tables"].([]any)
	actions, some := c.In["actions"].([]any)
	if !narrow && !some && !c.Bool("read_only") {
		return nil, nil
	}
	s := &core.Scope{ReadOnly: c.Bool("read_only")}
	if narrow {
		s.Tables = []string{}
	}
	for i, name := range tables {
		t, err := tx.snap.Schema.Table(name.(string))
		if err != nil || !tx.snap.Policy.Sees(core.CallerFrom(ctx), t.Name) {
			return nil, core.E(op, core.NotFound, core.At{Column: "tables", Item: i + 1}, fmt.Sprintf("there is no table %q that you may use", name))
		}
		s.Tables = append(s.Tables, t.SQL())
	}
	for i, name := range actions {
		if !slices.ContainsFunc(authz.Actions, func(a authz.ActionPrivilege) bool { return a.Name == name }) {
			return nil, core.E(op, core.NotFound, core.At{Column: "actions", Item: i + 1}, fmt.Sprintf("there is no right %q", name))
		}
		s.Actions = append(s.Actions, name.(string))
	}
	return s, nil
}

// keyUser returns the caller, or the user of that name when the caller may make and end his keys: a key is the whole
// person. A key that is made for less makes no others.
func (tx *Tx) keyUser(ctx context.Context, name string) (core.ID, error) {
	const op = "tables.keyUser"
	caller := core.CallerFrom(ctx)
	if err := tx.snap.Policy.May(caller, ""); err != nil {
		return "", err
	}
	if caller.Scope != nil || caller.Behalf != "" {
		return "", core.E(op, core.Denied, "keys are for who signed in for himself, or with a key that has all of his rights")
	}
	if name == "" {
		return caller.User, nil
	}
	user, err := tx.user(name)
	if bad := tx.snap.Policy.CheckActAs(caller, user, tx.snap.isPerson(user)); bad != nil { // who there is, is not told either
		return "", core.E(op, core.Denied, core.At{Column: "user"}, "only an administrator makes, sees or ends keys of other people, and of services whose rights you do not all hold", bad)
	}
	return user, err
}

// isPerson reports whether the user is no service.
func (n *Snapshot) isPerson(user core.ID) bool {
	return !slices.ContainsFunc(n.access.Users, func(u authz.User) bool { return u.ID == user && u.Kind == authz.Service })
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

func (a access) listKeys(l *authz.Logins) core.Action {
	return core.Action{
		Name: "list_api_keys", Doc: "Lists the keys of a user, the newest first, those that have ended too.",
		Input: []core.Column{text("user", "Whose, when not one's own.")},
		Output: []core.Column{{Name: "keys", Kind: core.Object, List: true, Required: true, Doc: "The keys, without their secrets.", Fields: append([]core.Column{
			required(core.Column{Name: "id", Kind: core.UUID}),
			required(text("name", "What the key is for.")),
			required(text("prefix", "What it begins with.")),
			required(core.Column{Name: "created_at", Kind: core.Timestamp}),
			required(core.Column{Name: "expires_at", Kind: core.Timestamp}),
			{Name: "revoked_at", Kind: core.Timestamp},
			{Name: "used_at", Kind: core.Timestamp, Doc: "The last use, to the hour; null when there was none."},
		}, scopeColumns...)}},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				user, err := tx.keyUser(ctx, c.Text("user"))
				if err != nil {
					return err
				}
				keys, err := authz.Keys(tx.DB().Gorm(ctx), user)
				list := make([]any, len(keys))
				for i := range keys {
					list[i] = tx.snap.shownKey(&keys[i])
				}
				out = core.Record{"keys": list}
				return err
			})
			if err != nil {
				return nil, core.E("tables.list_api_keys", err)
			}
			return out, nil
		},
	}
}

// shownKey is a key as its owner sees it. A table that was dropped is not told.
func (n *Snapshot) shownKey(k *authz.Key) core.Record {
	out := core.Record{
		"id": string(k.ID), "name": k.Name, "prefix": k.Prefix, "created_at": k.CreatedAt.Time, "expires_at": k.ExpiresAt.Time,
		"revoked_at": timeOrNull(k.RevokedAt.Time), "used_at": timeOrNull(k.UsedAt.Time),
	}
	if k.Scope == nil {
		return out
	}
	out["read_only"], out["actions"] = k.Scope.ReadOnly, core.Texts(k.Scope.Actions)
	if k.Scope.Tables != nil {
		names := []any{}
		for _, t := range n.Schema.Tables() {
			if k.Scope.Holds(t.SQL()) {
				names = append(names, t.Name)
			}
		}
		out["tables"] = names
	}
	return out
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
