package postgres

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"colonnade/core"
	"colonnade/core/db"
)

// Classify implements db.Dialect.
func (Dialect) Classify(err error) error {
	const op = "postgres"
	var connect *pgconn.ConnectError // whatever the server said when it did not let us in
	if errors.As(err, &connect) {
		return core.E(op, core.Unavailable, "the database does not let us in: try again", err)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return classify(op, pg, err)
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) {
		return core.E(op, core.Unavailable, "the database does not answer: try again", err)
	}
	if pgconn.Timeout(err) || pgconn.SafeToRetry(err) {
		return core.E(op, core.Unavailable, "the database does not answer: try again", err)
	}
	return core.E(op, err)
}

// classify goes by SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html.
func classify(op string, pg *pgconn.PgError, err error) error {
	switch pg.Code {
	case "23505":
		return core.E(op, core.Exists, "a record with this key exists already", &db.Violation{Unique: true, Constraint: pg.ConstraintName, Values: keyValues(pg.Detail), Err: err})
	case "23502":
		return core.E(op, core.Invalid, "a value is required", &db.Violation{Columns: []string{pg.ColumnName}, Err: err})
	case "23503":
		return core.E(op, core.Invalid, "a record that this one refers to, or that refers to it, is in the way", &db.Violation{Constraint: pg.ConstraintName, Values: keyValues(pg.Detail), Err: err})
	case "22003":
		return core.E(op, core.Invalid, "a sum is too large for its kind", err) // values are checked before they come here
	case "42P07":
		return core.E(op, core.Exists, "the database has a table or index of this name that is not Colonnade's: choose another name", err)
	case "40001", "40P01":
		return core.E(op, core.Conflict, "another change came first: try again", fmt.Errorf("%w: %w", db.ErrClash, err))
	case "55P03":
		return core.E(op, core.Unavailable, "another change holds the table: try again", err)
	case "57014":
		return core.E(op, core.Unavailable, "the request took too long and was stopped", err)
	case "0A000", "26000":
		return core.E(op, core.Conflict, "the schema has changed: try again", err)
	}
	switch pg.Code[:2] {
	case "23":
		return core.E(op, core.Invalid, "the value breaks a constraint", &db.Violation{Constraint: pg.ConstraintName, Err: err})
	case "22":
		return core.E(op, core.Invalid, "a value is out of range or of the wrong form", err)
	case "53":
		if pg.Code == "53100" {
			return core.E(op, core.Full, "the disk of the database is full: nothing was written; make room and try again", err)
		}
		return core.E(op, core.Unavailable, "the database is overloaded: try again", err)
	case "08", "57", "58":
		return core.E(op, core.Unavailable, "the database does not answer: try again", err)
	case "54":
		if strings.HasPrefix(pg.Message, "index row ") {
			return core.E(op, core.Invalid, "a value is too long for an index of the table: shorten it, or drop the index", &db.Violation{Constraint: pg.ConstraintName, Err: err})
		}
		return core.E(op, core.Limit, "the request is too complex for the database", err)
	}
	return core.E(op, err)
}

// keyValues returns the values in a detail such as "Key (a, b)=(1, x) already exists."
func keyValues(detail string) string {
	_, rest, ok := strings.Cut(detail, ")=(")
	i := strings.LastIndex(rest, ") ")
	if !ok || i < 0 {
		return ""
	}
	return rest[:i]
}
