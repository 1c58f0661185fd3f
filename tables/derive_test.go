package tables

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shopspring/decimal"

	"colonnade/authz"
	"colonnade/core"
)

// reachingColumn says what a calculated column over relations reads, and how to compute it from what a reader sees.
type reachingColumn struct {
	table, name string
	own         []string     // columns of the record
	passes      []passedStep // the records on its lookups
	over        *listed      // what it is an aggregate over
	value       func(m *rightsModel, r core.Record) any
	definer     bool
}

type passedStep struct {
	lookup, table string
	columns       []string
}

type listed struct {
	table   string
	columns []string
}

// rightsModel computes calculated columns for somebody who holds grants; nil sees everything.
type rightsModel struct {
	rows   map[string][]core.Record
	grants []authz.Grant
	all    bool
}

func (m *rightsModel) holds(condition string, r core.Record) bool {
	switch condition {
	case "open":
		return r["open"] == true
	case "n < 3":
		return r["n"].(int64) < 3
	}
	return true
}

func (m *rightsModel) nameable(table, column string) bool {
	return m.all || slices.ContainsFunc(m.grants, func(g authz.Grant) bool { return g.Table == table && !slices.Contains(g.Hidden, column) })
}

// sees reports whether a column of a record is visible; the id stands for the record.
func (m *rightsModel) sees(table string, r core.Record, column string) bool {
	return m.all || slices.ContainsFunc(m.grants, func(g authz.Grant) bool {
		return g.Table == table && m.holds(g.Condition, r) && !slices.Contains(g.Hidden, column)
	})
}

// get returns a column as the reader sees it.
func (m *rightsModel) get(table string, r core.Record, column string) any {
	if !m.sees(table, r, column) {
		return nil
	}
	return r[column]
}

func (m *rightsModel) find(table string, id any) core.Record {
	i := slices.IndexFunc(m.rows[table], func(r core.Record) bool { return r["id"] == id })
	if i < 0 {
		return nil
	}
	return m.rows[table][i]
}

// list returns the records of a table that lead to one, as far as the reader sees that.
func (m *rightsModel) list(table, lookup string, id any) (out []core.Record) {
	for _, r := range m.rows[table] {
		if m.sees(table, r, "id") && m.get(table, r, lookup) == id {
			out = append(out, r)
		}
	}
	return out
}

func (m *rightsModel) volume(client core.Record) any {
	sum := decimal.Zero
	for _, d := range m.list("deal", "client_id", client["id"]) {
		if v, ok := m.get("deal", d, "total").(decimal.Decimal); ok && m.get("deal", d, "open") == true {
			sum = sum.Add(v)
		}
	}
	return sum
}

func (m *rightsModel) region(client core.Record) any {
	if client == nil || client["region_id"] == nil {
		return nil
	}
	return m.find("region", client["region_id"])["rate"]
}

var reachingColumns = []reachingColumn{
	{table: "client", name: "rate", own: []string{"region_id"}, passes: []passedStep{{"region_id", "region", []string{"rate"}}}, value: (*rightsModel).region},
	{table: "client", name: "safe", own: []string{"region_id", "n"}, passes: []passedStep{{"region_id", "region", []string{"rate"}}}, value: func(m *rightsModel, r core.Record) any {
		rate, _ := m.region(r).(decimal.Decimal)
		return rate.Add(decimal.NewFromInt(r["n"].(int64)))
	}},
	{table: "client", name: "volume", over: &listed{"deal", []string{"client_id", "total", "open"}}, value: (*rightsModel).volume},
	{table: "client", name: "whole", definer: true, value: (*rightsModel).volume},
	{table: "client", name: "below", over: &listed{"client", []string{"parent_id", "n"}}, value: func(m *rightsModel, r core.Record) any {
		seen, sum := map[any]bool{r["id"]: true}, int64(0)
		for next := m.list("client", "parent_id", r["id"]); len(next) > 0; {
			c := next[0]
			if next = next[1:]; seen[c["id"]] {
				continue
			}
			seen[c["id"]] = true
			if n, ok := m.get("client", c, "n").(int64); ok {
				sum += n
			}
			next = append(next, m.list("client", "parent_id", c["id"])...)
		}
		return sum
	}},
	{table: "deal", name: "far", own: []string{"client_id"}, passes: []passedStep{{"client_id", "client", []string{"region_id"}}, {"region_id", "region", []string{"rate"}}}, value: func(m *rightsModel, r core.Record) any {
		return m.region(m.find("client", r["client_id"]))
	}},
	{table: "deal", name: "share", own: []string{"client_id"}, passes: []passedStep{{"client_id", "client", []string{"volume"}}}, over: &listed{"deal", []string{"client_id", "total", "open"}}, value: func(m *rightsModel, r core.Record) any {
		if c := m.find("client", r["client_id"]); c != nil {
			return m.volume(c)
		}
		return nil
	}},
	{table: "deal", name: "siblings", own: []string{"client_id"}, passes: []passedStep{{"client_id", "client", nil}}, over: &listed{"deal", []string{"client_id"}}, value: func(m *rightsModel, r core.Record) any {
		if r["client_id"] == nil {
			return nil
		}
		return int64(len(m.list("deal", "client_id", r["client_id"])))
	}},
}

