package tables

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// everyKind are columns that an upsert can write at once, and values of each.
var everyKind = []struct {
	core.Column
	values []any
}{
	{core.Column{Name: "label", Kind: core.Text}, []any{"", ",", "a,b", "Ä", nil}},
	{core.Column{Name: "body", Kind: core.LongText}, []any{"one\ntwo", "x", nil}},
	{core.Column{Name: "amount", Kind: core.Integer}, []any{0, -1, "9223372036854775807", nil}},
	{core.Column{Name: "price", Kind: core.Decimal, Precision: 20, Scale: 4}, []any{"0", "1.50", "1.5", "-0.0001", nil}},
	{core.Column{Name: "ratio", Kind: core.Float}, []any{0.0, 1e-300, -2.5, nil}},
	{core.Column{Name: "paid", Kind: core.Boolean}, []any{true, false, nil}},
	{core.Column{Name: "day", Kind: core.Date}, []any{"2024-02-29", "0001-01-01", nil}},
	{core.Column{Name: "at", Kind: core.Timestamp}, []any{"2024-01-01T10:00:00Z", "2024-01-01T10:00:00.5Z", nil}},
	{core.Column{Name: "local", Kind: core.DateTime}, []any{"2024-01-01T10:00:00", nil}},
	{core.Column{Name: "took", Kind: core.Duration}, []any{"PT1S", "-P1DT2H", nil}},
	{core.Column{Name: "token", Kind: core.UUID}, []any{"0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b", nil}},
	{core.Column{Name: "size", Kind: core.Choice, Options: []core.Option{{Value: "s"}, {Value: "l"}}}, []any{"s", "l", nil}},
	{core.Column{Name: "tags", Kind: core.Choices, Options: []core.Option{{Value: "a"}, {Value: "b"}}}, []any{[]any{"a"}, []any{"a", "b"}, []any{}, nil}},
	{core.Column{Name: "more", Kind: core.JSON}, []any{map[string]any{"b": 1, "a": []any{"x,y"}}, "text", nil}},
}

// TestUpsertAtOnceOfEveryKind upserts some of the columns of records that hold every kind, by keys of every kind, and lets
// others stand. A table whose rule forbids that it is done by one statement has the same outcomes and the same records.
func TestUpsertAtOnceOfEveryKind(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		table := core.Table{Keys: []core.Key{{Name: "place", Columns: []string{"shelf", "code"}, Nulls: core.NullsRefuse}},
			Columns: []core.Column{{Name: "code", Kind: core.Text, Unique: true}, {Name: "shelf", Kind: core.Decimal, Precision: 8, Scale: 2, Unique: true}}}
		for _, c := range everyKind {
			table.Columns = append(table.Columns, c.Column)
		}
		plain, ruled := table, table
		plain.Name, ruled.Name = "item", "ruled"
		ruled.Rules = []core.Rule{{Name: "never", When: "code == 'never'", Do: []core.Deed{{Do: "fail", Message: "never"}}}}
		define(t, s, core.CreateTable{Define: plain}, core.CreateTable{Define: ruled})
		random := rand.New(rand.NewPCG(3, 4))
		for round := range 30 {
			key, update := []string{"code", "shelf", "place"}[round%3], []string{}
			for _, c := range everyKind {
				if random.IntN(2) == 0 {
					update = append(update, c.Name)
				}
			}
			update = append(update, "label")
			var rows []core.Record
			for _, n := range random.Perm(150)[:100] {
				r := core.Record{"code": fmt.Sprint("c", n), "shelf": fmt.Sprintf("%d.50", n)}
				for _, c := range everyKind {
					if random.IntN(3) > 0 || round%4 != 0 { // otherwise the row may lack what it is to be taken of it
						r[c.Name] = c.values[random.IntN(len(c.values))]
					}
				}
				rows = append(rows, r)
			}
			outcomes := func(table string) (out []Outcome) {
				must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
					in := Insert{Table: table, Rows: rows, OnConflict: &OnConflict{Key: key, Update: update}}
					w, u, err := tx.inserter(ctx, in)
					if err != nil {
						return err
					}
					if at := w.atOnce(u); at != (table == "item") {
						t.Errorf("%s is written at once: %v", table, at)
					}
					res, err := tx.Insert(ctx, in)
					for _, it := range res.Items {
						out = append(out, it.Outcome)
					}
					return err
				}))
				return out
			}
			if got, want := fmt.Sprint(outcomes("item")), fmt.Sprint(outcomes("ruled")); got != want {
				t.Fatalf("round %d: %s, row by row %s", round, got, want)
			}
		}
		held := func(name string) string {
			records, err := s.Records(root(t), s.Snapshot(), Query{Table: name, Order: []Order{{Column: "code"}}, Limit: 1000})
			must(t, err)
			var out strings.Builder
			for _, r := range records {
				for i := range table.Columns {
					fmt.Fprintf(&out, "%v ", r[table.Columns[i].Name])
				}
				fmt.Fprintln(&out, r["version"])
			}
			return out.String()
		}
		if got, want := held("item"), held("ruled"); got != want {
			t.Errorf("written at once:\n%s\nrow by row:\n%s", got, want)
		}
		mustBeSound(t, s)
	})
}
