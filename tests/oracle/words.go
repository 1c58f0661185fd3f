package oracle

import (
	"slices"
	"strings"
	"unicode"

	"colonnade/core"
)

// finds reports whether the person finds the record by a search text.
func (p *person) finds(table string, r core.Record, text string) bool {
	for _, clause := range clauses(text) {
		plain, without := strings.CutPrefix(clause, "-")
		if (p.score(table, r, plain) > 0) == without {
			return false
		}
	}
	return true
}

// rank is how well the record answers the search text of the query; nil without one.
func (p *person) rank(q *query, r core.Record) any {
	if q.search == "" {
		return nil
	}
	sum := 0
	for _, clause := range clauses(q.search) {
		if !strings.HasPrefix(clause, "-") {
			sum += p.score(q.table, r, clause)
		}
	}
	return int64(sum)
}

// score is what a word, or the beginning of one, counts in the searched columns that the person may read.
func (p *person) score(table string, r core.Record, word string) int {
	word, begins := strings.CutSuffix(word, "*")
	sum := 0
	for _, c := range p.table(table).Search {
		if !p.nameable(table, c.Column) {
			continue
		}
		text, _ := p.value(table, r, c.Column).(string)
		has := wordsOf(text)
		switch {
		case slices.Contains(has, word):
			sum += 2 * c.Weight
		case begins && slices.ContainsFunc(has, func(w string) bool { return strings.HasPrefix(w, word) }):
			sum += c.Weight
		}
	}
	return sum
}

// clauses are what a search text asks for, each once.
func clauses(text string) (out []string) {
	for _, c := range strings.Fields(text) {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// wordsOf are the words of texts without accents.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
