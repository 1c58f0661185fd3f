package rules

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"

	"colonnade/core"
)

// given is what a test takes other records to say.
type given struct {
	values      map[string]any // by what is read, as [Need.String] has it
	record, old core.Record    // calculated columns of the record itself
	texts       map[*Need]string
	missing     error // of what was asked and is not given
}

// given reads what the test takes other records to say.
func (t *tableSet) given(c *core.RuleTest) (*given, error) {
	g := &given{values: map[string]any{}, record: core.Record{}, old: core.Record{}, texts: map[*Need]string{}}
	if len(c.Given) == 0 {
		return g, nil
	}
	env, err := tableEnv(t.schema, t.table, Options{Old: true})
	if err != nil {
		return nil, err
	}
	reads := t.testReads()
	for _, of := range c.Given {
		e, err := compile(env, t.table, of.Read, Options{Old: true, Memory: true})
		if err != nil {
			return nil, wrong("given, %s: %s", of.Read, core.AsError(err).Msg)
		}
		if err := t.take(g, e, of.Value, reads); err != nil {
			return nil, wrong("given, %s: %s", of.Read, core.AsError(err).Msg)
		}
	}
	return g, nil
}

// take keeps one value.
func (t *tableSet) take(g *given, e *Expr, value any, reads map[string]*core.Column) error {
	if root := e.ast.Expr(); root.Kind() == ast.IdentKind {
		if p, ok := e.vars[root.AsIdent()]; ok && len(p.steps) == 0 {
			return t.takeColumn(g, &p, value)
		}
	}
	tree, err := parseSource(e.Source)
	if err != nil {
		return err
	}
	text, err := parser.Unparse(tree.Expr(), tree.SourceInfo())
	if err != nil {
		return err
	}
	c, ok := reads[text]
	if !ok {
		return wrong("the expressions of the table read no such value of other records; they read: %s", strings.Join(slices.Sorted(maps.Keys(reads)), ", "))
	}
	if _, twice := g.values[text]; twice {
		return wrong("the value is given twice")
	}
	g.values[text], err = c.Parse(value)
	return err
}

// takeColumn keeps the value of a calculated column of the record.
func (t *tableSet) takeColumn(g *given, p *target, value any) error {
	if !t.needs[p.column.Name] {
		return wrong("%s is of the record itself: say in record or in old what it is", p.column.Name)
	}
	into := g.record
	if p.old {
		into = g.old
	}
	if _, twice := into[p.column.Name]; twice {
		return wrong("the value is given twice")
	}
	var err error
	into[p.column.Name], err = p.column.Parse(value)
	return err
}

// testReads returns what the expressions of the table read of other records, with a column that takes the value.
func (t *tableSet) testReads() map[string]*core.Column {
	var of []*Expr
	for i := range t.rules {
		of = append(of, t.computed(&t.rules[i])...)
	}
	for _, d := range t.defaults {
		of = append(of, d.value)
	}
	for _, name := range t.order {
		of = append(of, t.formulas[name])
	}
	out := map[string]*core.Column{}
	for _, n := range t.needsOf(of, map[*Expr]bool{}) {
		out[n.String()] = n.given()
	}
	return out
}

// given returns a column that takes the value of n as somebody says it.
func (n *Need) given() *core.Column {
	if n.node.Kind() == ast.IdentKind {
		if p, ok := n.e.vars[n.node.AsIdent()]; ok {
			return p.column.Unlimited()
		}
	}
	return n.Column()
}

// ask is the [Ask] of a test.
func (g *given) ask(n *Need, _, _ core.Record) (any, error) {
	text, ok := g.texts[n]
	if !ok {
		text = n.String()
		g.texts[n] = text
	}
	v, ok := g.values[text]
	if !ok && g.missing == nil {
		g.missing = wrong("reads %s of other records, and there are none in a test: add it to given, such as {read: %q, value: ...}", text, text)
	}
	return v, nil
}
