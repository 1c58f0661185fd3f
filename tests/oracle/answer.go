package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"colonnade/core"
)

// everything is the limit of a query without one.
const everything = -1

// related returns the visible records that the relation leads to.
func (p *person) related(table string, r core.Record, rel core.Relation) []core.Record {
	v := &sight{p: p}
	if rel.Many {
		return v.list(r, rel)
	}
	if to := v.follow(table, r, rel, true); to != nil {
		return []core.Record{to}
	}
	return nil
}

// relation returns the relation of that name, of a lookup of several tables the one that leads to the target.
func (p *person) relation(table, name, target string) core.Relation {
	if target == "" {
		rel, _ := p.schema.Relation(table, name)
		return rel
	}
	u, _ := p.schema.Union(table, name)
	i := slices.IndexFunc(u.Targets, func(t core.Target) bool { return t.Table == target })
	return core.Relation{Table: target, Column: u.Column, Which: u.Which, Target: u.Targets[i].Value}
}

func (p *person) holds(table string, r core.Record, c cond) truth {
	switch c := c.(type) {
	case nil:
		return yes
	case and:
		out := yes
		for _, part := range c {
			out = min(out, p.holds(table, r, part))
		}
		return out
	case or:
		out := no
		for _, part := range c {
			out = max(out, p.holds(table, r, part))
		}
		return out
	case not:
		return -p.holds(table, r, c.cond)
	case related:
		rel := p.relation(table, c.relation, c.target)
		for _, other := range p.related(table, r, rel) {
			if p.holds(rel.Table, other, c.where) == yes {
				return yes
			}
		}
		return no
	case compare:
		return p.compare(table, r, c)
	case gathered:
		rel := p.relation(table, c.relation, "")
		return p.gathers(rel.Table, p.related(table, r, rel), c)
	case search:
		return is(p.finds(table, r, c.text))
	}
	panic(fmt.Sprintf("%T", c))
}

func (p *person) compare(table string, r core.Record, c compare) truth {
	return compares(p.value(table, r, c.column), c)
}

// compares reports how a value compares.
func compares(v any, c compare) truth {
	if c.op == "_is_null" {
		return is((v == nil) == c.value.(bool))
	}
	_, document := c.value.(json.RawMessage)
	if !document && (c.op == "_contains" || c.op == "_contained_in" || c.op == "_has_any") { // NULL is like no value
		have, _ := v.([]string)
		return includes(have, c)
	}
	if v == nil {
		if list, ok := c.value.([]any); ok && len(list) == 0 && (c.op == "_in" || c.op == "_nin") { // no value is in an empty list
			return is(c.op == "_nin")
		}
		return unknown
	}
	against := func(x any) int { return collate(v, x) }
	if test, ok := testsOf[c.op]; ok {
		return is(test(v, c.value))
	}
	switch c.op {
	case "_eq":
		return is(against(c.value) == 0)
	case "_neq":
		return is(against(c.value) != 0)
	case "_gt":
		return is(against(c.value) > 0)
	case "_gte":
		return is(against(c.value) >= 0)
	case "_lt":
		return is(against(c.value) < 0)
	case "_lte":
		return is(against(c.value) <= 0)
	case "_in", "_nin":
		in := slices.ContainsFunc(c.value.([]any), func(x any) bool { return against(x) == 0 })
		return is(in == (c.op == "_in"))
	case "_between":
		list := c.value.([]any)
		return is(against(list[0]) >= 0 && against(list[1]) <= 0)
	case "_starts_with":
		return is(strings.HasPrefix(v.(string), c.value.(string)))
	case "_like", "_nlike", "_ilike", "_nilike":
		return is(likes(v.(string), c.value.(string), c.op == "_ilike" || c.op == "_nilike") == (c.op == "_like" || c.op == "_ilike"))
	}
	panic(c.op)
}

