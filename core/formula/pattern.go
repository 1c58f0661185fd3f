package formula

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// NumberPattern says how a number is written: see [ParseNumberPattern].
type NumberPattern struct {
	Whole       int    // digits before the point at least
	Least, Most int    // digits after it
	Group       string // between each three digits before the point, empty for nothing
	Point       string
}

var numberPattern = regexp.MustCompile(`^(?:#([,.' _\x{a0}\x{202f}])##)?(0{1,20})(?:([.,])(0{0,20})(#{0,20}))?$`)

// ParseNumberPattern reads a pattern such as '#,##0.00', '#.##0,00', '0.##' or '00000': 0 is a digit that is always there, # one that
// may be missing.
func ParseNumberPattern(s string) (NumberPattern, bool) {
	m := numberPattern.FindStringSubmatch(s)
	if m == nil || m[1] != "" && (m[1] == m[3] || len(m[2]) != 1) || len(m[4])+len(m[5]) > 20 || m[3] != "" && m[4]+m[5] == "" {
		return NumberPattern{}, false
	}
	return NumberPattern{Whole: len(m[2]), Least: len(m[4]), Most: len(m[4]) + len(m[5]), Group: m[1], Point: m[3]}, true
}

// Format writes d, rounded half away from zero.
func (p NumberPattern) Format(d decimal.Decimal) string {
	d = d.Round(int32(p.Most))
	whole, fraction, _ := strings.Cut(d.Abs().StringFixed(int32(p.Most)), ".")
	for len(fraction) > p.Least && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	if missing := p.Whole - len(whole); missing > 0 {
		whole = strings.Repeat("0", missing) + whole
	}
	var b strings.Builder
	if d.IsNegative() {
		b.WriteByte('-')
	}
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(p.Group)
		}
		b.WriteByte(whole[i])
	}
	if fraction != "" {
		b.WriteString(p.Point + fraction)
	}
	return b.String()
}

// TimePattern says how a time is written: the words of [words] and texts in quotes or of other characters than letters.
type TimePattern []piece

type piece struct {
	word string // of words, empty for a text
	text string
}

// word is how a part of a time is written in Go and in PostgreSQL, and what a date is read from.
type word struct{ goLayout, postgres, regex string }

// words are what a pattern may say, longest first.
var words = []struct {
	name string
	word
}{
	{"yyyy", word{"2006", "YYYY", `(\d{4})`}}, {"yy", word{"06", "YY", ""}},
	{"MMMM", word{"January", "FMMonth", ""}}, {"MMM", word{"Jan", "Mon", ""}}, {"MM", word{"01", "MM", `(\d{2})`}}, {"M", word{"1", "FMMM", `(\d{1,2})`}},
	{"dd", word{"02", "DD", `(\d{2})`}}, {"d", word{"2", "FMDD", `(\d{1,2})`}},
	{"EEEE", word{"Monday", "FMDay", ""}}, {"EEE", word{"Mon", "Dy", ""}},
	{"HH", word{"15", "HH24", ""}}, {"mm", word{"04", "MI", ""}}, {"ss", word{"05", "SS", ""}},
}

func wordNamed(name string) word {
	for _, w := range words {
		if w.name == name {
			return w.word
		}
	}
	return word{}
}

// maxPattern is how long a pattern may be, in bytes.
const maxPattern = 100

// ParseTimePattern reads a pattern such as 'dd.MM.yyyy' or "EEEE, d MMMM yyyy 'at' HH:mm". The names are English.
func ParseTimePattern(s string) (out TimePattern, ok bool) {
	if len(s) > maxPattern {
		return nil, false
	}
	for s != "" {
		n := 1
		switch c := s[0]; {
		case c == '\'':
			end := strings.IndexByte(s[1:], '\'')
			if end < 0 {
				return nil, false
			}
			out, n = append(out, piece{text: s[1 : end+1]}), end+2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			for n < len(s) && s[n] == c {
				n++
			}
			if wordNamed(s[:n]).goLayout == "" {
				return nil, false
			}
			out = append(out, piece{word: s[:n]})
		default:
			out = append(out, piece{text: s[:1]})
		}
		s = s[n:]
	}
	return out, len(out) > 0
}

// Format writes what calendar and clock show at t in UTC.
func (p TimePattern) Format(t time.Time) string {
	var b []byte
	for _, piece := range p {
		if piece.word == "" {
			b = append(b, piece.text...)
		} else {
			b = t.AppendFormat(b, wordNamed(piece.word).goLayout)
		}
	}
	return string(b)
}

// Postgres returns p for to_char.
func (p TimePattern) Postgres() string {
	var b strings.Builder
	for _, piece := range p {
		if piece.word == "" {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(piece.text) + `"`)
		} else {
			b.WriteString(wordNamed(piece.word).postgres)
		}
	}
	return b.String()
}

// DatePattern reads days: a regular expression, and in which of its groups year, month and day are, from 1. A pattern without
// a day means the first of the month, one without a month the first of the year.
type DatePattern struct {
	Regex            string
	Year, Month, Day int
	regex            *regexp.Regexp
}

// ParseDatePattern reads a pattern that has yyyy, at most one of MM and M, and at most one of dd and d.
func ParseDatePattern(s string) (out DatePattern, ok bool) {
	p, ok := ParseTimePattern(s)
	if !ok {
		return out, false
	}
	groups := 0
	var b strings.Builder
	for _, piece := range p {
		if piece.word == "" {
			b.WriteString(regexp.QuoteMeta(piece.text))
			continue
		}
		regex := wordNamed(piece.word).regex
		at := map[byte]*int{'y': &out.Year, 'M': &out.Month, 'd': &out.Day}[piece.word[0]]
		if regex == "" || at == nil || *at != 0 {
			return out, false
		}
		groups++
		*at = groups
		b.WriteString(strings.ReplaceAll(regex, `\d`, "[0-9]"))
	}
	out.Regex = "^" + b.String() + "$"
	regex, err := regexp.Compile(`\A` + b.String() + `\z`)
	out.regex = regex
	return out, err == nil && out.Year > 0 && (out.Month > 0 || out.Day == 0)
}

// Parse reads a day.
func (p DatePattern) Parse(s string) (time.Time, bool) {
	m := p.regex.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, false
	}
	number := func(group int) int {
		if group == 0 {
			return 1
		}
		n, err := strconv.Atoi(m[group])
		if err != nil {
			return 0
		}
		return n
	}
	year, month, day := number(p.Year), number(p.Month), number(p.Day)
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t, inCalendar(t) && t.Year() == year && int(t.Month()) == month && t.Day() == day
}
