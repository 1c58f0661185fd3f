package flows

import (
	"maps"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
	"colonnade/tables"
)

// check looks up the actions of the steps and compiles their expressions. The definition is ready to run then.
func (d *definition) check(actions map[string]*core.Action) error {
	return d.checkSteps(d.steps, d.scope(), actions)
}

// compile returns the condition of the trigger for the tables of the schema; nil without one.
func (e *event) compile(schema *core.Schema) (*rules.Expr, error) {
	t, err := schema.Table(e.table)
	if err != nil {
		return nil, e.at.problem("", "table %s: %s", e.table, core.AsError(err).Msg)
	}
	if t.Builtin {
		return nil, e.at.problem("", "table %s is kept by Colonnade and has no events: choose another", e.table)
	}
	if e.when == "" {
		return nil, nil
	}
	x, err := rules.Compile(schema, t, e.when, rules.Options{Old: true, Memory: true})
	if err != nil {
		err := core.AsError(err)
		return nil, e.whenAt.within(err.Line, err.Pos).problem("", "when: %s", message(err))
	}
	if x.Type != "bool" {
		return nil, e.whenAt.problem("", "when is a condition, and not a %s: compare it with something", x.Type)
	}
	return x, nil
}

// told checks that events tell of the change of what the condition compares with the record before, and that the user that the
// flow acts as may read what it reads of other records.
func (e *event) told(when *rules.Expr, snap *tables.Snapshot, as core.ID) error {
	if when == nil {
		return nil
	}
	caller, err := snap.Policy.Caller(as, core.Cause{Kind: "flow"})
	if err != nil {
		return err
	}
	if missing := snap.MayRead(caller, when); missing != "" {
		return e.whenAt.problem("", "when: the user that the flow acts as may not read %s: leave it out, or have the flow run_as somebody who may", missing)
	}
	t, err := snap.Schema.Table(e.table)
	if err != nil {
		return err
	}
	for _, name := range when.OldColumns {
		if c, ok := t.Column(name); ok && c.Virtual() && snap.Rules.Reaches(t.Name, name) {
			return e.whenAt.problem("", "when: old.%s is not known: the column is computed from other records when it is read, so no event tells that it has changed. Set stored on the column", name)
		}
	}
	return nil
}

func (d *definition) scope() *scope {
	s := &scope{trigger: []string{"kind"}}
	t := &d.trigger
	switch {
	case t.event != nil && t.event.batched:
		s.trigger = append(s.trigger, "table", "at", "records")
	case t.event != nil:
		s.trigger = append(s.trigger, "table", "op", "at", "actor", "record", "old", "records")
	case t.cron != nil:
		s.trigger = append(s.trigger, "at")
	case t.webhook != nil:
		s.trigger = append(s.trigger, "at", "id", "body")
		if t.webhook.typed {
			s.trigger, s.inputs = append(s.trigger, "input"), named(t.webhook.input)
		}
	default:
		s.trigger, s.inputs = append(s.trigger, "at", "input"), named(t.manual.input)
	}
	return s
}

func named(columns []core.Column) (out []string) {
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

func (d *definition) checkSteps(list []*step, s *scope, actions map[string]*core.Action) error {
	for _, st := range list {
		if err := d.checkStep(st, s, actions); err != nil {
			return err
		}
		if st.id != "" && st.returns() {
			s.steps = append(s.steps, st.id)
		}
		if err := d.checkErrors(st, s, actions); err != nil {
			return err
		}
	}
	return nil
}

func (d *definition) checkStep(st *step, s *scope, actions map[string]*core.Action) error {
	if st.cond != nil {
		if err := st.cond.compile(s, st.path); err != nil {
			return err
		}
	}
	for _, f := range st.values {
		if err := f.value.compile(s, st.path); err != nil {
			return err
		}
	}
	switch st.kind {
	case "action":
		return d.checkAction(st, actions)
	case "wait", "approval":
		return checkAwait(st, s)
	case "call":
		if err := core.CheckName("flow", st.action); err != nil {
			return st.at.problem(st.path, "%s", core.AsError(err).Msg)
		}
	case "set":
		for _, f := range st.values {
			if !contains(s.vars, f.name) {
				s.vars = append(s.vars, f.name)
			}
		}
	case "if", "switch", "try":
		for _, list := range [][]*step{st.then, st.body} {
			if err := d.checkSteps(list, s, actions); err != nil {
				return err
			}
		}
		for _, c := range st.cases {
			if err := d.checkSteps(c.steps, s, actions); err != nil {
				return err
			}
		}
		if err := d.checkSteps(st.els, s, actions); err != nil {
			return err
		}
	case "parallel":
		return d.checkBranches(st, s, actions)
	case "for_each":
		if contains(s.names(), st.as) || st.as == "caller" || st.as == "error" {
			return st.at.problem(st.path, "the name %s is taken here: choose another with as", st.as)
		}
		before := len(s.steps)
		s.items = append(s.items, st.as)
		err := d.checkSteps(st.body, s, actions)
		s.items = s.items[:len(s.items)-1]
		s.steps = s.steps[:before] // what they returned ends with the item
		return err
	}
	return nil
}

// checkBranches checks the branches of a parallel step, none of which sees what another returns or sets.
func (d *definition) checkBranches(st *step, s *scope, actions map[string]*core.Action) error {
	steps, vars := s.steps, s.vars
	var returned []string
	by := map[string]string{} // the branch that sets a variable
	for _, b := range st.branches {
		s.steps, s.vars = slices.Clip(steps), slices.Clip(vars)
		if err := d.checkSteps(b.steps, s, actions); err != nil {
			return err
		}
		returned = append(returned, s.steps[len(steps):]...)
		var bad error
		eachOf(b.steps, func(inner *step) {
			if inner.kind != "set" {
				return
			}
			for _, f := range inner.values {
				if other, ok := by[f.name]; ok && other != b.name && bad == nil {
					bad = f.value.at.problem(inner.path, "the branch %s sets %s too, and nobody knows which comes last: choose another name", other, f.name)
				}
				by[f.name] = b.name
			}
		})
		if bad != nil {
			return bad
		}
	}
	s.steps, s.vars = append(slices.Clip(steps), returned...), slices.Clip(vars)
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if !contains(s.vars, name) {
			s.vars = append(s.vars, name)
		}
	}
	return nil
}

