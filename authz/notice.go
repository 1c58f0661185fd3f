package authz

import (
	"context"
	"maps"

	"colonnade/core"
	"colonnade/core/db"
)

// NoticeKind says what happened at a way in.
type NoticeKind string

// The kinds of notices.
const (
	NoticeSignIn   NoticeKind = "sign_in"  // a session began, or its second factor was proved
	NoticeRefused  NoticeKind = "refused"  // somebody was not let in
	NoticeSignOut  NoticeKind = "sign_out" // sessions were ended
	NoticeAccount  NoticeKind = "account"  // what a user proves himself with was changed: passwords, second factors, keys, log-ins elsewhere
	NoticeProvider NoticeKind = "provider" // an identity provider was changed
	NoticeSecrets  NoticeKind = "secrets"  // the key of secrets was changed
	NoticePlugin   NoticeKind = "plugin"   // a plugin was enabled or disabled, or given a secret

	NoticeCredential NoticeKind = "credential" // what another server knows this one by was changed
)

// NoticeKinds are all kinds.
var NoticeKinds = []NoticeKind{NoticeSignIn, NoticeRefused, NoticeSignOut, NoticeAccount, NoticeProvider, NoticeSecrets, NoticePlugin, NoticeCredential}

// Notice is what happened at a way in, for the access log. It holds nothing that somebody typed: people type passwords where
// an e-mail address belongs.
type Notice struct {
	Kind NoticeKind
	User core.ID        // whose account it is about; "" where there is none
	Data map[string]any // what else there is to know: texts, numbers and the like
}

// Note keeps a notice of the caller of ctx, in the transaction in which it happened: both are there, or neither.
func (l *Logins) Note(ctx context.Context, tx *db.Tx, n Notice) error {
	if l.note == nil {
		return nil
	}
	return l.note(ctx, tx, n)
}

// Refused keeps that somebody was not let in by a method. Who is refused is so also when that cannot be kept.
func (l *Logins) Refused(ctx context.Context, method string, user core.ID, reason string) {
	ctx = context.WithoutCancel(ctx)
	err := l.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		return l.Note(ctx, tx, Notice{Kind: NoticeRefused, User: user, Data: map[string]any{"method": method, "reason": reason}})
	})
	if err != nil {
		l.log.ErrorContext(ctx, "authz: that somebody was refused is not in the access log", "err", err)
	}
}

// Changed keeps a notice of a change of what a user proves himself with.
func (l *Logins) Changed(ctx context.Context, tx *db.Tx, user core.ID, change string, more map[string]any) error {
	data := map[string]any{"change": change}
	maps.Copy(data, more)
	return l.Note(ctx, tx, Notice{Kind: NoticeAccount, User: user, Data: data})
}

// acting is a context in which the user acts, who has just proved to be that.
func acting(ctx context.Context, user core.ID) context.Context {
	return core.WithCaller(ctx, core.Caller{User: user, Cause: core.Cause{Kind: "api"}})
}
