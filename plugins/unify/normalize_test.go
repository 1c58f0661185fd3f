package unify

import (
	"testing"

	"colonnade/core/normal"
)

func TestMatchForm(t *testing.T) {
	for _, c := range []struct {
		kind Type
		raw  string
		want string
	}{
		{Email, " Ann.Lee+news@Example.ORG ", "ann.lee@example.org"},
		{Email, "Ann <mailto:ann@x.org>", "ann@x.org"},
		{Email, "none", ""},
		{Email, "@x.org", ""},
		{Phone, "983.566.0706x9509", "+19835660706"},
		{Phone, "001-811-506-2553x442", "+18115062553"},
		{Phone, "+1-569-626-5660", "+15696265660"},
		{Phone, "(067)681-4908", "+10676814908"},
		{Phone, "1863746318", "+11863746318"},
		{Phone, "+49 (0)30 901820", "+4930901820"},
		{Phone, "fax 983-566-0706", "+19835660706"},
		{Phone, "-6854", ""},
		{GivenName, "Mr. José", "jose"},
		{GivenName, "Prof.", "prof"},
		{FamilyName, "O'Brien-Smith", "obrien smith"},
		{FamilyName, "Łódź", "lodz"},
		{FamilyName, "Straße", "strasse"},
		{FamilyName, "Ｗａｎｇ", "wang"},
		{FamilyName, "王", "王"},
		{FullName, "Moss, Abbie", "abbie moss"},
		{FullName, "Dr Abbie Moss", "abbie moss"},
		{Organisation, "The Contoso Company, Inc.", "contoso"},
		{Date, "5/8/1986", "19860508"},
		{Date, "25/8/1986", "19860825"},
		{Date, "8.25.86", "19860825"},
		{Date, "1986-05-08", "19860508"},
		{Date, "2017-03-19T00:00:00.000Z", "20170319"},
		{Date, "20170319T101500Z", "20170319"},
		{Date, "3/14/2017 12:00:00 AM", "20170314"},
		{Date, "19860508", "19860508"},
		{Date, "8 May 1986", "19860508"},
		{Date, "May 8th, 1986", "19860508"},
		{Date, "0850-01-01", "08500101"},
		{Date, "1861-84-07", "18618407"},
		{Date, "circa 1857", "1857"},
		{Date, "unknown", ""},
		{Address, "129 Miller Street, Suite 4", "129 miller st ste 4"},
		{Address, "Hauptstraße 5", "hauptstr 5"},
		{State, "California", "ca"},
		{Country, "U.S.A.", "us"},
		{Gender, "Female", "f"},
		{Postcode, "wc2h 9ra", "wc2h9ra"},
		{Identifier, "AB-12 34", "ab1234"},
		{Text, "  Software\tEngineer ", "software engineer"},
	} {
		got := kinds[c.kind].match(c.raw, reading{region: "US", order: MonthFirst})
		if got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.kind, c.raw, got, c.want)
		}
		if again := kinds[c.kind].match(got, reading{region: "US", order: MonthFirst}); got != "" && again != got {
			t.Errorf("%s %q: match form %q becomes %q", c.kind, c.raw, got, again)
		}
	}
	if got := matchDate("5/8/1986", DayFirst); got != "19860805" {
		t.Errorf("day first: %q", got)
	}
	if got := normal.Email("a+b@x.org", true); got != "a+b@x.org" {
		t.Errorf("kept tag: %q", got)
	}
	if got := normal.Phone("030 901820", "DE"); got != "+4930901820" {
		t.Errorf("German phone: %q", got)
	}
}

func TestShownForm(t *testing.T) {
	for _, c := range []struct {
		kind      Type
		raw, want string
	}{
		{Date, "5/8/1986", "1986-05-08"},
		{Date, "1861-84-07", "1861-84-07"},
		{Phone, "983.566.0706x9509", "+19835660706 x9509"},
		{Phone, "-6854", "-6854"},
		{Email, " Ann+News@X.org", "ann+news@x.org"},
		{FullName, " Moss,  Abbie ", "Moss, Abbie"},
	} {
		k := kinds[c.kind]
		if got := k.show(k.match(c.raw, reading{region: "US", order: MonthFirst}), c.raw); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.kind, c.raw, got, c.want)
		}
	}
}

// TestKinds checks the table itself: every row is complete and its levels agree with each other.
func TestKinds(t *testing.T) {
	for name, k := range kinds {
		sum := 0.0
		for _, p := range k.prior {
			sum += p
		}
		switch {
		case k.match == nil || k.show == nil || k.compare == nil:
			t.Errorf("%s: incomplete", name)
		case len(k.prior) != len(k.levels) || len(k.levels) >= maxLevels || sum < .999 || sum > 1.001:
			t.Errorf("%s: %d levels, %d guesses adding up to %v", name, len(k.levels), len(k.prior), sum)
		case k.fuzzy < equal || k.fuzzy >= k.different():
			t.Errorf("%s: fuzzy %d", name, k.fuzzy)
		}
	}
}
