package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"colonnade/core/db/dbtest"
)

// TestOutage takes the database away and gives it back: requests meanwhile are told to try later, what was acknowledged
// is there afterwards, and the server needs no restart.
func TestOutage(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Log("without PostgreSQL there is no database that could go away")
		return
	}
	source := dbtest.PostgresDSN(t)
	s := newScenario(t, &config{Data: t.TempDir(), Database: source})
	ask := func(query string) (data map[string]any, kind string) {
		var answer struct {
			Data   map[string]any
			Errors []struct{ Extensions struct{ Kind string } }
		}
		raw := s.send(t, "admin", query, nil)
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatalf("%s answers %s", query, raw)
		}
		if len(answer.Errors) > 0 {
			return answer.Data, answer.Errors[0].Extensions.Kind
		}
		return answer.Data, ""
	}
	if _, kind := ask(`mutation { create_table(name: "note", columns: [{name: "n", kind: "integer", unique: true}]) { version } }`); kind != "" {
		t.Fatal(kind)
	}
	acknowledged := 0
	write := func() string {
		_, kind := ask(fmt.Sprintf(`mutation { insert_note_one(object: {n: %d}) { id } }`, acknowledged))
		if kind == "" || kind == "EXISTS" { // an unacknowledged commit may have happened
			acknowledged++
		}
		return kind
	}
	if kind := write(); kind != "" {
		t.Fatal(kind)
	}

	admin, name := maintenance(t, source)
	do := func(statement string) {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS false`)
	do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + strings.Trim(name, `"`) + `'`)
	for range 3 {
		if kind := write(); kind != "UNAVAILABLE" {
			t.Errorf("a write without a database answers %q", kind)
		}
		if _, kind := ask(`{ note { n } }`); kind != "UNAVAILABLE" {
			t.Errorf("a read without a database answers %q", kind)
		}
	}
	do(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS true`)
	deadline := time.Now().Add(20 * time.Second)
	for write() != "" {
		if time.Now().After(deadline) {
			t.Fatal("the server does not come back")
		}
	}
	data, kind := ask(`{ note_aggregate { aggregate { count } } }`)
	got := fmt.Sprint(data)
	if kind != "" || !strings.Contains(got, fmt.Sprintf("count:%d", acknowledged)) {
		t.Errorf("%d writes were acknowledged, the table holds %s %s", acknowledged, got, kind)
	}
}

// maintenance connects to the server beside the database that the source names.
func maintenance(t *testing.T, source string) (*pgx.Conn, string) {
	t.Helper()
	c, err := pgx.ParseConfig(source)
	if err != nil {
		t.Fatal(err)
	}
	name := c.Database
	c.Database = "postgres"
	conn, err := pgx.ConnectConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn, pgx.Identifier{name}.Sanitize()
}
