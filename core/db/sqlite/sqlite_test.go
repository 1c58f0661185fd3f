package sqlite_test

import (
	"testing"

	"go.uber.org/goleak"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestDialect(t *testing.T) {
	dbtest.Run(t, func(t *testing.T) *db.DB { return dbtest.SQLite(t) })
}