// expect returns what the reader is shown.
func (m *rightsModel) expect(c reachingColumn, r core.Record) any {
	if !m.sees(c.table, r, c.name) {
		return nil
	}
	if c.definer {
		return c.value(&rightsModel{rows: m.rows, all: true}, r)
	}
	for _, column := range c.own {
		if !m.sees(c.table, r, column) {
			return nil
		}
	}
	if c.over != nil {
		for _, column := range c.over.columns {
			if !m.nameable(c.over.table, column) {
				return nil
			}
		}
	}
	at := r
	for _, step := range c.passes {
		for _, column := range append(step.columns, "id") {
			if !m.nameable(step.table, column) {
				return nil
			}
			if at != nil && at[step.lookup] != nil && !m.sees(step.table, m.find(step.table, at[step.lookup]), column) {
				return nil
			}
		}
		if at != nil {
			at = m.find(step.table, at[step.lookup])
		}
	}
	return c.value(m, r)
}

// TestAttackA04DerivedRights compares calculated columns over relations, of the reader's and of the definer's rights, with a model, for
// people who see some records and some columns, chosen at random.
func TestAttackA04DerivedRights(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		number := func(name, formula string, rights core.Rights) core.Column {
			return core.Column{Name: name, Kind: core.Decimal, Precision: 20, Scale: 2, Formula: formula, Rights: rights}
		}
		plain := []core.Column{{Name: "n", Kind: core.Integer}, {Name: "open", Kind: core.Boolean}}
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "region", Columns: append(plain, core.Column{Name: "rate", Kind: core.Decimal, Precision: 9, Scale: 2})}},
			core.CreateTable{Define: core.Table{Name: "client", Columns: append(plain, core.Column{Name: "parent_id", Kind: core.Lookup, Target: "client", Inverse: "children"}, core.Column{Name: "region_id", Kind: core.Lookup, Target: "region"})}},
			core.CreateTable{Define: core.Table{Name: "deal", Columns: append(plain, core.Column{Name: "client_id", Kind: core.Lookup, Target: "client", Inverse: "deals"}, core.Column{Name: "total", Kind: core.Decimal, Precision: 9, Scale: 2})}},
			core.AddColumn{To: "client", Add: number("rate", "region.rate", "")}, core.AddColumn{To: "client", Add: number("safe", "coalesce(region.rate, 0.0) + n", core.ReaderRights)},
			core.AddColumn{To: "client", Add: number("volume", "deals.sum(d, d.total, d.open)", "")}, core.AddColumn{To: "client", Add: number("whole", "deals.sum(d, d.total, d.open)", core.DefinerRights)},
			core.AddColumn{To: "client", Add: core.Column{Name: "below", Kind: core.Integer, Formula: "descendants(children).sum(c, c.n)"}},
			core.AddColumn{To: "deal", Add: number("far", "client.region.rate", "")}, core.AddColumn{To: "deal", Add: number("share", "client.volume", "")},
			core.AddColumn{To: "deal", Add: core.Column{Name: "siblings", Kind: core.Integer, Formula: "client.deals.count()"}})
		r := rand.New(rand.NewPCG(7, 7))
		rows := map[string][]core.Record{}
		fill := func(table string, n int, more func(core.Record)) {
			for range n {
				rec := core.Record{"id": string(core.NewID()), "n": r.Int64N(6), "open": r.IntN(2) == 0}
				more(rec)
				rows[table] = append(rows[table], rec)
			}
			var in []core.Record
			for _, rec := range rows[table] {
				in = append(in, rec.Clone())
			}
			mustInsert(t, root(t), s, table, in...)
		}
		some := func(table string) any {
			if len(rows[table]) == 0 || r.IntN(5) == 0 {
				return nil
			}
			return rows[table][r.IntN(len(rows[table]))]["id"]
		}
		fill("region", 4, func(rec core.Record) { rec["rate"] = decimal.New(r.Int64N(900), -2) })
		fill("client", 10, func(rec core.Record) { rec["parent_id"], rec["region_id"] = some("client"), some("region") })
		fill("deal", 30, func(rec core.Record) {
			rec["client_id"], rec["total"] = some("client"), decimal.New(r.Int64N(9000), -2)
		})
		hide := map[string][]string{"region": {"rate"}, "client": {"n", "region_id", "parent_id", "volume", "whole"}, "deal": {"client_id", "total", "open"}}
		shown := 0
		for round := range 25 {
			m := &rightsModel{rows: rows}
			for table := range hide {
				for range 1 + r.IntN(2) {
					g := authz.Grant{Table: table, Privilege: authz.Read, Level: authz.Organization, Condition: []string{"", "", "open", "n < 3"}[r.IntN(4)]}
					for _, column := range hide[table] {
						if r.IntN(5) == 0 {
							g.Hidden = append(g.Hidden, column)
						}
					}
					if !slices.ContainsFunc(m.grants, func(o authz.Grant) bool { return o.Table == g.Table && o.Condition == g.Condition }) {
						m.grants = append(m.grants, g)
					}
				}
			}
			name := fmt.Sprint("r", round)
			role(t, s, name, m.grants...)
			ctx := person(t, s, name, core.RootUnit, name)
			for _, table := range []string{"client", "deal"} {
				found, err := s.Records(ctx, s.Snapshot(), Query{Table: table, Limit: 100})
				must(t, err)
				for _, got := range found {
					rec := m.find(table, got["id"])
					for _, c := range reachingColumns {
						if c.table != table {
							continue
						}
						want := m.expect(c, rec)
						if want != nil {
							shown++
						}
						if !sameNumber(got[c.name], want) {
							t.Fatalf("%s.%s of %v is %v, want %v; the grants are %+v", table, c.name, rec, got[c.name], want, m.grants)
						}
					}
				}
			}
		}
		if shown < 500 {
			t.Errorf("only %d values were to be seen", shown)
		}
	})
}

