package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"

	"colonnade/core"
	"colonnade/examples/coffee"
)

// runDemo starts a server on a new database and has the coffee example build itself through the public API.
func runDemo(ctx context.Context, args []string, out io.Writer) error {
	var c config
	var once bool
	f := c.flags("demo", out)
	f.BoolVar(&once, "once", false, "end when everything has been shown")
	f.Lookup("data").DefValue, c.Data = "a new temporary folder", env("COLONNADE_DATA", "")
	f.Lookup("addr").DefValue = "127.0.0.1:0"
	c.Addr = env("COLONNADE_ADDR", "127.0.0.1:0")
	if err := c.parse(f, args); err != nil {
		return err
	}
	if c.Data == "" && c.Database == "" {
		dir, err := os.MkdirTemp("", "colonnade-demo-")
		if err != nil {
			return core.E("main.demo", core.Unavailable, "no temporary folder can be made: "+err.Error())
		}
		defer func() { _ = os.RemoveAll(dir) }()
		c.Data = dir
	}
	return withApp(ctx, &c, func(a *app) error { return a.demo(ctx, &c, once, out) })
}

func (a *app) demo(ctx context.Context, c *config, once bool, out io.Writer) error {
	empty, err := a.logins.NeedsSetup(ctx)
	if err != nil {
		return err
	}
	if !empty {
		return core.E("main.demo", core.Exists, "the database is in use already: give the demo a folder of its own with --data, or none")
	}
	password := rand.Text()
	const email = "demo@coffee.example"
	key, err := a.administrator(ctx, email, password)
	if err != nil {
		return err
	}
	if err := a.start(context.WithoutCancel(ctx), c.Addr); err != nil {
		return err
	}
	if err := errors.Join(note("--addr-file", c.AddrFile, a.web.Addr()), note("--key-file", c.KeyFile, key)); err != nil {
		return err
	}
	url := "http://" + a.web.Addr()
	say(out, "Colonnade demo on %s, database in %s\n", url, placeOf(c.Data, c.Database, c.Files))
	if err := coffee.Run(ctx, coffee.Options{URL: url + "/graphql", Key: key, Out: out, Terminal: isTerminal(out)}); err != nil {
		return err
	}
	if once {
		return nil
	}
	say(out, "\nExplore it at %s/graphiql: sign in as %s with the password %s. Ctrl+C ends it.\n", url, email, password)
	<-ctx.Done()
	return nil
}

// isTerminal reports whether a person watches.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
