package identity

import (
	"context"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

// Entry is how somebody came in who stays longer than a request: what his token proved, and as whom he came.
type Entry struct {
	As       string // the user on whose behalf he acts, by e-mail address or id; see [Service.OnBehalf]
	Simulate string // the user whose view of things he gets; see [Service.Simulate]

	token string // of a provider, which is checked by itself; "" for sessions and keys
	proof authz.Proof
	cause core.Cause
}

// Enter returns the entry of who has the token, and him as a caller. The empty token is that of a stranger.
func (s *Service) Enter(ctx context.Context, token string, e Entry, cause core.Cause) (Entry, core.Caller, error) {
	const op = "identity.Enter"
	e.cause = cause
	if e.As != "" && e.Simulate != "" {
		return e, core.Caller{}, core.E(op, core.Invalid, "act on behalf of somebody or simulate a user, not both")
	}
	if token != "" {
		var err error
		prove := s.logins.Authenticate
		if isJWT(token) {
			prove, e.token = s.bearer, token
		}
		if e.proof, err = prove(ctx, token); err != nil {
			return e, core.Caller{}, err
		}
	}
	who, err := s.asks(ctx, e.proof, cause)
	if err == nil && e.Simulate != "" {
		who, err = s.Simulate(ctx, who, e.Simulate)
	} else if err == nil && e.As != "" {
		who, err = s.OnBehalf(who, e.As)
	}
	return e, who, err
}

// Again returns the caller of an entry with the rights of now, which it takes from the current snapshot.
func (s *Service) Again(e Entry) (core.Caller, error) {
	who, err := s.of(e.proof, e.cause)
	switch {
	case err != nil:
		return core.Caller{}, err
	case e.As != "":
		return s.OnBehalf(who, e.As)
	case e.Simulate != "":
		return s.simulated(who, e.Simulate)
	}
	return who, nil
}

// of returns the caller whom a proof is of; the zero proof is of nobody.
func (s *Service) of(p authz.Proof, cause core.Cause) (core.Caller, error) {
	if p.User == "" {
		return core.Caller{Cause: cause}, nil
	}
	policy := s.store.Snapshot().Policy
	who, err := policy.Caller(p.User, cause)
	if err != nil {
		return core.Caller{}, err
	}
	login := p.Login
	who.Scope, who.Login = p.Scope, &login
	if login.Kind == "session" && !login.Strong && (s.strict || len(policy.StrongRoles(who)) > 0) {
		who.Scope = accountOnly
	}
	return who, nil
}

// asks returns the caller whom a proof is of, for a request that begins. Another process may have just made or enabled the user: he is
// not refused before the database was asked.
func (s *Service) asks(ctx context.Context, p authz.Proof, cause core.Cause) (core.Caller, error) {
	who, err := s.of(p, cause)
	if core.KindOf(err) != core.Unknown {
		return who, err
	}
	if err := s.store.Refresh(ctx); err != nil {
		return core.Caller{}, core.E("identity.asks", err)
	}
	return s.of(p, cause)
}

// Who returns the user as a caller, for somebody who has just signed in as him.
func (s *Service) Who(ctx context.Context, user core.ID) (core.Caller, error) {
	return s.asks(ctx, authz.Proof{User: user}, core.Cause{Kind: "api"})
}

// errEnded tells who has stayed that he cannot any longer.
var errEnded = core.E("identity.Ended", core.Unknown, "the session, the key or the token has ended: sign in again")

// Ended returns, for each of the entries, why it is good no longer; nil where it is. Those by sessions and keys are checked together.
func (s *Service) Ended(ctx context.Context, entries []Entry) ([]error, error) {
	const op = "identity.Ended"
	logins := make([]core.Login, len(entries))
	for i := range entries {
		logins[i] = entries[i].proof.Login
	}
	alive, err := s.logins.Alive(ctx, logins)
	if err != nil {
		return nil, core.E(op, err)
	}
	out, tokens := make([]error, len(entries)), map[string]error{}
	for i, e := range entries {
		switch {
		case e.proof.User == "":
		case e.token != "":
			bad, known := tokens[e.token]
			if !known {
				if _, bad = s.bearer(ctx, e.token); core.KindOf(bad) != core.Unknown {
					bad = nil // what cannot be asked is asked again
				}
				tokens[e.token] = bad
			}
			out[i] = bad
		case !alive[e.proof.Login.ID]:
			out[i] = errEnded
		}
		if out[i] == nil {
			_, out[i] = s.Again(e)
		}
	}
	return out, nil
}

// CheckEvery is how often entries are to be checked, so that who is locked out is out within a second.
const CheckEvery = 500 * time.Millisecond
