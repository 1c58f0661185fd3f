package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/egress"
	"colonnade/core/secret"
	"colonnade/files"
	"colonnade/flows"
	"colonnade/graphql"
	"colonnade/identity"
	"colonnade/plugins"
	"colonnade/plugins/external"
	"colonnade/plugins/mail"
	"colonnade/plugins/request"
	"colonnade/tables"
	"colonnade/transfer"
	"colonnade/web"
)

// app is the whole program, wired bottom up. Read it to learn what depends on what.
type app struct {
	db       *db.DB
	store    *tables.Store
	logins   *authz.Logins
	identity *identity.Service
	egress   *egress.Guard     // of every call to another server
	external *external.Service // plugins of other people
	request  *request.Service  // requests to other servers
	flows    *flows.Service
	data     *transfer.Service
	disk     *files.Disk
	files    *files.Service
	api      *graphql.Engine
	web      *web.Server
	metrics  *instruments // nil for none

	actions []core.Action // everything callable

	heads      func(context.Context) // writes signed heads; nil for nowhere
	stopWatch  context.CancelFunc
	background sync.WaitGroup
}

func newApp(ctx context.Context, c *config, log *slog.Logger) (*app, error) {
	dialect, source := c.database()
	database, err := db.Open(ctx, dialect, source, db.Options{Log: log})
	if err != nil {
		return nil, err
	}
	a := &app{db: database}
	if err := a.wire(ctx, c, log); err != nil {
		_ = a.close()
		return nil, err
	}
	return a, nil
}

func (a *app) wire(ctx context.Context, c *config, log *slog.Logger) (err error) {
	if a.egress, err = c.egress(); err != nil {
		return err
	}
	keys, err := c.secretKeys()
	if err != nil {
		return err
	}
	if c.Metrics != "" {
		a.metrics = newMetrics(a, log)
	}
	a.store = tables.New(a.db, tables.Options{
		SecondFactor: c.SecondFactor,
		Builtin:      builtin(),
		Wake:         func() { a.flows.Wake() },
		Keys:         keys,
		Log:          log,

		KeepDropped: c.Keep,
		KeepEvents:  cmp.Or(c.Events, -1),

		KeepAccesses: c.Accesses,
	})
	if c.Heads != "" {
		if keys == nil {
			return core.E("main.wire", core.Invalid, "--heads needs --secrets-key, with which the key that signs is sealed: colonnade secrets new-key makes one")
		}
		a.heads = func(ctx context.Context) { writeHeads(ctx, a.store, c.Heads, log) }
	}
	a.logins = authz.NewLogins(a.db, authz.LoginOptions{Log: log, Change: a.store.ChangeAccess, Note: a.store.NoteAccess})

	a.identity = identity.New(a.store, a.logins, identity.Options{Keys: keys, Log: log, SecondFactor: c.SecondFactor, Egress: a.egress})

	actions := append(a.store.Actions(), a.store.AccessActions(a.logins)...)
	actions = append(actions, a.store.RecordActions(func(ctx context.Context, table string, where []byte) (tables.Cond, error) {
		return a.api.Where(ctx, table, where)
	})...)
	actions = append(actions, a.identity.Actions()...)
	actions = append(actions, plugins.Builtin(a.store)...)
	if err := a.openPlugins(c, keys, log); err != nil {
		return err
	}
	actions = append(actions, a.external.Actions()...)
	a.request = request.New(a.store, request.Options{Keys: keys, Egress: a.egress, Note: a.store.NoteAccess})
	actions = append(actions, a.request.Actions()...)
	mails, err := mail.New(mail.Options{Server: cmp.Or(c.SMTP, env("COLONNADE_SMTP", "")), From: c.MailFrom})
	if err != nil {
		return err
	}
	actions = append(actions, mails.Actions()...)
	if err := a.openFiles(c, log); err != nil {
		return err
	}
	a.data = transfer.New(a.store, transfer.Options{Log: log, Version: version(), Contents: a.disk})
	actions = append(actions, a.data.Actions()...)
	if a.flows, err = flows.New(ctx, a.store, actions, flows.Options{Log: log, Keys: keys, KeepRuns: c.Runs, Ended: a.metrics.ended()}); err != nil {
		return err
	}
	actions = append(actions, a.flows.Actions()...)
	slow := graphql.NewSlowLog(c.Slow)
	actions = append(actions, slow.Actions()...)
	a.api = graphql.New(a.store, actions, graphql.Options{Log: log, Dev: c.Dev, RequestID: web.RequestID, Slow: slow, Answered: a.metrics.answered()})
	a.actions = a.api.Actions()
	if err := a.store.Load(ctx); err != nil {
		return err
	}
	if err := c.declareProviders(ctx, a.identity); err != nil {
		return err
	}
	proxies, err := c.proxies()
	if err != nil {
		return err
	}
	empty, err := a.logins.NeedsSetup(ctx)
	if err != nil {
		return err
	}
	if empty && c.Public {
		return core.E("main.wire", core.Denied, "nobody can sign in yet: make the first administrator without --public, then start again with it")
	}
	a.web = web.New(web.Options{
		Engine: a.api, Logins: a.logins, Identity: a.identity, Log: log, Dev: c.Dev, Public: c.Public, Hosts: split(c.Hosts), Proxies: proxies, Origins: split(c.Origins),
		BodyLimit: int(c.MaxBody) << 20,
		Users:     web.Rate{PerMinute: int(c.Rate), Together: int(c.Concurrency)},
		Strangers: web.Rate{PerMinute: int(c.Anonymous), Together: int(c.Concurrency)},
		Live:      web.Live{PerUser: int(c.Subscribe), PerConnection: maxOperations, Total: maxSockets},
		Policy:    func() *authz.Policy { return a.store.Snapshot().Policy },
		Logged:    func(err error) error { return a.store.Snapshot().Logged(err) },
		Reload:    a.store.Load, Ping: a.db.Ping, Data: a.data, Files: a.files, Flows: a.flows, Served: a.metrics.served(),
	})
	return nil
}

