package authz

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// Grant gives a role a privilege on a table, or an action privilege. Grants add up: nothing takes a right away.
type Grant struct {
	Role      string    `json:"role"`
	Action    string    `json:"action,omitempty"` // an action privilege; then the rest is empty
	Table     string    `json:"table,omitempty"`
	Privilege Privilege `json:"privilege,omitempty"`
	Level     Level     `json:"level,omitempty"`
	Condition string    `json:"condition,omitempty"` // the rows must also meet it; none when empty
	Hidden    []string  `json:"hidden,omitempty"`    // columns that the grant leaves out
}

// String says what the grant is, for messages.
func (g Grant) String() string {
	if g.Action != "" {
		return fmt.Sprintf("role %q, action %s", g.Role, g.Action)
	}
	return fmt.Sprintf("role %q, %s %s", g.Role, g.Privilege, g.Table)
}

// anyTable is what a rule of casbin has for a table when it grants an action; no table is called so.
const anyTable = "*"

// everywhere is the domain of a role that counts from the unit of its holder.
const everywhere = "*"

// apartDomain ends the domain of a role that a team holds for its own records only.
const apartDomain = "/team"

// placed returns the domain in which casbin keeps where a role counts from.
func placed(unit core.ID, apart bool) string {
	domain := everywhere
	if unit != "" {
		domain = string(unit)
	}
	if apart {
		domain += apartDomain
	}
	return domain
}

// placeOf is the reverse of placed.
func placeOf(domain string) (unit core.ID, apart bool) {
	domain, apart = strings.CutSuffix(domain, apartDomain)
	if domain == everywhere {
		return "", apart
	}
	return core.ID(domain), apart
}

func ofRole(name string) string     { return "role:" + name }
func ofUser(id core.ID) string      { return "user:" + string(id) }
func ofTeam(id core.ID) string      { return "team:" + string(id) }
func tidy(hidden []string) []string { return slices.Compact(slices.Sorted(slices.Values(hidden))) }

// rule returns g as casbin keeps it, without the ptype.
func (g Grant) rule() []string {
	if g.Action != "" {
		return []string{ofRole(g.Role), anyTable, g.Action, Organization.String(), "", "[]"}
	}
	hidden, err := json.Marshal(append([]string{}, tidy(g.Hidden)...))
	if err != nil {
		panic(err) // strings have a JSON form
	}
	return []string{ofRole(g.Role), g.Table, string(g.Privilege), g.Level.String(), g.Condition, string(hidden)}
}

// grantOf is the reverse of [Grant.rule].
func grantOf(r []string) (Grant, error) {
	const op = "authz.grantOf"
	if len(r) != 6 || !strings.HasPrefix(r[0], "role:") {
		return Grant{}, core.E(op, core.Invalid, fmt.Sprintf("the policy has a grant %q that this version cannot read", r))
	}
	g := Grant{Role: strings.TrimPrefix(r[0], "role:")}
	if r[1] == anyTable {
		g.Action = r[2]
		return g, nil
	}
	g.Table, g.Privilege, g.Condition = r[1], Privilege(r[2]), r[4]
	var err error
	if g.Level, err = ParseLevel(r[3]); err != nil {
		return g, core.E(op, core.At{Table: g.Table}, err)
	}
	if r[5] == "[]" {
		return g, nil
	}
	if err := json.Unmarshal([]byte(r[5]), &g.Hidden); err != nil {
		return g, core.E(op, core.Invalid, core.At{Table: g.Table}, "the hidden columns of the grant are no JSON list", err)
	}
	return g, nil
}

// newRule returns the row of a rule.
func newRule(ptype string, v []string) Rule {
	r := Rule{ID: core.HashID(append([]string{ptype}, v...)...), Ptype: ptype}
	for i, to := range r.fields() {
		if i < len(v) {
			*to = v[i]
		}
	}
	return r
}

func (r *Rule) fields() []*string { return []*string{&r.V0, &r.V1, &r.V2, &r.V3, &r.V4, &r.V5} }

// values returns the rule as casbin wants it.
func (r *Rule) values() []string {
	if r.Ptype == "g" {
		return []string{r.V0, r.V1, r.V2}
	}
	return []string{r.V0, r.V1, r.V2, r.V3, r.V4, r.V5}
}
