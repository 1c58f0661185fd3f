package rules

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"colonnade/core"
)

// rule is a compiled [core.Rule].
type rule struct {
	name  string
	on    []core.Op
	when  *Expr // nil for always
	deeds []deed
}

// deed is one compiled action of a rule. It changes the record, or returns a refusal.
type deed struct {
	assignment // set and default; the column alone for the others
	message    string
	do         func(d *deed, t *tableSet, w *write) error
}

// write is the record that rules look at and change.
type write struct {
	op     core.Op
	r, old core.Record
	caller *core.Caller
}

// deeds are the actions by name.
var deeds = map[string]struct {
	do              func(d *deed, t *tableSet, w *write) error
	column          bool // needs a column
	writes          bool // changes the column
	value, messages bool // needs a value, needs a message
}{
	"set":     {do: setColumn, column: true, writes: true, value: true},
	"default": {do: defaultColumn, column: true, writes: true, value: true},
	"clear":   {do: clearColumn, column: true, writes: true},
	"require": {do: requireColumn, column: true},
	"lock":    {do: lockColumn, column: true},
	"fail":    {do: fail, messages: true},
}

func compileRule(env *cel.Env, t *core.Table, source core.Rule) (rule, error) {
	const op = "rules.NewSet"
	r := rule{name: source.Name, on: source.On}
	for _, o := range source.On {
		if o != core.Create && o != core.Update {
			return r, core.E(op, core.Invalid, fmt.Sprintf("a rule runs on create and update, not on %q", o))
		}
	}
	if len(source.Do) == 0 {
		return r, core.E(op, core.Invalid, "the rule does nothing: add an action")
	}
	if strings.TrimSpace(source.When) != "" {
		var err error
		if r.when, err = compile(env, t, source.When, Options{Old: true, Memory: true}); err != nil {
			return r, err
		}
		if r.when.Type != "bool" {
			return r, core.E(op, core.Invalid, core.At{Line: 1, Pos: 1}, "the condition is "+aWord(r.when.Type)+", and should be true or false")
		}
	}
	for i, d := range source.Do {
		compiled, err := compileDeed(env, t, d)
		if err != nil {
			return r, core.E(op, core.At{Column: d.Column, Item: i + 1}, err)
		}
		r.deeds = append(r.deeds, compiled)
	}
	return r, nil
}

func compileDeed(env *cel.Env, t *core.Table, source core.Deed) (deed, error) {
	const op = "rules.NewSet"
	d := deed{message: source.Message}
	kind, ok := deeds[source.Do]
	if !ok {
		return d, core.E(op, core.Invalid, fmt.Sprintf("there is no action %q; there are clear, default, fail, lock, require and set", source.Do))
	}
	d.do = kind.do
	problem := ""
	switch {
	case kind.column && source.Column == "":
		problem = source.Do + " needs a column"
	case kind.value && source.Value == "":
		problem = source.Do + " needs a value"
	case kind.messages && source.Message == "":
		problem = source.Do + " needs a message that tells the writer what to do"
	case !kind.value && source.Value != "":
		problem = source.Do + " takes no value"
	}
	if problem != "" {
		return d, core.E(op, core.Invalid, problem)
	}
	if source.Column == "" {
		return d, nil
	}
	var err error
	if d.column, err = t.Need(source.Column); err != nil {
		return d, err
	}
	if kind.writes && d.column.Kept() {
		return d, core.E(op, core.Invalid, "the rate and the base amount of a currency are computed: set the amount or the currency")
	}
	if kind.writes && (d.column.Calculated() || d.column.System || d.column.Kind == core.Autonumber) {
		return d, core.E(op, core.Invalid, "a calculated column, an autonumber or a system column is not written by rules")
	}
	if !kind.value {
		return d, nil
	}
	if d.value, err = compile(env, t, source.Value, Options{Old: true, Memory: true}); err != nil {
		return d, err
	}
	return d, d.value.Fits(d.column)
}

// Apply runs the business rules of the table, in their order, over the record r that is about to be written, and changes
// it in place. old is the record before the change, nil on create. Conditions and values see what earlier actions did.
//
// A refusal is an error of the kind Failed with the rule, the column and the message for the writer.
func (s *Set) Apply(table string, op core.Op, r, old core.Record, c core.Caller) error {
	t, ok := s.tables[table]
	if !ok {
		return core.E("rules.Apply", core.NotFound, core.At{Table: table}, "there is no such table")
	}
	w := &write{op: op, r: r, old: old, caller: &c}
	for i := range t.rules {
		if err := t.rules[i].apply(t, w); err != nil {
			return core.E("rules.Apply", core.At{Table: table, Rule: t.rules[i].name}, err)
		}
	}
	return nil
}

func (r *rule) apply(t *tableSet, w *write) error {
	if len(r.on) > 0 && !slices.Contains(r.on, w.op) {
		return nil
	}
	if r.when != nil {
		in := t.row(w.r, w.old, w.caller)
		in.e = r.when
		v, err := r.when.eval(&in)
		if err != nil || v != true {
			return err
		}
	}
	for i := range r.deeds {
		if err := r.deeds[i].do(&r.deeds[i], t, w); err != nil {
			return err
		}
	}
	return nil
}

func (d *deed) refuse(otherwise string) error {
	at := core.At{}
	if d.column != nil {
		at.Column = d.column.Name
	}
	if d.message != "" {
		otherwise = d.message
	}
	return core.E("rules.Apply", core.Failed, at, otherwise)
}

func setColumn(d *deed, t *tableSet, w *write) error {
	if err := t.assign(d.assignment, w.r, w.old, w.caller); err != nil {
		return core.E("rules.Apply", core.At{Column: d.column.Name}, err)
	}
	return nil
}

func defaultColumn(d *deed, t *tableSet, w *write) error {
	if w.r[d.column.Name] != nil {
		return nil
	}
	return setColumn(d, t, w)
}

func clearColumn(d *deed, _ *tableSet, w *write) error {
	w.r[d.column.Name] = nil
	return nil
}

func requireColumn(d *deed, t *tableSet, w *write) error {
	v, err := t.valueOf(d.column, w.r, w)
	if err != nil {
		return err
	}
	if v == nil {
		return d.refuse("a value is required")
	}
	return nil
}

func lockColumn(d *deed, t *tableSet, w *write) error {
	if w.op != core.Update {
		return nil
	}
	now, err := t.valueOf(d.column, w.r, w)
	if err != nil {
		return err
	}
	if _, named := w.r[d.column.Name]; !named && !d.column.Calculated() {
		return nil // an absent column does not change
	}
	before, err := t.valueOf(d.column, w.old, w)
	if err != nil {
		return err
	}
	if !same(now, before) {
		return d.refuse("the value cannot be changed")
	}
	return nil
}

func fail(d *deed, _ *tableSet, _ *write) error { return d.refuse("") }

// valueOf returns the column of the record, computed when it is calculated.
func (t *tableSet) valueOf(c *core.Column, r core.Record, w *write) (any, error) {
	v, ok := r[c.Name]
	if ok || !c.Calculated() || r == nil {
		return v, nil
	}
	return t.formula(t.row(r, w.old, w.caller), c.Name)
}

// same reports whether two values of a column are equal.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return types.Equal(wrap(a), wrap(b)) == types.True
}
