package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

func (s *Store) checkRule() core.Action {
	input := append([]core.Column{required(text("table", "The table."))}, ruleInput...)
	input = append(input, core.Column{Name: "after", Kind: core.UUID, Doc: "Only records behind the one with this id: what the answer before named."})
	return core.Action{
		Name: "check_rule", Alone: true, Reads: core.AnyTable, Privilege: "define_tables",
		Doc: "Tells what a rule would make of the records that are there, each as if it were written again as it is. A rule without actions is the one of that name, " +
			"disabled or not. Nothing is written. It stops after ten seconds, and can go on behind the last record.",
		Input:    input,
		Output:   append(slices.Clone(breakingsOutput), warningsOutput),
		Examples: []core.Example{{Doc: "How many products are gifts.", In: ruleExample}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "tables.check_rule"
			snap := s.Snapshot()
			table, r, err := ruleOf(c.In)
			if err == nil && len(r.Do)+len(r.Else) == 0 {
				r, err = snap.ruleNamed(core.CallerFrom(ctx), table, r.Name)
			}
			if err != nil {
				return nil, core.E(op, err)
			}
			found, err := s.CheckRule(ctx, snap, table, r, core.ID(c.Text("after")))
			if err != nil {
				return nil, core.E(op, err)
			}
			out := found.record()
			out["warnings"] = core.Texts(found.Warnings)
			return out, nil
		},
	}
}

// breakingsOutput describes [Breakings].
var breakingsOutput = []core.Column{
	{Name: "checked", Kind: core.Integer, Required: true, Doc: "How many records were looked at; of a plan none where only the change itself can tell what the rule reads."},
	{Name: "broken", Kind: core.Integer, Required: true, Doc: "How many of them the rule refuses."},
	{Name: "changed", Kind: core.Integer, Required: true, Doc: "How many of them it gives other values."},
	{Name: "after", Kind: core.UUID, Doc: "The last record, when there are more; null when all were looked at."},
	{Name: "first", Kind: core.Object, List: true, Required: true, Doc: "The first that the rule refuses, of those that you may read.", Fields: []core.Column{
		{Name: "id", Kind: core.UUID, Required: true, Doc: "The record."}, text("message", "Why; null where you may not read every column."),
	}},
}

// record is the answer without warnings.
func (b *Breakings) record() core.Record {
	first := []any{}
	for _, f := range b.First {
		first = append(first, map[string]any{"id": string(f.ID), "message": orNull(f.Message)})
	}
	return core.Record{"checked": int64(b.Checked), "broken": int64(b.Broken), "changed": int64(b.Changed), "after": orNull(string(b.After)), "first": first}
}

// ruleNamed returns a rule, to who may define tables.
func (n *Snapshot) ruleNamed(c core.Caller, table, name string) (core.Rule, error) {
	if err := n.Policy.May(c, "define_tables"); err != nil {
		return core.Rule{}, err
	}
	t, err := n.Schema.Table(table)
	if err != nil {
		return core.Rule{}, err
	}
	for _, r := range t.Rules {
		if r.Name == name {
			return r, nil
		}
	}
	return core.Rule{}, core.E("tables.ruleNamed", core.NotFound, core.At{Table: table, Rule: name}, "there is no such rule")
}

// deedOutput describes an action of a rule in an answer.
var deedOutput = []core.Column{
	text("do", "What it does."), text("column", "The column that it is about."), text("value", "An expression."),
	text("message", "What the writer reads, with expressions in braces."),
}

