package authz

import (
	"fmt"
	"strings"

	"colonnade/core"
)

// covers returns nil when the privilege on the table is within the scope of the caller. A table that is not reads like one
// that is not there.
func (t *tablePolicy) covers(c core.Caller, priv Privilege) error {
	switch {
	case c.Scope == nil, c.Scope.Holds(t.SQL()) && (priv == Read || c.Scope.Writes()) && c.Scope.Does(t.SQL(), string(priv)):
		return nil
	case c.Scope.Account:
		return errSetUp
	case !c.Scope.Holds(t.SQL()):
		return errNoTable(t.Name, priv)
	case !c.Scope.Does(t.SQL(), string(priv)):
		return core.E("authz.Decide", core.Denied, core.At{Table: t.Name}, fmt.Sprintf("the plugin has not asked to %s records of this table: name the privilege in its manifest", priv.verb()))
	}
	return core.E("authz.Decide", core.Denied, core.At{Table: t.Name}, "the key is for reading only: use another one")
}

// CheckWrites returns an error when c must write nothing at all: somebody else looks at what c sees.
func CheckWrites(c core.Caller) error {
	if !c.Simulated() {
		return nil
	}
	return core.E("authz.CheckWrites", core.Denied, fmt.Sprintf("the request simulates %s, so that it reads, and writes nothing and calls no action: make it as yourself", c.Name))
}

// MayCall returns nil when the caller may call the action.
func (p *Policy) MayCall(c core.Caller, a *core.Action) error {
	if err := p.May(c, a.Privilege); err != nil {
		return err
	}
	if err := CheckWrites(c); err != nil {
		return err
	}
	narrow := c.Scope != nil && !c.Scope.Account
	switch {
	case a.Personal && !c.IsSystem() && (c.Login == nil || narrow || c.Behalf != ""):
		return core.E("authz.MayCall", core.Denied, fmt.Sprintf("the action %s is for people who signed in, for themselves", a.Name))
	case !a.Personal && c.Scope != nil && c.Scope.Account:
		return errSetUp
	case a.StepUp && c.Login != nil && c.Login.Stale:
		return errStale("the action " + a.Name)
	}
	return nil
}

func errStale(what string) error {
	return core.E("authz.MayCall", core.Denied, fmt.Sprintf("for %s, prove your second factor again: send its code to /auth/second-factor, or use the page /account", what))
}

// CheckSecondFactor returns an error when c must not say of whom a second factor is asked: administrators do, who have proved
// theirs just now.
func (p *Policy) CheckSecondFactor(c core.Caller) error {
	if err := p.Administers(c); err != nil {
		return core.E("authz.CheckSecondFactor", core.Denied, "of whom a second factor is asked is for administrators to say")
	}
	if c.Login != nil && c.Login.Stale {
		return errStale("this")
	}
	return nil
}

// errSetUp is the answer to who must have a second factor, and has none yet.
var errSetUp = core.E("authz.MayCall", core.Denied, "your roles ask for a second factor: set it up with enroll_totp and confirm_totp, or on the page /account")

// StrongRoles returns the roles of c that ask for a second factor.
func (p *Policy) StrongRoles(c core.Caller) (names []string) {
	for _, name := range c.Roles {
		if p.strong[name] {
			names = append(names, name)
		}
	}
	return names
}

// FindUser returns the user of that e-mail address or id, nil when there is none.
func (p *Policy) FindUser(name string) *User {
	if u := p.users[core.ID(name)]; u != nil {
		return u
	}
	email := foldEmail(name)
	for _, u := range p.users {
		if u.Email == email {
			return u
		}
	}
	return nil
}

// withinScope refuses a right that the scope of the caller leaves out.
func withinScope(c core.Caller, right string) error {
	switch {
	case c.Scope.Acts(right):
		return nil
	case c.Scope.Account:
		return errSetUp
	}
	return core.E("authz.May", core.Denied, fmt.Sprintf("the key is not made to %s: use another one", strings.ReplaceAll(right, "_", " ")))
}
