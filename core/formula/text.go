package formula

import (
	"strings"
	"unicode/utf8"
)

// The most characters that padding and repeating make.
const (
	MaxPadded   = 1000
	MaxRepeated = 1_000_000
)

// maxPosition is the greatest position or length of a text that is asked for.
const maxPosition = 1_000_000_000

// Split returns the n-th part, counted from 0, of what a separator separates; false when there are not so many. An empty text
// has no part, and an empty separator separates nothing.
func Split(s, separator string, n int64) (string, bool) {
	if s == "" || n < 0 || n > maxPosition {
		return "", false
	}
	if separator == "" {
		return s, n == 0
	}
	for ; n > 0; n-- {
		_, after, found := strings.Cut(s, separator)
		if !found {
			return "", false
		}
		s = after
	}
	s, _, _ = strings.Cut(s, separator)
	return s, true
}

// Find returns where a part is first found at or after a position, in characters counted from 0.
func Find(s, part string, from int64) (int64, bool) {
	if from < 0 || from > maxPosition {
		return 0, false
	}
	rest := s
	for range from {
		_, n := utf8.DecodeRuneInString(rest)
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	i := strings.Index(rest, part)
	if i < 0 {
		return 0, false
	}
	return from + int64(utf8.RuneCountInString(rest[:i])), true
}

// Pad fills a text that is too short up to n characters, at its left or its right.
func Pad(s string, n int64, fill string, left bool) (string, bool) {
	if n < 0 || n > MaxPadded {
		return "", false
	}
	missing := int(n) - utf8.RuneCountInString(s)
	if missing <= 0 || fill == "" {
		return s, true
	}
	characters := []rune(strings.Repeat(fill, missing/utf8.RuneCountInString(fill)+1))
	if left {
		return string(characters[:missing]) + s, true
	}
	return s + string(characters[:missing]), true
}

// Repeat returns n copies of a text.
func Repeat(s string, n int64) (string, bool) {
	if n < 0 || n > MaxRepeated || n*int64(utf8.RuneCountInString(s)) > MaxRepeated {
		return "", false
	}
	return strings.Repeat(s, int(n)), true
}

// Right returns the last n characters.
func Right(s string, n int64) (string, bool) {
	if n < 0 || n > maxPosition {
		return "", false
	}
	end := len(s)
	for ; n > 0 && end > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end -= size
	}
	return s[end:], true
}

// Capitalize makes the first character a capital letter, if it is one from a to z.
func Capitalize(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-32) + s[1:]
	}
	return s
}

// Title makes the first letter of each word a capital one and the others small, of those from a to z. A blank ends a word.
func Title(s string) string {
	b, first := []byte(s), true
	for i, c := range b {
		switch {
		case first && c >= 'a' && c <= 'z':
			b[i] -= 32
		case !first && c >= 'A' && c <= 'Z':
			b[i] += 32
		}
		first = c == ' '
	}
	return string(b)
}

// Join puts a separator between two texts that are not empty; false when both are.
func Join(separator, a, b string) (string, bool) {
	switch {
	case a == "":
		return b, b != ""
	case b == "":
		return a, true
	}
	return a + separator + b, true
}
