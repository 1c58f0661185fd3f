package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

// Test runs the tests that are stored with the rules of the table: each writes a record that is not there through all rules
// of the table. The first that does not come out as expected is an error of the kind Invalid with the rule that has the test.
// Rules that are disabled have their tests rest. What is read of other records the test says itself: there are none.
func (s *Set) Test(table string) error {
	t, ok := s.tables[table]
	if !ok {
		return core.E("rules.Test", core.NotFound, core.At{Table: table}, "there is no such table")
	}
	for i := range t.rules {
		r := t.rules[i].source
		for j := range r.Tests {
			if err := t.test(&r.Tests[j]); err != nil {
				return core.E("rules.Test", core.Invalid, core.At{Table: table, Rule: r.Name, Column: core.AsError(err).Column, Item: j + 1}, fmt.Sprintf("the test %q: %s", r.Tests[j].Name, core.AsError(err).Msg), err)
			}
		}
	}
	return nil
}

// wrong is what is wrong with a test.
func wrong(format string, args ...any) error {
	return core.E("rules.test", core.Invalid, fmt.Sprintf(format, args...))
}

func (t *tableSet) test(c *core.RuleTest) error {
	w, given, err := t.testWrite(c)
	if err != nil {
		return err
	}
	for _, late := range []bool{false, true} { // as in a write: what checks by other records comes last
		for i := range t.rules {
			r := &t.rules[i]
			if late != (r.late && w.Op != core.Delete) {
				continue
			}
			err := r.apply(t, w)
			if given.missing != nil {
				return wrong("the rule %q %s", r.source.Name, core.AsError(given.missing).Msg)
			}
			if err != nil {
				return t.refusal(c, r, err)
			}
		}
	}
	if c.Expect.Refused() {
		return wrong("nothing refuses the write, and %s should", refuser(&c.Expect))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Expect.Set)) {
		col, err := t.table.Need(name)
		if err != nil {
			return err
		}
		want, err := col.Parse(c.Expect.Set[name])
		if err != nil {
			return err
		}
		got, err := t.valueOf(col, w.Record, w)
		if given.missing != nil {
			return wrong("the formula of %s %s", name, core.AsError(given.missing).Msg)
		}
		if err != nil {
			return err
		}
		if !same(got, want) {
			return core.E("rules.test", core.At{Column: name}, wrong("%s is %s, and should be %s", name, col.AppendJSON(nil, got), col.AppendJSON(nil, want)))
		}
	}
	return nil
}

// refusal compares a refusal with what the test expects.
func (t *tableSet) refusal(c *core.RuleTest, by *rule, err error) error {
	e, want := core.AsError(err), &c.Expect
	switch {
	case core.KindOf(err) != core.Failed && !want.Refused(): // a value that does not fit
		return err
	case !want.Refused():
		return wrong("the rule %q refuses the write, and nothing should: %s", by.source.Name, e.Msg)
	case want.Fail != "" && want.Fail != e.Msg:
		return wrong("the rule %q refuses the write with %q, and it should be %q", by.source.Name, e.Msg, want.Fail)
	case want.Column != "" && want.Column != e.Column:
		return wrong("the rule %q refuses the write for the column %q, and it should be %q", by.source.Name, e.Column, want.Column)
	case want.Rule != "" && want.Rule != by.source.Name:
		return wrong("the rule %q refuses the write, and the rule %q should", by.source.Name, want.Rule)
	}
	return nil
}

func refuser(e *core.TestExpect) string {
	if e.Rule != "" {
		return "the rule " + strconv.Quote(e.Rule)
	}
	return "a rule"
}

// testWrite makes the write of a test, and what it is told of other records.
func (t *tableSet) testWrite(c *core.RuleTest) (*Write, *given, error) {
	w := &Write{Op: c.Op, Caller: core.Caller{Cause: core.Cause{Kind: "api"}}}
	if c.Op == "" {
		w.Op = core.Create
		if c.Old != nil {
			w.Op = core.Update
		}
	}
	if by := c.Caller; by != nil {
		w.Caller = core.Caller{User: by.User, Unit: by.Unit, Below: by.Below, Teams: by.Teams, Roles: by.Roles, Cause: core.Cause{Kind: by.Cause}}
	}
	if c.Now != nil {
		w.Now = c.Now.UTC()
	}
	g, err := t.given(c)
	if err != nil {
		return nil, nil, err
	}
	w.Ask = g.ask
	if err := t.testRecords(w, c, g); err != nil {
		return nil, nil, err
	}
	return w, g, nil
}

