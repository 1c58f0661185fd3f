package enrich

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"
)

// Country is a country or territory of ISO 3166-1, or Kosovo under its user-assigned codes XK and XKK.
type Country struct {
	Code   string // alpha-2
	Alpha3 string
	Name   string // in English
}

// countryCodes are the 249 officially assigned alpha-2 codes, and XK.
const countryCodes = `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT
BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE
KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE
SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE
VG VI VN VU WF WS YE YT ZA ZM ZW XK`

// englishNames are preferred to those of CLDR.
var englishNames = map[string]string{
	"CD": "Democratic Republic of the Congo", "CG": "Republic of the Congo", "CZ": "Czechia", "HK": "Hong Kong",
	"MK": "North Macedonia", "MM": "Myanmar", "MO": "Macao", "PS": "Palestine", "SZ": "Eswatini",
}

// nameLanguages are those whose names of countries are understood; an earlier one wins where two disagree.
var nameLanguages = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Italian, language.Portuguese, language.Dutch,
	language.Polish, language.Swedish, language.Danish, language.Finnish, language.Norwegian, language.Czech, language.Hungarian,
	language.Turkish, language.Russian, language.Greek, language.Japanese, language.Chinese, language.Korean,
}

//go:embed data/country_aliases.tsv
var countryAliases string

// countries maps folded codes and names; built at first use from the tables of golang.org/x/text.
var countries = sync.OnceValue(func() map[string]Country {
	index := map[string]Country{}
	put := func(name string, c Country) {
		name = foldName(name)
		if _, taken := index[name]; !taken && name != "" {
			index[name] = c
		}
	}
	english := display.English.Regions()
	for code := range strings.FieldsSeq(countryCodes) {
		region := language.MustParseRegion(code)
		c := Country{code, region.ISO3(), english.Name(region)}
		if name, ok := englishNames[code]; ok {
			c.Name = name
		}
		put(code, c)
		put(c.Alpha3, c)
	}
	for line := range strings.Lines(countryAliases) {
		code, names, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for name := range strings.SplitSeq(names, "|") {
			put(name, index[foldName(code)])
		}
	}
	for _, tag := range nameLanguages {
		names := display.Regions(tag)
		for code := range strings.FieldsSeq(countryCodes) {
			c := index[foldName(code)]
			if tag == language.English {
				put(c.Name, c)
			}
			put(names.Name(language.MustParseRegion(code)), c)
		}
	}
	return index
})

// FindCountry understands ISO 3166-1 alpha-2 and alpha-3 codes and the names of countries in 20 languages with usual
// other names; case, accents, punctuation and a leading "the" do not matter. UK means GB, EL means GR.
func FindCountry(text string) (Country, bool) {
	if len(text) > 200 {
		return Country{}, false
	}
	folded := foldName(text)
	c, ok := countries()[folded]
	if !ok {
		c, ok = countries()[strings.TrimPrefix(folded, "the ")]
	}
	return c, ok
}

// foldName leaves lower-case letters and digits without accents, in words separated by one space.
func foldName(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(text) {
		switch {
		case r == '\'' || r == '’' || unicode.IsMark(r):
		case r == '&':
			if b.Len() > 0 {
				b.WriteString(" and")
			}
			gap = true
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(unicode.ToLower(r))
		default:
			gap = true
		}
	}
	return b.String()
}
