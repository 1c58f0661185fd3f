// Package codegen writes clients of the API in TypeScript and Go, from the types as somebody sees them: a type for each table, the
// inputs that its functions take, and the functions.
//
// It never asks a server: it is given the types as text, and returns text.
package codegen