// sortKey is the value of a term of an order.
func (p *person) sortKey(q *query, r core.Record, t order) any {
	if t.rank {
		return p.rank(q, r)
	}
	table := q.table
	for _, name := range t.relation {
		rel, _ := p.schema.Relation(table, name)
		to := p.related(table, r, rel)
		if len(to) == 0 {
			return nil
		}
		table, r = rel.Table, to[0]
	}
	if t.children != "" {
		rel := p.relation(table, t.children, "")
		return p.sorted(rel.Table, p.related(table, r, rel), t)
	}
	v := p.value(table, r, t.column)
	if c, ok := p.table(table).Column(t.column); ok && v != nil {
		return placed(c, v)
	}
	return v
}

// placed returns by what a value is ordered: an option by its place among the options.
func placed(c *core.Column, v any) any {
	if !c.HasOrder() {
		return v
	}
	return int64(slices.IndexFunc(c.Options, func(o core.Option) bool { return o.Value == v }))
}

// pick returns the records that q selects from the candidates, in order.
func (p *person) pick(q *query, from []core.Record, limit int) []core.Record {
	var out []core.Record
	for _, r := range from {
		if p.visible(q.table, r) && p.holds(q.table, r, q.where) == yes {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b core.Record) int { return p.order(q, a, b) })
	return p.bounded(q, p.firsts(q, out), limit)
}

// order compares the places of two records in the order of the query.
func (p *person) order(q *query, a, b core.Record) int {
	terms := q.order
	if len(terms) == 0 {
		for _, name := range q.distinct {
			terms = append(terms, order{column: name})
		}
	}
	for _, t := range terms {
		x, y := p.sortKey(q, a, t), p.sortKey(q, b, t)
		if d := t.compare(x, y); d != 0 {
			return d
		}
	}
	return strings.Compare(a["id"].(string), b["id"].(string))
}

// compare compares two values of the term.
func (t order) compare(x, y any) int {
	first := t.desc
	if t.nullsSet {
		first = t.nullsFirst
	}
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return pick(first, -1, 1)
	case y == nil:
		return pick(first, 1, -1)
	}
	d := collate(x, y)
	return pick(t.desc, -d, d)
}

// answer returns the answer to q over the candidates.
func (p *person) answer(q *query, from []core.Record) any {
	switch {
	case q.form == aggregate:
		return p.aggregate(q, from)
	case q.form == groups:
		return p.groups(q, from)
	case q.form == one:
		if found := p.pick(q, from, 1); len(found) > 0 {
			return p.object(q, found[0])
		}
		return nil
	}
	limit := q.limit
	if limit == 0 {
		limit = defaultLimit
	}
	out := []any{}
	for _, r := range p.pick(q, from, limit) {
		out = append(out, p.object(q, r))
	}
	return out
}

// targets are the questions about each target of a union: of one that the document does not name nothing is asked, but for the name
// of its type when it names none.
func (p *person) targets(table string, f field) (out []query) {
	for _, u := range p.schema.Unions(table) {
		if u.Name != f.relation {
			continue
		}
		for _, to := range u.Targets {
			sub := query{table: to.Table}
			if len(f.union) == 0 {
				sub.fields = []field{{as: "__typename", text: to.Table}}
			}
			if i := slices.IndexFunc(f.union, func(q query) bool { return q.table == to.Table }); i >= 0 {
				sub = f.union[i]
			}
			out = append(out, sub)
		}
	}
	return out
}

func (p *person) object(q *query, r core.Record) any {
	out := map[string]any{}
	for _, f := range q.fields {
		switch {
		case f.text != "":
			out[f.as] = f.text
		case f.union != nil:
			out[f.as] = nil
			for _, sub := range p.targets(q.table, f) {
				if of := p.related(q.table, r, p.relation(q.table, f.relation, sub.table)); len(of) > 0 {
					sub.form = one
					out[f.as] = p.answer(&sub, of)
				}
			}
		case f.query != nil:
			rel, _ := p.schema.Relation(q.table, f.relation)
			sub := *f.query
			sub.table = rel.Table
			if !rel.Many {
				sub.form = one
			}
			out[f.as] = p.answer(&sub, p.related(q.table, r, rel))
		case f.rank:
			out[f.as] = parsed(core.AppendValue(nil, p.rank(q, r)))
		default:
			c, _ := p.table(q.table).Column(f.column)
			out[f.as] = parsed(c.AppendJSON(nil, p.display(q.table, r, f.column)))
		}
	}
	return out
}

