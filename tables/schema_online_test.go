package tables

import (
	"context"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestLargeTable changes a table that counts as large: what would block its writers is refused, or goes on beside them.
func TestLargeTable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{MaxBlocked: 2})
		ctx := root(t)
		define(t, s, core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{{Name: "code", Kind: core.Text}, {Name: "size", Kind: core.Text}, {Name: "n", Kind: core.Integer}}}})
		mustInsert(t, ctx, s, "item", core.Record{"code": "a", "size": "1"}, core.Record{"code": "b", "size": "2"}, core.Record{"code": "b"})

		define(t, s, core.AddColumn{To: "item", Add: core.Column{Name: "kind", Kind: core.Text, Default: `"plain \\ 'n"`, Required: true}}) // no record is written
		if n, err := s.Count(ctx, s.Snapshot(), "item", Compare{Column: "kind", Op: Eq, Value: `plain \ 'n`}); err != nil || n != 3 {
			t.Fatal(n, err)
		}
		each := core.AddColumn{To: "item", Add: core.Column{Name: "label", Kind: core.Text, Default: `code + "!"`}}
		wantKind(t, s.Change(ctx, each), core.Limit, "may_block")
		_, err := s.ApplyChange(ctx, ChangeOptions{MayBlock: true}, each)
		must(t, err)
		if n, err := s.Count(ctx, s.Snapshot(), "item", Compare{Column: "label", Op: Eq, Value: "b!"}); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		wantKind(t, s.Change(ctx, core.RetypeColumn{Of: "item", To: core.Column{Name: "size", Kind: core.Integer}}), core.Limit, "may_block")

		index := core.AddIndex{To: "item", Add: core.Index{Name: "by_size", Columns: []core.IndexColumn{{Column: "size"}}}}
		unique := core.AddKey{To: "item", Add: core.Key{Name: "by_code", Columns: []string{"code"}}}
		wantKind(t, s.Change(ctx, index), core.Limit, "may_block")
		p, err := s.PlanChange(ctx, index)
		must(t, err)
		if d.Online() == "" {
			wantKind(t, applyError(s, ctx, index), core.Limit, "may_block")
			mustBeSound(t, s)
			return
		}
		if p.Steps[0].Lock != LockNone {
			t.Fatalf("%+v", p.Steps)
		}
		_, err = s.ApplyChange(ctx, ChangeOptions{Plan: p.Hash()}, index)
		must(t, err)
		wantKind(t, applyError(s, ctx, unique), core.Exists, "same values")
		states := map[any]any{}
		list, err := s.Records(ctx, s.Snapshot(), Query{Table: "_index_build"})
		must(t, err)
		for _, r := range list {
			states[r["name"]] = r["state"]
		}
		if len(states) != 2 || states["ix.item.size.id"] != indexValid || states["uq.item.code"] != indexFailed {
			t.Fatal(states)
		}
		if got := indexNames(t, d); got["uq.item.code"] || !got["ix.item.size.id"] {
			t.Fatal(got)
		}
		cleanup(t, s)
		mustBeSound(t, s)
	})
}

func applyError(s *Store, ctx context.Context, changes ...core.Change) error {
	_, err := s.ApplyChange(ctx, ChangeOptions{}, changes...)
	return err
}

func indexNames(t *testing.T, d *db.DB) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	must(t, d.Query(t.Context(), db.New(d.Dialect).Write("SELECT indexname FROM pg_indexes WHERE tablename = 'item'"), func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		out[name] = true
		return err
	}))
	return out
}

// cleanup leaves an index behind as a process does that dies between the build and the change, and has the next one find it.
func cleanup(t *testing.T, s *Store) {
	t.Helper()
	ctx := root(t)
	exec := func(text string) {
		_, err := s.db.Exec(ctx, newBuilder(s).Write(text))
		must(t, err)
	}
	exec(`CREATE INDEX "ix.item.n.id" ON item (n, id)`)
	exec(`INSERT INTO "_index_build" (id, name, table_name, state, started_at, alive_at) VALUES (gen_random_uuid(), 'ix.item.n.id', 'item', 'built', now(), now())`)
	must(t, s.CleanIndexes(ctx))
	if !indexNames(t, s.db)["ix.item.n.id"] {
		t.Fatal("the index of a process that is alive was deleted")
	}
	exec(`UPDATE "_index_build" SET alive_at = now() - interval '1 hour' WHERE state = 'built'`)
	must(t, s.CleanIndexes(ctx))
	if got := indexNames(t, s.db); got["ix.item.n.id"] || !got["ix.item.size.id"] {
		t.Fatal(got)
	}
}
