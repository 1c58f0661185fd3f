package rules

import (
	"fmt"
	"math/bits"
	"reflect"
	"strconv"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"colonnade/core"
)

// datetimeType and durationType are the CEL types of dates and times without a zone, and of lengths of time. CEL's own
// duration ends at 292 years.
var (
	datetimeType = cel.OpaqueType("datetime")
	durationType = cel.OpaqueType("duration")
)

// civil is a value of the type datetime, span one of the type duration.
type (
	civil core.CivilTime
	span  core.Span
)

var _, _ ref.Val = civil(0), span(0)

// ConvertToNative implements ref.Val.
func (c civil) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeFor[core.CivilTime]().AssignableTo(t) {
		return core.CivilTime(c), nil
	}
	return nil, fmt.Errorf("a datetime is no %v", t)
}

// ConvertToType implements ref.Val.
func (c civil) ConvertToType(t ref.Type) ref.Val {
	if t.TypeName() == datetimeType.TypeName() {
		return c
	}
	return types.NewErr("a datetime is no %s", t.TypeName())
}

// Equal implements ref.Val.
func (c civil) Equal(other ref.Val) ref.Val {
	o, ok := other.(civil)
	return types.Bool(ok && c == o)
}

// Type implements ref.Val.
func (c civil) Type() ref.Type { return datetimeType }

// Value implements ref.Val.
func (c civil) Value() any { return core.CivilTime(c) }

// ConvertToNative implements ref.Val.
func (s span) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeFor[core.Span]().AssignableTo(t) {
		return core.Span(s), nil
	}
	return nil, fmt.Errorf("a duration is no %v", t)
}

// ConvertToType implements ref.Val.
func (s span) ConvertToType(t ref.Type) ref.Val {
	if t.TypeName() == durationType.TypeName() {
		return s
	}
	return types.NewErr("a duration is no %s", t.TypeName())
}

// Equal implements ref.Val.
func (s span) Equal(other ref.Val) ref.Val {
	o, ok := other.(span)
	return types.Bool(ok && s == o)
}

// Negate implements traits.Negater.
func (s span) Negate() ref.Val { return -s }

// Type implements ref.Val.
func (s span) Type() ref.Type { return durationType }

// Value implements ref.Val.
func (s span) Value() any { return core.Span(s) }

var durationFunctions = []Function{
	{"duration", "The length of time that a literal text spells, as in duration('PT1H30M') or duration('1h30m'). Add it to a time or to another, subtract it, multiply it with a whole number; a difference of two times is one.", []Overload{
		{Signature: "string: duration", Literal: 1, call: unaryText(durationFrom)},
	}, []string{"duration('PT90M') == duration('1h30m')", "timestamp('2024-03-01T00:00:00Z') - date('2024-02-28') == duration('P2D')", "isNull(timestamp('9999-12-31T00:00:00Z') + duration('P1D'))", "duration('PT20M') * 3 == duration('PT1H')"}},

	{"hours", "How many whole hours a duration has, toward zero.", []Overload{
		{Signature: "duration: int", SQLite: "($1 / 3600000000)", Postgres: "($1 / 3600000000)", call: wholeUnits(core.Hour)},
	}, []string{"hours(duration('P1DT1H59M')) == 25", "hours(duration('-PT90M')) == -1"}},

	{"minutes", "How many whole minutes a duration has, toward zero.", []Overload{
		{Signature: "duration: int", SQLite: "($1 / 60000000)", Postgres: "($1 / 60000000)", call: wholeUnits(core.Minute)},
	}, []string{"minutes(duration('PT2H59S')) == 120"}},

	{"seconds", "How many whole seconds a duration has, toward zero. See decimal for all of them.", []Overload{
		{Signature: "duration: int", SQLite: "($1 / 1000000)", Postgres: "($1 / 1000000)", call: wholeUnits(core.Second)},
	}, []string{"seconds(duration('PT1M0.9S')) == 60"}},

	{"addHours", "A time that many hours later: time + duration('PT1H') * hours.", []Overload{{Signature: "timestamp, int: timestamp", macro: true}, {Signature: "datetime, int: datetime", macro: true}}, []string{"addHours(datetime('2024-05-01T23:00:00'), 2) == datetime('2024-05-02T01:00:00')"}},

	{"addMinutes", "A time that many minutes later: time + duration('PT1M') * minutes.", []Overload{{Signature: "timestamp, int: timestamp", macro: true}, {Signature: "datetime, int: datetime", macro: true}}, []string{"addMinutes(datetime('2024-05-01T23:00:00'), -1) == datetime('2024-05-01T22:59:00')"}},
}

