package tables

import (
	"context"
	"slices"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
	"colonnade/rules"
)

// eachCrowd runs f over a crowd of 6,000 records in a table, of which its callers reach few or many. Its parts run on one, which is not
// written to.
func eachCrowd(t *testing.T, f func(t *testing.T, s *Store, c *crowd)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		f(t, s, newAnalyzed(t, s, 6000))
	})
}

// newAnalyzed is newCrowd with the statistics that a database makes by itself in time.
func newAnalyzed(tb testing.TB, s *Store, rows int) *crowd {
	tb.Helper()
	c := newCrowd(tb, s, rows)
	if s.db.Name() == "postgres" { // whose statistics come by themselves; SQLite goes without
		_, err := s.db.Exec(tb.Context(), newBuilder(s).Write("ANALYZE"))
		must(tb, err)
	}
	return c
}

// crowdQuery is a list of titles for the callers of that way.
func (c *crowd) query(way string, list int) Query {
	return Query{Table: c.table[way], Fields: []Field{{As: "id", Column: "id"}, {As: "title", Column: "title"}}, Where: crowdLists[list].Cond, Order: crowdLists[list].order, Limit: 50}
}

// crowdLists are what is asked for: by id, the latest first, a page in the middle of that, and with a condition.
var crowdLists = []struct {
	name string
	Cond
	order []Order
}{
	{"id", nil, []Order{{Column: "id"}}},
	{"latest", nil, []Order{{Column: "at", Desc: true}}},
	{"keyset", And{Compare{Column: "at", Op: Lte, Value: crowdMiddle}, Or{Compare{Column: "at", Op: Lt, Value: crowdMiddle}, Compare{Column: "id", Op: Gt, Value: string(core.Everyone)}}}, []Order{{Column: "at", Desc: true}}},
	{"open", Compare{Column: "stage", Op: Eq, Value: "open"}, []Order{{Column: "at", Desc: true}}},
}

const crowdMiddle = "2025-08-01T00:00:00Z"

// TestReachLists has callers who reach records by each way ask for lists.
func TestReachLists(t *testing.T) {
	eachCrowd(t, func(t *testing.T, s *Store, c *crowd) {
		t.Run("plans", func(t *testing.T) { readPlans(t, s, c) })
		t.Run("searches", func(t *testing.T) { compareSearches(t, s, c) })
	})
}

// readPlans reads how the databases find the lists of callers who reach records by each way. Where few are in reach, indexes lead to
// them, and neither the table nor the order of the list is read; where many are, the order is, and nothing is sorted.
func readPlans(t *testing.T, s *Store, c *crowd) {
	few := strings.Fields("own unit below_few team reports inherited shares_many")
	for list := range crowdLists {
		for _, way := range crowdWays {
			q := c.query(way, list)
			if crowdLists[list].name == "open" && !slices.Contains(few, way) && s.db.Name() == "postgres" {
				continue // a part of the records, which its planner may rather sort
			}
			text, plan := planOf(t, s, c.callers[way], q)
			bad := func(line string) bool {
				reads := strings.Contains(line, "Seq Scan on "+q.Table) || line == "SCAN t0"
				along := strings.Contains(line, "Index Scan using "+q.Table+"_pkey on") || strings.Contains(line, `Index Scan using "ix.`+q.Table+`.at-.id" on`) || strings.HasPrefix(line, "SCAN t0 USING")
				sorts := strings.Contains(line, "Sort") || strings.Contains(line, "TEMP B-TREE")
				if slices.Contains(few, way) {
					return reads || along
				}
				return reads || sorts
			}
			if slices.ContainsFunc(plan, bad) {
				t.Errorf("%s/%s: the table is read, or sorted\n%s\n%s", crowdLists[list].name, way, text, strings.Join(plan, "\n"))
			}
		}
	}
}

