// Package core is the vocabulary of Colonnade: kinds, columns, tables and schemas, the record, the caller, the action,
// the event and the error. Every other package speaks with these words.
//
// It never does I/O, never knows a database, and imports no other package of the project.
package core
