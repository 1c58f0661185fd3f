package tables

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// TestNeedsAreAskedTogether writes records whose rules, and whose columns' guards, read other records: the statements that ask for
// those are no more for forty records than for four.
func TestNeedsAreAskedTogether(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "customer", Columns: []core.Column{{Name: "region", Kind: core.Text}, {Name: "rate", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "sale", Columns: []core.Column{
				{Name: "code", Kind: core.Text, Unique: true}, {Name: "customer_id", Kind: core.Lookup, Target: "customer"}, {Name: "amount", Kind: core.Integer}, {Name: "rate", Kind: core.Integer},
			}}},
			core.PutRule{On: "sale", Put: core.Rule{Name: "rate", Do: []core.Deed{{Do: "set", Column: "rate", Value: "customer.rate"}}}},
		)
		role(t, s, "seller", slices.Concat(
			grant("sale", authz.Organization, []string{"amount"}, authz.Create, authz.Read, authz.Update), grant("sale", authz.Organization, nil, authz.Append),
			grant("customer", authz.Organization, nil, authz.Read, authz.AppendTo),
			[]authz.Grant{
				{Table: "sale", Privilege: authz.Create, Level: authz.Organization, Condition: "customer.region == 'EU'"},
				{Table: "sale", Privilege: authz.Update, Level: authz.Organization, Condition: "customer.region == 'EU'"},
			})...)
		ann := person(t, s, "ann", core.RootUnit, "seller")
		const most = 40
		var customers, sales []core.Record
		for i := range most {
			customers = append(customers, core.Record{"region": "EU", "rate": i})
		}
		to := mustInsert(t, root(t), s, "customer", customers...)
		for i, id := range to {
			sales = append(sales, core.Record{"code": fmt.Sprint(i), "customer_id": string(id), "amount": i})
		}
		first := mustInsert(t, root(t), s, "sale", sales...)
		for name, write := range map[string]func(ctx context.Context, tx *Tx, n int) error{
			"update of rows": func(ctx context.Context, tx *Tx, n int) error {
				rows := make([]RowUpdate, n)
				for i := range rows {
					rows[i] = RowUpdate{ID: first[i], Set: core.Record{"amount": i + 100, "customer_id": string(to[most-1-i])}}
				}
				_, err := tx.UpdateRows(ctx, "sale", rows)
				return err
			},
			"update": func(ctx context.Context, tx *Tx, n int) error {
				_, err := tx.Update(ctx, Update{Table: "sale", Where: ByID(first[:n]...), Set: core.Record{"amount": 7}})
				return err
			},
			"insert": func(ctx context.Context, tx *Tx, n int) error {
				rows := make([]core.Record, n)
				for i := range rows {
					rows[i] = core.Record{"customer_id": string(to[i]), "amount": 1}
				}
				_, err := tx.Insert(ctx, Insert{Table: "sale", Rows: rows})
				return err
			},
			"upsert": func(ctx context.Context, tx *Tx, n int) error {
				rows := make([]core.Record, n)
				for i := range rows {
					rows[i] = core.Record{"code": fmt.Sprint(i), "amount": 5}
				}
				_, err := tx.Insert(ctx, Insert{Table: "sale", Rows: rows, OnConflict: &OnConflict{Key: "code", Update: []string{"amount"}}})
				return err
			},
		} {
			asked := func(n int) (statements int) {
				must(t, s.Tx(ann, TxOptions{}, func(ctx context.Context, tx *Tx) error {
					query := tx.query
					tx.query = func(b *db.Builder, shape *db.Shape) ([]byte, error) { statements++; return query(b, shape) }
					return write(ctx, tx, n)
				}))
				return statements
			}
			if few, many := asked(4), asked(most); few == 0 || few > 3 || many > few {
				t.Errorf("%s asks %d times for 4 records, and %d times for %d", name, few, many, most)
			}
		}
		mustBeSound(t, s)
	})
}
