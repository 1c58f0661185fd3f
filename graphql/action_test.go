package graphql

import (
	"context"
	"errors"

	"colonnade/core"
)

// testActions are actions that do what the tests need.
func testActions() []core.Action {
	whole := []core.Column{
		{Name: "text", Kind: core.Text}, {Name: "n", Kind: core.Integer, Required: true}, {Name: "price", Kind: core.Decimal, Precision: 10, Scale: 2},
		{Name: "on", Kind: core.Date}, {Name: "ids", Kind: core.UUID, List: true}, {Name: "any", Kind: core.JSON},
		{Name: "parts", Kind: core.Object, List: true, Fields: []core.Column{{Name: "name", Kind: core.Text, Required: true}, {Name: "count", Kind: core.Integer}}},
	}
	echo := func(_ context.Context, c core.Call) (core.Record, error) { return c.In, nil }
	return []core.Action{
		{Name: "echo", Doc: "Answers what it is given.", Input: whole, Output: whole, Run: echo},
		{Name: "echo_alone", Doc: "The same in transactions of its own.", Input: whole, Output: whole, Alone: true, Run: echo},
		{Name: "quiet", Doc: "Answers nothing.", Run: func(context.Context, core.Call) (core.Record, error) { return nil, nil }},
		{Name: "secret", Doc: "Needs a right.", Privilege: "manage_flows", Run: echo},
		{Name: "explode", Doc: "Fails in a way that nobody may see.", Run: func(context.Context, core.Call) (core.Record, error) {
			return nil, core.E("test.explode", errors.New("pq: password=hunter2"))
		}},
		{Name: "panics", Doc: "Panics.", Run: func(context.Context, core.Call) (core.Record, error) { panic("hunter2") }},
	}
}
