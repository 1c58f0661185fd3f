package tables

import (
	"context"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

// TestMessagesShowWhatTheWriterReads has rules refuse writes of somebody who sees some records of each table: the message shows what is
// made of records all of which he sees, and nothing else.
func TestMessagesShowWhatTheWriterReads(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		number := func(name string) core.Column { return core.Column{Name: name, Kind: core.Integer} }
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "customer", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
			core.CreateTable{Define: core.Table{Name: "sale", Columns: []core.Column{{Name: "customer_id", Kind: core.Lookup, Target: "customer", Inverse: "sales"}, number("most")}}},
			core.CreateTable{Define: core.Table{Name: "line", Columns: []core.Column{{Name: "sale_id", Kind: core.Lookup, Target: "sale", Inverse: "lines"}, number("amount"), number("cost")}}},
			core.PutRule{On: "line", Put: core.Rule{Name: "sum", When: "sale.lines.sum(l, l.amount) > sale.most", Do: []core.Deed{{Do: "fail",
				Message: "{sale.customer.name}: {sale.lines.sum(l, l.amount)}, {sale.lines.max(l, l.cost)}, {sale.customer.sales.sum(x, x.lines.count(l, l.amount > 0))}"}}}},
		)
		role(t, s, "seller", append(grant("line", authz.Own, nil, authz.Create, authz.Read, authz.Append),
			append(grant("sale", authz.Organization, nil, authz.Read, authz.AppendTo), grant("customer", authz.Own, nil, authz.Read)...)...)...)
		role(t, s, "costs", grant("line", authz.Organization, []string{"cost"}, authz.Read)...)
		ann, bob := person(t, s, "ann", core.RootUnit, "seller"), person(t, s, "bob", core.RootUnit, "seller")
		both := person(t, s, "both", core.RootUnit, "seller", "costs")
		owner := func(c core.Caller) string { return string(c.User) }
		customer := func(c core.Caller) string {
			return string(mustInsert(t, root(t), s, "customer", core.Record{"name": "Acme", "owner_id": owner(c)})[0])
		}
		sale := func(customer string) string {
			return string(mustInsert(t, root(t), s, "sale", core.Record{"customer_id": customer, "most": 10})[0])
		}
		line := func(sale string, c core.Caller, amount int) {
			mustInsert(t, root(t), s, "line", core.Record{"sale_id": sale, "amount": amount, "cost": 3, "owner_id": owner(c)})
		}
		a, b, c := core.CallerFrom(ann), core.CallerFrom(bob), core.CallerFrom(both)

		mine := customer(a)
		own := sale(mine)
		line(own, a, 4)
		_, err := insert(ann, s, "line", core.Record{"sale_id": own, "amount": 7, "cost": 5})
		wantMessage(t, err, "Acme: 11, 5, 2")

		line(sale(mine), b, 1) // below another sale of the customer
		_, err = insert(ann, s, "line", core.Record{"sale_id": own, "amount": 7, "cost": 5})
		wantMessage(t, err, "Acme: 11, 5, …")

		line(own, b, 1) // now one of them is not hers, though it changes neither the greatest cost nor, with 0, a sum
		_, err = insert(ann, s, "line", core.Record{"sale_id": own, "amount": 7, "cost": 5})
		wantMessage(t, err, "Acme: …, …, …")

		_, err = insert(bob, s, "line", core.Record{"sale_id": sale(customer(a)), "amount": 11})
		wantMessage(t, err, "…: 11, (empty), …")

		theirs := sale(customer(c)) // who sees all lines, and the cost of own ones
		line(theirs, a, 1)
		_, err = insert(both, s, "line", core.Record{"sale_id": theirs, "amount": 11, "cost": 9})
		wantMessage(t, err, "Acme: 12, …, 2")
	})
}

// TestMessagesShowCalculatedColumns has rules name calculated columns of their own record that are made of other records, directly and
// in chains, stored and not: whoever may read all that they are made of, and the column, reads the value; others read none.
func TestMessagesShowCalculatedColumns(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		number := func(name, formula string, rights core.Rights, stored bool) core.Column {
			return core.Column{Name: name, Kind: core.Integer, Formula: formula, Rights: rights, Stored: stored}
		}
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "sale", Columns: []core.Column{number("most", "", "", false)}}},
			core.CreateTable{Define: core.Table{Name: "line", Columns: []core.Column{{Name: "sale_id", Kind: core.Lookup, Target: "sale", Inverse: "lines"}, number("amount", "", "", false)}}},
			core.AddColumn{To: "sale", Add: number("live", "lines.sum(l, l.amount)", "", false)}, core.AddColumn{To: "sale", Add: number("kept", "lines.sum(l, l.amount)", "", true)},
			core.AddColumn{To: "sale", Add: number("twice", "live * 2", "", false)}, core.AddColumn{To: "sale", Add: number("hidden", "kept + 1", "", true)},
			core.AddColumn{To: "sale", Add: number("everybodys", "lines.sum(l, l.amount)", core.DefinerRights, true)},
			core.PutRule{On: "sale", Put: core.Rule{Name: "most", When: "live > most", Do: []core.Deed{{Do: "fail", Message: "{live}, {kept}, {twice}, {hidden}, {everybodys}, {old.live}"}}}},
		)
		sales := grant("sale", authz.Organization, []string{"hidden"}, authz.Read, authz.Update)
		role(t, s, "all", append(grant("line", authz.Organization, nil, authz.Read), sales...)...)
		role(t, s, "own", append(grant("line", authz.Own, nil, authz.Read), sales...)...)
		role(t, s, "blind", append(grant("line", authz.Organization, []string{"amount"}, authz.Read), sales...)...)
		role(t, s, "none", sales...)
		id := mustInsert(t, root(t), s, "sale", core.Record{"most": 100})[0]
		people := map[string]context.Context{}
		for _, name := range []string{"all", "own", "blind", "none"} {
			people[name] = person(t, s, name, core.RootUnit, name)
		}
		refused := func(name, want string) {
			t.Helper()
			err := s.Tx(people[name], TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "sale", Where: ByID(id), Set: core.Record{"most": 1}})
				return err
			})
			wantMessage(t, err, want)
		}
		mustInsert(t, root(t), s, "line", core.Record{"sale_id": string(id), "amount": 5, "owner_id": string(core.CallerFrom(people["own"]).User)})
		refused("all", "5, 5, 10, …, 5, …")
		refused("own", "5, 5, 10, …, 5, …") // the only line is his own
		mustInsert(t, root(t), s, "line", core.Record{"sale_id": string(id), "amount": 2})
		refused("all", "7, 7, 14, …, 7, …")
		refused("own", "…, …, …, …, 7, …")
		refused("blind", "…, …, …, …, 7, …")
		refused("none", "…, …, …, …, 7, …")
	})
}

// wantMessage checks what a rule says.
func wantMessage(t *testing.T, err error, want string) {
	t.Helper()
	if core.KindOf(err) != core.Failed || core.AsError(err).Msg != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
