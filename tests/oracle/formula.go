package oracle

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// formula is what a calculated column over its own record means.
type formula struct {
	reads []string // all columns that go into it
	value func(p *person, r core.Record) any
}

// simpleFormulas say what the formulas of plainColumns mean, by column. A value that is made of nothing is nothing, but for && and ||, which
// need one side only when that decides.
var simpleFormulas = map[string]formula{
	"next_n": {[]string{"n"}, func(_ *person, r core.Record) any { return next(r["n"]) }},
	"twice": {[]string{"d"}, func(_ *person, r core.Record) any {
		return with(r["d"], func(d decimal.Decimal) any { return d.Mul(decimal.NewFromInt(2)) })
	}},
	"loud": {[]string{"s"}, func(_ *person, r core.Record) any { return loud(r["s"]) }},
	"big": {[]string{"n", "d"}, func(_ *person, r core.Record) any {
		return both(with(r["n"], func(n int64) any { return n > 2 }), with(r["d"], func(d decimal.Decimal) any { return d.GreaterThan(decimal.NewFromInt(1)) }))
	}},
	"label": {[]string{"loud", "next_n", "s", "n"}, func(_ *person, r core.Record) any {
		text := loud(r["s"])
		if text == nil {
			text = "none"
		}
		return with(next(r["n"]), func(n int64) any { return text.(string) + fmt.Sprint(n) })
	}},
	"later": {[]string{"day"}, func(_ *person, r core.Record) any {
		return with(r["day"], func(day time.Time) any { return day.AddDate(0, 0, 3) })
	}},
	"mine": {[]string{"s", "n"}, func(p *person, r core.Record) any {
		return either(with(r["s"], func(s string) any { return s == string(p.id) }), with(r["n"], func(n int64) any { return n > 3 }))
	}},
	"half": {[]string{"n"}, func(_ *person, r core.Record) any {
		return with(r["n"], func(n int64) any { return float64(n) * 2.5 })
	}},
	"stage_state": {[]string{"stage"}, func(_ *person, r core.Record) any {
		return with(stageOf(r), func(o core.Option) any { return o.State })
	}},
	"stage_next": {[]string{"stage"}, func(_ *person, r core.Record) any {
		return with(stageOf(r), func(o core.Option) any {
			if len(o.Next) == 0 {
				return nil
			}
			return slices.Sorted(slices.Values(o.Next))
		})
	}},
}

func next(n any) any { return with(n, func(n int64) any { return n + 1 }) }

func loud(s any) any { return with(s, func(s string) any { return s + "!" }) }

// stageOf is the option that the record is at.
func stageOf(r core.Record) any {
	if i := slices.IndexFunc(stages, func(o core.Option) bool { return o.Value == r["stage"] }); i >= 0 {
		return stages[i]
	}
	return nil
}

// with is f of a value, or nothing of nothing.
func with[T any](v any, f func(T) any) any {
	if v == nil {
		return nil
	}
	return f(v.(T))
}

func both(a, b any) any {
	switch {
	case a == false || b == false:
		return false
	case a == nil || b == nil:
		return nil
	}
	return true
}

func either(a, b any) any {
	return opposite(both(opposite(a), opposite(b)))
}

func opposite(a any) any {
	return with(a, func(b bool) any { return !b })
}

// plainCondition is a condition of grants over columns that every table has.
type plainCondition struct {
	text string
	eval func(r core.Record) any
}

func integerIn(r core.Record, f func(n int64) bool) any {
	return with(r["n"], func(n int64) any { return f(n) })
}

func textIn(r core.Record, f func(s string) bool) any {
	return with(r["s"], func(s string) any { return f(s) })
}

var plainConditions = []plainCondition{
	{"n > 1", func(r core.Record) any { return integerIn(r, func(n int64) bool { return n > 1 }) }},
	{`s == "a" || s == "b"`, func(r core.Record) any { return textIn(r, func(s string) bool { return s == "a" || s == "b" }) }},
	{"b", func(r core.Record) any { return r["b"] }},
	{"!b || n < 3", func(r core.Record) any {
		return either(opposite(r["b"]), integerIn(r, func(n int64) bool { return n < 3 }))
	}},
	{"d >= 1.0 // dear", func(r core.Record) any {
		return with(r["d"], func(d decimal.Decimal) any { return d.GreaterThanOrEqual(decimal.NewFromInt(1)) })
	}},
	{`day > date("2024-02-27")`, func(r core.Record) any {
		return with(r["day"], func(day time.Time) any { return day.After(time.Date(2024, 2, 27, 0, 0, 0, 0, time.UTC)) })
	}},
	{`s in ["a", "ab"] && n != 2`, func(r core.Record) any {
		return both(textIn(r, func(s string) bool { return s == "a" || s == "ab" }), integerIn(r, func(n int64) bool { return n != 2 }))
	}},
	{"isNull(s) || n > 0", func(r core.Record) any {
		return either(r["s"] == nil, integerIn(r, func(n int64) bool { return n > 0 }))
	}},
}

// kindConditions are conditions over columns that a table may have, by column.
var kindConditions = map[string][]plainCondition{
	"to0_id": {{"isNull(to0_id)", func(r core.Record) any { return r["to0_id"] == nil }}},
	"many": {
		{`"red" in many`, func(r core.Record) any { return contains(choicesOf(r), "red") }},
		{`!("green" in many) || size(many) > 2`, func(r core.Record) any { return !contains(choicesOf(r), "green") || len(choicesOf(r)) > 2 }},
	},
	"stage": {
		{`stage_state == "open"`, func(r core.Record) any { return r["stage"] == "new" }},
		{`"won" in stage_next`, func(r core.Record) any { return r["stage"] == "new" }},
	},
	"big": {{"big", func(r core.Record) any { return simpleFormulas["big"].value(nil, r) }}},
}

// choicesOf are the choices of a record; nothing is like none.
func choicesOf(r core.Record) []string {
	list, _ := r["many"].([]string)
	return list
}

func contains(list []string, v string) bool { return slices.Contains(list, v) }
