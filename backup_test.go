package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// download fetches a backup from the running server.
func (s *scenario) download(t *testing.T, user string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.url, "/graphql")+"/data/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.keys[user])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// TestBackupRoute downloads a backup, which is for administrators.
func TestBackupRoute(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.sure(t, "ann", nil)
		if status, body := s.download(t, "ann"); status != http.StatusForbidden || !bytes.Contains(body, []byte("for administrators")) {
			t.Errorf("%d %.200s", status, body)
		}
		status, body := s.download(t, "admin")
		file := filepath.Join(t.TempDir(), "all.backup")
		if err := os.WriteFile(file, body, 0o600); err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
		if out := cli(t, "backup", "--verify", file); !strings.Contains(out, "The backup is whole") || !strings.Contains(out, " _user\n") {
			t.Errorf("the check says %s", out)
		}
	})
}

// TestBackupUnderLoad backs up, with the command and by the route, while others write, and restores: every backup is of one
// moment, in which what belongs together is together.
func TestBackupUnderLoad(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.want(t, `mutation { create_table(name: "account", columns: [{name: "name", kind: "text", unique: true}, {name: "balance", kind: "integer"}]) { version } }`, "version")
		s.want(t, `mutation { insert_account(objects: [{name: "a", balance: 1000}, {name: "b", balance: 1000}]) { affected_rows } }`, "2")
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		moved := make(chan int, 1000)
		for n := range 3 {
			writing.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					q := fmt.Sprintf(`mutation { a: update_account(where: {name: {_eq: "a"}}, _inc: {balance: %d}) { affected_rows } b: update_account(where: {name: {_eq: "b"}}, _inc: {balance: -%[1]d}) { affected_rows }
						c: insert_account_one(object: {name: "w%d-%d", balance: 0}) { id } }`, 1+i%7, n, i)
					if out := s.send(t, "admin", q, nil); bytes.Contains(out, []byte("errors")) && ctx.Err() == nil {
						t.Errorf("%s", out)
						return
					}
					select {
					case moved <- 1:
					default:
					}
				}
			})
		}
		folder := t.TempDir()
		var files []string
		for i := range 2 {
			for range 5 {
				<-moved // they are at it
			}
			file := filepath.Join(folder, fmt.Sprint("cli", i))
			cli(t, "backup", "--data", c.Data, "--database", c.Database, file)
			status, body := s.download(t, "admin")
			route := filepath.Join(folder, fmt.Sprint("route", i))
			if err := os.WriteFile(route, body, 0o600); err != nil || status != http.StatusOK {
				t.Fatal(status, err)
			}
			files = append(files, file, route)
		}
		stop()
		writing.Wait()
		rows := 0
		for _, file := range files {
			to := t.TempDir()
			cli(t, "restore", "--data", to, file)
			if n := soundAccounts(t, to); n < rows {
				t.Errorf("%s has %d accounts, and an earlier one %d", file, n, rows)
			} else {
				rows = n
			}
		}
	})
}

