package sqlite

import (
	"errors"
	"slices"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"colonnade/core"
	"colonnade/core/db"
)

// Classify implements db.Dialect.
func (Dialect) Classify(err error) error {
	const op = "sqlite"
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return core.E(op, err)
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return core.E(op, core.Exists, "a record with this key exists already", &db.Violation{Unique: true, Constraint: violatedIndex(e.Error()), Columns: violated(e.Error()), Err: err})
	case lib.SQLITE_CONSTRAINT_NOTNULL:
		return core.E(op, core.Invalid, "a value is required", &db.Violation{Columns: violated(e.Error()), Err: err})
	case lib.SQLITE_CONSTRAINT_CHECK:
		return core.E(op, core.Invalid, "the value breaks a constraint", &db.Violation{Constraint: failed(e.Error()), Err: err})
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return core.E(op, core.Invalid, "a record that this one refers to, or that refers to it, is in the way", &db.Violation{Err: err})
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_CONSTRAINT:
		return core.E(op, core.Invalid, "the value breaks a constraint", &db.Violation{Err: err})
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return core.E(op, core.Unavailable, "the database is busy: try again", err)
	case lib.SQLITE_FULL:
		return core.E(op, core.Full, "the disk is full: nothing was written; make room and try again", err)
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
		return core.E(op, core.Unavailable, "the database file cannot be read or written", err)
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		return core.E(op, core.Unavailable, "the database file is damaged: restore it from a backup", err)
	case lib.SQLITE_INTERRUPT:
		return core.E(op, core.Unavailable, "the request took too long and was stopped", err)
	case lib.SQLITE_TOOBIG:
		return core.E(op, core.Limit, "the value is too large", err)
	}
	if strings.Contains(e.Error(), "integer overflow") || strings.Contains(e.Error(), errFloatOverflow.Error()) {
		return core.E(op, core.Invalid, "a sum is too large for its kind", err)
	}
	if slices.ContainsFunc(tooComplex, func(text string) bool { return strings.Contains(e.Error(), text) }) {
		return core.E(op, core.Limit, "the request is too complex for the database", err)
	}
	return core.E(op, err)
}

// tooComplex is how SQLite says that a statement passes one of its limits: https://sqlite.org/limits.html. That of nested
// subqueries counts all tables of a statement with a recursive query in it.
var tooComplex = []string{"nested too deep", "Expression tree is too large", "parser stack overflow", "tables in a join", "too many SQL variables", "too many terms in", "too many columns in"}

// violated returns the columns that a message such as "UNIQUE constraint failed: t.a, t.b (2067)" names.
func violated(msg string) []string {
	var out []string
	if violatedIndex(msg) != "" {
		return nil
	}
	for name := range strings.SplitSeq(failed(msg), ", ") {
		if _, column, ok := strings.Cut(name, "."); ok {
			out = append(out, column)
		}
	}
	return out
}

// violatedIndex returns the name of an index over expressions, in "UNIQUE constraint failed: index 'un.t.a' (2067)"; of others
// SQLite tells the columns.
func violatedIndex(msg string) string {
	name, ok := strings.CutPrefix(failed(msg), "index '")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, "'")
}

// failed returns what the message names, "t.a, t.b" in the example.
func failed(msg string) string {
	const before = "constraint failed: "
	i := strings.LastIndex(msg, before) // the driver says it twice
	if i < 0 {
		return ""
	}
	name := msg[i+len(before):]
	if i := strings.LastIndex(name, " ("); i >= 0 {
		name = name[:i]
	}
	return name
}
