package core_test

import (
	"strings"
	"testing"

	"colonnade/core"
)

// TestLimits are the limits of a column's definition; a value is not changed by being written twice.
func TestLimits(t *testing.T) {
	email, url := core.Column{Kind: core.Text, Format: core.Email}, core.Column{Kind: core.Text, Format: core.URL}
	phone, german := core.Column{Kind: core.Text, Format: core.Phone}, core.Column{Kind: core.Text, Format: core.Phone, Region: "DE"}
	sku := core.Column{Kind: core.Text, Pattern: "[A-Z]{2}-[0-9]+|none", Message: "a number is like AB-12"}
	bare := core.Column{Kind: core.LongText, Pattern: "a(?s:.)*"}
	code := core.Column{Kind: core.Text, MinLength: 2, MaxLength: 3}
	small := core.Column{Kind: core.Integer, Min: number("-5"), Max: number("5.5")}
	price := core.Column{Kind: core.Decimal, Precision: 38, Scale: 38, Min: number("0")}
	wide := core.Column{Kind: core.Decimal, Precision: 38}
	ratio := core.Column{Kind: core.Float, Min: number("0.1"), Max: number("1e300")}
	for _, test := range []struct {
		c    core.Column
		in   any
		want string // the JSON, or "! " and a part of the message
	}{
		{email, " Ann.O'Neil+x@Example.COM ", `"ann.o'neil+x@example.com"`}, {email, "jörg@müller.example", `"jörg@müller.example"`},
		{email, "", "! is no e-mail address: write it like ann@example.com"}, {email, "ann", "! is no e-mail"}, {email, "ann@example", "! is no e-mail"},
		{email, "Ann <ann@example.com>", "! is no e-mail"}, {email, "a..b@example.com", "! two points"}, {email, ".a@example.com", "! two points"}, {email, "a@-x.com", "! is no e-mail"},
		{email, "a@b.com\nBcc: c@d.com", "! is no e-mail"}, {email, strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 100) + "com", "! is no e-mail"},

		{url, "HTTPS://Example.com/A?b=C#d", `"https://example.com/A?b=C#d"`}, {url, "http://[::1]:8080/", `"http://[::1]:8080/"`}, {url, "javascript:alert(1)", "! is no web address"},
		{url, "ftp://example.com", "! begins with http:// or https://"}, {url, "//example.com", "! begins with http"}, {url, "example.com", "! is no web address: write it like https://example.com/page"},
		{url, "https://exa mple.com", "! is no web"}, {url, "https://:80", "! is no web"}, {url, "https://example.com/" + strings.Repeat("a", 2048), "! is no web"},

		{phone, "+49 (30) 12 34-56", `"+4930123456"`}, {phone, "030 123456", "! write it with the country, like +49 30 123456"}, {german, "030 123456", `"+4930123456"`}, {german, "+1 415 555 2671", `"+14155552671"`},
		{phone, "+1", "! is no telephone number"}, {phone, "+1 415 555 2671 ext. 5", "! no extension"}, {phone, strings.Repeat("1", 101), "! too long"},

		{sku, "AB-12", `"AB-12"`}, {sku, "none", `"none"`}, {sku, "xAB-12", "! a number is like AB-12"}, {sku, "AB-12\n", "! a number is like AB-12"},
		{bare, "b", `! "b" does not match the pattern a(?s:.)*`}, {bare, "a" + strings.Repeat("é", 1<<20-1), `"a` + strings.Repeat("é", 1<<20-1) + `"`}, {bare, strings.Repeat("a", 1<<20+1), "! the text has 1048577 characters, the column takes 1048576"},
		{code, "ä", "! the text has 1 character, the column takes 2 at least"}, {code, "äöü", `"äöü"`}, {code, "äöüß", "! has 4 characters, the column takes 3"},

		{small, int64(5), "5"}, {small, "6", "! 6 is more than 5.5, the most that the column takes"}, {small, -6, "! -6 is less than -5, the least that the column takes"},
		{price, "0." + strings.Repeat("9", 38), "0." + strings.Repeat("9", 38)}, {price, "1", "! more than 0 digits before the point"}, {price, "-0." + strings.Repeat("0", 37) + "1", "! is less than 0"}, {price, "0." + strings.Repeat("0", 38) + "1", "! more than 38 digits after the point"},
		{wide, strings.Repeat("9", 38), strings.Repeat("9", 38)}, {wide, "-" + strings.Repeat("9", 38), "-" + strings.Repeat("9", 38)}, {wide, "1" + strings.Repeat("0", 38), "! more than 38 digits before the point"},
		{ratio, 0.1, "0.1"}, {ratio, 0.09, "! 0.09 is less than 0.1"}, {ratio, 1e301, "! 1e+301 is more than"},
	} {
		test.c.Name = "c"
		c := defined(t, test.c)
		v, err := c.Parse(test.in)
		if want, fails := strings.CutPrefix(test.want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v: got %v, %v; want the error %q", test.c, test.in, v, err, want)
			}
			continue
		}
		if got := string(c.AppendJSON(nil, v)); err != nil || got != test.want {
			t.Errorf("%v: got %s, %v; want %s", test.in, got, err, test.want)
		}
		if again, err := c.Parse(v); err != nil || string(c.AppendJSON(nil, again)) != test.want {
			t.Errorf("%v: once more: got %v, %v", test.in, again, err)
		}
		if _, err := c.Unlimited().Parse(test.in); err != nil {
			t.Errorf("%v: without limits: %v", test.in, err)
		}
	}
}

// TestUnlimited takes values to compare with that the column itself does not take, in the form of those that it does.
func TestUnlimited(t *testing.T) {
	phone := defined(t, core.Column{Name: "c", Kind: core.Text, Format: core.Phone, MaxLength: 20})
	for in, want := range map[string]string{"+49 30 123456": "+4930123456", "Ann": "Ann", "a text that is longer than the column": "a text that is longer than the column"} {
		if got, err := phone.Unlimited().Parse(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %q", in, got, err, want)
		}
	}
}

// defined returns the column as a schema has it.
func defined(t *testing.T, c core.Column) *core.Column {
	t.Helper()
	s, err := core.NewSchema(1, table("item", c))
	if err != nil {
		t.Fatal(err)
	}
	item, err := s.Table("item")
	if err != nil {
		t.Fatal(err)
	}
	out, _ := item.Column(c.Name)
	return out
}
