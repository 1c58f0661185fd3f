// Package tables is the record engine and the one door to the data: it defines tables at run time, reads records and
// writes them, with authorization, business rules, history and events inside.
//
// A [Store] publishes immutable [Snapshot] values. A request takes one at its edge and passes it down. A [Query] becomes
// one SQL statement; a write is a [Tx], in which everything happens or nothing.
//
// It never speaks HTTP or GraphQL, it never knows a database by name, and it never trusts a layer above it to have
// checked a right.
package tables
