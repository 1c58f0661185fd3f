package rules

import (
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"colonnade/core/formula"
)

var workdayFunctions = []Function{
	{"addWorkdays", "The n-th working day after a moment, or before it where n is negative, at the same time of day; the moment itself for 0. Working days are Monday to Friday without the holidays, a literal text like '2024-12-25;2024-12-26'. At most a million.",
		append([]Overload{{Signature: "timestamp, int: timestamp", macro: true}, {Signature: "datetime, int: datetime", macro: true}},
			movedTimes(", int, string", Overload{SQLite: "time_add_workdays($1, $2, $3)", Postgres: "add_workdays(@1, $2, #1::date[])", Literal: 3, check: checkHolidays, call: addWorkdays, derive: holidayArray})...),
		[]string{"addWorkdays(date('2024-05-03'), 1) == date('2024-05-06')", "addWorkdays(date('2024-05-04'), 5) == date('2024-05-10')", "addWorkdays(date('2024-05-06'), -1) == date('2024-05-03')", "addWorkdays(date('2024-12-24'), 1, '2024-12-25;2024-12-26') == date('2024-12-27')"}},

	{"workdaysBetween", "How many working days come after one day, up to another; negative when the other is earlier. So workdaysBetween(d, addWorkdays(d, n)) is n.",
		append([]Overload{{Signature: "timestamp, timestamp: int", macro: true}, {Signature: "datetime, datetime: int", macro: true}},
			Overload{Signature: "timestamp, timestamp, string: int", SQLite: "time_workdays($1, $2, $3)", Postgres: "workdays_between($1 AT TIME ZONE 'UTC', $2 AT TIME ZONE 'UTC', #1::date[])", Literal: 3, check: checkHolidays, call: workdaysBetween, derive: holidayArray},
			Overload{Signature: "datetime, datetime, string: int", SQLite: "time_workdays($1, $2, $3)", Postgres: "workdays_between($1, $2, #1::date[])", Literal: 3, check: checkHolidays, call: workdaysBetween, derive: holidayArray}),
		[]string{"workdaysBetween(date('2024-05-03'), date('2024-05-06')) == 1", "workdaysBetween(date('2024-05-06'), date('2024-05-03')) == -1", "workdaysBetween(date('2024-12-23'), date('2024-12-27'), '2024-12-25;2024-12-26') == 2"}},
}

// holidayArray writes the days for PostgreSQL.
func holidayArray(literal string) []any {
	h, _ := formula.ParseHolidays(literal)
	return []any{"{" + strings.Join(h.Days(), ",") + "}"}
}

func checkHolidays(s string) error {
	if _, ok := formula.ParseHolidays(s); !ok {
		return wrongLiteral(s, "list of holidays: write at most 1,000 days with semicolons between them, such as '2024-12-25;2024-12-26'")
	}
	return nil
}

func addWorkdays(args ...ref.Val) ref.Val {
	h, ok := formula.ParseHolidays(string(args[2].(types.String)))
	t, back, ok2 := timeOf(args[0])
	if !ok || !ok2 {
		return null
	}
	if t, ok = h.Add(t.UTC(), int64(args[1].(types.Int))); !ok {
		return null
	}
	return back(t)
}

func workdaysBetween(args ...ref.Val) ref.Val {
	h, ok := formula.ParseHolidays(string(args[2].(types.String)))
	from, _, ok2 := timeOf(args[0])
	to, _, ok3 := timeOf(args[1])
	return perhaps(types.Int(h.Workdays(from.UTC(), to.UTC())), ok && ok2 && ok3)
}
