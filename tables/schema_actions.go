package tables

import (
	"context"

	"colonnade/core"
)

// changeInput describes a change as an argument.
var changeInput = []core.Column{
	required(text("change", "create_table, alter_table, rename_table, drop_table, undo_table, purge_table, set_ownership, add_column, alter_column, rename_column, retype_column, drop_column, undo_column, purge_column, "+
		"add_key, rename_key, drop_key, undo_key, add_index, rename_index, drop_index, undo_index, put_rule, rename_rule, drop_rule, put_duplicate_rule, rename_duplicate_rule, drop_duplicate_rule or put_search.")),
	text("table", "The table; of purge_table its physical name."),
	text("name", "The column, key, index or rule of either kind; of purge_column its physical name."),
	text("to", "Of a rename: the new name; of set_ownership: user or organization."),
	text("as", "Of undo_table and undo_column: the name from now on, when the old one is taken."),
	{Name: "define", Kind: core.JSON, Doc: "What create_table, the add changes, put_rule, put_duplicate_rule, put_search and retype_column define: an object as for the actions create_table, add_column, add_index, put_rule."},
	{Name: "set", Kind: core.JSON, Doc: "Of alter_table and alter_column: settings and their values; null takes one away."},
	text("on_loss", "Of retype_column: refuse (the default), or null to empty values that cannot be converted."),
	text("backfill", "Of alter_column that makes a column required: what records without a value get."),
	text("owner", "Of set_ownership: the user or team that the records belong to from now on; who created them when left out."),
}

func (s *Store) schemaActions() []core.Action {
	return []core.Action{
		s.planChangeAction(), s.applyChangeAction(),
		s.simple("rename_table", "Gives a table another name. Records, lookups, rules, roles and flows follow; SQL and history keep the first name.",
			core.Record{"table": "product", "to": "article"}, "table", "to"),
		s.simple("drop_table", "Takes a table out of the schema. Its records are kept for a time, and undo_table brings it back.", core.Record{"table": "product"}, "table"),
		s.simple("undo_table", "Brings a dropped table back.", core.Record{"table": "product"}, "table", "as"),
		s.simple("rename_column", "Gives a column another name. Values, keys, indexes, rules, formulas and roles follow; SQL and history keep the first name.",
			core.Record{"table": "product", "name": "price", "to": "amount"}, "table", "name", "to"),
		s.simple("alter_column", "Changes settings of a column: required, unique, default, options, limits, label, on_delete and the like.",
			core.Record{"table": "product", "name": "price", "set": map[string]any{"required": true, "label": "Price"}, "backfill": "0"}, "table", "name", "set", "backfill"),
		s.simple("retype_column", "Gives a column another kind, and converts its values. The old values are kept for a time, and undo_column brings them back.",
			core.Record{"table": "product", "name": "price", "define": map[string]any{"kind": "text"}}, "table", "name", "define", "on_loss"),
		s.simple("drop_column", "Takes a column out of a table. Its values are kept for a time, and undo_column brings it back.", core.Record{"table": "product", "name": "price"}, "table", "name"),
		s.simple("undo_column", "Brings back a column that was dropped, or that had another kind before.", core.Record{"table": "product", "name": "price"}, "table", "name", "as"),
		s.simple("drop_key", "Takes an alternate key from a table.", core.Record{"table": "product", "name": "by_code"}, "table", "name"),
		s.simple("drop_index", "Takes an index from a table.", core.Record{"table": "product", "name": "dearest"}, "table", "name"),
	}
}

// simple is the action that makes one change of [changeSpecs]; its arguments are those of [changeInput] that are named.
func (s *Store) simple(name, doc string, example core.Record, arguments ...string) core.Action {
	var input []core.Column
	for _, a := range arguments {
		for _, c := range changeInput {
			if c.Name == a {
				c.Required = a == "table" || a == "name" || a == "to" || a == "set" || a == "define"
				input = append(input, c)
			}
		}
	}
	return s.define(name, doc, input, func(in core.Record) (core.Change, error) {
		spec := changeSpec{}
		if err := decodeInput(in, &spec); err != nil {
			return nil, err
		}
		spec.Change = name
		return changeSpecs[name](&spec)
	}, core.Example{In: example})
}

func specsOf(c core.Call) ([]core.Change, error) {
	var specs []changeSpec
	if err := decodeInput(c.In["changes"], &specs); err != nil {
		return nil, err
	}
	return changesOf(specs)
}

var changesInput = required(core.Column{Name: "changes", Kind: core.Object, List: true, Fields: changeInput, Doc: "In order, all or nothing. Renames that follow each other happen at once, so that two names can be swapped."})

var swapExample = core.Record{"changes": []any{
	map[string]any{"change": "rename_column", "table": "product", "name": "price", "to": "cost"},
	map[string]any{"change": "rename_column", "table": "product", "name": "cost", "to": "price"},
}}

func (s *Store) planChangeAction() core.Action {
	return core.Action{
		Name: "plan_change", Doc: "Tells what changes of the schema would do: the statements, what they lock, the records that are written, the values that cannot be kept, what names the tables and columns, and which records rules would refuse as they are then. Nothing is done.",
		Privilege: "define_tables", Input: []core.Column{changesInput}, Output: planOutput,
		Examples: []core.Example{{Doc: "Two columns swap their names.", In: swapExample}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			changes, err := specsOf(c)
			if err != nil {
				return nil, core.E("tables.plan_change", err)
			}
			p, err := s.PlanChange(ctx, changes...)
			if err != nil {
				return nil, core.E("tables.plan_change", err)
			}
			return p.Record(), nil
		},
	}
}

func (s *Store) applyChangeAction() core.Action {
	return core.Action{
		Name: "apply_change", Doc: "Changes the schema: all of the changes or none. On PostgreSQL, indexes of large tables are built before, while writers go on.",
		Privilege: "define_tables", Alone: true,
		Input: []core.Column{
			changesInput,
			text("plan", "What plan_change has answered: the change is refused when it would do something else by now."),
			{Name: "version", Kind: core.Integer, Doc: "The version of the schema that the changes are for; another one refuses them."},
			{Name: "may_block", Kind: core.Boolean, Doc: "Whether writers of a table with more than 20,000 records may wait while it is read or written."},
		},
		Output:   planOutput,
		Examples: []core.Example{{Doc: "Two columns swap their names.", In: swapExample}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			changes, err := specsOf(c)
			if err != nil {
				return nil, core.E("tables.apply_change", err)
			}
			p, err := s.ApplyChange(ctx, ChangeOptions{MayBlock: c.Bool("may_block"), Rules: true, Version: c.Int("version", 0), Plan: c.Text("plan")}, changes...)
			if err != nil {
				return nil, core.E("tables.apply_change", err)
			}
			return p.Record(), nil
		},
	}
}
