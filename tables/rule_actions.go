package tables

import (
	"context"
	"slices"

	"colonnade/core"
)

func (s *Store) ruleActions() []core.Action {
	return []core.Action{s.putRule(), s.dropRule(), s.checkRule(), s.tableRules(), s.evaluateRules(), s.ruleVersionsAction(), s.restoreRule()}
}

// deedInput describes an action of a rule as an argument.
var deedInput = []core.Column{
	required(text("do", "set, default, clear, require, lock, hide, recommend or fail.")),
	text("column", "The column that it is about."),
	text("value", "Of set, default and recommend: an expression."),
	text("message", "Of fail, require, lock and recommend: what the writer reads. {total} stands for the value of an expression."),
}

// ruleInput describes a rule as an argument.
var ruleInput = []core.Column{
	required(text("name", "The name of the rule; a rule of that name is replaced.")),
	text("doc", "Why the rule is there."),
	{Name: "order", Kind: core.Integer, Doc: "Rules run in ascending order."},
	{Name: "on", Kind: core.Text, List: true, Doc: "create, update, delete; create and update when left out."},
	text("scope", "all: every write (the default); people: what requests of the API write, not flows, imports, merges and restores."),
	{Name: "disabled", Kind: core.Boolean, Doc: "Whether the rule is kept without being in force."},
	text("when", "A condition over the record; always when left out."),
	{Name: "do", Kind: core.Object, List: true, Doc: "What the rule does when the condition holds, in order.", Fields: deedInput},
	{Name: "else", Kind: core.Object, List: true, Doc: "What it does otherwise.", Fields: deedInput},
	{Name: "tests", Kind: core.Object, List: true, Doc: "Cases that the rules of the table must decide as expected, at every change of the table.", Fields: []core.Column{
		required(text("name", "What the case is about.")),
		text("op", "create, update or delete; when left out update with old, otherwise create."),
		{Name: "record", Kind: core.JSON, Doc: `What the writer sends: {"price": 10}.`},
		{Name: "old", Kind: core.JSON, Doc: "The record before, of update and delete."},
		{Name: "caller", Kind: core.Object, Doc: "Who writes.", Fields: []core.Column{
			{Name: "user", Kind: core.UUID, Doc: "The user."}, {Name: "unit", Kind: core.UUID, Doc: "Their business unit."},
			{Name: "below", Kind: core.UUID, List: true, Doc: "That unit and those under it."}, {Name: "teams", Kind: core.UUID, List: true, Doc: "Their teams."},
			{Name: "roles", Kind: core.Text, List: true, Doc: "Their roles."}, text("cause", "api (the default), flow, import and the like."),
		}},
		{Name: "now", Kind: core.Timestamp, Doc: "When; needed when an expression reads the time."},
		{Name: "given", Kind: core.Object, List: true, Doc: "What other records say, for expressions that read them.", Fields: []core.Column{
			required(text("read", "What is read, as the rule writes it: customer.region, lines.sum(l, l.amount); or a calculated column that reads other records.")),
			{Name: "value", Kind: core.JSON, Doc: "Its value; nothing when left out."},
		}},
		required(core.Column{Name: "expect", Kind: core.Object, Doc: "What comes of it; that nothing refuses the write when it is empty.", Fields: []core.Column{
			{Name: "set", Kind: core.JSON, Doc: `Values of the record after the rules: {"state": "waiting"}.`},
			text("fail", "The message of the refusal."), text("column", "The column of the refusal."), text("rule", "The rule that refuses."),
		}}),
	}},
}

// ruleExample is a rule with a test.
var ruleExample = core.Record{"table": "product", "name": "price is positive", "when": "price <= 0", "do": []any{
	map[string]any{"do": "fail", "column": "price", "message": "a product has a positive price, not {price}"},
}, "tests": []any{
	map[string]any{"name": "a gift", "record": map[string]any{"price": 0}, "expect": map[string]any{"column": "price"}},
	map[string]any{"name": "a price", "record": map[string]any{"price": 1}, "expect": map[string]any{}},
}}

// ruleOf reads a rule from arguments.
func ruleOf(in core.Record) (table string, r core.Rule, err error) {
	table, _ = in["table"].(string)
	err = decodeInput(in, &r)
	return table, r, err
}

func (s *Store) putRule() core.Action {
	a := s.define("put_rule", "Adds or replaces a business rule. The tests of all rules of the table must pass.", append([]core.Column{required(text("table", "The table."))}, ruleInput...), func(in core.Record) (core.Change, error) {
		table, r, err := ruleOf(in)
		return core.PutRule{On: table, Put: r}, err
	}, core.Example{Doc: "No gifts.", In: ruleExample})
	return s.warning(a)
}

// warningsOutput is what an action that defines rules tells besides.
var warningsOutput = core.Column{Name: "warnings", Kind: core.Text, List: true, Doc: "What may surprise in the order of the rules of the table."}

// warning has an action that defines a rule tell what may surprise about the rules of its table.
func (s *Store) warning(a core.Action) core.Action {
	a.Output = append(slices.Clone(a.Output), warningsOutput)
	run := a.Run
	a.Run = func(ctx context.Context, c core.Call) (out core.Record, err error) {
		err = s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
			if out, err = run(ctx, c); err != nil {
				return err
			}
			out["warnings"] = core.Texts(tx.snap.Rules.Warnings(c.Text("table")))
			return nil
		})
		return out, err
	}
	return a
}

func (s *Store) dropRule() core.Action {
	input := []core.Column{required(text("table", "The table.")), required(text("name", "The rule."))}
	return s.define("drop_rule", "Removes a business rule.", input, func(in core.Record) (core.Change, error) {
		table, _ := in["table"].(string)
		name, _ := in["name"].(string)
		return core.DropPart{Part: core.PartRule, Of: table, Name: name}, nil
	}, core.Example{In: core.Record{"table": "product", "name": "price is positive"}})
}
