package flows

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fields is a schedule as a naive reader of crontab(5) has it: which numbers each field names.
type fields struct {
	minute, hour, day, month, weekday [60]bool
	anyDay, anyWeekday, anyHour       bool
}

func naiveFields(spec string) *fields {
	f := strings.Fields(spec)
	numbers := func(field string, least, most int) (out [60]bool) {
		for part := range strings.SplitSeq(field, ",") {
			step := 1
			if body, s, ok := strings.Cut(part, "/"); ok {
				part = body
				step, _ = strconv.Atoi(s)
			}
			from, to := least, most
			if part != "*" {
				first, last, ranged := strings.Cut(part, "-")
				from, _ = strconv.Atoi(first)
				if to = from; ranged {
					to, _ = strconv.Atoi(last)
				}
			}
			for n := from; n <= to; n += step {
				out[n] = true
			}
		}
		return out
	}
	return &fields{
		numbers(f[0], 0, 59), numbers(f[1], 0, 23), numbers(f[2], 1, 31), numbers(f[3], 1, 12), numbers(f[4], 0, 6),
		f[2] == "*", f[4] == "*", f[1] == "*",
	}
}

// shown is what a clock shows.
type shown struct{ minute, hour, day, month, weekday int }

func shownAt(wall time.Time) shown {
	return shown{wall.Minute(), wall.Hour(), wall.Day(), int(wall.Month()), int(wall.Weekday())}
}

func (f *fields) names(c shown) bool {
	if !f.minute[c.minute] || !f.hour[c.hour] || !f.month[c.month] {
		return false
	}
	day, weekday := f.day[c.day], f.weekday[c.weekday]
	if !f.anyDay && !f.anyWeekday {
		return day || weekday
	}
	return day && weekday
}

// naive looks at every minute from begin to end. A schedule for every hour ticks whenever the clock shows one of its minutes; another one
// ticks when the clock has shown, or jumped over, a time of day that it names and that the clock has not shown before.
func naive(all []*fields, begin, end time.Time, zone *time.Location) [][]time.Time {
	out := make([][]time.Time, len(all))
	latest := wallOf(begin.In(zone)) // that the clock has shown
	var fresh []shown
	for at := begin.Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
		wall := wallOf(at.In(zone))
		now := shownAt(wall)
		for fresh = fresh[:0]; latest.Before(wall); {
			latest = latest.Add(time.Minute)
			fresh = append(fresh, shownAt(latest))
		}
		for i, f := range all {
			if f.anyHour && f.names(now) || !f.anyHour && slices.ContainsFunc(fresh, f.names) {
				out[i] = append(out[i], at)
			}
		}
	}
	return out
}

// TestScheduleYears compares schedules in four zones with the naive reader: none of its ticks is missed, and none comes twice or besides.
// COLONNADE_YEARS is over how many years it does.
func TestScheduleYears(t *testing.T) {
	specs := []string{"30 2 * * *", "*/15 1-3 * * *", "0 0 1,15 * 1", "10,50 * * * *", "5 0 29 2 *", "0 3 * 3,10 0", "45 23 31 * *"}
	years := 1
	if n, err := strconv.Atoi(os.Getenv("COLONNADE_YEARS")); err == nil {
		years = n
	}
	ticks, missed, besides := 0, 0, 0
	var all []*fields
	for _, spec := range specs {
		all = append(all, naiveFields(spec))
	}
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(years, 0, 0)
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		model := naive(all, begin, end, mustSchedule(t, "@daily", zone).location)
		for i, spec := range specs {
			s, want := mustSchedule(t, spec, zone), model[i]
			var got []time.Time
			for at := s.next(begin); !at.IsZero() && at.Before(end); at = s.next(at) {
				got = append(got, at)
			}
			ticks += len(want)
			for _, at := range want {
				if _, ok := slices.BinarySearchFunc(got, at, time.Time.Compare); !ok {
					missed++
					t.Errorf("%s %s: %s is missed", zone, spec, at.In(s.location))
				}
			}
			if len(got) != len(want) {
				besides += len(got) - len(want)
				t.Errorf("%s %s: %d ticks, want %d", zone, spec, len(got), len(want))
			}
		}
	}
	if ticks == 0 {
		t.Fatal("no ticks")
	}
	t.Logf("%d ticks, %d missed, %d besides", ticks, missed, besides)
}
