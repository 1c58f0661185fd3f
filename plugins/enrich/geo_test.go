package enrich_test

import (
	"fmt"
	"testing"

	"colonnade/plugins/enrich"
)

func TestFindCountry(t *testing.T) {
	for text, want := range map[string]string{
		"de": "DE", "DEU": "DE", "Deutschland": "DE", "germany": "DE", "Allemagne": "DE", "Federal Republic of Germany": "DE",
		"U.S.A.": "US", "The United States of America": "US", "us": "US", "UK": "GB", "England": "GB", "EL": "GR", "Côte d’Ivoire": "CI",
		"Ivory Coast": "CI", "Österreich": "AT", "OSTERREICH": "AT", "Türkiye": "TR", "Turkey": "TR", "South Korea": "KR", "日本": "JP", "Россия": "RU",
		"Trinidad & Tobago": "TT", "Kosovo": "XK", "XKX": "XK", "Holland": "NL", "The Netherlands": "NL", "the gambia": "GM", "Niger": "NE", "Nigeria": "NG",
		"Congo": "CG", "DR Congo": "CD", "Guinea": "GN", "Czech Republic": "CZ", "Macedonia": "MK", "Hong Kong": "HK", "España": "ES",
		"Georgia": "GE", "Dominica": "DM", "Suisse": "CH", "Burma": "MM", "Swaziland": "SZ",
	} {
		if c, ok := enrich.FindCountry(text); !ok || c.Code != want {
			t.Errorf("%q: %+v, want %s", text, c, want)
		}
	}
	for _, text := range []string{"", " ", "the", "ZZ", "XX", "EU", "Atlantis", "California"} {
		if c, ok := enrich.FindCountry(text); ok {
			t.Errorf("%q: %+v, want none", text, c)
		}
	}
	c, _ := enrich.FindCountry("cd")
	if c != (enrich.Country{Code: "CD", Alpha3: "COD", Name: "Democratic Republic of the Congo"}) {
		t.Errorf("%+v", c)
	}
}

// Town halls and other places whose region is beyond doubt, near borders where a range could slip.
func TestRegionOfPostcode(t *testing.T) {
	for _, test := range [][3]string{
		{"US", "90210", "US-CA"}, {"US", "10001-1234", "US-NY"}, {"US", "06390", "US-NY"}, {"US", "06320", "US-CT"}, {"USA", "2139", "US-MA"},
		{"US", "20500", "US-DC"}, {"US", "20101", "US-VA"}, {"US", "73301", "US-TX"}, {"US", "96799", "US-AS"}, {"US", "96910", "US-GU"}, {"US", "00901", "US-PR"},
		{"US", "96950", "US-MP"}, {"US", "09012", "US-AE"}, {"US", "88510", "US-TX"}, {"US", "99501", "US-AK"}, {"US", "501", ""}, {"US", "96941", ""},
		{"CA", "k1a0b1", "CA-ON"}, {"Canada", "V6B 4Y8", "CA-BC"}, {"CA", "X0A 0H0", "CA-NU"}, {"CA", "X1A 2N2", "CA-NT"}, {"CA", "H2Y", "CA-QC"}, {"CA", "D1A 1A1", ""},
		{"GB", "sw1a1aa", "GB-ENG"}, {"UK", "EH1 1YZ", "GB-SCT"}, {"GB", "CF10 4UW", "GB-WLS"}, {"GB", "BT1 5GS", "GB-NIR"}, {"GB", "CH5 3AA", "GB-WLS"},
		{"GB", "CH1 2NY", "GB-ENG"}, {"GB", "SY23 3AS", "GB-WLS"}, {"GB", "TD15 1AA", "GB-ENG"}, {"GB", "E1W 1AA", "GB-ENG"}, {"GB", "QX1 1AA", ""},
		{"DE", "01067", "DE-SN"}, {"DE", "1067", "DE-SN"}, {"DE", "10115", "DE-BE"}, {"DE", "14467", "DE-BB"}, {"DE", "20095", "DE-HH"}, {"DE", "27568", "DE-HB"},
		{"DE", "27472", "DE-NI"}, {"DE", "34117", "DE-HE"}, {"DE", "D-80331", "DE-BY"}, {"DE", "89073", "DE-BW"}, {"DE", "89231", "DE-BY"}, {"DE", "55116", "DE-RP"}, {"DE", "55252", "DE-HE"},
		{"DE", "99084", "DE-TH"}, {"DE", "39104", "DE-ST"}, {"DE", "19053", "DE-MV"}, {"DE", "24103", "DE-SH"}, {"DE", "66111", "DE-SL"}, {"DE", "66482", "DE-RP"}, {"DE", "40213", "DE-NW"}, {"DE", "99999", ""},
		{"AU", "2600", "AU-ACT"}, {"AU", "2000", "AU-NSW"}, {"AU", "800", "AU-NT"}, {"AU", "3000", "AU-VIC"},
		{"FR", "75001", ""}, {"", "90210", ""}, {"US", "9021O", ""}, {"US", "", ""},
	} {
		r, ok := enrich.RegionOfPostcode(test[0], test[1])
		if r.Code != test[2] || ok != (test[2] != "") {
			t.Errorf("%s %s: %+v, want %s", test[0], test[1], r, test[2])
		}
		if ok && (r.Name == "" || r.Country == "" || r.Country == "GB" && r.Area == "") {
			t.Errorf("%s %s: %+v is not complete", test[0], test[1], r)
		}
	}
}

