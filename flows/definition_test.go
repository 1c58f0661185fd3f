package flows

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"colonnade/core"
)

var update = flag.Bool("update", false, "write the answers into the files")

// TestDefinitions runs testdata/definitions.txtar: definitions, each followed by what is wrong with it.
func TestDefinitions(t *testing.T) {
	const file = "testdata/definitions.txtar"
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := &txtar.Archive{Comment: a.Comment}
	for i := 0; i+1 < len(a.Files); i += 2 {
		in, want := a.Files[i], a.Files[i+1]
		got := "ok\n"
		if err := checkDefinition(t, string(in.Data)); err != nil {
			e := core.AsError(err)
			if e.Kind != core.Invalid && e.Kind != core.Limit || e.Line == 0 {
				t.Errorf("%s: %v has no place or the wrong kind", in.Name, err)
			}
			got = e.Public() + "\n"
		}
		if want.Name != "error" {
			t.Fatalf("%s is followed by %s, and not by error", in.Name, want.Name)
		}
		if got != string(want.Data) && !*update {
			t.Errorf("%s\n got %swant %s", in.Name, got, want.Data)
		}
		out.Files = append(out.Files, in, txtar.File{Name: "error", Data: []byte(got)})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func checkDefinition(t testing.TB, source string) error {
	t.Helper()
	schema, err := core.NewSchema(1, core.Table{Name: "review", Columns: []core.Column{{Name: "title", Kind: core.Text}, {Name: "rating", Kind: core.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	run := func(context.Context, core.Call) (core.Record, error) { return nil, nil }
	actions := map[string]*core.Action{
		"note": {Name: "note", Input: []core.Column{{Name: "text", Kind: core.Text, Required: true, MaxLength: 20}, {Name: "n", Kind: core.Integer}}, Run: run},
		"train": {Name: "train", Input: []core.Column{
			{Name: "fields", Kind: core.Text, List: true}, {Name: "on", Kind: core.Date}, {Name: "extra", Kind: core.JSON},
			{Name: "rules", Kind: core.Object, List: true, Fields: []core.Column{{Name: "column", Kind: core.Text, Required: true}, {Name: "weight", Kind: core.Float}}},
		}, Run: run},
	}
	d, err := parse(source)
	if err != nil {
		return err
	}
	if err := d.check(actions); err != nil {
		return err
	}
	if err := d.fits(schema, func(string, string) bool { return true }); err != nil {
		return err
	}
	if d.trigger.event != nil {
		if _, err := d.trigger.event.compile(schema); err != nil {
			return err
		}
	}
	return nil
}

// TestDocumented reads the flows of the guide.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		source, _, _ := strings.Cut(block, "```")
		if !strings.HasPrefix(source, "name: ") {
			continue
		}
		n++
		if _, err := parse(source); err != nil {
			t.Errorf("%v in\n%s", err, source)
		}
	}
	if n < 2 {
		t.Errorf("the guide holds %d flows", n)
	}
}

func FuzzDefinition(f *testing.F) {
	a, err := txtar.ParseFile("testdata/definitions.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range a.Files {
		if x.Name != "error" {
			f.Add(string(x.Data))
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		if err := checkDefinition(t, source); err != nil && core.KindOf(err) == core.Internal && !strings.Contains(err.Error(), "context") {
			t.Fatalf("%q: %v", source, err)
		}
	})
}
