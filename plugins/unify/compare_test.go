package unify

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestJaroWinkler(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"martha", "marhta", .9611}, {"dixon", "dicksonx", .8133}, {"dwayne", "duane", .84}, {"", "a", 0}, {"abc", "xyz", 0}, {"ä", "ä", 1}, {"märtha", "märhta", .9611},
	} {
		if got := jaroWinkler(c.a, c.b); math.Abs(got-c.want) > .0001 {
			t.Errorf("%s %s: got %.4f, want %.4f", c.a, c.b, got, c.want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		most int
		want int
	}{
		{"abc", "abc", 2, 0}, {"abc", "acb", 2, 1}, {"abc", "ab", 2, 1}, {"abc", "xbc", 2, 1}, {"kitten", "sitting", 5, 3}, {"kitten", "sitting", 2, 3},
		{"ca", "abc", 5, 3}, {"", "abcd", 2, 3}, {"müller", "mueller", 3, 2},
	} {
		if got := edits(c.a, c.b, c.most); got != c.want {
			t.Errorf("%s %s: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSoundex(t *testing.T) {
	for name, want := range map[string]string{
		"robert": "r163", "rupert": "r163", "ashcraft": "a261", "tymczak": "t522", "pfister": "p236", "honeyman": "h555", "王": "",
	} {
		if got := soundex(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestMeasuresAreSymmetric(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abcdeéß ")), 0, 70, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		j := jaroWinkler(a, b)
		if j != jaroWinkler(b, a) || j < 0 || j > 1 || a == b && j != 1 {
			t.Fatalf("Jaro-Winkler %v and %v", j, jaroWinkler(b, a))
		}
		if d := edits(a, b, 3); d != edits(b, a, 3) || d < 0 || d > 4 || (d == 0) != (a == b) && len([]rune(a)) <= maxSymbols && len([]rune(b)) <= maxSymbols {
			t.Fatalf("edits %d and %d", d, edits(b, a, 3))
		}
	})
}

// TestComparersAreTotal compares any two texts by every type: a level of the type comes out, the same both ways.
func TestComparersAreTotal(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c0-9@ ./+-]{0,20}`), rapid.StringMatching(`[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}`))
	for name := range kinds {
		t.Run(string(name), func(t *testing.T) {
			job := Job{Name: "x", Attributes: []Attribute{{Name: "a", Type: name}}, Score: Score{Enabled: true}, Sources: []Source{{Table: "t", Map: map[string]string{"a": "a"}}}}
			p, err := newPlan(job)
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				rows := []Row{{Source: "t", ID: "1", Values: []string{text.Draw(t, "a")}}, {Source: "t", ID: "2", Values: []string{text.Draw(t, "b")}}}
				d, err := load(t.Context(), p, Rows(rows), 1)
				if err != nil {
					t.Fatal(err)
				}
				there, back := d.level(0, d.row(0)[0], d.row(1)[0]), d.level(0, d.row(1)[0], d.row(0)[0])
				if there != back || there > kinds[name].different() {
					t.Fatalf("levels %d and %d", there, back)
				}
				for _, key := range sortedKeys(transforms) { // no key may panic, whatever the type
					part, _ := parsePart(&job, "a:"+key)
					d.keysOf(part)
				}
			})
		})
	}
}

func TestNicknames(t *testing.T) {
	level := func(k Type, a, b string) level {
		x, y := newValue(kinds[k], kinds[k].match(a, reading{})), newValue(kinds[k], kinds[k].match(b, reading{}))
		return kinds[k].compare(&x, &y)
	}
	if l := level(GivenName, "Liz", "Elizabeth"); l != 2 {
		t.Errorf("Liz and Elizabeth: level %d", l)
	}
	if l := level(GivenName, "Liz", "Beth"); l != 2 {
		t.Errorf("Liz and Beth: level %d", l)
	}
	if l := level(FullName, "Smith, Bob", "Robert Smith"); l != 2 {
		t.Errorf("Smith, Bob and Robert Smith: level %d", l)
	}
	if l := level(GivenName, "Alice", "Robert"); l != kinds[GivenName].different() {
		t.Errorf("Alice and Robert: level %d", l)
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	set := contoso(t, "FullName", "EMail")
	p, err := newPlan(set.job)
	if err != nil {
		t.Fatal(err)
	}
	d, err := load(t.Context(), p, Rows(set.rows), 1)
	if err != nil {
		t.Fatal(err)
	}
	i := uint32(0)
	if n := testing.AllocsPerRun(5000, func() {
		var levels pattern
		d.compare(i, 5000+i*7%5000, &levels)
		d.settle(i, 5000+i*7%5000, &levels)
		i = (i + 1) % 5000
	}); n != 0 {
		t.Errorf("%v allocations per pair", n)
	}
}
