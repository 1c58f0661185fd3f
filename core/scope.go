package core

import "slices"

// Scope narrows what a caller may do to less than his roles give, as an API key does that is made for one thing.
type Scope struct {
	Account   bool `json:"-"` // his own account is open to him, and nothing else: he has to set up a second factor first
	Simulated bool `json:"-"` // somebody else looks at what he sees: nothing is written, and no action is called

	ReadOnly bool     `json:"read_only"` // records are read, and not written
	Tables   []string `json:"tables"`    // physical names of the only tables; every table when nil
	Actions  []string `json:"actions"`   // the only rights that are about no table; none when nil
}

// Holds reports whether the table with that physical name is within the scope.
func (s *Scope) Holds(table string) bool {
	return s == nil || s.Tables == nil || slices.Contains(s.Tables, table)
}

// Writes reports whether records may be written.
func (s *Scope) Writes() bool { return s == nil || !s.ReadOnly }

// Acts reports whether the right, which is about no table, is within the scope.
func (s *Scope) Acts(name string) bool {
	return s == nil || s.Simulated || slices.Contains(s.Actions, name)
}

func (s *Scope) alike(o *Scope) bool {
	return s == o || s != nil && o != nil && s.ReadOnly == o.ReadOnly && s.Account == o.Account && s.Simulated == o.Simulated &&
		(s.Tables == nil) == (o.Tables == nil) && slices.Equal(s.Tables, o.Tables) && slices.Equal(s.Actions, o.Actions)
}
