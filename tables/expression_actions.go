package tables

import (
	"bytes"
	"context"
	"encoding/json"

	"colonnade/core"
)

func (s *Store) expressionActions() []core.Action {
	return []core.Action{s.checkExpression(), s.completeExpression(), s.evaluateExpression(), s.dependents()}
}

// at returns the snapshot of the unit of work that ctx carries, or the present one.
func (s *Store) at(ctx context.Context) *Snapshot {
	if tx := s.txFrom(ctx); tx != nil {
		return tx.snap
	}
	return s.Snapshot()
}

var (
	tableInput  = required(text("table", "The table."))
	sourceInput = required(text("source", "The expression."))
)

func (s *Store) checkExpression() core.Action {
	return core.Action{
		Name: "check_expression", Doc: "Tells what an expression is worth before it is saved: its type, what it reads, whether the database can compute, store and index it, the SQL; or what is wrong with it, and where.",
		Privilege: "define_tables",
		Input:     []core.Column{tableInput, sourceInput, text("use", "formula (the default), condition of rows, rule or default.")},
		Output: []core.Column{
			{Name: "ok", Kind: core.Boolean, Required: true, Doc: "Whether it can be saved."}, text("type", "Its type, such as decimal."),
			{Name: "reads", Kind: core.Text, List: true, Required: true, Doc: "The columns that it reads, those of other records behind the relations that lead there."},
			{Name: "size", Kind: core.Integer, Doc: "How many parts it has as SQL; 10,000 is too many."},
			text("not_in_sql", "Why the database cannot compute it; null when it can."), text("not_stored", "Why no stored column can keep it; null when one can, and an index on that."),
			text("sql", "The statement that computes it, in this database."), {Name: "arguments", Kind: core.JSON, Doc: "The arguments of the statement."},
			{Name: "problem", Kind: core.Object, Doc: "What is wrong.", Fields: []core.Column{
				text("message", "What is wrong, and what to do."), {Name: "line", Kind: core.Integer, Doc: "Where, from 1."}, {Name: "character", Kind: core.Integer, Doc: "Where in the line, from 1."}, text("excerpt", "The line with a caret."),
			}},
		},
		Examples: []core.Example{{In: core.Record{"table": "product", "source": "price * 1.19"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			use := ExpressionUse(c.Text("use"))
			if use == "" {
				use = UseFormula
			}
			return s.checked(s.at(ctx), c.Text("table"), c.Text("source"), use)
		},
	}
}

// checked is what check_expression answers.
func (s *Store) checked(snap *Snapshot, table, source string, use ExpressionUse) (core.Record, error) {
	const op = "tables.check_expression"
	e, t, err := snap.compileFor(table, source, use)
	if err != nil {
		if in := core.AsError(err); t != nil && in.Kind == core.Invalid {
			return core.Record{"ok": false, "reads": []any{}, "problem": map[string]any{"message": in.Msg, "line": int64(in.Line), "character": int64(in.Pos), "excerpt": orNull(in.Excerpt)}}, nil
		}
		return nil, core.E(op, err)
	}
	reads := make([]any, len(e.Reads))
	for i, r := range e.Reads {
		reads[i] = r.String()
	}
	out := core.Record{"ok": true, "type": e.TypeWord(), "reads": reads, "size": int64(e.Size()), "not_in_sql": orNull(e.Unprintable()), "not_stored": orNull(e.Storable())}
	if e.Unprintable() == "" && len(e.OldColumns) == 0 && e.Type != "choices" {
		text, args, err := s.expressionSQL(snap, t, e)
		if err != nil {
			return nil, core.E(op, err)
		}
		out["sql"], out["arguments"] = text, argumentsOf(args)
	}
	return out, nil
}

func (s *Store) completeExpression() core.Action {
	return core.Action{
		Name: "complete_expression", Doc: "Tells what may stand at a place of an expression: columns, relations, functions, options of the choice that is compared. Columns and tables are told to those who may read them, or may define tables.",
		Input: []core.Column{tableInput, sourceInput, required(core.Column{Name: "position", Kind: core.Integer, Doc: "How many characters stand before the place."})},
		Output: []core.Column{
			{Name: "from", Kind: core.Integer, Required: true, Doc: "How many characters stand before what a candidate takes the place of, up to the position."},
			{Name: "candidates", Kind: core.Object, List: true, Required: true, Doc: "What may stand there.", Fields: []core.Column{
				required(text("text", "What is written.")), required(text("kind", "option, column, relation, aggregate, value or function.")), text("detail", "The type and kind of a column, where a relation leads, how a function is called."), text("doc", "What it is."),
			}},
		},
		Examples: []core.Example{{In: core.Record{"table": "product", "source": "pri", "position": 3}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			position, _ := c.In["position"].(int64)
			found, err := s.at(ctx).CompleteExpression(core.CallerFrom(ctx), c.Text("table"), c.Text("source"), int(position))
			if err != nil {
				return nil, core.E("tables.complete_expression", err)
			}
			candidates := make([]any, len(found.Candidates))
			for i, x := range found.Candidates {
				candidates[i] = map[string]any{"text": x.Text, "kind": x.Kind, "detail": orNull(x.Detail), "doc": orNull(x.Doc)}
			}
			return core.Record{"from": int64(found.From), "candidates": candidates}, nil
		},
	}
}

func (s *Store) evaluateExpression() core.Action {
	return core.Action{
		Name: "evaluate_expression", Reads: core.AnyTable, Doc: "Computes an expression over a record that is there, with your rights, or over values that you give. Decimals are rounded to 10 digits after the point.",
		Privilege: "define_tables",
		Input:     []core.Column{tableInput, sourceInput, {Name: "id", Kind: core.UUID, Doc: "The record."}, {Name: "record", Kind: core.JSON, Doc: `Without id: the values, such as {"price": 10}. They lead to no other records.`}},
		Output:    []core.Column{{Name: "value", Kind: core.JSON, Doc: "The value; null where there is none."}},
		Examples:  []core.Example{{In: core.Record{"table": "product", "source": "price * 1.19", "record": map[string]any{"price": 10}}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "tables.evaluate_expression"
			var given map[string]any
			if raw, ok := c.In["record"].(json.RawMessage); ok {
				d := json.NewDecoder(bytes.NewReader(raw))
				d.UseNumber()
				if err := d.Decode(&given); err != nil {
					return nil, core.E(op, core.Invalid, core.At{Column: "record"}, `record is an object, such as {"price": 10}`)
				}
			}
			v, err := s.EvaluateExpression(ctx, s.at(ctx), c.Text("table"), c.Text("source"), core.ID(c.Text("id")), given)
			if err != nil {
				return nil, core.E(op, err)
			}
			return core.Record{"value": v}, nil
		},
	}
}

func (s *Store) dependents() core.Action {
	return core.Action{
		Name: "dependents", Doc: "Lists what depends on a column: formulas, defaults and rules of all tables, conditions of roles, flows, keys, indexes, duplicate rules.",
		Privilege: "define_tables",
		Input:     []core.Column{tableInput, required(text("column", "The column."))},
		Output: []core.Column{{Name: "dependents", Kind: core.Object, List: true, Required: true, Doc: "What depends on it.", Fields: []core.Column{
			required(text("kind", "formula, default, rule, role, flow, key, index and the like.")), required(text("name", "Its name.")), required(text("table", "Its table.")),
		}}},
		Examples: []core.Example{{In: core.Record{"table": "product", "column": "price"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			found, err := s.Dependents(ctx, c.Text("table"), c.Text("column"))
			if err != nil {
				return nil, core.E("tables.dependents", err)
			}
			out := make([]any, len(found))
			for i, d := range found {
				out[i] = map[string]any{"kind": d.Kind, "name": d.Name, "table": d.Table}
			}
			return core.Record{"dependents": out}, nil
		},
	}
}
