// Package authz decides who may do what to which rows and columns, and who is who: users, business units, teams and
// roles, passwords, sessions and API keys.
//
// Casbin holds the rules and resolves the roles when a [Policy] is built; deciding is then a matter of map look-ups.
// How far a privilege reaches is an expression of package rules, so that one and the same object filters rows in SQL
// and checks a record in memory.
//
// It never reads or writes a record of a user's table, and it never publishes a policy: the package that owns the
// snapshot does.
package authz
