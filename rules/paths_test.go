package rules

import (
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"a.b.c + a.b":                       "a.b a.b.c",
		"string(a['b'])":                    "a",
		"has(a.b) ? [c.d] : {'x': e}":       "a.b c.d e",
		"a.map(r, r.id)":                    "a.[].id",
		"a.map(r, r)":                       "a.[]",
		"a.map(r, r.x > 1, r.id)":           "a.[].id a.[].x",
		"a.filter(r, r.x > 1)":              "a a.[].x",
		"a.filter(r, r.x > 1).map(s, s.y)":  "a.[].x a.[].y",
		"a.exists(r, r.x == b.y)":           "a.[].x b.y",
		"a.b.map(r, r.c.map(s, s.d + r.e))": "a.b.[].c.[].d a.b.[].e",
		"a.map(r, 1) == [] && r.x":          "r.x",
		"a.size() > 1":                      "a",
		"f(a.b).c":                          "a.b",
		"'a.b' + c":                         "c",
		"a[0].b":                            "a",
	} {
		got, err := Paths(source)
		if err != nil {
			t.Fatal(source, err)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s names %v, want %s", source, got, want)
		}
	}
	for source, want := range map[string]string{"a.b": "a.b", "a.filter(r, r.x)": "a", "a.filter(r, r.x).filter(r, r.y)": "a", "a.map(r, r.x)": "", "[a]": "", "a[0]": "", "1 +": ""} {
		if got := ItemsOf(source); got != want {
			t.Errorf("the items of %s are those of %q, want %q", source, got, want)
		}
	}
}
