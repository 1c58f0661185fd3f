package core

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// CivilTime is what a calendar and a clock show, wherever they hang: a date and a time of day without a zone, in
// microseconds since 1970-01-01T00:00:00. It is no moment: see [Timestamp] for those.
type CivilTime int64

// CivilLayout is how a [CivilTime] is written in JSON and stored as text. Texts of this form sort like what they say.
const CivilLayout = "2006-01-02T15:04:05.999999"

// CivilTimeOf returns what calendar and clock show at t in its zone, without what is smaller than a microsecond.
func CivilTimeOf(t time.Time) CivilTime {
	_, offset := t.Zone()
	return CivilTime(t.UnixMicro() + int64(offset)*int64(time.Second/time.Microsecond))
}

// Time returns the moment at which calendar and clock show d in UTC.
func (d CivilTime) Time() time.Time { return time.UnixMicro(int64(d)).UTC() }

// String returns d in [CivilLayout].
func (d CivilTime) String() string { return d.Time().Format(CivilLayout) }

// A second need not be given: browsers leave it out (https://html.spec.whatwg.org/#local-dates-and-times).
var civilLayouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

func parseCivilTime(_ *Column, v any) (any, string) {
	switch t := v.(type) {
	case CivilTime:
		return checkCivilTime(t.Time())
	case time.Time:
		return checkCivilTime(t)
	case string:
		if d, ok := timeIn(civilLayouts, t); ok {
			return checkCivilTime(d)
		}
		if _, ok := timeIn([]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"}, t); ok {
			return nil, describe(v) + " has a time zone, and the column takes none: leave the zone out, or make the column a timestamp"
		}
		if problem := leapSecond(t, civilLayouts[0]); problem != "" {
			return nil, problem
		}
	}
	return nil, describe(v) + " is no date and time: write it like 2024-12-31T23:59:59"
}

func checkCivilTime(t time.Time) (any, string) {
	if _, problem := checkYear(t); problem != "" {
		return nil, problem
	}
	return CivilTimeOf(t), ""
}

// timeIn reads s in the first layout that it has.
func timeIn(layouts []string, s string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// leapSecond returns what is wrong with s when that is a second 60 and nothing else.
func leapSecond(s, layout string) string {
	const at = len("2006-01-02T15:04:")
	if len(s) < at+2 || s[at:at+2] != "60" {
		return ""
	}
	if _, err := time.Parse(layout, s[:at]+"59"+s[at+2:]); err != nil {
		return ""
	}
	return describe(s) + " is a leap second, which no database keeps: write second 59, or the second after it"
}

func appendCivilTime(b []byte, v any) []byte {
	return append(v.(CivilTime).Time().AppendFormat(append(b, '"'), CivilLayout), '"')
}

// Span is a length of time in microseconds: at most [MaxSpan], forward or backward. A day has 24 hours.
type Span int64

// The units of a duration.
const (
	Microsecond Span = 1
	Second           = 1_000_000 * Microsecond
	Minute           = 60 * Second
	Hour             = 60 * Minute
	Day              = 24 * Hour
)

// MaxSpan is the longest duration: more than what lies between any two moments of the years 1 to 9999.
const MaxSpan = 4_000_000 * Day

// String returns d in the canonical form of ISO 8601 without years, months and weeks, which is that of dayTimeDuration
// (https://www.w3.org/TR/xmlschema11-2/#dayTimeDuration): P1DT2H30M, -PT0.5S, PT0S.
func (d Span) String() string { return string(d.append(nil)) }

func (d Span) append(b []byte) []byte {
	n := uint64(d)
	if d < 0 {
		b, n = append(b, '-'), -n
	}
	b = append(b, 'P')
	if days := n / uint64(Day); days > 0 {
		b = append(strconv.AppendUint(b, days, 10), 'D')
	}
	if n %= uint64(Day); n == 0 && d != 0 {
		return b
	}
	b = append(b, 'T')
	if hours := n / uint64(Hour); hours > 0 {
		b = append(strconv.AppendUint(b, hours, 10), 'H')
	}
	n %= uint64(Hour)
	if minutes := n / uint64(Minute); minutes > 0 {
		b = append(strconv.AppendUint(b, minutes, 10), 'M')
	}
	if n %= uint64(Minute); n == 0 && d != 0 {
		return b
	}
	b = strconv.AppendUint(b, n/uint64(Second), 10)
	if n %= uint64(Second); n > 0 {
		b = append(b, '.')
		b = append(b, strings.TrimRight(fmt.Sprintf("%06d", n), "0")...)
	}
	return append(b, 'S')
}

var (
	isoSpan     = regexp.MustCompile(`^([+-]?)P(?:([0-9]+)W)?(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:[.,]([0-9]+))?S)?)?$`)
	isoCalendar = regexp.MustCompile(`^[+-]?P[0-9]+[YM]`)
	clockSpan   = regexp.MustCompile(`^(-?)()()([0-9]+):([0-5]?[0-9])(?::([0-5]?[0-9])(?:\.([0-9]+))?)?$`)
)

// ParseSpan reads a duration in the form of ISO 8601, as [Span.String] writes it or with weeks and larger
// numbers: PT36H. The error says what is wrong with the text.
func ParseSpan(s string) (Span, error) {
	d, problem := parseSpanText(s)
	if problem != "" {
		return 0, E("core.ParseSpan", Invalid, problem)
	}
	return d, nil
}

func parseSpan(_ *Column, v any) (any, string) {
	switch d := v.(type) {
	case Span:
		if d > MaxSpan || d < -MaxSpan {
			return nil, spanTooLong
		}
		return d, ""
	case string:
		out, problem := parseSpanText(d)
		if problem != "" {
			return nil, problem
		}
		return out, ""
	}
	return nil, describe(v) + notSpan
}

const (
	notSpan     = " is no duration: write it like P1DT2H30M, for a day, 2 hours and 30 minutes"
	spanTooLong = "the duration is longer than 4,000,000 days"
)

func parseSpanText(s string) (Span, string) {
	m := isoSpan.FindStringSubmatch(s)
	switch {
	case m != nil && s[len(s)-1] != 'P' && s[len(s)-1] != 'T':
		return spanOf(m)
	case isoCalendar.MatchString(s):
		return 0, describe(s) + " counts years or months, which have no fixed length: count days"
	}
	return 0, describe(s) + notSpan
}

// spanOf adds up the parts of a match: sign, weeks, days, hours, minutes, seconds, fraction.
func spanOf(m []string) (Span, string) {
	var sum Span
	for i, unit := range []Span{7 * Day, Day, Hour, Minute, Second} {
		if m[i+2] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+2], 10, 64)
		if err != nil || n > int64(MaxSpan/unit) {
			return 0, spanTooLong
		}
		sum += Span(n) * unit
	}
	if fraction := strings.TrimRight(m[7], "0"); fraction != "" {
		if len(fraction) > 6 {
			return 0, "a duration has at most 6 digits after the point, which are microseconds"
		}
		n, _ := strconv.ParseInt((fraction + "00000")[:6], 10, 64) // which are digits
		sum += Span(n)
	}
	if sum > MaxSpan {
		return 0, spanTooLong
	}
	if m[1] == "-" {
		sum = -sum
	}
	return sum, ""
}

// readSpan reads what people write in a text file: hours and minutes, 36:30 or 36:30:15, or else the form of ISO 8601.
func readSpan(s string) (Span, string) {
	if m := clockSpan.FindStringSubmatch(s); m != nil {
		return spanOf(m)
	}
	return parseSpanText(s)
}

func appendSpan(b []byte, v any) []byte { return append(v.(Span).append(append(b, '"')), '"') }
