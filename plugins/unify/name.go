package unify

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// titles are words around a name that say nothing about who it is.
var titles = wordSet("mr mrs ms miss mx dr prof professor sir dame lady lord rev reverend hon herr frau monsieur madame " +
	"mme mlle senor senora sig sra jr sr ii iii iv phd md esq mba bsc msc dipl ing baronet")

// matchName answers the words of a name in lower case without accents, punctuation and titles. A name that is nothing
// but titles is kept: "Prince" and "Dean" are people.
func matchName(s string) string {
	words := strings.Fields(foldWords(s))
	kept := words[:0:0]
	for _, w := range words {
		if !titles[w] {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 {
		kept = words
	}
	return strings.Join(kept, " ")
}

// matchFullName also sorts the words: "Moss, Abbie" and "Abbie Moss" are one name.
func matchFullName(s string) string {
	words := strings.Fields(matchName(s))
	slices.Sort(words)
	return strings.Join(words, " ")
}

//go:embed data/nicknames.txt
var nicknameText string

// nicknames knows, per name, the numbers of the formal names it may stand for; a formal name stands for itself.
var nicknames = sync.OnceValue(func() map[string][]uint16 {
	formal := map[string][]uint16{}
	n := uint16(0)
	for line := range strings.Lines(nicknameText) {
		for _, name := range strings.Fields(line) {
			formal[name] = append(formal[name], n)
		}
		n++
	}
	return formal
})

// sameFormal tells whether two sorted lists of formal names meet: Liz and Beth may both be Elizabeth.
func sameFormal(a, b []uint16) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			return true
		case a[0] < b[0]:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}
