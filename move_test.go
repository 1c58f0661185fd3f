package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// want fails unless the answer to the user holds the words.
func (s *scenario) want(t *testing.T, query string, words ...string) {
	t.Helper()
	out := string(s.send(t, "admin", query, nil))
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Fatalf("%s\nanswers %s\nand not %s", query, out, w)
		}
	}
}

// TestMoveOpenRuns moves a database with a run that has not ended: it goes on in the new one. So do the numbers, the feed of
// changes and the schema.
func TestMoveOpenRuns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.want(t, `mutation { create_table(name: "note", columns: [{name: "n", kind: "autonumber"}, {name: "g", kind: "autonumber", gapless: true, seed: 100, step: 10}, {name: "text", kind: "text"}]) { version } }`, `"version":1`)
		s.want(t, `mutation { insert_note(objects: [{text: "one"}, {text: "two"}]) { returning { n g } } }`, `{"n":"2","g":"110"}`)
		s.want(t, `mutation { put_flow(definition: """
name: writer
trigger: {manual: {}}
steps:
  - action: import_csv
    with: {table: note, csv: "text\nwritten\n"}
""") { version } }`, `"version":1`)
		var started struct {
			Data struct {
				Run struct {
					ID string `json:"run_id"`
				} `json:"run_flow"`
			}
		}
		out := s.send(t, "admin", `mutation { run_flow(name: "writer") { run_id } }`, nil)
		if err := json.Unmarshal(out, &started); err != nil || started.Data.Run.ID == "" {
			t.Fatalf("%s", out)
		}
		if err := s.app.flows.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.stop(t)
		from := placeOf(c.Data, c.Database, "")
		dialect, source := from.dialect()
		d := dbtest.Open(t, dialect, source)
		for _, text := range []string{`DELETE FROM "_flow_step"`, `UPDATE "_flow_run" SET status = 'waiting', finished_at = NULL, output = NULL, started_at = NULL, lease = 0`} {
			if _, err := d.Exec(t.Context(), db.New(dialect).Write(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		s.move(t, c)
		s.want(t, `mutation { wait_run(run_id: "`+started.Data.Run.ID+`") { status } }`, `"status":"succeeded"`)
		s.want(t, `{ note(order_by: {n: asc}) { n g text } }`, `{"n":"3","g":"120","text":"written"},{"n":"4","g":"130","text":"written"}`)
		s.want(t, `mutation { add_column(table: "note", name: "more", kind: "integer") { version } }`, `"version":2`)
	})
}

// TestMoveFiles moves and restores the contents of files with the database; a content that is lost keeps nothing else back.
func TestMoveFiles(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.want(t, `mutation { create_table(name: "paper", columns: [{name: "scan", kind: "file"}]) { version } }`, `"version":1`)
		records := map[string][]byte{}
		for _, content := range [][]byte{[]byte("Hello"), bytes.Repeat([]byte("0123456789abcdef"), 20_000), bytes.Repeat([]byte{7}, 64<<10)} {
			file, ok := members(t, string(s.call(t, "admin", http.MethodPost, "/data/file?name=a.bin", content, nil)))["id"].(string)
			if !ok {
				t.Fatal("the file was not uploaded")
			}
			id := string(core.NewID())
			s.want(t, `mutation { insert_paper_one(object: {id: "`+id+`", scan: "`+file+`"}) { id } }`, id)
			records[id] = content
		}
		same := func() {
			t.Helper()
			for id, want := range records {
				if got := s.call(t, "admin", http.MethodGet, "/data/file/paper/"+id+"/scan", nil, nil); !bytes.HasPrefix(got, []byte("200 OK\n")) || !bytes.HasSuffix(got, append([]byte("\n\n"), want...)) {
					t.Errorf("%d bytes, %.60q, want %d", len(got), got, len(want))
				}
			}
		}
		same()
		s.move(t, c)
		same()
		_, file := s.download(t, "admin")
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "b"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		cli(t, "restore", "--data", filepath.Join(folder, "to"), filepath.Join(folder, "b"))
		s.stop(t)
		s.open(t, &config{Dev: true, Data: filepath.Join(folder, "to")})
		same()
		s.stop(t)
		if err := os.RemoveAll(filepath.Join(folder, "to", "files")); err != nil {
			t.Fatal(err)
		}
		cli(t, "backup", "--data", filepath.Join(folder, "to"), filepath.Join(folder, "less"))
		cli(t, "restore", "--data", filepath.Join(folder, "again"), filepath.Join(folder, "less"))
		want, got := cli(t, "hash", "--data", filepath.Join(folder, "to")), cli(t, "hash", "--data", filepath.Join(folder, "again"))
		if want != got || !strings.Contains(got, "         3  contents of files") {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// TestMoveRefuses sees what is not moved, and that nothing was done to it.
func TestMoveRefuses(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		from, to := placeOf(c.Data, c.Database, "").at, t.TempDir()
		wanted := func(got string, words ...string) {
			t.Helper()
			for _, w := range words {
				if !strings.Contains(got, w) {
					t.Errorf("%s\ndoes not say %q", got, w)
				}
			}
		}
		wanted(refusal(t, "move", from, to), "stop it")
		if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
			t.Errorf("the target has %v, %v", left, err)
		}
		wanted(refusal(t, "move", from, from), "the same")
		wanted(refusal(t, "move", from), "usage")
		wanted(refusal(t, "move", filepath.Join(to, "nothing"), to), "there is no database")
		wanted(refusal(t, "move", "mysql://localhost/x", to), "a database is a folder, or a URL")
		s.stop(t)
		cli(t, "move", from, to)
		before := cli(t, "hash", "--data", to)
		wanted(refusal(t, "move", from, to), "holds a database already", "nothing is ever written over")
		if after := cli(t, "hash", "--data", to); after != before {
			t.Errorf("the target was\n%s and is\n%s", before, after)
		}

		// A move that did not end.
		for _, c := range []*config{c, {Data: to}} {
			dialect, source := placeOf(c.Data, c.Database, "").dialect()
			d := dbtest.Open(t, dialect, source)
			if _, err := d.Exec(t.Context(), db.New(dialect).Write(`INSERT INTO "_meta" (key, value) VALUES ('unfinished', 'move')`)); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("a server starts on a part of a database")
			}
			wanted(explain(err), "a move into this database did not end", "repeat that command")
			wanted(refusal(t, "hash", "--data", c.Data, "--database", c.Database), "did not end")
			wanted(refusal(t, "move", placeOf(c.Data, c.Database, "").at, t.TempDir()), "did not end")
		}
	})
}

