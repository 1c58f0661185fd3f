package core

import (
	"maps"
	"slices"
)

// Scope narrows what a caller may do to less than his roles give, as an API key does that is made for one thing, or a plugin that
// asked for some tables only.
type Scope struct {
	Account   bool `json:"-"` // his own account is open to him, and nothing else: he has to set up a second factor first
	Simulated bool `json:"-"` // somebody else looks at what he sees: nothing is written, and no action is called

	ReadOnly bool     `json:"read_only"` // records are read, and not written
	Tables   []string `json:"tables"`    // physical names of the only tables; every table when nil
	Actions  []string `json:"actions"`   // the only rights that are about no table; none when nil

	Privileges map[string][]string `json:"-"` // by the physical name of a table: what may be done to its records; everything when nil
	Classes    []string            `json:"-"` // data classes whose columns are hidden, as if a role denied them; sorted
}

// Holds reports whether the table with that physical name is within the scope.
func (s *Scope) Holds(table string) bool {
	return s == nil || s.Tables == nil || slices.Contains(s.Tables, table)
}

// Does reports whether the privilege on the table with that physical name is within the scope, as far as privileges are named.
func (s *Scope) Does(table, privilege string) bool {
	return s == nil || s.Privileges == nil || slices.Contains(s.Privileges[table], privilege)
}

// Writes reports whether records may be written.
func (s *Scope) Writes() bool { return s == nil || !s.ReadOnly }

// Acts reports whether the right, which is about no table, is within the scope.
func (s *Scope) Acts(name string) bool {
	return s == nil || s.Simulated || slices.Contains(s.Actions, name)
}

func (s *Scope) alike(o *Scope) bool {
	return s == o || s != nil && o != nil && s.ReadOnly == o.ReadOnly && s.Account == o.Account && s.Simulated == o.Simulated &&
		(s.Tables == nil) == (o.Tables == nil) && slices.Equal(s.Tables, o.Tables) && slices.Equal(s.Actions, o.Actions) &&
		(s.Privileges == nil) == (o.Privileges == nil) && maps.EqualFunc(s.Privileges, o.Privileges, slices.Equal[[]string]) && slices.Equal(s.Classes, o.Classes)
}
