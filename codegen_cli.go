package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"colonnade/codegen"
	"colonnade/core"
)

// typesOf is where the types of an API come from, and as whom they are seen.
type typesOf struct {
	remote
	data, database, role string
}

func (t *typesOf) flags(f *flag.FlagSet) {
	t.remote.flags(f)
	f.StringVar(&t.data, "data", "", "folder of an embedded database, to do without a server")
	f.StringVar(&t.database, "database", "", "postgres://... of a database, to do without a server")
	f.StringVar(&t.role, "role", "", "as who holds this role sees them, and no other; as the key does when left out, and whole without a server")
}

const askSDL = `mutation($role: String) { done: print_sdl(role: $role) { sdl } }`

// sdl returns the types.
func (t *typesOf) sdl(ctx context.Context) (string, error) {
	if t.data == "" && t.database == "" {
		if err := t.check(); err != nil {
			return "", err
		}
		var answer struct{ Done struct{ SDL string } }
		variables := map[string]any{}
		if t.role != "" {
			variables["role"] = t.role
		}
		err := t.call(ctx, askSDL, variables, &answer)
		return answer.Done.SDL, err
	}
	return t.offline(ctx)
}

// offline reads the types of a database that no server need have open.
func (t *typesOf) offline(ctx context.Context) (out string, err error) {
	const op = "main.sdl"
	c := &config{Data: t.data, Database: t.database}
	if _, source := c.database(); t.database == "" {
		if _, err := os.Stat(source); err != nil {
			return "", core.E(op, core.NotFound, fmt.Sprintf("there is no database in %s: name the folder of one with --data", t.data), err)
		}
	}
	a, err := newApp(ctx, c, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return "", err
	}
	defer func() {
		if bad := a.close(); err == nil {
			err = bad
		}
	}()
	snap, who := a.store.Snapshot(), core.System("operator")
	if t.role != "" {
		if who, err = snap.Policy.RoleCaller(t.role); err != nil {
			return "", err
		}
	}
	return a.api.SDL(snap, who), nil
}

// written writes text to a file, or to out when it has no name.
func written(file, text string, out io.Writer) error {
	if file == "" || file == "-" {
		_, err := io.WriteString(out, text)
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return core.E("main.written", core.Invalid, "the file cannot be written: "+err.Error(), err)
	}
	return nil
}

// runSDL prints the types of an API.
func runSDL(ctx context.Context, args []string, out io.Writer) error {
	var t typesOf
	var file string
	f := flag.NewFlagSet("colonnade sdl", flag.ContinueOnError)
	t.flags(f)
	f.StringVar(&file, "out", "", "the file to write; standard output when left out")
	if err := operation(f, args, out, 0, "colonnade sdl [options]"); err != nil {
		return err
	}
	sdl, err := t.sdl(ctx)
	if err != nil {
		return err
	}
	return written(file, sdl, out)
}

// generators are the languages of clients.
var generators = map[string]func(sdl string, o codegen.Options) (string, error){"typescript": codegen.TypeScript, "go": codegen.Go}

// runCodegen writes a client.
func runCodegen(ctx context.Context, args []string, out io.Writer) error {
	var t typesOf
	var o codegen.Options
	var file, language, from, only string
	f := flag.NewFlagSet("colonnade codegen", flag.ContinueOnError)
	t.flags(f)
	f.StringVar(&language, "lang", "typescript", "typescript or go")
	f.StringVar(&from, "sdl", "", "a file that colonnade sdl has written, in place of a server or a database")
	f.StringVar(&only, "tables", "", "the tables, separated by commas; all but Colonnade's own when left out")
	f.StringVar(&o.Package, "package", "client", "of Go: the name of the package")
	f.StringVar(&file, "out", "", "the file to write; standard output when left out")
	if err := operation(f, args, out, 0, "colonnade codegen [options]"); err != nil {
		return err
	}
	generate, ok := generators[language]
	if !ok {
		return core.E("main.codegen", core.Invalid, fmt.Sprintf("--lang is %q: choose typescript or go", language))
	}
	o.Tables = split(only)
	var sdl string
	if from != "" {
		text, err := os.ReadFile(from)
		if err != nil {
			return core.E("main.codegen", core.Invalid, "the file of --sdl cannot be read: "+err.Error(), err)
		}
		sdl = string(text)
	} else {
		var err error
		if sdl, err = t.sdl(ctx); err != nil {
			return err
		}
	}
	text, err := generate(sdl, o)
	if err != nil {
		return err
	}
	return written(file, text, out)
}
