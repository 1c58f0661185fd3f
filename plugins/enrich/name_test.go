package enrich_test

import (
	"fmt"
	"strings"
	"testing"

	"colonnade/plugins/enrich"

	"pgregory.net/rapid"
)

func TestParseName(t *testing.T) {
	tests := map[string]enrich.Name{
		"":                               {},
		"Madonna":                        {Given: "Madonna"},
		"Mr. Smith":                      {Title: "Mr", Family: "Smith"},
		"John Smith":                     {Given: "John", Family: "Smith"},
		"John E. Smith":                  {Given: "John", Middle: "E.", Family: "Smith"},
		"J. R. R. Tolkien":               {Given: "J.", Middle: "R. R.", Family: "Tolkien"},
		"Dr. Martin Luther King, Jr.":    {Title: "Dr", Given: "Martin", Middle: "Luther", Family: "King", Suffix: "Jr"},
		"King, Martin Luther, Jr.":       {Given: "Martin", Middle: "Luther", Family: "King", Suffix: "Jr"},
		"Jane Doe PhD, MBA":              {Given: "Jane", Family: "Doe", Suffix: "PhD, MBA"},
		"Ludwig van Beethoven":           {Given: "Ludwig", Particle: "van", Family: "van Beethoven"},
		"Beethoven, Ludwig van":          {Given: "Ludwig", Particle: "van", Family: "van Beethoven"},
		"van der Berg, Jan":              {Given: "Jan", Particle: "van der", Family: "van der Berg"},
		"Herr Prof. Dr. Karl von Frisch": {Title: "Herr Prof Dr", Given: "Karl", Particle: "von", Family: "von Frisch"},
		"Herr von Berg":                  {Title: "Herr", Particle: "von", Family: "von Berg"},
		"García Márquez, Gabriel":        {Given: "Gabriel", Family: "García Márquez"},
		"Robert (Bob) O'NEIL":            {Given: "Robert", Nickname: "Bob", Family: "O'NEIL"},
		"ROBERT \"BOB\" O'NEIL":          {Given: "Robert", Nickname: "Bob", Family: "O'Neil"},
		"mary-jane mcdonald":             {Given: "Mary-Jane", Family: "McDonald"},
		"JAN VAN DER BERG":               {Given: "Jan", Particle: "van der", Family: "van der Berg"},
		"Yo-Yo Ma":                       {Given: "Yo-Yo", Family: "Ma"},
		"Smith, Dr. Anna":                {Title: "Dr", Given: "Anna", Family: "Smith"},
		"  Ann \t Lee ":                  {Given: "Ann", Family: "Lee"},
		"山田太郎":                           {Given: "山田太郎"},
		"Don Draper":                     {Title: "Don", Family: "Draper"}, // the price of Spanish titles
		"Henry Ford II":                  {Given: "Henry", Family: "Ford", Suffix: "II"},
		"Smith,":                         {Given: "Smith"},
		",":                              {},
	}
	for text, want := range tests {
		if got := enrich.ParseName(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

// Nothing is lost: each word of a plain name is in its display form, and reading that again gives the same parts.
func TestNameKeepsWords(t *testing.T) {
	word := rapid.StringMatching(`[A-Z][a-zé]{3,8}`)
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 2, 4).Draw(t, "words")
		if rapid.Bool().Draw(t, "particle") {
			words = append(words[:len(words)-1:len(words)-1], "van", words[len(words)-1])
		}
		text := strings.Join(words, " ")
		n := enrich.ParseName(text)
		if n.Title != "" || n.Suffix != "" {
			return // a word that happens to be one
		}
		if n.Display() != text {
			t.Fatalf("%q is displayed as %q", text, n.Display())
		}
		if again := enrich.ParseName(n.Sorted()); again != n {
			t.Fatalf("%q read again: %+v, at first %+v", n.Sorted(), again, n)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add("Dr. Jan (Joe) van der Berg, Jr., PhD")
	f.Add(", ,\"")
	f.Fuzz(func(t *testing.T, text string) {
		n := enrich.ParseName(text)
		if strings.TrimSpace(n.Display()) != n.Display() {
			t.Fatalf("display %q", n.Display())
		}
	})
}

func ExampleParseName() {
	n := enrich.ParseName("Dr. Ludwig van der Berg, Jr.")
	fmt.Printf("%q %q %q %q %q\n", n.Title, n.Given, n.Particle, n.Family, n.Suffix)
	fmt.Println(enrich.ParseName("BERG, ANNA MARIA").Display())
	// Output:
	// "Dr" "Ludwig" "van der" "van der Berg" "Jr"
	// Anna Maria Berg
}

func ExampleName_Sorted() {
	fmt.Println(enrich.ParseName("Ludwig van Beethoven").Sorted())
	// Output: van Beethoven, Ludwig
}
