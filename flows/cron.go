package flows

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"colonnade/core"
)

// schedule is when a flow runs by the clock of a zone. Two rules hold where the clock is put forward or back:
//
// A schedule that names hours has one run for each time of day that it names. A time that the clock jumps over has its run at the first
// moment after the jump, one run for all of them; a time that comes twice has it the first time.
//
// A schedule for every hour goes by the time that passes: it has a run whenever the clock shows one of its minutes.
type schedule struct {
	spec, zone string
	queue      bool          // a tick that finds a run at work waits for it, instead of being left out
	replace    bool          // it cancels that run
	catchUp    bool          // ticks that were missed give one run
	all        bool          // each of them gives one
	jitter     time.Duration // how long after its tick a run begins at most

	cron      *cron.SpecSchedule
	every     time.Duration // of @every
	location  *time.Location
	everyHour bool
}

var errZone = errors.New("zone")

// parser reads what crontab(5) reads, and words such as @daily. It panics on some texts.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// parse reads the five fields of spec, or a word such as @daily or @every 5m, and the name of a zone.
func (s *schedule) parse(spec, zone string) (err error) {
	const op = "flows.cron"
	s.spec, s.zone = spec, zone
	if strings.EqualFold(zone, "local") || zone == "" {
		return core.E(op, core.Invalid, errZone, "the zone of the server is no zone: write one like Europe/Berlin")
	}
	if s.location, err = time.LoadLocation(zone); err != nil {
		return core.E(op, core.Invalid, errZone, fmt.Sprintf("there is no zone %q: write one like Europe/Berlin or UTC", zone))
	}
	if strings.Contains(spec, "TZ=") {
		return core.E(op, core.Invalid, "a zone is written beside the spec: zone: Europe/Berlin")
	}
	defer func() {
		if r := recover(); r != nil {
			err = core.E(op, core.Invalid, fmt.Sprintf("%q is no schedule: write minute, hour, day, month and weekday, like \"30 2 * * *\"", spec))
		}
	}()
	parsed, bad := parser.Parse(spec)
	if bad != nil {
		return core.E(op, core.Invalid, fmt.Sprintf("%q is no schedule (%v): write minute, hour, day, month and weekday, like \"30 2 * * *\"", spec, bad))
	}
	switch p := parsed.(type) {
	case *cron.SpecSchedule:
		p.Location = time.UTC
		s.cron = p
		const hours = 1<<24 - 1
		s.everyHour = p.Hour&hours == hours
	case cron.ConstantDelaySchedule:
		if s.every = p.Delay; s.every < time.Minute {
			return core.E(op, core.Invalid, "a schedule runs at most once a minute: use an event, or @every 1m")
		}
		return nil
	}
	if s.next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return core.E(op, core.Invalid, fmt.Sprintf("%q never comes: there is no such day", spec))
	}
	return nil
}

// next returns the first tick after t, the zero time when there is none.
func (s *schedule) next(t time.Time) time.Time {
	switch {
	case s.every > 0:
		return t.Truncate(s.every).Add(s.every).UTC() // counted from the year 1, so that every process finds the same
	case s.everyHour:
		return s.nextPassing(t)
	}
	wall := wallOf(t.In(s.location))
	for {
		if wall = s.cron.Next(wall); wall.IsZero() {
			return wall
		}
		if at := s.instant(wall); at.After(t) {
			return at
		}
	}
}

// delay is how long after the tick its run begins: the same wherever it is asked, and spread evenly over the jitter.
func (s *schedule) delay(flow core.ID, slot int64) time.Duration {
	if s.jitter <= 0 {
		return 0
	}
	h := sha256.Sum256([]byte(string(flow) + "/" + strconv.FormatInt(slot, 10)))
	return time.Duration(binary.BigEndian.Uint64(h[:]) % uint64(s.jitter))
}

// nextPassing looks for the tick between two changes of the clock, where it simply runs.
func (s *schedule) nextPassing(t time.Time) time.Time {
	for range 100 {
		local := t.In(s.location)
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		wall := s.cron.Next(wallOf(local))
		if wall.IsZero() {
			return wall
		}
		at := wall.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at
		}
		// The first tick behind the change may be the change itself.
		if at := s.firstFrom(end); !at.IsZero() {
			return at
		}
		t = end
	}
	return time.Time{}
}

// firstFrom returns the first tick at or after t in the period that begins there, the zero time when it has none.
func (s *schedule) firstFrom(t time.Time) time.Time {
	_, offset := t.In(s.location).Zone()
	wall := s.cron.Next(wallOf(t.In(s.location)).Add(-time.Nanosecond))
	at := wall.Add(-time.Duration(offset) * time.Second)
	if _, end := t.In(s.location).ZoneBounds(); wall.IsZero() || !end.IsZero() && !at.Before(end) {
		return time.Time{}
	}
	return at
}

// wallOf is what the clock shows, as if it were UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is the first moment at which the clock of the zone shows wall or more.
func (s *schedule) instant(wall time.Time) time.Time {
	// The offsets a day before and after: a change lies between them if there is one near.
	_, before := wall.Add(-24 * time.Hour).In(s.location).Zone()
	_, after := wall.Add(24 * time.Hour).In(s.location).Zone()
	first := wall.Add(-time.Duration(max(before, after)) * time.Second)
	for _, at := range []time.Time{first, wall.Add(-time.Duration(min(before, after)) * time.Second)} {
		if wallOf(at.In(s.location)).Equal(wall) {
			return at
		}
	}
	// The clock jumps over it. first lies before the jump.
	_, end := first.In(s.location).ZoneBounds()
	return end.UTC()
}
