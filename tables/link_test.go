package tables

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

func tagged(t testing.TB, s *Store) {
	t.Helper()
	link, err := manyToMany(core.Record{"table": "product", "target": "tag", "field": "tags", "inverse": "products", "columns": []any{
		map[string]any{"name": "rank", "kind": "integer"},
	}})
	must(t, err)
	define(t, s, core.CreateTable{Define: core.Table{Name: "product", Columns: []core.Column{{Name: "title", Kind: core.Text}}}},
		core.CreateTable{Define: core.Table{Name: "tag", Columns: []core.Column{{Name: "name", Kind: core.Text}, {Name: "open", Kind: core.Boolean}}}}, link)
}

// TestLinksDiffer compares lists, conditions and counts across many to many with loops over all records, for callers who
// see everything and such who see some links and some tags.
func TestLinksDiffer(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		tagged(t, s)
		role(t, s, "some", authz.Grant{Table: "product", Privilege: authz.Read, Level: authz.Organization},
			authz.Grant{Table: "tag", Privilege: authz.Read, Level: authz.Organization, Condition: "open"},
			authz.Grant{Table: "product_tag", Privilege: authz.Read, Level: authz.Organization, Condition: "rank < 3"},
			authz.Grant{Table: "product_tag", Privilege: authz.Read, Level: authz.Organization, Hidden: []string{"tag_id"}})
		some := person(t, s, "some", core.RootUnit, "some")
		r := rand.New(rand.NewPCG(3, 4))
		var products, tags []core.Record
		for i := range 12 {
			products = append(products, core.Record{"title": fmt.Sprint("p", i)})
			tags = append(tags, core.Record{"name": fmt.Sprint("t", i%5), "open": i%3 > 0})
		}
		productIDs := mustInsert(t, root(t), s, "product", products...)
		tagIDs := mustInsert(t, root(t), s, "tag", tags...)
		type pair struct{ p, t int }
		rank := map[pair]int64{}
		var links []core.Record
		for range 60 {
			k := pair{r.IntN(12), r.IntN(12)}
			if _, ok := rank[k]; !ok {
				rank[k] = r.Int64N(6)
				links = append(links, core.Record{"product_id": string(productIDs[k.p]), "tag_id": string(tagIDs[k.t]), "rank": rank[k]})
			}
		}
		mustInsert(t, root(t), s, "product_tag", links...)
		for _, as := range []struct {
			ctx  context.Context
			sees func(pair) bool
		}{
			{root(t), func(pair) bool { return true }},
			{some, func(k pair) bool { return rank[k] < 3 && k.t%3 > 0 }},
		} {
			for p := range productIDs {
				var names []string
				for k := range rank {
					if k.p == p && as.sees(k) {
						names = append(names, fmt.Sprintf(`{"name":"t%d"}`, k.t%5))
					}
				}
				slices.Sort(names)
				want := fmt.Sprintf(`{"tags":[%s],"count":{"n":%d}}`, strings.Join(names, ","), len(names))
				got, err := s.Query(as.ctx, s.Snapshot(), Query{Table: "product", Form: One, Where: ByID(productIDs[p]), Fields: []Field{
					{As: "tags", Relation: "tags", Query: &Query{Table: "tag", Order: []Order{{Column: "name"}}, Fields: []Field{{As: "name", Column: "name"}}}},
					{As: "count", Relation: "tags", Query: &Query{Table: "tag", Form: Aggregate, Fields: []Field{{As: "n", Func: "count"}}}},
				}}, nil)
				must(t, err)
				if string(got) != want {
					t.Fatalf("product %d: got %s, want %s", p, got, want)
				}
			}
			for name := range 5 {
				seen := map[int]bool{}
				for k := range rank {
					if k.t%5 == name && as.sees(k) {
						seen[k.p] = true
					}
				}
				got, err := s.Count(as.ctx, s.Snapshot(), "product", Related{Relation: "tags", Where: Compare{Column: "name", Op: Eq, Value: fmt.Sprint("t", name)}})
				must(t, err)
				if got != len(seen) {
					t.Fatalf("%d products have the tag t%d, want %d", got, name, len(seen))
				}
			}
		}
	})
}

// TestLinksUseIndexes asks PostgreSQL how it finds records by what they are linked with: by joins, not by a look at the
// links for each pair of records.
func TestLinksUseIndexes(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if s.db.Name() != "postgres" {
			return
		}
		tagged(t, s)
		text, args, err := s.SQL(root(t), s.Snapshot(), Query{
			Table: "product", Where: Related{Relation: "tags", Where: Compare{Column: "name", Op: Eq, Value: "hot"}}, Fields: []Field{{As: "title", Column: "title"}},
		})
		must(t, err)
		var plan strings.Builder
		must(t, s.db.Query(root(t), db.New(s.db.Dialect).Write("EXPLAIN ", text).With(args), func(scan func(...any) error) error {
			var line string
			err := scan(&line)
			plan.WriteString(line + "\n")
			return err
		}))
		if strings.Contains(plan.String(), "SubPlan") {
			t.Errorf("the links are looked at for each pair:\n%s", plan.String())
		}
	})
}
