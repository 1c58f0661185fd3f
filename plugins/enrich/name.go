package enrich

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Name is a person's name taken apart. Each part keeps the accents it came with.
type Name struct {
	Title    string // "Dr", "Frau Prof"
	Given    string
	Middle   string // all between the given and the family name
	Nickname string // what stood in quotation marks or parentheses
	Particle string // "van der"; the beginning of Family
	Family   string // with its particle: "van der Berg"
	Suffix   string // "Jr, PhD"
}

// titles stand before a name, suffixes after it; both in lower case without dots.
var (
	titles = setOf(`mr mrs ms miss mx sir dame lord lady dr doctor prof professor rev reverend fr father hon judge capt captain
		col colonel maj major lt lieutenant sgt sergeant gen general adm president
		herr frau fräulein dipl-ing dipl-kfm mag ing
		m mme mlle monsieur madame mademoiselle maître
		sr sra srta señor señora señorita don doña dona
		sig sigra signor signora dott dottssa avv
		dhr mevr mevrouw drs ir pan pani`)
	suffixes = setOf(`jr junior snr senior ii iii iv phd md dds dvm esq esquire cpa mba msc bsc ma ba llb llm mph rn jd qc kc obe mbe cbe
		dphil edd ret usn usmc usaf facs frcs pe`)
	particles = setOf(`van von vom vander de der den del della dello delle degli dei di da dal das do dos du des la le lo las los het ten
		ter te zu zum zur af av bin ibn bint ben al el abu ap y e 't`)
	// ambiguous words are a title or suffix only beside others of the kind: "ma" and "ba" are family names, "sr" is señor or senior.
	ambiguousSuffixes = setOf(`ma ba pe do sr v`)
)

// ParseName takes a person's name apart: "Dr. Ludwig van der Berg Jr.", "van der Berg, Ludwig", "Robert (Bob) O'NEIL".
// Names all in capitals or all in small letters are set in the usual case. The words tell little about the custom: of two
// family names (García Márquez) the first counts as a middle name, unless a comma shows them ("García Márquez,
// Gabriel"); a single word is a given name, after a title a family name; names without spaces between
// their parts (山田太郎) stay whole.
func ParseName(text string) Name {
	text = norm.NFC.String(text)
	var n Name
	text, n.Nickname = cutNickname(text)
	text = recase(text)
	n.Nickname = recase(n.Nickname)

	parts := strings.Split(text, ",")
	words := strings.Fields(parts[0])
	var after []string // the words after the first comma that are no suffixes
	var ends []string
	for _, part := range parts[1:] {
		section := strings.Fields(part)
		if len(after) == 0 && len(section) > 0 && !allSuffixes(section) {
			after = section
			continue
		}
		ends = append(ends, section...)
	}

	words, n.Title = cutTitle(words)
	if len(after) > 0 {
		n.family(cutSuffix(words, &ends))
		given, title := cutTitle(after)
		n.Title = join(n.Title, title)
		given = cutSuffix(given, &ends)
		if len(given) > 0 {
			n.Given = given[0]
			given = given[1:]
		}
		n.Middle, n.Particle = cutTrailingParticle(given)
		if n.Particle != "" { // "Beethoven, Ludwig van"
			n.Family = join(n.Particle, n.Family)
		} else {
			n.family(strings.Fields(n.Family))
		}
	} else {
		n.straight(cutSuffix(words, &ends))
	}
	n.Suffix = strings.Join(ends, ", ")
	return n
}

// straight reads "Given Middle particle Family".
func (n *Name) straight(words []string) {
	switch len(words) {
	case 0:
		return
	case 1:
		if n.Title != "" {
			n.Family = words[0]
		} else {
			n.Given = words[0]
		}
		return
	}
	start := len(words) - 1
	for at := 1; at < start; at++ {
		if particles[key(words[at])] && !initial(words[at]) {
			start = at
		}
	}
	if particles[key(words[0])] && n.Title != "" && !initial(words[0]) { // "Herr von Berg"
		start = 0
	}
	if start > 0 {
		n.Given = words[0]
		n.Middle = strings.Join(words[1:start], " ")
	}
	n.family(words[start:])
}

// family sets the family name and the particle it begins with.
func (n *Name) family(words []string) {
	n.Family = strings.Join(words, " ")
	end := 0
	for end < len(words)-1 && particles[key(words[end])] {
		end++
	}
	n.Particle = strings.Join(words[:end], " ")
}

// Display is the name as one says it: "Ludwig van der Berg Jr". Title and nickname are left out.
func (n Name) Display() string {
	return join(n.Given, n.Middle, n.Family, n.Suffix)
}

