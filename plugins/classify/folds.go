package classify

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// folds assigns each text to one of k parts such that identical texts share a part (a copy in the training part
// would give the answer away) and each class is spread as evenly as its distinct texts allow.
// It lowers k when the largest class has fewer distinct texts, but not below 2.
func folds(texts []string, truth []int, classes, k int, seed uint64) (fold []int, parts int) {
	members := map[string][]int{}
	perClass := make([][]string, classes)
	for i, text := range texts {
		if members[text] == nil {
			perClass[truth[i]] = append(perClass[truth[i]], text) // a text with two labels counts for the first
		}
		members[text] = append(members[text], i)
	}
	largest := 0
	for _, distinct := range perClass {
		largest = max(largest, len(distinct))
	}
	parts = max(2, min(k, largest))

	random := rand.New(rand.NewPCG(seed, foldStream))
	fold = make([]int, len(texts))
	next := 0
	for _, distinct := range perClass {
		slices.Sort(distinct)
		random.Shuffle(len(distinct), func(a, b int) { distinct[a], distinct[b] = distinct[b], distinct[a] })
		for _, text := range distinct {
			for _, i := range members[text] {
				fold[i] = next % parts
			}
			next++
		}
	}
	return fold, parts
}

// apart gives each copy of a text a name of its own when copies may be told apart, so that [folds] spreads them.
func apart(texts []string, repeats bool) []string {
	if !repeats {
		return texts
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = text + "\x00" + strconv.Itoa(i)
	}
	return out
}

// foldStream keeps the folds' random numbers apart from those of the classes, which count from 0.
const foldStream = 1 << 63

// split gives the numbers of the texts outside and inside one fold.
func split(fold []int, part int) (train, test []int) {
	for i, f := range fold {
		if f == part {
			test = append(test, i)
		} else {
			train = append(train, i)
		}
	}
	return train, test
}
