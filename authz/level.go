package authz

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// Level is how far a privilege reaches. Each level includes the ones below it.
type Level int

// The levels. Below Organization they need a table whose records belong to users.
const (
	None         Level = iota
	Own                // what the caller or a team of the caller owns
	Unit               // and what belongs to the business unit of the caller
	UnitBelow          // and to the units under it
	Organization       // everything
)

var levels = []string{"none", "own", "unit", "unit_and_below", "organization"}

// String returns the text form.
func (l Level) String() string {
	if l < None || l > Organization {
		return fmt.Sprintf("level %d", int(l))
	}
	return levels[l]
}

// ParseLevel is the reverse of [Level.String].
func ParseLevel(s string) (Level, error) {
	if i := slices.Index(levels, s); i >= 0 {
		return Level(i), nil
	}
	return None, core.E("authz.ParseLevel", core.Invalid, fmt.Sprintf("%q is no level; there are: %s", s, strings.Join(levels[1:], ", ")))
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLevel(string(b))
	return err
}
