package flows

import (
	"testing"
	"time"

	"colonnade/core"
)

func mustSchedule(t testing.TB, spec, zone string) *schedule {
	t.Helper()
	s := &schedule{}
	if err := s.parse(spec, zone); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScheduleDays checks what "once a day, whatever the clock does" means, by a count of days.
func TestScheduleDays(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo"} {
		for _, spec := range []string{"30 2 * * *", "0 0 * * *", "15 1 * * *", "45 23 * * *", "0 2 * * *", "0 9 * * *"} {
			s := mustSchedule(t, spec, zone)
			begin := time.Date(2010, 1, 1, 0, 0, 0, 0, s.location)
			end := time.Date(2040, 1, 1, 0, 0, 0, 0, s.location)
			days := map[string]int{}
			for at := s.next(begin.Add(-time.Second)); at.Before(end); at = s.next(at) {
				days[at.In(s.location).Format(time.DateOnly)]++
			}
			for day := time.Date(2010, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2040; day = day.AddDate(0, 0, 1) {
				if n := days[day.Format(time.DateOnly)]; n != 1 {
					t.Errorf("%s %s on %s: %d ticks", spec, zone, day.Format(time.DateOnly), n)
				}
			}
		}
	}
}

// TestScheduleEveryHour checks that a schedule for every hour follows the time that passes: all minutes that the clock
// shows, none twice, by looking at every minute of the years.
func TestScheduleEveryHour(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		s := mustSchedule(t, "*/20 * * * *", zone)
		next := s.next(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second))
		for at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2023; at = at.Add(time.Minute) {
			want := at.In(s.location).Minute()%20 == 0
			if want != next.Equal(at) {
				t.Fatalf("%s: at %s tick %v, want %v (next %s)", zone, at.In(s.location), !want, want, next.In(s.location))
			}
			if want {
				next = s.next(at)
			}
		}
	}
}

func TestScheduleAtChanges(t *testing.T) {
	for _, c := range []struct{ spec, zone, after, want string }{
		{"30 2 * * *", "Europe/Berlin", "2024-03-31T00:30:00Z", "2024-03-31T01:00:00Z"},       // jumped over: 03:00 CEST
		{"0,15,30 2 * * *", "Europe/Berlin", "2024-03-31T01:00:00Z", "2024-04-01T00:00:00Z"},  // one run for all of them
		{"30 2 * * *", "Europe/Berlin", "2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z"},       // the first of two
		{"30 2 * * *", "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"},       // and not the second
		{"30 2 * * *", "Europe/Berlin", "2024-10-27T01:10:00Z", "2024-10-28T01:30:00Z"},       // also when asked between
		{"0 0 * * *", "America/Sao_Paulo", "2017-10-14T12:00:00Z", "2017-10-15T03:00:00Z"},    // no midnight: 01:00
		{"15 2 * * *", "Australia/Lord_Howe", "2024-10-05T12:00:00Z", "2024-10-05T15:30:00Z"}, // half an hour
		{"*/30 * * * *", "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T01:00:00Z"},     // every hour goes on
		{"@every 90m", "Europe/Berlin", "2024-10-27T00:00:00Z", "2024-10-27T01:30:00Z"},       // by the time that passes
		{"0 0 29 2 *", "UTC", "2024-03-01T00:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		after, _ := time.Parse(time.RFC3339, c.after)
		if got := mustSchedule(t, c.spec, c.zone).next(after).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s after %s: %s, want %s", c.spec, c.zone, c.after, got, c.want)
		}
	}
}

func TestScheduleRefuses(t *testing.T) {
	for _, spec := range []string{"TZ=0", "TZ=", "CRON_TZ=UTC 0 0 * * *", "@every 1s", "@every -1h", "0 0 31 2 *", "", "* * *", "60 * * * *", "@reboot", "* * * * * *"} {
		err := (&schedule{}).parse(spec, "UTC")
		if core.KindOf(err) != core.Invalid || err == nil {
			t.Errorf("%q: %v", spec, err)
		}
	}
	for _, zone := range []string{"", "Local", "local", "Europe/Nowhere", "../etc/passwd"} {
		if err := (&schedule{}).parse("0 0 * * *", zone); core.KindOf(err) != core.Invalid || err == nil {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"30 2 * * *", "TZ=0", "@every 1m", "*/5 9-17 * * 1-5", "@daily"} {
		f.Add(s, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, spec, zone string) {
		s := &schedule{}
		if s.parse(spec, zone) != nil {
			return
		}
		at := time.Date(2024, 3, 30, 0, 0, 0, 0, time.UTC)
		for range 10 {
			next := s.next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("%q %q: after %s comes %s", spec, zone, at, next)
			}
			at = next
		}
	})
}
