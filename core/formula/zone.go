package formula

import (
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
	_ "time/tzdata" // a machine may lack the zones

	"colonnade/core"
)

// Zone holds what the clocks of a time zone show, as steps. PostgreSQL gets the same steps as arguments, so that its own
// zones, which may be of another year, do not matter.
type Zone struct {
	At      []int64 // the seconds since 1970 at which the clocks change, rising
	Local   []int64 // what the clocks show from which on the new offset holds, never falling
	Seconds []int64 // ahead of UTC: Seconds[0] before At[0], Seconds[i+1] from At[i] on
}

// No zone has irregular steps after 2099: those of Morocco are known up to 2087. Later years are taken for one of the last 28
// before, which has the same days of the week, so that summer time begins and ends alike.
const lastYear = 2099

// lastSecond is the end of lastYear, in seconds since 1970.
var lastSecond = startOf(lastYear + 1)

func startOf(year int) int64 { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix() }

// familiar returns the same time of the year in a year that is alike and whose steps are known.
func familiar(second int64) int64 {
	if second < lastSecond {
		return second
	}
	year := time.Unix(second, 0).UTC().Year()
	begins, next := startOf(year), startOf(year+1)
	for alike := lastYear; ; alike-- {
		from, to := startOf(alike), startOf(alike+1)
		if to-from == next-begins && (begins-from)%(7*secondsOfDay) == 0 {
			return second - begins + from
		}
	}
}

var zones sync.Map // name to *Zone

// LoadZone returns the zone of a name of the IANA database, such as Europe/Berlin.
func LoadZone(name string) (*Zone, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*Zone), nil
	}
	location, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, core.E("formula.LoadZone", core.Invalid, fmt.Sprintf("%q is no time zone: write one of the IANA database, such as 'Europe/Berlin' or 'UTC'", name))
	}
	z, _ := zones.LoadOrStore(name, newZone(location))
	return z.(*Zone), nil
}

func newZone(l *time.Location) *Zone {
	t := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).In(l)
	end := time.Unix(lastSecond, 0)
	_, offset := t.Zone()
	z := &Zone{Seconds: []int64{int64(offset)}}
	for {
		_, next := t.ZoneBounds()
		if next.IsZero() || !next.Before(end) {
			return z
		}
		if !next.After(t) { // on the last day of a leap year, Go 1.26 says that it ends where it began
			next = t.Add(24 * time.Hour)
		}
		_, after := next.Zone()
		if after != offset {
			local := next.Unix() + int64(max(offset, after))
			if n := len(z.Local); n > 0 {
				local = max(local, z.Local[n-1])
			}
			z.At, z.Local, z.Seconds = append(z.At, next.Unix()), append(z.Local, local), append(z.Seconds, int64(after))
		}
		t, offset = next, after
	}
}

// Civil returns what calendar and clock of the zone show at t.
func (z *Zone) Civil(t time.Time) (core.CivilTime, bool) {
	us := t.UnixMicro() + z.offset(z.At, t.Unix())*1_000_000
	return core.CivilTime(us), inCalendar(core.CivilTime(us).Time())
}

// Moment returns when calendar and clock of the zone show d: the first time where they show it twice, and where clocks are
// set forward past d as much later as they are set.
func (z *Zone) Moment(d core.CivilTime) (time.Time, bool) {
	t := d.Time()
	t = time.UnixMicro(int64(d) - z.offset(z.Local, t.Unix())*1_000_000).UTC()
	return t, inCalendar(t)
}

func (z *Zone) offset(steps []int64, second int64) int64 {
	second = familiar(second)
	return z.Seconds[sort.Search(len(steps), func(i int) bool { return steps[i] > second })]
}

// Zones returns the names of some zones that are much used, for suggestions.
func Zones() []string { return slices.Clone(common) }

var common = []string{
	"UTC", "Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Vienna", "Europe/Zurich", "Europe/Amsterdam", "Europe/Warsaw", "Europe/Athens", "Europe/Istanbul",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Toronto", "America/Mexico_City", "America/Sao_Paulo", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos",
	"Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Asia/Seoul", "Australia/Sydney", "Pacific/Auckland",
}

func inCalendar(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
