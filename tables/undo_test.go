package tables

import (
	"context"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestPartsAreReadInOrder asks PostgreSQL how it finds the next records of an import to be undone, and of a table to be verified: by
// an index and in its order. A sort would look at all that are left, again for each part.
func TestPartsAreReadInOrder(t *testing.T) {
	t.Parallel()
	if !dbtest.HasPostgres() {
		t.Skip("needs PostgreSQL")
	}
	s := open(t, dbtest.Postgres(t), Options{})
	item := core.Table{Name: "item", Columns: []core.Column{{Name: "code", Kind: core.Text}}}
	define(t, s, core.CreateTable{Define: item})
	for index, q := range map[string]*db.Builder{
		"_history_import": importedBy(s.db.Dialect, &item, core.NewID(), core.NewID(), 10),
		"item_pkey":       idsBehind(s.db.Dialect, &item, string(core.NewID()), 10),
	} {
		var plan strings.Builder
		must(t, s.db.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
			for _, other := range []string{"seqscan", "bitmapscan", "hashagg"} { // which is best where there are few rows, as here
				if _, err := tx.Exec(t.Context(), db.New(tx.Dialect).Write("SET LOCAL enable_", other, " = off")); err != nil {
					return err
				}
			}
			return explain(t.Context(), tx, q, &plan)
		}))
		if p := plan.String(); strings.Contains(p, "Sort") || !strings.Contains(p, index) {
			t.Errorf("%s is answered by\n%s", q, p)
		}
	}
}

// explain writes the plan of a query.
func explain(ctx context.Context, tx *db.Tx, q *db.Builder, out *strings.Builder) error {
	return tx.Query(ctx, db.New(tx.Dialect).Write("EXPLAIN ", q.String()).With(q.Args()), func(scan func(...any) error) error {
		var line string
		err := scan(&line)
		out.WriteString(line + "\n")
		return err
	})
}
