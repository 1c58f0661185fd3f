package authz

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"colonnade/core"
)

// Privilege is what is done to the records of a table.
type Privilege string

// The privileges.
const (
	Create Privilege = "create"
	Read   Privilege = "read"
	Update Privilege = "update"
	Delete Privilege = "delete"
)

// Privileges are all privileges, in the order of the role editor.
var Privileges = []Privilege{Create, Read, Update, Delete}

const privileges = 4

func (p Privilege) index() int { return slices.Index(Privileges, p) }

// columns reports whether a grant of p can leave out columns.
func (p Privilege) columns() bool { return p == Create || p == Read || p == Update }

// ActionPrivilege is a right that is about no table.
type ActionPrivilege struct{ Name, Doc string }

// Actions are the named action privileges.
var Actions = []ActionPrivilege{
	{"define_tables", "Create and change tables, columns, rules and formulas."},
	{"manage_access", "Create users, units, teams and roles, and hand out rights that one holds."},
	{"manage_flows", "Create and change flows."},
	{"run_flows", "Start flows."},
	{"import_data", "Import files."},
	{"allow_duplicates", "Write records that a duplicate rule blocks."},
	{"manage_models", "Train models."},
	{"manage_currencies", "Set the base currency and exchange rates, and compute base amounts anew."},
	{"purge_records", "Delete records for good that are in the recycle bin."},
	{"verify_history", "Read the audit, and compare the history with its seals."},
}

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

// source returns the level as an expression over a user-owned table, "" for every row.
func (l Level) source() string {
	const own = "owner_id == caller.user || owner_id in caller.teams"
	switch l {
	case Own:
		return own
	case Unit:
		return own + " || unit_id == caller.unit"
	case UnitBelow:
		return own + " || unit_id in caller.below"
	}
	return ""
}

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

// everywhere is the domain of a role that is held in every unit.
const everywhere = "*"

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

// newRule returns the row of a rule. Each part counts with its length, so that no two rules have one id.
func newRule(ptype string, v []string) Rule {
	h := sha256.New()
	for _, s := range append([]string{ptype}, v...) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	id := uuid.UUID(h.Sum(nil)[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made by a rule of one's own
	r := Rule{ID: core.ID(id.String()), Ptype: ptype}
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
