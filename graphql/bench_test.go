package graphql

import (
	"encoding/json"
	"fmt"
	"testing"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/tables"
)

const (
	w1 = `query ($id: uuid!) { account_by_pk(id: $id) { id version name country revenue score size active since tier } }`
	w2 = `query ($tier: String!, $limit: Int!, $offset: Int) { account(where: {tier: {_eq: $tier}}, order_by: {revenue: desc}, limit: $limit, offset: $offset) {
	id version name country revenue score size active since tier } }`
	w3 = `query { account(where: {country: {_eq: "DE"}}, order_by: {revenue: desc}, limit: 20) { id name revenue contacts(limit: 10) { id name email invoices(limit: 5) { id amount created_at } } } }`
	v1 = `{"id": "00000000-0000-4000-8000-000000000001"}`
	v2 = `{"tier": "gold", "limit": 50, "offset": 100}`
)

// BenchmarkGuard is what comes before the statement: lookup, variables, and the plan of an earlier request or a new one.
func BenchmarkGuard(b *testing.B) {
	w := newShop(b, dbtest.SQLite(b), Options{})
	ctx := w.as(b, b.Context(), "root")
	a := w.api(w.store.Snapshot())
	for _, c := range []struct{ name, query, variables string }{{"W1", w1, v1}, {"W2", w2, v2}, {"W3", w3, ""}} {
		run := func(b *testing.B) {
			doc, errs := a.parse(c.query, core.UserLimits, reader{})
			if errs != nil {
				b.Fatal(errs)
			}
			op, _ := doc.operation("")
			vars, err := a.coerceVariables(op, json.RawMessage(c.variables))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := w.plan(ctx, a, w.store.Snapshot(), op, vars, core.UserLimits); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(c.name+"/known", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b)
			}
		})
		b.Run(c.name+"/new", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.documents = newCache[string, *document](documentCacheBytes)
				run(b)
			}
		})
	}
}

// BenchmarkDo is the whole way, to SQLite and back.
func BenchmarkDo(b *testing.B) {
	w := newShop(b, dbtest.SQLite(b), Options{})
	fill(b, w)
	ctx := w.as(b, b.Context(), "root")
	for _, c := range []struct{ name, query, variables string }{{"W1", w1, v1}, {"W2", w2, v2}, {"W3", w3, ""}, {"typename", "{__typename}", ""}, {"introspection", introspectionQuery, ""}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if res := w.Do(ctx, Request{Query: c.query, Variables: json.RawMessage(c.variables)}, false); res.Kind != OK {
					b.Fatalf("%s", res.Body)
				}
			}
		})
	}
	b.Run("W6", func(b *testing.B) {
		objects := make([]map[string]any, 1000)
		for i := range objects {
			objects[i] = map[string]any{"amount": i, "contact_id": nil}
		}
		raw, err := json.Marshal(map[string]any{"o": objects})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if res := w.Do(ctx, Request{Query: "mutation($o:[invoice_insert_input!]!){insert_invoice(objects:$o){affected_rows}}", Variables: raw}, false); res.Kind != OK {
				b.Fatalf("%s", res.Body)
			}
		}
	})
}

func fill(b *testing.B, w *world) {
	b.Helper()
	accounts := make([]map[string]any, 1000)
	contacts := make([]map[string]any, 0, 1000)
	for i := range accounts {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		accounts[i] = map[string]any{"id": id, "name": fmt.Sprintf("Account %d", i), "country": []string{"DE", "US"}[i%2], "revenue": i * 100, "score": 1.5, "active": true, "since": "2024-01-01", "tier": []string{"gold", "silver"}[i%2]}
		contacts = append(contacts, map[string]any{"id": core.NewID(), "name": fmt.Sprintf("Contact %d", i), "account_id": id})
	}
	for _, c := range []struct {
		table string
		rows  any
	}{{"account", accounts}, {"contact", contacts}} {
		raw, err := json.Marshal(map[string]any{"o": c.rows})
		if err != nil {
			b.Fatal(err)
		}
		w.must(b, "root", fmt.Sprintf("mutation($o:[%[1]s_insert_input!]!){insert_%[1]s(objects:$o){affected_rows}}", c.table), string(raw))
	}
}

// BenchmarkBuild declares the API of many tables.
func BenchmarkBuild(b *testing.B) {
	w := newShop(b, dbtest.SQLite(b), Options{})
	ctx, rights := w.as(b, b.Context(), "root"), scope{snap: w.store.Snapshot()}
	for _, n := range []int{60, 600} {
		s := wide(b, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := build(s, nil, &tables.Defined{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint(n, "/introspection"), func(b *testing.B) {
			a, err := build(s, nil, &tables.Defined{})
			if err != nil {
				b.Fatal(err)
			}
			doc, errs := a.parse(introspectionQuery, core.UserLimits, reader{})
			if errs != nil {
				b.Fatal(errs)
			}
			b.ReportAllocs()
			for b.Loop() {
				c := &compiler{api: a, limits: core.UserLimits}
				steps, err := c.compile(doc.Operations[0], func(f *selected) (*step, error) { return c.compileRead(nil, f) })
				if err != nil {
					b.Fatal(err)
				}
				out, err := steps[0].run(ctx, rights, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}

// wide returns a schema of n tables of 25 columns and three relations.
func wide(b *testing.B, n int) *core.Schema {
	b.Helper()
	list := make([]core.Table, n)
	for i := range list {
		list[i].Name = fmt.Sprintf("table%03d", i)
		for c := range 22 {
			list[i].Columns = append(list[i].Columns, core.Column{Name: fmt.Sprintf("column%02d", c), Kind: []core.Kind{core.Text, core.Integer, core.Float, core.Date}[c%4]})
		}
		for r := range 3 {
			list[i].Columns = append(list[i].Columns, core.Column{Name: fmt.Sprintf("other%d_id", r), Kind: core.Lookup, Target: fmt.Sprintf("table%03d", (i+r+1)%n)})
		}
	}
	s, err := core.NewSchema(1, list...)
	if err != nil {
		b.Fatal(err)
	}
	return s
}
