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
	case c.Scope == nil, c.Scope.Holds(t.SQL()) && (priv == Read || c.Scope.Writes()):
		return nil
	case !c.Scope.Holds(t.SQL()):
		return errNoTable(t.Name, priv)
	}
	return core.E("authz.Decide", core.Denied, core.At{Table: t.Name}, "the key is for reading only: use another one")
}

// MayCall returns nil when the caller may call the action.
func (p *Policy) MayCall(c core.Caller, a *core.Action) error {
	if err := p.May(c, a.Privilege); err != nil {
		return err
	}
	if a.Personal && !c.IsSystem() && (c.Login == nil || c.Scope != nil || c.Behalf != "") {
		return core.E("authz.MayCall", core.Denied, fmt.Sprintf("the action %s is for people who signed in, for themselves", a.Name))
	}
	return nil
}

// withinScope refuses a right that the scope of the caller leaves out.
func withinScope(c core.Caller, right string) error {
	if c.Scope.Acts(right) {
		return nil
	}
	return core.E("authz.May", core.Denied, fmt.Sprintf("the key is not made to %s: use another one", strings.ReplaceAll(right, "_", " ")))
}
