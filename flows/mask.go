package flows

import (
	"maps"

	"colonnade/core"
	"colonnade/tables"
)

// maskedScope returns what the expressions of a step see whose action gives values to a model: the records of the trigger, and those of
// them that for_each steps go through, with what their masks make of the values that models read masked.
func (in *interpreter) maskedScope(snap *tables.Snapshot, of *traced) (map[string]any, error) {
	e := in.flow.trigger.event
	t, err := snap.Schema.Table(e.table)
	if err != nil {
		return nil, core.E("flows.maskedScope", err)
	}
	scope := maps.Clone(in.scope)
	trigger := maps.Clone(in.r.input)
	scope["trigger"] = trigger
	for _, name := range []string{"record", "old"} {
		record, ok := trigger[name]
		if !ok {
			continue
		}
		if trigger[name], err = masked(snap, t, record); err != nil {
			return nil, err
		}
	}
	if list, ok := trigger["records"].([]any); ok {
		records := make([]any, len(list))
		for i, r := range list {
			if records[i], err = masked(snap, t, r); err != nil {
				return nil, err
			}
		}
		trigger["records"] = records
	}
	for _, name := range of.items {
		if scope[name], err = masked(snap, t, scope[name]); err != nil {
			return nil, err
		}
	}
	return scope, nil
}

// masked returns the record, which is of the table, as models read it.
func masked(snap *tables.Snapshot, t *core.Table, record any) (any, error) {
	r, ok := record.(map[string]any)
	if !ok {
		return record, nil
	}
	out := maps.Clone(r)
	for name, v := range r {
		c, ok := t.Column(name)
		if !ok {
			continue
		}
		if h, _ := snap.Handling(t.Name, name, core.UseModel); h != core.Mask {
			continue
		}
		out[name] = nil
		mask := snap.Rules.Mask(t.Name, name)
		if mask == nil || v == nil {
			continue
		}
		parsed, err := c.Parse(v)
		if err == nil {
			parsed, err = mask.Masked(c, parsed)
		}
		var raw []byte
		if err == nil {
			raw, err = toJSON(parsed)
		}
		var plain any
		if err == nil {
			err = unmarshal(raw, &plain)
		}
		if err != nil {
			return nil, core.E("flows.masked", core.At{Table: t.Name, Column: name}, err)
		}
		out[name] = plain
	}
	return out, nil
}
