package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// TestCases looks at what is said of tests that come out otherwise than expected.
func TestCases(t *testing.T) {
	limit := core.Rule{Name: "limit", When: "amount > 10", Do: []core.Deed{{Do: "fail", Column: "amount", Message: "{amount} is too much"}}, Else: []core.Deed{{Do: "set", Column: "state", Value: "'open'"}}}
	for name, c := range map[string]struct {
		test string
		also []core.Rule
		want string // "" when it passes
	}{
		"passes":           {test: `{"record": {"amount": 3, "state": "done"}, "now": "2024-01-01T00:00:00Z", "expect": {"set": {"state": "open", "amount": 3}}}`},
		"refuses":          {test: `{"record": {"amount": 11}, "now": "2024-01-01T00:00:00Z", "expect": {"fail": "11 is too much", "column": "amount", "rule": "limit"}}`},
		"defaults":         {test: `{"record": {}, "now": "2024-01-01T00:00:00Z", "expect": {"set": {"amount": 1, "due": "2024-01-31", "net": null}}}`},
		"old":              {test: `{"old": {"amount": 12, "price": 2}, "record": {"amount": 1}, "expect": {"set": {"price": 2.0, "net": 2}}}`},
		"another value":    {test: `{"record": {"due": null}, "expect": {"set": {"state": "done"}}}`, want: `t.state, rule "limit", item 1: the test "x": state is "open", and should be "done"`},
		"no refusal":       {test: `{"record": {"due": null}, "expect": {"rule": "limit"}}`, want: `orders, rule "limit", item 1: the test "x": nothing refuses the write, and the rule "limit" should`},
		"refusal":          {test: `{"record": {"amount": 11, "due": null}, "expect": {}}`, want: `orders, rule "limit", item 1: the test "x": the rule "limit" refuses the write, and nothing should: 11 is too much`},
		"message":          {test: `{"record": {"amount": 11, "due": null}, "expect": {"fail": "no"}}`, want: `orders, rule "limit", item 1: the test "x": the rule "limit" refuses the write with "11 is too much", and it should be "no"`},
		"column":           {test: `{"record": {"amount": 11, "due": null}, "expect": {"column": "price"}}`, want: `orders, rule "limit", item 1: the test "x": the rule "limit" refuses the write for the column "amount", and it should be "price"`},
		"another rule":     {test: `{"record": {"amount": 1, "due": null}, "expect": {}}`, also: []core.Rule{{Name: "z", Do: []core.Deed{{Do: "fail", Message: "never"}}}}, want: `orders, rule "limit", item 1: the test "x": the rule "z" refuses the write, and nothing should: never`},
		"the time":         {test: `{"record": {}, "expect": {}}`, want: `orders, rule "limit", item 1: the test "x": the default of due reads the time: give the test a time of its own, now, so that it always comes out the same`},
		"an unknown name":  {test: `{"record": {"amonut": 1}, "expect": {}}`, want: `orders.amonut, rule "limit", item 1: the test "x": there is no such column; did you mean amount?`},
		"a bad value":      {test: `{"record": {"amount": "many"}, "expect": {}}`, want: `orders.amount, rule "limit", item 1: the test "x": "many" is no`},
		"delete":           {test: `{"op": "delete", "expect": {}}`, want: `orders, rule "limit", item 1: the test "x": the record before, old, belongs to update and delete, and to them only`},
		"calculated":       {test: `{"record": {"net": 1}, "expect": {}}`, want: `orders.net, rule "limit", item 1: the test "x": net is calculated: give what it is calculated from`},
		"people only":      {test: `{"record": {"due": null}, "caller": {"cause": "flow"}, "expect": {"set": {"name": null}}}`, also: []core.Rule{{Name: "p", Scope: core.ForPeople, Do: []core.Deed{{Do: "set", Column: "name", Value: "'p'"}}}}},
		"people":           {test: `{"record": {"due": null}, "caller": {"user": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a01"}, "expect": {"set": {"name": "p"}}}`, also: []core.Rule{{Name: "p", Scope: core.ForPeople, Do: []core.Deed{{Do: "set", Column: "name", Value: "'p'"}}}}},
		"a value too wide": {test: `{"record": {"due": null, "amount": 1}, "expect": {"set": {}}}`, also: []core.Rule{{Name: "w", Do: []core.Deed{{Do: "set", Column: "price", Value: "decimal('123456789012')"}}}}, want: `orders.price, rule "limit", item 1: the test "x": the value that the rule sets does not fit into the column`},
	} {
		t.Run(name, func(t *testing.T) {
			var test core.RuleTest
			if err := json.Unmarshal([]byte(c.test), &test); err != nil {
				t.Fatal(err)
			}
			test.Name = "x"
			table, r := orders, limit
			r.Tests = []core.RuleTest{test}
			table.Rules = append([]core.Rule{r}, c.also...)
			s, err := NewSet(schema(t, table))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := s.Test("orders"); err != nil {
				got = core.AsError(err).Public()
			}
			if want := strings.Replace(c.want, "t.state", "orders.state", 1); got != want && (want == "" || !strings.HasPrefix(got, want)) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// words is what a log tells, in one line for each rule.
func logWords(l *Log) string {
	var b strings.Builder
	for _, r := range l.Rules {
		fmt.Fprintf(&b, "%s: %v", r.Rule, r.Holds)
		if r.Unseen {
			b.WriteString(" unseen")
		}
		for _, p := range r.Parts {
			fmt.Fprintf(&b, " [%s = %v]", p.Source, p.Value)
		}
		if r.Else {
			b.WriteString(" else")
		}
		for _, d := range r.Did {
			fmt.Fprintf(&b, "; %s %s %v -> %v", d.Do, d.Column, d.Before, d.After)
			if d.Value != nil {
				fmt.Fprintf(&b, " value %v", d.Value)
			}
			if d.Refused {
				b.WriteString(" refused")
			}
			if d.Message != "" {
				fmt.Fprintf(&b, " %q", d.Message)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// blind is a writer who may not read some columns, and does not know of others.
type blind struct{ unread, unknown string }

func (v blind) Knows(column string) bool { return !strings.Contains(v.unknown, column) }
func (v blind) Sees(column string, _ bool) (bool, error) {
	return !strings.Contains(v.unread+v.unknown, column), nil
}

func (v blind) Reaches(e *Expr) (bool, error) {
	return !slices.ContainsFunc(e.Reads, func(r Read) bool { return strings.Contains(v.unread+v.unknown, r.Column) }), nil
}

func TestLog(t *testing.T) {
	table := orders
	table.Rules = []core.Rule{
		{Name: "1", When: "price > 5.0 && (amount > 2 || isNull(name)) && !(state == 'done')", Do: []core.Deed{{Do: "set", Column: "name", Value: "string(price)"}}, Else: []core.Deed{{Do: "hide", Column: "score"}, {Do: "recommend", Column: "amount", Value: "3", Message: "{price} pays {amount}"}}},
		{Name: "2", When: "score > 1.0", Do: []core.Deed{{Do: "set", Column: "state", Value: "'done'"}, {Do: "require", Column: "closed_by"}, {Do: "fail", Column: "score", Message: "{score} for {name}"}, {Do: "hide", Column: "name"}}},
		{Name: "3", On: []core.Op{core.Update}, Do: []core.Deed{{Do: "clear", Column: "due"}}},
	}
	s, err := NewSet(schema(t, table))
	if err != nil {
		t.Fatal(err)
	}
	price := decimal.RequireFromString("9.50")
	for name, c := range map[string]struct {
		r      core.Record
		viewer Viewer
		want   string
	}{
		"holds": {r: core.Record{"price": price, "amount": int64(3), "name": "x", "state": "open"}, want: `1: true [price > 5.0 = true] [amount > 2 = true] [isNull(name) = false] [state == "done" = false]; set name x -> 9.5
2: <nil> else
`},
		"else": {r: core.Record{"price": price, "name": "x"}, want: `1: <nil> [price > 5.0 = true] [amount > 2 = <nil>] [isNull(name) = false] [state == "done" = <nil>] else; hide score <nil> -> <nil>; recommend amount <nil> -> <nil> value 3 "9.50 pays (empty)"
2: <nil> else
`},
		"refused, all of it": {r: core.Record{"score": 2.0}, want: `1: <nil> [price > 5.0 = <nil>] [amount > 2 = <nil>] [isNull(name) = true] [state == "done" = <nil>] else; hide score 2 -> 2; recommend amount <nil> -> <nil> value 3 "(empty) pays (empty)"
2: true; set state <nil> -> done; require closed_by <nil> -> <nil> refused "a value is required"; fail score 2 -> 2 refused "2 for (empty)"; hide name <nil> -> <nil>
`},
		"unseen": {r: core.Record{"score": 2.0, "name": "x"}, viewer: blind{unread: "score price"}, want: `1: <nil> unseen
2: <nil> unseen; set state <nil> -> done; require closed_by <nil> -> <nil> refused "a value is required"; fail score <nil> -> <nil> refused "… for x"
`},
		"unknown": {r: core.Record{"score": 2.0, "name": "x"}, viewer: blind{unknown: "score closed_by"}, want: `1: <nil> [price > 5.0 = <nil>] [amount > 2 = <nil>] [isNull(name) = false] [state == "done" = <nil>] else; recommend amount <nil> -> <nil> value 3 "(empty) pays (empty)"
2: <nil> unseen; set state <nil> -> done; require  <nil> -> <nil> refused "a value is required"; fail  <nil> -> <nil> refused "… for x"
`},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Write{Op: core.Create, Record: c.r, Viewer: c.viewer, Log: &Log{}, Advise: true}
			if err := s.Apply("orders", w); err != nil {
				t.Fatal(err)
			}
			if got := logWords(w.Log); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	s, err := NewSet(schema(t, orders))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rule    core.Rule
		sql     bool
		r       core.Record
		broken  bool
		changed bool
	}{
		"fails":         {rule: core.Rule{When: "amount > 2 && !changed(name) && isUpdate()", Do: []core.Deed{{Do: "fail", Message: "no"}}}, sql: true, r: core.Record{"amount": int64(3)}, broken: true},
		"does not fail": {rule: core.Rule{When: "amount > old.amount", Do: []core.Deed{{Do: "fail", Message: "no"}}}, sql: true, r: core.Record{"amount": int64(3)}},
		"else":          {rule: core.Rule{When: "amount > 2", Else: []core.Deed{{Do: "require", Column: "name"}}}, sql: true, r: core.Record{}, broken: true},
		"sets":          {rule: core.Rule{Do: []core.Deed{{Do: "set", Column: "name", Value: "'x'"}, {Do: "require", Column: "label"}}}, r: core.Record{"price": decimal.NewFromInt(1), "amount": int64(1), "label": nil}, changed: true},
		"on create":     {rule: core.Rule{On: []core.Op{core.Create}, When: "isNull(old.name)", Do: []core.Deed{{Do: "fail", Message: "no"}}}, r: core.Record{"name": "x"}, broken: true},
		"on delete":     {rule: core.Rule{On: []core.Op{core.Delete}, When: "old.name == 'x'", Do: []core.Deed{{Do: "fail", Message: "no"}}}, r: core.Record{"name": "x"}, broken: true},
		"memory":        {rule: core.Rule{When: "name in with(choices('a'), name)", Do: []core.Deed{{Do: "fail", Message: "no"}}}, r: core.Record{"name": "x"}, broken: true},
		"only sets":     {rule: core.Rule{Do: []core.Deed{{Do: "set", Column: "name", Value: "'x'"}}}, r: core.Record{"name": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.rule.Name, c.rule.Disabled = "r", true
			check, err := s.Check("orders", c.rule)
			if err != nil {
				t.Fatal(err)
			}
			found, err := check.Try(c.r, core.Caller{}, nil)
			if err != nil || found.Broken != c.broken || found.Changed != c.changed || (check.Broken != nil) != c.sql {
				t.Errorf("%+v, %v, SQL %v", found, err, check.Broken)
			}
			if check.Broken != nil {
				if ok, err := check.Broken.True(c.r, nil, core.Caller{}, nil); err != nil || ok != c.broken {
					t.Errorf("the condition says %v, %v", ok, err)
				}
			}
		})
	}
}
