package core_test

import (
	"strings"
	"testing"

	"colonnade/core"
)

func linkTable(change func(*core.Table)) core.Table {
	end := func(name, target string) core.Column {
		return core.Column{Name: name, Kind: core.Lookup, Target: target, Required: true, OnDelete: core.Cascade}
	}
	t := core.Table{
		Name: "membership", Columns: []core.Column{end("person_id", "person"), end("club_id", "club")},
		Keys: []core.Key{{Name: "once", Columns: []string{"club_id", "person_id"}}},
		Link: &core.Link{From: core.LinkEnd{Column: "person_id", Field: "clubs"}, To: core.LinkEnd{Column: "club_id", Field: "members"}},
	}
	change(&t)
	return t
}

func TestLink(t *testing.T) {
	ends := []core.Table{{Name: "person", Columns: []core.Column{{Name: "name", Kind: core.Text}}}, {Name: "club"}}
	s, err := core.NewSchema(1, append(ends, linkTable(func(*core.Table) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	clubs, ok := s.Relation("person", "clubs")
	if want := (core.Relation{Name: "clubs", Many: true, Table: "club", Column: "club_id", Through: "membership", Near: "person_id"}); !ok || clubs != want {
		t.Errorf("person.clubs is %+v, want %+v", clubs, want)
	}
	members, ok := s.Relation("club", "members")
	if want := (core.Relation{Name: "members", Many: true, Table: "person", Column: "person_id", Through: "membership", Near: "club_id"}); !ok || members != want {
		t.Errorf("club.members is %+v, want %+v", members, want)
	}
	if again, err := s.With(); err != nil || len(again.Links("club")) != 1 {
		t.Errorf("the next schema has the links %v, %v", again.Links("club"), err)
	}
	for name, c := range map[string]struct {
		change func(*core.Table)
		want   string
	}{
		"no key":          {func(t *core.Table) { t.Keys = nil }, "give the table a key"},
		"one end twice":   {func(t *core.Table) { t.Link.To.Column = "person_id" }, "two ends"},
		"no lookup":       {func(t *core.Table) { t.Link.To.Column = "id" }, "an end of a link is"},
		"optional lookup": {func(t *core.Table) { t.Columns[0].Required = false }, "an end of a link is"},
		"no cascade":      {func(t *core.Table) { t.Columns[0].OnDelete = core.Restrict }, "an end of a link is"},
		"no column":       {func(t *core.Table) { t.Link.To.Column = "club" }, "no such column"},
		"taken field":     {func(t *core.Table) { t.Link.From.Field = "name" }, "person.name, which is taken"},
		"bad field":       {func(t *core.Table) { t.Link.From.Field = "Clubs" }, "no name for a relation"},
		"inverse's field": {func(t *core.Table) { t.Link.From.Field = "membership" }, "person.membership, which is taken"},
	} {
		if _, err := core.NewSchema(1, append(ends[:2:2], linkTable(c.change))...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
