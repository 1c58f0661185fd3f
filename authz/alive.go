package authz

import (
	"context"
	"slices"

	"colonnade/core"
)

// aliveAtOnce is how many sessions or keys are asked for in one statement.
const aliveAtOnce = 500

// Alive returns which of the sessions and keys, by their ids, are good: not ended, not revoked, and of users who are not disabled. Unlike a
// request, it is no use of a session, which ends when it is not used.
func (l *Logins) Alive(ctx context.Context, logins []core.Login) (map[core.ID]bool, error) {
	const op = "authz.Alive"
	now, out := dbTime(l.now()), make(map[core.ID]bool, len(logins))
	for kind, where := range map[string]string{
		"session": `SELECT s.id FROM "_session" s JOIN "_user" u ON u.id = s.user_id WHERE s.id IN ? AND NOT u.disabled AND s.idle_at > ? AND s.ends_at > ? AND (NOT u.second_factor OR s.strong_at IS NOT NULL)`,
		"key":     `SELECT k.id FROM "_api_key" k JOIN "_user" u ON u.id = k.user_id WHERE k.id IN ? AND NOT u.disabled AND k.revoked_at IS NULL AND k.expires_at > ? AND k.expires_at > ?`,
	} {
		var ids []core.ID
		for _, in := range logins {
			if in.Kind == kind {
				ids = append(ids, in.ID)
			}
		}
		slices.Sort(ids)
		for some := range slices.Chunk(slices.Compact(ids), aliveAtOnce) {
			var good []core.ID
			if err := l.db.Gorm(ctx).Raw(where, some, now, now).Scan(&good).Error; err != nil {
				return nil, core.E(op, l.db.Classify(err))
			}
			for _, id := range good {
				out[id] = true
			}
		}
	}
	return out, nil
}
