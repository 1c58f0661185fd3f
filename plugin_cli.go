package main

import (
	"context"
	"flag"
	"io"
	"os"
	"strings"

	"colonnade/core"
	"colonnade/plugins/external"
)

const pluginUsage = `colonnade plugin new [--http] DIR
       colonnade plugin check [--key-file FILE] DIR

new makes the folder DIR with a plugin that works: a WebAssembly module, or with --http a service. check tells what is wrong with the plugin in DIR, and runs the examples of its
manifest as a server would; a service is called when FILE holds the key that its requests are signed with`

func runPlugin(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("colonnade plugin", flag.ContinueOnError)
	what := ""
	if len(args) > 0 && args[0] != "--help" && args[0] != "-h" {
		what, args = args[0], args[1:]
	}
	var service bool
	var keyFile string
	switch what {
	case "new":
		f.BoolVar(&service, "http", false, "a service that is called over HTTP, and not a module")
	case "check":
		f.StringVar(&keyFile, "key-file", "", "file of the key that requests to a service are signed with")
	}
	if err := operation(f, args, out, 1, pluginUsage); err != nil {
		return err
	}
	switch what {
	case "new":
		if err := external.Scaffold(f.Arg(0), service); err != nil {
			return err
		}
		say(out, "The plugin is in %s: README.md there says how to build and check it\n", f.Arg(0))
		return nil
	case "check":
		return checkPlugin(ctx, f.Arg(0), keyFile, out)
	}
	return core.E("main.plugin", core.Invalid, "usage: "+pluginUsage)
}

// checkPlugin checks the plugin in a folder, which its manifest may stand for.
func checkPlugin(ctx context.Context, folder, keyFile string, out io.Writer) error {
	var o external.CheckOptions
	if keyFile != "" {
		key, err := os.ReadFile(keyFile)
		if err != nil {
			return core.E("main.checkPlugin", core.Invalid, "the file of --key-file cannot be read: "+err.Error())
		}
		o.Key = strings.TrimSpace(string(key))
	}
	said, err := external.Check(ctx, strings.TrimSuffix(folder, "/"+external.ManifestName), o)
	for _, line := range said {
		say(out, "%s\n", line)
	}
	return err
}