// soundAccounts looks whether the restored database is of one moment, and returns the number of its accounts.
func soundAccounts(t *testing.T, folder string) int {
	t.Helper()
	dialect, source := place{at: folder}.dialect()
	d := dbtest.Open(t, dialect, source)
	defer func() { _ = d.Close() }()
	number := func(query string) (n int64) {
		t.Helper()
		if err := d.Query(t.Context(), db.New(dialect).Write(query), func(scan func(...any) error) error { return scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := number(`SELECT sum(balance) FROM account`); n != 2000 {
		t.Errorf("the sum is %d, want 2000", n)
	}
	for what, query := range map[string]string{
		"records without their newest history":    `SELECT count(*) FROM account AS a WHERE NOT EXISTS (SELECT 1 FROM "_history" AS h WHERE h.record_id = a.id AND h.version = a.version AND h.table_name = 'account' AND h.data ->> 'balance' = a.balance)`,
		"records without as many histories":       `SELECT count(*) FROM account AS a WHERE (SELECT count(*) FROM "_history" AS h WHERE h.record_id = a.id) <> a.version`,
		"events without their history":            `SELECT count(*) FROM "_event" AS e WHERE NOT EXISTS (SELECT 1 FROM "_history" AS h WHERE h.record_id = e.record_id AND h.version = e.version)`,
		"histories without their event":           `SELECT count(*) FROM "_history" AS h WHERE NOT EXISTS (SELECT 1 FROM "_event" AS e WHERE h.record_id = e.record_id AND h.version = e.version)`,
		"histories of records that are not there": `SELECT count(*) FROM "_history" AS h WHERE NOT EXISTS (SELECT 1 FROM account AS a WHERE a.id = h.record_id)`,
	} {
		if n := number(query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	return int(number(`SELECT count(*) FROM account`))
}

// TestBackupRestore restores a backup into both kinds of databases: the hashes are those of the original.
func TestBackupRestore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		s.want(t, `mutation { create_table(name: "note", columns: [{name: "text", kind: "long_text"}, {name: "n", kind: "autonumber"}]) { version } }`, "version")
		s.want(t, `mutation { insert_note(objects: [{text: "tab\tnew\nline\\ \"quoted\" é 😀"}, {text: ""}, {text: null}]) { affected_rows } }`, "3")
		s.stop(t) // it would seal the history between the backup and the hashes
		file := filepath.Join(t.TempDir(), "all.backup")
		cli(t, "backup", "--data", c.Data, "--database", c.Database, file)
		if got := refusal(t, "backup", "--data", c.Data, "--database", c.Database, file); !strings.Contains(got, "not overwritten") {
			t.Error(got)
		}
		want := cli(t, "hash", "--data", c.Data, "--database", c.Database)
		to := []*config{{Data: t.TempDir()}}
		if dbtest.HasPostgres() {
			to = append(to, &config{Data: t.TempDir(), Database: dbtest.EmptyPostgresDSN(t)})
		}
		for _, c := range to {
			cli(t, "restore", "--data", c.Data, "--database", c.Database, file)
			if got := cli(t, "hash", "--data", c.Data, "--database", c.Database); got != want {
				t.Errorf("restored into %s:\n%s\nwant\n%s", placeOf(c.Data, c.Database, ""), got, want)
			}
			if got := refusal(t, "restore", "--data", c.Data, "--database", c.Database, file); !strings.Contains(got, "holds a database already") {
				t.Error(got)
			}
		}
		var sums []struct{ Table string }
		if err := json.Unmarshal([]byte(cli(t, "hash", "--json", "--data", to[0].Data)), &sums); err != nil || len(sums) != strings.Count(want, "\n") {
			t.Errorf("%d sums, %v", len(sums), err)
		}
	})
}

// TestRestoreDamaged restores files that are cut off or changed: the target stays one that is not finished, until it is
// restored from a good one.
func TestRestoreDamaged(t *testing.T) {
	s := newScenario(t, &config{Dev: true, Data: t.TempDir()})
	_, good := s.download(t, "admin")
	folder := t.TempDir()
	file, to := filepath.Join(folder, "b"), filepath.Join(folder, "to")
	try := func(content []byte, words string) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := refusal(t, "restore", "--data", to, file); !strings.Contains(got, words) {
			t.Errorf("%s\ndoes not say %q", got, words)
		}
		if got := refusal(t, "hash", "--data", to); !strings.Contains(got, "a restore into this database did not end") {
			t.Error(got)
		}
	}
	try(good[:len(good)-1], "cut off")
	try(good[:len(good)/2], "cut off")
	try(append(bytes.Clone(good), 'x'), "damaged")
	flipped := bytes.Clone(good)
	flipped[len(good)/2] ^= 8
	try(flipped, "damaged")
	try([]byte("PK\x03\x04"), "no backup of Colonnade")
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	cli(t, "restore", "--data", to, file)
	cli(t, "hash", "--data", to)
}

// eachRestored backs the database up, and calls check with the server on each database into which that was restored and verified.
func (s *scenario) eachRestored(t *testing.T, from *config, check func(c *config)) {
	t.Helper()
	s.stop(t)
	file := filepath.Join(t.TempDir(), "all.backup")
	cli(t, "backup", "--data", from.Data, "--database", from.Database, file)
	to := []*config{{Dev: true, Data: t.TempDir()}}
	if dbtest.HasPostgres() {
		to = append(to, &config{Dev: true, Data: t.TempDir(), Database: dbtest.EmptyPostgresDSN(t)})
	}
	for _, c := range to {
		cli(t, "restore", "--data", c.Data, "--database", c.Database, file)
		if out := cli(t, "verify", "--data", c.Data, "--database", c.Database); strings.Contains(out, "differ") {
			t.Error(out)
		}
		s.open(t, c)
		check(c)
		s.stop(t)
	}
}
