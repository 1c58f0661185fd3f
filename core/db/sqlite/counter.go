package sqlite

import "colonnade/core/db"

// CreateCounter implements db.Dialect. There is one writer, so that a row serves both kinds of counters.
func (Dialect) CreateCounter(b *db.Builder, c db.Counter) { db.CreateCounterRow(b, c) }

// Draw implements db.Dialect.
func (Dialect) Draw(b *db.Builder, c db.Counter, n int) { db.DrawFromRow(b, c, n) }

// Advance implements db.Dialect.
func (d Dialect) Advance(c db.Counter, past int64) []*db.Builder {
	b := db.New(d)
	db.AdvanceRow(b, c, past)
	return []*db.Builder{b}
}
