package core

import (
	"context"
	"slices"
)

// Caller is who asks. Every read and write names one; the zero Caller is anonymous and holds nothing.
//
// The lists are resolved once, when the caller signs in to a request, so that deciding a right needs no further query.
type Caller struct {
	User  ID     // the user, or the flow or plugin identity, that acts
	Name  string // for people, in messages and logs
	Unit  ID     // the business unit of User
	Below []ID   // Unit and every unit under it
	Teams []ID   // the teams of User

	Reports      []ID // who reports to User directly, as far as the hierarchy counts, and their teams
	ReportsBelow []ID // Reports, and those who report to these, with their teams, as far down as it reaches

	Roles    []string // every role held directly or through a team, inherited ones included
	Bases    []Basis  // where roles are held that do not count from Unit and Teams
	Profiles []string // column profiles held directly or through a team; those of roles come with Roles
	Behalf   ID       // the user who really sits at the keyboard, when somebody acts on behalf of User or looks at what that one sees
	Cause    Cause    // why the caller acts
	Scope    *Scope   // what is left of the rights, when that is less than the roles give; nil for all of them
	Login    *Login   // how the caller came in; nil for flows and the machinery
	system   bool
}

// Login says by what a caller came in.
type Login struct {
	Kind string // session, key, token
	ID   ID     // of the session or the key

	Strong bool // with a second factor
	Stale  bool // the user has a second factor, and has not proved it just now
}

// Basis is what some roles of a caller count from, in place of his own unit and teams.
type Basis struct {
	Roles  []string // of those of the caller; a role is in one basis at most
	Owners []ID     // whose records are his own
	Units  []ID
	Below  []ID // Units, and every unit under them
}

// Cause says what made a change happen, so that history can tell and loops can end.
type Cause struct {
	Kind  string // api, flow, import, setup
	ID    string // the flow run, the import batch
	Depth int    // how many flow runs led here; 0 for a person
}

// SystemID is the user id that history shows for changes made by Colonnade itself.
const SystemID ID = "00000000-0000-7000-8000-000000000000"

// RootUnit is the id of the business unit at the top of the tree; it always exists.
const RootUnit ID = "00000000-0000-7000-8000-000000000001"

// System returns the caller of the machinery itself, which passes every check. Code that acts for a person
// must never use it; the import test lists who may.
func System(kind string) Caller {
	return Caller{User: SystemID, Name: "system", Unit: RootUnit, Below: []ID{RootUnit}, Cause: Cause{Kind: kind}, system: true}
}

// IsSystem reports whether c was made by [System].
func (c Caller) IsSystem() bool { return c.system }

// Anonymous reports whether nobody signed in.
func (c Caller) Anonymous() bool { return c.User == "" }

// Simulated reports whether Behalf looks at what c sees.
func (c Caller) Simulated() bool { return c.Scope != nil && c.Scope.Simulated }

// HasRole reports whether c holds the role.
func (c Caller) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

// Alike reports whether no right and no condition on records can tell c from o. Who sits at the keyboard, why, and under
// what name may differ.
func (c Caller) Alike(o Caller) bool {
	return c.system == o.system && c.User == o.User && c.Unit == o.Unit && c.Scope.alike(o.Scope) &&
		same(c.Below, o.Below) && same(c.Teams, o.Teams) && same(c.Reports, o.Reports) && same(c.ReportsBelow, o.ReportsBelow) && same(c.Roles, o.Roles) && same(c.Profiles, o.Profiles) && slices.EqualFunc(c.Bases, o.Bases, Basis.alike)
}

func (s Basis) alike(o Basis) bool {
	return same(s.Roles, o.Roles) && same(s.Owners, o.Owners) && same(s.Units, o.Units) && same(s.Below, o.Below)
}

// same compares two lists, which are mostly one.
func same[T comparable](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of ctx; without one, the anonymous caller.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
