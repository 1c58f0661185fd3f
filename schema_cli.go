package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"colonnade/core"
)

// schemaFolder is a folder with the schema of a running server, whose actions read and write it, so that every right is
// checked.
type schemaFolder struct {
	remote
	mayBlock bool
	out      io.Writer
	dir      string
}

func (r *schemaFolder) parse(name string, args []string, out io.Writer) error {
	f := flag.NewFlagSet("colonnade "+name, flag.ContinueOnError)
	r.flags(f)
	if name == "apply" {
		f.BoolVar(&r.mayBlock, "may-block", false, "writers of large tables may wait while they are read or written")
	}
	f.Usage = func() {
		say(out, "usage: colonnade %s [options] DIR\n\n", name)
		f.PrintDefaults()
	}
	if err := parseFlags(f, out, args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return core.E("main."+name, core.Invalid, fmt.Sprintf("name one folder: colonnade %s DIR", name))
	}
	if err := r.check(); err != nil {
		return err
	}
	r.dir, r.out = f.Arg(0), out
	return nil
}

// schemaFile is a file as the API has it.
type schemaFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// schemaFolders are where the files of a schema are. What else is in the folder is left alone.
var schemaFolders = []string{"classes", "flows", "operations", "options", "profiles", "roles", "settings", "tables"}

func runExport(ctx context.Context, args []string, out io.Writer) error {
	var r schemaFolder
	if err := r.parse("export", args, out); err != nil {
		return err
	}
	var answer struct {
		Export struct{ Files []schemaFile } `json:"export_schema"`
	}
	if err := r.call(ctx, "mutation { export_schema { files { path text } } }", nil, &answer); err != nil {
		return err
	}
	if err := r.write(answer.Export.Files); err != nil {
		return core.E("main.export", core.Invalid, "the files cannot be written: "+err.Error(), err)
	}
	say(out, "%d files in %s\n", len(answer.Export.Files), r.dir)
	return nil
}

// write makes the files of the folder those of the schema: one that the schema has no more goes.
func (r *schemaFolder) write(files []schemaFile) error {
	keep := map[string]bool{}
	for _, f := range files {
		if !filepath.IsLocal(f.Path) {
			return fmt.Errorf("the server sends the path %q", f.Path)
		}
		name := filepath.Join(r.dir, filepath.FromSlash(f.Path))
		keep[name] = true
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if old, err := os.ReadFile(name); err == nil && string(old) == f.Text {
			continue
		}
		if err := os.WriteFile(name, []byte(f.Text), 0o644); err != nil {
			return err
		}
	}
	for _, folder := range schemaFolders {
		old, err := filepath.Glob(filepath.Join(r.dir, folder, "*.yaml"))
		if err != nil {
			return err
		}
		for _, name := range old {
			if !keep[name] {
				if err := os.Remove(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// read returns the files of the folder, by path.
func (r *schemaFolder) read() ([]schemaFile, error) {
	var out []schemaFile
	add := func(path string) error {
		text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(path)))
		if errors.Is(err, fs.ErrNotExist) && path == "drop.yaml" {
			return nil
		}
		if err == nil {
			out = append(out, schemaFile{path, string(text)})
		}
		return err
	}
	for _, folder := range schemaFolders {
		names, err := filepath.Glob(filepath.Join(r.dir, folder, "*.yaml"))
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		for _, name := range names {
			if err := add(folder + "/" + filepath.Base(name)); err != nil {
				return nil, err
			}
		}
	}
	if err := add("drop.yaml"); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there is no file in %s, in %s, and no drop.yaml", r.dir, strings.Join(schemaFolders, ", "))
	}
	return out, nil
}

func runPlan(ctx context.Context, args []string, out io.Writer) error {
	return compare(ctx, "plan", args, out, `mutation($files: [plan_schema_files_input!]!) { done: plan_schema(files: $files) { `+report+` } }`)
}

func runApply(ctx context.Context, args []string, out io.Writer) error {
	return compare(ctx, "apply", args, out, `mutation($files: [apply_schema_files_input!]!, $may_block: Boolean) { done: apply_schema(files: $files, may_block: $may_block) { `+report+` } }`)
}

const report = `version changes steps { what table column lock rows lost examples { id value reason } } dependants { kind name table column effect } rules { table rule checked broken first { id message } }`

// schemaReport is the answer of plan_schema and apply_schema.
type schemaReport struct {
	Version int64
	Changes []string
	Steps   []struct {
		What, Table, Column, Lock string
		Rows, Lost                int64
		Examples                  []struct{ ID, Value, Reason string }
	}
	Dependants []struct{ Kind, Name, Table, Column, Effect string }
	Rules      []struct {
		Table, Rule     string
		Checked, Broken int64
		First           []struct{ ID, Message string }
	}
}

func compare(ctx context.Context, name string, args []string, out io.Writer, query string) error {
	var r schemaFolder
	if err := r.parse(name, args, out); err != nil {
		return err
	}
	files, err := r.read()
	if err != nil {
		return core.E("main."+name, core.Invalid, "the files cannot be read: "+err.Error(), err)
	}
	vars := map[string]any{"files": files}
	if name == "apply" {
		vars["may_block"] = r.mayBlock
	}
	var answer struct{ Done schemaReport }
	if err := r.call(ctx, query, vars, &answer); err != nil {
		return err
	}
	answer.Done.print(out)
	return nil
}

func (p *schemaReport) print(out io.Writer) {
	if len(p.Changes) == 0 {
		say(out, "Everything is as the files say.\n")
		return
	}
	for _, line := range p.Changes {
		say(out, "%s\n", line)
	}
	for _, s := range p.Steps {
		at := s.Table
		if s.Column != "" {
			at += "." + s.Column
		}
		say(out, "  %s: %s (locks: %s", at, s.What, s.Lock)
		if s.Rows > 0 {
			say(out, ", %d records are written", s.Rows)
		}
		if s.Lost > 0 {
			say(out, ", %d values cannot be kept", s.Lost)
		}
		say(out, ")\n")
		for _, e := range s.Examples {
			say(out, "    %s %s: %s\n", e.ID, e.Value, e.Reason)
		}
	}
	for _, r := range p.Rules {
		if r.Checked > 0 {
			say(out, "  %s: the rule %s refuses %d of %d records as they are then\n", r.Table, r.Rule, r.Broken, r.Checked)
		} else {
			say(out, "  %s: what the rule %s makes of the records is known when this is applied\n", r.Table, r.Rule)
		}
		for _, f := range r.First {
			say(out, "    %s: %s\n", f.ID, f.Message)
		}
	}
	for _, d := range p.Dependants {
		say(out, "  %s %s, which names %s %s, %s\n", d.Kind, d.Name, d.Table, d.Column, d.Effect)
	}
}
