package formula

import (
	"slices"
	"strings"
	"time"
)

// Periods are the periods of the calendar, the longest first. A week begins on Monday (ISO 8601).
var Periods = []string{"year", "quarter", "month", "week", "day", "hour", "minute"}

// Days are those that consist of days.
var Days = Periods[:5]

// Start returns when the period that t is in began.
func Start(t time.Time, period string) (time.Time, bool) {
	year, month, day := t.Date()
	switch period {
	case "year":
		month, day = 1, 1
	case "quarter":
		month, day = (month-1)/3*3+1, 1
	case "month":
		day = 1
	case "week":
		day -= int(weekday(t)) - 1
	case "day":
	case "hour":
		return t.Truncate(time.Hour), true
	case "minute":
		return t.Truncate(time.Minute), true
	default:
		return t, false
	}
	t = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return t, inCalendar(t)
}

// End returns the last day, one of [Days], of the period that t is in.
func End(t time.Time, period string) (time.Time, bool) {
	first, ok := Start(t, period)
	if !ok || !slices.Contains(Days, period) {
		return t, false
	}
	steps := map[string][3]int{"year": {1, 0, 0}, "quarter": {0, 3, 0}, "month": {0, 1, 0}, "week": {0, 0, 7}, "day": {0, 0, 1}}[period]
	t = first.AddDate(steps[0], steps[1], steps[2]).AddDate(0, 0, -1)
	return t, inCalendar(t)
}

// Part returns a number of the calendar: "weekday" 1 for Monday, "week" and "weekYear" of ISO 8601, "quarter", "dayOfYear".
func Part(t time.Time, part string) (int64, bool) {
	year, week := t.ISOWeek()
	switch part {
	case "weekday":
		return weekday(t), true
	case "week":
		return int64(week), true
	case "weekYear":
		return int64(year), true
	case "quarter":
		return int64(t.Month()+2) / 3, true
	case "dayOfYear":
		return int64(t.YearDay()), true
	}
	return 0, false
}

func weekday(t time.Time) int64 { return (int64(t.Weekday())+6)%7 + 1 }

// MonthsBetween counts whole months from one day to another, toward zero.
func MonthsBetween(from, to time.Time) int64 {
	number := func(t time.Time) int64 {
		year, month, day := t.Date()
		return int64(year*12+int(month))*100 + int64(day)
	}
	return (number(to) - number(from)) / 100
}

// Holidays are days that are not worked on besides Saturdays and Sundays: days since 1970, rising.
type Holidays []int64

// maxHolidays is how many one list may name.
const maxHolidays = 1000

// ParseHolidays reads days like 2024-12-25 with semicolons between them.
func ParseHolidays(s string) (Holidays, bool) {
	var out Holidays
	for text := range strings.SplitSeq(s, ";") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil || !inCalendar(t) || len(out) == maxHolidays {
			return nil, false
		}
		if weekday(t) <= 5 {
			out = append(out, dayNumber(t))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

// Days returns h as texts like 2024-12-25.
func (h Holidays) Days() []string {
	out := make([]string, len(h))
	for i, n := range h {
		out[i] = time.Unix(n*secondsOfDay, 0).UTC().Format(time.DateOnly)
	}
	return out
}

const secondsOfDay = 24 * 60 * 60

// dayNumber is the number of the day that t, in UTC, is in.
func dayNumber(t time.Time) int64 {
	s := t.Unix()
	n := s / secondsOfDay
	if s%secondsOfDay < 0 {
		n--
	}
	return n
}

// weekdays is how many days from Monday to Friday lie in the days up to the n-th, counted from some Monday.
func weekdays(n int64) int64 {
	n += 719_162 // 0001-01-01 was a Monday
	return n/7*5 + min(n%7+1, 5)
}

// Workdays counts the working days after one day up to another: negative, those before the first from the second on.
func (h Holidays) Workdays(from, to time.Time) int64 {
	a, b := dayNumber(from), dayNumber(to)
	if b < a {
		return -h.count(b-1, a-1)
	}
	return h.count(a, b)
}

// count is how many working days are after a and not after b.
func (h Holidays) count(a, b int64) int64 {
	in, _ := slices.BinarySearch(h, a+1)
	after, _ := slices.BinarySearch(h, b+1)
	return weekdays(b) - weekdays(a) - int64(after-in)
}

// MaxWorkdays is how far [Holidays.Add] reaches.
const MaxWorkdays = 1_000_000

// Add returns the n-th working day after t, before t where n is negative, at the same time of day; t itself for 0.
func (h Holidays) Add(t time.Time, n int64) (time.Time, bool) {
	if n > MaxWorkdays || n < -MaxWorkdays {
		return t, false
	}
	day, left, step := dayNumber(t), n, int64(1)
	if n < 0 {
		left, step = -n, -1
	}
	for left > 0 { // whole weeks first, single days in the end, which then is a working day
		was := day
		if weeks := (left - 1) / 5; weeks > 0 {
			day += step * weeks * 7
		} else {
			day += step
		}
		if step > 0 {
			left -= h.count(was, day)
		} else {
			left -= h.count(day-1, was-1)
		}
	}
	t = t.AddDate(0, 0, int(day-dayNumber(t)))
	return t, inCalendar(t)
}
