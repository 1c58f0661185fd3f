package classify

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// The rated words and the described emoji; origin and licence (MIT, C.J. Hutto) in data/VADER.md.
var (
	//go:embed data/vader_lexicon.tsv
	lexiconData string
	//go:embed data/vader_emoji.tsv
	emojiData string
)

// lexicon maps lower-case tokens to ratings from -4 to 4; unpacked at first use.
var lexicon = sync.OnceValue(func() map[string]float64 {
	ratings := make(map[string]float64, 7600)
	for line := range strings.Lines(lexiconData) {
		token, rating, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		value, err := strconv.ParseFloat(rating, 64)
		if err != nil {
			panic(fmt.Sprintf("data/vader_lexicon.tsv: %q: %v", token, err)) // embedded, so a test would have met it
		}
		ratings[token] = value
	}
	return ratings
})

var emoji = sync.OnceValue(func() map[rune]string {
	names := make(map[rune]string, 300)
	for line := range strings.Lines(emojiData) {
		symbol, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		r, _ := utf8.DecodeRuneInString(symbol)
		names[r] = name
	}
	return names
})

// spellEmoji replaces each emoji that feels like something by its description.
func spellEmoji(text string) string {
	if ascii(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if name, ok := emoji()[r]; ok {
			b.WriteByte(' ')
			b.WriteString(name)
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// boosters strengthen (1) or dampen (-1) the word that follows within three words. Word lists of the VADER paper.
var boosters = table(map[float64]string{
	1: `absolutely amazingly awfully completely considerable considerably decidedly deeply effing enormous enormously
		entirely especially exceptional exceptionally extreme extremely fabulously flippin flipping frackin fracking
		fricking frickin frigging friggin fully fuckin fucking fuggin fugging greatly hella highly hugely incredible
		incredibly intensely major majorly more most particularly purely quite really remarkably so substantially
		thoroughly total totally tremendous tremendously uber unbelievably unusually utter utterly very`,
	-1: `almost barely hardly kinda kindof kind-of less little marginal marginally occasional occasionally partly
		scarce scarcely slight slightly somewhat sorta sortof sort-of`,
})

// negations turn the word that follows within three words; so does every token with "n't" in it.
var negations = table(map[float64]string{
	1: `aint arent cannot cant couldnt darent didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neither neednt
		never none nope nor not nothing nowhere oughtnt shant shouldnt uhuh wasnt werent without wont wouldnt rarely
		seldom despite`,
})

// idioms feel different from the sum of their words; a rating replaces that of each rated word in them.
var idioms = map[string]float64{
	"the shit": 3, "the bomb": 3, "bad ass": 1.5, "badass": 1.5, "bus stop": 0, "yeah right": -2, "kiss of death": -1.5,
	"to die for": 3, "beating heart": 3.1, "broken heart": -2.9, "cut the mustard": 2, "hand to mouth": -2, "upper hand": 1,
}

// dampers are boosters of two words.
var dampers = map[string]bool{"sort of": true, "kind of": true}

func table(rows map[float64]string) map[string]float64 {
	values := map[string]float64{}
	for value, words := range rows {
		for word := range strings.FieldsSeq(words) {
			values[word] = value
		}
	}
	return values
}
