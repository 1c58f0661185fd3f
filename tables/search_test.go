package tables

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/search"
)

// searchWords are few, so that random texts and queries meet.
var searchWords = strings.Fields("Café cafe CAFES ice iced o'neill ONEILL straße strasse a@b.com 東京 東 3.14 tea teapot -- ' \" & | ! * \\ :A <-> NEAR AND")

func randomText(r *rand.Rand, n int) string {
	out := make([]string, r.IntN(n))
	for i := range out {
		out[i] = searchWords[r.IntN(len(searchWords))]
	}
	return strings.Join(out, " ")
}

func randomSearch(r *rand.Rand) string {
	var out []string
	for range 1 + r.IntN(3) {
		w := randomText(r, 4)
		if r.IntN(3) > 0 {
			w = `"` + strings.ReplaceAll(w, `"`, "") + `"`
		}
		out = append(out, []string{"", "", "-"}[r.IntN(3)]+w+[]string{"", "", "*"}[r.IntN(3)])
	}
	return strings.Join(out, " ")
}

// naiveSearch answers a query from what a caller sees of each record: ids with ranks, the best first.
func naiveSearch(q search.Query, rows []core.Record, columns []core.SearchColumn, sees func(core.Record, string) bool) []string {
	type hit struct {
		id   string
		rank int
	}
	var hits []hit
	for _, r := range rows {
		var texts [][]string
		rank := 0
		for _, c := range columns {
			if text, ok := r[c.Column].(string); ok && sees(r, c.Column) {
				words := search.Index(text, search.Share(len(columns)))
				texts = append(texts, words)
				rank += q.Score(words) * max(1, c.Weight)
			}
		}
		met := func(c search.Clause) bool {
			one := c
			one.Not = false
			return slices.ContainsFunc(texts, func(words []string) bool { return search.Query{one}.Score(words) > 0 }) != c.Not
		}
		if !slices.ContainsFunc(q, func(c search.Clause) bool { return !met(c) }) {
			hits = append(hits, hit{r["id"].(string), rank})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Or(cmp.Compare(b.rank, a.rank), strings.Compare(a.id, b.id)) })
	out := []string{}
	for _, h := range hits {
		out = append(out, fmt.Sprint(h.id, " ", h.rank))
	}
	return out
}

func askSearch(t *testing.T, ctx context.Context, s *Store, text string) []string {
	t.Helper()
	raw, err := s.Query(ctx, s.Snapshot(), Query{
		Table: "article", Where: Search{text}, Order: []Order{{Rank: true, Desc: true}}, Limit: MaxLimit,
		Fields: []Field{{As: "id", Column: "id"}, {As: "rank", Rank: true}},
	}, nil)
	must(t, err)
	var found []struct {
		ID   string
		Rank int
	}
	must(t, json.Unmarshal(raw, &found))
	out := []string{}
	for _, f := range found {
		out = append(out, fmt.Sprint(f.ID, " ", f.Rank))
	}
	return out
}

// TestSearchDiffers compares full-text search, through writes and changes of what is searched, with a search that looks
// at every record. Callers see all, some columns, and columns of some records.
func TestSearchDiffers(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		r := rand.New(rand.NewPCG(1, 2))
		define(t, s, core.CreateTable{Define: core.Table{Name: "article", Columns: []core.Column{
			{Name: "title", Kind: core.Text}, {Name: "body", Kind: core.LongText}, {Name: "note", Kind: core.Text}, {Name: "open", Kind: core.Boolean},
		}}})
		role(t, s, "some", authz.Grant{Table: "article", Privilege: authz.Read, Level: authz.Organization, Hidden: []string{"note", "body"}},
			authz.Grant{Table: "article", Privilege: authz.Read, Level: authz.Organization, Hidden: []string{"note"}, Condition: "open"})
		some := person(t, s, "some", core.RootUnit, "some")
		newRow := func() core.Record {
			open := any(nil)
			if n := r.IntN(3); n > 0 {
				open = n == 1
			}
			return core.Record{"title": randomText(r, 5), "body": randomText(r, 12), "note": randomText(r, 5), "open": open}
		}
		choices := [][]core.SearchColumn{
			{{Column: "title", Weight: 3}, {Column: "body"}, {Column: "note", Weight: 2}}, {{Column: "body"}, {Column: "title"}}, {{Column: "title"}},
		}
		for round := range 6 {
			columns := choices[round%len(choices)]
			var rows []core.Record
			for range 30 {
				rows = append(rows, newRow())
			}
			ids := mustInsert(t, root(t), s, "article", rows[:15]...)
			define(t, s, core.PutSearch{On: "article", Columns: columns})
			ids = append(ids, mustInsert(t, root(t), s, "article", rows[15:]...)...)
			must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
				if _, err := tx.Delete(ctx, Remove{Table: "article", Where: ByID(ids[round], ids[20])}); err != nil {
					return err
				}
				for _, id := range ids[5:10] {
					if _, err := tx.Update(ctx, Update{Table: "article", Where: ByID(id), Set: newRow()}); err != nil {
						return err
					}
				}
				return nil
			}))
			all, err := s.Records(root(t), s.Snapshot(), Query{Table: "article", Limit: MaxLimit})
			must(t, err)
			for range 60 {
				text := randomSearch(r)
				q, err := search.Parse(text)
				if err != nil {
					continue
				}
				everything := func(core.Record, string) bool { return true }
				if got, want := askSearch(t, root(t), s, text), naiveSearch(q, all, columns, everything); !slices.Equal(got, want) {
					t.Fatalf("round %d, %q: got\n%v\nwant\n%v", round, text, got, want)
				}
				part := func(rec core.Record, column string) bool {
					return column == "title" || column == "body" && rec["open"] == true
				}
				if got, want := askSearch(t, some, s, text), naiveSearch(q, all, columns, part); !slices.Equal(got, want) {
					t.Fatalf("round %d, %q, with some rights: got\n%v\nwant\n%v", round, text, got, want)
				}
			}
		}
	})
}

