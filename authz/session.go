package authz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// Session is a signed-in user.
type Session struct {
	Token string // for the cookie; kept nowhere else
	User  core.ID
	Ends  time.Time
}

const (
	sessionIdle   = 8 * time.Hour
	sessionLength = 7 * 24 * time.Hour
	seenEvery     = time.Minute      // how exactly the last use is recorded
	strongFor     = 15 * time.Minute // how long a second factor counts as just proved
)

// Peer is the other end of a log-in.
type Peer struct {
	Address string // of the connection, never of a header that a client chose
	Agent   string // what the client says that it is; for people only
}

const maxAgent = 200 // bytes that are kept

// Start is what [Logins.Begin] needs.
type Start struct {
	User   core.ID
	Method string // how the user proved to be that: password, or the name of a provider
	Strong bool   // with a second factor
	Peer   Peer
}

// Begin stores a new session beside what also does, which may be nil; it also clears away the sessions that have ended.
func (l *Logins) Begin(ctx context.Context, s Start, also func(tx *gorm.DB) error) (Session, error) {
	now := l.now()
	row := session{
		ID: core.NewID(), UserID: s.User, Method: s.Method, Address: s.Peer.Address, Agent: strings.ToValidUTF8(s.Peer.Agent[:min(len(s.Peer.Agent), maxAgent)], ""),
		CreatedAt: dbTime(now), EndsAt: dbTime(now.Add(sessionLength)),
	}
	if s.Strong {
		row.StrongAt = dbTime(now)
	}
	return l.begin(ctx, row, func(tx *db.Tx) error {
		g := tx.Gorm(ctx)
		if err := g.Where("idle_at <= ?", dbTime(now)).Delete(&session{}).Error; err != nil {
			return err
		}
		if err := l.noteSession(ctx, tx, &row); err != nil || also == nil {
			return err
		}
		return also(g)
	})
}

// noteSession keeps that a session has begun, or that its second factor was proved. One that waits for that lets nobody in yet.
func (l *Logins) noteSession(ctx context.Context, tx *db.Tx, in *session) error {
	var u User
	if err := tx.Gorm(ctx).Where("id = ?", in.UserID).Take(&u).Error; err != nil {
		return err
	}
	strong := !in.StrongAt.IsZero()
	return l.Note(acting(ctx, in.UserID), tx, Notice{Kind: NoticeSignIn, User: in.UserID, Data: map[string]any{
		"method": in.Method, "second_factor": strong, "waits": u.SecondFactor && !strong, "session": in.ID, "agent": in.Agent,
	}})
}

// begin stores a session under a new token.
func (l *Logins) begin(ctx context.Context, row session, also func(tx *db.Tx) error) (Session, error) {
	now := l.now()
	s := Session{Token: newToken(), User: row.UserID, Ends: row.EndsAt.Time}
	row.Hash, row.SeenAt, row.IdleAt = hashToken(s.Token), dbTime(now), dbTime(earlier(now.Add(sessionIdle), s.Ends))
	err := l.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		if err := also(tx); err != nil {
			return err
		}
		return tx.Gorm(ctx).Create(&row).Error
	})
	return s, err
}

// Renewal says why a session gets another token.
type Renewal struct {
	Strong bool          // a second factor has just been proved
	Rights string        // the rights of the user have changed, see [Policy.RightsOf]
	Grace  time.Duration // for requests under way, which come with the old token
}

// Renew ends the session and returns a new one for the same user that ends when the old one would have. Of several who
// renew one session for the same reason, one succeeds; to the others it is no longer there.
func (l *Logins) Renew(ctx context.Context, token string, r Renewal) (Session, error) {
	const op = "authz.Renew"
	if _, err := l.AuthenticatePending(ctx, token); err != nil {
		return Session{}, err
	}
	hash, now := hashToken(token), l.now()
	var old session
	if err := l.db.Gorm(ctx).Where("hash = ?", hash).Take(&old).Error; err != nil {
		return Session{}, l.noSuchToken(op, err)
	}
	next := old
	next.ID = core.NewID()
	if r.Strong {
		next.StrongAt = dbTime(now)
	}
	if r.Rights != "" {
		next.Rights = r.Rights
	}
	s, err := l.begin(ctx, next, func(tx *db.Tx) error {
		q := tx.Gorm(ctx).Where("hash = ? AND rights = ?", hash, old.Rights)
		if r.Grace > 0 {
			until := dbTime(earlier(now.Add(r.Grace), old.EndsAt.Time))
			q = q.Model(&session{}).Updates(map[string]any{"rights": next.Rights, "idle_at": until, "ends_at": until})
		} else {
			q = q.Delete(&session{})
		}
		if q.Error == nil && q.RowsAffected == 0 {
			return errSignIn // somebody else was first
		}
		if q.Error == nil && r.Strong {
			return l.noteSession(ctx, tx, &next)
		}
		return q.Error
	})
	l.Forget()
	if err != nil {
		return Session{}, core.E(op, err)
	}
	return s, nil
}

// StrengthenSession notes that the user of a session has just proved a second factor.
func (l *Logins) StrengthenSession(ctx context.Context, tx *db.Tx, id core.ID) error {
	tx.AfterCommit(l.Forget)
	return tx.Gorm(ctx).Model(&session{}).Where("id = ?", id).Update("strong_at", dbTime(l.now())).Error
}

