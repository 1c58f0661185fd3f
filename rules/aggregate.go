package rules

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

// downName is the function whose result is all records below one, over a relation of a table to itself.
const downName = "descendants"

// aggregate is a value of several records, such as orders.sum(o, o.total): the checker knows it as @sum(o.total).
type aggregate struct {
	of    target // where the records are: ends with a step to many
	scope int    // of each of them
	form  *aggregateForm
}

// aggregateForm is what an aggregate takes after the name that it gives to each record; a condition may follow.
type aggregateForm struct {
	name      string
	value, by bool
	condition bool // is what it takes
	bare      bool // may stand without anything
}

var aggregateForms = []aggregateForm{
	{name: "count", bare: true}, {name: "countDistinct", value: true}, {name: "sum", value: true}, {name: "avg", value: true},
	{name: "min", value: true}, {name: "max", value: true}, {name: "first", value: true, by: true}, {name: "last", value: true, by: true},
	{name: "exists", condition: true}, {name: "all", condition: true},
}

// usage is how the aggregate is written.
func (f *aggregateForm) usage() string {
	switch {
	case f.condition:
		return f.name + "(x, condition)"
	case f.by:
		return f.name + "(x, value, by) or " + f.name + "(x, value, by, condition)"
	case f.value:
		return f.name + "(x, value) or " + f.name + "(x, value, condition)"
	}
	return f.name + "() or " + f.name + "(x, condition)"
}

// takes reports whether the aggregate may have so many arguments after the name.
func (f *aggregateForm) takes(n int) bool {
	if f.condition {
		return n == 1
	}
	least := 0
	if f.value {
		least++
	}
	if f.by {
		least++
	}
	return n == least && least > 0 || n == least+1
}

// parts returns the arguments of the call of an aggregate by their meaning; what is left out is nil.
func (f *aggregateForm) parts(args []ast.Expr) (value, by, filter ast.Expr) {
	if f.value {
		value, args = args[0], args[1:]
	}
	if f.by {
		by, args = args[0], args[1:]
	}
	if len(args) > 0 {
		filter = args[0]
	}
	return value, by, filter
}

// aggregateTable are the aggregates as functions of what they are over. Those without a template are printed by hand.
var aggregateTable = func() []Function {
	const every, ordered = "string int decimal double timestamp datetime duration bool", "string int decimal double timestamp datetime duration"
	row := func(name string, overloads ...Overload) Function {
		return Function{Name: "@" + name, Overloads: overloads}
	}
	same := func(types, more, sqlite, postgres string) (out []Overload) {
		for _, t := range strings.Fields(types) {
			out = append(out, Overload{Signature: t + more + ": " + t, SQLite: sqlite, Postgres: postgres})
		}
		return out
	}
	var distinct []Overload
	for _, t := range strings.Fields(every) {
		o := Overload{Signature: t + ": int", SQLite: "count(DISTINCT $1)", Postgres: "count(DISTINCT $1)"}
		if t == "decimal" {
			o.SQLite = "count(DISTINCT decimal_text($1))"
		}
		distinct = append(distinct, o)
	}
	edge := func(name string) Function {
		f := row(name, same(ordered, "", name+"($1)", name+"($1)")...)
		for i := range f.Overloads {
			switch o := &f.Overloads[i]; o.Signature {
			case "string: string":
				o.Postgres = name + `($1 COLLATE "C")`
			case "decimal: decimal":
				o.SQLite = name + "($1 COLLATE decimal)"
			}
		}
		return f
	}
	var at []Overload // first and last
	for _, by := range strings.Fields(ordered) {
		at = append(at, same(every+" choices", ", "+by, "", "")...)
	}
	const mean = "round(div(sum($1) * 1000000000000000000000, nullif(count($1), 0)) * 0.000000000000000000001, 20)"
	all := []Function{
		row("count", Overload{Signature: ": int", SQLite: "count(*)", Postgres: "count(*)"}),
		row("countDistinct", distinct...),
		row("sum",
			Overload{Signature: "int: int", SQLite: "decimal_int(coalesce(decimal_sum($1), '0'))", Postgres: integer("coalesce(sum($1), 0)")},
			Overload{Signature: "decimal: decimal", SQLite: "coalesce(decimal_sum($1), '0')", Postgres: "coalesce(sum($1), 0)"},
			Overload{Signature: "duration: duration", SQLite: "duration_add(decimal_int(coalesce(decimal_sum($1), '0')), 0)", Postgres: "(" + bounded("coalesce(sum($1), 0)", aboveSpan, belowSpan) + "::bigint)"}),
		row("avg",
			Overload{Signature: "int: decimal", SQLite: "decimal_div(decimal_sum($1), count($1))", Postgres: mean},
			Overload{Signature: "decimal: decimal", SQLite: "decimal_div(decimal_sum($1), count($1))", Postgres: mean}),
		edge("min"), edge("max"), row("first", at...), row("last", slices.Clone(at)...),
		row("exists", Overload{Signature: "bool: bool"}), row("all", Overload{Signature: "bool: bool"}),
	}
	for i := range all {
		f := &all[i]
		if f.Name == "@exists" || f.Name == "@all" {
			continue
		}
		for _, o := range slices.Clone(f.Overloads) { // with a condition
			before, after, _ := strings.Cut(o.Signature, ": ")
			o.Signature = strings.TrimPrefix(before+", bool", ", ") + ": " + after
			f.Overloads = append(f.Overloads, o)
		}
	}
	return all
}()