func (s *Store) tableRules() core.Action {
	return core.Action{
		Name: "table_rules", Doc: "Lists the rules in force of a table, in their order, so that a form can do what they say while somebody types. A rule that reads what you may not, or other records, is told without its text: " +
			"only the server can evaluate it, see evaluate_rules.",
		Input: []core.Column{required(text("table", "The table."))},
		Output: []core.Column{{Name: "rules", Kind: core.Object, List: true, Required: true, Doc: "The rules.", Fields: []core.Column{
			{Name: "name", Kind: core.Text, Required: true, Doc: "The rule."}, text("doc", "Why it is there."),
			{Name: "order", Kind: core.Integer, Required: true, Doc: "Rules run in ascending order, then by name."},
			{Name: "on", Kind: core.Text, List: true, Required: true, Doc: "create, update, delete."}, text("scope", "all or people."),
			{Name: "server_only", Kind: core.Boolean, Required: true, Doc: "Whether only the server can evaluate it."},
			text("when", "The condition; null for always."),
			{Name: "reads", Kind: core.Text, List: true, Required: true, Doc: "The columns of the record that it reads."},
			{Name: "reads_old", Kind: core.Text, List: true, Required: true, Doc: "The columns of the record before the change that it reads."},
			{Name: "do", Kind: core.Object, List: true, Required: true, Doc: "What it does when the condition holds.", Fields: deedOutput},
			{Name: "else", Kind: core.Object, List: true, Required: true, Doc: "What it does otherwise.", Fields: deedOutput},
		}}},
		Examples: []core.Example{{In: core.Record{"table": "product"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			snap := s.Snapshot()
			if tx := s.txFrom(ctx); tx != nil {
				snap = tx.snap
			}
			out, err := snap.rulesFor(core.CallerFrom(ctx), c.Text("table"))
			if err != nil {
				return nil, core.E("tables.table_rules", err)
			}
			return core.Record{"rules": out}, nil
		},
	}
}

// rulesFor returns the rules of a table as the caller may know them. Who may do nothing with the table learns of none.
func (n *Snapshot) rulesFor(c core.Caller, table string) ([]any, error) {
	t, read, err := n.decide(c, table, core.Read)
	may := []*authz.Decision{read}
	for _, op := range []core.Op{core.Create, core.Update} {
		if also, d, bad := n.decide(c, table, op); bad == nil {
			t, err, may = also, nil, append(may, d)
		}
	}
	if err != nil {
		return nil, err
	}
	reads := func(column string) bool {
		if read == nil {
			return false
		}
		shown, guard := read.Column(column)
		return shown && guard == nil
	}
	views, err := n.Rules.Views(t.Name, reads, func(column string) bool { return visible(column, may...) })
	if err != nil {
		return nil, err
	}
	out := make([]any, len(views))
	for i := range views {
		out[i] = viewRecord(&views[i])
	}
	return out, nil
}

func viewRecord(v *rules.View) map[string]any {
	on := []any{}
	for _, op := range []core.Op{core.Create, core.Update, core.Delete} {
		if v.Runs(op) {
			on = append(on, string(op))
		}
	}
	scope := v.Scope
	if scope == "" {
		scope = core.ForAll
	}
	return map[string]any{
		"name": v.Name, "doc": orNull(v.Doc), "order": int64(v.Order), "on": on, "scope": string(scope), "server_only": v.Server, "when": orNull(v.When),
		"reads": core.Texts(v.Reads), "reads_old": core.Texts(v.Old), "do": deedRecords(v.Do), "else": deedRecords(v.Else),
	}
}

func deedRecords(in []core.Deed) []any {
	out := make([]any, len(in))
	for i, d := range in {
		out[i] = map[string]any{"do": d.Do, "column": orNull(d.Column), "value": orNull(d.Value), "message": orNull(d.Message)}
	}
	return out
}

func (s *Store) evaluateRules() core.Action {
	names := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Text, List: true, Required: true, Doc: doc}
	}
	return core.Action{
		Name: "evaluate_rules", Alone: true, Reads: core.AnyTable,
		Doc: "Tells what the rules of a table would make of a write, and why, without writing: what forms ask while somebody types. It needs the rights of the write, and tells no more than the write would. " +
			"Keys, limits and required columns are not looked at.",
		Input: []core.Column{
			required(text("table", "The table.")), required(text("op", "create, update or delete.")), {Name: "id", Kind: core.UUID, Doc: "The record that is changed or deleted."},
			{Name: "record", Kind: core.JSON, Doc: `What would be sent: {"price": 10}.`},
		},
		Output: []core.Column{
			{Name: "ok", Kind: core.Boolean, Required: true, Doc: "Whether no rule refuses the write."},
			{Name: "values", Kind: core.JSON, Required: true, Doc: "What rules and defaults give the record besides what is sent."},
			names("required", "Columns that must have a value."), names("locked", "Columns that must stay as they are."), names("hidden", "Columns that forms do not show."),
			{Name: "recommended", Kind: core.Object, List: true, Required: true, Doc: "Values to be offered.", Fields: []core.Column{
				text("column", "The column."), {Name: "value", Kind: core.JSON, Doc: "The value."}, text("message", "Why."),
			}},
			{Name: "refused", Kind: core.Object, List: true, Required: true, Doc: "Every refusal; the write itself tells the first.", Fields: []core.Column{text("rule", "The rule."), text("column", "The column."), text("message", "Why.")}},
			{Name: "trace", Kind: core.Object, List: true, Required: true, Doc: "What each rule made of it, in order.", Fields: []core.Column{
				{Name: "rule", Kind: core.Text, Required: true, Doc: "The rule."},
				{Name: "holds", Kind: core.Boolean, Doc: "The value of its condition."},
				{Name: "later", Kind: core.Boolean, Required: true, Doc: "Whether it checks by other records, and was not asked, since the write is refused before."},
				{Name: "unseen", Kind: core.Boolean, Required: true, Doc: "Whether the condition reads what you may not, so that neither its value nor its parts are told."},
				{Name: "parts", Kind: core.Object, List: true, Required: true, Doc: "The parts of the condition.", Fields: []core.Column{text("source", "The part."), {Name: "value", Kind: core.Boolean, Doc: "Its value."}}},
				{Name: "else", Kind: core.Boolean, Required: true, Doc: "Whether the other actions were done."},
				{Name: "did", Kind: core.Object, List: true, Required: true, Doc: "The actions.", Fields: []core.Column{
					text("do", "What it does."), text("column", "The column."), {Name: "before", Kind: core.JSON, Doc: "The value before."}, {Name: "after", Kind: core.JSON, Doc: "The value after."},
					{Name: "refused", Kind: core.Boolean, Required: true, Doc: "Whether it refuses the write."}, text("message", "What the writer reads."),
				}},
			}},
		},
		Examples: []core.Example{{Doc: "What a gift would be told.", In: core.Record{"table": "product", "op": "create", "record": map[string]any{"price": 0}}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "tables.evaluate_rules"
			in := Evaluate{Table: c.Text("table"), Op: core.Op(c.Text("op")), ID: core.ID(c.Text("id"))}
			if raw, ok := c.In["record"].(json.RawMessage); ok {
				d := json.NewDecoder(bytes.NewReader(raw))
				d.UseNumber()
				if err := d.Decode(&in.Values); err != nil {
					return nil, core.E(op, core.Invalid, core.At{Column: "record"}, `record is an object, such as {"price": 10}`)
				}
			}
			snap := s.Snapshot()
			a, err := s.EvaluateRules(ctx, snap, in)
			if err != nil {
				return nil, core.E(op, err)
			}
			t, err := snap.Schema.Table(in.Table)
			if err != nil {
				return nil, core.E(op, err)
			}
			return a.record(t), nil
		},
	}
}

// record is the advice as an output.
func (a *Advice) record(t *core.Table) core.Record {
	value := func(column string, v any) any {
		if c, ok := t.Column(column); ok && v != nil {
			return json.RawMessage(c.AppendJSON(nil, v))
		}
		return nil
	}
	recommended, refused, trace := []any{}, []any{}, []any{}
	for _, d := range a.Recommended {
		recommended = append(recommended, map[string]any{"column": d.Column, "value": value(d.Column, d.Value), "message": orNull(d.Message)})
	}
	for _, r := range a.Refused {
		refused = append(refused, map[string]any{"rule": r.Rule, "column": orNull(r.Column), "message": r.Message})
	}
	for _, r := range a.Log.Rules {
		parts, did := []any{}, []any{}
		for _, p := range r.Parts {
			parts = append(parts, map[string]any{"source": p.Source, "value": p.Value})
		}
		for _, d := range r.Did {
			did = append(did, map[string]any{"do": d.Do, "column": orNull(d.Column), "before": value(d.Column, d.Before), "after": value(d.Column, d.After), "refused": d.Refused, "message": orNull(d.Message)})
		}
		trace = append(trace, map[string]any{"rule": r.Rule, "holds": r.Holds, "later": r.Later, "unseen": r.Unseen, "parts": parts, "else": r.Else, "did": did})
	}
	return core.Record{
		"ok": len(refused) == 0, "values": json.RawMessage(t.AppendJSON(nil, a.Record)), "required": core.Texts(a.Required), "locked": core.Texts(a.Locked), "hidden": core.Texts(a.Hidden),
		"recommended": recommended, "refused": refused, "trace": trace,
	}
}
