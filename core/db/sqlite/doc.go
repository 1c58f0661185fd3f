// Package sqlite speaks SQLite, through the pure Go build of modernc.org/sqlite.
//
// It owns one writer connection, whose transactions are immediate and share their commits, and a pool of readers. The
// file is in WAL mode with synchronous=FULL: what was committed survives a power cut. Behind the writer a connection of its own
// copies the log into the file. One process holds the database
// at a time; a second one is refused.
//
// It never decides what a statement says beyond its spelling.
package sqlite
