package unify

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Every value has two forms. The match form is what comparisons see: folded, abbreviated, sorted; equal match forms are
// equal values, and "" is a missing one. The shown form goes into the golden record: the raw text with its white space
// tidied or, where a type has one standard spelling (date, phone, e-mail), that.

// foldWords answers s in lower case, compatibility-decomposed without accents, apostrophes dropped and every other run
// of punctuation made one space.
func foldWords(s string) string {
	if !ascii(s) {
		s = norm.NFKD.String(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		r = unicode.ToLower(r)
		switch {
		case r == '\'' || r == '’' || r == '`' || r == '´' || unicode.Is(unicode.Mn, r):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r):
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		if latin, ok := latinLetters[r]; ok {
			b.WriteString(latin)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// latinLetters are the letters that Unicode does not decompose.
var latinLetters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ı': "i", 'ħ': "h", 'ŧ': "t", 'ŋ': "n", 'ĸ': "k",
}

// tidy trims s and makes every run of white space one space.
func tidy(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

// matchCode answers the letters and digits of an identifier or post code, in lower case.
func matchCode(s string) string {
	return strings.ReplaceAll(foldWords(s), " ", "")
}

// matchEmail answers the address in lower case, without a display name, "mailto:" and, unless kept, the "+tag".
// What has no '@' between two texts is no address.
func matchEmail(s string, keepTag bool) string {
	s = showEmail("", s)
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return ""
	}
	if plus := strings.IndexByte(s[:at], '+'); plus > 0 && !keepTag {
		s = s[:plus] + s[at:]
	}
	return s
}

func showEmail(_, raw string) string {
	s := strings.ToLower(strings.TrimSpace(raw))
	if i, k := strings.IndexByte(s, '<'), strings.IndexByte(s, '>'); i >= 0 && k > i {
		s = s[i+1 : k]
	}
	return strings.TrimSpace(strings.TrimPrefix(s, "mailto:"))
}
