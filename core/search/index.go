package search

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Limits of what is indexed. PostgreSQL keeps 16,383 positions, 256 for a word, and a megabyte for a document; SQLite has
// no such limits, and finds what PostgreSQL finds.
const (
	maxPosition    = 16_000
	maxOccurrences = 255
	maxDocument    = 900_000 // bytes, over all columns
)

// Share is the number of bytes that each of n columns may take of a document.
func Share(n int) int { return maxDocument / n }

// Index returns the words of a text that are indexed, in their order: the first 16,000, as far as they fit into a number of
// bytes. A word that was there 255 times is "" from then on, which nothing finds.
func Index(text string, share int) []string {
	var out []string
	seen := map[string]int{}
	size := 0
	Words(text, func(word string) bool {
		n := seen[word]
		if n == maxOccurrences {
			out = append(out, "")
			return len(out) < maxPosition
		}
		if n == 0 {
			size += len(word) + tagLength + 8
		}
		if size += 2; size > share {
			return false
		}
		seen[word] = n + 1
		out = append(out, word)
		return len(out) < maxPosition
	})
	return out
}

// Field is what is indexed of one column of a record.
type Field struct {
	Tag   string
	Words []string // as [Index] returns them
}

// Term is what a clause of a query asks of one column.
type Term struct {
	Tag    string
	Words  []string
	Prefix bool
}

// Term returns what the clause asks of the column with the tag.
func (c Clause) Term(tag string) Term { return Term{Tag: tag, Words: c.Words, Prefix: c.Prefix} }

const tagLength = 10

// Tag returns what stands before each word of a column in the index, so that a query says in which columns it looks. Table
// and column are named as SQL names them.
func Tag(table, column string) string {
	sum := sha256.Sum256([]byte(table + "." + column))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:tagLength]
}
