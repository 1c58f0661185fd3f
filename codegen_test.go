package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/examples/clients"
)

// TestCodegen makes the clients of examples/clients anew, from a server and from its database, and runs the one in Go.
// -update writes them; tests/clients runs the one in TypeScript.
func TestCodegen(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		applyExample(t, s)
		t.Setenv("COLONNADE_URL", strings.TrimSuffix(s.url, "/graphql"))
		t.Setenv("COLONNADE_KEY", s.keys["admin"])
		command := func(args ...string) string {
			t.Helper()
			var out strings.Builder
			if err := run(t.Context(), args, &out); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
			return out.String()
		}
		goClient := []string{"codegen", "--lang", "go", "--package", "library", "--tables", "book,loan"}
		golden(t, "examples/clients/library/client.go", []byte(command(goClient...)))
		golden(t, "examples/clients/typescript/client.ts", []byte(command("codegen", "--tables", "book,loan")))

		sdl := command("sdl")
		file := filepath.Join(t.TempDir(), "types.graphql")
		command("sdl", "--out", file)
		if got, want := command(append(goClient, "--sdl", file)...), command(goClient...); got != want {
			t.Error("a client from a file is another one than that from the server")
		}

		var out strings.Builder
		if err := clients.Run(t.Context(), s.url, s.keys["admin"], &out); err != nil {
			t.Fatal(err)
		}
		want := "2 books, 1 of them long, 0 of no id, the first is Duino Elegies\nAnn has it until 2030-01-31\nreturned: true, due: <nil>\nrefused: loan.reader, rule \"readers have names\": say who has the book (readers have names)\ngone: true\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", &out, want)
		}

		if err := s.app.stop(t.Context()); err != nil { // one server has an embedded database at a time
			t.Fatal(err)
		}
		offline := []string{"sdl", "--database", c.Database}
		if c.Database == "" {
			offline = []string{"sdl", "--data", c.Data}
		}
		got := command(offline...)
		var err error
		if s.app, err = newApp(t.Context(), c, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		if got != sdl {
			t.Error("the types without a server are others than those of the server")
		}
	})
}

// TestSDLOfRole has a role see what it may use, and nothing else.
func TestSDLOfRole(t *testing.T) {
	s := newScenario(t, &config{Dev: true, Data: t.TempDir()})
	applyExample(t, s)
	s.send(t, "admin", `mutation { put_role(name: "reader", grants: [{table: "book", privileges: ["read"]}]) { role } }`, nil)
	s.sure(t, "ann", []string{"reader"})
	ask := `mutation($role: String) { print_sdl(role: $role) { sdl } }`
	read := func(user, variables string) string {
		var answer struct {
			Data struct {
				Print struct{ SDL string } `json:"print_sdl"`
			}
			Errors json.RawMessage
		}
		raw := s.send(t, user, ask, json.RawMessage(variables))
		if err := json.Unmarshal(raw, &answer); err != nil || answer.Errors != nil {
			return string(answer.Errors)
		}
		return answer.Data.Print.SDL
	}
	asRole := read("admin", `{"role":"reader"}`)
	if own := read("ann", `{}`); own != asRole {
		t.Error("the role sees something else than who holds it")
	}
	for _, want := range []string{"type book ", "book_by_pk(", "book_aggregate("} {
		if !strings.Contains(asRole, want) {
			t.Errorf("%q is not there", want)
		}
	}
	for _, not := range []string{"loan", "insert_book", "create_table", "type _user "} {
		if strings.Contains(asRole, not) {
			t.Errorf("%q is there", not)
		}
	}
	if got := read("ann", `{"role":"reader"}`); !strings.Contains(got, "permission-error") {
		t.Error(got)
	}
	if got := read("admin", `{"role":"nobody"}`); !strings.Contains(got, "there is no role") {
		t.Error(got)
	}
}

func applyExample(t *testing.T, s *scenario) {
	t.Helper()
	var files []map[string]string
	for _, name := range []string{"tables/book.yaml", "tables/loan.yaml"} {
		text, err := os.ReadFile(filepath.Join("examples/clients", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, map[string]string{"path": name, "text": string(text)})
	}
	variables, err := json.Marshal(map[string]any{"files": files})
	if err != nil {
		t.Fatal(err)
	}
	if out := s.send(t, "admin", `mutation($files: [apply_schema_files_input!]!) { apply_schema(files: $files) { changes } }`, variables); strings.Contains(string(out), "errors") {
		t.Fatalf("%s", out)
	}
}
