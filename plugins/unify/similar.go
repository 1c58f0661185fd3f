package unify

import (
	"math/bits"
	"unicode/utf8"
)

// String measures. All look at the first 64 symbols only, and allocate nothing: texts of plain ASCII are
// compared byte by byte, others rune by rune from a copy on the stack.

const maxSymbols = 64

// symbols copies up to 64 runes of s into buf.
func symbols(s string, buf *[maxSymbols]rune) []rune {
	n := 0
	for _, r := range s {
		if n == maxSymbols {
			break
		}
		buf[n] = r
		n++
	}
	return buf[:n]
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// jaroWinkler answers a similarity between 0 and 1: Jaro's measure (JASA 1989) raised for a common prefix of up to four
// symbols as Winkler proposed (1990), with his weight of 0.1 and only above a similarity of 0.7.
func jaroWinkler(a, b string) float64 {
	if a == b {
		return 1
	}
	if a > b { // which symbols pair may depend on the side one starts from
		a, b = b, a
	}
	if ascii(a) && ascii(b) {
		var x, y [maxSymbols]byte
		return winkler(x[:copy(x[:], a)], y[:copy(y[:], b)])
	}
	var x, y [maxSymbols]rune
	p, q := symbols(a, &x), symbols(b, &y)
	return winkler(p, q)
}

func winkler[T byte | rune](a, b []T) float64 {
	j := jaro(a, b)
	if j <= 0.7 {
		return j
	}
	prefix := 0
	for prefix < 4 && prefix < len(a) && prefix < len(b) && a[prefix] == b[prefix] {
		prefix++
	}
	return j + 0.1*float64(prefix)*(1-j)
}

// jaro keeps which symbols have found a partner in one word of bits per side.
func jaro[T byte | rune](a, b []T) float64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) == 0 {
		return 0
	}
	window := max(len(b)/2-1, 0)
	var inA, inB uint64
	for i := range len(a) {
		for k := max(i-window, 0); k < min(i+window+1, len(b)); k++ {
			if inB&(1<<k) == 0 && a[i] == b[k] {
				inA |= 1 << i
				inB |= 1 << k
				break
			}
		}
	}
	matches := bits.OnesCount64(inA)
	if matches == 0 {
		return 0
	}
	swapped := 0
	for x, y := inA, inB; x != 0; x, y = x&(x-1), y&(y-1) {
		if a[bits.TrailingZeros64(x)] != b[bits.TrailingZeros64(y)] {
			swapped++
		}
	}
	m := float64(matches)
	return (m/float64(len(a)) + m/float64(len(b)) + (m-float64(swapped)/2)/m) / 3
}

// edits answers the optimal string alignment distance of a and b (insert, delete, replace, exchange of neighbours), or
// most+1 when it is above most.
func edits(a, b string, most int) int {
	if a == b {
		return 0
	}
	if ascii(a) && ascii(b) {
		var x, y [maxSymbols]byte
		return align(x[:copy(x[:], a)], y[:copy(y[:], b)], most)
	}
	var x, y [maxSymbols]rune
	return align(symbols(a, &x), symbols(b, &y), most)
}

// align is the dynamic programme over three rows, left as soon as a whole row is above most.
func align[T byte | rune](a, b []T, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	var rows [3][maxSymbols + 1]uint8
	before, last, row := &rows[0], &rows[1], &rows[2]
	for k := range len(b) + 1 {
		last[k] = uint8(k)
	}
	for i := 1; i <= len(a); i++ {
		row[0] = uint8(i)
		least := row[0]
		for k := 1; k <= len(b); k++ {
			cost := uint8(1)
			if a[i-1] == b[k-1] {
				cost = 0
			}
			d := min(last[k]+1, row[k-1]+1, last[k-1]+cost)
			if i > 1 && k > 1 && a[i-1] == b[k-2] && a[i-2] == b[k-1] {
				d = min(d, before[k-2]+1)
			}
			row[k] = d
			least = min(least, d)
		}
		if int(least) > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return min(int(last[len(b)]), most+1)
}

// sharedWords answers how much two lists of words have in common, between 0 and 1: twice the pairs that could be formed
// over the number of words (Dice). Two words pair when they are equal or, with more than three letters, nearly so.
// Each word pairs once.
func sharedWords(a, b []string) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	return 2 * float64(pairedWords(a, b, nearWords)) / float64(min(len(a), maxSymbols)+min(len(b), maxSymbols))
}

func nearWords(a, b string) bool {
	return a == b || len(a) > 3 && len(b) > 3 && jaroWinkler(a, b) >= 0.9
}

// pairedWords counts pairs of equal words first and then of like ones.
func pairedWords(a, b []string, like func(a, b string) bool) int {
	a, b = a[:min(len(a), maxSymbols)], b[:min(len(b), maxSymbols)]
	var usedA, usedB uint64
	n := 0
	pair := func(fit func(a, b string) bool) {
		for i, x := range a {
			for k, y := range b {
				if usedA&(1<<i) == 0 && usedB&(1<<k) == 0 && fit(x, y) {
					usedA |= 1 << i
					usedB |= 1 << k
					n++
				}
			}
		}
	}
	pair(func(a, b string) bool { return a == b })
	pair(like)
	return n
}

// soundex is the phonetic code of Russell and Odell as the US National Archives publish it: a letter and three digits.
// It answers "" for a text without a Latin letter.
func soundex(s string) string {
	code := [4]byte{0, '0', '0', '0'}
	n := 0
	var last byte
	for i := 0; i < len(s) && n < len(code); i++ {
		c := s[i] | 0x20
		if c < 'a' || c > 'z' {
			continue
		}
		digit := soundexDigits[c-'a']
		switch {
		case n == 0:
			code[0] = c
			n = 1
			last = digit
		case digit == 'h': // h and w are silent: the neighbours count as adjacent
		case digit == '0':
			last = '0'
		case digit != last:
			code[n] = digit
			n++
			last = digit
		}
	}
	if n == 0 {
		return ""
	}
	return string(code[:])
}

// soundexDigits has one entry per letter: 0 for vowels and y, h for the silent h and w.
const soundexDigits = "0123012h02245501262301h202"
