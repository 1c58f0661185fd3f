package rules

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"colonnade/core"
	"colonnade/core/formula"
)

var dateFunctions = []Function{
	{"now", "The present moment, the same wherever an expression says it.", nil, []string{"now() >= today()"}},

	{"today", "The present day in UTC.", nil, []string{"today() <= now()", "date(now()) == today()"}},

	{"date", "The day of a moment, which is its midnight; or the day that a literal text spells, as in date('2024-05-01').", []Overload{
		{Signature: "string: timestamp", Literal: 1, call: moment(time.DateOnly)},
		{Signature: "timestamp: timestamp", SQLite: "(substr($1, 1, 10) || 'T00:00:00+00:00')", Postgres: "(date_trunc('day', $1 AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')", call: unaryTime(func(t time.Time) ref.Val { return types.Timestamp{Time: midnight(t)} })},
		{Signature: "datetime: timestamp", SQLite: "(substr($1, 1, 10) || 'T00:00:00+00:00')", Postgres: "(date_trunc('day', $1) AT TIME ZONE 'UTC')", call: unaryTime(func(t time.Time) ref.Val { return types.Timestamp{Time: midnight(t)} })},
	}, []string{"date(timestamp('2024-05-01T12:00:00Z')) == date('2024-05-01')"}},

	{"parseDate", "The day that a text names in the form of a literal pattern of yyyy, MM or M, dd or d, and other characters; NULL when it names none.", []Overload{
		{Signature: "string, string: timestamp", SQLite: "time_parse($1, $2)", Postgres: "date_parse($1, #1::text, #2::int, #3::int, #4::int)", Literal: 2, check: checkDatePattern, call: parseDate, derive: func(literal string) []any {
			p, _ := formula.ParseDatePattern(literal)
			return []any{p.Regex, int64(p.Year), int64(p.Month), int64(p.Day)}
		}},
	}, []string{"parseDate('31.12.2024', 'dd.MM.yyyy') == date('2024-12-31')", "parseDate('5/1/2024', 'M/d/yyyy') == date('2024-05-01')", "parseDate('2024-05', 'yyyy-MM') == date('2024-05-01')", "isNull(parseDate('30.02.2024', 'dd.MM.yyyy'))"}},

	{"timestamp", "The moment that a literal text spells, as in timestamp('2024-05-01T12:00:00Z'); or that of a date and time without a zone, taken to be in UTC.", []Overload{
		{Signature: "string: timestamp", Literal: 1, call: moment(time.RFC3339Nano)},
		{Signature: "datetime: timestamp", SQLite: "($1 || '+00:00')", Postgres: "($1 AT TIME ZONE 'UTC')", call: func(v ref.Val) ref.Val { return types.Timestamp{Time: core.CivilTime(v.(civil)).Time()} }},
	}, []string{"timestamp(datetime('2024-05-01T12:00:00')) == timestamp('2024-05-01T12:00:00Z')", "timestamp('2024-05-01T12:00:00Z') > date('2024-05-01')"}},

	{"datetime", "The date and time without a zone that a literal text spells, as in datetime('2024-05-01T12:00:00'); or those of a moment in UTC.", []Overload{
		{Signature: "string: datetime", Literal: 1, call: unaryText(civilFrom)},
		{Signature: "timestamp: datetime", SQLite: "substr($1, 1, length($1) - 6)", Postgres: "($1 AT TIME ZONE 'UTC')", call: unaryTime(func(t time.Time) ref.Val { return civil(core.CivilTimeOf(t)) })},
	}, []string{"datetime('2024-05-01T12:00') + duration('PT36H') == datetime('2024-05-03T00:00:00')", "datetime(timestamp('2024-05-01T12:00:00+02:00')) == datetime('2024-05-01T10:00:00')"}},

	{"year", "The year of a date.", []Overload{
		{Signature: "timestamp: int", SQLite: "CAST(substr($1, 1, 4) AS INTEGER)", Postgres: "(extract(year from $1 AT TIME ZONE 'UTC')::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Year()) })},
		{Signature: "datetime: int", SQLite: "CAST(substr($1, 1, 4) AS INTEGER)", Postgres: "(extract(year from $1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Year()) })},
	}, []string{"year(date('2024-05-31')) == 2024"}},

	{"quarter", "The quarter of a date, from 1 to 4.", ofTime(": int", calendarPart("quarter", "quarter")), []string{"quarter(date('2024-05-31')) == 2"}},

	{"month", "The month of a date, 1 for January.", []Overload{
		{Signature: "timestamp: int", SQLite: "CAST(substr($1, 6, 2) AS INTEGER)", Postgres: "(extract(month from $1 AT TIME ZONE 'UTC')::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Month()) })},
		{Signature: "datetime: int", SQLite: "CAST(substr($1, 6, 2) AS INTEGER)", Postgres: "(extract(month from $1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Month()) })},
	}, []string{"month(date('2024-05-31')) == 5"}},

	{"week", "The week of a date, from 1 to 53 (ISO 8601: weeks begin on Monday, and the first has the first Thursday of the year).", ofTime(": int", calendarPart("week", "week")), []string{"week(date('2024-12-30')) == 1", "week(date('2021-01-03')) == 53"}},

	{"weekYear", "The year that the week of a date belongs to (ISO 8601).", ofTime(": int", calendarPart("weekYear", "isoyear")), []string{"weekYear(date('2024-12-30')) == 2025"}},

	{"day", "The day of the month of a date, from 1.", []Overload{
		{Signature: "timestamp: int", SQLite: "CAST(substr($1, 9, 2) AS INTEGER)", Postgres: "(extract(day from $1 AT TIME ZONE 'UTC')::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Day()) })},
		{Signature: "datetime: int", SQLite: "CAST(substr($1, 9, 2) AS INTEGER)", Postgres: "(extract(day from $1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Day()) })},
	}, []string{"day(date('2024-05-31')) == 31"}},

	{"dayOfYear", "The day of the year of a date, from 1 to 366.", ofTime(": int", calendarPart("dayOfYear", "doy")), []string{"dayOfYear(date('2024-12-31')) == 366"}},

	{"weekday", "The day of the week of a date: 1 for Monday, 7 for Sunday.", ofTime(": int", calendarPart("weekday", "isodow")), []string{"weekday(date('2024-05-01')) == 3", "weekday(date('2024-05-05')) == 7"}},

	{"hour", "The hour of a time, from 0 to 23.", ofTime(": int", Overload{SQLite: "CAST(substr($1, 12, 2) AS INTEGER)", Postgres: "(extract(hour from @1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Hour()) })}),
		[]string{"hour(timestamp('2024-05-01T12:34:56Z')) == 12", "hour(date('2024-05-01')) == 0"}},

	{"minute", "The minute of a time, from 0 to 59.", ofTime(": int", Overload{SQLite: "CAST(substr($1, 15, 2) AS INTEGER)", Postgres: "(extract(minute from @1)::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Minute()) })}),
		[]string{"minute(datetime('2024-05-01T12:34:56')) == 34"}},

	{"second", "The second of a time, from 0 to 59.", ofTime(": int", Overload{SQLite: "CAST(substr($1, 18, 2) AS INTEGER)", Postgres: "(floor(extract(second from @1))::bigint)", call: unaryTime(func(t time.Time) ref.Val { return types.Int(t.Second()) })}),
		[]string{"second(datetime('2024-05-01T12:34:56.9')) == 56"}},

	{"startOf", "When the year, quarter, month, week (from Monday), day, hour or minute began that a time is in. The period is a literal.", movedTimes(", string", Overload{SQLite: "time_start($1, $2)", Postgres: "date_trunc($2, @1)", Literal: 2, check: checkPeriod(formula.Periods), call: inPeriod(formula.Start)}),
		[]string{"startOf(date('2024-05-31'), 'quarter') == date('2024-04-01')", "startOf(date('2024-05-05'), 'week') == date('2024-04-29')", "startOf(datetime('2024-05-05T12:34:56'), 'hour') == datetime('2024-05-05T12:00:00')"}},

	{"endOf", "The last day of the year, quarter, month or week that a time is in. The period is a literal.", movedTimes(", string", Overload{SQLite: "time_end($1, $2)", Postgres: "date_trunc($2, @1) + #1::interval - interval '1 day'", Literal: 2, check: checkPeriod(formula.Days), call: inPeriod(formula.End), derive: func(literal string) []any {
		return []any{strings.Replace("1 "+literal, "1 quarter", "3 months", 1)}
	}}),
		[]string{"endOf(date('2024-02-10'), 'month') == date('2024-02-29')", "endOf(date('2024-05-01'), 'week') == date('2024-05-05')", "endOf(date('2024-05-01'), 'year') == date('2024-12-31')"}},

	{"addDays", "A moment that many days later, at most a million.", []Overload{
		{Signature: "timestamp, int: timestamp", SQLite: "time_add_days($1, $2)", Postgres: calendar("$1 + " + within("$2", maxDays) + " * interval '24 hours'"), call: later(addDays)},
		{Signature: "datetime, int: datetime", SQLite: "time_add_days($1, $2)", Postgres: civilCalendar("$1 + " + within("$2", maxDays) + " * interval '24 hours'"), call: later(addDays)},
	}, []string{"addDays(date('2024-02-28'), 2) == date('2024-03-01')", "addDays(date('2024-03-01'), -1) == date('2024-02-29')", "isNull(addDays(date('9999-12-31'), 1))"}},

	{"addWeeks", "A moment that many weeks later: addDays(moment, weeks * 7).", []Overload{{Signature: "timestamp, int: timestamp", macro: true}, {Signature: "datetime, int: datetime", macro: true}}, []string{"addWeeks(date('2024-05-01'), 2) == date('2024-05-15')"}},

	{"addMonths", "A moment that many months later; the last day of the month where the month is too short. At most 24,000.", []Overload{
		{Signature: "timestamp, int: timestamp", SQLite: "time_add_months($1, $2)", Postgres: calendar("($1 AT TIME ZONE 'UTC' + " + within("$2", maxMonths) + " * interval '1 month') AT TIME ZONE 'UTC'"), call: later(addMonths)},
		{Signature: "datetime, int: datetime", SQLite: "time_add_months($1, $2)", Postgres: civilCalendar("$1 + " + within("$2", maxMonths) + " * interval '1 month'"), call: later(addMonths)},
	}, []string{"addMonths(date('2024-01-31'), 1) == date('2024-02-29')", "addMonths(date('2024-03-31'), -13) == date('2023-02-28')", "isNull(addMonths(date('0001-01-01'), -1))"}},

	{"addYears", "A moment that many years later: addMonths(moment, years * 12).", []Overload{{Signature: "timestamp, int: timestamp", macro: true}, {Signature: "datetime, int: datetime", macro: true}}, []string{"addYears(date('2024-02-29'), 1) == date('2025-02-28')"}},

	{"daysBetween", "How many days lie between the day of one moment and that of another, negative when the other is earlier.", []Overload{
		{Signature: "timestamp, timestamp: int", SQLite: "CAST(julianday(substr($2, 1, 10)) - julianday(substr($1, 1, 10)) AS INTEGER)", Postgres: "((($2 AT TIME ZONE 'UTC')::date - ($1 AT TIME ZONE 'UTC')::date)::bigint)", call: between(daysBetween)},
		{Signature: "datetime, datetime: int", SQLite: "CAST(julianday(substr($2, 1, 10)) - julianday(substr($1, 1, 10)) AS INTEGER)", Postgres: "(($2::date - $1::date)::bigint)", call: between(daysBetween)},
	}, []string{"daysBetween(date('2024-02-28'), date('2024-03-01')) == 2", "daysBetween(date('2024-03-01'), date('2024-02-28')) == -2"}},

	{"monthsBetween", "How many whole months lie between two days.", []Overload{
		{Signature: "timestamp, timestamp: int", SQLite: "time_months($1, $2)", Postgres: "months_between($1 AT TIME ZONE 'UTC', $2 AT TIME ZONE 'UTC')", call: between(monthsBetween)},
		{Signature: "datetime, datetime: int", SQLite: "time_months($1, $2)", Postgres: "months_between($1, $2)", call: between(monthsBetween)},
	}, []string{"monthsBetween(date('2024-01-31'), date('2024-02-29')) == 0", "monthsBetween(date('2024-01-15'), date('2025-03-15')) == 14", "monthsBetween(date('2024-02-15'), date('2024-01-10')) == -1"}},

	{"yearsBetween", "How many whole years lie between two days.", []Overload{
		{Signature: "timestamp, timestamp: int",
			SQLite:   "((CAST(replace(substr($2, 1, 10), '-', '') AS INTEGER) - CAST(replace(substr($1, 1, 10), '-', '') AS INTEGER)) / 10000)",
			Postgres: "((to_char($2 AT TIME ZONE 'UTC', 'YYYYMMDD')::bigint - to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDD')::bigint) / 10000)", call: between(yearsBetween)},
		{Signature: "datetime, datetime: int",
			SQLite:   "((CAST(replace(substr($2, 1, 10), '-', '') AS INTEGER) - CAST(replace(substr($1, 1, 10), '-', '') AS INTEGER)) / 10000)",
			Postgres: "((to_char($2, 'YYYYMMDD')::bigint - to_char($1, 'YYYYMMDD')::bigint) / 10000)", call: between(yearsBetween)},
	}, []string{"yearsBetween(date('2000-02-29'), date('2018-02-28')) == 17", "yearsBetween(date('2000-02-29'), date('2018-03-01')) == 18"}},

	{"age", "How many whole years ago a day was: yearsBetween(day, today()).", []Overload{{Signature: "timestamp: int", macro: true}}, []string{"age(addMonths(today(), -240)) == 20", "age(today()) == 0"}},
}

// ofTime are the signatures of a function of a timestamp or a datetime and more. In the template of PostgreSQL @1 is the first
// argument as a timestamp without a zone.
func ofTime(more string, o Overload) []Overload {
	a, b := o, o
	a.Signature, a.Postgres = "timestamp"+more, strings.ReplaceAll(o.Postgres, "@1", "$1 AT TIME ZONE 'UTC'")
	b.Signature, b.Postgres = "datetime"+more, strings.ReplaceAll(o.Postgres, "@1", "$1")
	return []Overload{a, b}
}

// movedTimes are those of a function that gives a time of the type that it takes, within the years 1 to 9999.
func movedTimes(more string, o Overload) []Overload {
	o.Postgres = civilCalendar(o.Postgres)
	out := ofTime(more, o)
	out[0].Signature += ": timestamp"
	out[0].Postgres = "(" + out[0].Postgres + " AT TIME ZONE 'UTC')"
	out[1].Signature += ": datetime"
	return out
}

// calendarPart is a number of the calendar, as package formula and PostgreSQL call it.
func calendarPart(name, postgres string) Overload {
	return Overload{SQLite: "time_part($1, '" + name + "')", Postgres: "(extract(" + postgres + " from @1)::bigint)", call: unaryTime(func(t time.Time) ref.Val {
		n, ok := formula.Part(t, name)
		return perhaps(types.Int(n), ok)
	})}
}

func unaryTime(f func(time.Time) ref.Val) any {
	return func(v ref.Val) ref.Val {
		t, _, ok := timeOf(v)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		return f(t.UTC())
	}
}

func later(f func(time.Time, int64) (time.Time, bool)) any {
	return func(v, n ref.Val) ref.Val {
		t, back, ok := timeOf(v)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		if t, ok = f(t, int64(n.(types.Int))); !ok {
			return null
		}
		return back(t)
	}
}

func between(f func(from, to time.Time) int64) any {
	return func(from, to ref.Val) ref.Val {
		x, _, ok := timeOf(from)
		y, _, ok2 := timeOf(to)
		if !ok || !ok2 {
			return types.MaybeNoSuchOverloadErr(from)
		}
		return types.Int(f(x, y))
	}
}

func moment(layout string) any {
	return unaryText(func(s string) ref.Val {
		t, ok := parseMoment(s, layout)
		if !ok {
			return null
		}
		return types.Timestamp{Time: t}
	})
}

func monthsBetween(from, to time.Time) int64 { return formula.MonthsBetween(from.UTC(), to.UTC()) }

func inPeriod(f func(time.Time, string) (time.Time, bool)) any {
	return func(v, period ref.Val) ref.Val {
		t, back, ok := timeOf(v)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		if t, ok = f(t.UTC(), string(period.(types.String))); !ok {
			return null
		}
		return back(t)
	}
}

func checkPeriod(periods []string) func(string) error {
	return func(s string) error {
		if !slices.Contains(periods, s) {
			return wrongLiteral(s, "period: there are "+strings.Join(periods, ", "))
		}
		return nil
	}
}

func parseDate(v, pattern ref.Val) ref.Val {
	p, ok := formula.ParseDatePattern(string(pattern.(types.String)))
	if !ok {
		return null
	}
	t, ok := p.Parse(string(v.(types.String)))
	return perhaps(types.Timestamp{Time: t}, ok)
}

func checkDatePattern(s string) error {
	if _, ok := formula.ParseDatePattern(s); !ok {
		return wrongLiteral(s, "pattern of a day: it has yyyy, and MM or M, and dd or d, each once, and texts, whose letters stand in quotes")
	}
	return nil
}
