package rules

import (
	"errors"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"colonnade/core"
	"colonnade/core/formula"
)

// zoneFunctions are those whose last argument is a time zone: a literal name of the IANA database. What the clocks of the zone
// show is told by package formula in all evaluators; PostgreSQL gets its steps as arguments.
var zoneFunctions = []Function{
	{"inZone", "What calendar and clock of a time zone show at a moment, as a datetime. datetime(t, zone) is the same; date, year, quarter, month, week, weekYear, day, dayOfYear, weekday, hour and minute take a zone as last argument, and so do format, startOf and endOf.", []Overload{
		{Signature: "timestamp, string: datetime", SQLite: "time_zone_civil($1, $2)", Postgres: "zone_civil($1, #1::bigint[], #2::bigint[])", Literal: 2, check: checkZone, call: zoneCivil, derive: steps(func(z *formula.Zone) []int64 { return z.At })},
	},
		[]string{
			"inZone(timestamp('2024-07-01T12:00:00Z'), 'Europe/Berlin') == datetime('2024-07-01T14:00:00')", "datetime(timestamp('2024-01-01T12:00:00Z'), 'America/New_York') == datetime('2024-01-01T07:00:00')",
			"date(timestamp('2024-07-01T22:30:00Z'), 'Europe/Berlin') == date('2024-07-02')", "hour(timestamp('2024-07-01T22:30:00Z'), 'Asia/Kolkata') == 4",
			"startOf(timestamp('2024-07-31T22:30:00Z'), 'month', 'Europe/Berlin') == timestamp('2024-07-31T22:00:00Z')", "endOf(timestamp('2024-07-31T22:30:00Z'), 'month', 'Europe/Berlin') == date('2024-08-31')",
		}},

	{"fromZone", "When calendar and clock of a time zone show a datetime. timestamp(d, zone) is the same. Where clocks are set back and show it twice, the first time; where they are set forward past it, as much later as they are set.", []Overload{
		{Signature: "datetime, string: timestamp", SQLite: "time_zone_moment($1, $2)", Postgres: "zone_moment($1, #1::bigint[], #2::bigint[])", Literal: 2, check: checkZone, call: zoneMoment, derive: steps(func(z *formula.Zone) []int64 { return z.Local })},
	},
		[]string{
			"fromZone(datetime('2024-07-01T14:00:00'), 'Europe/Berlin') == timestamp('2024-07-01T12:00:00Z')", "timestamp(datetime('2024-01-01T07:00:00'), 'America/New_York') == timestamp('2024-01-01T12:00:00Z')",
			"fromZone(datetime('2024-10-27T02:30:00'), 'Europe/Berlin') == timestamp('2024-10-27T00:30:00Z')", "fromZone(datetime('2024-03-31T02:30:00'), 'Europe/Berlin') == timestamp('2024-03-31T01:30:00Z')",
		}},
}

// steps are the arguments of PostgreSQL's functions of zones.
func steps(of func(*formula.Zone) []int64) func(string) []any {
	return func(name string) []any {
		z, err := formula.LoadZone(name)
		if err != nil {
			return []any{nil, nil} // checked when compiled
		}
		return []any{arrayOf(of(z)), arrayOf(z.Seconds)}
	}
}

// arrayOf writes an array of numbers for PostgreSQL.
func arrayOf(list []int64) string {
	var b strings.Builder
	for i, n := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return "{" + b.String() + "}"
}

func checkZone(name string) error {
	if _, err := formula.LoadZone(name); err != nil {
		msg := core.AsError(err).Msg
		if near := core.Suggest(name, formula.Zones()); near != "" {
			msg += "; did you mean '" + near + "'?"
		}
		return errors.New(msg)
	}
	return nil
}

func zoneCivil(v, name ref.Val) ref.Val {
	z, err := formula.LoadZone(string(name.(types.String)))
	t, ok := v.(types.Timestamp)
	if err != nil || !ok {
		return null
	}
	d, ok := z.Civil(t.Time)
	return perhaps(civil(d), ok)
}

func zoneMoment(v, name ref.Val) ref.Val {
	z, err := formula.LoadZone(string(name.(types.String)))
	d, ok := v.(civil)
	if err != nil || !ok {
		return null
	}
	t, ok := z.Moment(core.CivilTime(d))
	return perhaps(types.Timestamp{Time: t}, ok)
}
