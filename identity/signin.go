package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/tables"
)

// rotateGrace is how long requests under way may still come with the token from before the rights of a user changed.
const rotateGrace = 30 * time.Second

// SignIn is what somebody proves who he is with.
type SignIn struct {
	Email    string
	Password string
	Code     string // of the second factor, for who has one; it can be told later, see [Service.Strengthen]
	From     authz.Peer
}

// In is a session that was begun.
type In struct {
	authz.Session
	Pending bool // it waits for the second factor, and is good for nothing else
}

// SignIn begins a session.
func (s *Service) SignIn(ctx context.Context, in SignIn) (In, error) {
	session, err := s.logins.Login(ctx, in.Email, in.Password, in.From)
	if err != nil {
		return In{}, err
	}
	return s.entered(ctx, session, in.Code)
}

// entered asks for the second factor of a session that has just begun.
func (s *Service) entered(ctx context.Context, session authz.Session, code string) (In, error) {
	proof, err := s.logins.AuthenticatePending(ctx, session.Token)
	if err != nil || !proof.Pending || code == "" {
		return In{session, proof.Pending}, err
	}
	session, err = s.Strengthen(ctx, session.Token, code)
	return In{Session: session}, err
}

// Strengthen has the user of a session prove his second factor, at log-in or again, and returns the session that goes on
// in place of the one of the token.
func (s *Service) Strengthen(ctx context.Context, token, code string) (authz.Session, error) {
	const op = "identity.Strengthen"
	proof, err := s.logins.AuthenticatePending(ctx, token)
	if err != nil {
		return authz.Session{}, err
	}
	if proof.Login.Kind != "session" {
		return authz.Session{}, core.E(op, core.Invalid, "a key has no second factor: sign in")
	}
	if err := s.prove(ctx, proof.User, code); err != nil {
		return authz.Session{}, core.E(op, err)
	}
	return s.logins.Renew(ctx, token, authz.Renewal{Strong: true})
}

// Caller returns who has the token. Where the session must get another token, since the rights of the user have changed, that
// is in fresh; only who can hand it on asks for that, with renew.
func (s *Service) Caller(ctx context.Context, token string, cause core.Cause, renew bool) (who core.Caller, fresh authz.Session, err error) {
	prove := s.logins.Authenticate
	if isJWT(token) {
		prove = s.bearer
	}
	proof, err := prove(ctx, token)
	if err != nil {
		return who, fresh, err
	}
	if who, err = s.asks(ctx, proof, cause); err != nil {
		return core.Caller{}, fresh, err
	}
	if renew && proof.Login.Kind == "session" {
		fresh, err = s.renew(ctx, token, &proof, authz.RightsOf(who))
	}
	return who, fresh, err
}

// accountOnly is left to who must have a second factor and has none.
var accountOnly = &core.Scope{Account: true, Tables: []string{}}

// renew gives the session another token when the rights of its user are others than when it began.
func (s *Service) renew(ctx context.Context, token string, proof *authz.Proof, rights string) (authz.Session, error) {
	switch proof.Rights {
	case rights:
		return authz.Session{}, nil
	case "":
		return authz.Session{}, s.logins.NoteRights(ctx, proof.Login.ID, rights)
	}
	fresh, err := s.logins.Renew(ctx, token, authz.Renewal{Rights: rights, Grace: rotateGrace})
	if core.KindOf(err) == core.Unknown { // another request of the browser was first, and has the token
		return authz.Session{}, nil
	}
	return fresh, err
}

// OnBehalf returns the caller as whom c acts when he names another user, by e-mail address or id. That one holds nothing that c
// could not hand out, and c has the right act_on_behalf; who there is otherwise, is not told.
func (s *Service) OnBehalf(c core.Caller, name string) (core.Caller, error) {
	const op = "identity.OnBehalf"
	refused := core.E(op, core.Denied, "you may not act on behalf of this user, or there is no such user")
	policy := s.store.Snapshot().Policy
	if c.Anonymous() {
		return core.Caller{}, core.E(op, core.Unknown, "sign in first")
	}
	if err := policy.May(c, "act_on_behalf"); err != nil {
		return core.Caller{}, core.E(op, err)
	}
	u := policy.FindUser(name)
	if u == nil || policy.CheckUser(c, u.ID) != nil {
		return core.Caller{}, refused
	}
	who, err := policy.Caller(u.ID, c.Cause)
	if err != nil {
		return core.Caller{}, refused
	}
	who.Scope, who.Login = c.Scope, c.Login
	if u.ID != c.User {
		who.Behalf = c.User
	}
	if slices.Contains(who.Roles, authz.Administrator) && policy.Administers(c) != nil {
		return core.Caller{}, refused
	}
	return who, nil
}

// Simulate returns the caller as whom c, an administrator, looks at what another user sees, whom he names by e-mail address or id. It
// holds what that user holds, and nothing of c; it writes nothing and calls no action. The access log keeps it before it returns.
func (s *Service) Simulate(ctx context.Context, c core.Caller, name string) (core.Caller, error) {
	const op = "identity.Simulate"
	who, err := s.simulated(c, name)
	if err != nil {
		return core.Caller{}, core.E(op, err)
	}
	err = s.store.LogAccess(core.WithCaller(ctx, who), tables.Access{Kind: tables.AccessSimulate, Records: []string{string(who.User)}})
	return who, core.E(op, err)
}

// simulated is Simulate without the entry in the access log.
func (s *Service) simulated(c core.Caller, name string) (core.Caller, error) {
	const op = "identity.simulated"
	policy := s.store.Snapshot().Policy
	if c.Anonymous() {
		return core.Caller{}, core.E(op, core.Unknown, "sign in first")
	}
	if err := policy.Administers(c); err != nil {
		return core.Caller{}, core.E(op, core.Denied, "simulating a user is for administrators, who come with a session or a key that has all of their rights", err)
	}
	u := policy.FindUser(name)
	if u == nil {
		return core.Caller{}, core.E(op, core.NotFound, fmt.Sprintf("there is no user %q to simulate: use the e-mail address or the id", name))
	}
	who, err := policy.Caller(u.ID, c.Cause)
	if err != nil {
		return core.Caller{}, core.E(op, core.Invalid, "the account of this user is disabled, so that he sees nothing", err)
	}
	who.Scope, who.Login, who.Behalf = &core.Scope{Simulated: true}, c.Login, c.User
	return who, nil
}
