package normal

import (
	"slices"
	"strings"
)

// titles are words around a name that say nothing about who it is.
var titles = wordSet("mr mrs ms miss mx dr prof professor sir dame lady lord rev reverend hon herr frau monsieur madame " +
	"mme mlle senor senora sig sra jr sr ii iii iv phd md esq mba bsc msc dipl ing baronet")

// Name returns the words of a name in lower case without accents, punctuation and titles. A name that is nothing
// but titles is kept: "Prince" and "Dean" are people.
func Name(s string) string {
	words := strings.Fields(Words(s))
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

// FullName also sorts the words: "Moss, Abbie" and "Abbie Moss" are one name.
func FullName(s string) string {
	words := strings.Fields(Name(s))
	slices.Sort(words)
	return strings.Join(words, " ")
}
