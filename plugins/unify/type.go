package unify

import (
	"strings"

	"colonnade/core/normal"
)

// Type is what an attribute means. It decides how values are normalised, how they are compared, and which keys find
// candidate pairs.
type Type string

// The semantic types.
const (
	Email        Type = "email"
	Phone        Type = "phone"
	GivenName    Type = "given_name"
	FamilyName   Type = "family_name"
	FullName     Type = "full_name"
	Organisation Type = "organisation"
	Date         Type = "date"
	Address      Type = "address"
	City         Type = "city"
	State        Type = "state"
	Postcode     Type = "postcode"
	Country      Type = "country"
	Identifier   Type = "identifier"
	Gender       Type = "gender"
	Text         Type = "text"
)

// reading is what a normaliser may need besides the text.
type reading struct {
	region  string
	order   DateOrder
	keepTag bool
}

// level is how well two values agree: 0 when one is missing, 1 when equal, growing as they differ. The last level of a
// type is plain disagreement.
type level = uint8

const (
	missing level = 0
	equal   level = 1
)

// kind is all the engine knows about a type: one row of the table below.
type kind struct {
	match   func(raw string, c reading) string // match form
	show    func(match, raw string) string     // shown form
	words   bool                               // keep the words of a value at hand
	compare func(a, b *value) level            // of two different match forms: 2 and up
	levels  []string                           // names, from level 1
	fuzzy   level                              // the worst level that a fuzzy condition accepts
	prior   []float64                          // first guess of m per level, one record in a few hundred being wrong
	shared  bool                               // often the same for different people of one household
}

func (k *kind) different() level { return level(len(k.levels)) }

var kinds = map[Type]*kind{
	Email: {
		match: func(s string, c reading) string { return normal.Email(s, c.keepTag) }, show: showEmail,
		compare: compareEmail, fuzzy: 3,
		levels: []string{"equal", "same mailbox, other domain", "up to two edits", "similar mailbox", "different"},
		prior:  []float64{.80, .04, .06, .04, .06},
	},
	Phone: {
		match: func(s string, c reading) string { return normal.Phone(s, c.region) }, show: showPhone,
		compare: comparePhone, fuzzy: 2, shared: true,
		levels: []string{"equal", "one edit or no country", "two edits", "different"},
		prior:  []float64{.75, .06, .04, .15},
	},
	GivenName: {
		match: plain(normal.Name), show: showTidy, words: true, compare: compareGiven, fuzzy: 3,
		levels: []string{"equal", "nickname or nearly equal", "close", "similar or initial", "swapped", "different"},
		prior:  []float64{.75, .08, .05, .04, .03, .05},
	},
	FamilyName: {
		match: plain(normal.Name), show: showTidy, words: true, compare: compareFamily, fuzzy: 3, shared: true,
		levels: []string{"equal", "nearly equal", "close", "similar", "different"},
		prior:  []float64{.80, .07, .05, .03, .05},
	},
	FullName: {
		match: plain(normal.FullName), show: showTidy, words: true, compare: compareFullName, fuzzy: 3,
		levels: []string{"equal", "all words alike", "one word more", "words alike in part", "one word alike", "different"},
		prior:  []float64{.65, .15, .06, .05, .04, .05},
	},
	Organisation: {
		match: plain(normal.Organisation), show: showTidy, words: true, compare: compareText, fuzzy: 3,
		levels: textLevels, prior: []float64{.60, .15, .10, .06, .04, .05},
	},
	Date: {
		match: func(s string, c reading) string { return matchDate(s, c.order) }, show: showDate,
		compare: compareDate, fuzzy: 2,
		levels: []string{"equal", "one edit or day and month swapped", "two edits", "same year or day of the year", "within ten years", "different"},
		prior:  []float64{.80, .07, .04, .04, .02, .03},
	},
	Address: {
		match: plain(normal.Address), show: showTidy, words: true, compare: compareAddress, fuzzy: 3, shared: true,
		levels: []string{"equal", "nearly equal", "similar", "words in common", "swapped", "different"},
		prior:  []float64{.60, .12, .08, .05, .03, .12},
	},
	City: {
		match: plain(normal.Address), show: showTidy, compare: compareFamily, fuzzy: 3, shared: true,
		levels: []string{"equal", "nearly equal", "close", "similar", "different"},
		prior:  []float64{.75, .06, .04, .03, .12},
	},
	State: {
		match: func(s string, _ reading) string { return alias(states, s) }, show: showTidy, compare: compareCode, fuzzy: 1, shared: true,
		levels: []string{"equal", "different"}, prior: []float64{.93, .07},
	},
	Postcode: {
		match: plain(normal.Code), show: showTidy, compare: comparePostcode, fuzzy: 2, shared: true,
		levels: []string{"equal", "one edit", "same area", "different"},
		prior:  []float64{.75, .08, .05, .12},
	},
	Country: {
		match: func(s string, _ reading) string { return alias(countries, s) }, show: showTidy, compare: compareCode, fuzzy: 1, shared: true,
		levels: []string{"equal", "different"}, prior: []float64{.97, .03},
	},
	Identifier: {
		match: plain(normal.Code), show: showTidy, compare: compareIdentifier, fuzzy: 2,
		levels: []string{"equal", "one edit", "two edits", "different"},
		prior:  []float64{.85, .07, .03, .05},
	},
	Gender: {
		match: func(s string, _ reading) string { return alias(genders, s) }, show: showTidy, compare: compareCode, fuzzy: 1,
		levels: []string{"equal", "different"}, prior: []float64{.96, .04},
	},
	Text: {
		match: plain(normal.Words), show: showTidy, words: true, compare: compareText, fuzzy: 3,
		levels: textLevels, prior: []float64{.60, .12, .10, .07, .05, .06},
	},
}

var textLevels = []string{"equal", "nearly equal", "similar", "half in common", "little in common", "different"}

func plain(f func(string) string) func(string, reading) string {
	return func(s string, _ reading) string { return f(s) }
}

func showTidy(_, raw string) string { return normal.Tidy(raw) }

// typeNames answers the names of all types, in alphabetical order.
func typeNames() []string {
	names := map[string]bool{}
	for t := range kinds {
		names[string(t)] = true
	}
	return sortedKeys(names)
}

// value is one distinct match form of a column, with what comparisons need prepared.
type value struct {
	text   string
	words  []string   // of types that compare by words
	formal [][]uint16 // per word, the formal names it may stand for; nil when none has any
}

func newValue(k *kind, match string) value {
	v := value{text: match}
	if !k.words {
		return v
	}
	v.words = strings.Fields(match)
	for i, w := range v.words {
		if formal := nicknames()[w]; formal != nil {
			if v.formal == nil {
				v.formal = make([][]uint16, len(v.words))
			}
			v.formal[i] = formal
		}
	}
	return v
}
