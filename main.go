// Colonnade is a self-hosted low-code backend: tables defined at run time, business rules, role-based security and a
// GraphQL API, with durable flows and plugins on top, in one binary.
//
// This package is the binary: configuration, wiring, run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"colonnade/core"
)

// command is what the first argument names.
type command struct {
	name, doc string
	run       func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"demo", "build the coffee example in a new database and show what comes out; --once ends then", runDemo},
		{"serve", "run the server", runServe},
		{"export", "write the schema of a running server as files into a folder", runExport},
		{"plan", "compare the files of a folder with the schema of a running server", runPlan},
		{"apply", "make the schema of a running server that of the files of a folder", runApply},
		{"slow", "print which queries of a server were slow", runSlow},
		{"sdl", "print the types of the API of a server, or of a database, as a role sees them", runSDL},
		{"codegen", "write a client in TypeScript or Go, from a server, a database or a file of sdl", runCodegen},
		{"import", "send files to a table of a server: CSV, NDJSON, Parquet or XLSX", runImport},
		{"export-data", "write a table of a server to a file: CSV, NDJSON or Parquet", runExportData},
		{"verify", "compare the history of a database with its seals, and tell what was changed past Colonnade", runVerify},
		{"backup", "write everything that a database holds to a file, also while a server runs; --verify checks such a file", runBackup},
		{"restore", "fill an empty database from a backup, and compare", runRestore},
		{"move", "copy a database into an empty one, such as SQLite to PostgreSQL, and compare", runMove},
		{"mask", "copy a database into an empty one for development, with pseudonyms in the place of personal data", runMask},
		{"hash", "print the rows and the hash of each table, which are the same for equal databases", runHash},
		{"capacity", "print how much a server holds of each table", runCapacity},
		{"secrets", "make a key for secrets, put all of them under it, and tell under which keys they are: new-key, rotate, status", runSecrets},
		{"plugin", "make a plugin of your own, or check one: new, check", runPlugin},
		{"version", "print the version", func(_ context.Context, _ []string, out io.Writer) error {
			_, err := fmt.Fprintln(out, "colonnade", version())
			return err
		}},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tuneCollector()
	uuid.EnableRandPool() // every request and every record has an id
	err := run(ctx, os.Args[1:], os.Stdout)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		os.Exit(130) // somebody ended us: what that interrupted is no news
	}
	fmt.Fprintln(os.Stderr, "colonnade:", explain(err))
	os.Exit(1)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	all := commands()
	if len(args) > 0 {
		if i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] }); i >= 0 {
			return all[i].run(ctx, args[1:], out)
		}
	}
	var b strings.Builder
	b.WriteString("usage: colonnade <command> [options]\n\n")
	for _, c := range all {
		fmt.Fprintf(&b, "  %-12s  %s\n", c.name, c.doc)
	}
	b.WriteString("\ncolonnade <command> --help lists the options of a command.\n")
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		_, err := io.WriteString(out, b.String())
		return err
	}
	return core.E("main.run", core.Invalid, fmt.Sprintf("there is no command %q\n\n%s", args[0], b.String()))
}

// explain is what a person at the terminal reads of an error.
func explain(err error) string {
	var e *core.Error
	if errors.As(err, &e) && e.Kind != core.Internal {
		if e.Excerpt != "" {
			return e.Public() + "\n    " + strings.ReplaceAll(e.Excerpt, "\n", "\n    ")
		}
		return e.Public()
	}
	return err.Error()
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "in development"
}
