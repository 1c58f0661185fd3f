package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

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
	}
	if err := a.start(context.WithoutCancel(ctx), c.Addr); err != nil {
		return err
	}
	url := "http://" + a.web.Addr()
	if c.AddrFile != "" {
		if err := os.WriteFile(c.AddrFile, []byte(a.web.Addr()+"\n"), 0o600); err != nil {
			return core.E("main.serve", core.Invalid, "the file of --addr-file cannot be written: "+err.Error())
		}
	}
	say(out, "Colonnade listens on %s\n", url)
	if empty {
		token, err := a.logins.SetupToken(ctx)
		if err != nil {
			return err
		}
		say(out, "There is no user yet. Make the first administrator here, within 15 minutes:\n\n  %s/setup?token=%s\n\n", url, token)
	}
	<-ctx.Done()
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
	if c.KeyFile == "" {
		return nil
	}
	if err := os.WriteFile(c.KeyFile, []byte(key+"\n"), 0o600); err != nil {
		return core.E("main.developer", core.Invalid, "the file of --key-file cannot be written: "+err.Error())
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
		key, _, err = a.logins.CreateKey(ctx, tx.DB(), user, "first key", time.Time{})
		return err
	})
	return key, err
}
