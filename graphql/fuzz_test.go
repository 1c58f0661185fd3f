package graphql

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"colonnade/core/db/dbtest"
)

// FuzzDo sends documents and variables that no client would send: the engine must answer each with JSON, have data if
// and only if it executed something, and never find a fault in itself.
func FuzzDo(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		query := ""
		for _, part := range txtar.Parse(text).Files {
			switch {
			case strings.HasPrefix(part.Name, "as "):
				query = string(part.Data)
				f.Add(query, "")
			case part.Name == "variables":
				f.Add(query, string(part.Data))
			}
		}
	}
	for _, k := range killers() {
		if len(k[0]) < 2000 {
			f.Add(k[0], k[1])
		}
	}
	f.Add(introspectionQuery, "{}")
	w := newShop(f, dbtest.SQLite(f), Options{})
	ctx := w.as(f, f.Context(), "root")
	f.Fuzz(func(t *testing.T, query, variables string) {
		if strings.Contains(query, "create_") || strings.Contains(query, "add_") { // a schema that grows makes every run slower
			t.Skip()
		}
		w.log.Reset()
		res := w.Do(ctx, Request{Query: query, Variables: json.RawMessage(variables)}, false)
		if !json.Valid(res.Body) {
			t.Fatalf("no JSON: %s", res.Body)
		}
		if executed := res.Kind == OK || res.Kind == PartialError; executed != strings.HasPrefix(string(res.Body), `{"data":`) {
			t.Fatalf("kind %d: %s", res.Kind, res.Body)
		}
		if strings.Contains(string(res.Body), `"kind":"INTERNAL"`) {
			t.Fatalf("%s\n%s", res.Body, w.log)
		}
	})
}
