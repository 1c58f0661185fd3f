package oracle

// theme is what a world has much of. Many mistakes need several things at once, of which a world that has something of everything has
// too few. Most are probabilities.
type theme struct {
	owned     float64 // that the records of a table belong to users
	inherits  float64 // that a table inherits shares
	chained   float64 // that it does so from the next one, by which shares reach over several lookups
	shared    float64 // that a record is shared
	ended     float64 // that such a share has ended
	narrow    float64 // that a grant on records of users reaches only what somebody owns
	condition float64 // that a grant has a condition
	skipped   float64 // that a role gives nothing on a table
	another   float64 // that there is a second grant to read, with another reach
	hidden    float64 // that a grant hides a column
	unfound   float64 // the same, of a column that is searched
	searched  float64 // that a column of texts is searched
	asked     float64 // that a question searches
	told      int     // records of which the messages of rules are asked for, each time
	words     []string
}

// ofEverything is a world of which no two are alike.
var ofEverything = theme{
	owned: 0.67, inherits: 0.5, shared: 0.3, ended: 0.15, condition: 0.65, skipped: 0.2, another: 0.3, hidden: 0.15, unfound: 0.35, searched: 0.5, asked: 0.4, told: 1,
	words: []string{"a", "A", "b", "ab", "a_b", "b%", "", "z!", `back\slash`},
}

// themes are those of worlds.
func (m maker) themed() maker {
	t := ofEverything
	switch m.IntN(7) {
	case 0: // who sees and changes what is decided by shares
		t.owned, t.inherits, t.chained, t.shared, t.ended, t.narrow, t.condition, t.skipped, t.hidden = 1, 0.9, 0.8, 0.5, 0.4, 0.8, 0.1, 0.05, 0.05
	case 1: // what is found is decided by hidden columns
		t.searched, t.asked, t.another, t.unfound, t.condition, t.skipped, t.hidden = 1, 0.9, 0.9, 0.5, 0.4, 0.05, 0.05
		t.words = []string{"a", "A b", "b", "ab a", "b a", "ab b"}
	case 2: // every record is seen, and some columns are not
		t.condition, t.skipped, t.another, t.hidden, t.narrow = 0.1, 0.05, 0.1, 0.3, 0
	case 3: // columns are seen in some records, and rules tell of them
		t.condition, t.skipped, t.another, t.hidden, t.told = 0.4, 0.02, 0.9, 0.4, 3
	}
	m.theme = &t
	return m
}
