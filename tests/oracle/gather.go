package oracle

import (
	"encoding/json"
	"math/big"
	"strings"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// gathers reports how a value made of records compares.
func (p *person) gathers(table string, rows []core.Record, c gathered) truth {
	var met []core.Record
	for _, r := range rows {
		if p.holds(table, r, c.only) == yes {
			met = append(met, r)
		}
	}
	return compares(p.made(table, met, c.of), compare{op: c.op, value: c.value})
}

// made is the value of a function over records, as it compares and sorts; of no values it is nil, unless it counts.
func (p *person) made(table string, rows []core.Record, f field) any {
	if f.function == "count" {
		return int64(p.count(table, f, rows))
	}
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
		return edge(c, f.function, values)
	case "bool_and", "bool_or":
		out := values[0]
		for _, v := range values {
			out = pick(f.function == "bool_and", out == true && v == true, out == true || v == true)
		}
		return out
	}
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, rational(v))
	}
	if f.function == "sum" {
		return like(values[0], sum)
	}
	mean := new(big.Rat).Quo(sum, new(big.Rat).SetInt64(int64(len(values))))
	if f.function == "avg" {
		x, _ := mean.Float64()
		return x
	}
	v, ok := spread(f.function, mean, values).(json.Number)
	if !ok {
		return nil
	}
	x, err := v.Float64()
	if err != nil {
		panic(err)
	}
	return x
}

// like is a number in the Go form that another one has.
func like(v any, x *big.Rat) any {
	switch v.(type) {
	case int64:
		return x.Num().Int64()
	case float64:
		f, _ := x.Float64()
		return f
	}
	d, err := decimal.NewFromString(x.FloatString(10))
	if err != nil {
		panic(err)
	}
	return d
}

// sorted is what a function over records is sorted by.
func (p *person) sorted(table string, rows []core.Record, t order) any {
	v := p.made(table, rows, field{function: t.function, column: t.column})
	if c, ok := p.table(table).Column(t.column); ok && v != nil && (t.function == "min" || t.function == "max") {
		return placed(c, v)
	}
	return v
}

// having reports whether a group meets the condition.
func (p *person) having(table string, rows []core.Record, c cond) truth {
	switch c := c.(type) {
	case nil:
		return yes
	case and:
		out := yes
		for _, part := range c {
			out = min(out, p.having(table, rows, part))
		}
		return out
	case or:
		out := no
		for _, part := range c {
			out = max(out, p.having(table, rows, part))
		}
		return out
	case not:
		return -p.having(table, rows, c.cond)
	}
	return p.gathers(table, rows, c.(gathered))
}

// conditionOn is a condition on values over records, as the API takes it.
func (p *person) conditionOn(table string, c cond) map[string]any {
	several := func(of []cond) []any {
		out := []any{}
		for _, one := range of {
			out = append(out, p.conditionOn(table, one))
		}
		return out
	}
	switch c := c.(type) {
	case and:
		return map[string]any{"_and": several(c)}
	case or:
		return map[string]any{"_or": several(c)}
	case not:
		return map[string]any{"_not": p.conditionOn(table, c.cond)}
	}
	g := c.(gathered)
	column := &core.Column{Kind: core.Integer}
	if g.of.column != "" {
		column, _ = p.table(table).Column(g.of.column)
	}
	if strings.HasPrefix(g.of.function, "var") || g.of.function == "avg" || strings.HasPrefix(g.of.function, "stddev") {
		column = &core.Column{Kind: core.Float}
	}
	out := map[string]any{"predicate": map[string]any{g.op: operandJSON(column, compare{op: g.op, value: g.value})}}
	if g.of.column != "" {
		out["arguments"] = enum(g.of.column)
	}
	if len(g.of.columns) > 0 {
		list := []any{}
		for _, name := range g.of.columns {
			list = append(list, enum(name))
		}
		out["arguments"], out["distinct"] = list, g.of.distinct
	}
	if g.only != nil {
		out["filter"] = p.condition(table, g.only)
	}
	return map[string]any{g.of.function: out}
}

