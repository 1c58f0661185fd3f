package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/tables"
)

// A schema of 1,000 tables of 8 columns, with 50 roles that hold grants on all of them. Measured on two busy cores: 2.8 s to
// start with the first administrator, of which making the API takes 1.3 s of a processor, 166 MB, and 0.33 s for the first introspection, of 17 MB; 0.01 s for the next.
const (
	manyTables  = 1000
	manyRoles   = 50
	heapCeiling = 600 << 20
)

// TestThousandTables30 starts with many tables and roles, and answers an introspection of them (31).
func TestThousandTables30(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("takes long, and the race detector has memory of its own")
	}
	c := &config{Dev: true, Data: t.TempDir(), Keep: tables.KeepDropped}
	manySchema(t, c)
	start := time.Now()
	s := newScenario(t, c)
	started := time.Since(start)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("started in %v, %d MB are in use", started.Round(time.Millisecond), m.HeapAlloc>>20)
	if m.HeapAlloc > heapCeiling {
		t.Errorf("%d MB are in use, at most %d", m.HeapAlloc>>20, heapCeiling>>20)
	}
	const query = `{ __schema { types { name kind fields { name type { name kind ofType { name } } } inputFields { name } } } }`
	for i := range 2 {
		start = time.Now()
		out := s.send(t, "admin", query, nil)
		took := time.Since(start)
		t.Logf("introspection %d took %v, %d KB", i+1, took.Round(time.Millisecond), len(out)>>10)
		var answer struct {
			Data struct {
				Schema struct{ Types []struct{ Name string } } `json:"__schema"`
			}
		}
		if err := json.Unmarshal(out, &answer); err != nil || len(answer.Data.Schema.Types) < manyTables {
			t.Fatalf("%v: %.300s", err, out)
		}
	}
}

// manySchema fills a database with tables and roles.
func manySchema(t *testing.T, c *config) {
	t.Helper()
	a, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx := core.WithCaller(t.Context(), core.System("test"))
	var changes []core.Change
	for i := range manyTables {
		table := core.Table{Name: fmt.Sprintf("table%d", i), Columns: []core.Column{{Name: "name", Kind: core.Text, Required: true, MaxLength: 100}, {Name: "amount", Kind: core.Decimal, Precision: 12, Scale: 2}}}
		for j := range 5 {
			table.Columns = append(table.Columns, core.Column{Name: fmt.Sprintf("field%d", j), Kind: core.Text})
		}
		if i > 0 {
			table.Columns = append(table.Columns, core.Column{Name: "up_id", Kind: core.Lookup, Target: fmt.Sprintf("table%d", i-1)})
		}
		changes = append(changes, core.CreateTable{Define: table})
	}
	err = a.store.Change(ctx, changes...)
	if err == nil {
		err = a.store.Tx(ctx, tables.TxOptions{Define: true}, func(ctx context.Context, tx *tables.Tx) error {
			return tx.ChangePolicy(ctx, func() error {
				var rules []authz.Rule
				g := tx.DB().Gorm(ctx)
				for r := range manyRoles {
					name := fmt.Sprintf("role%d", r)
					if _, err := authz.CreateRole(g, name, ""); err != nil {
						return err
					}
					for i := range manyTables {
						rules = append(rules, authz.Rule{ID: core.NewID(), Ptype: "p", V0: "role:" + name, V1: fmt.Sprintf("table%d", i), V2: "read", V3: "own", V5: "[]"})
					}
				}
				return g.CreateInBatches(rules, 500).Error
			})
		})
	}
	if bad := a.stop(t.Context()); err == nil {
		err = bad
	}
	if err != nil {
		t.Fatal(err)
	}
}
