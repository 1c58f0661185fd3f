package rules

import (
	"slices"
	"testing"

	"colonnade/core"
)

// TestClasses follows a class from the column that carries it to everything whose values come from it, and nowhere else.
func TestClasses(t *testing.T) {
	t.Parallel()
	patient := core.Table{Name: "patient", Columns: []core.Column{
		{Name: "ward_id", Kind: core.Lookup, Target: "ward", Inverse: "patients"},
		{Name: "name", Kind: core.Text, Classes: []string{"personal"}},
		{Name: "score", Kind: core.Integer, Classes: []string{"health"}},
		{Name: "pay", Kind: core.Currency, Classes: []string{"payment"}},
		{Name: "urgent", Kind: core.Boolean, Formula: "score > 7"},
		{Name: "line", Kind: core.Text, Formula: "name + (urgent ? '!' : '')", Stored: true},
		{Name: "started", Kind: core.Integer, Default: "score"},
		{Name: "copied", Kind: core.Text},
		{Name: "further", Kind: core.Text, Formula: "copied + '.'"},
		{Name: "again", Kind: core.Text},
		{Name: "emptied", Kind: core.Text},
		{Name: "advised", Kind: core.Text},
		{Name: "free", Kind: core.Text},
		{Name: "freely", Kind: core.Text, Formula: "free + '.'"},
	}, Rules: []core.Rule{
		{Name: "a", Do: []core.Deed{{Do: "set", Column: "again", Value: "further"}}, Order: 1},
		{Name: "b", Do: []core.Deed{{Do: "set", Column: "copied", Value: "line"}, {Do: "recommend", Column: "advised", Value: "name"}}, Order: 2},
		{Name: "c", When: "score > 1", Do: []core.Deed{{Do: "clear", Column: "emptied"}}, Order: 3},
	}}
	ward := core.Table{Name: "ward", Columns: []core.Column{
		{Name: "title", Kind: core.Text},
		{Name: "ill", Kind: core.Integer, Formula: "patients.count(p, p.score > 3)", Rights: core.DefinerRights},
		{Name: "worse", Kind: core.Boolean, Formula: "ill > 3"},
		{Name: "all", Kind: core.Integer, Formula: "patients.count()"},
	}}
	shared := core.Shared{Classes: []core.DataClass{{Name: "personal", Mask: "value.left(1)"}, {Name: "health", Mask: "value > 5 ? 9 : 1"}, {Name: "payment"}}}
	ill := ward.Columns[1:]
	ward.Columns = ward.Columns[:1]
	s, err := core.NewSchemaOf(1, shared)
	if err != nil {
		t.Fatal(err)
	}
	changes := []core.Change{core.CreateTable{Define: ward}, core.CreateTable{Define: patient}}
	for _, c := range ill {
		changes = append(changes, core.AddColumn{To: "ward", Add: c})
	}
	if s, err = s.With(changes...); err != nil {
		t.Fatal(err)
	}
	set, err := NewSet(s)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[core.At][]string{
		{Table: "patient", Column: "name"}: {"personal"}, {Table: "patient", Column: "urgent"}: {"health"}, {Table: "patient", Column: "line"}: {"health", "personal"},
		{Table: "patient", Column: "started"}: {"health"}, {Table: "patient", Column: "copied"}: {"health", "personal"}, {Table: "patient", Column: "further"}: {"health", "personal"},
		{Table: "patient", Column: "again"}: {"health", "personal"}, {Table: "patient", Column: "emptied"}: {"health"}, {Table: "patient", Column: "advised"}: nil,
		{Table: "patient", Column: "pay_currency"}: {"payment"}, {Table: "patient", Column: "pay_base"}: {"payment"},
		{Table: "patient", Column: "free"}: nil, {Table: "patient", Column: "freely"}: nil, {Table: "patient", Column: "ward_id"}: nil, {Table: "patient", Column: "id"}: nil,
		{Table: "ward", Column: "ill"}: {"health"}, {Table: "ward", Column: "worse"}: {"health"}, {Table: "ward", Column: "all"}: nil, {Table: "ward", Column: "title"}: nil,
	} {
		if got := set.Classes(at.Table, at.Column); !slices.Equal(got, want) {
			t.Errorf("%s.%s carries %v, want %v", at.Table, at.Column, got, want)
		}
	}
	for column, mask := range map[string]string{"name": "value.left(1)", "copied": "", "score": "value > 5 ? 9 : 1", "urgent": "", "free": ""} {
		if e := set.Mask("patient", column); (e == nil) != (mask == "") || e != nil && e.Source != mask {
			t.Errorf("the mask of %s is %v, want %q", column, e, mask)
		}
	}
}
