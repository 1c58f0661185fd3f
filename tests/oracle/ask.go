package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"colonnade/core"
)

// asker makes random queries that the caller may ask.
type asker struct {
	maker
	p    *person
	past bool // of a moment, where nothing is searched
	n    *int // names given, so that no two of what is nested are alike
}

func (a asker) name(of string) string {
	*a.n++
	return fmt.Sprint(of, "_", *a.n)
}

func (a asker) columns(table string, ok func(c *core.Column) bool) []*core.Column {
	var out []*core.Column
	t := a.p.table(table)
	for i := range t.Columns {
		if c := &t.Columns[i]; a.p.nameable(table, c.Name) && (ok == nil || ok(c)) {
			out = append(out, c)
		}
	}
	return out
}

// relations returns the relations of the table that the caller may name.
func (a asker) relations(table string, many bool) []core.Relation {
	all := a.p.schema.Relations(table)
	if many {
		all = append(all, a.p.schema.Links(table)...)
	}
	return slices.DeleteFunc(all, func(r core.Relation) bool {
		child := table
		if r.Many {
			child = r.Table
		}
		if r.Through != "" {
			child = r.Through
		}
		return r.Many != many || !a.p.readable(r.Table) || !a.p.nameable(child, r.Column) || r.Which != "" && !a.p.nameable(child, r.Which) ||
			r.Through != "" && !a.p.nameable(child, r.Near)
	})
}

// unions returns the lookups of several tables that the caller may name.
func (a asker) unions(table string) []core.Union {
	return slices.DeleteFunc(a.p.schema.Unions(table), func(u core.Union) bool { return !a.p.nameable(table, u.Column) || !a.p.nameable(table, u.Which) })
}

func ordered(c *core.Column) bool { return c.Kind.Info().Ordered || c.Kind == core.Boolean }

func (a asker) cond(table string, depth int) cond {
	switch n := a.IntN(10); {
	case depth > 0 && n < 2:
		return and{a.cond(table, depth-1), a.cond(table, depth-1)}
	case depth > 0 && n < 4:
		return or{a.cond(table, depth-1), a.cond(table, depth-1)}
	case depth > 0 && n < 5:
		return not{a.cond(table, depth-1)}
	case depth > 0 && n < 6 && len(a.unions(table)) > 0:
		u := choose(a.maker, a.unions(table)...)
		if to := choose(a.maker, u.Targets...).Table; a.p.readable(to) {
			return related{relation: u.Name, target: to, where: a.cond(to, depth-1)}
		}
	case depth > 0 && n < 8:
		if all := append(a.relations(table, true), a.relations(table, false)...); len(all) > 0 {
			rel := choose(a.maker, all...)
			if rel.Many && a.chance(0.35) {
				return a.gathering(rel.Table, rel.Name, 0)
			}
			if a.chance(0.2) {
				return related{relation: rel.Name}
			}
			return related{relation: rel.Name, where: a.cond(rel.Table, depth-1)}
		}
	case n == 8 && a.searches(table):
		return search{a.words()}
	case n == 9 && a.chance(0.1):
		return choose[cond](a.maker, and{}, or{}, not{and{}})
	}
	return a.comparison(table)
}

// searches reports whether the person may search the table.
func (a asker) searches(table string) bool {
	return !a.past && slices.ContainsFunc(a.p.table(table).Search, func(c core.SearchColumn) bool { return a.p.nameable(table, c.Column) })
}

// words is a search text.
func (a asker) words() string {
	out := choose(a.maker, "a", "b", "ab", "z", "back", "red", "a*", "b*", "sla*")
	switch a.IntN(4) {
	case 0:
		out += " " + choose(a.maker, "a", "b", "s*", "-b", "-a*", "-slash")
	case 1:
		out = "-" + out
	}
	return out
}

func (a asker) comparison(table string) cond {
	c := choose(a.maker, a.columns(table, nil)...)
	ops := []string{"_is_null"}
	if c.Kind != core.JSON && c.Kind != core.Choices {
		ops = append(ops, "_in", "_nin")
	}
	if c.Kind != core.JSON {
		ops = append(ops, "_eq", "_neq")
	}
	if c.Kind.Info().Ordered {
		ops = append(ops, "_gt", "_gte", "_lt", "_lte", "_between")
	}
	if c.Kind == core.Choices {
		ops = append(ops, "_contains", "_contained_in", "_has_any")
	}
	if c.Kind.Info().Like {
		ops = append(ops, "_like", "_nlike", "_ilike", "_nilike", "_starts_with", choose(a.maker, "_regex", "_nregex", "_iregex", "_niregex"), choose(a.maker, "_similar", "_nsimilar"))
	}
	if c.Kind == core.JSON {
		ops = append(ops, "_contains", "_contained_in", "_has_key", "_has_keys_any", "_has_keys_all")
	}
	if c.Kind == core.Date || c.Kind == core.Timestamp || c.Kind == core.DateTime {
		ops = append(ops, "_rel_date", "_rel_date")
	}
	op := choose(a.maker, ops...)
	return compare{c.Name, op, a.against(table, c, op)}
}

