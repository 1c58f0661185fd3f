package unify

import "strings"

// The comparers answer a level of two different match forms, neither missing. They are called with the smaller text
// first, which makes the answer symmetric whatever order words are paired in. Which level means what is listed in the
// table of kinds; the Jaro-Winkler steps .94, .88 and .80 are those common in the literature.

const (
	nearly  = .94
	closely = .88
	similar = .80
)

func compareEmail(a, b *value) level {
	boxA, _, _ := strings.Cut(a.text, "@")
	boxB, _, _ := strings.Cut(b.text, "@")
	switch {
	case boxA == boxB && len(boxA) > 2:
		return 2
	case edits(a.text, b.text, 2) <= 2:
		return 3
	case jaroWinkler(boxA, boxB) >= closely:
		return 4
	}
	return 5
}

func comparePhone(a, b *value) level {
	x, y := a.text, b.text
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) >= 7 && strings.HasSuffix(y, strings.TrimPrefix(x, "+")) {
		return 2
	}
	switch edits(x, y, 2) {
	case 1:
		return 2
	case 2:
		return 3
	}
	return 4
}

func compareGiven(a, b *value) level {
	if a.formal != nil && b.formal != nil && sameFormal(a.formal[0], b.formal[0]) {
		return 2
	}
	if len(a.words)+len(b.words) > 2 && a.words[0] == b.words[0] && len(a.words[0]) > 1 {
		return 2 // mary and mary ann
	}
	if l := compareFamily(a, b); l < 5 {
		return l
	}
	if (len(a.text) == 1 || len(b.text) == 1) && a.text[0] == b.text[0] {
		return 4
	}
	return 6
}

func compareFamily(a, b *value) level {
	switch j := jaroWinkler(a.text, b.text); {
	case j >= nearly:
		return 2
	case j >= closely:
		return 3
	case j >= similar:
		return 4
	}
	return 5
}

func compareFullName(a, b *value) level {
	if len(a.words) > len(b.words) {
		a, b = b, a
	}
	n, m := len(a.words), len(b.words)
	switch paired := pairedNames(a, b); {
	case paired == n && n == m:
		return 2
	case paired == n && n >= 2:
		return 3
	case paired >= 2 || paired == 1 && jaroWinkler(a.text, b.text) >= closely:
		return 4
	case paired == 1:
		return 5
	}
	return 6
}

// pairedNames counts the words of two names that pair: equal ones first, then nicknames, near spellings and initials.
func pairedNames(a, b *value) int {
	var usedA, usedB uint64
	n := 0
	for _, alike := range []func(i, k int) bool{
		func(i, k int) bool { return a.words[i] == b.words[k] },
		func(i, k int) bool { return likeName(a, b, i, k) },
	} {
		for i := range min(len(a.words), maxSymbols) {
			for k := range min(len(b.words), maxSymbols) {
				if usedA&(1<<i) == 0 && usedB&(1<<k) == 0 && alike(i, k) {
					usedA |= 1 << i
					usedB |= 1 << k
					n++
				}
			}
		}
	}
	return n
}

func likeName(a, b *value, i, k int) bool {
	x, y := a.words[i], b.words[k]
	if a.formal != nil && b.formal != nil && sameFormal(a.formal[i], b.formal[k]) {
		return true
	}
	if len(x) == 1 || len(y) == 1 {
		return x[0] == y[0]
	}
	return jaroWinkler(x, y) >= closely
}

func compareDate(a, b *value) level {
	x, y := a.text, b.text
	if len(x) == 8 && len(y) == 8 {
		if dayMonthSwapped(x, y) {
			return 2
		}
		switch edits(x, y, 2) {
		case 1:
			return 2
		case 2:
			return 3
		}
		if x[4:] == y[4:] {
			return 4
		}
	}
	switch apart := yearOf(x) - yearOf(y); {
	case apart == 0:
		return 4
	case -10 <= apart && apart <= 10:
		return 5
	}
	return 6
}

func compareAddress(a, b *value) level {
	j := jaroWinkler(a.text, b.text)
	shared := sharedWords(a.words, b.words)
	sameNumber := houseNumber(a) == houseNumber(b)
	switch {
	case sameNumber && (j >= nearly || shared >= .8):
		return 2
	case j >= nearly || sameNumber && (j >= closely || shared >= .6):
		return 3
	case j >= closely || shared >= .5:
		return 4
	}
	return 6
}

// houseNumber answers the first word of an address that starts with a digit, "" when there is none.
func houseNumber(v *value) string {
	for _, w := range v.words {
		if leadingDigits(w) != "" {
			return w
		}
	}
	return ""
}

func comparePostcode(a, b *value) level {
	x, y := a.text, b.text
	switch {
	case edits(x, y, 1) == 1:
		return 2
	case postArea(x) == postArea(y):
		return 3
	}
	return 4
}

// postArea answers the part of a post code that names the wider place: a British one without its last three symbols,
// any other without its last two.
func postArea(s string) string {
	if len(s) >= 5 && (s[0] < '0' || s[0] > '9') {
		return s[:len(s)-3]
	}
	return s[:max(len(s)-2, 1)]
}

// compareIdentifier forgives edits only where a chance neighbour is unlikely: one from five symbols on, two from seven.
func compareIdentifier(a, b *value) level {
	n := min(len(a.text), len(b.text))
	switch d := edits(a.text, b.text, 2); {
	case d == 1 && n >= 5:
		return 2
	case d == 2 && n >= 7:
		return 3
	}
	return 4
}

func compareCode(_, _ *value) level { return 2 }

func compareText(a, b *value) level {
	s := sharedWords(a.words, b.words)
	if len(a.words) <= 3 && len(b.words) <= 3 {
		s = max(s, (jaroWinkler(a.text, b.text)-.5)*2)
	}
	switch {
	case s >= .9:
		return 2
	case s >= .7:
		return 3
	case s >= .5:
		return 4
	case s >= .3:
		return 5
	}
	return 6
}
