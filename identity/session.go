package identity

import (
	"context"

	"colonnade/core"
	"colonnade/tables"
)

func (s *Service) sessions() core.Action {
	return s.personal(core.Action{
		Name: "list_sessions", Doc: "Lists one's sessions that have not ended, the newest first; or those of a user, for who manages access and may administer him.",
		Input: []core.Column{text("user", "The e-mail address or id of another user.")},
		Output: []core.Column{{Name: "sessions", Kind: core.Object, List: true, Required: true, Fields: []core.Column{
			idColumn,
			required(core.Column{Name: "current", Kind: core.Boolean, Doc: "Whether it is the one that asks."}),
			required(text("method", "How it began: password, or a provider.")),
			required(core.Column{Name: "second_factor", Kind: core.Boolean, Doc: "Whether a second factor was proved."}),
			required(text("address", "Where from.")),
			required(text("agent", "What the client said that it is.")),
			required(core.Column{Name: "created_at", Kind: core.Timestamp}),
			required(core.Column{Name: "seen_at", Kind: core.Timestamp, Doc: "The last use, to the minute."}),
			required(core.Column{Name: "ends_at", Kind: core.Timestamp, Doc: "The end in any case; without use it ends after eight hours."}),
		}}},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.administered(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		all, err := s.logins.Sessions(tx.DB().Gorm(ctx), user)
		list := make([]any, len(all))
		for i, in := range all {
			list[i] = core.Record{
				"id": string(in.ID), "current": in.ID == loginOf(who).ID, "method": in.Method, "second_factor": !in.StrongAt.IsZero(), "address": in.Address, "agent": in.Agent,
				"created_at": in.CreatedAt.Time, "seen_at": in.SeenAt.Time, "ends_at": in.EndsAt.Time,
			}
		}
		return core.Record{"sessions": list}, err
	})
}

func (s *Service) endSessions() core.Action {
	return s.personal(core.Action{
		Name: "end_sessions", Doc: "Ends one's other sessions, or one of them; or those of a user, for who manages access and may administer him. Keys stay: see revoke_api_key.",
		Input:  []core.Column{{Name: "id", Kind: core.UUID, Doc: "The session; all but the one that asks when left out."}, text("user", "The e-mail address or id of another user.")},
		Output: []core.Column{required(core.Column{Name: "ended", Kind: core.Integer, Doc: "How many."})},
	}, func(ctx context.Context, tx *tables.Tx, who core.Caller, c core.Call) (core.Record, error) {
		user, err := s.administered(tx, who, c.Text("user"))
		if err != nil {
			return nil, err
		}
		if id := c.Text("id"); id != "" {
			return core.Record{"ended": int64(1)}, s.logins.EndSession(ctx, tx.DB(), user, core.ID(id))
		}
		n, err := s.logins.EndSessions(ctx, tx.DB(), user, loginOf(who).ID)
		return core.Record{"ended": n}, err
	})
}

// administered returns the caller, or the user that is named when the caller may administer him. Who there is otherwise, is
// not told.
func (s *Service) administered(tx *tables.Tx, who core.Caller, name string) (core.ID, error) {
	policy := tx.Snapshot().Policy
	u := policy.FindUser(name)
	if name == "" || u != nil && u.ID == who.User {
		return who.User, nil
	}
	if err := policy.May(who, "manage_access"); err != nil {
		return "", err
	}
	if u == nil || policy.CheckUser(who, u.ID) != nil {
		return "", core.E("identity.administered", core.Denied, core.At{Column: "user"}, "you may not administer this user, or there is no such user")
	}
	return u.ID, nil
}
