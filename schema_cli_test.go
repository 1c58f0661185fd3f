package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core"
)

// TestSchemaCommands exports the schema of a server into a folder, changes a file, plans and applies it.
func TestSchemaCommands(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		dir := t.TempDir()
		command := func(name string, more ...string) string {
			var out strings.Builder
			args := append([]string{name, "--url", strings.TrimSuffix(s.url, "/graphql"), "--key", s.keys["admin"]}, more...)
			if err := run(t.Context(), append(args, dir), &out); err != nil {
				out.WriteString(explain(err))
			}
			return out.String()
		}
		want := func(got string, words ...string) {
			t.Helper()
			for _, w := range words {
				if !strings.Contains(got, w) {
					t.Errorf("%q does not say %q", got, w)
				}
			}
		}
		want(command("plan"), "the files cannot be read")
		writeFile(t, dir, "tables/shop.yaml", "name: shop\ncolumns:\n  - {name: city, kind: text}\n")
		writeFile(t, dir, "roles/clerk.yaml", "role: clerk\ngrants:\n  - {table: shop, privileges: [read]}\n")
		want(command("plan"), "create table shop\n", "create role clerk\n")
		want(command("apply"), "create table shop\n")
		want(command("apply"), "Everything is as the files say.")
		want(command("export"), "2 files")
		s.send(t, "admin", `mutation { insert_shop_one(object: {city: "Rome"}) { id } }`, nil)
		writeFile(t, dir, "tables/shop.yaml", "name: shop\ncolumns:\n  - {name: city, kind: integer}\n")
		want(command("plan"), "make column shop.city one of the kind integer", "1 values cannot be kept", `"Rome"`)
		want(command("apply"), "1 values cannot become those of the kind integer")
		writeFile(t, dir, "tables/shop.yaml", "name: shop\ncolumns:\n  - {name: town, was: city, kind: text}\n")
		want(command("apply"), "rename column shop.city to town")
		if out := s.send(t, "admin", `{ shop { town } }`, nil); !strings.Contains(string(out), "Rome") {
			t.Errorf("%s", out)
		}
		writeFile(t, dir, "classes/personal.yaml", "name: personal\n")
		writeFile(t, dir, "profiles/desk.yaml", "profile: desk\n")
		writeFile(t, dir, "operations/towns.yaml", "name: towns\ndocument: '{ shop { town } }'\n")
		want(command("plan"), "put data class personal", "create column profile desk", "put operation towns")
		want(command("apply"), "put data class personal", "create column profile desk", "put operation towns")
		want(command("export"), "5 files")
		writeFile(t, dir, "settings/currency.yaml", "base_currency: EUR\n")
		want(command("plan"), "set the base currency to EUR")
		want(command("apply"), "set the base currency to EUR")
		writeFile(t, dir, "tables/shop.yaml", "name: shop\ncolumns:\n  - {name: town, kind: text}\n  - {name: size, kind: integer, required: true, default: '7'}\nrules:\n  - {name: large, when: size > 5, do: [{do: fail, message: '{town} has {size}'}]}\n")
		want(command("plan"), "shop: the rule large refuses 1 of 1 records as they are then\n", ": Rome has 7\n")
		want(command("apply"), "shop: the rule large refuses 1 of 1 records as they are then\n", ": Rome has 7\n")
		want(command("apply"), "Everything is as the files say.")
		want(command("export"), "6 files")
		var out strings.Builder
		if err := run(t.Context(), []string{"plan", "--key", "x", "a", "b"}, &out); core.KindOf(err) != core.Invalid {
			t.Error(err)
		}
	})
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