// TestSearchOfLongTexts finds on every database what the limits of PostgreSQL allow for, and nothing else.
func TestSearchOfLongTexts(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "article", Columns: []core.Column{{Name: "title", Kind: core.Text}, {Name: "body", Kind: core.LongText}}}},
			core.PutSearch{On: "article", Columns: []core.SearchColumn{{Column: "title"}, {Column: "body"}}})
		var different strings.Builder
		for i := range 30_000 {
			fmt.Fprintf(&different, "w%dxxxxxxxxxxxxxxxxxxxxxxxx ", i)
		}
		mustInsert(t, root(t), s, "article",
			core.Record{"title": "often", "body": strings.Repeat("same ", 300) + "same end " + strings.Repeat("other ", 20_000) + "late"},
			core.Record{"title": "different", "body": different.String()},
			core.Record{"title": strings.Repeat("x", 5000), "body": nil},
		)
		for text, want := range map[string]int{
			"same": 1, `"same same"`: 1, `"same end"`: 0, "end": 1, `"other other"`: 1, "late": 0, "w1xxxx*": 1, "w8000xxx*": 1, "w29999*": 0,
			strings.Repeat("x", 900): 1, strings.Repeat("x", 40): 1, strings.Repeat("x", 39): 0, "different often": 0,
		} {
			if got := askSearch(t, root(t), s, text); len(got) != want {
				t.Errorf("%.50q finds %d, want %d", text, len(got), want)
			}
		}
	})
}

// TestSearchIndexFollows looks into the index itself: it has a row for each record, and none for others.
func TestSearchIndexFollows(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		define(t, s, core.PutSearch{On: "product", Columns: []core.SearchColumn{{Column: "title"}}}, core.PutSearch{On: "shop", Columns: []core.SearchColumn{{Column: "city"}}})
		mustInsert(t, root(t), s, "shop", core.Record{"code": "a", "city": "Köln"})
		parent := mustInsert(t, root(t), s, "product", core.Record{"title": "parent"})
		mustInsert(t, root(t), s, "product", core.Record{"title": "part", "parent_id": string(parent[0])}, core.Record{"title": "other"})
		if n := rowsOf(t, s, "_search"); n != 4 {
			t.Fatalf("%d rows in the index", n)
		}
		_, err := insert(root(t), s, "shop", core.Record{"code": "b"}, core.Record{"code": "a"})
		wantKind(t, err, core.Exists)
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "product", Where: ByID(parent...)})
			return err
		}))
		if n := rowsOf(t, s, "_search"); n != 2 {
			t.Errorf("%d rows in the index after a cascade and a write that failed", n)
		}
		define(t, s, core.PutSearch{On: "shop"})
		if n := rowsOf(t, s, "_search"); n != 1 {
			t.Errorf("%d rows in the index of one table", n)
		}
		_, err = s.Query(root(t), s.Snapshot(), Query{Table: "shop", Where: Search{"köln"}, Fields: []Field{{As: "id", Column: "id"}}}, nil)
		wantKind(t, err, core.Invalid, "no full-text search")
	})
}
