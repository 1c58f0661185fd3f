package sqlite_test

import (
	"testing"

	"go.uber.org/goleak"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestDialect(t *testing.T) {
	dbtest.Run(t, func(t *testing.T) *db.DB { return dbtest.SQLite(t) })
}

// TestTooComplex asks for more tables in one statement than SQLite takes where a part of it is recursive.
func TestTooComplex(t *testing.T) {
	d := dbtest.SQLite(t)
	b := db.New(d.Dialect).Write("SELECT 1 WHERE 1 IN (WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n FROM r) SELECT n FROM r)")
	for range 400 {
		b.Write(" OR EXISTS (WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n FROM r) SELECT 1 FROM r, r AS s, r AS t)")
	}
	err := d.Query(t.Context(), b, func(func(...any) error) error { return nil })
	dbtest.WantKind(t, err, core.Limit)
}
