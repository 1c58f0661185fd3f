package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/secret"
	"colonnade/rules"
)

// Snapshot is what one request sees: a schema, a policy, and everything compiled from them. It never changes.
type Snapshot struct {
	Schema *core.Schema
	Rules  *rules.Set
	Policy *authz.Policy

	policyVersion int64
	access        *authz.Data
	money         *money
	owners        map[core.ID]core.ID         // the unit of each user and team
	duplicates    map[string][]*duplicateRule // by table
	derivation    *derivation
	defined       *Defined
	maxLimit      int
	derived       []any
	breadths      breadths

	granted sync.Once
	grants  []byte // a digest of what roles grant, see rights
}

// Derive has build run on every snapshot before it is published; a build that fails refuses the change before the
// database keeps it. The result lives as long as its snapshot; the function returned finds it. Call Derive before Load.
func Derive[T any](s *Store, build func(*Snapshot) (T, error)) func(*Snapshot) T {
	i := len(s.derive)
	s.derive = append(s.derive, func(n *Snapshot) (any, error) { return build(n) })
	return func(n *Snapshot) T { return n.derived[i].(T) }
}

// Options is what the layers above add to a [Store]; the zero value works.
type Options struct {
	Builtin  []core.Table // the tables that packages declare
	MaxLimit int          // rows of one query; [MaxLimit] when 0
	// KeepDropped is how long what was dropped can be brought back; [KeepDropped] when 0.
	KeepDropped time.Duration
	// KeepEvents is how long events are kept, and so how long a cursor of a feed is good; [KeepEvents] when 0, for good when negative.
	KeepEvents time.Duration
	// KeepAccesses is how long entries of the access log are kept; for good when 0.
	KeepAccesses time.Duration
	// KeepAnswers is how long answers to requests that were sent with a key are kept; a day when 0.
	KeepAnswers time.Duration

	// MaxBlocked is how many records a change of the schema reads or writes while writers wait, unless it is told that they
	// may; [MaxBlocked] when 0.
	MaxBlocked int

	// SecondFactor says that everybody is asked for one, whatever his roles are.
	SecondFactor bool

	// Keys seal what the tables keep secret; nil for none, which refuses what needs one.
	Keys *secret.Keyring

	Wake func()       // called after a commit that wrote events; never blocks
	Log  *slog.Logger // slog.Default when nil
}

// Store is the open table layer.
type Store struct {
	db     *db.DB
	o      Options
	derive []func(*Snapshot) (any, error)

	secrets *secret.Store

	followers   []Follower
	definitions map[string]Definitions // by folder

	observers []Observer

	readDefined func(context.Context, db.Conn) (*Defined, error)

	filling chan struct{} // records wait to be compared under a duplicate rule

	pages pages

	publishing sync.Mutex
	current    atomic.Pointer[Snapshot]
}

// New returns the table layer of d. It is ready after [Store.Load].
func New(d *db.DB, o Options) *Store {
	if o.MaxLimit == 0 {
		o.MaxLimit = MaxLimit
	}
	if o.MaxBlocked == 0 {
		o.MaxBlocked = MaxBlocked
	}
	if o.KeepDropped == 0 {
		o.KeepDropped = KeepDropped
	}
	if o.KeepEvents == 0 {
		o.KeepEvents = KeepEvents
	}
	if o.KeepAnswers <= 0 {
		o.KeepAnswers = keepAnswer
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Builtin = slices.Concat(authz.Tables(), builtinTables(), o.Builtin)
	s := &Store{db: d, o: o, secrets: secret.New(d, o.Keys), filling: make(chan struct{}, 1)}
	s.Define(currencyFile{})
	return s
}

// DB returns the database, for the system tables of the package that owns them.
func (s *Store) DB() *db.DB { return s.db }

// Snapshot returns the current snapshot.
func (s *Store) Snapshot() *Snapshot { return s.current.Load() }

// Load reads the definitions and publishes a snapshot of them, unless the current one is as new.
func (s *Store) Load(ctx context.Context) error {
	const op = "tables.Load"
	s.publishing.Lock()
	defer s.publishing.Unlock()
	var next *Snapshot
	err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) (err error) {
		next, err = s.read(ctx, tx)
		return err
	})
	if err != nil {
		return core.E(op, err)
	}
	if old := s.current.Load(); old != nil && !next.newer(old) {
		return nil
	}
	if err := s.build(next); err != nil {
		return core.E(op, err)
	}
	s.show(next)
	return nil
}

