package request

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/egress"
	"colonnade/core/secret"
	"colonnade/tables"
)

// Options of a [Service].
type Options struct {
	Keys   *secret.Keyring // for credentials; without one there are none
	Egress *egress.Guard   // of all calls; one that reaches the public Internet only when nil
	Now    func() time.Time

	// Note keeps what was done in the audit, in the transaction in which it was.
	Note func(context.Context, *db.Tx, authz.Notice) error
}

// Service calls servers.
type Service struct {
	store   *tables.Store
	db      *db.DB
	secrets *secret.Store
	o       Options
	client  *http.Client

	mu     sync.Mutex
	tokens map[string]oauth2.TokenSource // of credentials for which another server gives tokens, by id and last change
}

// What an answer may take, and what a request and an answer may hold.
const (
	defaultTime = 30 * time.Second
	maxTime     = 2 * time.Minute
	maxBody     = 4 << 20
)

// New returns the service over the store whose users call it.
func New(store *tables.Store, o Options) *Service {
	if o.Egress == nil {
		o.Egress = egress.New(egress.Options{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{store: store, db: store.DB(), secrets: secret.New(store.DB(), o.Keys), o: o, tokens: map[string]oauth2.TokenSource{}}
	s.client = o.Egress.Client(egress.Limits{Body: maxBody, Time: maxTime})
	follow := s.client.CheckRedirect
	s.client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if writes(via[0].Method) {
			return http.ErrUseLastResponse // to follow would be to read where something was to be written
		}
		return follow(next, via)
	}
	return s
}

// Close ends connections. Nothing may run any more.
func (s *Service) Close() { s.client.CloseIdleConnections() }

// Actions returns what can be called.
func (s *Service) Actions() []core.Action {
	return []core.Action{s.request(), s.put(), s.list(), s.delete()}
}