// checkErrors checks the steps that undo the step, those that are run when it fails, which see error, and those that are run in any case.
func (d *definition) checkErrors(st *step, s *scope, actions map[string]*core.Action) error {
	if err := d.checkUndo(st, s, actions); err != nil {
		return err
	}
	before := s.items
	if !contains(s.items, "error") {
		s.items = append(s.items[:len(s.items):len(s.items)], "error")
	}
	for _, list := range [][]*step{st.catch, st.onError} {
		if err := d.checkSteps(list, s, actions); err != nil {
			return err
		}
	}
	s.items = before
	return d.checkSteps(st.finally, s, actions)
}

// checkUndo checks the steps that undo the step: what they set and return is nothing to the steps that follow in the text.
func (d *definition) checkUndo(st *step, s *scope, actions map[string]*core.Action) error {
	var bad *step
	eachOf(st.undo, func(inner *step) {
		if inner.kind == "terminate" || inner.undo != nil {
			bad = inner
		}
	})
	if bad != nil {
		return bad.at.problem(bad.path, "steps that undo another neither end the run nor are undone themselves: leave terminate and undo out here")
	}
	steps, vars := len(s.steps), len(s.vars)
	err := d.checkSteps(st.undo, s, actions)
	s.steps, s.vars = s.steps[:steps], s.vars[:vars]
	return err
}

func (d *definition) checkAction(st *step, actions map[string]*core.Action) error {
	a, ok := actions[st.action]
	if !ok {
		all := slices.Sorted(maps.Keys(actions))
		hint := guess(st.action, all)
		if hint == "" {
			hint = "; there are: " + strings.Join(all, ", ")
		}
		return st.at.problem(st.path, "there is no action %s%s", st.action, hint)
	}
	st.actionSpec = a
	return checkFields(st.values, a.Input, st.at, st.path, "action "+a.Name)
}

// checkFields compares values with the columns that they are for.
func checkFields(fields []field, columns []core.Column, at place, path, what string) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	for _, f := range fields {
		i := slices.Index(names, f.name)
		if i < 0 {
			return f.value.at.problem(path, "%s takes no %s%s; it takes: %s", what, f.name, guess(f.name, names), strings.Join(names, ", "))
		}
		if err := f.value.fits(&columns[i], path); err != nil {
			return err
		}
	}
	for _, c := range columns {
		if !c.Required {
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == c.Name })
		if i < 0 {
			return at.problem(path, "%s needs %s (%s): add it to with", what, c.Name, c.Kind)
		}
		if v := fields[i].value; v.fixed() && v.list == nil && v.object == nil && v.literal == nil {
			return v.at.problem(path, "%s needs %s, and it is empty", what, c.Name)
		}
	}
	return nil
}

// fits checks what is known of v before it runs.
func (v *value) fits(c *core.Column, path string) error {
	switch {
	case v.isExpr:
		return nil
	case c.List && v.list != nil:
		one := *c
		one.List = false
		for _, item := range v.list {
			if err := item.fits(&one, path); err != nil {
				return err
			}
		}
		return nil
	case c.Kind == core.Object && v.object != nil:
		return checkFields(v.object, c.Fields, v.at, path, c.Name)
	case !v.fixed() && c.Kind != core.JSON:
		return v.at.problem(path, "%s is a %s, and not %s", c.Name, c.Kind, v.form())
	case !v.fixed():
		return nil
	}
	plain, err := v.eval(nil, core.Caller{})
	if err != nil {
		return err
	}
	if _, err := c.Parse(plain); err != nil {
		return v.at.problem(path, "%s: %s", c.Name, core.AsError(err).Msg)
	}
	return nil
}

func (v *value) form() string {
	if v.list != nil {
		return "a list"
	}
	return "an object"
}
