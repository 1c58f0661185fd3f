package core

import "time"

// Event says that a record changed. It is written in the transaction of the change, once per record and commit.
type Event struct {
	Seq     int64 // rises, but commits may appear out of order: read with the store, never with "seq > last"
	Table   string
	Op      Op
	ID      ID
	Version int64
	Before  Record // nil for create
	After   Record // nil for delete
	Actor   ID
	Cause   Cause
	At      time.Time
}
