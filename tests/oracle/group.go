package oracle

import (
	"slices"
	"strings"
	"time"

	"colonnade/core"
)

// grouping makes a list of groups up.
func (a asker) grouping(table string) *query {
	q := &query{table: table, form: groups}
	if a.chance(0.5) {
		q.where = a.cond(table, 1)
	}
	for range 1 + a.IntN(2) {
		k := key{}
		at := table
		for range 2 {
			if to := a.relations(at, false); len(to) > 0 && a.chance(0.35) {
				rel := choose(a.maker, to...)
				k.relation, at = append(k.relation, rel.Name), rel.Table
			}
		}
		c := choose(a.maker, a.columns(at, ordered)...)
		k.column = c.Name
		if slices.ContainsFunc(q.keys, func(o key) bool { return o.column == k.column && slices.Equal(o.relation, k.relation) }) {
			continue
		}
		a.period(&k, c)
		q.keys = append(q.keys, k)
	}
	q.fields = slices.DeleteFunc(a.functions(table, 0), func(f field) bool { return f.query != nil }) // records are no part of a group
	for i := range q.keys {
		if a.chance(0.8) {
			q.fields = append(q.fields, field{as: a.name("k"), key: i + 1})
		}
	}
	if a.chance(0.5) {
		q.having = a.gathering(table, "", 1)
	}
	for range a.IntN(3) {
		o := order{desc: a.chance(0.5), nullsSet: a.chance(0.4), nullsFirst: a.chance(0.5)}
		if a.chance(0.5) {
			o.key = 1 + a.IntN(len(q.keys))
			o.relation, o.column = q.keys[o.key-1].relation, q.keys[o.key-1].column
		} else {
			f := a.measure(table, false)
			o.function, o.column = f.function, f.column
		}
		q.order = append(q.order, o)
	}
	if a.chance(0.4) {
		q.limit = 1 + a.IntN(4)
	}
	if a.chance(0.3) {
		q.offset = a.IntN(3)
	}
	return q
}

// period sometimes has times grouped by a period.
func (a asker) period(k *key, c *core.Column) {
	periods := []string{"year", "quarter", "month", "week", "day", "hour"}
	switch {
	case c.Kind != core.Date && c.Kind != core.Timestamp && c.Kind != core.DateTime || a.chance(0.3):
		return
	case c.Kind == core.Date:
		periods = periods[:5]
	case c.Kind == core.Timestamp:
		k.zone = choose(a.maker, "", "", "America/New_York", "Asia/Kathmandu")
	}
	k.period = choose(a.maker, periods...)
}

// groups is the answer to a list of groups over the candidates.
func (p *person) groups(q *query, from []core.Record) any {
	type group struct {
		keys []any
		rows []core.Record
	}
	var all []*group
	at := map[string]*group{}
	for _, r := range p.pick(&query{table: q.table, where: q.where}, from, everything) {
		var keys []any
		name := ""
		for _, k := range q.keys {
			v := p.keyOf(q.table, r, k)
			keys, name = append(keys, v), name+asText(v)+"\x00"
		}
		if at[name] == nil {
			at[name] = &group{keys: keys}
			all = append(all, at[name])
		}
		at[name].rows = append(at[name].rows, r)
	}
	all = slices.DeleteFunc(all, func(g *group) bool { return p.having(q.table, g.rows, q.having) != yes })
	terms := slices.Clone(q.order)
	for i, k := range q.keys {
		terms = append(terms, order{relation: k.relation, column: k.column, key: i + 1})
	}
	slices.SortFunc(all, func(a, b *group) int {
		for _, t := range terms {
			var x, y any
			if t.key > 0 {
				c := p.keyColumn(q.table, q.keys[t.key-1])
				x, y = a.keys[t.key-1], b.keys[t.key-1]
				if x != nil {
					x = placed(c, x)
				}
				if y != nil {
					y = placed(c, y)
				}
			} else {
				x, y = p.sorted(q.table, a.rows, t), p.sorted(q.table, b.rows, t)
			}
			if d := t.compare(x, y); d != 0 {
				return d
			}
		}
		return 0
	})
	limit := q.limit
	if limit == 0 {
		limit = defaultLimit
	}
	out := []any{}
	for _, g := range all[min(q.offset, len(all)):] {
		if len(out) == limit {
			break
		}
		values := p.functions(q, slices.DeleteFunc(slices.Clone(q.fields), func(f field) bool { return f.key > 0 }), g.rows, nil).(map[string]any)
		for _, f := range q.fields {
			if f.key > 0 {
				k := q.keys[f.key-1]
				values[f.as] = nested(append(slices.Clone(k.relation), k.column), parsed(p.keyColumn(q.table, k).AppendJSON(nil, g.keys[f.key-1])))
			}
		}
		out = append(out, values)
	}
	return out
}