func TestRegionOfPhone(t *testing.T) {
	for text, want := range map[string]string{
		"+1 415 555 2671": "US-CA", "+1 212 736 5000": "US-NY", "+1 416 392 2489": "CA-ON", "+1 902 424 5000": "CA-NS", "+1 787 721 7000": "US-PR",
		"+1 800 356 9377": "", "+1 876 922 1000": "", "+44 20 7925 0918": "", "nonsense": "",
	} {
		r, ok := enrich.RegionOfPhone(enrich.ParsePhone(text, ""))
		if r.Code != want || ok != (want != "") {
			t.Errorf("%s: %+v, want %s", text, r, want)
		}
	}
}

func FuzzRegionOfPostcode(f *testing.F) {
	f.Add("GB", "SW1A 1AA")
	f.Add("US", "12345-6789")
	f.Fuzz(func(t *testing.T, country, code string) {
		enrich.RegionOfPostcode(country, code)
		if once, ok := enrich.NormalizePostcode(country, code); ok {
			if twice, _ := enrich.NormalizePostcode(country, once); twice != once {
				t.Fatalf("%q became %q, then %q", code, once, twice)
			}
		}
	})
}

func ExampleFindCountry() {
	c, ok := enrich.FindCountry("Deutschland")
	fmt.Println(c.Code, c.Alpha3, c.Name, ok)
	// Output: DE DEU Germany true
}

func ExampleRegionOfPostcode() {
	r, _ := enrich.RegionOfPostcode("USA", "94103-1234")
	fmt.Println(r.Code, r.Name)
	r, _ = enrich.RegionOfPostcode("UK", "ab10 1ab")
	fmt.Println(r.Code, r.Name, r.Area)
	// Output:
	// US-CA California
	// GB-SCT Scotland Aberdeen
}

func ExampleRegionOfPhone() {
	r, _ := enrich.RegionOfPhone(enrich.ParsePhone("(416) 392-2489", "CA"))
	fmt.Println(r.Code, r.Name)
	// Output: CA-ON Ontario
}

func ExampleNormalizePostcode() {
	for _, p := range [][2]string{{"US", "2139"}, {"CA", "k1a0b1"}, {"GB", "sw1a1aa"}, {"DE", "D-1067"}} {
		code, ok := enrich.NormalizePostcode(p[0], p[1])
		fmt.Println(code, ok)
	}
	// Output:
	// 02139 true
	// K1A 0B1 true
	// SW1A 1AA true
	// 01067 true
}