// planOf returns the statement that answers the query for the caller of ctx, and how the database answers it, a step a line.
func planOf(tb testing.TB, s *Store, ctx context.Context, q Query) (text string, plan []string) {
	tb.Helper()
	text, args, err := s.SQL(ctx, s.Snapshot(), q)
	must(tb, err)
	explain := newBuilder(s).Write(map[string]string{"sqlite": "EXPLAIN QUERY PLAN ", "postgres": "EXPLAIN "}[s.db.Name()], text).With(args)
	must(tb, s.db.Query(tb.Context(), explain, func(scan func(...any) error) error {
		var line string
		dest := []any{&line}
		if s.db.Name() == "sqlite" {
			var a, b, c int64
			dest = []any{&a, &b, &c, &line}
		}
		err := scan(dest...)
		plan = append(plan, line)
		return err
	}))
	return text, plan
}

// compareSearches asks for lists in each of the ways to search: the answers are the same, and are what the rights say of each record.
func compareSearches(t *testing.T, s *Store, c *crowd) {
	snap := s.Snapshot()
	for _, way := range crowdWays {
		for list := range crowdLists {
			ctx, q := c.callers[way], c.query(way, list)
			var first []byte
			for _, found := range []rules.Search{rules.AtHand, rules.ByReach, rules.ByOrder} {
				p := &planner{snap: snap, caller: core.CallerFrom(ctx), breadth: func(*node, int) (rules.Search, error) { return found, nil }}
				b, shape, err := p.print(s.db.Dialect, &q)
				must(t, err)
				out, err := s.db.Answer(ctx, b, shape, nil)
				must(t, err)
				if first == nil {
					first = out
				}
				if string(out) != string(first) {
					t.Errorf("%s/%s: searched as %d there are\n%s\nand otherwise\n%s", crowdLists[list].name, way, found, out, first)
				}
			}
		}
	}
}

// TestBreadth has a list change its search when more records come in reach than it is for, as soon as they are counted again.
func TestBreadth(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "rep", grant("product", authz.Own, nil, authz.Read)...)
		ann := person(t, s, "ann", core.RootUnit, "rep")
		snap, q := s.Snapshot(), Query{Table: "product", Limit: 50, Fields: []Field{{As: "id", Column: "id"}}}
		search := func(limit int) (found rules.Search) {
			t.Helper()
			q.Limit = limit
			p := s.planner(ann, snap, &q)
			n, err := p.node("product", core.Read)
			must(t, err)
			found, err = p.breadth(n, limit)
			must(t, err)
			if p.until.IsZero() {
				t.Error("the plan would last for ever")
			}
			return found
		}
		if search(50) != rules.ByReach {
			t.Error("none are many")
		}
		rows := make([]core.Record, fewRows+1)
		for i := range rows {
			rows[i] = core.Record{"title": "t", "stock": i, "owner_id": string(userOf(ann))}
		}
		mustInsert(t, root(t), s, "product", rows...)
		if search(50) != rules.ByReach {
			t.Error("they were counted a minute ago at most")
		}
		for key, b := range snap.breadths.of {
			b.until = b.until.Add(-breadthKept)
			snap.breadths.of[key] = b
		}
		if search(50) != rules.ByOrder || search(1000) != rules.ByReach || search(50) != rules.ByOrder {
			t.Error("for a list of 50 they are many, for one of 1,000 few")
		}
		prepared, err := s.Prepare(ann, snap, q)
		must(t, err)
		if prepared.Until().IsZero() {
			t.Error("the plan would last for ever")
		}
	})
}

// TestPreparedSize weighs what a plan holds of the lists of its caller, by which a cache of plans is bounded.
func TestPreparedSize(t *testing.T) {
	t.Parallel()
	for _, d := range []db.Dialect{sqlite.Dialect{}, postgres.Dialect{}} {
		units := make([]any, 1000)
		for i := range units {
			units[i] = string(core.NewID())
		}
		b := db.New(d)
		d.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Name("unit_id") }, units)
		if n := (&Prepared{statement: b, shape: &db.Shape{}}).Size(); n < 36_000 {
			t.Errorf("%s: a plan with 1,000 units weighs %d", d.Name(), n)
		}
	}
}
