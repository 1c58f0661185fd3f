package enrich_test

import (
	"fmt"
	"strings"
	"testing"

	"colonnade/plugins/enrich"
)

func TestParsePhone(t *testing.T) {
	tests := []struct {
		text, country string
		want          enrich.Phone
	}{
		{"(415) 555-2671", "US", enrich.Phone{E164: "+14155552671", Country: "US", Type: enrich.PhoneFixedOrMobile, National: "(415) 555-2671", Valid: true}},
		{"415.555.2671 ext. 42", "United States", enrich.Phone{E164: "+14155552671", Country: "US", Type: enrich.PhoneFixedOrMobile, Extension: "42", National: "(415) 555-2671", Valid: true}},
		{"+44 7400 123456", "US", enrich.Phone{E164: "+447400123456", Country: "GB", Type: enrich.PhoneMobile, National: "07400 123456", Valid: true}},
		{"030 901820", "DEU", enrich.Phone{E164: "+4930901820", Country: "DE", Type: enrich.PhoneFixed, National: "030 901820", Valid: true}},
		{"+39 02 1234 5678", "", enrich.Phone{E164: "+390212345678", Country: "IT", Type: enrich.PhoneFixed, National: "02 1234 5678", Valid: true}},
		{"1-800-FLOWERS", "US", enrich.Phone{E164: "+18003569377", Country: "US", Type: enrich.PhoneTollFree, National: "(800) 356-9377", Valid: true}},
		{"555-2671", "US", enrich.Phone{E164: "+15552671", Type: enrich.PhoneUnknown, National: "555-2671", Problem: "area code is missing"}},
		{"(415) 555-2671", "", enrich.Phone{Type: enrich.PhoneUnknown, Problem: "no country: write the number with + and country code, or name a default country"}},
		{"call me", "US", enrich.Phone{Type: enrich.PhoneUnknown, Problem: "not a telephone number"}},
		{" ", "US", enrich.Phone{Type: enrich.PhoneUnknown, Problem: "empty"}},
		{strings.Repeat("1", 1000), "US", enrich.Phone{Type: enrich.PhoneUnknown, Problem: "too long for a telephone number"}},
	}
	for _, test := range tests {
		for range 2 { // the second answer is the remembered one
			if got := enrich.ParsePhone(test.text, test.country); got != test.want {
				t.Errorf("%q in %q: %+v, want %+v", test.text, test.country, got, test.want)
			}
		}
	}
}

func TestParseEmail(t *testing.T) {
	valid := map[string]string{ // text, address
		" Ann.Lee@Example.ORG ":           "ann.lee@example.org",
		"Ann Lee <ann@example.org>":       "ann@example.org",
		"MAILTO:ann@example.org?cc=b@c":   "ann@example.org",
		"ann+news@example.co.uk":          "ann+news@example.co.uk",
		"o'neil@example.org":              "o'neil@example.org",
		"\"ann lee\"@example.org":         "\"ann lee\"@example.org",
		"jörg@müller.de":                  "jörg@müller.de",
		"a@xn--mller-kva.de":              "a@xn--mller-kva.de",
		"ann@example.org.":                "ann@example.org",
		"ａｎｎ@example.org":                 "ann@example.org",
		strings.Repeat("a", 64) + "@b.de": strings.Repeat("a", 64) + "@b.de",
	}
	for text, want := range valid {
		if e := enrich.ParseEmail(text); !e.Valid || e.Address != want || e.Problem != "" {
			t.Errorf("%q: %+v, want %s", text, e, want)
		}
	}
	for _, text := range []string{"", "ann", "@example.org", "ann@", "ann@example", "a..b@example.org", ".a@example.org", "a.@example.org",
		"a b@example.org", "a@b@example.org", "a@-b.org", "a@b-.org", "a@b..org", "a@[127.0.0.1]", "a@127.0.0.1", "a@b_c.org", "a@b.c",
		strings.Repeat("a", 65) + "@b.de", "a@" + strings.Repeat("b", 64) + ".de", "a@" + strings.Repeat("b.", 130) + "de", "a\x00@b.de", "\xff@b.de", "\"a\"b\"@c.de"} {
		if e := enrich.ParseEmail(text); e.Valid || e.Problem == "" {
			t.Errorf("%q: %+v, want it refused", text, e)
		}
	}
	for text, want := range map[string][2]bool{ // free, role
		"ann@gmail.com": {true, false}, "ann@yahoo.co.uk": {true, false}, "info@example.org": {false, true}, "sales+eu@hotmail.fr": {true, true},
		"ann@live.example.co.uk": {false, false}, "informer@example.org": {false, false},
	} {
		if e := enrich.ParseEmail(text); e.Free != want[0] || e.Role != want[1] {
			t.Errorf("%q: free %v role %v, want %v", text, e.Free, e.Role, want)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	f.Add("Ann <a.nn+b@googlemail.com>")
	f.Fuzz(func(t *testing.T, text string) {
		e := enrich.ParseEmail(text)
		if e.Valid == (e.Problem != "") {
			t.Fatalf("%+v", e)
		}
		if again := enrich.ParseEmail(e.Address); e.Valid && again != e {
			t.Fatalf("%+v read again: %+v", e, again)
		}
	})
}

func FuzzParsePhone(f *testing.F) {
	f.Add("+1 (415) 555-2671 x 5", "US")
	f.Fuzz(func(t *testing.T, text, country string) {
		p := enrich.ParsePhone(text, country)
		if p.Valid && (p.Problem != "" || enrich.ParsePhone(p.E164, "").E164 != p.E164) {
			t.Fatalf("%+v", p)
		}
	})
}

func BenchmarkParsePhone(b *testing.B) {
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			enrich.ParsePhone("(415) 555-2671", "US")
		}
	})
	b.Run("new", func(b *testing.B) {
		n := 1000000
		for b.Loop() {
			enrich.ParsePhone(fmt.Sprintf("(415) %d-%04d", 200+n%700, n%10000), "US")
			n += 7
		}
	})
}

func ExampleParsePhone() {
	p := enrich.ParsePhone("(415) 555-2671 ext. 42", "US")
	fmt.Println(p.E164, p.Country, p.Extension, p.Valid)
	fmt.Println(enrich.ParsePhone("12345", "DE").Valid)
	// Output:
	// +14155552671 US 42 true
	// false
}

func ExampleParseEmail() {
	e := enrich.ParseEmail("Ann Lee <Ann.Lee+shop@GoogleMail.com>")
	fmt.Println(e.Address, e.Mailbox, e.Valid, e.Free)
	fmt.Println(enrich.ParseEmail("ann@example").Problem)
	// Output:
	// ann.lee+shop@googlemail.com annlee@gmail.com true true
	// the domain has no dot
}
