package tables

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/formula"
)

// Ranges of time relative to now, which [RelDate] takes: today, yesterday, tomorrow; this_week, last_week and next_week, and so with
// month, quarter and year; last_7_days and next_7_days, and so with any number of hours, days, weeks, months, quarters and years, of
// which the present one is the last or the first. " in " and a time zone may follow; without, it is UTC.
var rangePattern = regexp.MustCompile(`^(this|last|next)_(week|month|quarter|year)$|^(last|next)_([1-9][0-9]{0,3})_(hour|day|week|month|quarter|year)s$`)

// timeRange is a range of whole periods, by calendar and clock of a zone.
type timeRange struct {
	period   string
	from, to int // the first period and the one behind the last, counted from the present one
	zone     *formula.Zone
}

// parseRange reads a range.
func parseRange(text string) (r timeRange, problem string) {
	word, zone, named := strings.Cut(text, " in ")
	if !named {
		zone = "UTC"
	}
	var err error
	if r.zone, err = formula.LoadZone(zone); err != nil {
		return r, core.AsError(err).Msg
	}
	switch word {
	case "yesterday", "today", "tomorrow":
		r.period = "day"
		r.from = slices.Index([]string{"yesterday", "today", "tomorrow"}, word) - 1
		r.to = r.from + 1
		return r, ""
	}
	m := rangePattern.FindStringSubmatch(word)
	switch {
	case m == nil:
		return r, fmt.Sprintf("%q is no range of time: write today, yesterday, tomorrow, this_month, last_week, next_year, last_30_days or next_2_hours; a time zone may follow, as in \"today in Europe/Berlin\"", word)
	case m[1] != "":
		r.period = m[2]
		r.from = slices.Index([]string{"last", "this", "next"}, m[1]) - 1
		r.to = r.from + 1
	default:
		n, _ := strconv.Atoi(m[4])
		r.period = m[5]
		r.from, r.to = 0, n
		if m[3] == "last" {
			r.from, r.to = 1-n, 1
		}
	}
	return r, ""
}

// at returns when, on calendar and clock, the range begins and ends at a moment, and when the next one of its periods begins.
func (r timeRange) at(now time.Time) (from, to, next time.Time, ok bool) {
	civil, ok := r.zone.Civil(now)
	begin, ok2 := formula.Start(civil.Time(), r.period)
	if !ok || !ok2 {
		return from, to, next, false
	}
	from, to, next = r.move(begin, r.from), r.move(begin, r.to), r.move(begin, 1)
	return from, to, next, from.Year() >= 1 && to.Year() <= 9999
}

// move returns the beginning of the n-th period behind the one that begins at t.
func (r timeRange) move(t time.Time, n int) time.Time {
	switch r.period {
	case "hour":
		return t.Add(time.Duration(n) * time.Hour)
	case "day":
		return t.AddDate(0, 0, n)
	case "week":
		return t.AddDate(0, 0, 7*n)
	case "month":
		return t.AddDate(0, n, 0)
	case "quarter":
		return t.AddDate(0, 3*n, 0)
	}
	return t.AddDate(n, 0, 0)
}

// inRange plans that a time is in a range relative to now. The plan is good until the next period begins.
func (p *planner) inRange(r ref, at core.At, v any) (writeFunc, error) {
	const op = "tables.inRange"
	text, ok := v.(string)
	kind := r.column.Kind
	if !ok || kind != core.Date && kind != core.Timestamp && kind != core.DateTime {
		return nil, core.E(op, core.Invalid, at, "_rel_date compares a date or a time with a range such as \"last_30_days\"")
	}
	span, problem := parseRange(text)
	if problem == "" && kind == core.Date && span.period == "hour" {
		problem = "a date has no hours"
	}
	if problem != "" {
		return nil, core.E(op, core.Invalid, at, "_rel_date: "+problem)
	}
	from, to, next, ok := span.at(time.Now())
	if !ok {
		return nil, core.E(op, core.Invalid, at, "_rel_date: the range leaves the years 1 to 9999")
	}
	ends, ok := span.zone.Moment(core.CivilTimeOf(next))
	if ok && (p.until.IsZero() || ends.Before(p.until)) {
		p.until = ends
	}
	bounds := make([]any, 2)
	for i, t := range []time.Time{from, to} {
		switch kind {
		case core.Date:
			bounds[i] = t
		case core.DateTime:
			bounds[i] = core.CivilTimeOf(t)
		default:
			bounds[i], _ = span.zone.Moment(core.CivilTimeOf(t))
		}
	}
	column := loosely(r.column)
	return func(b *db.Builder) {
		b.Write("(")
		r.operand(b)
		b.Write(" >= ").Value(column, bounds[0]).Write(" AND ")
		r.operand(b)
		b.Write(" < ").Value(column, bounds[1]).Write(")")
	}, nil
}
