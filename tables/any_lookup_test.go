package tables

import (
	"context"
	"sync"
	"testing"

	"colonnade/core"
)

// notes is a schema with a lookup of several tables.
func notes(onDelete core.OnDelete) []core.Change {
	return []core.Change{
		core.CreateTable{Define: core.Table{Name: "account", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
		core.CreateTable{Define: core.Table{Name: "person", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
		core.CreateTable{Define: core.Table{Name: "note", Columns: []core.Column{
			{Name: "body", Kind: core.Text}, {Name: "about_id", Kind: core.AnyLookup, Targets: []string{"account", "person"}, OnDelete: onDelete},
		}}},
	}
}

// TestAnyLookupFollows renames, drops and brings back what a lookup of several tables is made of, and adds a target.
func TestAnyLookupFollows(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, notes(core.SetNull)...)
		account := string(mustInsert(t, root(t), s, "account", core.Record{"name": "Acme"})[0])
		note := mustInsert(t, root(t), s, "note", core.Record{"body": "a", "about_id": "account:" + account})[0]
		related := func(table, relation string) int {
			n, err := s.Count(root(t), s.Snapshot(), "note", Related{Relation: relation, Target: table, Where: And{}})
			must(t, err)
			return n
		}
		define(t, s, core.RenameColumns{Of: "note", To: map[string]string{"about_id": "regarding_id"}}, core.RenameTables{To: map[string]string{"account": "company"}})
		if r := find(t, s, "note", note); r["regarding_id"] != account || r["about_table"] != "account" || related("company", "regarding") != 1 {
			t.Errorf("after the renames the note is %v", r)
		}
		wantKind(t, s.Change(root(t), core.DropTable{Name: "person"}), core.Invalid, "note.regarding_id looks its records up")
		wantKind(t, s.Change(root(t), core.DropColumn{Of: "note", Name: "about_table"}), core.Invalid, "drop that one")
		wantKind(t, s.Change(root(t), core.RetypeColumn{Of: "note", To: core.Column{Name: "regarding_id", Kind: core.UUID}}), core.Invalid, "not converted")
		define(t, s, core.DropColumn{Of: "note", Name: "regarding_id"})
		if r := find(t, s, "note", note); len(r) != 9 {
			t.Errorf("without the lookup the note is %v", r)
		}
		define(t, s, core.UndoColumn{Of: "note", Name: "regarding_id", As: "topic_id"})
		if r := find(t, s, "note", note); r["topic_id"] != account || r["about_table"] != "account" || related("company", "regarding") != 1 {
			t.Errorf("brought back, the note is %v", r)
		}
		define(t, s, core.CreateTable{Define: core.Table{Name: "city", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
			core.AlterColumn{Of: "note", Column: "topic_id", Set: map[string]any{"targets": []string{"company", "person", "city"}}})
		city := string(mustInsert(t, root(t), s, "city", core.Record{"name": "Köln"})[0])
		mustInsert(t, root(t), s, "note", core.Record{"topic_id": city, "about_table": "city"})
		if related("city", "regarding") != 1 {
			t.Error("no note leads to the city")
		}
		wantKind(t, s.Change(root(t), core.AlterColumn{Of: "note", Column: "topic_id", Set: map[string]any{"targets": []string{"person"}}}), core.Invalid, "none taken away")
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "company", Where: And{}})
			return err
		}))
		if r := find(t, s, "note", note); r["topic_id"] != nil || r["about_table"] != nil {
			t.Errorf("after the delete the note is %v", r)
		}
	})
}

// TestAnyLookupRace deletes records while others come to look them up: none is left that leads nowhere.
func TestAnyLookupRace(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, notes(core.Cascade)...)
		ctx := root(t)
		for range 15 {
			person := string(mustInsert(t, ctx, s, "person", core.Record{"name": "x"})[0])
			var wait sync.WaitGroup
			for range 3 {
				wait.Go(func() {
					if _, err := insert(ctx, s, "note", core.Record{"about_id": "person:" + person}); err != nil && core.KindOf(err) != core.Invalid {
						t.Error(err)
					}
				})
			}
			wait.Go(func() {
				err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
					_, err := tx.Delete(ctx, Remove{Table: "person", Where: ByID(core.ID(person))})
					return err
				})
				if err != nil && core.KindOf(err) != core.Conflict {
					t.Error(err)
				}
			})
			wait.Wait()
		}
		left, err := s.Count(ctx, s.Snapshot(), "note", Not{Related{Relation: "about", Target: "person", Where: And{}}})
		must(t, err)
		if left != 0 {
			t.Errorf("%d notes lead nowhere", left)
		}
	})
}