// nested is a value within objects, whose names lead to it.
func nested(path []string, v any) any {
	for _, name := range slices.Backward(path) {
		v = map[string]any{name: v}
	}
	return v
}

// keyColumn is the column that a key is about.
func (p *person) keyColumn(table string, k key) *core.Column {
	for _, name := range k.relation {
		table = p.relation(table, name, "").Table
	}
	c, _ := p.table(table).Column(k.column)
	return c
}

// keyOf is what the person sees of the key of a record.
func (p *person) keyOf(table string, r core.Record, k key) any {
	for _, name := range k.relation {
		rel := p.relation(table, name, "")
		to := p.related(table, r, rel)
		if len(to) == 0 {
			return nil
		}
		table, r = rel.Table, to[0]
	}
	v := p.value(table, r, k.column)
	if v == nil || k.period == "" {
		return v
	}
	switch v := v.(type) {
	case core.CivilTime:
		return core.CivilTimeOf(begin(v.Time(), k.period))
	case time.Time:
		zone, err := time.LoadLocation(k.zone) // "" is UTC, as a date is
		if err != nil {
			panic(err)
		}
		return begin(v.In(zone), k.period).UTC()
	}
	panic(v)
}

// begin is when the period of a time began, in its zone.
func begin(t time.Time, period string) time.Time {
	y, m, d := t.Date()
	at := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, t.Location()) }
	switch period {
	case "year":
		return at(y, 1, 1)
	case "quarter":
		return at(y, m-(m-1)%3, 1)
	case "month":
		return at(y, m, 1)
	case "week": // from Monday
		return at(y, m, d-(int(t.Weekday())+6)%7)
	case "day":
		return at(y, m, d)
	}
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

// groupsBy are the arguments of a list of groups besides those of others.
func (d *document) groupsBy(q *query) []string {
	var by []any
	for _, k := range q.keys {
		value := any(true)
		if c := d.p.keyColumn(q.table, k); c.Kind == core.Date || c.Kind == core.Timestamp || c.Kind == core.DateTime {
			times := map[string]any{}
			if k.period != "" {
				times["period"] = enum(k.period)
			}
			if k.zone != "" {
				times["time_zone"] = k.zone
			}
			value = times
		}
		by = append(by, nested(append(slices.Clone(k.relation), k.column), value))
	}
	args := []string{"by: " + literal(by)}
	if q.having != nil {
		args = append(args, d.put("having", q.table+"_aggregate_bool_exp", d.p.conditionOn(q.table, q.having)))
	}
	if len(q.order) > 0 {
		var list []any
		for _, o := range q.order {
			word := orderWord(o)
			switch {
			case o.key > 0:
				list = append(list, map[string]any{"key": nested(append(slices.Clone(o.relation), o.column), word)})
			case o.column == "":
				list = append(list, map[string]any{"aggregate": map[string]any{o.function: word}})
			default:
				list = append(list, map[string]any{"aggregate": map[string]any{o.function: map[string]any{o.column: word}}})
			}
		}
		args = append(args, d.put("order_by", "["+q.table+"_grouped_order_by!]", list))
	}
	return args
}

// keyField writes a key of a group.
func (q *query) keyField(f field) string {
	k := q.keys[f.key-1]
	path := append([]string{f.as + ": key"}, k.relation...)
	return strings.Join(append(path, k.column), " { ") + strings.Repeat(" }", len(path))
}
