package tables

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
)

// parts takes the tables of a dump, in words.
type parts []string

func (p *parts) Part(part Part) error { *p = append(*p, fmt.Sprint(part)); return nil }
func (p *parts) Row([][]byte) error   { return nil }

// TestDumpOfSystemTables sees that a dump has the same system tables, columns and forms whatever the database. A column that
// holds JSON is a text to SQLite: it is named in systemJSON.
func TestDumpOfSystemTables(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip("there is no PostgreSQL to compare with")
	}
	var all [2]parts
	for i, d := range []*db.DB{dbtest.SQLite(t), dbtest.Postgres(t)} {
		must(t, open(t, d, Options{}).Dump(root(t), &all[i]))
	}
	for i := range max(len(all[0]), len(all[1])) {
		if i >= len(all[0]) || i >= len(all[1]) || all[0][i] != all[1][i] {
			t.Fatalf("SQLite has\n%s\nPostgreSQL has\n%s", strings.Join(all[0][min(i, len(all[0])):], "\n"), strings.Join(all[1][min(i, len(all[1])):], "\n"))
		}
	}
	for name := range systemJSON {
		table, column, _ := strings.Cut(name, ".")
		if !slices.ContainsFunc(all[0], func(p string) bool {
			return strings.HasPrefix(p, "{"+table+" ") && strings.Contains(p, "{"+column+" json}")
		}) {
			t.Errorf("%s is no column that holds JSON", name)
		}
	}
}

func TestDumpIsForAdministrators(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		var p parts
		ann := core.Caller{User: core.NewID(), Roles: []string{"seller"}}
		wantKind(t, s.Dump(core.WithCaller(t.Context(), ann), &p), core.Denied, "administrators")
		wantKind(t, s.Dump(t.Context(), &p), core.Denied, "administrators")
		_, err := s.Fill(core.WithCaller(t.Context(), ann))
		wantKind(t, err, core.Denied)
		if len(p) > 0 {
			t.Errorf("they got %v", p)
		}
	})
}

// places takes the rows of one table of a dump.
type places struct {
	table string
	on    bool
	rows  []string
}

func (p *places) Part(part Part) error { p.on = part.Name == p.table; return nil }

func (p *places) Row(values [][]byte) error {
	if p.on {
		p.rows = append(p.rows, fmt.Sprintf("%s", values))
	}
	return nil
}

// TestDumpOfEventPlaces numbers the events of PostgreSQL in the order of their transactions, behind those that came from
// another database, and cursors with them.
func TestDumpOfEventPlaces(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip("places are renumbered on PostgreSQL only")
	}
	s := open(t, dbtest.Open(t, postgres.Dialect{}, dbtest.PostgresDSN(t)), Options{})
	for _, text := range []string{
		`INSERT INTO "_event" (tx, seq, table_name, record_id, version, op, actor, cause, depth, at) OVERRIDING SYSTEM VALUE
SELECT x.tx::text::xid8, x.seq, 't' || x.seq, gen_random_uuid(), 1, 'create', gen_random_uuid(), 'api', 0, now()
FROM (VALUES (0, 7), (0, 9), (20, 3), (10, 5), (10, 4), (30, 1)) AS x(tx, seq)`,
		`INSERT INTO "_cursor" (name, tx, seq) VALUES ('a', 0, 9), ('b', 10, 4), ('c', 20, 3), ('d', 15, 0), ('e', 0, 12)`,
		`INSERT INTO "_meta" (key, value) VALUES ('feed_floor', '0 6'), ('feed_floor:t', '10 5')`,
	} {
		_, err := s.db.Exec(t.Context(), db.New(s.db.Dialect).Write(text))
		must(t, err)
	}
	cursors := places{table: "_cursor"}
	must(t, s.Dump(root(t), &cursors))
	if got, want := strings.Join(cursors.rows, " "), "[a 9 0] [b 13 0] [c 15 0] [d 14 0] [e 12 0]"; got != want {
		t.Errorf("cursors are %s, want %s", got, want)
	}
	meta := places{table: "_meta"}
	must(t, s.Dump(root(t), &meta))
	if got := strings.Join(meta.rows, " "); !strings.Contains(got, "[feed_floor 0 6] [feed_floor:t 0 14]") {
		t.Errorf("settings are %s", got)
	}
	events := places{table: "_event"}
	must(t, s.Dump(root(t), &events))
	var got []string
	for _, r := range events.rows {
		f := strings.Fields(strings.Trim(r, "[]"))
		got = append(got, f[len(f)-2]+" "+f[len(f)-3]) // table_name and seq
	}
	if want := []string{"t7 7", "t9 9", "t4 13", "t5 14", "t3 15", "t1 16"}; !slices.Equal(got, want) {
		t.Errorf("events are %s, want %s", got, want)
	}
}
