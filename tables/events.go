package tables

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Cursor is a place in the stream of events. The zero Cursor is before the first.
type Cursor struct{ Tx, Seq int64 }

// Events returns at most limit events after the cursor in the order of their commits, with the record before and after,
// and the cursor behind them. An event is returned only when none can appear before it any more. The caller must be
// trusted: events are not filtered by rights here.
func (s *Store) Events(ctx context.Context, snap *Snapshot, after Cursor, limit int) ([]core.Event, Cursor, error) {
	const op = "tables.Events"
	b := db.New(s.db.Dialect)
	s.db.EventsAfter(b, after.Tx, after.Seq, limit)
	var out []core.Event
	var ids []rawEvent
	err := s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		var e rawEvent
		if err := scan(&e.cursor.Tx, &e.cursor.Seq, &e.table, &e.id, &e.version, &e.op, &e.actor, &e.cause, &e.causeID, &e.depth, &e.at, &e.before, &e.after); err != nil {
			return err
		}
		ids = append(ids, e)
		return nil
	})
	if err != nil {
		return nil, after, core.E(op, err)
	}
	for _, e := range ids {
		after = e.cursor
		t, ok := snap.Schema.Stored(e.table)
		if !ok {
			continue // the table is gone
		}
		event, err := e.event(t)
		if err != nil {
			return nil, after, core.E(op, err)
		}
		out = append(out, event)
	}
	return out, after, nil
}

type rawEvent struct {
	cursor        Cursor
	table, op     string
	id, actor     core.ID
	cause         string
	causeID       string
	version       int64
	depth         int64
	at            string
	before, after []byte
}

func (e rawEvent) event(t *core.Table) (core.Event, error) {
	out := core.Event{
		Seq: e.cursor.Seq, Table: t.Name, Op: core.Op(e.op), ID: e.id, Version: e.version, Actor: e.actor,
		Cause: core.Cause{Kind: e.cause, ID: e.causeID, Depth: int(e.depth)},
	}
	var err error
	if out.At, err = time.Parse(time.RFC3339Nano, strings.Replace(e.at, " ", "T", 1)); err != nil {
		return out, err
	}
	if out.Before, err = decodeStored(t, e.before); err != nil {
		return out, err
	}
	out.After, err = decodeStored(t, e.after)
	return out, err
}

// decodeStored reads a record of the history; nil when there is none.
func decodeStored(t *core.Table, raw []byte) (core.Record, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var stored map[string]any
	if err := d.Decode(&stored); err != nil {
		return nil, core.E("tables.decodeStored", core.At{Table: t.Name}, err)
	}
	out := t.FromStored(stored)
	return out, normalize(t, out)
}

// LastEvent returns the cursor behind every event that [Store.Events] would return, or after when there is none.
func (s *Store) LastEvent(ctx context.Context, after Cursor) (Cursor, error) {
	b := db.New(s.db.Dialect)
	s.db.LastEvent(b)
	err := s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error { return scan(&after.Tx, &after.Seq) })
	return after, core.E("tables.LastEvent", err)
}

// HeldEvents returns how many events are there that [Store.Events] does not return yet: a transaction that began before them
// still runs, perhaps in another database of the server.
func (s *Store) HeldEvents(ctx context.Context) (n int64, err error) {
	b := db.New(s.db.Dialect)
	s.db.HeldEvents(b)
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error { return scan(&n) })
	return n, core.E("tables.HeldEvents", err)
}

