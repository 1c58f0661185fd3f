package tables

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

const (
	// maxSeal is how many versions one seal is about.
	maxSeal = 500
	// sealEvery is how often there is a look at what is to be sealed.
	sealEvery = time.Second
	// sealer is the name under which the place of the last seal in the stream of events is kept.
	sealer = "seals"
)

// Seal seals what happened until now, as far as nothing can come before it any more, and returns how many versions of records
// that was. Any number of processes may do so at once: one of them makes each seal.
func (s *Store) Seal(ctx context.Context) (n int, err error) {
	const op = "tables.Seal"
	outer := s.txFrom(ctx)
	for {
		next, err := s.nextSeal(ctx, s.conn(ctx))
		if err != nil || next == nil {
			return n, core.E(op, err)
		}
		if outer != nil {
			err = outer.Savepoint(ctx, func() error { return outer.putSeal(ctx, next) })
		} else {
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { return tx.putSeal(ctx, next) })
		}
		switch {
		case core.KindOf(err) == core.Conflict && outer != nil:
			continue // another process was faster: go on behind its seal
		case core.KindOf(err) == core.Conflict:
			return n, nil // another process is at it
		case err != nil:
			return n, core.E(op, err)
		}
		n += len(next.leaves)
		if len(next.leaves) < maxSeal {
			return n, nil
		}
	}
}

// sealAll seals what happens, until ctx ends.
func (s *Store) sealAll(ctx context.Context) {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		ctx := core.WithCaller(ctx, core.System("seal"))
		err := s.sealAccesses(ctx)
		if err == nil {
			_, err = s.Seal(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "tables: the history cannot be sealed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// nextSeal makes the seal that comes next; nil when there is nothing to seal. It only reads: what it reads does not change.
func (s *Store) nextSeal(ctx context.Context, conn db.Conn) (*seal, error) {
	// The cursor, and not the end of the last seal: where seals were taken away, the gap stays to be seen. It is read first,
	// so that it has moved when another process makes a seal meanwhile.
	from, err := s.ReadCursor(ctx, sealer)
	if err != nil {
		return nil, err
	}
	last, err := lastSeal(ctx, conn, s.db.Dialect)
	if err != nil {
		return nil, err
	}
	end, err := s.LastEvent(ctx, from)
	if err != nil {
		return nil, err
	}
	auditSeq, auditHead, err := lastAudit(ctx, conn, s.db.Dialect)
	if err != nil {
		return nil, err
	}
	next := &seal{number: last.number + 1, from: from, to: end, auditSeq: auditSeq, auditHead: auditHead, at: time.Now().UnixMicro()}
	if end == from && auditSeq <= last.auditSeq {
		return nil, nil
	}
	if err := s.fill(ctx, conn, next); err != nil {
		return nil, err
	}
	next.head = next.sum(last.head)
	return next, nil
}

// lastSeal returns the newest seal; one with the number 0 when there is none.
func lastSeal(ctx context.Context, conn db.Conn, d db.Dialect) (last seal, err error) {
	b := db.New(d).Write("SELECT ", sealColumns, ` FROM "_seal" ORDER BY number DESC LIMIT 1`)
	err = conn.Query(ctx, b, last.scan)
	return last, err
}

// fill adds the versions of the next events to the seal.
func (s *Store) fill(ctx context.Context, conn db.Conn, next *seal) error {
	b := db.New(s.db.Dialect).Write("SELECT ", s.db.EventTx(), ", e.seq, e.table_name, CAST(e.record_id AS text), e.version, CAST(e.at AS text), ", versionColumns,
		` FROM "_event" AS e LEFT JOIN "_history" AS h ON h.record_id = e.record_id AND h.version = e.version AND h.table_name = e.table_name WHERE `)
	s.db.EventsBetween(b, next.from.Tx, next.from.Seq, next.to.Tx, next.to.Seq)
	b.Write(" ORDER BY ", s.db.EventOrder(false), " LIMIT ").Arg(int64(maxSeal))
	var place Cursor
	err := conn.Query(ctx, b, func(scan func(...any) error) error {
		var l leaf
		var v storedVersion
		var at string
		dest, done := v.into()
		if err := scan(append([]any{&place.Tx, &place.Seq, &l.table, &l.id, &l.version, &at}, dest...)...); err != nil {
			return err
		}
		done()
		v.versionKey, l.at = l.versionKey, micros(at)
		salt := make([]byte, saltSize)
		if _, err := rand.Read(salt); err != nil {
			return err
		}
		if v.there {
			l.hash = v.hash(salt)
		}
		next.salts = append(next.salts, salt...)
		next.leaves = append(next.leaves, l)
		return nil
	})
	if err != nil {
		return err
	}
	if len(next.leaves) == maxSeal {
		next.to = place
	}
	next.tables, next.packed = packLeaves(next.leaves)
	next.count = int64(len(next.leaves))
	return nil
}

// putSeal keeps a seal. It fails with Conflict when another process has sealed meanwhile.
func (tx *Tx) putSeal(ctx context.Context, s *seal) error {
	if err := tx.MoveCursor(ctx, sealer, s.from, s.to); err != nil {
		return err
	}
	tables, err := json.Marshal(append([]string{}, s.tables...))
	if err != nil {
		return err
	}
	at := &core.Column{Kind: core.Timestamp}
	var first, last any
	for _, l := range s.leaves {
		t := time.UnixMicro(l.at).UTC()
		if first == nil || t.Before(first.(time.Time)) {
			first = t
		}
		if last == nil || t.After(last.(time.Time)) {
			last = t
		}
	}
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_seal" (number, at, from_tx, from_seq, to_tx, to_seq, leaf_count, first_at, last_at, audit_seq, audit_head, head, tables, leaves, salts) VALUES (`).
		Arg(s.number).Write(", ").Value(at, time.UnixMicro(s.at).UTC()).Write(", ").Arg(s.from.Tx).Write(", ").Arg(s.from.Seq).Write(", ").Arg(s.to.Tx).Write(", ").Arg(s.to.Seq).
		Write(", ").Arg(s.count).Write(", ").Value(at, first).Write(", ").Value(at, last).Write(", ").Arg(s.auditSeq).Write(", ").Arg(s.auditHead[:]).Write(", ").Arg(s.head[:]).
		Write(", ").Arg(string(tables)).Write(", ").Arg(bytesOf(s.packed)).Write(", ").Arg(bytesOf(s.salts)).Write(") ON CONFLICT (number) DO NOTHING")
	n, err := tx.db.Exec(ctx, b)
	if err == nil && n == 0 { // one of the audit alone, which does not move the cursor
		return core.E("tables.putSeal", core.Conflict, "another process has made the seal")
	}
	return err
}

// bytesOf returns b, which is not NULL when it is empty.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
