package enrich

import (
	_ "embed"
	"strings"
	"sync"
)

// Region is a first-level part of a country: a state, a province, a Land, a nation of the United Kingdom.
type Region struct {
	Country string // ISO alpha-2
	Code    string // ISO 3166-2, "US-CA"; the US armed forces' US-AA, US-AE and US-AP are codes of the postal service
	Name    string // "California"
	Area    string // United Kingdom only: the post town of the area, "Aberdeen"
}

//go:embed data/regions.tsv
var regionData string

//go:embed data/gb_postcodes.tsv
var britishData string

// postRange is the postcodes whose beginning lies between from and to, both included and of equal length.
type postRange struct {
	from, to string
	region   Region
}

// atlas is the tables of regions, unpacked.
type atlas struct {
	postcodes map[string][]postRange // by country
	areaCodes map[string]Region      // North American area codes
	british   map[string]Region      // by postcode area or district
}

var regions = sync.OnceValue(func() atlas {
	a := atlas{map[string][]postRange{}, map[string]Region{}, map[string]Region{}}
	for line := range strings.Lines(regionData) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		country := cells[0][:2]
		region := Region{Country: country, Code: cells[0], Name: cells[1]}
		for text := range strings.FieldsSeq(cells[2]) {
			from, to, found := strings.Cut(text, "-")
			if !found {
				to = from
			}
			a.postcodes[country] = append(a.postcodes[country], postRange{from, to, region})
		}
		for code := range strings.FieldsSeq(cells[3]) {
			a.areaCodes[code] = region
		}
	}
	nations := map[string]string{
		"GB-ENG": "England", "GB-SCT": "Scotland", "GB-WLS": "Wales", "GB-NIR": "Northern Ireland",
	}
	for line := range strings.Lines(britishData) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		region := Region{Country: "GB", Code: cells[2], Name: nations[cells[2]], Area: cells[1]}
		if region.Area == "" { // a district; its area, a shorter word, stands before it in the file
			region.Area = a.british[strings.TrimRight(cells[0], "0123456789")].Area
		}
		a.british[cells[0]] = region
	}
	return a
})

// RegionOfPostcode tells in which region a postcode of US, CA, GB, DE or AU lies. country is anything that [FindCountry]
// knows. Where a postcode crosses a border, it is the region with the greater part.
func RegionOfPostcode(country, postcode string) (Region, bool) {
	c, ok := FindCountry(country)
	if !ok {
		return Region{}, false
	}
	code, ok := NormalizePostcode(c.Code, postcode)
	if !ok {
		return Region{}, false
	}
	if c.Code == "GB" {
		return britishRegion(code)
	}
	best := postRange{}
	for _, r := range regions().postcodes[c.Code] {
		if n := len(r.from); n > len(best.from) && n <= len(code) && code[:n] >= r.from && code[:n] <= r.to {
			best = r
		}
	}
	return best.region, best.from != ""
}

func britishRegion(code string) (Region, bool) {
	district, _, _ := strings.Cut(code, " ")
	if r, ok := regions().british[district]; ok {
		return r, true
	}
	area := strings.TrimRightFunc(district[:min(2, len(district))], digit)
	r, ok := regions().british[area]
	return r, ok
}

// RegionOfPhone tells the state or province of a number of the United States or Canada by its area code. Mobile
// numbers keep theirs when their owner moves.
func RegionOfPhone(p Phone) (Region, bool) {
	if !p.Valid || len(p.E164) != len("+14155552671") || !strings.HasPrefix(p.E164, "+1") {
		return Region{}, false
	}
	r, ok := regions().areaCodes[p.E164[2:5]]
	return r, ok
}
