package rules

import (
	"maps"
	"slices"
	"strings"

	"colonnade/core"
)

// Check is a rule that is held against records that are there already: each as if it were written again as it is, or
// created or deleted where the rule runs on nothing else.
type Check struct {
	// Broken is the condition on the records that the rule refuses; nil when it has no SQL form, or when the rule changes records:
	// then ask [Check.Try] for each.
	Broken *Expr

	op   core.Op
	set  *Set
	t    *tableSet
	rule rule
}

// Check compiles the rule for records of the table, as it would be with the others of the table, and runs their tests.
func (s *Set) Check(table string, source core.Rule) (*Check, error) {
	const op = "rules.Check"
	t, ok := s.tables[table]
	if !ok {
		return nil, core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	c := &Check{op: core.Create, set: s}
	for _, o := range []core.Op{core.Delete, core.Create, core.Update} {
		if source.Runs(o) {
			c.op = o
		}
	}
	next := *t.table
	next.Rules = slices.DeleteFunc(slices.Clone(next.Rules), func(r core.Rule) bool { return r.Name == source.Name })
	source.Disabled = false
	next.Rules = append(next.Rules, source)
	core.SortRules(next.Rules)
	var err error
	if c.t, err = t.with(&next); err != nil {
		return nil, core.E(op, core.At{Table: table}, err)
	}
	i := slices.IndexFunc(c.t.rules, func(r rule) bool { return r.source.Name == source.Name })
	c.rule = c.t.rules[i]
	if err := (&Set{tables: map[string]*tableSet{table: c.t}}).Test(table); err != nil {
		return nil, core.E(op, err)
	}
	c.Broken, err = c.condition()
	return c, core.E(op, err)
}

// with returns t with the rules of another definition of its table.
func (t *tableSet) with(next *core.Table) (*tableSet, error) {
	out := *t
	out.table, out.rules = next, nil
	env, err := tableEnv(t.schema, next, Options{Old: true})
	if err != nil {
		return nil, err
	}
	if err := out.compileRules(env); err != nil {
		return nil, err
	}
	return &out, out.sortRules()
}

func (t *tableSet) compileRules(env language) error {
	for i := range t.table.Rules {
		r, err := compileRule(env, t.table, &t.table.Rules[i])
		if err != nil {
			return core.E("rules.NewSet", core.At{Rule: t.table.Rules[i].Name}, err)
		}
		if !r.source.Disabled {
			t.rules = append(t.rules, r)
		}
	}
	return nil
}

// condition returns Broken.
func (c *Check) condition() (*Expr, error) {
	if c.op != core.Update {
		return nil, nil
	}
	var parts []string
	for _, branch := range []struct {
		deeds []core.Deed
		when  string
	}{{c.rule.source.Do, ""}, {c.rule.source.Else, "!"}} {
		when := "true"
		if c.rule.when != nil {
			when = branch.when + "coalesce(" + c.rule.source.When + "\n, false)"
		}
		for _, d := range branch.deeds {
			switch {
			case deeds[d.Do].writes && d.Do != "recommend":
				return nil, nil
			case d.Do == "fail":
				parts = append(parts, when)
			case d.Do == "require":
				parts = append(parts, when+" && isNull("+d.Column+")")
			}
		}
	}
	if len(parts) == 0 {
		parts = []string{"false"}
	}
	o := Options{Old: true, Unchanged: true}
	env, err := tableEnv(c.t.schema, c.t.table, o)
	if err != nil {
		return nil, err
	}
	e, err := compile(env, c.t.table, "("+strings.Join(parts, ") || (")+")", o)
	if err != nil { // it is compiled already, so what is missing is its SQL form
		return nil, nil
	}
	return e, nil
}

// Found is what a rule makes of a record that is there.
type Found struct {
	Broken  bool   // the rule refuses it
	Message string // why
	Changed bool   // the rule gives it other values
}

// Try tells what the rule makes of the record, which holds its calculated columns or what they are calculated from.
func (c *Check) Try(r core.Record, caller core.Caller, ask Ask) (Found, error) {
	w := &Write{Op: c.op, Record: maps.Clone(r), Old: r, Caller: caller, Ask: ask, Log: &Log{}, Advise: true}
	for _, name := range c.t.order {
		delete(w.Record, name) // the rule may change what they are calculated from
	}
	if c.op == core.Create {
		w.Old = nil
	}
	if err := c.rule.apply(c.t, w); err != nil {
		return Found{}, core.E("rules.Try", err)
	}
	var out Found
	for _, l := range w.Log.Rules {
		for _, d := range l.Did {
			if d.Refused && !out.Broken {
				out.Broken, out.Message = true, d.Message
			}
		}
	}
	for name, v := range w.Record {
		out.Changed = out.Changed || !same(v, r[name])
	}
	return out, nil
}
