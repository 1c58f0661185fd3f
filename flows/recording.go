package flows

import (
	"errors"
	"fmt"

	"colonnade/core"
	"colonnade/tables"
)

// A recording does not hold the values of data classes that are kept out of logs: withheld is in their place. A run goes on with the
// values themselves, which stand beside, in columns that nobody reads, until it has ended.

// withheld stands for what a recording does not hold.
const withheld = "…"

// unlogged returns the first of the columns whose values logs and recordings do not hold, and the data class that says so.
func unlogged(snap *tables.Snapshot, columns []core.At) (at core.At, class string) {
	for _, at := range columns {
		if h, class := snap.Handling(at.Table, at.Column, core.UseLog); h == core.Deny {
			return at, class
		}
	}
	return core.At{}, ""
}

// shownTrigger returns what the recording of a run shows of the JSON that its expressions see as trigger; nil for all of it.
func shownTrigger(snap *tables.Snapshot, d *definition, input []byte) ([]byte, error) {
	e := d.trigger.event
	if e == nil || len(snap.Schema.DataClasses()) == 0 {
		return nil, nil
	}
	t, err := snap.Schema.Table(e.table)
	if err != nil {
		return nil, err
	}
	var hidden []string
	for i := range t.Columns {
		if _, class := unlogged(snap, []core.At{{Table: t.Name, Column: t.Columns[i].Name}}); class != "" {
			hidden = append(hidden, t.Columns[i].Name)
		}
	}
	if len(hidden) == 0 {
		return nil, nil
	}
	var trigger map[string]any
	if err := unmarshal(input, &trigger); err != nil {
		return nil, err
	}
	records, _ := trigger["records"].([]any)
	for _, r := range append(records, trigger["record"], trigger["old"]) {
		withhold(r, hidden)
	}
	return toJSON(trigger)
}

// withhold takes the columns out of a record.
func withhold(record any, columns []string) {
	r, _ := record.(map[string]any)
	for _, name := range columns {
		if r[name] != nil {
			r[name] = withheld
		}
	}
}

// shown fills what the recording of the step shows of the JSON that it keeps.
func (m *mark) shown(t *trace) (err error) {
	m.shownInput, m.shownOutput = nil, nil
	of := t.of(m.step)
	if of == nil || of.secret == "" {
		return nil
	}
	show := func(raw []byte, of func(v map[string]any)) []byte {
		var v map[string]any
		if bad := unmarshal(raw, &v); raw == nil || bad != nil {
			err = errors.Join(err, bad)
			return nil
		}
		of(v)
		out, bad := toJSON(v)
		err = errors.Join(err, bad)
		return out
	}
	switch m.kind {
	case "action":
		m.shownInput = show(m.input, func(v map[string]any) { t.withhold(m.step.values, v) })
		m.shownOutput = show(m.output, all)
	case "set":
		m.shownOutput = show(m.output, func(v map[string]any) { t.withhold(m.step.values, v) })
	case "for_each":
		m.shownInput = show(m.input, all)
	case "wait", "call", "approval":
		m.shownInput, m.shownOutput = show(m.input, all), show(m.output, all)
	case "terminate":
		m.shownOutput = show(m.output, func(v map[string]any) {
			if v["message"] != nil {
				v["message"] = withheld
			}
		})
	}
	return err
}

// all withholds every value.
func all(v map[string]any) {
	for name := range v {
		v[name] = withheld
	}
}

// withhold takes out of the values of fields what expressions have made of columns that are kept out of logs.
func (t *trace) withhold(fields []field, v map[string]any) {
	for _, f := range fields {
		v[f.name] = t.without(f.value, v[f.name])
	}
}

func (t *trace) without(of *value, v any) any {
	switch {
	case t.hidden[of]:
		return withheld
	case of.object != nil:
		if object, ok := v.(map[string]any); ok {
			t.withhold(of.object, object)
		}
	case of.list != nil:
		if list, ok := v.([]any); ok && len(list) == len(of.list) {
			for i := range list {
				list[i] = t.without(of.list[i], list[i])
			}
		}
	}
	return v
}

// shownVariables are the variables as the recording of the run shows them.
func (t *trace) shownVariables(vars map[string]any) map[string]any {
	if t == nil {
		return vars
	}
	out := make(map[string]any, len(vars))
	for name, v := range vars {
		if out[name] = v; t.variables[name] {
			out[name] = withheld
		}
	}
	return out
}

// logged returns the error of a step as the recording and the log hold it.
func (in *interpreter) logged(st *step, err error) error {
	snap := in.s.store.Snapshot()
	t, bad := in.flow.trace(snap, in.r.owner)
	if of := t.of(st); bad == nil && (of == nil || of.secret == "") {
		return snap.Logged(err)
	} else if bad == nil {
		return core.E("flows.logged", core.KindOf(err), of.at, fmt.Sprintf("what went wrong is not recorded: it may tell values of %s, whose data class %s keeps them out of logs", of.at, of.secret))
	}
	return err
}
