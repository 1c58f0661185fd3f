package tables

import (
	"context"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// TestLead asks for what meets conditions on related records in both ways: the answers are the same, and the one is chosen for few
// records, the other for many.
func TestLead(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "place", Columns: []core.Column{{Name: "city", Kind: core.Text, MaxLength: 20}, {Name: "open", Kind: core.Boolean}},
				Indexes: []core.Index{{Name: "city", Columns: []core.IndexColumn{{Column: "city"}}}}}},
			core.CreateTable{Define: core.Table{Name: "visit", Columns: []core.Column{{Name: "place_id", Kind: core.Lookup, Target: "place"}, {Name: "note", Kind: core.Text, MaxLength: 20}, {Name: "n", Kind: core.Integer}},
				Indexes: []core.Index{{Name: "note", Columns: []core.IndexColumn{{Column: "note"}}}, {Name: "n", Columns: []core.IndexColumn{{Column: "n"}}}}}},
		)
		role(t, s, "guest", authz.Grant{Role: "guest", Table: "place", Privilege: authz.Read, Level: authz.Organization, Condition: "open"}, authz.Grant{Role: "guest", Table: "visit", Privilege: authz.Read, Level: authz.Organization})
		var places, visits []core.Record
		for i := range 80 {
			places = append(places, core.Record{"city": []string{"Rome", "Oslo"}[min(i, 1)], "open": i%3 != 0})
		}
		ids := mustInsert(t, root(t), s, "place", places...)
		for i := range 2 * fewRows {
			r := core.Record{"n": int64(i), "note": "seen"}
			if i%40 != 0 {
				r["place_id"] = string(ids[1+i%79])
			}
			if i%500 == 1 {
				r["place_id"], r["note"] = string(ids[0]), "missed"
			}
			visits = append(visits, r)
		}
		mustInsert(t, root(t), s, "visit", visits...)

		city := Related{Relation: "place", Where: Compare{Column: "city", Op: Eq, Value: Param(1)}}
		note := Related{Relation: "visit", Where: And{Compare{Column: "n", Op: Gte, Value: int64(3)}, Compare{Column: "note", Op: Eq, Value: Param(1)}}}
		field := []Field{{As: "id", Column: "id"}}
		queries := map[string]Query{
			"place":     {Table: "visit", Where: city, Order: []Order{{Column: "n", Desc: true}}, Limit: 10},
			"with more": {Table: "visit", Where: And{Compare{Column: "n", Op: Gt, Value: int64(5)}, city, Related{Relation: "place", Where: Compare{Column: "open", Op: Eq, Value: true}}}, Limit: 10, Offset: 2},
			"count":     {Table: "visit", Form: Aggregate, Where: city, Fields: []Field{{As: "count", Func: "count"}, {As: "nodes", Query: &Query{Fields: field}}}},
			"visit":     {Table: "place", Where: note, Limit: 5},
		}
		many := map[string]string{"place": "Oslo", "with more": "Oslo", "visit": "seen"}
		for name, q := range queries {
			if q.Form == List {
				q.Fields = field
			}
			for _, ctx := range []context.Context{root(t), person(t, s, strings.ReplaceAll(name, " ", "-"), core.RootUnit, "guest")} {
				for _, value := range []string{"Oslo", "Rome", "seen", "missed", "nothing"} {
					prepared, err := s.Prepare(ctx, s.Snapshot(), q)
					must(t, err)
					got, err := s.Answer(ctx, prepared, []any{value}, nil)
					must(t, err)
					if s.db.Dialect.HasStatistics() {
						if prepared.way != nil {
							t.Errorf("%s: there are two ways", name)
						}
						continue
					}
					given, err := prepared.bind(s.db.Dialect, []any{value})
					must(t, err)
					var answers []string
					for _, b := range []*db.Builder{prepared.statement, prepared.way.statement} {
						out, err := s.db.Answer(ctx, complete(b, given), prepared.shape, nil)
						must(t, err)
						answers = append(answers, string(out))
					}
					if answers[0] != answers[1] || answers[0] != string(got) {
						t.Errorf("%s of %s: %.200s of each row, %.200s from the related records, the answer is %.200s", name, value, answers[0], answers[1], got)
					}
					b, err := prepared.way.choose(ctx, s.db, prepared.statement, given)
					must(t, err)
					if first := b == prepared.way.statement; first == (value == many[name]) {
						t.Errorf("%s of %s: the related records come first: %v", name, value, first)
					}
				}
			}
		}

		// What cannot lead.
		for what, c := range map[string]Cond{
			"one of several":   Or{city, Compare{Column: "n", Op: Eq, Value: int64(1)}},
			"an opposite":      Not{Cond: city},
			"without an index": Related{Relation: "place", Where: Compare{Column: "open", Op: Eq, Value: true}},
			"of one record":    And{Compare{Column: "id", Op: Eq, Value: string(ids[0])}, city},
		} {
			p, err := s.Prepare(root(t), s.Snapshot(), Query{Table: "visit", Where: c, Fields: field})
			must(t, err)
			if p.way != nil {
				t.Errorf("%s leads", what)
			}
		}
	})
}
