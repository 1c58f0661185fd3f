package classify

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The n-gram ranges. Words: runs of letters, digits, marks and underscores, alone and in neighbouring pairs.
// Characters: within one white-space separated word, padded with a space on either side.
const (
	charMin = 2
	charMax = 5
)

// FNV-1a's 64-bit constants (Fowler, Noll, Vo), applied to code points instead of bytes.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// key names a feature: 63 bits of hash, and in the lowest bit the block (0 words, 1 characters).
type key uint64

const (
	blockWord = 0
	blockChar = 1
	blocks    = 2
)

func (k key) block() int { return int(k & 1) }

// newKey finishes a rolling hash (the mixing steps of SplitMix64, Steele, Lea and Flood 2014).
func newKey(h uint64, block uint64) key {
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	h ^= h >> 31
	return key(h&^1 | block)
}

// normalText is a text in the form that all comparisons use: NFKC, lower case, words separated by white space.
type normalText struct {
	runes []rune
	words [][2]int // start and end in runes; a word keeps its punctuation
}

// reset fills t from s. Bytes that are no UTF-8 count as U+FFFD.
func (t *normalText) reset(s string) {
	t.runes, t.words = t.runes[:0], t.words[:0]
	if !ascii(s) {
		s = norm.NFKC.String(s)
	}
	start := 0
	end := func() {
		if len(t.runes) > start {
			t.words = append(t.words, [2]int{start, len(t.runes)})
		}
		start = len(t.runes)
	}
	for _, r := range s {
		if unicode.IsSpace(r) {
			end()
			continue
		}
		t.runes = append(t.runes, unicode.ToLower(r))
	}
	end()
}

// String gives the words with one space between them: equal strings are the same text to the classifier.
func (t *normalText) String() string {
	b := make([]byte, 0, len(t.runes)+len(t.words))
	for i := range t.words {
		if i > 0 {
			b = append(b, ' ')
		}
		b = t.appendWord(b, i)
	}
	return string(b)
}

func (t *normalText) appendWord(b []byte, i int) []byte {
	for _, r := range t.runes[t.words[i][0]:t.words[i][1]] {
		b = utf8.AppendRune(b, r)
	}
	return b
}

// features calls emit for each n-gram of the text, with the first and last word it touches; an n-gram that
// occurs twice is emitted twice.
func (t *normalText) features(emit func(k key, first, last int)) {
	var before uint64
	beforeWord := -1
	for i, w := range t.words {
		word := t.runes[w[0]:w[1]]
		charGrams(word, func(k key) { emit(k, i, i) })
		for at := 0; at < len(word); {
			if !wordRune(word[at]) {
				at++
				continue
			}
			h := uint64(fnvOffset)
			for ; at < len(word) && wordRune(word[at]); at++ {
				h = (h ^ uint64(word[at])) * fnvPrime
			}
			emit(newKey(h, blockWord), i, i)
			if beforeWord >= 0 {
				emit(newKey((before^h*3)*fnvPrime, blockWord), beforeWord, i)
			}
			before, beforeWord = h, i
		}
	}
}

// charGrams calls emit for each character n-gram of the word padded with spaces.
func charGrams(word []rune, emit func(key)) {
	n := len(word) + 2
	for start := 0; start < n-1; start++ {
		h := uint64(fnvOffset)
		for size := 1; size <= charMax && start+size <= n; size++ {
			r := ' '
			if at := start + size - 2; at >= 0 && at < len(word) {
				r = word[at]
			}
			h = (h ^ uint64(r)) * fnvPrime
			if size >= charMin {
				emit(newKey(h, blockChar))
			}
		}
	}
}

func wordRune(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_'
	default:
		return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
