package tables

import (
	"testing"
	"time"
)

// TestRanges looks where ranges begin and end, and when the next one begins.
func TestRanges(t *testing.T) {
	now := time.Date(2024, 3, 31, 22, 30, 0, 0, time.UTC) // half past midnight on April 1 in Berlin
	const form = "2006-01-02T15:04"
	for _, c := range []struct{ text, from, to, next string }{
		{"today", "2024-03-31T00:00", "2024-04-01T00:00", "2024-04-01T00:00"},
		{"today in Europe/Berlin", "2024-04-01T00:00", "2024-04-02T00:00", "2024-04-02T00:00"},
		{"yesterday", "2024-03-30T00:00", "2024-03-31T00:00", "2024-04-01T00:00"},
		{"tomorrow", "2024-04-01T00:00", "2024-04-02T00:00", "2024-04-01T00:00"},
		{"this_week", "2024-03-25T00:00", "2024-04-01T00:00", "2024-04-01T00:00"},
		{"last_month", "2024-02-01T00:00", "2024-03-01T00:00", "2024-04-01T00:00"},
		{"last_month in Europe/Berlin", "2024-03-01T00:00", "2024-04-01T00:00", "2024-05-01T00:00"},
		{"next_quarter", "2024-04-01T00:00", "2024-07-01T00:00", "2024-04-01T00:00"},
		{"this_year", "2024-01-01T00:00", "2025-01-01T00:00", "2025-01-01T00:00"},
		{"last_30_days", "2024-03-02T00:00", "2024-04-01T00:00", "2024-04-01T00:00"},
		{"last_1_days", "2024-03-31T00:00", "2024-04-01T00:00", "2024-04-01T00:00"},
		{"next_7_days", "2024-03-31T00:00", "2024-04-07T00:00", "2024-04-01T00:00"},
		{"last_24_hours", "2024-03-30T23:00", "2024-03-31T23:00", "2024-03-31T23:00"},
		{"last_3_months", "2024-01-01T00:00", "2024-04-01T00:00", "2024-04-01T00:00"},
		{"next_2_quarters", "2024-01-01T00:00", "2024-07-01T00:00", "2024-04-01T00:00"},
		{"last_2_years", "2023-01-01T00:00", "2025-01-01T00:00", "2025-01-01T00:00"},
	} {
		r, problem := parseRange(c.text)
		from, to, next, ok := r.at(now)
		if problem != "" || !ok || from.Format(form) != c.from || to.Format(form) != c.to || next.Format(form) != c.next {
			t.Errorf("%s: %s to %s, next %s, %v %s", c.text, from.Format(form), to.Format(form), next.Format(form), ok, problem)
		}
	}
	for _, bad := range []string{"", "now", "last_0_days", "last_days", "this_3_days", "this_day", "last_99999_days", "today in ", "today in Nowhere", "today in Local", "TODAY", "last_7_days\n", "today; DROP TABLE x"} {
		if _, problem := parseRange(bad); problem == "" {
			t.Errorf("%q is a range", bad)
		}
	}
	far, _ := parseRange("last_9999_years")
	if _, _, _, ok := far.at(now); ok {
		t.Error("a range begins before the year 1")
	}
}
