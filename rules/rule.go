package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"colonnade/core"
)

// rule is a compiled [core.Rule].
type rule struct {
	source    *core.Rule
	when      *Expr // nil for always
	do        []deed
	otherwise []deed
	parts     func() ([]part, error) // of the condition, for a log

	needs []*Need // what it reads of other records
	late  bool    // it checks by them, and so looks when the record is written
}

// Write is a record that is about to be written, as its rules see it and change it.
type Write struct {
	Op     core.Op
	Record core.Record // as it will be; of a delete, as it is. Rules change it in place.
	Old    core.Record // before; nil on create
	Caller core.Caller
	Now    time.Time // of now() and today(); the present when zero
	Viewer Viewer    // nil when the writer may know everything
	Ask    Ask       // answers what the rules read of other records

	// Log is told what the rules do; nil when nobody asks.
	Log *Log

	// Advise collects refusals in Log, and goes on.
	Advise bool
}

// Viewer says what the writer may know: refusals, messages and logs tell no more.
type Viewer interface {
	// Knows reports whether the writer may know that there is the column.
	Knows(column string) bool
	// Sees reports whether the writer may read the column of the record, as it will be or, with old, as it was.
	Sees(column string, old bool) (bool, error)
	// Reaches reports whether the writer may read all that the expression reads of other records.
	Reaches(e *Expr) (bool, error)
}

// sees reports whether the writer may read all that the expression reads. nil reads nothing.
func (w *Write) sees(e *Expr) (bool, error) {
	if w.Viewer == nil || e == nil {
		return true, nil
	}
	if len(e.Needs) > 0 {
		if ok, err := w.Viewer.Reaches(e); err != nil || !ok {
			return false, err
		}
	}
	for _, of := range []struct {
		columns []string
		old     bool
	}{{e.Columns, false}, {e.OldColumns, true}} {
		for _, c := range of.columns {
			if ok, err := w.Viewer.Sees(c, of.old); err != nil || !ok {
				return false, err
			}
		}
	}
	return true, nil
}

func (w *Write) knows(c *core.Column) bool {
	return c == nil || w.Viewer == nil || w.Viewer.Knows(c.Name)
}

// eval computes an expression of a rule.
func (w *Write) eval(t *tableSet, e *Expr) (any, error) {
	in := t.row(w.Record, w.Old, &w.Caller, w.Ask)
	in.e, in.op, in.moment = e, w.Op, w.Now
	return e.eval(&in)
}

func compileRule(env language, t *core.Table, source *core.Rule) (rule, error) {
	const op = "rules.NewSet"
	r := rule{source: source}
	for _, o := range source.On {
		if o != core.Create && o != core.Update && o != core.Delete {
			return r, core.E(op, core.Invalid, fmt.Sprintf("a rule runs on create, update and delete, not on %q", o))
		}
	}
	if len(source.Do)+len(source.Else) == 0 {
		return r, core.E(op, core.Invalid, "the rule does nothing: add an action")
	}
	if strings.TrimSpace(source.When) == "" && len(source.Else) > 0 {
		return r, core.E(op, core.Invalid, "else needs a condition: without one the rule always does the other actions")
	}
	var err error
	if strings.TrimSpace(source.When) != "" {
		if r.when, err = compileCondition(env, t, source.When); err != nil {
			return r, err
		}
		r.parts = lazyParts(env, t, source.When)
	}
	if r.do, err = compileDeeds(env, t, source, source.Do, ""); err == nil {
		r.otherwise, err = compileDeeds(env, t, source, source.Else, "else: ")
	}
	return r, err
}

func compileCondition(env language, t *core.Table, source string) (*Expr, error) {
	e, err := compile(env, t, source, Options{Old: true, Memory: true})
	if err == nil && e.Type != "bool" {
		err = core.E("rules.NewSet", core.Invalid, core.At{Line: 1, Pos: 1}, "the condition is "+aWord(e.Type)+", and should be true or false")
	}
	return e, err
}

func compileDeeds(env language, t *core.Table, r *core.Rule, sources []core.Deed, branch string) (out []deed, err error) {
	for i, source := range sources {
		d, err := compileDeed(env, t, r, source)
		if err != nil {
			e := core.AsError(err)
			return nil, core.E("rules.NewSet", core.At{Column: source.Column, Item: i + 1}, err, branch+e.Msg)
		}
		out = append(out, d)
	}
	return out, nil
}

// Apply runs the business rules of the table, in their order, over the record that is about to be written, and changes it in
// place. Conditions and values see what earlier actions did. Of a record that is created or changed, [Set.Verify] asks the rest.
//
// A refusal is an error of the kind Failed with the rule, the column and the message for the writer.
func (s *Set) Apply(table string, w *Write) error {
	return s.run("rules.Apply", table, w, func(r *rule) bool { return !r.late || w.Op == core.Delete })
}

// Verify asks those rules that check a record by what other records hold, when it is written together with all that is written
// with it.
func (s *Set) Verify(table string, w *Write) error {
	return s.run("rules.Verify", table, w, func(r *rule) bool { return r.late && w.Op != core.Delete })
}

func (s *Set) run(op, table string, w *Write, asked func(r *rule) bool) error {
	t, ok := s.tables[table]
	if !ok {
		return core.E(op, core.NotFound, core.At{Table: table}, "there is no such table")
	}
	for i := range t.rules {
		r := &t.rules[i]
		if !asked(r) {
			w.Log.later(r, w)
			continue
		}
		if err := r.apply(t, w); err != nil {
			return core.E(op, core.At{Table: table, Rule: r.source.Name}, err)
		}
	}
	return nil
}

func (r *rule) apply(t *tableSet, w *Write) error {
	if !r.source.Runs(w.Op) || !r.source.Scope.Includes(&w.Caller) {
		return nil
	}
	holds, deeds := any(true), r.do
	if r.when != nil {
		var err error
		if holds, err = w.eval(t, r.when); err != nil {
			return err
		}
		if holds != true {
			deeds = r.otherwise
		}
	}
	if w.Log == nil && len(deeds) == 0 { // there is nothing to do
		return nil
	}
	log, err := w.Log.begin(t, r, w, holds)
	if err != nil {
		return err
	}
	for i := range deeds {
		if err := deeds[i].apply(t, w, log); err != nil {
			return err
		}
	}
	return nil
}

// HasRules reports whether the table has rules in force for the operation.
func (s *Set) HasRules(table string, op core.Op) bool {
	t, ok := s.tables[table]
	return ok && slices.ContainsFunc(t.rules, func(r rule) bool { return r.source.Runs(op) })
}
