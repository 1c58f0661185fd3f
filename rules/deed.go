package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"

	"colonnade/core"
)

// deed is one compiled action of a rule.
type deed struct {
	assignment // the value of set, default and recommend; the column alone for the others
	name       string
	message    message
	do         func(d *deed, t *tableSet, w *Write) error // changes the record, or returns a refusal; nil for advice
}

// deedKind is what there is to know of an action.
type deedKind struct {
	do      func(d *deed, t *tableSet, w *Write) error
	column  bool // needs a column
	writes  bool // changes the column
	value   bool // needs a value
	hint    bool // may have a value
	message bool // needs a message
	silent  bool // takes no message
	deletes bool // may stand in a rule that runs on delete
}

// deeds are the actions by name.
var deeds = map[string]deedKind{
	"set":       {do: setColumn, column: true, writes: true, value: true, silent: true},
	"default":   {do: defaultColumn, column: true, writes: true, value: true, silent: true},
	"clear":     {do: clearColumn, column: true, writes: true, silent: true},
	"require":   {do: requireColumn, column: true, deletes: true},
	"lock":      {do: lockColumn, column: true},
	"hide":      {column: true, silent: true},
	"recommend": {column: true, writes: true, hint: true},
	"fail":      {do: fail, message: true, deletes: true},
}

// problem says what is wrong with an action; empty when nothing is.
func (k *deedKind) problem(source *core.Deed, r *core.Rule) string {
	switch {
	case k.column && source.Column == "":
		return source.Do + " needs a column"
	case k.value && source.Value == "":
		return source.Do + " needs a value"
	case k.message && source.Message == "":
		return source.Do + " needs a message that tells the writer what to do"
	case !k.value && !k.hint && source.Value != "":
		return source.Do + " takes no value"
	case k.hint && source.Value == "" && source.Message == "":
		return source.Do + " needs a value or a message"
	case k.silent && source.Message != "":
		return source.Do + " takes no message: nobody would read it"
	case !k.deletes && slices.Contains(r.On, core.Delete):
		return "a rule that runs on delete only checks, with fail and require: make another rule for " + source.Do
	}
	return ""
}

func compileDeed(env language, t *core.Table, r *core.Rule, source core.Deed) (deed, error) {
	const op = "rules.NewSet"
	d := deed{name: source.Do}
	kind, ok := deeds[source.Do]
	if !ok {
		return d, core.E(op, core.Invalid, fmt.Sprintf("there is no action %q; there are %s", source.Do, strings.Join(slices.Sorted(maps.Keys(deeds)), ", ")))
	}
	d.do = kind.do
	if problem := kind.problem(&source, r); problem != "" {
		return d, core.E(op, core.Invalid, problem)
	}
	var err error
	if d.message, err = compileMessage(env, t, source.Message); err != nil || source.Column == "" {
		return d, err
	}
	if d.column, err = t.Need(source.Column); err != nil {
		return d, err
	}
	if kind.writes && d.column.Kept() {
		return d, core.E(op, core.Invalid, "the rate and the base amount of a currency are computed: set the amount or the currency")
	}
	if kind.writes && (d.column.Calculated() || d.column.System || d.column.Kind == core.Autonumber) {
		return d, core.E(op, core.Invalid, "a calculated column, an autonumber or a system column is not written by rules")
	}
	if source.Value == "" {
		return d, nil
	}
	if d.value, err = compile(env, t, source.Value, Options{Old: true, Memory: true}); err != nil {
		return d, err
	}
	return d, d.value.Fits(d.column)
}

// apply does the action and tells the log.
func (d *deed) apply(t *tableSet, w *Write, log *RuleLog) error {
	var before any
	if d.column != nil && log != nil {
		before = w.Record[d.column.Name]
	}
	var refused error
	if d.do != nil {
		if err := d.do(d, t, w); err != nil {
			if core.KindOf(err) != core.Failed || !w.Advise {
				return err
			}
			refused = err
		}
	}
	if log == nil {
		return nil
	}
	return log.did(t, w, d, before, refused)
}

// refuse is the error for the writer; otherwise is its message when the action has none.
func (d *deed) refuse(t *tableSet, w *Write, otherwise string) error {
	at := core.At{}
	if d.column != nil && w.knows(d.column) {
		at.Column = d.column.Name
	}
	if d.message != nil {
		var err error
		if otherwise, err = d.message.text(t, w); err != nil {
			return err
		}
	}
	return core.E("rules.Apply", core.Failed, at, otherwise)
}

func setColumn(d *deed, t *tableSet, w *Write) error {
	v, err := w.eval(t, d.value)
	if err == nil {
		err = d.put(v, w.Record)
	}
	if err != nil {
		at := core.At{}
		if w.knows(d.column) {
			at.Column = d.column.Name
		}
		return core.E("rules.Apply", at, err)
	}
	return nil
}

func defaultColumn(d *deed, t *tableSet, w *Write) error {
	if w.Record[d.column.Name] != nil {
		return nil
	}
	return setColumn(d, t, w)
}

func clearColumn(d *deed, _ *tableSet, w *Write) error {
	w.Record[d.column.Name] = nil
	return nil
}

func requireColumn(d *deed, t *tableSet, w *Write) error {
	v, err := t.valueOf(d.column, w.Record, w)
	if err != nil {
		return err
	}
	if v == nil {
		return d.refuse(t, w, "a value is required")
	}
	return nil
}

func lockColumn(d *deed, t *tableSet, w *Write) error {
	if w.Op != core.Update {
		return nil
	}
	now, err := t.valueOf(d.column, w.Record, w)
	if err != nil {
		return err
	}
	if _, named := w.Record[d.column.Name]; !named && !d.column.Calculated() {
		return nil // an absent column does not change
	}
	before, err := t.valueOf(d.column, w.Old, w)
	if err != nil {
		return err
	}
	if !same(now, before) {
		return d.refuse(t, w, "the value cannot be changed")
	}
	return nil
}

func fail(d *deed, t *tableSet, w *Write) error { return d.refuse(t, w, "") }

// valueOf returns the column of the record, computed when it is calculated.
func (t *tableSet) valueOf(c *core.Column, r core.Record, w *Write) (any, error) {
	v, ok := r[c.Name]
	if ok || !c.Calculated() || r == nil {
		return v, nil
	}
	in := t.row(r, w.Old, &w.Caller, w.Ask)
	in.moment = w.Now
	return t.formula(in, c.Name)
}

// same reports whether two values of a column are equal.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return types.Equal(wrap(a), wrap(b)) == types.True
}
