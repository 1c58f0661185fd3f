package core

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Rule is the source of a business rule: when the condition holds for the record that is about to be written, the actions of Do
// are done, in order, and otherwise those of Else. Rules run by Order, then by name.
type Rule struct {
	Name     string     `json:"name"`
	Doc      string     `json:"doc,omitempty"`
	Order    int        `json:"order,omitempty"`
	On       []Op       `json:"on,omitempty"`       // create, update, delete; create and update when empty
	Scope    RuleScope  `json:"scope,omitempty"`    // ForAll when empty
	Disabled bool       `json:"disabled,omitempty"` // it is kept, and not in force
	When     string     `json:"when,omitempty"`     // a condition; always when empty
	Do       []Deed     `json:"do,omitempty"`
	Else     []Deed     `json:"else,omitempty"` // when the condition does not hold, because it is false or because it is NULL
	Tests    []RuleTest `json:"tests,omitempty"`
}

// Same reports whether both rules are written alike.
func (r *Rule) Same(other *Rule) bool {
	a, err := json.Marshal(r)
	b, bad := json.Marshal(other)
	return err == nil && bad == nil && bytes.Equal(a, b)
}

// SortRules brings rules into the order in which they run.
func SortRules(rules []Rule) {
	slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.Name, b.Name)) })
}

// RuleScope says whose writes a rule is about.
type RuleScope string

// The scopes. Whatever the scope, the server sees to it.
const (
	ForAll    RuleScope = "all"    // every write, whoever makes it
	ForPeople RuleScope = "people" // what a request of the API writes, with what follows from it: not flows, imports, merges and restores
)

// Includes reports whether a write of the caller is in the scope.
func (s RuleScope) Includes(c *Caller) bool {
	return s != ForPeople || !c.system && c.Cause.Depth == 0 && (c.Cause.Kind == "" || c.Cause.Kind == "api")
}

// Runs reports whether the rule is about the operation.
func (r *Rule) Runs(op Op) bool {
	if len(r.On) == 0 {
		return op == Create || op == Update
	}
	return slices.Contains(r.On, op)
}

// Deed is one action of a [Rule].
type Deed struct {
	Do      string `json:"do"` // set, default, clear, require, lock, hide, recommend, fail
	Column  string `json:"column,omitempty"`
	Value   string `json:"value,omitempty"`   // set, default, recommend: an expression
	Message string `json:"message,omitempty"` // fail, require, lock, recommend: what the writer reads; see [Template]
}

// RuleTest is a case that the rules of a table must decide as expected, or they are not saved.
type RuleTest struct {
	Name   string      `json:"name"`
	Op     Op          `json:"op,omitempty"`     // update when there is Old, otherwise create
	Record TestRecord  `json:"record,omitempty"` // what the writer sends; nothing on delete
	Old    TestRecord  `json:"old,omitempty"`    // the record before, on update and delete
	Caller *TestCaller `json:"caller,omitempty"` // nobody in particular when left out
	Now    *time.Time  `json:"now,omitempty"`    // needed when an expression reads the time
	Given  []TestGiven `json:"given,omitempty"`  // what is read of other records
	Expect TestExpect  `json:"expect"`
}

// TestCaller is who writes in a [RuleTest].
type TestCaller struct {
	User  ID       `json:"user,omitempty"`
	Unit  ID       `json:"unit,omitempty"`
	Below []ID     `json:"below,omitempty"`
	Teams []ID     `json:"teams,omitempty"`
	Roles []string `json:"roles,omitempty"`
	Cause string   `json:"cause,omitempty"` // api, flow, import and the like; api when empty
}

// TestGiven is what a [RuleTest] takes other records to say, since there are none.
type TestGiven struct {
	Read  string `json:"read"`  // as the rule, the default or the formula writes it: customer.region, lines.sum(l, l.amount); or a calculated column that reads others
	Value any    `json:"value"` // as JSON has it, a number with all its digits
}

// UnmarshalJSON implements json.Unmarshaler.
func (g *TestGiven) UnmarshalJSON(raw []byte) error {
	type plain TestGiven
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode((*plain)(g))
}

// TestExpect is what must come of a [RuleTest]. When nothing is set, nothing may refuse the write.
type TestExpect struct {
	Set    TestRecord `json:"set,omitempty"`    // values of the record after the rules
	Fail   string     `json:"fail,omitempty"`   // the message of the refusal
	Column string     `json:"column,omitempty"` // the column of the refusal
	Rule   string     `json:"rule,omitempty"`   // the rule that refuses
}

