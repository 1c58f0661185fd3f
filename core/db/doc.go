// Package db owns connections, transactions, migrations and the spelling of SQL: a [Builder] writes statements in a
// [Dialect], a [DB] runs them, a [Tx] makes them one.
//
// It never knows what a table of the schema means, and it never lets a value become text: values are bound,
// names are quoted, and the dialects in its sub-packages are the only places that know a database by name.
//
// GORM carries the connections, the transactions and the fixed system tables. Rows of user tables pass through the
// Builder only.
package db
