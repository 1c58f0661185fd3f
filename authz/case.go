package authz

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/core"
	"colonnade/rules"
)

// RoleTest is an example of what a role gives and does not give, kept with the role. It is run before any change of rights or
// tables is saved. Who holds the role in it holds no other, and there are no records but the one of the test.
type RoleTest struct {
	Name   string           `json:"name"`
	Table  string           `json:"table"`
	Owner  string           `json:"owner,omitempty"`  // of the record: me, team (one of mine) or other; other when empty
	Unit   string           `json:"unit,omitempty"`   // that it belongs to: mine, below or other; other when empty
	Record core.TestRecord  `json:"record,omitempty"` // its values
	Given  []core.TestGiven `json:"given,omitempty"`  // what conditions read of other records
	May    []Privilege      `json:"may,omitempty"`    // what one may do with it
	MayNot []Privilege      `json:"may_not,omitempty"`
	Shows  []string         `json:"shows,omitempty"` // columns that one may read of it
	Hides  []string         `json:"hides,omitempty"` // and those that one may not
}

// Empty reports whether the test expects nothing.
func (c *RoleTest) Empty() bool { return len(c.May)+len(c.MayNot)+len(c.Shows)+len(c.Hides) == 0 }

// Who and what is in a test. They are ids that no user, team or unit has.
const (
	testMe    core.ID = "00000000-0000-7000-8000-0000000000a1"
	testOther core.ID = "00000000-0000-7000-8000-0000000000a2"
	testTeam  core.ID = "00000000-0000-7000-8000-0000000000a3"
	testMine  core.ID = "00000000-0000-7000-8000-0000000000b1"
	testBelow core.ID = "00000000-0000-7000-8000-0000000000b2"
	testApart core.ID = "00000000-0000-7000-8000-0000000000b3"
)

var (
	testOwners = map[string]core.ID{"": testOther, "me": testMe, "team": testTeam, "other": testOther}
	testUnits  = map[string]core.ID{"": testApart, "mine": testMine, "below": testBelow, "other": testApart}
)

// RoleTests reads the tests of the role.
func (r *Role) RoleTests() (out []RoleTest, err error) {
	if r.Tests != "" {
		err = json.Unmarshal([]byte(r.Tests), &out)
	}
	return out, core.E("authz.RoleTests", err)
}

// noTests is what a role without tests has.
const noTests = "[]"

// EncodeTests is the reverse of [Role.RoleTests].
func EncodeTests(tests []RoleTest) (string, error) {
	if len(tests) == 0 {
		return noTests, nil
	}
	b, err := json.Marshal(tests)
	return string(b), core.E("authz.EncodeTests", err)
}

// failedRoleTest is a test that does not come out as it says.
type failedRoleTest struct{ role, name, why string }

// maxFailed is how many failed tests an error tells of.
const maxFailed = 5