// read takes definitions and policy from the database, all of one moment.
func (s *Store) read(ctx context.Context, tx *db.Tx) (*Snapshot, error) {
	var v versions
	if err := tx.QueryLocked(ctx, false, v.query(tx.Dialect), v.scan); err != nil {
		return nil, err
	}
	defined, err := readTables(ctx, tx.Dialect, tx)
	if err != nil {
		return nil, err
	}
	shared, err := readShared(ctx, tx.Dialect, tx)
	if err != nil {
		return nil, err
	}
	next := &Snapshot{policyVersion: v.policy, maxLimit: s.o.MaxLimit}
	if next.Schema, err = core.NewSchemaOf(v.schema, shared, append(defined, s.o.Builtin...)...); err != nil {
		return nil, err
	}
	if next.money, err = readMoney(ctx, tx, time.Now()); err != nil {
		return nil, err
	}
	if next.access, err = authz.Load(tx.Gorm(ctx)); err != nil {
		return nil, err
	}
	next.defined, err = s.defined(ctx, tx)
	return next, err
}

func (n *Snapshot) newer(old *Snapshot) bool {
	return n.Schema.Version() > old.Schema.Version() || n.policyVersion > old.policyVersion
}

// compile makes the rules and the policy of n.
func (n *Snapshot) compile() (err error) {
	if n.Rules, err = rules.NewSet(n.Schema); err != nil {
		return err
	}
	n.derivation = derive(n.Schema, n.Rules)
	n.duplicates = map[string][]*duplicateRule{}
	for _, t := range n.Schema.Tables() {
		if n.duplicates[t.Name], err = compileDuplicates(n.Schema, t); err != nil {
			return err
		}
	}
	n.owners = make(map[core.ID]core.ID, len(n.access.Users)+len(n.access.Teams))
	for _, u := range n.access.Users {
		n.owners[u.ID] = u.UnitID
	}
	for _, t := range n.access.Teams {
		n.owners[t.ID] = t.UnitID
	}
	n.Policy, err = authz.NewPolicy(n.Schema, n.Rules, n.access)
	return err
}

// build makes everything of n that the layers derive from it.
func (s *Store) build(n *Snapshot) error {
	if n.Rules == nil {
		if err := n.compile(); err != nil {
			return err
		}
	}
	for _, build := range s.derive[len(n.derived):] { // a build that failed, or was not tried yet
		v, err := build(n)
		if err != nil {
			return err
		}
		n.derived = append(n.derived, v)
	}
	return nil
}

func (s *Store) publish(n *Snapshot) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if old := s.current.Load(); old == nil || n.newer(old) {
		s.show(n)
	}
}

// pollEvery is how long another process may serve an old snapshot when a notification was lost.
const pollEvery = time.Second

