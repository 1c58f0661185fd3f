package db

import (
	"database/sql/driver"
	"fmt"
	"time"

	"colonnade/core"
)

// Time is a moment in a system table: a text on SQLite, a timestamptz on PostgreSQL, kept to the microsecond.
type Time struct{ time.Time }

// Now returns the present moment.
func Now() Time { return Time{time.Now().UTC().Truncate(time.Microsecond)} }

// Value implements driver.Valuer; the zero time is NULL.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC().Format(core.TimeLayout), nil
}

// Scan implements sql.Scanner.
func (t *Time) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		t.Time = time.Time{}
	case time.Time:
		t.Time = v.UTC()
	case string:
		p, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return err
		}
		t.Time = p.UTC()
	default:
		return fmt.Errorf("db.Time: cannot scan %T", v)
	}
	return nil
}
