package authz

import (
	"slices"

	"colonnade/core"
)

// Privilege is what is done to the records of a table.
type Privilege string

// The privileges.
const (
	Create   Privilege = "create"
	Read     Privilege = "read"
	Update   Privilege = "update"
	Delete   Privilege = "delete"
	Append   Privilege = "append"    // have a record look up others
	AppendTo Privilege = "append_to" // have others look up a record
	Assign   Privilege = "assign"    // give a record another owner or unit
	Share    Privilege = "share"     // let others at a record
)

// Privileges are all privileges, in the order of the role editor.
var Privileges = []Privilege{Create, Read, Update, Delete, Append, AppendTo, Assign, Share}

const privileges = 8

func (p Privilege) index() int { return slices.Index(Privileges, p) }

// Columns reports whether a grant of p can leave out columns. The others are about records as a whole.
func (p Privilege) Columns() bool { return p == Create || p == Read || p == Update }

// owned reports whether p is about whom records belong to, which those of an organization's table do not.
func (p Privilege) owned() bool { return p == Assign || p == Share }

// verb is p in a sentence about records.
func (p Privilege) verb() string {
	if p == AppendTo {
		return "append to"
	}
	return string(p)
}

// PrivilegesOn returns the privileges that there are on the table, in the order of [Privileges].
func PrivilegesOn(t *core.Table) []Privilege {
	if t.Builtin {
		return []Privilege{Read}
	}
	return slices.DeleteFunc(slices.Clone(Privileges), func(p Privilege) bool { return p.owned() && !t.Owned() })
}

// ActionPrivilege is a right that is about no table.
type ActionPrivilege struct{ Name, Doc string }

// Actions are the named action privileges.
var Actions = []ActionPrivilege{
	{"define_tables", "Create and change tables, columns, rules and formulas."},
	{"manage_access", "Create users, units, teams and roles, and hand out rights that one holds."},
	{"manage_flows", "Create and change flows."},
	{"run_flows", "Start flows."},
	{"any_operation", "Send operations that are not registered, where only registered ones run."},
	{"explain_queries", "See how queries are answered (the SQL, the plan of the database and what it estimates of all records), and which were slow, whoever sent them."},
	{"import_data", "Import files."},
	{"allow_duplicates", "Write records that a duplicate rule blocks."},
	{"manage_models", "Train models."},
	{"manage_plugins", "Enable plugins, give them secrets, and see what they may do."},
	{"use_plugins", "Call the actions of plugins of other people, by hand or in flows."},
	{"call_servers", "Send requests to other servers, by hand or in flows."},
	{"send_mails", "Send mails, by hand or in flows."},
	{"manage_credentials", "Keep what other servers know this one by, and say who may use it where."},
	{"manage_currencies", "Set the base currency and exchange rates, and compute base amounts anew."},
	{"purge_records", "Delete records for good that are in the recycle bin."},
	{"act_on_behalf", "Act on behalf of users who hold nothing that one could not hand out; both are recorded."},
	{"verify_history", "Read the audit, and compare the history with its seals."},
}
