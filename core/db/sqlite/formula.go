package sqlite

import (
	"database/sql/driver"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"
	"modernc.org/sqlite"

	"colonnade/core"
	"colonnade/core/formula"
)

// formulaScalars are the functions of the expression language whose meaning is in package core/formula.
var formulaScalars = map[string]scalar{
	"text_find":    strict(3, func(a arguments) (any, bool) { return formula.Find(a.text(0), a.text(1), a.whole(2)) }),
	"text_split":   strict(3, func(a arguments) (any, bool) { return formula.Split(a.text(0), a.text(1), a.whole(2)) }),
	"text_pad":     strict(4, func(a arguments) (any, bool) { return formula.Pad(a.text(0), a.whole(1), a.text(2), a.whole(3) == 1) }),
	"text_repeat":  strict(2, func(a arguments) (any, bool) { return formula.Repeat(a.text(0), a.whole(1)) }),
	"text_right":   strict(2, func(a arguments) (any, bool) { return formula.Right(a.text(0), a.whole(1)) }),
	"text_capital": {1, textual(formula.Capitalize)},
	"text_title":   {1, textual(formula.Title)},
	"text_join":    {3, joinTexts},
	"text_matches": strict(2, func(a arguments) (any, bool) {
		re, err := regexes.get(a.text(1))
		return err == nil && re.MatchString(a.text(0)), err == nil
	}),

	"decimal_mod":    {2, arithmetic(formula.Mod)},
	"decimal_power":  strict(2, func(a arguments) (any, bool) { return formula.Power(a.decimal(0), a.whole(1)) }),
	"decimal_sqrt":   strict(1, func(a arguments) (any, bool) { return formula.Sqrt(a.decimal(0)) }),
	"decimal_sign":   strict(1, func(a arguments) (any, bool) { return int64(a.decimal(0).Sign()), true }),
	"decimal_trunc":  strict(2, func(a arguments) (any, bool) { return a.decimal(0).RoundDown(int32(a.whole(1))), true }),
	"decimal_nullif": {2, differs},
	"decimal_format": strict(2, func(a arguments) (any, bool) {
		p, ok := formula.ParseNumberPattern(a.text(1))
		return p.Format(a.decimal(0)), ok
	}),

	"time_zone_civil":   strict(2, zoneCivil),
	"time_zone_moment":  strict(2, zoneMoment),
	"time_start":        strict(2, func(a arguments) (any, bool) { return a.moved(formula.Start(a.time(0), a.text(1))) }),
	"time_end":          strict(2, func(a arguments) (any, bool) { return a.moved(formula.End(a.time(0), a.text(1))) }),
	"time_part":         strict(2, func(a arguments) (any, bool) { return formula.Part(a.time(0), a.text(1)) }),
	"time_months":       strict(2, func(a arguments) (any, bool) { return formula.MonthsBetween(a.time(0), a.time(1)), true }),
	"time_workdays":     strict(3, func(a arguments) (any, bool) { return a.holidays(2).Workdays(a.time(0), a.time(1)), true }),
	"time_add_workdays": strict(3, func(a arguments) (any, bool) { return a.moved(a.holidays(2).Add(a.time(0), a.whole(1))) }),
	"time_format": strict(2, func(a arguments) (any, bool) {
		p, ok := formula.ParseTimePattern(a.text(1))
		return p.Format(a.time(0)), ok
	}),
	"time_parse": strict(2, func(a arguments) (any, bool) {
		p, ok := formula.ParseDatePattern(a.text(1))
		if !ok {
			return nil, false
		}
		t, ok := p.Parse(a.text(0))
		return t.Format(core.TimeLayout), ok
	}),

	"json_contains": strict(2, func(a arguments) (any, bool) {
		return formula.JSONContains(gjson.Parse(a.text(0)), gjson.Parse(a.text(1))), true
	}),
	"json_within": strict(2, func(a arguments) (any, bool) {
		return formula.JSONContains(gjson.Parse(a.text(1)), gjson.Parse(a.text(0))), true
	}),
	"json_any_key": strict(2, func(a arguments) (any, bool) {
		return slices.ContainsFunc(gjson.Parse(a.text(1)).Array(), a.hasKey), true
	}),
	"json_all_keys": strict(2, func(a arguments) (any, bool) {
		return !slices.ContainsFunc(gjson.Parse(a.text(1)).Array(), func(key gjson.Result) bool { return !a.hasKey(key) }), true
	}),

	"json_text_at":   strict(2, func(a arguments) (any, bool) { return formula.TextAt(a.json(0), a.path(1)) }),
	"json_number_at": strict(2, func(a arguments) (any, bool) { return formula.NumberAt(a.json(0), a.path(1)) }),
	"json_bool_at":   strict(2, func(a arguments) (any, bool) { return formula.BoolAt(a.json(0), a.path(1)) }),
	"json_size_at":   strict(2, func(a arguments) (any, bool) { return formula.SizeAt(a.json(0), a.path(1)) }),
	"json_has_at":    strict(2, func(a arguments) (any, bool) { return formula.HasAt(a.json(0), a.path(1)), true }),
}

// arguments are those of a call, none of them NULL. What has another type than a function takes reads as nothing.
type arguments []driver.Value

// strict is a function of n arguments that gives NULL when one of them is NULL, or when f has no value.
func strict(n int32, f func(a arguments) (any, bool)) scalar {
	return scalar{n, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if slices.Contains(args, nil) {
			return nil, nil
		}
		v, ok := f(args)
		if !ok {
			return nil, nil
		}
		switch v := v.(type) {
		case decimal.Decimal:
			return plain(v), nil
		case bool:
			return truth(v), nil
		}
		return v, nil
	}}
}

func (a arguments) text(i int) string {
	s, _ := a[i].(string)
	return s
}

func (a arguments) whole(i int) int64 {
	n, _ := a[i].(int64)
	return n
}

func (a arguments) decimal(i int) decimal.Decimal {
	d, _ := parseDecimal(a[i])
	return d
}

func (a arguments) json(i int) []byte { return []byte(a.text(i)) }

func (a arguments) path(i int) formula.Path {
	p, _ := formula.ParsePath(a.text(i))
	return p
}

func (a arguments) holidays(i int) formula.Holidays {
	h, _ := formula.ParseHolidays(a.text(i))
	return h
}

// time returns an argument in the form of either kind of times.
func (a arguments) time(i int) time.Time {
	s := a.text(i)
	t, err := time.Parse(layoutOf(s), s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// moved returns t in the form of the first argument.
func (a arguments) moved(t time.Time, ok bool) (any, bool) { return t.Format(layoutOf(a.text(0))), ok }

func zoneCivil(a arguments) (any, bool) {
	z, err := formula.LoadZone(a.text(1))
	if err != nil {
		return nil, false
	}
	d, ok := z.Civil(a.time(0))
	return d.String(), ok
}

func zoneMoment(a arguments) (any, bool) {
	z, err := formula.LoadZone(a.text(1))
	if err != nil {
		return nil, false
	}
	t, ok := z.Moment(core.CivilTimeOf(a.time(0)))
	return t.Format(core.TimeLayout), ok
}

// joinTexts takes NULL for an empty text.
func joinTexts(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	a := arguments(args)
	if s, ok := formula.Join(a.text(0), a.text(1), a.text(2)); ok {
		return s, nil
	}
	return nil, nil
}

// differs is NULL where two decimals are equal, otherwise the first.
func differs(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	a, ok := parseDecimal(args[0])
	b, ok2 := parseDecimal(args[1])
	if ok && ok2 && a.Equal(b) {
		return nil, nil
	}
	return args[0], nil
}
