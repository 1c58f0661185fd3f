package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/tables"
)

// stopWithin is how long running requests get when the server is told to stop.
const stopWithin = 15 * time.Second

func runServe(ctx context.Context, args []string, out io.Writer) error {
	var c config
	if err := c.parse(c.flags("serve", out), args); err != nil {
		return err
	}
	if c.KeyFile != "" && !c.Dev {
		return core.E("main.serve", core.Invalid, "--key-file goes with --dev")
	}
	return withApp(ctx, &c, func(a *app) error { return a.serve(ctx, &c, out) })
}

// withApp opens the database, calls f, and ends in order whatever f has started.
func withApp(ctx context.Context, c *config, f func(*app) error) (err error) {
	a, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		if bad := a.stop(stopping); err == nil {
			err = bad
		}
	}()
	return f(a)
}

func (a *app) serve(ctx context.Context, c *config, out io.Writer) error {
	empty, err := a.logins.NeedsSetup(ctx)
	if err != nil {
		return err
	}
	if c.Dev && empty {
		if err := a.developer(ctx, c, out); err != nil {
			return err
		}
		empty = false
	} else if c.Dev {
		say(out, "There are users already: no new administrator and no new key\n")
	}
	if a.metrics != nil {
		if err := a.metrics.start(c.Metrics, c.Public); err != nil {
			return err
		}
		say(out, "Metrics are at http://%s/metrics\n", a.metrics.addr())
	}
	if err := a.start(context.WithoutCancel(ctx), c.Addr); err != nil {
		return err
	}
	url := "http://" + a.web.Addr()
	if err := note("--addr-file", c.AddrFile, a.web.Addr()); err != nil {
		return err
	}
	say(out, "Colonnade listens on %s\n", url)
	if empty {
		token, err := a.logins.SetupToken(ctx)
		if err != nil {
			return err
		}
		say(out, "There is no user yet. Make the first administrator here, within 15 minutes:\n\n  %s/setup?token=%s\n\n", url, token)
	}
	rest(ctx)
	say(out, "Stopping: running requests and flow steps are finished first\n")
	return nil
}

func open(ctx context.Context, c *config) (*app, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return newApp(ctx, c, log)
}

func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }

// developer makes an administrator and an API key without the setup link.
func (a *app) developer(ctx context.Context, c *config, out io.Writer) error {
	password := rand.Text()
	key, err := a.administrator(ctx, "developer@localhost.example", password)
	if err != nil {
		return err
	}
	say(out, "Development mode: sign in as developer@localhost.example with the password %s, or send\n\n  Authorization: Bearer %s\n\n", password, key)
	return note("--key-file", c.KeyFile, key)
}

// note writes a line to the file that an option names; to none when it is empty.
func note(option, file, line string) error {
	if file == "" {
		return nil
	}
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		return core.E("main.note", core.Invalid, "the file of "+option+" cannot be written: "+err.Error())
	}
	return nil
}

// administrator makes the first administrator of an empty database, and a key to act as him.
func (a *app) administrator(ctx context.Context, email, password string) (key string, err error) {
	token, err := a.logins.SetupToken(ctx)
	if err != nil {
		return "", err
	}
	user, err := a.logins.CreateFirstAdministrator(ctx, token, "Administrator", email, password)
	if err != nil {
		return "", err
	}
	if err := a.store.Load(ctx); err != nil {
		return "", err
	}
	caller, err := a.store.Snapshot().Policy.Caller(user, core.Cause{Kind: "setup"})
	if err != nil {
		return "", err
	}
	err = a.store.Tx(core.WithCaller(ctx, caller), tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		key, _, err = a.logins.CreateKey(ctx, tx.DB(), authz.NewKey{User: user, Name: "first key"})
		return err
	})
	return key, err
}
