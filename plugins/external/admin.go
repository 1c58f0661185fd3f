package external

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

const manage = "manage_plugins"

func text(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Text, Required: true, Doc: doc}
}

func texts(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Text, List: true, Required: true, Doc: doc}
}

func flag(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Boolean, Required: true, Doc: doc}
}

func (s *Service) list() core.Action {
	return core.Action{
		Name: "list_plugins", Doc: "Lists the plugins of other people that lie in the folder of the server, with all that they ask for.", Privilege: manage,
		Output: []core.Column{{Name: "plugins", Kind: core.Object, List: true, Required: true, Fields: []core.Column{
			text("name", "Which begins the names of its actions."), text("version", "As its manifest says."), text("doc", "What it is for."), text("transport", "wasm: it runs in a sandbox here. http: a service is called."),
			text("status", "enabled, disabled, or changed: it was enabled, and its files are others now."), text("digest", "The hash of its manifest and its module."),
			texts("actions", "What it offers."), texts("tables", "What it may do to the records of which tables, as far as its caller may: customer: read, update."),
			texts("hosts", "The servers that it sends to; * for any."), flag("log", "Whether it writes to the log of the server."), flag("model", "Whether what it is given goes to a model."),
			texts("secrets", "The secrets that it asks for."), texts("missing_secrets", "Those of them that are not set."),
		}}},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (out core.Record, err error) {
			list := []any{}
			err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				for _, p := range s.plugins {
					shown, err := s.shown(ctx, tx.DB(), p.Plugin)
					if err != nil {
						return err
					}
					list = append(list, shown)
				}
				return nil
			})
			return core.Record{"plugins": list}, core.E("external.list_plugins", err)
		},
	}
}

func (s *Service) shown(ctx context.Context, tx *db.Tx, p *Plugin) (map[string]any, error) {
	st, err := stateOf(tx.Gorm(ctx), p.Name)
	if err != nil {
		return nil, err
	}
	actions, wanted, missing := []string{}, p.secretNames(), []string{}
	for _, a := range p.Manifest.Actions {
		actions = append(actions, p.Name+"_"+a.Name)
	}
	for _, name := range wanted {
		if st != nil {
			if _, err = s.secrets.Get(tx.Gorm(ctx), kindOf(name), st.ID); err == nil {
				continue
			}
		}
		if st != nil && core.KindOf(err) != core.NotFound {
			return nil, err
		}
		missing = append(missing, name)
	}
	transport := "wasm"
	if p.URL != "" {
		transport = "http"
	}
	return map[string]any{
		"name": p.Name, "version": p.Version, "doc": p.Doc, "transport": transport, "status": st.of(p), "digest": p.Digest, "actions": core.Texts(actions), "tables": core.Texts(p.tableWants()),
		"hosts": core.Texts(p.sends().Hosts), "log": p.Wants.Log, "model": p.Wants.Model, "secrets": core.Texts(wanted), "missing_secrets": core.Texts(missing),
	}, nil
}

// secretNames are the secrets that the plugin asks for; a service is called with one.
func (p *Plugin) secretNames() []string {
	out := []string{}
	if p.URL != "" {
		out = append(out, SigningKey)
	}
	for _, w := range p.Wants.Secrets {
		out = append(out, w.Name)
	}
	return out
}

func (p *Plugin) tableWants() []string {
	out := []string{}
	for _, w := range p.Wants.Tables {
		out = append(out, w.Table+": "+strings.Join(w.Privileges, ", "))
	}
	return out
}