// How many operations run over one connection, and how many connections for subscriptions there are.
const (
	maxOperations = 100
	maxSockets    = 20_000
)

// openPlugins reads the plugins of other people. What they ask of the API is asked as any request is.
func (a *app) openPlugins(c *config, keys *secret.Keyring, log *slog.Logger) (err error) {
	var all []*external.Plugin
	if c.Plugins != "" {
		if all, err = external.LoadAll(c.Plugins); err != nil {
			return err
		}
	}
	a.external, err = external.New(a.store, all, external.Options{
		Keys: keys, Egress: a.egress, Cache: filepath.Join(c.Data, "plugin-cache"), Log: log, Note: a.store.NoteAccess,
		Query: func(ctx context.Context, query string, variables json.RawMessage, key string) json.RawMessage {
			return a.api.Do(ctx, graphql.Request{Query: query, Variables: variables, Key: key}, false).Body
		},
	})
	return err
}

// openFiles opens the folder where the contents of files are.
func (a *app) openFiles(c *config, log *slog.Logger) (err error) {
	folder := c.filesFolder()
	if a.disk, err = files.OpenDisk(folder); err != nil {
		return err
	}
	a.files, err = files.New(a.store, files.Options{
		Contents: a.disk, Cache: filepath.Join(folder, "thumbnails"), MaxSize: c.MaxFile << 20, Keep: c.KeepUploads, Log: log,
	})
	return err
}

// builtin are the tables that packages declare.
func builtin() []core.Table {
	return slices.Concat(flows.Tables(), plugins.Tables(), transfer.Tables())
}

// start begins to work and to listen.
func (a *app) start(ctx context.Context, addr string) error {
	watching, stop := context.WithCancel(ctx)
	a.stopWatch = stop
	a.api.Start(watching)
	a.background.Go(func() { a.store.Watch(watching) })
	a.background.Go(func() { a.store.Sweep(watching) })
	a.background.Go(func() { a.files.Sweep(watching) })
	if a.heads != nil {
		a.background.Go(func() { a.heads(watching) })
	}
	if err := a.flows.Start(ctx); err != nil {
		return err
	}
	return a.web.Start(addr)
}

// stop ends everything in the reverse order: requests, flows, database. What runs is finished, within limits of time.
func (a *app) stop(ctx context.Context) error {
	err := a.web.Stop(ctx)
	if a.metrics != nil {
		err = errors.Join(err, a.metrics.stop(ctx))
	}
	if bad := a.flows.Stop(ctx); err == nil {
		err = bad
	}
	if a.stopWatch != nil {
		a.api.Stop()
		a.stopWatch()
	}
	a.background.Wait()
	if bad := a.close(); err == nil {
		err = bad
	}
	return core.E("main.stop", err)
}

// close ends the use of the files and of the database.
func (a *app) close() (err error) {
	if a.files != nil {
		err = a.files.Close()
	}
	if a.external != nil {
		err = errors.Join(err, a.external.Close())
	}
	if a.request != nil {
		a.request.Close()
	}
	if a.disk != nil {
		err = errors.Join(err, a.disk.Close())
	}
	return errors.Join(err, a.db.Close())
}
