package authz

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// The caller of these tests works in the unit "here" with "under" below it, and is in one team.
var (
	me, myTeam, stranger = core.NewID(), core.NewID(), core.NewID()
	here, under, away    = core.NewID(), core.NewID(), core.NewID()
	scopeCaller          = core.Caller{User: me, Unit: here, Below: []core.ID{here, under}, Teams: []core.ID{myTeam}}
)

// conditions are expressions, and what they mean in Go.
var conditions = []struct {
	source string
	holds  func(core.Record) bool
}{
	{"", func(core.Record) bool { return true }},
	{`stage == "open"`, func(r core.Record) bool { return r["stage"] == "open" }},
	{"amount > 10 // a comment at the end", func(r core.Record) bool { n, ok := r["amount"].(int64); return ok && n > 10 }},
	{`stage != "won" || cost < 3`, func(r core.Record) bool {
		n, ok := r["cost"].(int64)
		return r["stage"] != nil && r["stage"] != "won" || ok && n < 3
	}},
	{"unit_id == caller.unit", func(r core.Record) bool { return r["unit_id"] == string(here) }},
}

func reaches(g Grant, r core.Record) bool {
	owner, unit := core.ID(r["owner_id"].(string)), core.ID(r["unit_id"].(string))
	in := owner == me || owner == myTeam
	switch g.Level {
	case Unit:
		in = in || unit == here
	case UnitBelow:
		in = in || unit == here || unit == under
	case Organization:
		in = true
	}
	for _, c := range conditions {
		if c.source == g.Condition {
			return in && c.holds(r)
		}
	}
	panic("an unknown condition")
}

// sees tells by the grants, one after the other, whether the column of the row is visible.
func sees(grants []Grant, r core.Record, column string) bool {
	if column == "margin" && !(sees(grants, r, "amount") && sees(grants, r, "cost")) || column == "label" && !sees(grants, r, "title") {
		return false
	}
	return slices.ContainsFunc(grants, func(g Grant) bool { return reaches(g, r) && !slices.Contains(g.Hidden, column) })
}

func randomRows(n int) []core.Record {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...any) any { return of[random.IntN(len(of))] }
	out := make([]core.Record, n)
	for i := range out {
		out[i] = core.Record{
			"id":       string(core.NewID()),
			"owner_id": pick(string(me), string(myTeam), string(stranger)),
			"unit_id":  pick(string(here), string(under), string(away)),
			"title":    pick(nil, "a", "b"),
			"stage":    pick(nil, "open", "won"),
			"amount":   pick(nil, int64(0), int64(10), int64(11)),
			"cost":     pick(nil, int64(2), int64(3)),
		}
	}
	return out
}

// store makes the table in the database and fills it.
func store(t *testing.T, d *db.DB, table *core.Table, rows []core.Record) {
	t.Helper()
	names := []string{"id", "owner_id", "unit_id", "title", "stage", "amount", "cost"}
	create := db.New(d.Dialect).Write("CREATE TABLE ").Name(table.Name).Write(" (")
	for i, name := range names {
		if i > 0 {
			create.Write(", ")
		}
		c, _ := table.Column(name)
		create.Name(name).Write(" ", d.ColumnType(c))
	}
	statements := []*db.Builder{create.Write(")")}
	for _, r := range rows {
		b := db.New(d.Dialect).Write("INSERT INTO ").Name(table.Name).Write(" (").Names(names...).Write(") VALUES (")
		for i, name := range names {
			if i > 0 {
				b.Write(", ")
			}
			c, _ := table.Column(name)
			b.Value(c, r[name])
		}
		statements = append(statements, b.Write(")"))
	}
	must(t, d.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error { return tx.ExecAll(t.Context(), statements...) }))
}

