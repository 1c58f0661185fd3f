package tables

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"colonnade/authz"
	"colonnade/core"
)

// optionInput describes the options of a column; those of a status have states too.
var optionInput = []core.Column{
	required(text("value", "What is stored.")), text("label", "What people read."), text("color", "How it is shown."),
	{Name: "retired", Kind: core.Boolean, Doc: "Whether it is not chosen any more; records that have it keep it."},
}

var statusInput = append(slices.Clone(optionInput),
	text("state", "Of a status: the group of the option, such as active or inactive."),
	core.Column{Name: "initial", Kind: core.Boolean, Doc: "Of a status: whether a record may begin with it; the first one is the default."},
	core.Column{Name: "next", Kind: core.Text, List: true, Doc: "Of a status: the options that may follow it. When no option has any, each may follow each."},
)

func (s *Store) putOptions() core.Action {
	input := []core.Column{
		required(text("name", "The name of the set, such as priority; a set of that name is replaced, for all columns that share it.")),
		text("label", "The name for people."), text("doc", "What the options are about."),
		required(core.Column{Name: "options", Kind: core.Object, List: true, Fields: optionInput, Doc: "The options, in the order in which people see them."}),
	}
	return s.define("put_options", "Adds or replaces a set of options, which choices share: name it as option_set of a column.", input, func(in core.Record) (core.Change, error) {
		var set core.OptionSet
		err := decodeInput(in, &set)
		return core.PutOptions{Put: set}, err
	}, core.Example{Doc: "One list of priorities for all tables.", In: core.Record{"name": "priority", "options": []any{
		map[string]any{"value": "high", "label": "High", "color": "#c00"}, map[string]any{"value": "low", "label": "Low"},
	}}})
}

func (s *Store) dropOptions() core.Action {
	input := []core.Column{required(text("name", "The set."))}
	return s.define("drop_options", "Removes a set of options that no column shares.", input, func(in core.Record) (core.Change, error) {
		name, _ := in["name"].(string)
		return core.DropOptions{Name: name}, nil
	}, core.Example{In: core.Record{"name": "priority"}})
}

func (s *Store) describeOptions() core.Action {
	return core.Action{
		Name: "describe_options",
		Doc: "Lists the options of a column that you may read or write, in their order, and what may follow each: for forms. " +
			"What may follow in one record is its field <column>_next.",
		Input:    []core.Column{required(text("table", "The table.")), required(text("column", "A choice, choices or a status."))},
		Output:   []core.Column{{Name: "options", Kind: core.Object, List: true, Fields: statusInput, Doc: "The options, with the retired ones."}},
		Examples: []core.Example{{Doc: "The options of a column.", In: core.Record{"table": "product", "column": "stage"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			column, err := s.nameable(ctx, c.Text("table"), c.Text("column"))
			if err != nil {
				return nil, core.E("tables.describe_options", err)
			}
			list := []any{}
			for _, o := range column.Options {
				option := map[string]any{"value": o.Value, "label": orNull(o.Label), "color": orNull(o.Color), "retired": o.Retired}
				if column.Kind == core.Status {
					next := []any{}
					for _, v := range column.Next(o.Value) {
						next = append(next, v)
					}
					option["state"], option["initial"], option["next"] = o.State, slices.Contains(column.Initials(), o.Value), next
				}
				list = append(list, option)
			}
			return core.Record{"options": list}, nil
		},
	}
}

// nameable returns a column that the caller may read or write in some record; any other is like one that is not there.
func (s *Store) nameable(ctx context.Context, table, column string) (*core.Column, error) {
	snap := s.Snapshot()
	if tx := s.txFrom(ctx); tx != nil {
		snap = tx.snap
	}
	caller := core.CallerFrom(ctx)
	var may []*authz.Decision
	var refused error
	for _, op := range []core.Op{core.Read, core.Create, core.Update} {
		_, d, err := snap.decide(caller, table, op)
		if err != nil {
			if refused == nil {
				refused = err
			}
			continue
		}
		may = append(may, d)
	}
	if len(may) == 0 {
		return nil, refused
	}
	t, err := snap.Schema.Table(table)
	if err != nil {
		return nil, err
	}
	c, ok := t.Column(column)
	if !ok || !slices.ContainsFunc(may, func(d *authz.Decision) bool { visible, _ := d.Column(column); return visible }) {
		return nil, unknownColumn(t, column, may...)
	}
	return c, nil
}

// decodeInput copies normalised arguments into a struct with JSON tags of the same names.
func decodeInput(in any, out any) error {
	if err := json.Unmarshal(core.AppendValue(nil, in), out); err != nil {
		if of := new(core.Error); errors.As(err, &of) { // a value says what is wrong with it
			return core.E("tables.decodeInput", err)
		}
		return core.E("tables.decodeInput", core.Invalid, "the arguments do not fit together", err)
	}
	return nil
}
