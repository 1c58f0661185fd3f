package dbtest

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/formula"
)

// regexPieces are what random regular expressions are made of.
var regexPieces = []string{
	"a", "b", "c", "1", "_", " ", "ä", "ß", "日", "😀", ".", `\.`, `\d`, `\D`, `\w`, `\W`, `\s`, `\S`, `\b`, `\B`, `\pL`, `\PN`, `\n`, `\x41`, `\x{1F600}`, "^", "$", `\A`, `\z`,
	"[abc]", "[^a]", "[a-z0-9]", `[\w.]`, "[^日]", "[[:alpha:]]", "(?i:Aä)", "(?i:ſk)", "(?s:.)", "(?m:^)", "(?m:$)", `\Q.*\E`, "-", "'", `"`, "%", `\\`, "{", "#", "(?:)",
}

func randomRegex(r *rand.Rand, depth int) string {
	switch n := r.IntN(8); {
	case depth == 0 || n < 3:
		return regexPieces[r.IntN(len(regexPieces))]
	case n < 5:
		return randomRegex(r, depth-1) + randomRegex(r, depth-1)
	case n == 5:
		return "(" + randomRegex(r, depth-1) + "|" + randomRegex(r, depth-1) + ")"
	case n == 6:
		return "(?:" + randomRegex(r, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,3}", "{0,}", "*?", "+?"}[r.IntN(8)]
	}
	return "(?P<x>" + randomRegex(r, 0) + ")"
}

// testMatches compares the databases with package regexp.
func testMatches(t *testing.T, d *db.DB) {
	makeThing(t, d)
	r := rand.New(rand.NewPCG(7, 7))
	var texts []string
	for i, alphabet := 0, []rune("abcAB1_ .äÄßſK日😀\n-'\"%\\{#"); i < 40; i++ {
		var text []rune
		for range r.IntN(6) {
			text = append(text, alphabet[r.IntN(len(alphabet))])
		}
		texts = append(texts, string(text))
	}
	for i, text := range texts {
		insert(t, d, core.Record{"id": number(i + 1), "text": text})
	}
	n := 0
	for n < 300 {
		s := randomRegex(r, 4)
		if _, err := formula.ParseRegex(s); err != nil {
			continue
		}
		n++
		re := regexp.MustCompile(s)
		want := ids(t, d, func(b *db.Builder) {
			var list []any
			for i, text := range texts {
				if re.MatchString(text) {
					list = append(list, number(i+1))
				}
			}
			d.AnyOf(b, column("id"), field(b, "id"), list)
		})
		if got := ids(t, d, func(b *db.Builder) { d.Matches(b, field(b, "text"), s) }); got != want {
			t.Errorf("%q finds %s, and should find %s", s, got, want)
		}
	}
	exec(t, d, db.New(d.Dialect).Write("UPDATE ").Name("thing").Write(" SET text = NULL"))
	if got := ids(t, d, func(b *db.Builder) { d.Matches(b, field(b, "text"), ""); b.Write(" IS NOT NULL") }); got != "" {
		t.Errorf("nothing is found in NULL for %s", got)
	}
}

func randomJSON(r *rand.Rand, depth int) any {
	switch n := r.IntN(9); {
	case depth > 0 && n < 3:
		out := map[string]any{}
		for range r.IntN(3) {
			out[string("ab"[r.IntN(2)])] = randomJSON(r, depth-1)
		}
		return out
	case depth > 0 && n < 6:
		out := []any{}
		for range r.IntN(4) {
			out = append(out, randomJSON(r, depth-1))
		}
		return out
	}
	return []any{nil, true, false, "a", "b", "", 1, 1.5, json.Number("1.0"), json.Number("1e0"), json.Number("100000000000000000000")}[r.IntN(11)]
}

// testJSON compares the databases with package formula, and so with each other.
func testJSON(t *testing.T, d *db.DB) {
	makeThing(t, d)
	r := rand.New(rand.NewPCG(7, 8))
	random := func() string {
		v := randomJSON(r, 3)
		for v == nil { // which is stored as NULL
			v = randomJSON(r, 3)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var stored []gjson.Result
	for i := range 100 {
		raw := random()
		stored = append(stored, gjson.Parse(raw))
		insert(t, d, core.Record{"id": number(i + 1), "json": json.RawMessage(raw)})
	}
	check := func(what string, operator db.JSONOp, value string, keys []string, holds func(gjson.Result) bool) {
		t.Helper()
		var want []any
		for i, v := range stored {
			if holds(v) {
				want = append(want, number(i+1))
			}
		}
		given := json.RawMessage(value)
		if keys != nil {
			given = nil
		}
		got := ids(t, d, func(b *db.Builder) { d.JSON(b, operator, field(b, "json"), given, keys) })
		if all := ids(t, d, func(b *db.Builder) { d.AnyOf(b, column("id"), field(b, "id"), want) }); got != all {
			t.Errorf("%s %s%s: %s, and should be %s", what, value, strings.Join(keys, ", "), got, all)
		}
	}
	for range 100 {
		value := random()
		other := gjson.Parse(value)
		check("contains", db.JSONContains, value, nil, func(v gjson.Result) bool { return formula.JSONContains(v, other) })
		check("is contained in", db.JSONContainedIn, value, nil, func(v gjson.Result) bool { return formula.JSONContains(other, v) })
	}
	for _, keys := range [][]string{{}, {"a"}, {"a", "b"}, {""}, {"x"}} {
		check("has any of", db.JSONAnyKey, "", keys, func(v gjson.Result) bool {
			return slices.ContainsFunc(keys, func(key string) bool { return formula.JSONHasKey(v, key) })
		})
		check("has all of", db.JSONAllKeys, "", keys, func(v gjson.Result) bool {
			return !slices.ContainsFunc(keys, func(key string) bool { return !formula.JSONHasKey(v, key) })
		})
	}
}
