package graphql

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

var updateAnswers = flag.Bool("update", false, "write the answers as they are into testdata")

// TestScenarios plays sessions. A file "as <user>" is a document, which a file "variables" may follow; "answer" is what
// must come, the same on every database. Ids and times that the scenario does not name are written <id> and <time>.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) { play(t, d, file) })
		})
	}
}

func play(t *testing.T, d *db.DB, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, d, Options{}, testActions()...)
	if !bytes.Contains(text, []byte("-- no shop --")) {
		w.must(t, "root", shop, "")
	}
	a := txtar.Parse(text)
	var got []byte
	user, query, variables := "", "", ""
	for i, f := range a.Files {
		switch who, ok := strings.CutPrefix(f.Name, "as "); {
		case ok:
			user, query, variables = who, string(f.Data), ""
		case f.Name == "variables":
			variables = string(f.Data)
		case f.Name == "answer":
			res := w.do(t, user, query, variables)
			got = neutral(fmt.Appendf(nil, "%s\n", pretty(t, res.Body)), string(text))
			if !*updateAnswers && !bytes.Equal(got, f.Data) {
				t.Errorf("%s, as %s:\n%s\ngot:\n%s\nwant:\n%s", file, user, query, got, f.Data)
			}
			a.Files[i].Data = got
		}
	}
	if *updateAnswers && d.Name() == "sqlite" {
		if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func pretty(t *testing.T, raw []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatalf("no JSON: %s", raw)
	}
	return out.Bytes()
}

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyTime = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+\+00:00`)
)

func neutral(b []byte, known string) []byte {
	keep := func(with string) func([]byte) []byte {
		return func(s []byte) []byte {
			if strings.Contains(known, string(s)) {
				return s
			}
			return []byte(with)
		}
	}
	return anyTime.ReplaceAllFunc(anyID.ReplaceAllFunc(b, keep("<id>")), keep("<time>"))
}
