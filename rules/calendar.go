package rules

import (
	"time"
)

// The calendar is UTC, and its years are 1 to 9999: what leaves them is NULL.

// maxDays and maxMonths are how far addDays and addMonths reach, which keeps every database within its own calendar.
const (
	maxDays   = 1_000_000
	maxMonths = 24_000
)

func addDays(t time.Time, n int64) (time.Time, bool) {
	if n > maxDays || n < -maxDays {
		return t, false
	}
	t = t.UTC().AddDate(0, 0, int(n))
	return t, inCalendar(t)
}

// addMonths keeps the day of the month, or takes the last one of a shorter month.
func addMonths(t time.Time, n int64) (time.Time, bool) {
	if n > maxMonths || n < -maxMonths {
		return t, false
	}
	t = t.UTC()
	year, month, day := t.Date()
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).AddDate(0, int(n), 0)
	day = min(day, first.AddDate(0, 1, -1).Day())
	t = first.AddDate(0, 0, day-1).Add(t.Sub(midnight(t)))
	return t, inCalendar(t)
}

func inCalendar(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

func midnight(t time.Time) time.Time {
	year, month, day := t.UTC().Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func daysBetween(from, to time.Time) int64 {
	return (midnight(to).Unix() - midnight(from).Unix()) / (24 * 60 * 60)
}

// yearsBetween counts whole years, toward zero.
func yearsBetween(from, to time.Time) int64 {
	number := func(t time.Time) int64 {
		year, month, day := t.UTC().Date()
		return int64(year*10000 + int(month)*100 + day)
	}
	return (number(to) - number(from)) / 10000
}

// parseMoment reads a timestamp of the form of RFC 3339, or a date.
func parseMoment(s string, layout string) (time.Time, bool) {
	t, err := time.Parse(layout, s)
	t = t.UTC().Truncate(time.Microsecond)
	return t, err == nil && inCalendar(t)
}
