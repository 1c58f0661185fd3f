package formula_test

import (
	"regexp"
	"testing"

	"github.com/tidwall/gjson"

	"colonnade/core/formula"
)

func TestSimilar(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a%", "abc", true}, {"a%", "bac", false}, {"a_c", "abc", true}, {"a_c", "ac", false}, {"(b|c)%", "cd", true}, {"b|cd", "cd", true}, {"a.c", "abc", false}, {"a.c", "a.c", true},
		{"^a$", "a", false}, {"^a$", "^a$", true}, {`a\%`, "a%", true}, {`a\%`, "ab", false}, {"[a-c]+", "abc", true}, {"[^a]", "b", true}, {"[[]", "[", true}, {"a{2}", "aa", true}, {"a%", "a\nb", true}, {`\ä_`, "äö", true},
	} {
		s, err := formula.Similar(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := regexp.MustCompile(s).MatchString(c.text); got != c.want {
			t.Errorf("%q similar to %q is %v, by %s", c.text, c.pattern, got, s)
		}
	}
	if _, err := formula.Similar(`a\`); err == nil {
		t.Error("a pattern that ends in a backslash is taken")
	}
}

func TestJSONContains(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a": 1, "b": {"c": [1, 2]}}`, `{"b": {"c": [2]}}`, true}, {`{"a": 1}`, `{"a": 1.0}`, true}, {`{"a": "1"}`, `{"a": 1}`, false}, {`[1, 2, [3, 4]]`, `[[4]]`, true}, {`[1, 2]`, `2`, true}, {`[[1]]`, `1`, false},
		{`2`, `[2]`, false}, {`{"a": [{"b": 1, "c": 2}]}`, `{"a": [{"b": 1}]}`, true}, {`{"a": [1]}`, `{"a": 1}`, false}, {`{}`, `{}`, true}, {`[1]`, `{}`, false}, {`{"a": null}`, `{"a": null}`, true}, {`{"a": null}`, `{"a": false}`, false},
		{`true`, `true`, true}, {`[1, 1]`, `[1]`, true}, {`[1]`, `[1, 1]`, true}, {`"a"`, `"a"`, true}, {`1e2`, `100`, true},
	} {
		if got := formula.JSONContains(gjson.Parse(c.a), gjson.Parse(c.b)); got != c.want {
			t.Errorf("%s contains %s is %v", c.a, c.b, got)
		}
	}
}