// Sorted is the name as lists have it: "van der Berg, Ludwig".
func (n Name) Sorted() string {
	given := join(n.Given, n.Middle)
	if n.Family == "" || given == "" {
		return join(n.Family, given)
	}
	return n.Family + ", " + given
}

func join(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// key is a word as the tables have it.
func key(word string) string {
	return strings.ReplaceAll(strings.ToLower(strings.Trim(word, ",;")), ".", "")
}

// initial tells a letter with a dot, such as the E. of "John E. Smith".
func initial(word string) bool {
	return strings.HasSuffix(word, ".") && utf8.RuneCountInString(word) == 2
}

func cutNickname(text string) (rest, nickname string) {
	for _, marks := range [][2]string{{"(", ")"}, {"\"", "\""}, {"“", "”"}, {"„", "“"}, {"‘", "’"}} {
		open := strings.Index(text, marks[0])
		if open < 0 {
			continue
		}
		inside, after, found := strings.Cut(text[open+len(marks[0]):], marks[1])
		if found {
			return text[:open] + " " + after, strings.Join(strings.Fields(inside), " ")
		}
	}
	return text, ""
}

func cutTitle(words []string) (rest []string, title string) {
	end := 0
	for end < len(words) && titles[key(words[end])] {
		end++
	}
	if end == len(words) && end > 0 { // "Major", "Don": a name after all
		end--
	}
	for _, word := range words[:end] {
		title = join(title, strings.TrimSuffix(word, "."))
	}
	return words[end:], title
}

// cutSuffix moves suffixes from the end of words to the front of ends; the first word stays.
func cutSuffix(words []string, ends *[]string) []string {
	for i, end := range *ends {
		(*ends)[i] = tidySuffix(end)
	}
	last := len(words)
	for last > 1 && isSuffix(words[last-1]) && !(last == 2 && ambiguousSuffixes[key(words[1])]) {
		last--
	}
	if last == len(words)-1 && ambiguousSuffixes[key(words[last])] {
		last++
	}
	var found []string
	for _, word := range words[last:] {
		found = append(found, tidySuffix(word))
	}
	*ends = append(found, *ends...)
	return words[:last]
}

func isSuffix(word string) bool { return suffixes[key(word)] || key(word) == "sr" || key(word) == "v" }

func allSuffixes(words []string) bool {
	for _, word := range words {
		if !isSuffix(word) {
			return false
		}
	}
	return true
}

// suffixSpelling is for those that are neither small words nor capitals throughout.
var suffixSpelling = map[string]string{
	"jr": "Jr", "sr": "Sr", "snr": "Snr", "junior": "Jr", "senior": "Sr", "phd": "PhD", "dphil": "DPhil", "edd": "EdD", "esq": "Esq", "esquire": "Esq",
	"msc": "MSc", "bsc": "BSc", "ret": "Ret",
}

func tidySuffix(word string) string {
	k := key(word)
	if spelled, ok := suffixSpelling[k]; ok {
		return spelled
	}
	return strings.ToUpper(k)
}

// cutTrailingParticle splits the particles off the end: "Ludwig Maria van" -> "Ludwig Maria", "van".
func cutTrailingParticle(words []string) (rest, particle string) {
	start := len(words)
	for start > 0 && particles[key(words[start-1])] && !initial(words[start-1]) {
		start--
	}
	return strings.Join(words[:start], " "), strings.Join(words[start:], " ")
}

// recase sets a name in the usual case when it is all in capitals or all in small letters.
func recase(text string) string {
	var upper, lower int
	for _, r := range text {
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		}
	}
	if upper > 0 && lower > 0 || upper+lower < 2 {
		return text
	}
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = recaseWord(word, i > 0)
	}
	return strings.Join(words, " ")
}

func recaseWord(word string, inside bool) string {
	if k := key(word); inside && particles[k] && !initial(word) {
		return strings.ToLower(word)
	}
	runes := []rune(strings.ToLower(word))
	start := true
	for i, r := range runes {
		if start && unicode.IsLetter(r) {
			runes[i] = unicode.ToTitle(r)
		}
		// "d'Arc" aside, what follows an apostrophe is a name when one letter stands before: O'Neil
		start = r == '-' || r == '.' || (r == '\'' || r == '’') && i == 1
	}
	if len(runes) > 3 && runes[0] == 'M' && runes[1] == 'c' {
		runes[2] = unicode.ToTitle(runes[2])
	}
	return string(runes)
}
