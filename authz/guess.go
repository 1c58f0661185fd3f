package authz

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the words
	"io"
	"strings"
	"sync"
	"unicode"
)

// commonWords are the 30,000 most common passwords of large leaks, one a line, in lower case, from the frequency lists of zxcvbn
// (https://github.com/dropbox/zxcvbn), under the licence beside them. Names and words of English are among them.
//
//go:embed common/words.txt.gz
var commonWords []byte

var common = sync.OnceValue(func() map[string]bool {
	r, err := gzip.NewReader(bytes.NewReader(commonWords))
	if err != nil {
		panic(err) // it is embedded
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	out := make(map[string]bool, 30_000)
	for word := range strings.Lines(string(text)) {
		out[strings.TrimSpace(word)] = true
	}
	return out
})

// A password is as hard to guess as the fewest parts that it can be put together from: common passwords and words, whatever their
// case and with digits for letters; what belongs to the person; runs such as aaaa, 1234 and qwerty; years; and single characters.
// Who attacks tries these first: NIST SP 800-63B, 3.1.1.2.
const (
	minParts     = 12 // in halves: six single characters, or four words
	wordParts    = 3
	personParts  = 1
	runParts     = 2
	singleParts  = 2
	longestWord  = 40
	shortestWord = 4
	shortestRun  = 3
)

// runs are neighbours on keyboards and in alphabets, in both directions.
var runs = func() []string {
	var out []string
	for _, s := range []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "!@#$%^&*()", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "147258369"} {
		out = append(out, s, reversed(s))
	}
	return out
}()

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// letters are what digits and signs often stand for.
var letters = strings.NewReplacer("0", "o", "1", "l", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// guessable reports whether a password is put together from few parts. personal is what is known of the person, such as the
// name and the e-mail address.
func guessable(password string, personal ...string) bool {
	text := []rune(strings.ToLower(password))
	own := ownWords(personal)
	best := make([]int, len(text)+1) // the fewest parts of the text up to there, in halves
	for end := 1; end <= len(text); end++ {
		best[end] = best[end-1] + singleParts
		for begin := max(0, end-longestWord); begin < end; begin++ {
			if c := parts(string(text[begin:end]), end-begin, own); c > 0 {
				best[end] = min(best[end], best[begin]+c)
			}
		}
	}
	return best[len(text)] < minParts
}

// parts returns for how much a piece of n characters counts when it is taken as one, 0 when it is none.
func parts(piece string, n int, own map[string]bool) int {
	switch {
	case n >= shortestRun && (own[piece] || own[letters.Replace(piece)]):
		return personParts
	case n >= shortestRun && isRun(piece):
		return runParts
	case n == 4 && (strings.HasPrefix(piece, "19") || strings.HasPrefix(piece, "20")) && strings.Trim(piece, "0123456789") == "":
		return runParts
	case n >= shortestWord && (common()[piece] || common()[letters.Replace(piece)]):
		return wordParts
	}
	return 0
}

func isRun(piece string) bool {
	first := []rune(piece)[:1]
	if strings.Trim(piece, string(first)) == "" {
		return true
	}
	for _, r := range runs {
		if strings.Contains(r, piece) {
			return true
		}
	}
	return false
}

// ownWords are the words of what is known of a person, and the whole.
func ownWords(personal []string) map[string]bool {
	out := map[string]bool{"colonnade": true}
	for _, p := range personal {
		p = strings.ToLower(p)
		name, _, _ := strings.Cut(p, "@")
		out[p], out[name] = true, true
		for _, w := range strings.FieldsFunc(p, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			out[w] = true
		}
	}
	return out
}