func (s *Service) enable() core.Action {
	return core.Action{
		Name: "enable_plugin", Doc: "Lets the actions of a plugin be called, as long as its files stay as they are. Look at what list_plugins says that it asks for first.",
		Privilege: manage, StepUp: true, Alone: true, // a module is compiled
		Input:    []core.Column{text("name", "The plugin."), text("digest", "As list_plugins tells it: what was looked at is what is enabled.")},
		Output:   []core.Column{text("status", "How it is now.")},
		Examples: []core.Example{{In: core.Record{"name": "loyalty", "digest": "sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "external.enable_plugin"
			p, err := s.find(c.Text("name"))
			if err != nil {
				return nil, core.E(op, err)
			}
			if c.Text("digest") != p.Digest {
				return nil, core.E(op, core.Conflict, core.At{Column: "digest"}, fmt.Sprintf("the plugin %s has another digest, %s: look at what it asks for now, and name that one", p.Name, p.Digest))
			}
			if p.Wasm != "" {
				if _, err := p.module(ctx, s.cache); err != nil {
					return nil, core.E(op, err)
				}
				// The compiler may have taken all the time that a request has, and what it made is there.
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
				defer cancel()
			}
			return core.Record{"status": isEnabled}, core.E(op, s.change(ctx, p.Plugin, true))
		},
	}
}

func (s *Service) disable() core.Action {
	return core.Action{
		Name: "disable_plugin", Doc: "Refuses calls of the actions of a plugin from now on. Its secrets stay.", Privilege: manage,
		Input: []core.Column{text("name", "The plugin.")}, Output: []core.Column{text("status", "How it is now.")}, Examples: []core.Example{{In: core.Record{"name": "loyalty"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "external.disable_plugin"
			p, err := s.find(c.Text("name"))
			if err != nil {
				return nil, core.E(op, err)
			}
			return core.Record{"status": isDisabled}, core.E(op, s.change(ctx, p.Plugin, false))
		},
	}
}

// change keeps that a plugin is enabled as it is, or is not, and notes it in the audit.
func (s *Service) change(ctx context.Context, p *Plugin, enabled bool) error {
	return s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		st, err := s.touch(ctx, tx.DB(), p)
		if err != nil {
			return err
		}
		st.Enabled, st.Digest = enabled, p.Digest
		if err := tx.DB().Gorm(ctx).Save(st).Error; err != nil {
			return err
		}
		what := "disable_plugin"
		if enabled {
			what = "enable_plugin"
		}
		return s.note(ctx, tx.DB(), what, p, map[string]any{"digest": p.Digest, "tables": p.tableWants(), "hosts": p.sends().Hosts, "secrets": p.secretNames()})
	})
}

// touch returns the state of the plugin to be changed by the caller, which is there from then on.
func (s *Service) touch(ctx context.Context, tx *db.Tx, p *Plugin) (*state, error) {
	st, err := stateOf(tx.Gorm(ctx), p.Name)
	if err != nil {
		return nil, err
	}
	by := core.CallerFrom(ctx).User
	if st == nil {
		st = &state{ID: core.NewID(), Name: p.Name, Digest: p.Digest, ChangedBy: by, ChangedAt: db.Now()}
		return st, tx.Gorm(ctx).Create(st).Error
	}
	st.ChangedBy, st.ChangedAt = by, db.Now()
	return st, nil
}

func (s *Service) note(ctx context.Context, tx *db.Tx, what string, p *Plugin, more map[string]any) error {
	if s.o.Note == nil {
		return nil
	}
	data := map[string]any{"change": what, "plugin": p.Name, "version": p.Version}
	for k, v := range more {
		data[k] = v
	}
	return s.o.Note(ctx, tx, authz.Notice{Kind: authz.NoticePlugin, Data: data})
}

func (s *Service) putSecret() core.Action {
	return core.Action{
		Name: "put_plugin_secret", Doc: "Gives a plugin a secret that its manifest asks for, in place of the one that it had. It is sealed, and nobody reads it, nor does the plugin: it is written into headers of the plugin's requests.",
		Privilege: manage, StepUp: true, Secret: true,
		Input:  []core.Column{text("name", "The plugin."), text("secret", "The name of the secret; signing_key for what requests to a service are signed with, at least 24 characters."), text("value", "The secret.")},
		Output: []core.Column{text("secret", "The name of the secret.")}, Examples: []core.Example{{In: core.Record{"name": "shipping", "secret": "signing_key", "value": "whsec_a long text that nobody guesses"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "external.put_plugin_secret"
			p, err := s.find(c.Text("name"))
			if err != nil {
				return nil, core.E(op, err)
			}
			name, value := c.Text("secret"), c.Text("value")
			if err := p.checkSecret(name, value); err != nil {
				return nil, core.E(op, err)
			}
			err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				st, err := s.touch(ctx, tx.DB(), p.Plugin)
				if err == nil {
					err = s.secrets.Put(ctx, tx.DB(), kindOf(name), st.ID, []byte(value))
				}
				if err != nil {
					return err
				}
				return s.note(ctx, tx.DB(), "put_plugin_secret", p.Plugin, map[string]any{"secret": name})
			})
			return core.Record{"secret": name}, core.E(op, err)
		},
	}
}

func (p *Plugin) checkSecret(name, value string) error {
	const op = "external.checkSecret"
	have := p.secretNames()
	switch {
	case !slices.Contains(have, name):
		return core.E(op, core.Invalid, core.At{Column: "secret"}, fmt.Sprintf("the manifest of %s asks for no secret %q%s; it asks for: %s", p.Name, name, near(name, have), strings.Join(have, ", ")))
	case name == SigningKey && p.URL != "" && len(value) < minKey:
		return core.E(op, core.Invalid, core.At{Column: "value"}, fmt.Sprintf("a key to sign with has at least %d characters", minKey))
	case strings.ContainsAny(value, "\r\n\x00"):
		return core.E(op, core.Invalid, core.At{Column: "value"}, "a secret is one line: it is written into a header")
	}
	return nil
}
