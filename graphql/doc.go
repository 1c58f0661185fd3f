// Package graphql turns a snapshot into a GraphQL API, and a request into queries and writes of package tables.
//
// The API is the Hasura v2 dialect, declared in the type system of graphql-go. A request is screened, then parsed and
// validated by gqlparser against the same types, then compiled: a field of a query becomes one [tables.Query], whose
// JSON goes around as it is; the fields of a mutation become one unit of work.
//
// It never decides a right, never writes SQL, and never gives a text from the network to anything that recurses before
// the screen has measured it.
package graphql
