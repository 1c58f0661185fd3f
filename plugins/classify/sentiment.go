package classify

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The labels of [Sentiment].
const (
	Positive = "positive"
	Negative = "negative"
	Neutral  = "neutral"
)

// Feeling is how an English text feels.
type Feeling struct {
	Label    string  // Positive from a compound of 0.05, Negative from -0.05, otherwise Neutral
	Compound float64 // -1 to 1
}

// The empirical constants of VADER (Hutto and Gilbert, ICWSM 2014, section 3.3, and the project's README).
const (
	boost       = 0.293 // by a degree word right before; less two or three words before
	shout       = 0.733 // by a word in capitals among others that are not
	turn        = -0.74 // by a negation
	neverSo     = 1.25  // by "never so" and "never this", which are no negations
	beforeBut   = 0.5
	afterBut    = 1.5
	exclamation = 0.292 // each, up to four
	question    = 0.18  // each of two or three
	questions   = 0.96  // four and more
	spread      = 15    // about the largest sum of ratings to expect
	labelFrom   = 0.05
)

// Sentiment rates an English text by the rules of VADER: rated words and emoticons, corrected for degree words, negation,
// capitals, "but", idioms and punctuation. It needs no training, sees no irony and knows no topic; a [Model] trained on
// some dozens of the user's own rows does better.
func Sentiment(text string) Feeling {
	words := sentimentWords(spellEmoji(text))
	sum := 0.0
	but := lastIndex(words, "but")
	for i := range words {
		rating := words.rating(i)
		switch {
		case but < 0 || i == but:
		case i < but:
			rating *= beforeBut
		default:
			rating *= afterBut
		}
		sum += rating
	}
	emphasis := punctuation(text)
	switch {
	case sum > 0:
		sum += emphasis
	case sum < 0:
		sum -= emphasis
	}
	compound := sum / math.Sqrt(sum*sum+spread)
	switch {
	case compound >= labelFrom:
		return Feeling{Positive, compound}
	case compound <= -labelFrom:
		return Feeling{Negative, compound}
	}
	return Feeling{Neutral, compound}
}

// feltWord is a token without the punctuation around it, unless so little would remain that it may be an emoticon.
type feltWord struct {
	lower string
	loud  bool // in capitals, in a text that has other words too
}

type feltWords []feltWord

func sentimentWords(text string) feltWords {
	var words feltWords
	loud := 0
	for token := range strings.FieldsSeq(text) {
		bare := strings.TrimFunc(token, func(r rune) bool { return r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) })
		if utf8.RuneCountInString(bare) <= 2 {
			bare = token
		}
		word := feltWord{strings.ToLower(bare), shouted(bare)}
		if word.loud {
			loud++
		}
		words = append(words, word)
	}
	if loud == len(words) { // all in capitals: nothing stands out
		for i := range words {
			words[i].loud = false
		}
	}
	return words
}

func shouted(word string) bool {
	cased := false
	for _, r := range word {
		if unicode.IsLower(r) {
			return false
		}
		cased = cased || unicode.IsUpper(r)
	}
	return cased
}

func lastIndex(words feltWords, lower string) int {
	for i := len(words) - 1; i >= 0; i-- {
		if words[i].lower == lower {
			return i
		}
	}
	return -1
}

// rating is what word i contributes in its surroundings; 0 for a word without a rating.
func (w feltWords) rating(i int) float64 {
	word := w[i]
	rating, rated := lexicon()[word.lower]
	if !rated || boosters[word.lower] != 0 || dampers[w.phrase(i, i+2)] {
		return 0
	}
	if word.lower == "no" && w.rated(i+1) {
		return 0 // a determiner; it turns what follows
	}
	if word.loud {
		rating += math.Copysign(shout, rating)
	}
	idiom, isIdiom := w.idiom(i)
	if isIdiom {
		rating = idiom
	}
	for distance := 1; distance <= 3 && distance <= i; distance++ {
		if w.rated(i - distance) {
			if w[i-distance].lower == "no" {
				rating *= turn
			}
			continue
		}
		rating += w.boost(i-distance, rating) * [...]float64{1, 0.95, 0.9}[distance-1]
		rating *= w.negation(i-distance, i)
	}
	return rating
}

func (w feltWords) rated(i int) bool {
	if i < 0 || i >= len(w) {
		return false
	}
	_, ok := lexicon()[w[i].lower]
	return ok
}

// boost is what the degree word at i adds to a rating.
func (w feltWords) boost(i int, rating float64) float64 {
	degree := boosters[w[i].lower]
	if dampers[w.phrase(i-1, i+1)] {
		degree = -1
	}
	if degree == 0 {
		return 0
	}
	strength := degree * boost
	if w[i].loud {
		strength += shout
	}
	if rating < 0 {
		return -strength
	}
	return strength
}

// negation is the factor that the word at i puts on the rating of a later word.
func (w feltWords) negation(i, of int) float64 {
	word := w[i].lower
	next := ""
	if i+1 < of {
		next = w[i+1].lower
	}
	switch {
	case word == "never" && (next == "so" || next == "this" || i+2 < of && (w[i+2].lower == "so" || w[i+2].lower == "this")):
		return neverSo
	case word == "without" && next == "doubt":
		return 1
	case word == "least":
		if i+1 == of && (i == 0 || w[i-1].lower != "at" && w[i-1].lower != "very") {
			return turn
		}
		return 1
	case negations[word] != 0 || strings.Contains(word, "n't"):
		return turn
	}
	return 1
}

// idiom finds the rating of an idiom that word i is part of.
func (w feltWords) idiom(i int) (rating float64, ok bool) {
	for length := 1; length <= 3; length++ {
		for start := i - length + 1; start <= i; start++ {
			if rating, ok = idioms[w.phrase(start, start+length)]; ok {
				return rating, true
			}
		}
	}
	return 0, false
}

// phrase is the words from start to before end with spaces between them, or "" where there are none.
func (w feltWords) phrase(start, end int) string {
	if start < 0 || end > len(w) {
		return ""
	}
	switch end - start {
	case 1:
		return w[start].lower
	case 2:
		return w[start].lower + " " + w[start+1].lower
	default:
		return w[start].lower + " " + w[start+1].lower + " " + w[start+2].lower
	}
}

// punctuation is the emphasis of exclamation and question marks.
func punctuation(text string) float64 {
	emphasis := exclamation * float64(min(strings.Count(text, "!"), 4))
	switch asked := strings.Count(text, "?"); {
	case asked > 3:
		emphasis += questions
	case asked > 1:
		emphasis += question * float64(asked)
	}
	return emphasis
}
