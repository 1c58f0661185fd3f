package oracle

import (
	"testing"

	"colonnade/core"
)

// place is where a page of a list begins or ends: at the record, whose cursor the API gave.
type place struct {
	record core.Record
	cursor string
}

// pages are lists from or to the place of a record, in a list of the same order.
func (g *game) pages(t testing.TB, p *person, table *core.Table) []probe {
	t.Helper()
	a := asker{maker: g.maker, p: p, n: new(int)}
	q := a.list(table.Name)
	d := &document{p: p}
	first := *q
	first.fields = []field{{as: "id", column: "id"}, {as: "_cursor", cursor: true}}
	first.where, first.limit, first.offset = nil, 0, 0
	d.add("q", table.Name, &first)
	answer := understood(t, g.program.send(t, p.key, d.String(), d.variables))
	if answer.kind() == string(core.Limit) {
		g.count.TooMuch.add("page", 1)
		return nil
	}
	list, _ := answer.Data["q"].([]any)
	want := p.pick(&first, g.rows[table.Name], defaultLimit)
	if len(answer.Errors) > 0 || len(list) != len(want) {
		t.Fatalf("%v\nwant %d records\n%s\n%s\n%s", answer, len(want), g.describe(p), show(d), g.content())
	}
	if len(list) == 0 {
		return nil
	}
	at := func() *place {
		i := g.IntN(len(list))
		return &place{want[i], list[i].(map[string]any)["_cursor"].(string)}
	}
	switch g.IntN(3) {
	case 0:
		q.after = at()
	case 1:
		q.before = at()
	case 2:
		q.after, q.before = at(), at()
	}
	d = &document{p: p}
	d.add("q", table.Name, q)
	out := g.query(t, p, d.String(), d.variables, wants(p.answer(q, g.rows[table.Name])))
	out.path = "page"
	return []probe{out}
}

// list makes a list up.
func (a asker) list(table string) *query {
	q := &query{table: table, fields: a.fields(table, 0), where: a.cond(table, 1)}
	a.sorted(q)
	if a.chance(0.6) {
		q.limit = 1 + a.IntN(4)
	}
	if a.chance(0.3) {
		q.offset = a.IntN(3)
	}
	return q
}

// sorted gives a query an order, and sometimes columns in which its records differ, with which the order then begins.
func (a asker) sorted(q *query) {
	q.order = a.orders(q.table)
	if !a.chance(0.2) {
		return
	}
	var by []order
	for _, c := range subset(a.maker, a.columns(q.table, ordered), 0.15) {
		q.distinct = append(q.distinct, c.Name)
		by = append(by, order{column: c.Name, desc: a.chance(0.5), nullsSet: a.chance(0.4), nullsFirst: a.chance(0.5)})
	}
	a.Shuffle(len(by), func(i, j int) { by[i], by[j] = by[j], by[i] })
	switch {
	case len(by) > 0 && a.chance(0.3):
		q.order = nil
	case len(by) > 0:
		q.order = append(by, q.order...)
	}
}

// bounded are the records, which are in order, between the places of the query, without those that it passes over.
func (p *person) bounded(q *query, rows []core.Record, limit int) []core.Record {
	var out []core.Record
	for _, r := range rows {
		if (q.after == nil || p.order(q, r, q.after.record) > 0) && (q.before == nil || p.order(q, r, q.before.record) < 0) {
			out = append(out, r)
		}
	}
	if q.before != nil && q.after == nil { // it counts back from the place
		out = out[:max(0, len(out)-q.offset)]
		if limit != everything {
			out = out[max(0, len(out)-limit):]
		}
		return out
	}
	out = out[min(q.offset, len(out)):]
	if limit != everything {
		out = out[:min(limit, len(out))]
	}
	return out
}

// firsts are the records, which are in order, without those that are equal to one before them in what they have to differ in.
func (p *person) firsts(q *query, rows []core.Record) (out []core.Record) {
	seen := map[string]bool{}
	for _, r := range rows {
		key := ""
		for _, name := range q.distinct {
			key += asText(p.value(q.table, r, name)) + "\x00"
		}
		if len(q.distinct) == 0 || !seen[key] {
			out = append(out, r)
		}
		seen[key] = true
	}
	return out
}
