package identity

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/egress"
	"colonnade/core/secret"
	"colonnade/tables"
)

// Options of [New]; the zero value works.
type Options struct {
	Keys *secret.Keyring  // for secrets; without one, what needs a secret is refused
	Log  *slog.Logger     // slog.Default when nil
	Now  func() time.Time // time.Now when nil

	Egress *egress.Guard // of calls to providers; one that reaches the public Internet only when nil

	SecondFactor bool // everybody who signs in must have one
}

// Service knows the ways to sign in.
type Service struct {
	store   *tables.Store
	db      *db.DB
	logins  *authz.Logins
	secrets *secret.Store
	log     *slog.Logger
	now     func() time.Time
	strict  bool

	guard      *egress.Guard
	client     *http.Client
	discovered sync.Map // by id of the provider: *discovery

	declared map[string]bool // the providers that the operator sets up; never changed once somebody can sign in
}

// What an answer of a provider may take.
const (
	maxProviderAnswer = 1 << 20
	providerTime      = 10 * time.Second
)

// Close ends the connections to providers.
func (s *Service) Close() { s.client.CloseIdleConnections() }

// New returns the service over a store.
func New(store *tables.Store, logins *authz.Logins, o Options) *Service {
	s := &Service{store: store, db: store.DB(), logins: logins, secrets: secret.New(store.DB(), o.Keys), log: o.Log, now: o.Now, strict: o.SecondFactor}
	if s.guard = o.Egress; s.guard == nil {
		s.guard = egress.New(egress.Options{})
	}
	s.client = s.guard.Client(egress.Limits{Body: maxProviderAnswer, Time: providerTime})
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Actions returns the actions of the package.
func (s *Service) Actions() []core.Action {
	return []core.Action{
		s.sessions(), s.endSessions(), s.changePassword(), s.resetPassword(),
		s.enrollTOTP(), s.confirmTOTP(), s.renewCodes(), s.dropFactor(), s.requireFactor(),
		s.listPasskeys(), s.dropPasskey(),
		s.putProvider(), s.dropProvider(), s.listProviders(), s.connectLogin(), s.listLogins(), s.disconnectLogin(),
		s.rotateSecrets(),
	}
}

func required(c core.Column) core.Column {
	c.Required = true
	return c
}

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }
