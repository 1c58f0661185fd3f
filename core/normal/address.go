package normal

import "strings"

// addressWords are the short forms of USPS Publication 28 that matter most, and a few of the rest of the world.
var addressWords = Pairs(`street st|str st|avenue ave|av ave|road rd|drive dr|lane ln|court ct|crt ct|circle cir|crescent cres|
	place pl|plaza plz|square sq|terrace ter|terr ter|tce ter|boulevard blvd|blv blvd|boul blvd|highway hwy|parkway pkwy|
	close cl|circuit cct|grove gr|heights hts|island is|junction jct|mount mt|mountain mtn|point pt|ridge rdg|station sta|
	trail trl|valley vly|village vlg|vlge vlg|apartment apt|appartement apt|suite ste|building bldg|floor fl|room rm|unit apt|
	flat apt|number no|north n|south s|east e|west w|northeast ne|northwest nw|southeast se|southwest sw|saint st|strasse st|
	po box|first 1st|second 2nd|third 3rd|fourth 4th|fifth 5th|sixth 6th|seventh 7th|eighth 8th|ninth 9th|tenth 10th`)

// Address returns the words of an address with their usual short forms.
func Address(s string) string {
	words := strings.Fields(Words(s))
	for i, w := range words {
		if short, ok := addressWords[w]; ok {
			words[i] = short
		} else if stem, ok := strings.CutSuffix(w, "strasse"); ok {
			words[i] = stem + "str"
		}
	}
	return strings.Join(words, " ")
}

// organisationWords are legal forms and fillers that differ between spellings of one organisation.
var organisationWords = wordSet("inc incorporated llc llp lp ltd limited co company corp corporation plc gmbh ag kg ohg ug se sa sas " +
	"sarl srl spa bv nv ab as oy aps pty pte kk group holding holdings the and of und et y e")

// Organisation returns the words of an organisation without those that differ between spellings of one: legal forms and fillers.
func Organisation(s string) string {
	words := strings.Fields(Words(s))
	kept := words[:0:0]
	for _, w := range words {
		if !organisationWords[w] {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 {
		kept = words
	}
	return strings.Join(kept, " ")
}

// Pairs reads "long form short|…": the last word is what the words before it become.
func Pairs(text string) map[string]string {
	m := map[string]string{}
	for entry := range strings.SplitSeq(text, "|") {
		entry = strings.TrimSpace(entry)
		i := strings.LastIndexByte(entry, ' ')
		m[entry[:i]] = entry[i+1:]
	}
	return m
}
