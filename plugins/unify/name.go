package unify

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed data/nicknames.txt
var nicknameText string

// nicknames knows, per name, the numbers of the formal names it may stand for; a formal name stands for itself.
var nicknames = sync.OnceValue(func() map[string][]uint16 {
	formal := map[string][]uint16{}
	n := uint16(0)
	for line := range strings.Lines(nicknameText) {
		for _, name := range strings.Fields(line) {
			formal[name] = append(formal[name], n)
		}
		n++
	}
	return formal
})

// sameFormal tells whether two sorted lists of formal names meet: Liz and Beth may both be Elizabeth.
func sameFormal(a, b []uint16) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			return true
		case a[0] < b[0]:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}
