package oracle

import (
	"fmt"
	"slices"

	"colonnade/core"
)

// options of a choice, and of choices.
func options(values ...string) (out []core.Option) {
	for _, v := range values {
		out = append(out, core.Option{Value: v})
	}
	return out
}

// stages may follow each other as they say.
var stages = []core.Option{
	{Value: "new", State: "open", Initial: true, Next: []string{"won", "lost"}},
	{Value: "won", State: "closed", Initial: true},
	{Value: "lost", State: "closed", Initial: true, Next: []string{"new"}},
}

// plainColumns are of all kinds, with formulas over them; the first five, which formulas and conditions read, are always there.
var plainColumns = []core.Column{
	{Name: "s", Kind: core.Text}, {Name: "n", Kind: core.Integer}, {Name: "d", Kind: core.Decimal, Precision: 10, Scale: 2},
	{Name: "b", Kind: core.Boolean}, {Name: "day", Kind: core.Date},
	{Name: "l", Kind: core.LongText}, {Name: "f", Kind: core.Float}, {Name: "moment", Kind: core.Timestamp}, {Name: "u", Kind: core.UUID},
	{Name: "opens", Kind: core.DateTime}, {Name: "length", Kind: core.Duration},
	{Name: "c", Kind: core.Choice, Options: options("red", "green", "Blue")}, {Name: "j", Kind: core.JSON},
	{Name: "many", Kind: core.Choices, Options: options("red", "green", "Blue", `"q"`)},
	{Name: "stage", Kind: core.Status, Options: stages},
	{Name: "no", Kind: core.Autonumber, Template: "N{SEQ:4}"},
	{Name: "next_n", Kind: core.Integer, Formula: "n + 1"}, {Name: "twice", Kind: core.Decimal, Precision: 12, Scale: 2, Formula: "d * 2.0"},
	{Name: "loud", Kind: core.Text, Formula: `s + "!"`}, {Name: "big", Kind: core.Boolean, Formula: "n > 2 && d > 1.0"},
	{Name: "label", Kind: core.Text, Formula: `coalesce(loud, "none") + string(next_n)`}, {Name: "later", Kind: core.Date, Formula: "addDays(day, 3)"},
	{Name: "mine", Kind: core.Boolean, Formula: `s == caller.user || n > 3`}, {Name: "half", Kind: core.Float, Formula: "n * 2.5"},
}

const alwaysThere = 5

// tables makes up the tables of a world, without the columns that read other records.
func (m maker) tables() (out []core.Table) {
	names := []string{"alpha", "beta", "gamma", "delta"}[:2+m.IntN(3)]
	for at, name := range names {
		t := core.Table{Name: name, Ownership: pick(m.chance(m.theme.owned), core.UserOwned, core.OrgOwned)}
		t.Hierarchy = t.Ownership == core.UserOwned && m.chance(0.6)
		if t.Owned() {
			t.ShareTemplates = []core.ShareTemplate{{Name: "reviewer", Rights: []string{"read", "update"}}}
		}
		t.Columns = append(t.Columns, plainColumns[:alwaysThere]...)
		for _, c := range subset(m, plainColumns[alwaysThere:], 0.7) {
			if c.Name == "label" && !(hasColumn(t, "loud") && hasColumn(t, "next_n")) {
				continue
			}
			t.Columns = append(t.Columns, c)
		}
		if m.chance(0.6) {
			t.Columns = append(t.Columns, core.Column{Name: "code", Kind: core.Text, Unique: true})
			if m.chance(0.5) {
				t.Keys = append(t.Keys, core.Key{Name: "by_twin", Columns: []string{"code", "n"}})
			}
		}
		for i := range 1 + m.IntN(2) {
			target := choose(m, names...)
			if i == 0 && m.chance(m.theme.chained) {
				target = names[(at+1)%len(names)]
			}
			t.Columns = append(t.Columns, core.Column{
				Name: fmt.Sprintf("to%d_id", i), Kind: core.Lookup, Target: target,
				Inverse: fmt.Sprintf("from_%s%d", name, i), OnDelete: core.SetNull,
			})
		}
		if m.chance(0.5) {
			t.Columns = append(t.Columns, core.Column{
				Name: "about_id", Kind: core.AnyLookup, Targets: names[:1+m.IntN(len(names))], Inverse: "said_by_" + name, OnDelete: core.SetNull,
			})
		}
		if m.chance(0.8) {
			t.Search = m.searched(t)
		}
		for i := range t.Columns {
			if m.chance(0.12) {
				m.secure(&t.Columns[i])
			}
			if m.chance(0.06) {
				t.Columns[i].Classes = []string{private.Name}
			}
		}
		out = append(out, t)
	}
	m.inheritShares(out)
	if m.chance(0.6) {
		out = append(out, m.links(names))
	}
	return out
}

// inheritShares has some tables inherit the shares of what one of their lookups leads to.
func (m maker) inheritShares(tables []core.Table) {
	owned := func(name string) bool {
		return slices.ContainsFunc(tables, func(t core.Table) bool { return t.Name == name && t.Owned() })
	}
	for _, t := range tables {
		for i := range t.Columns {
			if c := &t.Columns[i]; c.Name == "to0_id" && t.Owned() && owned(c.Target) {
				c.InheritShares = m.chance(m.theme.inherits)
			}
		}
	}
}

func hasColumn(t core.Table, name string) bool {
	return slices.ContainsFunc(t.Columns, func(c core.Column) bool { return c.Name == name })
}

// searched are the columns that full-text search of a table looks at.
func (m maker) searched(t core.Table) (out []core.SearchColumn) {
	for _, name := range []string{"s", "l", "c"} {
		if hasColumn(t, name) && (name == "s" || m.chance(m.theme.searched)) {
			out = append(out, core.SearchColumn{Column: name, Weight: 1 + m.IntN(3)})
		}
	}
	return out
}

// links is a table that joins many with many.
func (m maker) links(names []string) core.Table {
	end := func(name string) core.Column {
		return core.Column{Name: name, Kind: core.Lookup, Target: choose(m, names...), Required: true, OnDelete: core.Cascade}
	}
	columns := append([]core.Column{end("left_id"), end("right_id")}, plainColumns[:alwaysThere]...)
	return core.Table{Name: "bond", Ownership: core.OrgOwned, Columns: columns, Keys: []core.Key{{Name: "by_pair", Columns: []string{"left_id", "right_id"}}},
		Link: &core.Link{From: core.LinkEnd{Column: "left_id", Field: "rights"}, To: core.LinkEnd{Column: "right_id", Field: "lefts"}}}
}
