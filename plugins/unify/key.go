package unify

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core/normal"
)

// part is one key of a pass, resolved: a transform of one attribute, or of two in either order.
type part struct {
	text      string
	names     []string // one or two attributes
	transform func(v *value) uint64
}

// transforms make a key from a value. Each answers a hash, or 0 when the value has no such part.
var transforms = map[string]func(v *value) uint64{
	"":         func(v *value) uint64 { return hash(v.text) },
	"1":        prefix(1),
	"2":        prefix(2),
	"3":        prefix(3),
	"4":        prefix(4),
	"5":        prefix(5),
	"last4":    func(v *value) uint64 { return hash(v.text[max(len(v.text)-4, 0):]) },
	"last7":    func(v *value) uint64 { return hash(v.text[max(len(v.text)-7, 0):]) },
	"soundex":  func(v *value) uint64 { return hash(soundex(v.text)) },
	"local":    func(v *value) uint64 { local, _, _ := strings.Cut(v.text, "@"); return hash(local) },
	"area":     func(v *value) uint64 { return hash(postArea(v.text)) },
	"year":     func(v *value) uint64 { return hash(v.text[:min(len(v.text), 4)]) },
	"monthday": func(v *value) uint64 { return hash(v.text[min(len(v.text), 4):]) },
	"first":    func(v *value) uint64 { first, _, _ := strings.Cut(v.text, " "); return hash(first) },
	"longest":  func(v *value) uint64 { return hash(longestWord(v.text)) },
	"sounds":   eachWord(soundex),
	"initials": eachWord(func(w string) string { return w[:1] }),
	"digits":   func(v *value) uint64 { return hash(normal.Digits(v.text)) },
}

// prefix hashes the first n bytes of a value that has at least that many.
func prefix(n int) func(*value) uint64 {
	return func(v *value) uint64 {
		if len(v.text) < n {
			return 0
		}
		return hash(v.text[:n])
	}
}

// eachWord hashes a piece of every word, in any order.
func eachWord(piece func(string) string) func(*value) uint64 {
	return func(v *value) uint64 {
		words := strings.Fields(v.text)
		for i, w := range words {
			words[i] = piece(w)
		}
		slices.Sort(words)
		return hash(strings.Join(words, " "))
	}
}

func longestWord(s string) string {
	longest := ""
	for w := range strings.FieldsSeq(s) {
		if len(w) > len(longest) || len(w) == len(longest) && w < longest {
			longest = w
		}
	}
	return longest
}

// parsePart reads "attribute", "attribute:transform" or "one|other:transform".
func parsePart(j *Job, text string) (part, error) {
	names, name, _ := strings.Cut(text, ":")
	f, ok := transforms[name]
	if !ok {
		return part{}, fmt.Errorf("%q: no transform %q; known are %s", text, name, strings.Join(sortedKeys(transforms)[1:], ", "))
	}
	p := part{text: text, names: strings.Split(names, "|"), transform: f}
	if len(p.names) > 2 {
		return part{}, fmt.Errorf("%q: at most two attributes", text)
	}
	for _, n := range p.names {
		if i := j.attribute(n); i < 0 || j.Attributes[i].GoldenOnly {
			return part{}, fmt.Errorf("%q: no compared attribute %q", text, n)
		}
	}
	return p, nil
}

// keysOf answers the key of every record for one part, 0 where a value is missing. Each distinct value is hashed once.
func (d *dataset) keysOf(p part) []uint64 {
	keys := make([]uint64, d.len())
	for n, name := range p.names {
		f := d.plan.field(name)
		values := d.columns[d.plan.fields[f].attribute].values
		hashes := make([]uint64, len(values))
		for i := 1; i < len(values); i++ {
			hashes[i] = p.transform(&values[i])
		}
		for r := range keys {
			h := hashes[d.row(uint32(r))[f]]
			switch {
			case n == 0:
				keys[r] = h
			case keys[r] == 0 || h == 0:
				keys[r] = 0
			default:
				keys[r] = mix(min(keys[r], h), max(keys[r], h))
			}
		}
	}
	return keys
}

// combine makes one key of several parts; a record that lacks one of them has none.
func combine(keys, more []uint64) {
	for i := range keys {
		if keys[i] != 0 && more[i] != 0 {
			keys[i] = mix(keys[i], more[i])
		} else {
			keys[i] = 0
		}
	}
}

// hash is FNV-1a in 64 bits with a finaliser, stable over processes and versions because stop-keys are stored; 0 is kept
// for the empty text.
func hash(s string) uint64 {
	if s == "" {
		return 0
	}
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return max(scramble(h), 1)
}

func mix(a, b uint64) uint64 {
	return max(scramble(a*0x9e3779b97f4a7c15^b), 1)
}

// scramble is the finaliser of SplitMix64.
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
