package main

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/rules"
)

var update = flag.Bool("update", false, "write what the program says into the files that tests compare it with")

// TestReference keeps the reference pages what the descriptions in the program say. -update writes them.
func TestReference(t *testing.T) {
	golden(t, "docs/reference/functions.md", functionPage())
	a, err := newApp(t.Context(), &config{Data: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	golden(t, "docs/reference/actions.md", actionPage(a.actions))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale (%v): run go test . -run TestReference -update", name, err)
	}
}

func functionPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Functions of the expression language\n\nMade from the function table of package rules; the examples are true, and run in the tests, in memory and on both databases.\n")
	b.WriteString("`f(a, b)` and `a.f(b)` are the same. Where an integer meets a decimal, it is one. A *literal* is written out in the expression; no column takes its place.\n\n")
	for _, t := range rules.Topics {
		names := make([]string, len(t.Functions))
		for i, f := range t.Functions {
			names[i] = fmt.Sprintf("[%s](#%s)", f.Name, strings.ToLower(f.Name))
		}
		fmt.Fprintf(&b, "- **[%s](#%s)**: %s\n", t.Name, strings.ReplaceAll(strings.ToLower(t.Name), " ", "-"), strings.Join(names, ", "))
	}
	for _, t := range rules.Topics {
		fmt.Fprintf(&b, "\n## %s\n", t.Name)
		for _, f := range t.Functions {
			fmt.Fprintf(&b, "\n### %s\n\n", f.Name)
			for _, s := range f.Signatures() {
				fmt.Fprintf(&b, "`%s`  \n", s)
			}
			fmt.Fprintf(&b, "%s\n\n", f.Doc)
			for _, e := range f.Examples {
				fmt.Fprintf(&b, "    %s\n", e)
			}
		}
	}
	return b.Bytes()
}

func actionPage(actions []core.Action) []byte {
	var b bytes.Buffer
	b.WriteString("# Actions\n\nEach is a GraphQL mutation and a step of flows. Made from their descriptions.\n")
	for _, a := range actions {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", a.Name, a.Doc)
		if a.Privilege != "" {
			fmt.Fprintf(&b, "Needs the right `%s`. ", a.Privilege)
		}
		if a.Alone {
			b.WriteString("Long work: the only root field of its mutation. ")
		}
		if a.Sends.Model {
			b.WriteString("A model reads what it is given: see [data classes](../security.md#data-classes). ")
		}
		if len(a.Sends.Hosts) > 0 {
			fmt.Fprintf(&b, "It sends what it is given to %s: see [data classes](../security.md#data-classes). ", strings.Join(a.Sends.Hosts, ", "))
		}
		b.WriteString("\n\n| argument | kind | |\n|---|---|---|\n")
		columnRows(&b, "", a.Input)
		b.WriteString("\n| answer | kind | |\n|---|---|---|\n")
		columnRows(&b, "", a.Output)
		for _, e := range a.Examples {
			fmt.Fprintf(&b, "\n%s\n\n```json\n%s\n```\n", e.Doc, core.AppendValue(nil, map[string]any(e.In)))
		}
	}
	return b.Bytes()
}

func columnRows(b *bytes.Buffer, prefix string, columns []core.Column) {
	for _, c := range columns {
		kind := string(c.Kind)
		if c.List {
			kind = "list of " + kind
		}
		if c.Required {
			kind += ", required"
		}
		fmt.Fprintf(b, "| %s%s | %s | %s |\n", prefix, c.Name, kind, strings.ReplaceAll(c.Doc, "|", "\\|"))
		columnRows(b, prefix+c.Name+".", c.Fields)
	}
}
