package unify

import "colonnade/core/normal"

var countries = normal.Pairs(`usa us|united states us|united states of america us|u s a us|u s us|america us|uk gb|united kingdom gb|
	great britain gb|england gb|scotland gb|wales gb|germany de|deutschland de|deu de|france fr|fra fr|italy it|italia it|ita it|
	spain es|espana es|esp es|austria at|osterreich at|aut at|switzerland ch|schweiz ch|suisse ch|che ch|netherlands nl|holland nl|
	nld nl|belgium be|bel be|canada ca|can ca|mexico mx|mex mx|brazil br|brasil br|bra br|india in|ind in|china cn|chn cn|japan jp|
	jpn jp|australia au|aus au|new zealand nz|nzl nz|ireland ie|irl ie|poland pl|polska pl|pol pl|portugal pt|prt pt|sweden se|
	swe se|norway no|nor no|denmark dk|dnk dk|finland fi|fin fi|gbr gb`)

var states = normal.Pairs(`alabama al|alaska ak|arizona az|arkansas ar|california ca|colorado co|connecticut ct|delaware de|
	district of columbia dc|florida fl|georgia ga|hawaii hi|idaho id|illinois il|indiana in|iowa ia|kansas ks|kentucky ky|
	louisiana la|maine me|maryland md|massachusetts ma|michigan mi|minnesota mn|mississippi ms|missouri mo|montana mt|nebraska ne|
	nevada nv|new hampshire nh|new jersey nj|new mexico nm|new york ny|north carolina nc|north dakota nd|ohio oh|oklahoma ok|
	oregon or|pennsylvania pa|rhode island ri|south carolina sc|south dakota sd|tennessee tn|texas tx|utah ut|vermont vt|virginia va|
	washington wa|west virginia wv|wisconsin wi|wyoming wy|new south wales nsw|queensland qld|south australia sa|tasmania tas|
	victoria vic|western australia wa|ontario on|quebec qc|british columbia bc|alberta ab|manitoba mb|saskatchewan sk`)

var genders = normal.Pairs("male m|man m|mr m|mannlich m|female f|woman f|mrs f|ms f|weiblich f|w f|nonbinary x|non binary x|diverse x|other x")

// alias folds a text and answers its usual code when the table has one.
func alias(table map[string]string, s string) string {
	s = normal.Words(s)
	if code, ok := table[s]; ok {
		return code
	}
	return s
}