// newSpan returns a duration, NULL when it is too long.
func newSpan(us int64) ref.Val {
	if us > int64(core.MaxSpan) || us < -int64(core.MaxSpan) {
		return null
	}
	return span(us)
}

// The operators of times and durations. Those of CEL, which knows no multiple of a duration, go before.
var (
	addTimes = []Overload{
		{Signature: "timestamp, duration: timestamp", SQLite: "time_add($1, $2)", Postgres: movedTime("timestamptz", "$1", "+", "$2"), call: addTime},
		{Signature: "duration, timestamp: timestamp", SQLite: "time_add($2, $1)", Postgres: movedTime("timestamptz", "$2", "+", "$1"), call: addTime},
		{Signature: "datetime, duration: datetime", SQLite: "time_add($1, $2)", Postgres: movedTime("timestamp", "$1", "+", "$2"), call: addTime},
		{Signature: "duration, datetime: datetime", SQLite: "time_add($2, $1)", Postgres: movedTime("timestamp", "$2", "+", "$1"), call: addTime},
		{Signature: "duration, duration: duration", SQLite: "duration_add($1, $2)", Postgres: bounded("($1 + $2)", aboveSpan, belowSpan), call: addTime},
	}
	subtractTimes = []Overload{
		{Signature: "timestamp, duration: timestamp", SQLite: "time_add($1, -($2))", Postgres: movedTime("timestamptz", "$1", "-", "$2"), call: subtractTime},
		{Signature: "datetime, duration: datetime", SQLite: "time_add($1, -($2))", Postgres: movedTime("timestamp", "$1", "-", "$2"), call: subtractTime},
		{Signature: "timestamp, timestamp: duration", SQLite: "time_between($1, $2)", Postgres: "((extract(epoch from ($1 - $2)) * 1000000)::bigint)", call: subtractTime},
		{Signature: "datetime, datetime: duration", SQLite: "time_between($1, $2)", Postgres: "((extract(epoch from ($1 - $2)) * 1000000)::bigint)", call: subtractTime},
		{Signature: "duration, duration: duration", SQLite: "duration_add($1, -($2))", Postgres: bounded("($1 - $2)", aboveSpan, belowSpan), call: subtractTime},
	}
	multiplyTimes = []Overload{
		{Signature: "duration, int: duration", SQLite: "duration_mul($1, $2)", Postgres: "(" + bounded("$1::numeric * $2", aboveSpan, belowSpan) + "::bigint)", call: multiplySpan},
		{Signature: "int, duration: duration", SQLite: "duration_mul($1, $2)", Postgres: "(" + bounded("$1::numeric * $2", aboveSpan, belowSpan) + "::bigint)", call: multiplySpan},
	}
	negateTimes = []Overload{
		{Signature: "duration: duration", SQLite: "(-($1))", Postgres: "(- $1)", call: func(v ref.Val) ref.Val { return v.(span).Negate() }},
	}
)

// aboveSpan and belowSpan are the first numbers that are no duration.
var (
	aboveSpan = strconv.FormatInt(int64(core.MaxSpan)+1, 10)
	belowSpan = "-" + aboveSpan
)

