package external

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/egress"
	"colonnade/core/secret"
	"colonnade/tables"
)

// Options of a [Service].
type Options struct {
	Keys   *secret.Keyring // for secrets of plugins; without one there are none
	Egress *egress.Guard   // of calls by plugins, and of services; one that reaches the public Internet only when nil
	Cache  string          // a folder for machine code, which nobody else may write; memory when empty
	Log    *slog.Logger    // slog.Default when nil
	Now    func() time.Time

	// Query answers a request of GraphQL for the caller of the context. With a key, what it writes is written once.
	Query func(ctx context.Context, query string, variables json.RawMessage, key string) json.RawMessage

	// Note keeps what was done in the audit, in the transaction in which it was.
	Note func(context.Context, *db.Tx, authz.Notice) error
}

// Service runs plugins.
type Service struct {
	store   *tables.Store
	db      *db.DB
	secrets *secret.Store
	o       Options
	plugins []*loaded
	cache   wazero.CompilationCache

	secretOf func(ctx context.Context, plugin, name string) (string, error)

	fetching *httpClient // for modules
	calling  *httpClient // for services
}

// together is how many calls of one plugin run at once in this process.
const together = 4

// loaded is a plugin in use.
type loaded struct {
	*Plugin
	slots   chan struct{} // holds as many as calls run
	breaker breaker

	mu  sync.Mutex
	ran *module
}

// New returns the service for the plugins, over the store whose users call them.
func New(store *tables.Store, plugins []*Plugin, o Options) (*Service, error) {
	s := &Service{store: store, db: store.DB(), secrets: secret.New(store.DB(), o.Keys)}
	s.secretOf = s.readSecret
	s.begin(o)
	var err error
	if s.cache, err = openCache(plugins, o.Cache); err != nil {
		return nil, core.E("external.New", err)
	}
	for _, p := range plugins {
		s.plugins = append(s.plugins, &loaded{Plugin: p, slots: make(chan struct{}, together)})
	}
	return s, nil
}

// begin takes the options, and makes the clients.
func (s *Service) begin(o Options) {
	s.o = o
	if s.o.Egress == nil {
		s.o.Egress = egress.New(egress.Options{})
	}
	if s.o.Log == nil {
		s.o.Log = slog.Default()
	}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	s.fetching = newHTTPClient(s.o.Egress, egress.Limits{Body: maxFetched, Time: mostLimits.Time})
	s.calling = newHTTPClient(s.o.Egress, egress.Limits{Body: int64(mostLimits.Output) + 1, Time: mostLimits.Time})
}

// openCache opens what keeps machine code, where a plugin is a module.
func openCache(plugins []*Plugin, folder string) (wazero.CompilationCache, error) {
	switch {
	case !slices.ContainsFunc(plugins, func(p *Plugin) bool { return p.Wasm != "" }):
		return nil, nil
	case folder == "":
		return wazero.NewCompilationCache(), nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, core.E("external.openCache", core.Invalid, "the folder for the machine code of plugins cannot be made: "+err.Error())
	}
	cache, err := wazero.NewCompilationCacheWithDir(folder)
	if err != nil {
		return nil, core.E("external.openCache", core.Invalid, "the folder for the machine code of plugins cannot be used: "+err.Error())
	}
	return cache, nil
}

// Close ends the use of modules and connections. Nothing may run any more.
func (s *Service) Close() error {
	ctx := context.Background()
	s.fetching.CloseIdleConnections()
	s.calling.CloseIdleConnections()
	var err error
	for _, p := range s.plugins {
		if p.ran != nil {
			err = errors.Join(err, p.ran.close(ctx))
		}
	}
	if s.cache != nil {
		err = errors.Join(err, s.cache.Close(ctx))
	}
	return core.E("external.Close", err)
}

// module returns the compiled module of the plugin, which the first call compiles: that takes seconds where no cache has it.
func (p *loaded) module(ctx context.Context, cache wazero.CompilationCache) (*module, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ran != nil {
		return p.ran, nil
	}
	m, err := p.compile(context.WithoutCancel(ctx), cache)
	if err != nil {
		return nil, err
	}
	p.ran = m
	return m, nil
}

// find returns the plugin of that name.
func (s *Service) find(name string) (*loaded, error) {
	have := make([]string, len(s.plugins))
	for i, p := range s.plugins {
		if p.Name == name {
			return p, nil
		}
		have[i] = p.Name
	}
	return nil, core.E("external.find", core.NotFound, core.At{Column: "name"}, fmt.Sprintf("there is no plugin %q%s: plugins are folders in that of --plugins when the server starts", name, near(name, have)))
}
