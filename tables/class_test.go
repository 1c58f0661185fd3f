package tables

import (
	"reflect"
	"testing"

	"colonnade/core"
)

// TestUses reads columns of data classes for models and for files: each gets what the strictest class lets it have, in columns that are
// calculated from them too.
func TestUses(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.PutClass{Put: core.DataClass{Name: "personal", Mask: "value.left(1) + '*'", AI: core.Mask}},
			core.PutClass{Put: core.DataClass{Name: "health", Export: core.Mask, AI: core.Deny}},
			core.CreateTable{Define: core.Table{Name: "patient", Columns: []core.Column{
				{Name: "name", Kind: core.Text, Classes: []string{"personal"}}, {Name: "born", Kind: core.Date, Classes: []string{"personal"}},
				{Name: "ill", Kind: core.Text, Classes: []string{"personal", "health"}, Mask: "'?'"}, {Name: "line", Kind: core.Text, Formula: "name + '!'"},
				{Name: "worse", Kind: core.Text, Formula: "ill + '!'"}, {Name: "free", Kind: core.Text},
			}}})
		ctx := root(t)
		id := mustInsert(t, ctx, s, "patient", core.Record{"name": "Ann", "born": "1990-01-02", "ill": "flu", "free": "x"})[0]
		read := func(u core.Use, column string) (any, error) {
			found, err := s.Records(ctx, s.Snapshot(), Query{Table: "patient", Where: ByID(id), Fields: []Field{{As: column, Column: column}}, Use: u})
			if err != nil {
				return nil, err
			}
			return found[0][column], nil
		}
		born, err := read(core.Shown, "born")
		must(t, err)
		for _, x := range []struct {
			use    core.Use
			column string
			want   any // nil with refused: an error
			denied bool
		}{
			{core.Shown, "name", "Ann", false}, {core.Shown, "ill", "flu", false}, {core.Shown, "worse", "flu!", false},
			{core.UseModel, "name", "A*", false}, {core.UseModel, "born", nil, false}, {core.UseModel, "line", "A*", false}, {core.UseModel, "free", "x", false},
			{core.UseModel, "ill", nil, true}, {core.UseModel, "worse", nil, true},
			{core.UseExport, "name", "Ann", false}, {core.UseExport, "born", born, false}, {core.UseExport, "ill", "?", false}, {core.UseExport, "worse", nil, false},
		} {
			got, err := read(x.use, x.column)
			if x.denied {
				wantKind(t, err, core.Denied, "patient."+x.column, "health", "no model")
				continue
			}
			must(t, err)
			if !reflect.DeepEqual(got, x.want) {
				t.Errorf("%s for %q: %v, want %v", x.column, x.use, got, x.want)
			}
		}
	})
}