// Refused reports whether the write must be refused.
func (e *TestExpect) Refused() bool { return e.Fail != "" || e.Column != "" || e.Rule != "" }

// TestRecord holds values of a record as JSON has them, numbers with all their digits.
type TestRecord map[string]any

// UnmarshalJSON implements json.Unmarshaler.
func (r *TestRecord) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode((*map[string]any)(r))
}

func (t *Table) checkRules() error {
	const op = "core.Table"
	names := map[string]bool{}
	for i := range t.Rules {
		r := &t.Rules[i]
		at := At{Table: t.Name, Rule: r.Name}
		if r.Name == "" || names[r.Name] {
			return E(op, Invalid, at, "a rule needs a name of its own")
		}
		names[r.Name] = true
		if r.Scope != "" && r.Scope != ForAll && r.Scope != ForPeople {
			return E(op, Invalid, at, fmt.Sprintf("%q is no scope: choose all or people", r.Scope))
		}
		if err := r.checkTests(); err != nil {
			return E(op, at, err)
		}
	}
	return nil
}

// maxTests is how many tests a rule has at most: all of them run when the table changes.
const maxTests = 100

func (r *Rule) checkTests() error {
	if len(r.Tests) > maxTests {
		return E("core.Rule", Limit, fmt.Sprintf("a rule has at most %d tests", maxTests))
	}
	names := map[string]bool{}
	for _, t := range r.Tests {
		if t.Name == "" || names[t.Name] {
			return E("core.Rule", Invalid, "a test needs a name of its own")
		}
		names[t.Name] = true
		for _, g := range t.Given {
			if strings.TrimSpace(g.Read) == "" {
				return E("core.Rule", Invalid, fmt.Sprintf("the test %q: given needs in read what is read of other records, such as customer.region", t.Name))
			}
		}
	}
	return nil
}

// Expressions yields the expressions of the rule.
func (r *Rule) Expressions(yield func(source *string) bool) {
	if r.When != "" && !yield(&r.When) {
		return
	}
	for _, deeds := range [][]Deed{r.Do, r.Else} {
		for i := range deeds {
			d := &deeds[i]
			if d.Value != "" && !yield(&d.Value) {
				return
			}
			if !d.messageExpressions(yield) {
				return
			}
		}
	}
	for i := range r.Tests {
		for j := range r.Tests[i].Given {
			if !yield(&r.Tests[i].Given[j].Read) {
				return
			}
		}
	}
}

// messageExpressions yields what stands in braces in the message. The message changes only where an expression is changed:
// those who only look may share it.
func (d *Deed) messageExpressions(yield func(source *string) bool) bool {
	parts, err := SplitTemplate(d.Message)
	if err != nil {
		return true // the mistake is told when the rule is compiled
	}
	changed := false
	for i := range parts {
		source := parts[i].Source
		if source == "" {
			continue
		}
		goesOn := yield(&parts[i].Source)
		changed = changed || parts[i].Source != source
		if changed {
			d.Message = JoinTemplate(parts)
		}
		if !goesOn {
			return false
		}
	}
	return true
}

// renamed returns the rule with other names of columns where it names them outside of expressions.
func (r Rule) renamed(to map[string]string) Rule {
	named := func(name string) string {
		if n, ok := to[name]; ok {
			return n
		}
		return name
	}
	record := func(in TestRecord) TestRecord {
		if in == nil {
			return nil
		}
		out := make(TestRecord, len(in))
		for _, name := range slices.Sorted(maps.Keys(in)) {
			out[named(name)] = in[name]
		}
		return out
	}
	for _, deeds := range []*[]Deed{&r.Do, &r.Else} {
		*deeds = slices.Clone(*deeds)
		for i := range *deeds {
			(*deeds)[i].Column = named((*deeds)[i].Column)
		}
	}
	r.Tests = slices.Clone(r.Tests)
	for i := range r.Tests {
		t := &r.Tests[i]
		t.Record, t.Old, t.Expect.Set = record(t.Record), record(t.Old), record(t.Expect.Set)
		t.Expect.Column = named(t.Expect.Column)
		t.Given = slices.Clone(t.Given)
	}
	return r
}
