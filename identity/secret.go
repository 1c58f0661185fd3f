package identity

import (
	"context"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// rotateSecrets is for servers of an embedded database, which a command cannot open meanwhile.
func (s *Service) rotateSecrets() core.Action {
	return core.Action{
		Name: "rotate_secrets", Doc: "Puts all sealed secrets under the first key of the server, for administrators. Other keys can be taken out of the key file afterwards.", Alone: true, StepUp: true,
		Output:   []core.Column{required(core.Column{Name: "rewrapped", Kind: core.Integer, Doc: "How many were under another key."})},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			const op = "identity.rotate_secrets"
			if err := s.store.Snapshot().Policy.Administers(core.CallerFrom(ctx)); err != nil {
				return nil, core.E(op, err)
			}
			n, err := s.secrets.Rotate(ctx)
			if err == nil {
				err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
					return s.logins.Note(ctx, tx, authz.Notice{Kind: authz.NoticeSecrets, Data: map[string]any{"change": "rotate_secrets", "rewrapped": n}})
				})
			}
			if err != nil {
				return nil, core.E(op, err)
			}
			return core.Record{"rewrapped": int64(n)}, nil
		},
	}
}