// movedTime is a time of the type of PostgreSQL, moved by a duration, within the years 1 to 9999. A product with an interval
// is one of floats, so that days and the rest are apart; and no step leaves the calendar of PostgreSQL, which begins 4713 BC.
func movedTime(typ, t, sign, us string) string {
	zone := map[string]string{"timestamptz": "+00"}[typ]
	const ahead = "interval '120000000 hours'"
	moved := t + " + " + ahead + " " + sign + " (" + us + " / 86400000000) * interval '24 hours' " + sign + " (" + us + " % 86400000000) * interval '1 microsecond'"
	return "(" + bounded(moved, typ+" '10000-01-01 00:00:00"+zone+"' + "+ahead, typ+" '0001-12-31 23:59:59.999999"+zone+" BC' + "+ahead) + " - " + ahead + ")"
}

// timeOf returns the moment of a timestamp or a datetime, and what makes a value of the same type of another.
func timeOf(v ref.Val) (t time.Time, back func(time.Time) ref.Val, ok bool) {
	switch v := v.(type) {
	case types.Timestamp:
		return v.Time, func(t time.Time) ref.Val { return types.Timestamp{Time: t} }, true
	case civil:
		return core.CivilTime(v).Time(), func(t time.Time) ref.Val { return civil(core.CivilTimeOf(t)) }, true
	}
	return time.Time{}, nil, false
}

// addTime adds a duration to a time or to another.
func addTime(a, b ref.Val) ref.Val {
	if d, ok := a.(span); ok {
		if e, ok := b.(span); ok {
			return newSpan(int64(d + e)) // which cannot overflow
		}
		a, b = b, a
	}
	t, back, ok := timeOf(a)
	d, ok2 := b.(span)
	if !ok || !ok2 {
		return types.MaybeNoSuchOverloadErr(b)
	}
	t = time.UnixMicro(t.UnixMicro() + int64(d)).UTC()
	if !inCalendar(t) {
		return null
	}
	return back(t)
}

func subtractTime(a, b ref.Val) ref.Val {
	if d, ok := b.(span); ok {
		return addTime(a, -d)
	}
	x, _, ok := timeOf(a)
	y, _, ok2 := timeOf(b)
	if !ok || !ok2 || a.Type() != b.Type() {
		return types.MaybeNoSuchOverloadErr(b)
	}
	return newSpan(x.UnixMicro() - y.UnixMicro())
}

func multiplySpan(a, b ref.Val) ref.Val {
	if n, ok := a.(types.Int); ok {
		a, b = b, n
	}
	d, ok := a.(span)
	n, ok2 := b.(types.Int)
	if !ok || !ok2 {
		return types.MaybeNoSuchOverloadErr(b)
	}
	high, low := bits.Mul64(magnitude(int64(d)), magnitude(int64(n)))
	switch {
	case high != 0 || low > uint64(core.MaxSpan):
		return null
	case (d < 0) != (n < 0):
		return -span(low)
	}
	return span(low)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// clockwork are the operators of times and durations by name.
var clockwork = map[string]func(a, b ref.Val) ref.Val{operators.Add: addTime, operators.Subtract: subtractTime, operators.Multiply: multiplySpan}

// keepsTime reports whether a value is a time or a duration of ours.
func keepsTime(v ref.Val) bool {
	_, _, ok := timeOf(v)
	_, ok2 := v.(span)
	return ok || ok2
}

// civilFrom reads the literal of a datetime, durationFrom that of a duration: in the form of ISO 8601, or in that of CEL.
func civilFrom(s string) ref.Val {
	v, err := (&core.Column{Kind: core.DateTime}).Parse(s)
	if err != nil {
		return null
	}
	return civil(v.(core.CivilTime))
}

func durationFrom(s string) ref.Val {
	if d, err := core.ParseSpan(s); err == nil {
		return span(d)
	}
	d, err := time.ParseDuration(s)
	if err != nil || d%time.Microsecond != 0 {
		return null
	}
	return span(d / time.Microsecond)
}

// wholeUnits is how many whole units a duration has, toward zero.
func wholeUnits(unit core.Span) any {
	return func(v ref.Val) ref.Val { return types.Int(v.(span) / span(unit)) }
}
