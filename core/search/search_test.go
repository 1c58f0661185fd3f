package search_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"colonnade/core"
	"colonnade/core/search"
)

func words(text string) (out []string) {
	search.Words(text, func(w string) bool { out = append(out, w); return true })
	return out
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"Iced  Coffee, twice!":         "iced coffee twice",
		"CAFÉ Cafe\u0301 cafe":         "cafe cafe cafe",
		"Straße STRASSE":               "strasse strasse",
		"O'Neill’s don't 'quoted'":     "oneills dont quoted",
		"anna@example.com":             "anna example com",
		"3.14 ½ ①②":                    "3 14 1 2 12",
		"東京タワー 2024年":                  "東 京 タ ワ ー 2024 年",
		"дерево Ёлка":                  "дерево елка",
		"ﬁne ＡＢＣ":                      "fine abc",
		"हिन्दी":                       "हिन्दी",
		"שָׁלוֹם":                      "שלום",
		"한국어":                          "한국어",
		"a\u0300\u0301\u0302b":         "ab",
		strings.Repeat("x", 50) + " y": strings.Repeat("x", 40) + " y",
		"'; DROP TABLE x; -- \"*:&|!":  "drop table x",
	} {
		if got := strings.Join(words(text), " "); got != want {
			t.Errorf("%q has the words %q, want %q", text, got, want)
		}
	}
}

func TestWordsAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		for _, w := range words(text) {
			if w == "" || strings.ContainsAny(w, " '\"\\:*&|!<>()-+^{}\x00\t\n") {
				t.Fatalf("%q has the word %q", text, w)
			}
			if again := words(w); len(again) > 1 {
				t.Fatalf("the word %q of %q has the words %q", w, text, again)
			}
		}
	})
}

func TestParse(t *testing.T) {
	for text, want := range map[string]search.Query{
		"coffee":              {{Words: []string{"coffee"}}},
		" Iced coff* ":        {{Words: []string{"iced"}}, {Words: []string{"coff"}, Prefix: true}},
		`"iced coffee" -milk`: {{Words: []string{"iced", "coffee"}}, {Words: []string{"milk"}, Not: true}},
		`"iced cof"* x`:       {{Words: []string{"iced", "cof"}, Prefix: true}, {Words: []string{"x"}}},
		`"iced cof*" x`:       {{Words: []string{"iced", "cof"}, Prefix: true}, {Words: []string{"x"}}},
		`-"no end`:            {{Words: []string{"no", "end"}, Not: true}},
		"a@b.com a@b.com":     {{Words: []string{"a", "b", "com"}}},
		"!!! x * -":           {{Words: []string{"x"}}},
		`x"y"`:                {{Words: []string{"x"}}, {Words: []string{"y"}}},
	} {
		got, err := search.Parse(text)
		if err != nil || !slices.EqualFunc(got, want, func(a, b search.Clause) bool {
			return a.Not == b.Not && a.Prefix == b.Prefix && slices.Equal(a.Words, b.Words)
		}) {
			t.Errorf("%q is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]core.ErrKind{
		"": core.Invalid, "  ": core.Invalid, "* - \"\"": core.Invalid, strings.Repeat("x", 1001): core.Limit,
		"a b c d e f g h i j k l m n o p q": core.Limit, strings.Repeat("a.", 40): core.Limit,
	} {
		if _, err := search.Parse(text); core.KindOf(err) != want {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func TestIndexLimits(t *testing.T) {
	if got := search.Index(strings.Repeat("x ", 300), 1<<20); len(got) != 300 || got[254] != "x" || got[255] != "" {
		t.Errorf("of 300 occurrences, %d are kept", slices.Index(got, ""))
	}
	if got := search.Index(strings.Repeat("x y ", 20_000), 1<<20); len(got) != 16_000 {
		t.Errorf("%d positions", len(got))
	}
	if got := search.Index("alpha beta gamma", 50); len(got) != 2 {
		t.Errorf("%q fit into 50 bytes", got)
	}
}