// Test runs the tests of all roles. The error names those that fail, and tells the caller why where he may know of the table.
func (p *Policy) Test(c core.Caller, d *Data) error {
	var failed []failedRoleTest
	for i := range d.Roles {
		role := &d.Roles[i]
		tests, err := role.RoleTests()
		if err != nil {
			return err
		}
		for _, t := range tests {
			t, ok := t.Present()
			if !ok {
				continue
			}
			if err := p.test(role.Name, &t); err != nil {
				f := failedRoleTest{role: role.Name, name: t.Name}
				if p.Sees(c, t.Table) {
					f.why = core.AsError(err).Msg
				}
				failed = append(failed, f)
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	var b strings.Builder
	for i, f := range failed[:min(len(failed), maxFailed)] {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "role %q, test %q", f.role, f.name)
		if f.why != "" {
			b.WriteString(": " + f.why)
		} else {
			b.WriteString(" fails")
		}
	}
	if n := len(failed) - maxFailed; n > 0 {
		fmt.Fprintf(&b, "; and %s more", core.Count(int64(n), "test"))
	}
	return core.E("authz.Test", core.Failed, b.String())
}

func failedTest(format string, args ...any) error {
	return core.E("authz.test", core.Failed, fmt.Sprintf(format, args...))
}

func (p *Policy) test(role string, c *RoleTest) error {
	if err := c.check(); err != nil {
		return err
	}
	t, err := p.schema.Table(c.Table)
	if err != nil {
		return failedTest("there is no table %q", c.Table)
	}
	record, err := c.record(t)
	if err != nil {
		return err
	}
	given, err := rules.Assume(p.schema, t, c.Given)
	if err != nil {
		return err
	}
	caller, err := p.RoleCaller(role)
	if err != nil {
		return err
	}
	if err := p.set.Calculate(t.Name, record, caller, given.Ask); err != nil {
		return err
	}
	r := testRun{p, caller, t, record, given}
	for _, want := range []bool{true, false} {
		privileges, columns := c.May, c.Shows
		if !want {
			privileges, columns = c.MayNot, c.Hides
		}
		for _, priv := range privileges {
			if err := r.privilege(priv, want); err != nil {
				return err
			}
		}
		for _, name := range columns {
			if err := r.column(name, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// Present returns the test without what it says of dropped columns; ok is false for one of a dropped table, which rests until
// that comes back.
func (c RoleTest) Present() (_ RoleTest, ok bool) {
	c.Shows = slices.DeleteFunc(slices.Clone(c.Shows), core.IsDroppedName)
	c.Hides = slices.DeleteFunc(slices.Clone(c.Hides), core.IsDroppedName)
	c.Record = maps.Clone(c.Record)
	maps.DeleteFunc(c.Record, func(name string, _ any) bool { return core.IsDroppedName(name) })
	return c, !core.IsDroppedName(c.Table)
}

// WaitingTests returns the tests of the role that are about dropped tables.
func (d *Data) WaitingTests(role string) ([]RoleTest, error) {
	i := slices.IndexFunc(d.Roles, func(r Role) bool { return r.Name == role })
	if i < 0 {
		return nil, nil
	}
	tests, err := d.Roles[i].RoleTests()
	return slices.DeleteFunc(tests, func(t RoleTest) bool { return !core.IsDroppedName(t.Table) }), err
}

func (c *RoleTest) check() error {
	switch _, owner := testOwners[c.Owner]; {
	case c.Name == "":
		return failedTest("a test needs a name that says what it shows")
	case !owner:
		return failedTest("the owner is %q: choose me, team or other", c.Owner)
	}
	if _, ok := testUnits[c.Unit]; !ok {
		return failedTest("the unit is %q: choose mine, below or other", c.Unit)
	}
	for _, priv := range append(slices.Clone(c.May), c.MayNot...) {
		if priv.index() < 0 {
			return failedTest("%q is no privilege; there are: %s", priv, list(Privileges))
		}
	}
	return nil
}

// record returns the record of the test.
func (c *RoleTest) record(t *core.Table) (core.Record, error) {
	out := core.Record{"id": string(testOther)}
	for col := range t.Stored {
		if !col.Calculated() && col.Name != "id" {
			out[col.Name] = nil
		}
	}
	if t.Owned() {
		out["owner_id"], out["unit_id"] = string(testOwners[c.Owner]), string(testUnits[c.Unit])
	} else if c.Owner != "" || c.Unit != "" {
		return nil, failedTest("the records of %s belong to the organization: leave out owner and unit", t.Name)
	}
	for name, v := range c.Record {
		col, ok := t.Column(name)
		if !ok {
			return nil, noColumn(t, name)
		}
		if col.Calculated() || name == "owner_id" || name == "unit_id" {
			return nil, failedTest("%s is not given in record: say owner, unit, or what it is calculated from", name)
		}
		var err error
		if out[name], err = col.Parse(v); err != nil {
			return nil, failedTest("%s: %s", name, core.AsError(err).Msg)
		}
	}
	return out, nil
}

func noColumn(t *core.Table, name string) error {
	return failedTest("%s has no column %q", t.Name, name)
}

// RoleCaller returns somebody, made up, who holds the role and nothing else: to ask what he could do.
func (p *Policy) RoleCaller(role string) (core.Caller, error) {
	i, err := p.role(role)
	if err != nil {
		return core.Caller{}, err
	}
	c := core.Caller{User: testMe, Name: "test", Unit: testMine, Below: []core.ID{testMine, testBelow}, Teams: []core.ID{testTeam}, Cause: core.Cause{Kind: "api"}}
	for _, j := range p.implied[i] {
		c.Roles = append(c.Roles, p.names[j])
	}
	slices.Sort(c.Roles)
	return c, nil
}

// testRun is a test under way.
type testRun struct {
	p      *Policy
	caller core.Caller
	table  *core.Table
	record core.Record
	given  *rules.Assumed
}

// holds evaluates a condition over the record of the test.
func (r *testRun) holds(e *rules.Expr) (bool, error) {
	if e == nil {
		return true, nil
	}
	ok, err := e.True(r.record, nil, r.caller, r.given.Ask)
	if err == nil && r.given.Missing() != "" {
		err = failedTest("the rights read %s of other records, and there are none in a test: add it to given", r.given.Missing())
	}
	return ok, err
}

// reaches reports whether the privilege reaches the record; the decision is nil where it does not.
func (r *testRun) reaches(priv Privilege) (*Decision, error) {
	d, err := r.p.Decide(r.caller, r.table.Name, priv)
	if core.KindOf(err) == core.Denied {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ok, err := r.holds(d.Rows)
	if err != nil || !ok {
		return nil, err
	}
	return d, nil
}

func (r *testRun) privilege(priv Privilege, want bool) error {
	d, err := r.reaches(priv)
	switch {
	case err != nil:
		return err
	case d == nil && want:
		return failedTest("one may not %s the record of %s, and should", priv, r.table.Name)
	case d != nil && !want:
		return failedTest("one may %s the record of %s, and should not", priv, r.table.Name)
	}
	return nil
}

func (r *testRun) column(name string, want bool) error {
	if _, ok := r.table.Column(name); !ok {
		return noColumn(r.table, name)
	}
	d, err := r.reaches(Read)
	if err != nil {
		return err
	}
	shown := false
	if d != nil {
		var guard *rules.Expr
		if shown, guard = d.Column(name); shown {
			if shown, err = r.holds(guard); err != nil {
				return err
			}
		}
	}
	switch {
	case !shown && want:
		return failedTest("%s of the record of %s is hidden, and should be shown", name, r.table.Name)
	case shown && !want:
		return failedTest("%s of the record of %s is shown, and should be hidden", name, r.table.Name)
	}
	return nil
}

// follow returns the test with the names that tables and columns have after the moves; ok is false when what it was about is gone
// for good.
func (c RoleTest) follow(m core.Moves, from, to *core.Schema) (_ RoleTest, ok bool, err error) {
	was := c.Table
	if c.Table = m.Table(was); c.Table == "" {
		return c, false, nil
	}
	ok = true
	rename := func(names []string) []string {
		out := make([]string, len(names))
		for i, name := range names {
			out[i] = m.Column(was, name)
			ok = ok && out[i] != ""
		}
		return out
	}
	c.Shows, c.Hides = rename(c.Shows), rename(c.Hides)
	record := core.TestRecord{}
	for name, v := range c.Record {
		next := m.Column(was, name)
		ok = ok && next != ""
		record[next] = v
	}
	c.Record = record
	t, _ := from.Table(was)
	c.Given = slices.Clone(c.Given)
	for i := range c.Given {
		if t == nil || core.IsDroppedName(c.Table) {
			break
		}
		if c.Given[i].Read, err = rules.Follow(from, to, t.SQL(), c.Given[i].Read); err != nil {
			return c, ok, core.E("authz.follow", core.At{Table: was}, err, fmt.Sprintf("test %q: what is given cannot follow the rename", c.Name))
		}
	}
	return c, ok, nil
}