// against is what a column is compared with.
func (a asker) against(table string, c *core.Column, op string) any {
	switch op {
	case "_is_null":
		return a.chance(0.5)
	case "_regex", "_nregex", "_iregex", "_niregex":
		return choose(a.maker, regexes...)
	case "_similar", "_nsimilar":
		return choose(a.maker, sortedKeys(similar)...)
	case "_has_key":
		return choose(a.maker, documentKeys...)
	case "_has_keys_any", "_has_keys_all":
		list := []any{}
		for _, k := range subset(a.maker, documentKeys, 0.3) {
			list = append(list, k)
		}
		return list
	case "_rel_date":
		return a.ranges(c.Kind)
	case "_in", "_nin":
		list := []any{}
		for range a.IntN(4) {
			list = append(list, a.operand(table, c))
		}
		return list
	case "_contains", "_contained_in", "_has_any":
		if c.Kind == core.JSON {
			return json.RawMessage(choose(a.maker, documents...))
		}
		list := []any{}
		for range a.IntN(4) {
			list = append(list, choose(a.maker, c.Options...).Value)
		}
		return list
	case "_between":
		return []any{a.operand(table, c), a.operand(table, c)}
	case "_like", "_nlike", "_ilike", "_nilike":
		return choose(a.maker, "a%", "%B", "_", "a\\_%", "%!%", "", "%", "\\%", "%\\\\%")
	}
	return a.operand(table, c)
}

// vary is the query with other values to compare with, in the same form.
func (a asker) vary(q *query) *query {
	out := *q
	out.where, out.having = a.varied(q.table, q.where), a.gatheredAgain(q.table, q.having)
	out.fields = slices.Clone(q.fields)
	for i, f := range out.fields {
		if f.query != nil && f.relation != "" {
			out.fields[i].query = a.vary(f.query)
		}
		if f.union != nil {
			out.fields[i].union = slices.Clone(f.union)
			for j := range f.union {
				out.fields[i].union[j] = *a.vary(&f.union[j])
			}
		}
	}
	return &out
}

func (a asker) varied(table string, c cond) cond {
	several := func(of []cond) (out []cond) {
		for _, one := range of {
			out = append(out, a.varied(table, one))
		}
		return out
	}
	switch c := c.(type) {
	case and:
		return and(several(c))
	case or:
		return or(several(c))
	case not:
		return not{a.varied(table, c.cond)}
	case gathered:
		return a.gatheredAgain(a.p.relation(table, c.relation, "").Table, c)
	case related:
		return related{c.relation, c.target, a.varied(a.p.relation(table, c.relation, c.target).Table, c.where)}
	case compare:
		column, _ := a.p.table(table).Column(c.column)
		if _, same := c.value.(bool); !same {
			return compare{c.column, c.op, a.against(table, column, c.op)}
		}
	}
	return c
}

