package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxWord is how many characters of a word count. Longer ones are cut, in texts and in queries alike.
const maxWord = 40

// accents are the marks that are left out: those of Latin, Greek and Cyrillic, and the vowel points of Hebrew and Arabic.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036f, Stride: 1}, {Lo: 0x0591, Hi: 0x05bd, Stride: 1}, {Lo: 0x05bf, Hi: 0x05c7, Stride: 1}, {Lo: 0x064b, Hi: 0x0652, Stride: 1}, {Lo: 0x0670, Hi: 0x0670, Stride: 1},
}}

// dense are the scripts that are written without spaces.
var dense = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

// fold returns the text in the form in which words are compared.
func fold(text string) string {
	if ascii(text) {
		return strings.ToLower(text)
	}
	text = norm.NFKD.String(text)
	text = strings.Map(func(r rune) rune {
		if unicode.Is(accents, r) {
			return -1
		}
		return r
	}, text)
	return norm.NFKC.String(cases.Fold().String(text))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func letter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

func apostrophe(r rune) bool { return r == '\'' || r == '’' }

// Words calls yield with the words of the text in their order, until it returns false.
func Words(text string, yield func(word string) bool) {
	var b strings.Builder
	n, single := 0, false // the characters of the word so far; whether it has all that it can have
	flush := func() bool {
		if n == 0 {
			return true
		}
		word := b.String()
		b.Reset()
		n, single = 0, false
		return yield(word)
	}
	for _, r := range fold(text) {
		switch {
		case apostrophe(r) && n > 0:
			continue
		case !letter(r):
			if !flush() {
				return
			}
			continue
		case unicode.IsMark(r):
			if n == 0 {
				continue
			}
		default:
			alone := r >= utf8.RuneSelf && unicode.In(r, dense...)
			if (alone || single) && !flush() {
				return
			}
			single = alone
		}
		if n++; n <= maxWord {
			b.WriteRune(r)
		}
	}
	flush()
}
