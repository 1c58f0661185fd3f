// Package web serves Colonnade over HTTP: the GraphQL endpoint, login, GraphiQL and the health checks. It decides who is
// calling and refuses what no honest client sends.
//
// It never decides what a caller may do, and it never reads or writes a record: the engine behind /graphql does.
package web
