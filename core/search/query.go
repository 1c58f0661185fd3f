package search

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// Query is what is looked for: every clause must be met.
type Query []Clause

// Clause asks for a word or a phrase.
type Clause struct {
	Words  []string // that follow each other
	Prefix bool     // the last of them may go on
	Not    bool     // the clause is met where they are not
}

// The limits of a query.
const (
	maxQuery   = 1000 // bytes
	maxClauses = 16
	maxPhrase  = 32 // words of a clause
)

// Parse reads a query. Words are looked for wherever they stand; "a phrase" in quotes is looked for as it is; coff* finds
// what begins so; -word, -"a phrase" and -coff* leave out what has them.
func Parse(text string) (Query, error) {
	const op = "search.Parse"
	if len(text) > maxQuery {
		return nil, core.E(op, core.Limit, fmt.Sprintf("the search text has more than %d bytes", maxQuery))
	}
	var q Query
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var c Clause
		if c.Not = strings.HasPrefix(text, "-"); c.Not {
			text = text[1:]
		}
		var part string
		part, text = cut(text)
		if c.Prefix = strings.HasSuffix(part, "*") || strings.HasPrefix(text, "*"); c.Prefix {
			text = strings.TrimPrefix(text, "*")
		}
		Words(part, func(word string) bool {
			c.Words = append(c.Words, word)
			return true
		})
		if len(c.Words) > maxPhrase {
			return nil, core.E(op, core.Limit, fmt.Sprintf("a phrase of the search text has more than %d words", maxPhrase))
		}
		if len(c.Words) > 0 && !slices.ContainsFunc(q, c.equal) {
			q = append(q, c)
		}
	}
	switch {
	case len(q) == 0:
		return nil, core.E(op, core.Invalid, "the search text has no word: give one, such as coffee, coff* or \"iced coffee\"")
	case len(q) > maxClauses:
		return nil, core.E(op, core.Limit, fmt.Sprintf("the search text asks for more than %d words or phrases", maxClauses))
	}
	return q, nil
}

// cut splits off what stands in quotes, or before the next space.
func cut(text string) (part, rest string) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		part, rest, _ = strings.Cut(quoted, `"`)
		return part, rest
	}
	if i := strings.IndexAny(text, " \t\r\n\""); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

func (c Clause) equal(d Clause) bool {
	return c.Not == d.Not && c.Prefix == d.Prefix && slices.Equal(c.Words, d.Words)
}

// Score says how well words, as [Index] returns them, answer the query: two for each clause whose words are in it, one for
// each of which only the beginning is. Clauses that leave out count nothing.
func (q Query) Score(words []string) int {
	score := 0
	for _, c := range q {
		if c.Not {
			continue
		}
		score += c.score(words)
	}
	return score
}

func (c Clause) score(words []string) (best int) {
	last := len(c.Words) - 1
	for i := 0; i+last < len(words); i++ {
		if !slices.Equal(words[i:i+last], c.Words[:last]) {
			continue
		}
		switch word := words[i+last]; {
		case word == c.Words[last]:
			return 2
		case c.Prefix && strings.HasPrefix(word, c.Words[last]):
			best = 1
		}
	}
	return best
}
