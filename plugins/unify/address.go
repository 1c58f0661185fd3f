package unify

import "strings"

// addressWords are the short forms of USPS Publication 28 that matter most, and a few of the rest of the world.
var addressWords = pairsOf(`street st|str st|avenue ave|av ave|road rd|drive dr|lane ln|court ct|crt ct|circle cir|crescent cres|
	place pl|plaza plz|square sq|terrace ter|terr ter|tce ter|boulevard blvd|blv blvd|boul blvd|highway hwy|parkway pkwy|
	close cl|circuit cct|grove gr|heights hts|island is|junction jct|mount mt|mountain mtn|point pt|ridge rdg|station sta|
	trail trl|valley vly|village vlg|vlge vlg|apartment apt|appartement apt|suite ste|building bldg|floor fl|room rm|unit apt|
	flat apt|number no|north n|south s|east e|west w|northeast ne|northwest nw|southeast se|southwest sw|saint st|strasse st|
	po box|first 1st|second 2nd|third 3rd|fourth 4th|fifth 5th|sixth 6th|seventh 7th|eighth 8th|ninth 9th|tenth 10th`)

// matchAddress answers the words of an address with their usual short forms.
func matchAddress(s string) string {
	words := strings.Fields(foldWords(s))
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

func matchOrganisation(s string) string {
	words := strings.Fields(foldWords(s))
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

var countries = pairsOf(`usa us|united states us|united states of america us|u s a us|u s us|america us|uk gb|united kingdom gb|
	great britain gb|england gb|scotland gb|wales gb|germany de|deutschland de|deu de|france fr|fra fr|italy it|italia it|ita it|
	spain es|espana es|esp es|austria at|osterreich at|aut at|switzerland ch|schweiz ch|suisse ch|che ch|netherlands nl|holland nl|
	nld nl|belgium be|bel be|canada ca|can ca|mexico mx|mex mx|brazil br|brasil br|bra br|india in|ind in|china cn|chn cn|japan jp|
	jpn jp|australia au|aus au|new zealand nz|nzl nz|ireland ie|irl ie|poland pl|polska pl|pol pl|portugal pt|prt pt|sweden se|
	swe se|norway no|nor no|denmark dk|dnk dk|finland fi|fin fi|gbr gb`)

var states = pairsOf(`alabama al|alaska ak|arizona az|arkansas ar|california ca|colorado co|connecticut ct|delaware de|
	district of columbia dc|florida fl|georgia ga|hawaii hi|idaho id|illinois il|indiana in|iowa ia|kansas ks|kentucky ky|
	louisiana la|maine me|maryland md|massachusetts ma|michigan mi|minnesota mn|mississippi ms|missouri mo|montana mt|nebraska ne|
	nevada nv|new hampshire nh|new jersey nj|new mexico nm|new york ny|north carolina nc|north dakota nd|ohio oh|oklahoma ok|
	oregon or|pennsylvania pa|rhode island ri|south carolina sc|south dakota sd|tennessee tn|texas tx|utah ut|vermont vt|virginia va|
	washington wa|west virginia wv|wisconsin wi|wyoming wy|new south wales nsw|queensland qld|south australia sa|tasmania tas|
	victoria vic|western australia wa|ontario on|quebec qc|british columbia bc|alberta ab|manitoba mb|saskatchewan sk`)

var genders = pairsOf("male m|man m|mr m|mannlich m|female f|woman f|mrs f|ms f|weiblich f|w f|nonbinary x|non binary x|diverse x|other x")

// alias folds a text and answers its usual code when the table has one.
func alias(table map[string]string, s string) string {
	s = foldWords(s)
	if code, ok := table[s]; ok {
		return code
	}
	return s
}

// pairsOf reads "long form short|…": the last word is what the words before it become.
func pairsOf(text string) map[string]string {
	m := map[string]string{}
	for entry := range strings.SplitSeq(text, "|") {
		entry = strings.TrimSpace(entry)
		i := strings.LastIndexByte(entry, ' ')
		m[entry[:i]] = entry[i+1:]
	}
	return m
}