// where returns the ids of the rows for which all expressions hold, as the database sees it.
func where(t interface{ Fatal(...any) }, d *db.DB, table string, c core.Caller, exprs ...*rules.Expr) map[string]bool {
	b := db.New(d.Dialect).Write(`SELECT t.id FROM `).Name(table).Write(" AS t WHERE 1 = 1")
	for _, x := range exprs {
		if x != nil {
			b.Write(" AND (")
			x.SQL(b, plainRow("t"), c)
			b.Write(")")
		}
	}
	out := map[string]bool{}
	err := d.Query(context.Background(), b, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		out[id] = true
		return err
	})
	if err != nil {
		t.Fatal(b.String(), err)
	}
	return out
}

// What the union of the grants reaches is the same in memory, in SQL, and by going through the grants one by one.
func TestScope(t *testing.T) {
	eachDB(t, func(t *testing.T, d *db.DB) {
		s, set := world(t, deal())
		table, err := s.Table("deal")
		must(t, err)
		rows := randomRows(300)
		store(t, d, table, rows)
		columns := []string{"title", "stage", "amount", "cost", "margin", "label"}
		rapid.Check(t, func(t *rapid.T) {
			var grants []Grant
			for range rapid.IntRange(1, 4).Draw(t, "grants") {
				grants = append(grants, Grant{
					Role:      rapid.SampledFrom([]string{"a", "b"}).Draw(t, "role"),
					Table:     "deal",
					Privilege: Read,
					Level:     Level(rapid.IntRange(int(Own), int(Organization)).Draw(t, "level")),
					Condition: rapid.SampledFrom(conditions).Draw(t, "condition").source,
					Hidden:    rapid.SliceOfNDistinct(rapid.SampledFrom(columns), 0, 3, rapid.ID).Draw(t, "hidden"),
				})
			}
			p, err := NewPolicy(s, set, data([]string{"a", "b"}, grants...))
			if err != nil {
				t.Fatal(err)
			}
			c := scopeCaller
			c.Roles = []string{"a", "b"}
			dec, err := p.Decide(c, "deal", Read)
			if err != nil {
				t.Fatal(err)
			}
			holds := func(x *rules.Expr, r core.Record) bool {
				if x == nil {
					return true
				}
				ok, err := x.True(r, nil, c, nil)
				if err != nil {
					t.Fatal(err)
				}
				return ok
			}
			inSQL := where(t, d, "deal", c, dec.Rows)
			for _, r := range rows {
				want := slices.ContainsFunc(grants, func(g Grant) bool { return reaches(g, r) })
				if got := holds(dec.Rows, r); got != want {
					t.Fatalf("row %v: %v in memory, want %v", r, got, want)
				}
				if got := inSQL[r["id"].(string)]; got != want {
					t.Fatalf("row %v: %v in SQL, want %v", r, got, want)
				}
			}
			for _, column := range columns {
				visible, guard := dec.Column(column)
				inSQL := map[string]bool{}
				if visible {
					inSQL = where(t, d, "deal", c, dec.Rows, guard)
				}
				for _, r := range rows {
					if !holds(dec.Rows, r) {
						continue
					}
					want := sees(grants, r, column)
					if got := visible && holds(guard, r); got != want {
						t.Fatalf("%s of %v: %v in memory, want %v", column, r, got, want)
					}
					if got := inSQL[r["id"].(string)]; got != want {
						t.Fatalf("%s of %v: %v in SQL, want %v", column, r, got, want)
					}
				}
			}
		})
	})
}