// aggregateOf returns the form of the aggregate that the call is, with the chain of names that leads to its records, and
// whether it is over all records below. It is none when the chain leads to no records.
func (n *names) aggregateOf(e ast.Expr) (form *aggregateForm, of ast.Expr, down bool) {
	c := e.AsCall()
	if !c.IsMemberFunction() {
		return nil, nil, false
	}
	i := slices.IndexFunc(aggregateForms, func(f aggregateForm) bool { return f.name == c.FunctionName() })
	if i < 0 {
		return nil, nil, false
	}
	form, of = &aggregateForms[i], c.Target()
	if of.Kind() == ast.CallKind && of.AsCall().FunctionName() == downName && len(of.AsCall().Args()) == 1 && !of.AsCall().IsMemberFunction() {
		down, of = true, of.AsCall().Args()[0]
	}
	if !down && (form.name == "min" || form.name == "max") { // which are functions of values, too
		chain := chainOf(of)
		if chain == nil {
			return nil, nil, false
		}
		if p, _, problem := n.find(chain); problem == "" && !p.many() || problem != "" && len(c.Args()) < 2 {
			return nil, nil, false
		}
	}
	return form, of, down
}

// admitAggregate turns the call of an aggregate into one that the checker knows.
func (b *builder) admitAggregate(e ast.Expr, n *names, form *aggregateForm, of ast.Expr, down bool) error {
	chain, args := chainOf(of), e.AsCall().Args()
	if chain == nil {
		return refuse(b.a, of, form.name+" works on the records of a relation, such as orders."+form.usage())
	}
	if chain[0] == callerName {
		return refuse(b.a, e, unknownName(form.name, nil))
	}
	p, _, problem := n.find(chain)
	switch {
	case problem != "":
		return refuse(b.a, of, problem)
	case !p.many():
		return refuse(b.a, of, strings.Join(chain, ".")+" is no list of records: "+form.name+" works on the records of a relation, such as orders."+form.usage())
	}
	if down {
		last := &p.steps[len(p.steps)-1]
		if last.Relation.Through != "" || last.Relation.Which != "" || last.Relation.Table != last.From {
			return refuse(b.a, of, downName+" takes a relation that leads back from the same table, as a lookup of a parent has one")
		}
		last.Down = true
	}
	if len(args) == 0 && !form.bare || len(args) > 0 && (args[0].Kind() != ast.IdentKind || !form.takes(len(args)-1)) {
		return refuse(b.a, e, "write "+strings.Join(chain, ".")+"."+form.usage()+", where x is any name, by which the columns of each record are named: x.<column>")
	}
	b.scopes++
	g := &aggregate{of: p, scope: b.scopes, form: form}
	if len(n.locals) >= maxSteps {
		return refuse(b.a, e, "the aggregates stand too deep in each other")
	}
	inner := *n
	if len(args) > 0 {
		name := args[0].AsIdent()
		if err := core.CheckName("record", name); err != nil {
			return refuse(b.a, args[0], core.AsError(err).Msg)
		}
		inner.locals = append(slices.Clone(n.locals), local{name: name, scope: g.scope, table: p.table})
		args = args[1:]
	}
	for _, x := range args {
		if err := b.admit(x, &inner); err != nil {
			return err
		}
	}
	e.SetKindCase(b.f.NewCall(e.ID(), "@"+form.name, args...))
	b.aggregates[e.ID()] = g
	return nil
}
