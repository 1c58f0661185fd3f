package normal

import "testing"

// TestFormsAreFixed brings texts into their forms; a form in its form stays.
func TestFormsAreFixed(t *testing.T) {
	phone := func(s string) string { return Phone(s, "DE") }
	email := func(s string) string { return Email(s, false) }
	for _, c := range []struct {
		name      string
		form      func(string) string
		raw, want string
	}{
		{"words", Words, "  Crème-Brûlée,  O'Neill & Søn", "creme brulee oneill son"},
		{"words", Words, "…", ""},
		{"code", Code, "AB-12 34", "ab1234"},
		{"email", email, "Ann <mailto:Ann+news@Example.ORG>", "ann@example.org"},
		{"email", email, "nobody", ""},
		{"phone", phone, "030 901820", "+4930901820"},
		{"phone", phone, "+49 (0)30 901820 ext. 12", "+4930901820"},
		{"phone", phone, "123", ""},
		{"name", Name, "Dr. José Łukasz", "jose lukasz"},
		{"name", Name, "Prof.", "prof"},
		{"full name", FullName, "Moss, Abbie", "abbie moss"},
		{"organisation", Organisation, "The Contoso Company, Inc.", "contoso"},
		{"address", Address, "129 Miller Street, Suite 4", "129 miller st ste 4"},
		{"address", Address, "Hauptstraße 5", "hauptstr 5"},
	} {
		got := c.form(c.raw)
		if got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.name, c.raw, got, c.want)
		}
		if again := c.form(got); again != got {
			t.Errorf("%s %q: %q becomes %q", c.name, c.raw, got, again)
		}
	}
}
