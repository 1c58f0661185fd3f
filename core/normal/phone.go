package normal

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// minPhoneDigits is the length below which digits are a fragment, not a number.
const minPhoneDigits = 6

// Phone returns a number as "+" and digits including the country code when that can be known, as bare digits
// otherwise, and "" for a fragment. Extensions are dropped: colleagues share a switchboard, but the level "one edit"
// must mean a slip, not another desk.
func Phone(s, region string) string {
	s, _ = CutExtension(s)
	d := Digits(s)
	if len(d) < minPhoneDigits {
		return ""
	}
	plus := strings.HasPrefix(strings.TrimSpace(s), "+")
	if !plus && strings.HasPrefix(d, "00") && len(d) > 10 {
		plus, d = true, d[2:]
	}
	if e := northAmerican(d, plus, region); e != "" {
		return e
	}
	text := d
	if plus {
		text = "+" + d
	}
	if n, err := phonenumbers.Parse(text, region); err == nil && phonenumbers.IsPossibleNumber(n) {
		return phonenumbers.Format(n, phonenumbers.E164)
	}
	return strings.TrimLeft(d, "0")
}

// northAmerican decides the common shapes of the +1 plan without the library, which costs 400 times as much. It does not
// ask whether the area code is in use: test data and old numbers are numbers too.
func northAmerican(d string, plus bool, region string) string {
	if region != "US" && region != "CA" {
		return ""
	}
	switch {
	case len(d) == 11 && d[0] == '1':
		return "+" + d
	case len(d) == 10 && !plus:
		return "+1" + d
	}
	return ""
}

// CutExtension splits "983.566.0706x9509" into the number and "9509".
func CutExtension(s string) (number, extension string) {
	lower := strings.ToLower(s)
	for _, mark := range []string{"extension", "ext", "x", "#", ";"} {
		if i := strings.Index(lower, mark); i > 0 && len(Digits(s[:i])) >= minPhoneDigits {
			if ext := Digits(s[i:]); ext != "" {
				return s[:i], ext
			}
		}
	}
	return s, ""
}

// Digits returns the ASCII digits of s.
func Digits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == len(s) {
		return s
	}
	out := make([]byte, i, len(s))
	copy(out, s)
	for ; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			out = append(out, s[i])
		}
	}
	return string(out)
}