// Watch keeps the snapshot as new as the database, where other processes may change it, and does what has to be done from time
// to time, until ctx ends.
func (s *Store) Watch(ctx context.Context) {
	changed := make(chan struct{}, 1)
	var listening sync.WaitGroup
	listening.Go(func() {
		s.db.Listen(ctx, "schema", func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	defer listening.Wait()
	listening.Go(func() { s.tidy(ctx) })
	listening.Go(func() { s.sealAll(ctx) })
	listening.Go(func() { s.fillWhenWoken(ctx) })
	listening.Go(func() { s.retaining(ctx) })
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
		if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: cannot read the schema", "err", err)
		}
	}
}

// Refresh loads when the database has a newer version, which costs a short query when it has none. [Store.Watch] does that soon after
// each change; who must know now what another process has just committed, asks for it.
func (s *Store) Refresh(ctx context.Context) error {
	var v versions
	if err := s.db.Query(ctx, v.query(s.db.Dialect), v.scan); err != nil {
		return err
	}
	if v == s.Snapshot().versions() {
		return nil
	}
	return s.Load(ctx)
}

// versions are the numbers that rise with every change of the schema and of the policy.
type versions struct{ schema, policy int64 }

func (n *Snapshot) versions() versions { return versions{n.Schema.Version(), n.policyVersion} }

func (v *versions) query(d db.Dialect) *db.Builder {
	return db.New(d).Write(`SELECT key, value FROM "_meta" WHERE key IN ('schema_version', 'policy_version')`)
}

// condition holds while the database has these versions.
func (v versions) condition(d db.Dialect) *db.Builder {
	return db.New(d).Write(`(SELECT count(*) FROM "_meta" WHERE key = 'schema_version' AND value = `).Arg(strconv.FormatInt(v.schema, 10)).
		Write(` OR key = 'policy_version' AND value = `).Arg(strconv.FormatInt(v.policy, 10)).Write(") = 2")
}

func (v *versions) scan(scan func(...any) error) error {
	var key, value string
	if err := scan(&key, &value); err != nil {
		return err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if key == "schema_version" {
		v.schema = n
	} else {
		v.policy = n
	}
	return err
}

// readTables reads the definitions of the tables that app builders made.
func readTables(ctx context.Context, d db.Dialect, q db.Querier) ([]core.Table, error) {
	var out []core.Table
	b := db.New(d).Write(`SELECT name, definition FROM "_table" ORDER BY name`)
	err := q.Query(ctx, b, func(scan func(...any) error) error {
		var name string
		var definition []byte
		if err := scan(&name, &definition); err != nil {
			return err
		}
		var t core.Table
		if err := json.Unmarshal(definition, &t); err != nil {
			return core.E("tables.readTables", core.At{Table: name}, fmt.Errorf("the definition cannot be read: %w", err))
		}
		out = append(out, t)
		return nil
	})
	return out, err
}

// onlyRegistered is the key of whether only registered operations run.
const onlyRegistered = "only_registered"

// readShared reads what the schema has besides tables.
func readShared(ctx context.Context, d db.Dialect, q db.Querier) (out core.Shared, err error) {
	if out.Options, err = readNamed[core.OptionSet](ctx, d, q, "_option_set"); err != nil {
		return out, err
	}
	if out.Classes, err = readNamed[core.DataClass](ctx, d, q, "_data_class"); err != nil {
		return out, err
	}
	if out.Operations, err = readNamed[core.Operation](ctx, d, q, "_operation"); err != nil {
		return out, err
	}
	b := db.New(d).Write(`SELECT value FROM "_meta" WHERE key = `).Arg(onlyRegistered)
	return out, q.Query(ctx, b, func(scan func(...any) error) error {
		var value string
		err := scan(&value)
		out.OnlyRegistered = value == "true"
		return err
	})
}

// readNamed reads definitions that are kept by their names.
func readNamed[T any](ctx context.Context, d db.Dialect, q db.Querier, table string) ([]T, error) {
	var out []T
	b := db.New(d).Write("SELECT name, definition FROM ").Name(table).Write(" ORDER BY name")
	err := q.Query(ctx, b, func(scan func(...any) error) error {
		var name string
		var definition []byte
		if err := scan(&name, &definition); err != nil {
			return err
		}
		var one T
		if err := json.Unmarshal(definition, &one); err != nil {
			return core.E("tables.readNamed", fmt.Errorf("the definition of %s in %s cannot be read: %w", name, table, err))
		}
		out = append(out, one)
		return nil
	})
	return out, err
}
