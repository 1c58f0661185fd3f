package postgres

import (
	"strconv"

	"colonnade/core/db"
)

// CreateCounter implements db.Dialect. A gapless counter is a row, any other a sequence of PostgreSQL.
func (Dialect) CreateCounter(b *db.Builder, c db.Counter) {
	if c.Gapless {
		db.CreateCounterRow(b, c)
		return
	}
	b.Write("CREATE SEQUENCE IF NOT EXISTS ").Name(c.Name).
		Write(" START ", strconv.FormatInt(c.Start, 10), " INCREMENT ", strconv.FormatInt(c.Step, 10))
}

// Draw implements db.Dialect.
func (Dialect) Draw(b *db.Builder, c db.Counter, n int) {
	if c.Gapless {
		db.DrawFromRow(b, c, n)
		return
	}
	b.Write("SELECT nextval(").Literal(`"` + c.Name + `"`).Write("::regclass) FROM generate_series(1, ").Arg(int64(n)).Write(")")
}

// Advance implements db.Dialect. Who draws from a sequence holds a lock on it that the first statement waits for and keeps
// others from taking, so that the second does not set it back.
func (d Dialect) Advance(c db.Counter, past int64) []*db.Builder {
	b := db.New(d)
	if c.Gapless {
		db.AdvanceRow(b, c, past)
		return []*db.Builder{b}
	}
	lock := db.New(d).Write("ALTER SEQUENCE ").Name(c.Name).Write(" INCREMENT ", strconv.FormatInt(c.Step, 10))
	b.Write("SELECT setval(").Literal(`"` + c.Name + `"`).Write("::regclass, ").Arg(past).Write("::bigint) FROM ").Name(c.Name).
		Write(" WHERE last_value < ").Arg(past).Write(" OR last_value = ").Arg(past).Write(" AND NOT is_called")
	return []*db.Builder{lock, b}
}
