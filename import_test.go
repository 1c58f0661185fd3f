package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// command runs a command of the program against the server of the scenario, and returns what it prints.
func (s *scenario) command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	args = append([]string{name, "--url", strings.TrimSuffix(s.url, "/graphql"), "--key", s.keys["admin"]}, args...)
	err := run(context.WithoutCancel(t.Context()), args, &out)
	return out.String(), err
}

// TestImportAndExport sends files of every format with the command and gets the same records back.
func TestImportAndExport(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.send(t, "admin", `mutation { create_table(name: "visit", ownership: "organization", columns: [
			{name: "no", kind: "integer", unique: true, required: true}, {name: "day", kind: "date"}, {name: "fee", kind: "decimal", precision: 8, scale: 2}, {name: "note", kind: "text"}]) { version } }`, nil)
		dir := t.TempDir()
		file := func(name string) string { return filepath.Join(dir, name) }
		must := func(out string, err error) string {
			t.Helper()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return out
		}
		write := func(name, text string) string {
			must("", os.WriteFile(file(name), []byte(text), 0o600))
			return file(name)
		}

		csv := write("visits.csv", "Visit No;Day;Fee;Note\n1;2024-01-31;2.50;\"a; b\"\n2;;3;\nx;2024-01-31;1;\n")
		out := must(s.command(t, "import", "--table", "visit", "--suggest", csv))
		if !strings.Contains(out, `--column "Day=day"`) || !strings.Contains(out, "# date: 2024-01-31") {
			t.Fatal(out)
		}
		mapping := []string{"--table", "visit", "--column", "Visit No=no", "--match", "--on-error", "skip"}
		if out = must(s.command(t, "import", append(mapping, "--plan", csv)...)); !strings.Contains(out, "would be imported: 2 created, 0 changed, 0 unchanged, 1 refused") {
			t.Fatal(out)
		}
		out = must(s.command(t, "import", append(mapping, "--refused", file("refused.csv"), csv)...))
		if !strings.Contains(out, "imported: 2 created, 0 changed, 0 unchanged, 1 refused") || !strings.Contains(out, "line 4:") {
			t.Fatal(out)
		}
		refused, err := os.ReadFile(file("refused.csv"))
		if want := "Visit No,Day,Fee,Note,error\nx,2024-01-31,1,,"; err != nil || !strings.HasPrefix(string(refused), want) {
			t.Fatalf("%s %v", refused, err)
		}

		book := excelize.NewFile()
		for cell, v := range map[string]any{"A1": "no", "B1": "day", "C1": "fee", "A2": 3, "B2": 45322, "C2": 1.25, "A3": 4} { // 31 January 2024
			must("", book.SetCellValue("Sheet1", cell, v))
		}
		must("", book.SaveAs(file("visits.xlsx")))
		if out = must(s.command(t, "import", "--table", "visit", "--on-error", "skip", file("visits.xlsx"))); !strings.Contains(out, "2 created") {
			t.Fatal(out)
		}

		all := func(format string) string {
			t.Helper()
			must(s.command(t, "export-data", "--table", "visit", "--columns", "no,day,fee,note", "--out", file("out."+format)))
			raw, err := os.ReadFile(file("out." + format))
			must("", err)
			return string(raw)
		}
		const want = "no,day,fee,note\n1,2024-01-31,2.50,\"a; b\"\n2,,3.00,\n3,2024-01-31,1.25,\n4,,,\n"
		if got := all("csv"); got != want {
			t.Fatal(got)
		}
		for _, format := range []string{"ndjson", "parquet"} { // out, away, and in again
			all(format)
			s.send(t, "admin", `mutation { delete_visit(where: {}) { affected_rows } }`, nil)
			must(s.command(t, "import", "--table", "visit", file("out."+format)))
			must("", os.Remove(file("out.csv")))
			if got := all("csv"); got != want {
				t.Fatalf("after %s: %s", format, got)
			}
		}
		again := write("again.csv", "no,fee\n1,\n2,7\n9,1\n")
		out = must(s.command(t, "import", "--table", "visit", "--key-column", "no", "--mode", "update", "--on-error", "skip", "--set", "note=same", "--default", "fee=5", again))
		if !strings.Contains(out, "0 created, 2 changed, 0 unchanged, 1 refused") {
			t.Fatal(out)
		}
		must("", os.Remove(file("out.csv")))
		if got := all("csv"); got != "no,day,fee,note\n1,2024-01-31,5.00,same\n2,,7.00,same\n3,2024-01-31,1.25,\n4,,,\n" {
			t.Fatal(got)
		}
	})
}

// TestImportCommandTellsWhatIsWrong has people call the commands in wrong ways.
func TestImportCommandTellsWhatIsWrong(t *testing.T) {
	s := newScenario(t, &config{Dev: true, Data: t.TempDir()})
	for words, args := range map[string][]string{
		"colonnade import --table TABLE FILE":                {"import"},
		"a batch is of one file":                             {"import", "--table", "x", "--batch", "b", "f", "g"},
		"the file cannot be read":                            {"import", "--table", "x", "/nowhere"},
		"no such table":                                      {"export-data", "--table", "nothing"},
		"colonnade export-data --table TABLE":                {"export-data"},
		"the server at http://127.0.0.1:1 does not answer":   {"export-data", "--url", "http://127.0.0.1:1", "--table", "x"},
		"--url takes an address such as http://127.0.0.1:80": {"export-data", "--url", "nonsense", "--table", "x"},
		"an API key is needed":                               {"export-data", "--key", "", "--table", "x"},
	} {
		_, err := s.command(t, args[0], args[1:]...)
		if err == nil || !strings.Contains(explain(err), words) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestBatchesAreReadUnderRights asks for imports by GraphQL: a user sees his own, with the rows that were refused.
func TestBatchesAreReadUnderRights(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.send(t, "admin", `mutation { create_table(name: "note", columns: [{name: "n", kind: "integer"}]) { version } }`, nil)
		made := s.send(t, "admin", `mutation { put_role(name: "clerk", actions: ["import_data"], grants: [
			{table: "note", privileges: ["create", "read"]}, {table: "_import_batch", privileges: ["read"], level: "own"}, {table: "_import_failure", privileges: ["read"], level: "own"}]) { role } }`, nil)
		if !strings.Contains(string(made), `"clerk"`) {
			t.Fatalf("%s", made)
		}
		s.sure(t, "ann", []string{"clerk"})
		s.sure(t, "bob", []string{"clerk"})
		s.send(t, "ann", `mutation { import_csv(table: "note", csv: "n\n1\nx\n", on_error: "skip") { batch } }`, nil)
		const ask = `{ _import_batch { status rows created refused failures { line message } } }`
		var answer struct {
			Data struct {
				Batches []json.RawMessage `json:"_import_batch"`
			}
		}
		for user, n := range map[string]int{"ann": 1, "bob": 0, "admin": 1} {
			raw := s.send(t, user, ask, nil)
			if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Data.Batches) != n {
				t.Fatalf("%s sees %s", user, raw)
			}
			if n == 1 && !strings.Contains(string(raw), `"line":3`) {
				t.Fatalf("%s sees %s", user, raw)
			}
		}
	})
}