// testRecords fills the records of the write.
func (t *tableSet) testRecords(w *Write, c *core.RuleTest, g *given) error {
	sent, err := t.testRecord(c.Record)
	if err != nil {
		return err
	}
	switch {
	case w.Op != core.Create && w.Op != core.Update && w.Op != core.Delete:
		return wrong("a test is of create, update or delete, not of %q", w.Op)
	case (w.Op == core.Create) != (c.Old == nil):
		return wrong("the record before, old, belongs to update and delete, and to them only")
	case w.Op == core.Delete && c.Record != nil:
		return wrong("a delete sends no record: say in old what it was")
	case w.Op == core.Create:
		w.Record = sent
		maps.Copy(w.Record, g.record)
		if err := t.timed(w, c); err != nil {
			return err
		}
		return t.testDefaults(w, g)
	}
	if w.Old, err = t.testRecord(c.Old); err != nil {
		return err
	}
	t.fill(w.Old)
	w.Record = maps.Clone(w.Old)
	maps.Copy(w.Record, sent)
	maps.Copy(w.Record, g.record)
	maps.Copy(w.Old, g.old)
	return t.timed(w, c)
}

func (t *tableSet) testRecord(in core.TestRecord) (core.Record, error) {
	out := make(core.Record, len(t.table.Columns))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		col, err := t.table.Need(name)
		if err != nil {
			return nil, err
		}
		if col.Calculated() {
			return nil, core.E("rules.test", core.Invalid, core.At{Column: name}, name+" is calculated: give what it is calculated from")
		}
		if out[name], err = col.Parse(in[name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fill makes NULL of what the record lacks and nobody calculates.
func (t *tableSet) fill(r core.Record) {
	for c := range t.table.Stored {
		if _, ok := r[c.Name]; !ok && !c.Calculated() {
			r[c.Name] = nil
		}
	}
}

func (t *tableSet) testDefaults(w *Write, g *given) error {
	for _, d := range t.defaults {
		if _, ok := w.Record[d.column.Name]; ok {
			continue
		}
		v, err := w.eval(t, d.value)
		if g.missing != nil {
			return wrong("the default of %s %s, or say in record what %s is", d.column.Name, core.AsError(g.missing).Msg, d.column.Name)
		}
		if err == nil {
			err = d.put(v, w.Record)
		}
		if err != nil {
			return err
		}
	}
	t.fill(w.Record)
	return nil
}

// timed refuses a test that would come out otherwise at another time.
func (t *tableSet) timed(w *Write, c *core.RuleTest) error {
	if c.Now != nil {
		return nil
	}
	what := ""
	look := func(e *Expr, of string) {
		if e != nil && what == "" && e.readsTime() {
			what = of
		}
	}
	for _, d := range t.defaults {
		if _, given := w.Record[d.column.Name]; !given && w.Op == core.Create {
			look(d.value, "the default of "+d.column.Name)
		}
	}
	for _, name := range t.order {
		look(t.formulas[name], "the formula of "+name)
	}
	for i := range t.rules {
		r := &t.rules[i]
		if !r.source.Runs(w.Op) {
			continue
		}
		for e := range r.expressions {
			look(e, "the rule "+strconv.Quote(r.source.Name))
		}
	}
	if what != "" {
		return wrong("%s reads the time: give the test a time of its own, now, so that it always comes out the same", what)
	}
	return nil
}

// expressions yields what the rule computes.
func (r *rule) expressions(yield func(*Expr) bool) {
	if r.when != nil && !yield(r.when) {
		return
	}
	for _, deeds := range [][]deed{r.do, r.otherwise} {
		for i := range deeds {
			if v := deeds[i].value; v != nil && !yield(v) {
				return
			}
			for _, p := range deeds[i].message {
				if p.value != nil && !yield(p.value) {
					return
				}
			}
		}
	}
}

// readsTime reports whether the value depends on when it is asked for.
func (e *Expr) readsTime() bool {
	found := false
	ast.PostOrderVisit(e.ast.Expr(), ast.NewExprVisitor(func(n ast.Expr) {
		found = found || n.Kind() == ast.IdentKind && (n.AsIdent() == nowName || n.AsIdent() == todayName)
	}))
	return found
}