func sameNumber(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return decimal.RequireFromString(fmt.Sprint(a)).Equal(decimal.RequireFromString(fmt.Sprint(b)))
}

// TestHiddenInBetween hides a calculated column that another one reads, and nothing of what it is calculated from: the other is
// hidden like it, in a list too, whether it is stored or not.
func TestHiddenInBetween(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		number := func(name, formula string, stored bool) core.Column {
			return core.Column{Name: name, Kind: core.Integer, Formula: formula, Stored: stored}
		}
		define(t, s, core.AddColumn{To: "item", Add: number("net", "price * 2", false)},
			core.AddColumn{To: "item", Add: number("gross", "net + 1", false)},
			core.AddColumn{To: "invoice", Add: number("nets", "item.sum(i, i.net)", false)},
			core.AddColumn{To: "invoice", Add: number("kept", "item.sum(i, i.net)", true)})
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"})
		mustInsert(t, root(t), s, "item", core.Record{"price": 3, "invoice_id": string(ids[0])})
		role(t, s, "clerk", authz.Grant{Table: "item", Privilege: authz.Read, Level: authz.Organization, Hidden: []string{"net"}},
			authz.Grant{Table: "invoice", Privilege: authz.Read, Level: authz.Organization})
		ctx := person(t, s, "clerk", core.RootUnit, "clerk")
		for table, columns := range map[string][]string{"item": {"gross"}, "invoice": {"nets", "kept"}} {
			found, err := s.Records(ctx, s.Snapshot(), Query{Table: table})
			must(t, err)
			for _, c := range columns {
				if found[0][c] != nil {
					t.Errorf("%s.%s is %v", table, c, found[0][c])
				}
				_, err := s.Records(ctx, s.Snapshot(), Query{Table: table, Where: Compare{Column: c, Op: IsNull, Value: false}})
				wantKind(t, err, core.Invalid)
			}
		}
		found, err := s.Records(ctx, s.Snapshot(), Query{Table: "invoice"})
		must(t, err)
		if found[0]["total"] != int64(3) {
			t.Errorf("what reads nothing hidden is %v", found[0]["total"])
		}
	})
}

// TestStatementTooLarge asks for a query that would become more SQL than a database prepares in time.
func TestStatementTooLarge(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		q := Query{Table: "item"}
		for i := range 500 {
			q.Fields = append(q.Fields, Field{As: fmt.Sprint("c", i), Column: "price"})
		}
		long := slices.Repeat([]Cond{Compare{Column: "price", Op: NotEq, Value: 1}}, 60_000)
		if _, err := s.Records(root(t), s.Snapshot(), q); err != nil {
			t.Errorf("500 columns: %v", err)
		}
		q.Where = And(slices.Repeat([]Cond{Related{Relation: "invoice", Where: Related{Relation: "item", Where: Or(long)}}}, 2))
		_, err := s.Query(root(t), s.Snapshot(), q, nil)
		wantKind(t, err, core.Limit)
	})
}
