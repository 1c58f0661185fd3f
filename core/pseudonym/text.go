package pseudonym

import (
	"math/big"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// chunk is how many letters and digits are replaced together. What one becomes depends on all of its chunk and on those in front.
const chunk = 48

// Text returns a text of the same shape: each letter becomes a letter of the same script and case, each digit a digit, and all
// else stays. Texts that differ in case only get pseudonyms that do. A number at the beginning that is not 0 does not begin with 0
// afterwards.
func (k *Key) Text(s string) string {
	runes := []rune(norm.NFC.String(s))
	var places []int
	var radixes [][]rune
	for i, r := range runes {
		alphabet := alphabetOf(r)
		if len(places) == 0 && r >= '1' && r <= '9' {
			alphabet = digits[1:]
		}
		if len(alphabet) > 1 {
			places, radixes = append(places, i), append(radixes, alphabet)
		}
	}
	tweak := uint64(0)
	for from := 0; from < len(places); from += chunk {
		to := min(from+chunk, len(places))
		tweak = k.chunk(tweak, runes, places[from:to], radixes[from:to])
	}
	return string(runes)
}

// chunk replaces the runes in the places, and returns the tweak of what comes after them.
func (k *Key) chunk(tweak uint64, runes []rune, places []int, radixes [][]rune) uint64 {
	x, n, size := new(big.Int), big.NewInt(1), new(big.Int)
	var was strings.Builder
	for i, p := range places {
		was.WriteRune(runes[p])
		size.SetInt64(int64(len(radixes[i])))
		x.Mul(x, size).Add(x, big.NewInt(int64(indexOf(radixes[i], unicode.ToLower(runes[p])))))
		n.Mul(n, size)
	}
	x = k.permute(tweak, x, n)
	digit := new(big.Int)
	for i := len(places) - 1; i >= 0; i-- {
		size.SetInt64(int64(len(radixes[i])))
		x.QuoRem(x, size, digit)
		next := radixes[i][digit.Int64()]
		if unicode.IsUpper(runes[places[i]]) {
			next = unicode.ToUpper(next)
		}
		runes[places[i]] = next
	}
	return k.Pick(1<<63, "chunk", strings.ToLower(was.String()), strconv.FormatUint(tweak, 10))
}

var alphabets sync.Map // of runes beyond ASCII, to []rune
var digits = []rune("0123456789")

var latin = []rune("abcdefghijklmnopqrstuvwxyz")

// alphabetOf returns what r can become, in small letters; nothing when it stays. Letters beyond ASCII become others near them
// which have the same case, have a letter of the other case where they have one, and are no sequences in normal form.
func alphabetOf(r rune) []rune {
	low := unicode.ToLower(r)
	switch {
	case low >= 'a' && low <= 'z':
		return latin
	case r >= '0' && r <= '9':
		return digits
	case !unicode.IsLetter(r):
		return nil
	}
	if known, ok := alphabets.Load(r); ok {
		return known.([]rune)
	}
	out := neighbours(r, low)
	alphabets.Store(r, out)
	return out
}

// neighbours returns the alphabet of a letter beyond ASCII; low is the small one.
func neighbours(r, low rune) []rune {
	if !plain(low) || unicode.IsUpper(r) && unicode.ToUpper(low) != r {
		return nil
	}
	var out []rune
	cased := unicode.ToUpper(low) != low
	for c := low &^ 0x7f; c <= low|0x7f; c++ {
		if c > unicode.MaxASCII && plain(c) && unicode.ToLower(c) == c && unicode.ToLower(unicode.ToUpper(c)) == c && (unicode.ToUpper(c) != c) == cased && scriptOf(c) == scriptOf(low) {
			out = append(out, c)
		}
	}
	if indexOf(out, low) < 0 {
		return nil
	}
	return out
}

// plain reports whether the letter stays as it is when texts are normalized.
func plain(r rune) bool {
	return unicode.IsLetter(r) && norm.NFC.IsNormalString(string(r))
}

func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

func indexOf(alphabet []rune, r rune) int {
	for i, a := range alphabet {
		if a == r {
			return i
		}
	}
	return -1
}

// Unmailable is the domain below which those of addresses come: no mail gets there (RFC 2606).
const Unmailable = ".example"

// Email returns an address to which no mail can be sent. An address without @ is a text.
func (k *Key) Email(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return k.Text(s)
	}
	return k.Text(s) + Unmailable
}

// URL returns an address of a server that does not exist, with the scheme of s.
func (k *Key) URL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return k.Text(s)
	}
	rest = k.Text(rest)
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#:"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	return scheme + "://" + host + Unmailable + path
}
