package sqlite

import (
	"database/sql/driver"
	"strings"
	"time"

	"modernc.org/sqlite"

	"colonnade/core"
)

// timeScalars are the functions of moments and of dates and times without a zone, which are texts, and of durations, which
// are numbers of microseconds. Those of the expression language are the twins of some in package rules.
var timeScalars = map[string]scalar{
	"time_add_days":   {2, later(addDays)},
	"time_add_months": {2, later(addMonths)},
	"time_add": {2, later(func(t time.Time, n int64) (time.Time, bool) {
		return time.UnixMicro(t.UnixMicro() + n).UTC(), n >= -int64(core.MaxSpan) && n <= int64(core.MaxSpan)
	})},
	"time_between": {2, between},

	"duration_add":  {2, spans(func(a, b int64) (int64, bool) { return a + b, true })}, // which cannot overflow
	"duration_mul":  {2, spans(multiply)},
	"duration_text": {1, durationText},
	"text_duration": {1, textDuration},
}

// layouts are those of the two kinds of times: with a zone, which is UTC, and without one.
func layoutOf(s string) string {
	if strings.HasSuffix(s, "+00:00") {
		return core.TimeLayout
	}
	return core.CivilLayout
}

// later is a function of a time, of either kind, and a number.
func later(f func(time.Time, int64) (time.Time, bool)) scalarFunc {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		s, ok := args[0].(string)
		n, ok2 := args[1].(int64)
		if !ok || !ok2 {
			return nil, nil
		}
		layout := layoutOf(s)
		t, err := time.Parse(layout, s)
		if err != nil {
			return nil, nil
		}
		t, ok = f(t.UTC(), n)
		if !ok || t.Year() < 1 || t.Year() > 9999 {
			return nil, nil
		}
		return t.Format(layout), nil
	}
}

func addDays(t time.Time, n int64) (time.Time, bool) {
	return t.AddDate(0, 0, int(n)), n >= -1_000_000 && n <= 1_000_000
}

// addMonths keeps the day of the month, or takes the last one of a shorter month.
func addMonths(t time.Time, n int64) (time.Time, bool) {
	if n < -24_000 || n > 24_000 {
		return t, false
	}
	year, month, day := t.Date()
	first := time.Date(year, month+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return first.AddDate(0, 0, min(day, first.AddDate(0, 1, -1).Day())-1), true
}

// between is how long the first time is after the second, which is of the same kind.
func between(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	var us [2]int64
	for i, v := range args {
		s, ok := v.(string)
		if !ok {
			return nil, nil
		}
		t, err := time.Parse(layoutOf(s), s)
		if err != nil {
			return nil, nil
		}
		us[i] = t.UnixMicro()
	}
	return us[0] - us[1], nil
}

// spans is a function that makes a duration of two numbers; NULL when it is too long.
func spans(op func(a, b int64) (int64, bool)) scalarFunc {
	return integers(func(a, b int64) (int64, bool) {
		n, ok := op(a, b)
		return n, ok && n <= int64(core.MaxSpan) && n >= -int64(core.MaxSpan)
	})
}

func durationText(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	n, ok := args[0].(int64)
	if !ok {
		return nil, nil
	}
	return core.Span(n).String(), nil
}

// textDuration is the reverse of durationText.
func textDuration(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	d, err := core.ParseSpan(s)
	if err != nil {
		return nil, nil
	}
	return int64(d), nil
}
