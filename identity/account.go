package identity

import (
	"context"

	"rsc.io/qr"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/tables"
)

var idColumn = core.Column{Name: "id", Kind: core.UUID, Required: true}

// personal makes an action about the account of the caller, within a unit of work that may change the policy.
func (s *Service) personal(a core.Action, run func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error)) core.Action {
	a.Personal = true
	if a.Examples == nil {
		a.Examples = []core.Example{{In: core.Record{}}}
	}
	a.Run = func(ctx context.Context, c core.Call) (out core.Record, err error) {
		err = s.store.Tx(ctx, tables.TxOptions{Define: a.Define}, func(ctx context.Context, tx *tables.Tx) error {
			out, err = run(ctx, tx, core.CallerFrom(ctx), c)
			return err
		})
		if err != nil {
			return nil, core.E("identity."+a.Name, err)
		}
		return out, nil
	}
	return a
}

// bySession refuses who came in with a key: who has found one must not take over the account.
func bySession(who core.Caller) error {
	if loginOf(who).Kind == "session" {
		return nil
	}
	return core.E("identity.bySession", core.Denied, "sign in with a password or a provider for this, not with a key")
}

// loginOf is how the caller came in, the zero Login for the machinery.
func loginOf(who core.Caller) core.Login {
	if who.Login == nil {
		return core.Login{}
	}
	return *who.Login
}

// changed is for actions that change what the policy is made of.
func (s *Service) changed(ctx context.Context, tx *tables.Tx, f func() error) error {
	tx.AfterCommit(s.logins.Forget)
	return tx.ChangePolicy(ctx, f)
}

func (s *Service) enrollTOTP() core.Action {
	return s.personal(core.Action{
		Name: "enroll_totp", Doc: "Begins to set up an authenticator app as one's second factor, or another app in its place. It counts from confirm_totp on.", Secret: true, StepUp: true,
		Output: []core.Column{
			required(text("secret", "For apps that take no QR code.")),
			required(text("uri", "What the QR code says.")),
			required(core.Column{Name: "qr", Kind: core.Text, List: true, Doc: "The rows of the QR code, 1 for black."}),
		},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, _ core.Call) (core.Record, error) {
		if err := bySession(who); err != nil {
			return nil, err
		}
		u := tx.Snapshot().Policy.FindUser(string(who.User))
		key, err := s.enroll(ctx, tx.DB(), u.ID)
		if err != nil {
			return nil, err
		}
		uri := totpURI(key, u.Email)
		code, err := qr.Encode(uri, qr.M)
		if err != nil {
			return nil, err
		}
		return core.Record{"secret": base32Plain.EncodeToString(key), "uri": uri, "qr": qrRows(code)}, nil
	})
}

func qrRows(code *qr.Code) []any {
	out := make([]any, code.Size)
	for y := range out {
		row := make([]byte, code.Size)
		for x := range row {
			row[x] = '0'
			if code.Black(x, y) {
				row[x] = '1'
			}
		}
		out[y] = string(row)
	}
	return out
}

var recoveryOutput = []core.Column{required(core.Column{Name: "recovery_codes", Kind: core.Text, List: true, Doc: "Each signs in once, without the app. Keep them elsewhere; they are shown this once."})}

