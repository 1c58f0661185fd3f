package rules

import (
	"encoding/json"
	"testing"

	"colonnade/core"
)

// TestGiven runs tests of rules that read other records.
func TestGiven(t *testing.T) {
	decimal := func(name string) core.Column {
		return core.Column{Name: name, Kind: core.Decimal, Precision: 12, Scale: 2}
	}
	lookup := func(name, target, inverse string) core.Column {
		return core.Column{Name: name, Kind: core.Lookup, Target: target, Inverse: inverse}
	}
	customer := core.Table{Name: "customer", Columns: []core.Column{{Name: "region", Kind: core.Choice, Options: []core.Option{{Value: "eu"}, {Value: "us"}}}, decimal("credit")}}
	volume := core.Column{Name: "volume", Kind: core.Decimal, Precision: 12, Scale: 2, Formula: "lines.sum(l, l.amount * 2)"}
	region := core.Column{Name: "region", Kind: core.Text, Default: "string(customer.region)"}
	sale := core.Table{Name: "sale", Columns: []core.Column{{Name: "title", Kind: core.Text}, region, lookup("customer_id", "customer", "sales"), volume}}
	line := core.Table{Name: "line", Columns: []core.Column{lookup("sale_id", "sale", "lines"), decimal("amount")}}
	sale.Rules = []core.Rule{
		{Name: "credit", Order: 1, When: "lines.sum(l,  l.amount) > customer.credit", Do: []core.Deed{{Do: "fail", Message: "{lines.sum(l, l.amount)} is more than {customer.credit}"}}},
		{Name: "title", Order: 2, When: "title == 'x' || customer.region == 'us'", Do: []core.Deed{{Do: "set", Column: "title", Value: "'US ' + title"}}},
		{Name: "big", Order: 3, When: "volume > 100.0", Do: []core.Deed{{Do: "fail", Message: "{volume} is big"}}},
		{Name: "moved", Order: 4, On: []core.Op{core.Update}, When: "old.customer.region != customer.region", Do: []core.Deed{{Do: "fail", Message: "from {old.customer.region} to {customer.region}"}}},
	}
	const sum, credit, where = `{"read": "lines.sum(l, l.amount)", "value": 10.5}`, `{"read": "customer.credit", "value": 20}`, `{"read": "customer.region", "value": "us"}`
	all := sum + "," + credit + "," + where + `, {"read": "volume", "value": 99}`
	for name, c := range map[string]struct{ test, want string }{
		"passes":           {test: `{"record": {"title": "Tea", "region": "x"}, "given": [` + all + `], "expect": {"set": {"title": "US Tea"}}}`},
		"a default":        {test: `{"record": {"title": "Tea"}, "given": [` + all + `], "expect": {"set": {"region": "us"}}}`},
		"refused late":     {test: `{"record": {"title": "x", "region": "x"}, "given": [` + sum + `, {"read": "customer.credit", "value": 10}], "expect": {"fail": "10.5 is more than 10.00", "rule": "credit"}}`},
		"nothing":          {test: `{"record": {"title": "x", "region": "x"}, "given": [` + sum + `, {"read": "customer.credit"}, {"read": "volume"}], "expect": {}}`},
		"a formula":        {test: `{"record": {"title": "x", "region": "x"}, "given": [` + sum + `, ` + credit + `, {"read": "lines.sum(l, l.amount * 2)", "value": 101}], "expect": {"fail": "101.00 is big"}}`},
		"before":           {test: `{"old": {"title": "x"}, "given": [` + all + `, {"read": "old.customer.region", "value": "eu"}], "expect": {"fail": "from eu to us", "rule": "moved"}}`},
		"lacks":            {test: `{"record": {"title": "x", "region": "x"}, "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": the rule "credit" reads lines.sum(l, l.amount) of other records, and there are none in a test: add it to given, such as {read: "lines.sum(l, l.amount)", value: ...}`},
		"lacks, refused":   {test: `{"record": {"title": "x", "region": "x"}, "expect": {"rule": "credit"}}`, want: `sale, rule "credit", item 1: the test "x": the rule "credit" reads lines.sum(l, l.amount) of other records, and there are none in a test: add it to given, such as {read: "lines.sum(l, l.amount)", value: ...}`},
		"lacks a default":  {test: `{"record": {"title": "x"}, "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": the default of region reads customer.region of other records, and there are none in a test: add it to given, such as {read: "customer.region", value: ...}, or say in record what region is`},
		"not read":         {test: `{"record": {"title": "x"}, "given": [{"read": "customer.sales.count()", "value": 1}], "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": given, customer.sales.count(): the expressions of the table read no such value of other records; they read: customer.credit, customer.region, lines.sum(l, l.amount * 2), lines.sum(l, l.amount), old.customer.region`},
		"of the record":    {test: `{"record": {}, "given": [{"read": "title", "value": "x"}], "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": given, title: title is of the record itself: say in record or in old what it is`},
		"no such relation": {test: `{"record": {}, "given": [{"read": "costumer.region", "value": "x"}], "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": given, costumer.region: there is nothing called costumer; did you mean customer?`},
		"a bad value":      {test: `{"record": {}, "given": [{"read": "customer.region", "value": "mars"}], "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": given, customer.region: "mars" is not one of eu, us`},
		"twice":            {test: `{"record": {}, "given": [` + sum + `, ` + sum + `], "expect": {}}`, want: `sale, rule "credit", item 1: the test "x": given, lines.sum(l, l.amount): the value is given twice`},
	} {
		t.Run(name, func(t *testing.T) {
			var test core.RuleTest
			if err := json.Unmarshal([]byte(c.test), &test); err != nil {
				t.Fatal(err)
			}
			test.Name = "x"
			of := sale
			of.Rules = append([]core.Rule{}, sale.Rules...)
			of.Rules[0].Tests = []core.RuleTest{test}
			s, err := NewSet(schema(t, customer, of, line))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := s.Test("sale"); err != nil {
				got = core.AsError(err).Public()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