// gathering makes a condition on a value over records of a table up; relation leads to them.
func (a asker) gathering(table, relation string, depth int) cond {
	switch n := a.IntN(12); {
	case depth > 0 && n == 0:
		return and{a.gathering(table, relation, depth-1), a.gathering(table, relation, depth-1)}
	case depth > 0 && n == 1:
		return or{a.gathering(table, relation, depth-1), a.gathering(table, relation, depth-1)}
	case depth > 0 && n == 2:
		return not{a.gathering(table, relation, depth-1)}
	}
	g := gathered{relation: relation, of: a.measure(table, true)}
	if a.chance(0.3) {
		g.only = a.cond(table, pick(relation == "", 1, 0))
	}
	return a.predicate(table, g)
}

// measure makes a function over records up, which compares or sorts.
func (a asker) measure(table string, compared bool) field {
	numbers := a.columns(table, func(c *core.Column) bool { return c.Kind.Info().Number && c.Kind != core.Duration })
	switch n := a.IntN(5); {
	case n < 2 && len(numbers) > 0:
		return field{function: choose(a.maker, "sum", "sum", "min", "max", "avg", "var_samp"), column: choose(a.maker, numbers...).Name}
	case n == 2 && compared:
		if truths := a.columns(table, func(c *core.Column) bool { return c.Kind == core.Boolean }); len(truths) > 0 {
			return field{function: choose(a.maker, "bool_and", "bool_or"), column: choose(a.maker, truths...).Name}
		}
	case n == 2:
		return field{function: choose(a.maker, "min", "max"), column: choose(a.maker, a.columns(table, func(c *core.Column) bool { return c.Kind.Info().Ordered })...).Name}
	case n == 3 && compared:
		f := field{function: "count", distinct: a.chance(0.5)}
		for _, c := range subset(a.maker, a.columns(table, func(c *core.Column) bool { return c.Kind != core.JSON }), 0.1) {
			f.columns = append(f.columns, c.Name)
		}
		f.distinct = f.distinct && len(f.columns) > 0
		return f
	}
	return field{function: "count"}
}

// predicate gives a condition on a value what it is compared with.
func (a asker) predicate(table string, g gathered) gathered {
	operand := func() any {
		switch {
		case g.of.function == "count":
			return int64(a.IntN(4))
		case g.of.function == "avg" || g.of.function == "var_samp": // never the value itself, which is rounded
			return float64(a.IntN(6)) + 0.0625
		case g.of.function == "bool_and" || g.of.function == "bool_or":
			return a.chance(0.5)
		}
		c, _ := a.p.table(table).Column(g.of.column)
		return a.operand(table, c)
	}
	ops := []string{"_eq", "_neq", "_gt", "_gte", "_lt", "_lte", "_in", "_nin", "_between", "_is_null"}
	if g.of.function == "bool_and" || g.of.function == "bool_or" {
		ops = []string{"_eq", "_neq", "_is_null"}
	}
	switch g.op = choose(a.maker, ops...); g.op {
	case "_is_null":
		g.value = a.chance(0.5)
	case "_in", "_nin":
		list := []any{}
		for range a.IntN(3) {
			list = append(list, operand())
		}
		g.value = list
	case "_between":
		g.value = []any{operand(), operand()}
	default:
		g.value = operand()
	}
	return g
}

// gatheredAgain is a condition on values over records with other values to compare with.
func (a asker) gatheredAgain(table string, c cond) cond {
	several := func(of []cond) (out []cond) {
		for _, one := range of {
			out = append(out, a.gatheredAgain(table, one))
		}
		return out
	}
	switch c := c.(type) {
	case and:
		return and(several(c))
	case or:
		return or(several(c))
	case not:
		return not{a.gatheredAgain(table, c.cond)}
	case gathered:
		op := c.op
		for c = a.predicate(table, c); c.op != op; {
			c = a.predicate(table, c)
		}
		c.only = a.varied(table, c.only)
		return c
	}
	return c
}