func (p *person) aggregate(q *query, from []core.Record) any {
	limit := q.limit
	if limit == 0 {
		limit = everything
	}
	return p.functions(q, q.fields, p.pick(q, from, limit), from)
}

func (p *person) functions(q *query, fields []field, rows, from []core.Record) any {
	out := map[string]any{}
	for _, f := range fields {
		switch {
		case f.text != "":
			out[f.as] = f.text
		case f.query != nil:
			nodes := *q
			nodes.form, nodes.fields = list, f.query.fields
			out[f.as] = p.answer(&nodes, from)
		case f.function == "count":
			out[f.as] = map[string]any{"count": json.Number(fmt.Sprint(p.count(q.table, f, rows)))}
		default:
			out[f.as] = map[string]any{f.function: map[string]any{f.column: p.function(q.table, f, rows)}}
		}
	}
	return out
}

func (p *person) function(table string, f field, rows []core.Record) any {
	var values []any
	for _, r := range rows {
		if v := p.value(table, r, f.column); v != nil {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return nil
	}
	c, _ := p.table(table).Column(f.column)
	switch f.function {
	case "min", "max":
		return parsed(c.AppendJSON(nil, edge(c, f.function, values)))
	}
	if c.Kind == core.Duration {
		return spanOf(f.function, values)
	}
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, rational(v))
	}
	if f.function == "sum" {
		return json.Number(sum.FloatString(6))
	}
	mean := new(big.Rat).Quo(sum, new(big.Rat).SetInt64(int64(len(values))))
	if f.function != "avg" {
		return spread(f.function, mean, values)
	}
	x, _ := mean.Float64()
	return json.Number(core.AppendFloat(nil, x))
}

// edge is the least or the greatest of values, of options by their places.
func edge(c *core.Column, function string, values []any) any {
	compare := func(a, b any) int { return collate(placed(c, a), placed(c, b)) }
	if function == "min" {
		return slices.MinFunc(values, compare)
	}
	return slices.MaxFunc(values, compare)
}

func rational(v any) *big.Rat {
	x, ok := new(big.Rat).SetString(string(core.AppendValue(nil, v)))
	if !ok {
		panic(v)
	}
	return x
}

// spread is how far values are from their mean: the variance, or its root; of a sample, unless the function says that they are all.
func spread(function string, mean *big.Rat, values []any) any {
	n := int64(len(values))
	if !strings.HasSuffix(function, "_pop") {
		n--
	}
	if n == 0 {
		return nil
	}
	sum := new(big.Rat)
	for _, v := range values {
		d := new(big.Rat).Sub(rational(v), mean)
		sum.Add(sum, d.Mul(d, d))
	}
	x, _ := sum.Quo(sum, new(big.Rat).SetInt64(n)).Float64()
	if strings.HasPrefix(function, "stddev") {
		x = math.Sqrt(x)
	}
	return json.Number(core.AppendFloat(nil, x))
}

// spanOf is the sum or the average of durations, which is rounded half away from zero.
func spanOf(function string, values []any) any {
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, new(big.Rat).SetInt64(int64(v.(core.Span))))
	}
	if function == "avg" {
		sum.Quo(sum, new(big.Rat).SetInt64(int64(len(values))))
	}
	us, err := strconv.ParseInt(sum.FloatString(0), 10, 64)
	if err != nil {
		panic(err)
	}
	return core.Span(us).String()
}

func (p *person) count(table string, f field, rows []core.Record) int {
	n := 0
	seen := map[string]bool{}
	for _, r := range rows {
		some, all := len(f.columns) == 0, ""
		for _, name := range f.columns {
			v := p.value(table, r, name)
			some = some || v != nil
			all += string(core.AppendValue(nil, v)) + "\x00"
		}
		if some {
			n++
			seen[all] = true
		}
	}
	if f.distinct {
		n = len(seen)
	}
	if f.atMost > 0 {
		n = min(n, f.atMost)
	}
	return n
}
