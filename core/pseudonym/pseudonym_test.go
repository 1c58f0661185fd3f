package pseudonym

import (
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

var key = KeyOf([KeySize]byte{1, 2, 3})

// TestPermute shows that each tweak has a permutation of its own: no two numbers below n become the same.
func TestPermute(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.Int64Range(1, 700).Draw(r, "n")
		tweak := rapid.Uint64().Draw(r, "tweak")
		seen := make([]bool, n)
		for x := range n {
			out := key.permute(tweak, big.NewInt(x), big.NewInt(n)).Int64()
			if out < 0 || out >= n || seen[out] {
				t.Fatalf("%d of %d becomes %d, seen or out of range", x, n, out)
			}
			seen[out] = true
		}
	})
}

// TestText compares the shapes of texts with those of their pseudonyms.
func TestText(t *testing.T) {
	shape := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= '0' && r <= '9':
				return '0'
			case unicode.IsUpper(r):
				return 'A'
			case unicode.IsLetter(r):
				return 'a'
			}
			return r
		}, s)
	}
	same := 0
	rapid.Check(t, func(r *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("abcXYZ0189 -.@äÖßéЖж中日ﬁ'ıİ")), 0, 120, -1).Draw(r, "text")
		out := key.Text(s)
		if shape(out) != shape(s) || out != key.Text(s) {
			t.Fatalf("%q becomes %q", s, out)
		}
		if low := strings.ToLower(s); key.Text(low) != strings.ToLower(out) && !strings.ContainsAny(s, "İ") {
			t.Fatalf("%q becomes %q, and in small letters %q", s, out, key.Text(low))
		}
		if out == s && len(s) > 10 && shape(s) != s {
			same++
		}
	})
	if same > 3 {
		t.Errorf("%d texts stayed as they were", same)
	}
}

// TestTextIsUnique shows that texts of one shape never meet: codes of three signs, each once.
func TestTextIsUnique(t *testing.T) {
	seen := map[string]string{}
	for a := 'a'; a <= 'z'; a++ {
		for n := range 100 {
			s := string(a) + big.NewInt(int64(100+n)).String()
			out := key.Text(s)
			if other, ok := seen[out]; ok {
				t.Fatalf("%s and %s become %s", s, other, out)
			}
			seen[out] = s
		}
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{"ann@shop.de": ".example", "https://ann.de:80/x?y=1": ".example", "ann": "", "": ""} {
		out := key.Email(in)
		if strings.Contains(in, "://") {
			out = key.URL(in)
			if !strings.HasPrefix(out, "https://") || !strings.Contains(out, ".example:") {
				t.Errorf("%s becomes %s", in, out)
			}
		} else if !strings.HasSuffix(out, want) || len(out) != len(in)+len(want) {
			t.Errorf("%s becomes %s", in, out)
		}
	}
}

// TestNumber keeps sign, digits and limits, and every number its own pseudonym.
func TestNumber(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := decimal.New(rapid.Int64().Draw(r, "unscaled"), -int32(rapid.IntRange(0, 6).Draw(r, "scale")))
		out := key.Number(d, nil, nil)
		if len(out.Coefficient().String()) != len(d.Coefficient().String()) || out.Exponent() != d.Exponent() || out.Sign()*d.Sign() < 0 {
			t.Fatalf("%s becomes %s", d, out)
		}
	})
	low, high := decimal.New(-150, -1), decimal.New(3333, -2)
	seen := map[string]bool{}
	for n := int64(-150); n <= 333; n++ {
		d := decimal.New(n, -1)
		out := key.Number(d, &low, &high)
		if out.LessThan(low) || out.GreaterThan(high) || seen[out.String()] {
			t.Fatalf("%s becomes %s, which is seen or beyond the limits", d, out)
		}
		seen[out.String()] = true
	}
}

// TestTimes keeps the year, the grain and what is unique.
func TestTimes(t *testing.T) {
	for _, year := range []int{1900, 2023, 2024} {
		var out []string
		for at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == year; at = at.AddDate(0, 0, 1) {
			day, moment := key.Day(at), key.Moment(at)
			if day.Year() != year || moment.Year() != year || moment.Hour() != 0 {
				t.Fatalf("%s becomes %s and %s", at, day, moment)
			}
			out = append(out, day.Format(time.DateOnly))
		}
		n := len(out)
		slices.Sort(out)
		if len(slices.Compact(out)) != n {
			t.Errorf("two days of %d become the same", year)
		}
	}
	at := time.Date(2024, 12, 31, 23, 59, 59, 999999000, time.UTC)
	if out := key.Moment(at); out.Year() != 2024 || out.Equal(at) {
		t.Errorf("%s becomes %s", at, out)
	}
	if out := key.Moment(at.Truncate(time.Second)); out.Nanosecond() != 0 {
		t.Errorf("a whole second becomes %s", out)
	}
}

func BenchmarkText(b *testing.B) {
	for b.Loop() {
		key.Text("Annabella Featherstonehaugh, 17 Long Lane")
	}
}