// ReadCursor returns where the named reader of events stands.
func (s *Store) ReadCursor(ctx context.Context, name string) (c Cursor, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT tx, seq FROM "_cursor" WHERE name = `).Arg(name)
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error { return scan(&c.Tx, &c.Seq) })
	return c, core.E("tables.ReadCursor", err)
}

// MoveCursor keeps where the named reader of events stands, in the unit of work that acts on the events. It fails with
// Conflict when the reader is not at from any more, because another process has moved it.
func (tx *Tx) MoveCursor(ctx context.Context, name string, from, to Cursor) error {
	const op = "tables.MoveCursor"
	insert := db.New(tx.db.Dialect).Write(`INSERT INTO "_cursor" (name, tx, seq) VALUES (`).Arg(name).Write(", 0, 0) ON CONFLICT (name) DO NOTHING")
	move := db.New(tx.db.Dialect).Write(`UPDATE "_cursor" SET tx = `).Arg(to.Tx).Write(", seq = ").Arg(to.Seq).
		Write(" WHERE name = ").Arg(name).Write(" AND tx = ").Arg(from.Tx).Write(" AND seq = ").Arg(from.Seq)
	if _, err := tx.db.Exec(ctx, insert); err != nil {
		return core.E(op, err)
	}
	n, err := tx.db.Exec(ctx, move)
	if err == nil && n == 0 {
		return core.E(op, core.Conflict, "another process reads the events")
	}
	return core.E(op, err)
}

// droppedEvents is what the audit says of events that were dropped: how many, and how many in all. They are the first in the
// order of the seals, so that this says which, whatever numbers another database gives to their places.
type droppedEvents struct {
	Dropped int64 `json:"dropped"`
	Total   int64 `json:"total"`
}

// maxDropped is how many events are dropped in one transaction.
const maxDropped = 5000

// DropEvents deletes events that are older than the given age, as far as they are sealed and every reader has passed them.
// History stays. Feeds of changes begin behind them from now on.
func (s *Store) DropEvents(ctx context.Context, age time.Duration) (n int64, err error) {
	const op = "tables.DropEvents"
	if _, err := s.Seal(ctx); err != nil {
		return 0, core.E(op, err)
	}
	for {
		var some int64
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
			some, err = tx.dropEvents(ctx, tx.now.Add(-age))
			return err
		})
		if err != nil || some == 0 {
			return n, core.E(op, err)
		}
		n += some
	}
}

// dropEvents drops the next events, and reports how many.
func (tx *Tx) dropEvents(ctx context.Context, until time.Time) (int64, error) {
	if err := tx.lockAudit(ctx); err != nil {
		return 0, err
	}
	floor, err := tx.passed(ctx, until)
	if err != nil || floor == (Cursor{}) {
		return 0, err
	}
	b := db.New(tx.db.Dialect).Write(`DELETE FROM "_event" AS e WHERE `)
	tx.db.EventsBetween(b, 0, 0, floor.Tx, floor.Seq)
	n, err := tx.db.Exec(ctx, b)
	if err != nil || n == 0 {
		return 0, err
	}
	if err := tx.raiseFloor(ctx, feedFloor, floor); err != nil {
		return 0, err
	}
	before, err := eventsDropped(ctx, tx.db, tx.db.Dialect)
	if err != nil {
		return 0, err
	}
	return n, tx.audit(ctx, auditEvents, 0, droppedEvents{n, before + n})
}

// eventsDropped returns how many events were dropped in all, as the audit says.
func eventsDropped(ctx context.Context, conn db.Conn, d db.Dialect) (int64, error) {
	var e droppedEvents
	b := db.New(d).Write(`SELECT data FROM "_audit" WHERE kind = `).Arg(string(auditEvents)).Write(" ORDER BY seq DESC LIMIT 1")
	err := conn.Query(ctx, b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		return json.Unmarshal(raw, &e)
	})
	return e.Total, err
}

// feedFloor is the key of the place behind which feeds begin: of all tables, or with a colon and its name of one.
const feedFloor = "feed_floor"

func (tx *Tx) raiseFloor(ctx context.Context, key string, to Cursor) error {
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_meta" (key, value) VALUES (`).Arg(key).Write(", ").Arg(fmt.Sprintf("%d %d", to.Tx, to.Seq)).
		Write(") ON CONFLICT (key) DO UPDATE SET value = excluded.value")
	_, err := tx.db.Exec(ctx, b)
	return err
}

// passed returns the place of the last of the next events that are older than the moment and that every reader has passed; the
// zero Cursor when there is none.
func (tx *Tx) passed(ctx context.Context, before time.Time) (floor Cursor, err error) {
	behind, _, err := tx.store.slowest(ctx)
	if err != nil {
		return Cursor{}, err
	}
	at := &core.Column{Kind: core.Timestamp}
	b := db.New(tx.db.Dialect).Write("SELECT ", tx.db.EventTx(), ", e.seq, e.at < ").Value(at, before).Write(` FROM "_event" AS e WHERE `)
	tx.db.EventsBetween(b, 0, 0, behind.Tx, behind.Seq)
	b.Write(" ORDER BY ", tx.db.EventOrder(false), " LIMIT ").Arg(int64(maxDropped))
	old := true
	err = tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var place Cursor
		var is bool
		if err := scan(&place.Tx, &place.Seq, &is); err != nil {
			return err
		}
		if old = old && is; old {
			floor = place
		}
		return nil
	})
	return floor, err
}

// slowest returns where the last of the readers stands, if there is any.
func (s *Store) slowest(ctx context.Context) (c Cursor, read bool, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT tx, seq FROM "_cursor" ORDER BY tx, seq LIMIT 1`)
	err = s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		read = true
		return scan(&c.Tx, &c.Seq)
	})
	return c, read, err
}
