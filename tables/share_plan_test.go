package tables

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestSharedPlans reads how the databases look for the records that are a caller's own or shared with him: none reads the table.
func TestSharedPlans(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "rep", grant("product", authz.Own, nil, authz.Read, authz.Share)...)
		ann := person(t, s, "ann", core.RootUnit, "rep")
		rows := make([]core.Record, 4000)
		for i := range rows {
			rows[i] = core.Record{"title": fmt.Sprint("t", i), "stock": i}
			if i%400 == 0 {
				rows[i]["owner_id"] = string(userOf(ann))
			}
		}
		ids := mustInsert(t, root(t), s, "product", rows...)
		var list []share
		for i := 1; i < len(ids); i += 200 {
			list = append(list, share{record: ids[i], principal: userOf(ann), rights: core.ShareRight(core.Read)})
		}
		shared(t, s, "product", list...)
		if s.db.Name() == "postgres" { // whose statistics come by themselves; SQLite goes without
			_, err := s.db.Exec(t.Context(), newBuilder(s).Write("ANALYZE"))
			must(t, err)
		}
		query := Query{Table: "product", Fields: []Field{{As: "title", Column: "title"}}, Limit: 50}
		n := 0
		for _, err := range s.Scan(ann, s.Snapshot(), Query{Table: "product"}) {
			must(t, err)
			n++
		}
		if n != 30 {
			t.Errorf("she sees %d records, and should see 30", n)
		}
		text, args, err := s.SQL(ann, s.Snapshot(), query)
		must(t, err)
		explain := newBuilder(s).Write(map[string]string{"sqlite": "EXPLAIN QUERY PLAN ", "postgres": "EXPLAIN "}[s.db.Name()], text).With(args)
		var plan []string
		must(t, s.db.Query(t.Context(), explain, func(scan func(...any) error) error {
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
		if slices.ContainsFunc(plan, func(line string) bool {
			return strings.Contains(line, "Seq Scan on product") || strings.HasPrefix(line, "SCAN t0") || strings.Contains(line, "Index Scan using product_pkey on product t0")
		}) {
			t.Errorf("the table is read:\n%s\n%s", text, strings.Join(plan, "\n"))
		}
	})
}
