package rules

import (
	"slices"
	"testing"
)

func TestRename(t *testing.T) {
	names := map[string]string{"price": "cost", "stock": "price"} // a chain: each name is that of before
	for _, test := range []struct{ in, want string }{
		{"price", "cost"},
		{"price * stock", "cost * price"},
		{`price > 1.0 && old.price < price && title == "price"`, `cost > 1.0 && old.cost < cost && title == "price"`},
		{"price.price", "cost.price"},
		{" old . price // price\n + price", " old . cost // price\n + cost"},
		{`"größe €" == title || coalesce(price, stock, 1.0) > 2.0`, `"größe €" == title || coalesce(cost, price, 1.0) > 2.0`},
		{"price.round(2) + age(price) + [price, stock][0]", "cost.round(2) + age(cost) + [cost, price][0]"},
		{"isNull(price) ? stock : -price", "isNull(cost) ? price : -cost"},
		{"prices + price_ + a.price", "prices + price_ + a.price"},
		{"price in [price]", "cost in [cost]"},
		{`r"price" + """price""" + price`, `r"price" + """price""" + cost`},
		{"price(price)", "price(cost)"},
		{"trigger.record.price", "trigger.record.price"},
	} {
		got, err := RenameColumns(test.in, names)
		if err != nil || got != test.want {
			t.Errorf("%s becomes %s, want %s (%v)", test.in, got, test.want, err)
		}
	}
	got, err := Rename("trigger.record.price + trigger.records[0].price", map[string]string{"trigger.record.price": "cost"})
	if err != nil || got != "trigger.record.cost + trigger.records[0].price" {
		t.Error(got, err)
	}
	if paths, err := Mentions(`old.price + price + f("x")`); err != nil || !slices.Equal(paths, []string{"old", "old.price", "price"}) {
		t.Error(paths, err)
	}
	if _, err := Rename("price +", names); err == nil {
		t.Error("half an expression was renamed")
	}
}
