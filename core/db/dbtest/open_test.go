package dbtest_test

import (
	"testing"

	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

func TestEachIsEmptyAndMigrated(t *testing.T) {
	for range 3 {
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			n := int64(-1)
			err := d.Query(t.Context(), db.New(d.Dialect).Write(`SELECT count(*) FROM "_table"`), func(scan func(...any) error) error { return scan(&n) })
			if err != nil || n != 0 {
				t.Fatalf("%d tables, error %v", n, err)
			}
		})
	}
}