// operand is a value to compare the column with, often one that is there.
func (a asker) operand(table string, c *core.Column) any {
	if rows := a.p.rows[table]; len(rows) > 0 && a.chance(0.7) {
		if v := choose(a.maker, rows...)[c.Name]; v != nil {
			return v
		}
	}
	if c.System || c.Kind == core.Lookup || c.Kind == core.AnyLookup {
		if c.Kind == core.Integer {
			return int64(1)
		}
		if c.Kind == core.Timestamp {
			return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		return string(a.p.other)
	}
	return a.any(c)
}

func (a asker) orders(table string) []order {
	var out []order
	for range a.IntN(3) {
		o := order{desc: a.chance(0.5), nullsSet: a.chance(0.4), nullsFirst: a.chance(0.5)}
		at := table
		for range 2 {
			if to := a.relations(at, false); len(to) > 0 && a.chance(0.4) {
				rel := choose(a.maker, to...)
				o.relation = append(o.relation, rel.Name)
				at = rel.Table
			}
		}
		if many := a.relations(at, true); len(many) > 0 && a.chance(0.25) {
			rel := choose(a.maker, many...)
			f := a.measure(rel.Table, false)
			o.children, o.function, o.column = rel.Name, f.function, f.column
		} else {
			o.column = choose(a.maker, a.columns(at, ordered)...).Name
		}
		out = append(out, o)
	}
	return out
}

func (a asker) query(table string, depth int) *query {
	q := &query{table: table, form: choose(a.maker, list, list, list, aggregate)}
	if a.chance(0.7) {
		q.where = a.cond(table, 2)
	}
	if a.sorted(q); len(q.distinct) == 0 && a.searches(table) && a.chance(a.theme.asked) {
		q.search = a.words()
		q.where = and{search{q.search}, orAll(q.where)}
		q.order = append([]order{{rank: true, desc: a.chance(0.7)}}, q.order...)
	}
	if a.chance(0.4) {
		q.limit = 1 + a.IntN(4)
	}
	if a.chance(0.3) {
		q.offset = a.IntN(4)
	}
	if q.form == aggregate {
		q.fields = a.functions(table, depth)
	} else {
		q.fields = a.fields(table, depth)
		if q.search != "" {
			q.fields = append(q.fields, field{as: "rank", rank: true})
		}
	}
	return q
}

// orAll is the condition, or one that always holds.
func orAll(c cond) cond {
	if c == nil {
		return and{}
	}
	return c
}

func (a asker) fields(table string, depth int) []field {
	out := []field{{as: "id", column: "id"}, {as: "type", text: table}}
	for _, c := range subset(a.maker, a.columns(table, nil), 0.1+0.1*float64(depth)) {
		out = append(out, field{as: "x_" + c.Name, column: c.Name})
	}
	for i := range a.p.table(table).Columns { // a hidden column is empty, of others a mask is shown
		if c := &a.p.table(table).Columns[i]; !a.p.nameable(table, c.Name) && a.chance(pick(a.p.veiled(table, c.Name), 0.6, 0.2)) {
			out = append(out, field{as: "h_" + c.Name, column: c.Name})
		}
	}
	if depth == 0 {
		return out
	}
	for _, rel := range subset(a.maker, append(a.relations(table, true), a.relations(table, false)...), 0.1+0.15*float64(depth)) {
		q := a.query(rel.Table, depth-1)
		if !rel.Many {
			q = &query{table: rel.Table, fields: a.fields(rel.Table, depth-1)}
		}
		out = append(out, field{as: a.name("r_" + rel.Name), relation: rel.Name, query: q})
	}
	for _, u := range subset(a.maker, a.unions(table), 0.6) {
		f := field{as: a.name("u_" + u.Name), relation: u.Name, union: []query{}}
		for _, to := range u.Targets {
			if a.p.readable(to.Table) { // what is asked of others is never looked at
				f.union = append(f.union, query{table: to.Table, fields: a.fields(to.Table, depth-1)})
			}
		}
		out = append(out, f)
	}
	return out
}

func (a asker) functions(table string, depth int) []field {
	out := []field{{as: "n", function: "count"}}
	if a.chance(0.2) {
		out = append(out, field{as: "some", function: "count", atMost: 1 + a.IntN(3)})
	}
	if a.chance(0.3) {
		out = append(out, field{as: "nodes", query: &query{fields: a.fields(table, 0)}})
	}
	for _, c := range subset(a.maker, a.columns(table, nil), 0.15) {
		out = append(out, field{as: "count_" + c.Name, function: "count", columns: []string{c.Name}, distinct: c.Kind != core.JSON && a.chance(0.5)})
		if c.Kind.Info().Number {
			out = append(out, field{as: "sum_" + c.Name, function: "sum", column: c.Name}, field{as: "avg_" + c.Name, function: "avg", column: c.Name})
		}
		if c.Kind.Info().Number && c.Kind != core.Duration {
			out = append(out, field{as: "of_" + c.Name, function: choose(a.maker, "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp"), column: c.Name})
		}
		if c.Kind.Info().Ordered {
			out = append(out, field{as: "min_" + c.Name, function: "min", column: c.Name}, field{as: "max_" + c.Name, function: "max", column: c.Name})
		}
		if a.chance(0.2) {
			other := choose(a.maker, a.columns(table, func(c *core.Column) bool { return c.Kind != core.JSON })...)
			out = append(out, field{as: "both_" + c.Name, function: "count", columns: []string{c.Name, other.Name}, distinct: c.Kind != core.JSON && a.chance(0.5)})
		}
	}
	return out
}