// TestMoveScenarios moves the database to the other kind in the middle of every scenario: the answers stay what they are.
func TestMoveScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, c *config) {
				t.Parallel()
				s := newScenario(t, withKeys(t, c, file))
				s.half = func() { s.move(t, c) }
				s.run(t, file)
			})
		})
	}
}

// move moves the database of the program to one of the other kind, and goes on there.
func (s *scenario) move(t *testing.T, from *config) {
	t.Helper()
	s.stop(t)
	to := &config{Dev: true, Data: t.TempDir(), SecretsKey: from.SecretsKey}
	if from.Database == "" && dbtest.HasPostgres() {
		to.Database = dbtest.EmptyPostgresDSN(t)
	}
	cli(t, "move", "--from-files", from.filesFolder(), "--to-files", to.filesFolder(), placeOf(from.Data, from.Database, "").at, placeOf(to.Data, to.Database, "").at)
	cli(t, "verify", "--data", to.Data, "--database", to.Database)
	s.open(t, to)
}

func (s *scenario) stop(t *testing.T) {
	t.Helper()
	if err := s.app.stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// open goes on with another database.
func (s *scenario) open(t *testing.T, c *config) {
	t.Helper()
	a, err := newApp(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	s.app = a
	t.Cleanup(func() { // before its database is dropped
		if err := a.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	s.start(t)
}

// cli runs a command of the program, and returns what it prints.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatalf("colonnade %s: %v\n%s", strings.Join(args, " "), explain(err), out.Bytes())
	}
	return out.String()
}

// refusal runs a command that is refused, and returns what a person reads of that.
func refusal(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	if err == nil {
		t.Fatalf("colonnade %s: it was done\n%s", strings.Join(args, " "), out.Bytes())
	}
	return explain(err)
}

// TestMoveKeepsRecordsApart moves a database with a key for which NULL is a value, and a rule that blocks duplicates: both hold in
// the new one.
func TestMoveKeepsRecordsApart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.want(t, `mutation { create_table(name: "person", columns: [{name: "mail", kind: "text"}, {name: "code", kind: "text"}, {name: "boss_id", kind: "lookup", target: "person"}],
  keys: [{name: "by_code", columns: ["code", "boss_id"], nulls: "equal"}], duplicates: [{name: "same mail", do: "block", columns: [{column: "mail", compare: "email"}]}]) { version } }`, `"version":1`)
		s.want(t, `mutation { insert_person(objects: [{mail: "ann@example.com", code: "a"}, {mail: "bob@example.com", code: "b"}]) { affected_rows } }`, `:2`)
		s.stop(t)
		s.move(t, c)
		s.want(t, `mutation { insert_person_one(object: {mail: "ANN+x@example.com", code: "c"}) { id } }`, `rule \"same mail\"`)
		s.want(t, `mutation { insert_person_one(object: {mail: "new@example.com", code: "a"}) { id } }`, "the same values in code, boss_id")
		s.want(t, `mutation { insert_person_one(object: {mail: "new@example.com", code: "c"}) { mail } }`, "new@example.com")
	})
}