func TestHiddenColumns(t *testing.T) {
	t.Parallel()
	s, set := world(t, deal())
	p, err := NewPolicy(s, set, data([]string{"clerk", "finance", "strict", "owner"},
		Grant{Role: "clerk", Table: "deal", Privilege: Read, Level: Organization, Hidden: []string{"cost"}},
		Grant{Role: "finance", Table: "deal", Privilege: Read, Level: Organization, Hidden: []string{"title"}},
		Grant{Role: "strict", Table: "deal", Privilege: Read, Level: Organization, Hidden: []string{"cost", "amount", "label"}},
		Grant{Role: "owner", Table: "deal", Privilege: Read, Level: Own},
	))
	must(t, err)
	const own = "owner_id == caller.user || owner_id in caller.teams"
	for _, c := range []struct {
		roles []string
		want  string // column: visible, or by which guard
	}{
		{[]string{"clerk"}, "title amount -cost -margin label"},
		{[]string{"finance"}, "-title amount cost margin -label"},
		{[]string{"clerk", "finance"}, "title amount cost margin label"},
		{[]string{"strict"}, "title -amount -cost -margin -label"},
		{[]string{"clerk", "strict"}, "title amount -cost -margin label"},
		{[]string{"owner"}, "title amount cost margin label"},
		{[]string{"clerk", "owner"}, "title amount ?cost ?margin label"},
		{[]string{"strict", "owner"}, "title ?amount ?cost ?margin ?label"},
	} {
		d, err := p.Decide(core.Caller{User: "u", Roles: c.roles}, "deal", Read)
		must(t, err)
		got, hides := "", false
		for _, name := range []string{"title", "amount", "cost", "margin", "label"} {
			sign := ""
			switch visible, guard := d.Column(name); {
			case !visible:
				sign = "-"
			case guard != nil:
				sign = "?"
				if guard.Source != own {
					t.Errorf("%v: %s is guarded by %s", c.roles, name, guard.Source)
				}
			}
			hides = hides || sign != ""
			got += " " + sign + name
		}
		if got[1:] != c.want || d.Hides() != hides {
			t.Errorf("%v: %s (hides: %v), want %s", c.roles, got[1:], d.Hides(), c.want)
		}
		if ok, _ := d.Column("salary"); ok {
			t.Error("a column that is not there is visible")
		}
	}
}

// large is a policy of 50 roles with every privilege on 200 tables, and a caller with three of them.
func large(b *testing.B) (*core.Schema, *rules.Set, *Data, core.Caller) {
	b.Helper()
	tables := make([]core.Table, 200)
	for i := range tables {
		tables[i] = deal()
		tables[i].Name = fmt.Sprintf("deal%d", i)
	}
	s, set := world(b, tables...)
	roles := make([]string, 50)
	var grants []Grant
	for i := range roles {
		roles[i] = fmt.Sprintf("r%d", i)
		for _, t := range tables {
			for _, priv := range Privileges {
				grants = append(grants, Grant{Role: roles[i], Table: t.Name, Privilege: priv, Level: Own + Level(i%4)})
			}
		}
	}
	return s, set, data(roles, grants...), core.Caller{User: me, Unit: here, Below: []core.ID{here}, Roles: []string{"r4", "r12", "r41"}}
}

func BenchmarkDecide(b *testing.B) {
	s, set, d, c := large(b)
	p, err := NewPolicy(s, set, d)
	if err != nil {
		b.Fatal(err)
	}
	denied := c
	denied.Roles = nil
	for _, bench := range []struct {
		name string
		core.Caller
		ok bool
	}{{"allowed", c, true}, {"denied", denied, false}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Decide(bench.Caller, "deal150", Update); (err == nil) != bench.ok {
					b.Fatal(err)
				}
			}
		})
	}
	many := c
	many.Roles = nil
	for i := range 20 {
		many.Roles = append(many.Roles, fmt.Sprintf("r%d", 2*i))
	}
	b.Run("20 roles", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Decide(many, "deal150", Update); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNewPolicy(b *testing.B) {
	s, set, d, _ := large(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewPolicy(s, set, d); err != nil {
			b.Fatal(err)
		}
	}
}

// plainRow is a record of a table whose columns are called as they are, under that alias; it leads nowhere.
type plainRow string

func (r plainRow) Column(b *db.Builder, c *core.Column) { b.Name(string(r), c.Name) }
func (plainRow) Open(rules.Step) rules.Row              { panic("the table has no relations") }
func (plainRow) From(*db.Builder)                       {}
