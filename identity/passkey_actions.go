package identity

import (
	"context"
	"encoding/base64"
	"errors"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/tables"
)

func encodeID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

func (s *Service) listPasskeys() core.Action {
	return s.personal(core.Action{
		Name: "list_passkeys", Doc: "Lists one's passkeys; for administrators, those of a user. They are added on the page /account.",
		Input: []core.Column{text("user", "The e-mail address or id of another user.")},
		Output: []core.Column{{Name: "passkeys", Kind: core.Object, List: true, Required: true, Fields: []core.Column{
			idColumn, required(text("name", "As it was called.")), required(text("host", "The name of the server for which it was made.")),
			required(core.Column{Name: "created_at", Kind: core.Timestamp}), {Name: "used_at", Kind: core.Timestamp, Doc: "The last use."},
		}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.theirs(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		var all []passkey
		if err := tx.DB().Gorm(ctx).Where("user_id = ?", user).Order("id").Find(&all).Error; err != nil {
			return nil, err
		}
		list := make([]any, len(all))
		for i := range all {
			k := &all[i]
			list[i] = core.Record{"id": string(k.ID), "name": k.Name, "host": k.Host, "created_at": k.CreatedAt.Time, "used_at": momentOrNull(k.UsedAt)}
		}
		return core.Record{"passkeys": list}, nil
	})
}

func (s *Service) dropPasskey() core.Action {
	return s.personal(core.Action{
		Name: "drop_passkey", Doc: "Takes away one of one's passkeys; for administrators, one of a user. Recovery codes go with the last second factor.", Define: true, StepUp: true,
		Input: []core.Column{required(core.Column{Name: "id", Kind: core.UUID, Doc: "As list_passkeys tells it."}), text("user", "The e-mail address or id of another user.")}, Output: []core.Column{idColumn},
		Examples: []core.Example{{In: core.Record{"id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.other(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		return core.Record{"id": c.Text("id")}, s.changed(ctx, tx, func() error { return s.takePasskey(ctx, tx, user, core.ID(c.Text("id"))) })
	})
}

func (s *Service) takePasskey(ctx context.Context, tx *tables.Tx, user, id core.ID) error {
	g := tx.DB().Gorm(ctx)
	var key passkey
	err := g.Where("id = ? AND user_id = ?", id, user).Take(&key).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return core.E("identity.drop_passkey", core.NotFound, core.At{Column: "id"}, "there is no such passkey")
	}
	if err != nil {
		return err
	}
	if err := s.logins.Changed(ctx, tx.DB(), user, "drop_passkey", map[string]any{"passkey": key.ID, "name": key.Name}); err != nil {
		return err
	}
	if err := g.Delete(&key).Error; err != nil {
		return err
	}
	if has, err := hasFactor(g, user); err != nil || has {
		return err
	}
	return s.dropSecondFactor(ctx, tx.DB(), user)
}
