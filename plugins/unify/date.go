package unify

import (
	"strconv"
	"strings"
	"time"

	"colonnade/core/normal"
)

// A date in match form is "YYYYMMDD", or "YYYY" when only the year is known. Its parts need not be a day of the
// calendar: a slip of the pen such as month 84 is kept, because it still resembles the true date.

// twoDigitPivot is the last two-digit year read as 20xx; later ones are 19xx.
const twoDigitPivot = 30

// matchDate reads ISO dates with or without a time, YYYYMMDD, three numbers separated by '/', '.', '-' or spaces in the
// order given, and dates with an English month name. It answers "" when it cannot find a year.
func matchDate(s string, order DateOrder) string {
	s = dropTime(strings.TrimSpace(s))
	if len(s) == 8 && normal.Digits(s) == s {
		return s
	}
	var numbers [3]string
	n, month := 0, ""
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r == '-' || r == '/' || r == '.' || r == ',' || r == ' ' || r == '_'
	})
	for _, w := range words {
		switch m := monthNumber(w); {
		case m != "":
			month = m
		case leadingDigits(w) == "" || n == len(numbers):
			return onlyYear(words)
		default:
			numbers[n] = leadingDigits(w)
			n++
		}
	}
	switch {
	case n == 3 && month == "":
		return threeNumbers(numbers, order)
	case n == 2 && month != "":
		if len(numbers[0]) == 4 {
			return joinDate(numbers[0], month, numbers[1])
		}
		return joinDate(numbers[1], month, numbers[0])
	}
	return onlyYear(words)
}

// dropTime cuts a time of day, written after 'T' or a space.
func dropTime(s string) string {
	if len(s) > 8 && s[8] == 'T' && normal.Digits(s[:8]) == s[:8] {
		return s[:8]
	}
	if i := strings.IndexByte(s, ':'); i > 0 {
		if k := strings.LastIndexAny(s[:i], "T "); k > 0 {
			return s[:k]
		}
	}
	return s
}

func threeNumbers(n [3]string, order DateOrder) string {
	a, _ := strconv.Atoi(n[0])
	b, _ := strconv.Atoi(n[1])
	switch {
	case len(n[0]) >= 3 || a > 31:
		return joinDate(n[0], n[1], n[2])
	case a > 12 && b <= 12:
		return joinDate(n[2], n[1], n[0])
	case b > 12 && a <= 12:
		return joinDate(n[2], n[0], n[1])
	case order == DayFirst:
		return joinDate(n[2], n[1], n[0])
	}
	return joinDate(n[2], n[0], n[1])
}

func joinDate(year, month, day string) string {
	if len(year) == 3 {
		year = "0" + year
	}
	if len(year) <= 2 {
		y, _ := strconv.Atoi(year)
		if y <= twoDigitPivot {
			y += 2000
		} else {
			y += 1900
		}
		year = strconv.Itoa(y)
	}
	if len(year) != 4 || len(month) > 2 || len(day) > 2 {
		return ""
	}
	return year + pad2(month) + pad2(day)
}

func pad2(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}

func onlyYear(words []string) string {
	for _, w := range words {
		if len(w) == 4 && normal.Digits(w) == w {
			return w
		}
	}
	return ""
}

func monthNumber(w string) string {
	if len(w) < 3 {
		return ""
	}
	i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(w[:3]))
	if i < 0 || i%3 != 0 || leadingDigits(w) != "" {
		return ""
	}
	return pad2(strconv.Itoa(i/3 + 1))
}

// leadingDigits answers the number a word starts with: "5" of "5th".
func leadingDigits(w string) string {
	i := 0
	for i < len(w) && w[i] >= '0' && w[i] <= '9' {
		i++
	}
	return w[:i]
}

// showDate answers the ISO form of a match form that is a day of the calendar, the raw text otherwise.
func showDate(match, raw string) string {
	if len(match) != 8 {
		return raw
	}
	if t, err := time.Parse("20060102", match); err == nil {
		return t.Format(time.DateOnly)
	}
	return raw
}

// yearOf answers the year of a match form.
func yearOf(match string) int {
	y, _ := strconv.Atoi(match[:4])
	return y
}

// dayMonthSwapped tells whether two full dates differ only in the order of day and month.
func dayMonthSwapped(a, b string) bool {
	return len(a) == 8 && len(b) == 8 && a[:4] == b[:4] && a[4:6] == b[6:8] && a[6:8] == b[4:6]
}