// NoteRights notes of which rights the user of a session is, the first time.
func (l *Logins) NoteRights(ctx context.Context, id core.ID, rights string) error {
	err := l.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return tx.Gorm(ctx).Model(&session{}).Where("id = ? AND rights = ''", id).Update("rights", rights).Error
	})
	l.Forget()
	return core.E("authz.NoteRights", err)
}

// RightsOf stands for what the roles of c give, as far as a session must be renewed when it changes.
func RightsOf(c core.Caller) string {
	sum := sha256.Sum256([]byte(strings.Join(append(slices.Clip(c.Roles), c.Profiles...), "\n")))
	return hex.EncodeToString(sum[:8])
}

// Logout ends the session. A token that is no session is no error.
func (l *Logins) Logout(ctx context.Context, token string) error {
	err := l.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		var in session
		g := tx.Gorm(ctx)
		if err := g.Where("hash = ?", hashToken(token)).Limit(1).Find(&in).Error; err != nil || in.ID == "" {
			return err
		}
		if err := l.noteEnd(acting(ctx, in.UserID), tx, in.UserID, 1); err != nil {
			return err
		}
		return g.Where("hash = ?", in.Hash).Delete(&session{}).Error
	})
	l.Forget()
	return core.E("authz.Logout", err)
}

// noteEnd keeps that sessions of a user were ended.
func (l *Logins) noteEnd(ctx context.Context, tx *db.Tx, user core.ID, sessions int64) error {
	if sessions == 0 {
		return nil
	}
	return l.Note(ctx, tx, Notice{Kind: NoticeSignOut, User: user, Data: map[string]any{"sessions": sessions}})
}

// Method returns how the session of a token began, "" when there is none.
func (l *Logins) Method(ctx context.Context, token string) string {
	var in session
	if err := l.db.Gorm(ctx).Where("hash = ?", hashToken(token)).Limit(1).Find(&in).Error; err != nil {
		return ""
	}
	return in.Method
}

// SessionInfo is a session, without its token.
type SessionInfo struct {
	ID        core.ID
	Method    string
	Address   string
	Agent     string
	CreatedAt db.Time
	SeenAt    db.Time
	EndsAt    db.Time
	StrongAt  db.Time // when a second factor was proved; zero for never
}

// Sessions returns the sessions of a user that have not ended, the newest first.
func (l *Logins) Sessions(g *gorm.DB, user core.ID) ([]SessionInfo, error) {
	var out []SessionInfo
	return out, g.Model(&session{}).Where("user_id = ? AND idle_at > ?", user, dbTime(l.now())).Order("id DESC").Find(&out).Error
}

// EndSession ends one session of a user.
func (l *Logins) EndSession(ctx context.Context, tx *db.Tx, user, id core.ID) error {
	done := tx.Gorm(ctx).Where("user_id = ? AND id = ?", user, id).Delete(&session{})
	if done.Error == nil && done.RowsAffected == 0 {
		return core.E("authz.EndSession", core.NotFound, "there is no such session")
	}
	if done.Error != nil {
		return done.Error
	}
	tx.AfterCommit(l.Forget)
	return l.noteEnd(ctx, tx, user, 1)
}

// EndSessions signs a user out everywhere but in the session to keep, if any. API keys stay.
func (l *Logins) EndSessions(ctx context.Context, tx *db.Tx, user, keep core.ID) (int64, error) {
	q := tx.Gorm(ctx).Where("user_id = ?", user)
	if keep != "" {
		q = q.Where("id <> ?", keep)
	}
	done := q.Delete(&session{})
	if done.Error != nil {
		return 0, done.Error
	}
	tx.AfterCommit(l.Forget)
	return done.RowsAffected, l.noteEnd(ctx, tx, user, done.RowsAffected)
}

func (l *Logins) checkSession(ctx context.Context, hash string, now time.Time) (known, error) {
	const op = "authz.Authenticate"
	var row struct {
		Session      session `gorm:"embedded"`
		Disabled     bool
		SecondFactor bool
	}
	q := l.db.Gorm(ctx).Table("_session").Select(`"_session".*, u.disabled, u.second_factor`).Joins(`JOIN "_user" u ON u.id = user_id`)
	if err := q.Where("hash = ?", hash).Take(&row).Error; err != nil {
		return known{}, l.noSuchToken(op, err)
	}
	in := row.Session
	if row.Disabled || !now.Before(in.IdleAt.Time) || !now.Before(in.EndsAt.Time) {
		return known{}, errSignIn
	}
	if now.Sub(in.SeenAt.Time) >= seenEvery {
		in.IdleAt = dbTime(earlier(now.Add(sessionIdle), in.EndsAt.Time))
		l.touch(ctx, &session{}, hash, map[string]any{"seen_at": dbTime(now), "idle_at": in.IdleAt})
	}
	strong := !in.StrongAt.IsZero()
	p := Proof{User: in.UserID, Rights: in.Rights, Pending: row.SecondFactor && !strong, Login: core.Login{
		Kind: "session", ID: in.ID, Strong: strong, Stale: row.SecondFactor && now.Sub(in.StrongAt.Time) >= strongFor,
	}}
	return known{Proof: p, checked: now, idle: in.IdleAt.Time, ends: in.EndsAt.Time}, nil
}

// noSuchToken makes the answer to a token that the database does not have.
func (l *Logins) noSuchToken(op string, err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return errSignIn
	}
	return core.E(op, l.db.Classify(err))
}
