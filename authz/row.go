package authz

import (
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// BusinessUnit is a node of the tree of units. All but the root have a parent.
type BusinessUnit struct {
	ID       core.ID `gorm:"primaryKey"`
	Name     string
	ParentID *core.ID
}

// User is a person, or another identity that signs in. Users are never deleted, since history names them.
type User struct {
	ID       core.ID `gorm:"primaryKey"`
	Name     string
	Email    string // in lower case
	UnitID   core.ID
	Kind     string // Person or Service
	Disabled bool

	ManagerID  *core.ID
	PositionID *core.ID

	SecondFactor bool // sessions without it wait

	CreatedAt db.Time
	ChangedAt db.Time
}

// The kinds of users.
const (
	Person  = "person"
	Service = "service" // a program: it comes in with keys only
)

// account is a user with the column that leaves this package never.
type account struct {
	User
	PasswordHash *Hash // nil for a user who cannot sign in with a password
}

// Team owns records together. Its roles are those of its members too.
type Team struct {
	ID          core.ID `gorm:"primaryKey"`
	Name        string
	UnitID      core.ID
	UnitDefault bool // all users of the unit are its members; its id is that of the unit
}

// Member says that a user is in a team.
type Member struct {
	ID     core.ID `gorm:"primaryKey"`
	TeamID core.ID
	UserID core.ID
}

// Role is a named set of rights.
type Role struct {
	ID    core.ID `gorm:"primaryKey"`
	Name  string
	Doc   string
	Tests string // a JSON list of [RoleTest]

	SecondFactor bool // who holds the role signs in with a second factor

	DeniedClasses string // a JSON list of the data classes that who holds the role is denied
}

// Rule is a rule of casbin: p grants something to a role, g gives a role to a user, a team or another role.
type Rule struct {
	ID    core.ID `gorm:"primaryKey"` // a hash of the rest
	Ptype string
	V0    string // p, g: who, such as "role:sales" or "user:0190..."
	V1    string // p: table, or "*" for an action; g: the role
	V2    string // p: privilege or action; g: the unit that the role counts from, "*" for that of its holder; see placed
	V3    string // p: level
	V4    string // p: condition
	V5    string // p: hidden columns, a JSON list
}

// OfRoles reports whether the rule says what roles grant and include, and not who holds them.
func (r *Rule) OfRoles() bool { return strings.HasPrefix(r.V0, "role:") }

type session struct {
	Hash      string  `gorm:"primaryKey"` // of the token
	ID        core.ID // of the session; another one when it gets another token
	UserID    core.ID
	Method    string
	Address   string
	Agent     string
	Rights    string  // see RightsOf
	StrongAt  db.Time // when a second factor was proved
	CreatedAt db.Time
	SeenAt    db.Time
	IdleAt    db.Time // when it ends unless it is used
	EndsAt    db.Time // when it ends in any case
}

// Key is an API key, without the secret.
type Key struct {
	ID        core.ID `gorm:"primaryKey"`
	Prefix    string  // what its owner recognises it by
	Hash      string  `json:"-"`
	UserID    core.ID
	Name      string
	Scope     *core.Scope `gorm:"serializer:json"` // nil for all that the user may do
	CreatedAt db.Time
	ExpiresAt db.Time
	RevokedAt db.Time
	UsedAt    db.Time // at most an hour older than the last use
}

// TableName implements gorm's Tabler.
func (BusinessUnit) TableName() string { return "_unit" }

// TableName implements gorm's Tabler.
func (User) TableName() string { return "_user" }

// TableName implements gorm's Tabler.
func (account) TableName() string { return "_user" }

// TableName implements gorm's Tabler.
func (Team) TableName() string { return "_team" }

// TableName implements gorm's Tabler.
func (Member) TableName() string { return "_team_member" }

// TableName implements gorm's Tabler.
func (Role) TableName() string { return "_role" }

// TableName implements gorm's Tabler.
func (Rule) TableName() string { return "_policy" }

// TableName implements gorm's Tabler.
func (session) TableName() string { return "_session" }

// TableName implements gorm's Tabler.
func (Key) TableName() string { return "_api_key" }

// Tables returns the tables of this package as every reader with the privilege sees them: what proves an identity
// (password hashes, sessions, keys) is no part of them.
func Tables() []core.Table {
	id := core.Column{Name: "id", Kind: core.UUID, Required: true, System: true, Doc: "The primary key."}
	name := core.Column{Name: "name", Kind: core.Text, Required: true}
	lookup := func(name, target, inverse string) core.Column {
		return core.Column{Name: name, Kind: core.Lookup, Target: target, Inverse: inverse, Required: true}
	}
	optional := func(c core.Column) core.Column { c.Required = false; return c }
	table := func(name, label, doc string, columns ...core.Column) core.Table {
		return core.Table{Name: name, Label: label, Doc: doc, Ownership: core.OrgOwned, Builtin: true, Columns: append([]core.Column{id}, columns...)}
	}
	return []core.Table{
		table("_unit", "Business unit", "The tree of business units.",
			name, optional(lookup("parent_id", "_unit", "children"))),
		table("_user", "User", "The people and other identities that sign in.",
			name,
			core.Column{Name: "email", Kind: core.Text, Required: true},
			lookup("unit_id", "_unit", "users"),
			core.Column{Name: "kind", Kind: core.Text, Required: true, Doc: "person, or service for a program."},
			core.Column{Name: "disabled", Kind: core.Boolean, Required: true},
			core.Column{Name: "second_factor", Kind: core.Boolean, Required: true, Doc: "Whether the user signs in with a second factor."},
			optional(lookup("manager_id", "_user", "reports")),
			optional(lookup("position_id", "_position", "users")),
			core.Column{Name: "created_at", Kind: core.Timestamp, Required: true},
			core.Column{Name: "changed_at", Kind: core.Timestamp, Required: true}),
		table("_team", "Team", "Groups of users that own records and hold roles together.",
			name, lookup("unit_id", "_unit", "teams"),
			core.Column{Name: "unit_default", Kind: core.Boolean, Required: true, Doc: "Whether it is the team of all users of its unit, who are its members without saying so."}),
		table("_team_member", "Team member", "Who is in which team.",
			lookup("team_id", "_team", "members"), lookup("user_id", "_user", "memberships")),
		table("_role", "Role", "Named sets of rights.",
			name, core.Column{Name: "doc", Kind: core.LongText},
			core.Column{Name: "second_factor", Kind: core.Boolean, Required: true, Doc: "Whether who holds the role must sign in with a second factor."}),
		table("_position", "Position", "The trees of positions, for a hierarchy that goes by them.",
			name, optional(lookup("parent_id", "_position", "children"))),
		table("_hierarchy", "Hierarchy", "Which hierarchy of users counts: one record.",
			core.Column{Name: "mode", Kind: core.Text, Required: true, Doc: "off, manager or position."},
			core.Column{Name: "depth", Kind: core.Integer, Required: true, Doc: "How many steps down it reaches."}),
		table("_query_limit", "Query limit", "How much one request may ask for: of who holds the role, or of everybody.",
			core.Column{Name: "role_id", Kind: core.Lookup, Target: "_role", Inverse: "limits"}, name,
			core.Column{Name: "value", Kind: core.Integer, Required: true}),
	}
}
