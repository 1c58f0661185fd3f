package sqlite_test

import (
	"database/sql"
	"strings"
	"testing"

	"colonnade/core/db/dbtest"
	"colonnade/core/db/sqlite"
)

// TestLogStartsAnew writes until the log has been copied into the database behind the writers, and starts anew, long before a
// commit would do that itself.
func TestLogStartsAnew(t *testing.T) {
	path := dbtest.SQLitePath(t)
	d := dbtest.Open(t, sqlite.Dialect{}, path)
	if _, err := d.Exec(t.Context(), statement(createNote)); err != nil {
		t.Fatal(err)
	}
	beside, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = beside.Close() }()
	long, written := false, int64(0)
	for id := int64(1); ; id++ {
		if err := insertNote(d, id, strings.Repeat("x", 400_000)); err != nil { // some 100 pages
			t.Fatal(err)
		}
		var busy, pages, copied int64
		if err := beside.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &copied); err != nil {
			t.Fatal(err)
		}
		if long && pages < written {
			break
		}
		if written = pages; pages > 4000 {
			long = true
		}
		if pages > 80_000 {
			t.Fatalf("the log has %d pages, of which %d are copied", pages, copied)
		}
	}
	sound(t, d)
}