func (s *Service) confirmTOTP() core.Action {
	a := s.personal(core.Action{
		Name: "confirm_totp", Doc: "Ends setting up an authenticator app with the code that it shows. From then on sessions need it; this one has it.", Define: true, Secret: true, Alone: true,
		Input: []core.Column{required(text("code", "The code that the app shows."))}, Output: recoveryOutput, Examples: []core.Example{{In: core.Record{"code": "123456"}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (out core.Record, err error) {
		err = s.changed(ctx, tx, func() error {
			codes, err := s.confirm(ctx, tx.DB(), who.User, c.Text("code"))
			if err != nil {
				return err
			}
			out = core.Record{"recovery_codes": core.Texts(codes)}
			return s.logins.StrengthenSession(ctx, tx.DB(), who.Login.ID)
		})
		return out, err
	})
	confirm := a.Run
	a.Run = func(ctx context.Context, c core.Call) (core.Record, error) {
		who := core.CallerFrom(ctx)
		if err := bySession(who); err != nil {
			return nil, core.E("identity.confirm_totp", err)
		}
		if err := s.logins.Attempt(ctx, "code", string(who.User), who.User); err != nil { // counted, whatever becomes of the rest
			return nil, core.E("identity.confirm_totp", err)
		}
		return confirm(ctx, c)
	}
	return a
}

func (s *Service) renewCodes() core.Action {
	return s.personal(core.Action{
		Name: "new_recovery_codes", Doc: "Makes new recovery codes; those before are good no longer.", Secret: true, StepUp: true, Output: recoveryOutput,
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, _ core.Call) (core.Record, error) {
		if err := bySession(who); err != nil {
			return nil, err
		}
		if u := tx.Snapshot().Policy.FindUser(string(who.User)); u == nil || !u.SecondFactor {
			return nil, core.E("identity.new_recovery_codes", core.Invalid, "you have no second factor: set it up with enroll_totp first")
		}
		if err := s.logins.Changed(ctx, tx.DB(), who.User, "new_recovery_codes", nil); err != nil {
			return nil, err
		}
		codes, err := s.newRecoveryCodes(tx.DB().Gorm(ctx), who.User)
		return core.Record{"recovery_codes": core.Texts(codes)}, err
	})
}

func (s *Service) dropFactor() core.Action {
	return s.personal(core.Action{
		Name: "drop_second_factor", Doc: "Takes away one's second factor and its recovery codes; for administrators, that of a user who has lost it.", Define: true, StepUp: true,
		Input: []core.Column{text("user", "The e-mail address or id of another user.")}, Output: []core.Column{idColumn},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.other(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		return core.Record{"id": string(user)}, s.changed(ctx, tx, func() error { return s.dropSecondFactor(ctx, tx.DB(), user) })
	})
}

// other returns the caller, or for an administrator the user that is named.
func (s *Service) other(tx *tables.Tx, who core.Caller, name string) (core.ID, error) {
	const op = "identity.other"
	policy := tx.Snapshot().Policy
	if name == "" {
		return who.User, bySession(who)
	}
	if err := policy.Administers(who); err != nil {
		return "", core.E(op, err)
	}
	u := policy.FindUser(name)
	if u == nil {
		return "", core.E(op, core.NotFound, core.At{Column: "user"}, "there is no such user: use the e-mail address or the id")
	}
	return u.ID, nil
}

func (s *Service) requireFactor() core.Action {
	return s.personal(core.Action{
		Name: "require_second_factor", Doc: "Says whether who holds a role must sign in with a second factor; for administrators. Who has none sets it up first. Keys are not asked.", Define: true, StepUp: true,
		Input:  []core.Column{required(text("role", "The role.")), required(core.Column{Name: "required", Kind: core.Boolean, Doc: "Whether it is."})},
		Output: []core.Column{required(text("role", "The role."))}, Examples: []core.Example{{In: core.Record{"role": "administrator", "required": true}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		if err := tx.Snapshot().Policy.Administers(who); err != nil {
			return nil, err
		}
		return core.Record{"role": c.Text("role")}, s.changed(ctx, tx, func() error {
			return authz.RequireSecondFactor(tx.DB().Gorm(ctx), c.Text("role"), c.Bool("required"))
		})
	})
}

func (s *Service) changePassword() core.Action {
	return core.Action{
		Name: "change_password", Doc: "Gives oneself another password. All other sessions end; keys stay.", Personal: true, Alone: true, Secret: true,
		Input:    []core.Column{required(text("old", "The password that one has.")), required(text("new", "The new one: 12 to 128 characters."))},
		Output:   []core.Column{idColumn},
		Examples: []core.Example{{In: core.Record{"old": "a long enough sentence", "new": "another one, which is long"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			who := core.CallerFrom(ctx)
			if err := bySession(who); err != nil {
				return nil, core.E("identity.change_password", err)
			}
			if err := s.logins.ChangePassword(ctx, who.User, who.Login.ID, c.Text("old"), c.Text("new")); err != nil {
				return nil, core.E("identity.change_password", err)
			}
			return core.Record{"id": string(who.User)}, nil
		},
	}
}

func (s *Service) resetPassword() core.Action {
	return s.personal(core.Action{
		Name: "reset_password", Doc: "Makes a link with which a user sets a new password, for administrators. It works once, for a day; his sessions end when he uses it. A second factor stays.", Secret: true, StepUp: true,
		Input:  []core.Column{required(text("user", "The e-mail address or id."))},
		Output: []core.Column{required(text("path", "Of the page, behind the address of the server.")), required(core.Column{Name: "ends_at", Kind: core.Timestamp})}, Examples: []core.Example{{In: core.Record{"user": "ann@example.com"}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		if err := tx.Snapshot().Policy.Administers(who); err != nil {
			return nil, err
		}
		user, err := s.other(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		token, ends, err := s.logins.NewReset(ctx, tx.DB(), user, who.User)
		return core.Record{"path": "/reset#" + token, "ends_at": ends}, err
	})
}
