package authz

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
)

// TestColumnProfiles compares what decisions say of secured columns with the union of the profiles that a caller holds, added up by hand.
func TestColumnProfiles(t *testing.T) {
	table := core.Table{Name: "deal", Columns: []core.Column{
		{Name: "title", Kind: core.Text, Secured: true, Mask: "'***'"},
		{Name: "stage", Kind: core.Text, Secured: true, Mask: "value.left(1)"},
		{Name: "note", Kind: core.Text, Secured: true},
		{Name: "plain", Kind: core.Text},
		{Name: "loud", Kind: core.Text, Formula: "title + '!'"},
	}}
	s, set := world(t, table)
	columns := []string{"title", "stage", "note"}
	roles := []string{"a", "b", "c"}
	rapid.Check(t, func(r *rapid.T) {
		d := data(roles, Grant{Role: "a", Table: "deal", Privilege: Read, Level: Organization}, Grant{Role: "a", Table: "deal", Privilege: Create, Level: Organization},
			Grant{Role: "a", Table: "deal", Privilege: Update, Level: Organization})
		includes := rapid.SampledFrom([]string{"", "b", "c"}).Draw(r, "a includes")
		if includes != "" {
			d.inherit("a", includes)
		}
		held := map[string]map[string]ColumnAccess{} // by who is given them, by column
		own := []string{}
		for i := range rapid.IntRange(0, 12).Draw(r, "profiles") {
			name := fmt.Sprintf("p%d", i)
			right := ColumnRight{Table: "deal", Column: rapid.SampledFrom(columns).Draw(r, "column"), ColumnAccess: ColumnAccess{
				Read: Reading(rapid.IntRange(0, 2).Draw(r, "read")), Create: rapid.Bool().Draw(r, "create"), Update: rapid.Bool().Draw(r, "update"), Unmask: Unmasking(rapid.IntRange(0, 2).Draw(r, "unmask")),
			}}
			text, err := encodeRights([]ColumnRight{right})
			if err != nil {
				t.Fatal(err)
			}
			id := core.NewID()
			d.Profiles = append(d.Profiles, ColumnProfile{ID: id, Name: name, Rights: text})
			who := rapid.SampledFrom([]string{"a", "b", "c", "himself", "nobody"}).Draw(r, "who")
			switch who {
			case "himself":
				own = append(own, name)
			case "nobody":
			default:
				for _, role := range d.Roles {
					if role.Name == who {
						d.Holders = append(d.Holders, ProfileHolder{ID: core.NewID(), ProfileID: id, RoleID: &role.ID})
					}
				}
			}
			if held[who] == nil {
				held[who] = map[string]ColumnAccess{}
			}
			held[who][right.Column] = held[who][right.Column].or(right.ColumnAccess)
		}
		p, err := NewPolicy(s, set, d)
		if err != nil {
			r.Fatal(err)
		}
		for _, profiles := range [][]string{nil, own} {
			c := core.Caller{User: "u", Roles: []string{"a"}, Profiles: profiles}
			if includes != "" {
				c.Roles = append(c.Roles, includes)
			}
			for _, column := range columns {
				var want ColumnAccess
				for _, role := range c.Roles {
					want = want.or(held[role][column])
				}
				if profiles != nil {
					want = want.or(held["himself"][column])
				}
				checkColumn(r, p, c, column, want)
			}
			read, err := p.Decide(c, "deal", Read)
			if err != nil {
				r.Fatal(err)
			}
			title, _ := read.Column("title")
			if loud, _ := read.Column("loud"); loud != title {
				r.Fatalf("title is shown: %v, and what is calculated from it: %v", title, loud)
			}
			if plain, _ := read.Column("plain"); !plain {
				r.Fatal("a column that is not secured is hidden")
			}
		}
	})
}

func checkColumn(r *rapid.T, p *Policy, c core.Caller, column string, want ColumnAccess) {
	for priv, shown := range map[Privilege]bool{Read: want.Read == ReadFull, Create: want.Create, Update: want.Update} {
		d, err := p.Decide(c, "deal", priv)
		if err != nil {
			r.Fatal(err)
		}
		if got, guard := d.Column(column); got != shown || guard != nil {
			r.Fatalf("%s of %s: got %v, want %v", priv, column, got, shown)
		}
		mask, _ := d.Mask(column)
		if masked := priv == Read && want.Read == ReadMasked && column != "note"; (mask != nil) != masked {
			r.Fatalf("%s of %s: masked is %v, want %v", priv, column, mask != nil, masked)
		}
		unmask, _ := d.Unmask(column)
		if priv == Read && want.Read < ReadFull && unmask != want.Unmask {
			r.Fatalf("unmasking %s: got %s, want %s", column, unmask, want.Unmask)
		}
	}
}
