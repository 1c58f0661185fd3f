package core

import (
	"fmt"
	"slices"
	"strings"
)

// Everyone is the principal of a share that counts for all who sign in.
const Everyone ID = "00000000-0000-7000-8000-000000000002"

// ShareRights is a set of the privileges that a share of a record can give: the i-th bit stands for the i-th of [Shareable].
type ShareRights int64

// Shareable are the privileges that a share can give.
var Shareable = []Op{Read, Update, Delete, Append, AppendTo, Assign, Share}

// ShareRight returns the set of one privilege, which is empty when it cannot be shared.
func ShareRight(op Op) ShareRights {
	i := slices.Index(Shareable, op)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// ParseShareRights returns the set of the privileges.
func ParseShareRights(names []string) (rights ShareRights, err error) {
	for _, name := range names {
		right := ShareRight(Op(name))
		if right == 0 {
			var have []string
			for _, op := range Shareable {
				have = append(have, string(op))
			}
			return 0, E("core.ParseShareRights", Invalid, At{Column: "rights"}, fmt.Sprintf("%q cannot be shared; there are: %s", name, strings.Join(have, ", ")))
		}
		rights |= right
	}
	return rights, nil
}

// Has reports whether the privilege is in the set.
func (s ShareRights) Has(op Op) bool { return s&ShareRight(op) != 0 }

// Each yields the privileges of the set.
func (s ShareRights) Each(yield func(Op) bool) {
	for _, op := range Shareable {
		if s.Has(op) && !yield(op) {
			return
		}
	}
}

// Names returns the privileges of the set.
func (s ShareRights) Names() (out []string) {
	for op := range s.Each {
		out = append(out, string(op))
	}
	return out
}
