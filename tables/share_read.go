package tables

import (
	"context"
	"fmt"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// shareReader reads shares for a caller, in a unit of work or outside.
type shareReader struct {
	db.Dialect
	snap   *Snapshot
	conn   db.Conn
	caller core.Caller
	lock   string // what keeps a record that is looked at from being purged meanwhile
}

func (tx *Tx) shareReader(ctx context.Context) shareReader {
	return shareReader{tx.db.Dialect, tx.snap, tx.db, core.CallerFrom(ctx), tx.db.LockKey()}
}

func (s *Store) shareReader(ctx context.Context) shareReader {
	if tx := s.txFrom(ctx); tx != nil {
		return tx.shareReader(ctx)
	}
	return shareReader{s.db.Dialect, s.Snapshot(), s.db, core.CallerFrom(ctx), ""}
}

// of returns the shares of the table that meet a condition, in the order in which they were given.
func (q shareReader) of(ctx context.Context, t *core.Table, where writeFunc) (out []share, err error) {
	b := db.New(q.Dialect).Write(`SELECT CAST(id AS text), CAST(record_id AS text), CAST(principal_id AS text), rights, coalesce(CAST(expires_at AS text), ''), coalesce(reason, ''), coalesce(template, ''),
cause, coalesce(CAST(cause_id AS text), ''), CAST(granted_by AS text), CAST(granted_at AS text) FROM "_share" WHERE table_name = `).Arg(t.SQL()).Write(" AND ")
	where(b)
	b.Write(" ORDER BY granted_at, record_id, id")
	err = q.conn.Query(ctx, b, func(scan func(...any) error) error {
		s := share{table: t}
		var rights int64
		var expires, at, cause string
		if err := scan(&s.id, &s.record, &s.principal, &rights, &expires, &s.reason, &s.template, &cause, &s.causeID, &s.by, &at); err != nil {
			return err
		}
		s.rights, s.cause = core.ShareRights(rights), shareCause(cause)
		if expires != "" {
			s.expires = time.UnixMicro(micros(expires)).UTC()
		}
		s.at = time.UnixMicro(micros(at)).UTC()
		out = append(out, s)
		return nil
	})
	return out, err
}

// ofRecords returns the condition that a share is of one of the records.
func ofRecords(ids []any) writeFunc {
	return func(b *db.Builder) {
		b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("record_id") }, ids)
	}
}

// ofMerge returns the condition that a share was made by the merge.
func ofMerge(merge core.ID) writeFunc {
	return func(b *db.Builder) { b.Write("cause_id = ").Arg(merge) }
}

// with adds to a condition that the share is with the principal.
func with(principal core.ID, where writeFunc) writeFunc {
	return func(b *db.Builder) {
		where(b)
		b.Write(" AND principal_id = ").Arg(principal)
	}
}

// lasting is the moment at which a right must still reach a record to be given without an end.
var lasting = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// mayGive checks that the caller may share the record with these rights: his share reaches it, and each of the rights, and all of
// them still will when what he gives ends, as far as they are his by shares.
func (q shareReader) mayGive(ctx context.Context, s *share) error {
	if err := q.mayShare(ctx, s.table, s.record); err != nil {
		return err
	}
	for right := range s.rights.Each {
		ok, err := q.reaches(ctx, s.table, s.record, right, time.Time{})
		if err != nil && core.KindOf(err) != core.Denied {
			return err
		}
		if !ok {
			return core.E("tables.mayGive", core.Denied, core.At{Table: s.table.Name, Column: "rights"}, fmt.Sprintf("your %s does not reach this record, so you cannot give it: leave it out", right))
		}
		if err := q.lasts(ctx, s, right); err != nil {
			return err
		}
	}
	return q.lasts(ctx, s, core.Share)
}

// lasts checks that a right which reaches the record now is not the caller's by a share that ends before s.
func (q shareReader) lasts(ctx context.Context, s *share, right core.Op) error {
	until := s.expires
	if until.IsZero() {
		until = lasting
	}
	ok, err := q.reaches(ctx, s.table, s.record, right, until)
	if err != nil || ok {
		return err
	}
	return core.E("tables.lasts", core.Denied, core.At{Table: s.table.Name, Column: "expires_at"}, fmt.Sprintf("your own %s reaches this record by a share that ends sooner: choose an earlier expires_at", right))
}

// mayShare checks that the caller's share reaches the record.
func (q shareReader) mayShare(ctx context.Context, t *core.Table, id core.ID) error {
	const op = "tables.mayShare"
	if err := q.snap.Policy.CheckShared(t.Name); err != nil {
		return err
	}
	ok, err := q.reaches(ctx, t, id, core.Share, time.Time{})
	if err == nil && !ok {
		err = core.E(op, core.NotFound, core.At{Table: t.Name}, fmt.Sprintf("there is no record with the id %s that you may share", id))
	}
	return err
}

// reaches reports whether a right of the caller reaches the record, with shares that are in force then; zero for now.
func (q shareReader) reaches(ctx context.Context, t *core.Table, id core.ID, right core.Op, then time.Time) (bool, error) {
	p := &planner{snap: q.snap, caller: q.caller, lasts: then}
	r, err := p.reach(t.Name, right, ByID(id))
	if err != nil {
		return false, err
	}
	b := db.New(q.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	b.Write(q.lock)
	found, err := queryIDs(ctx, q.conn, b)
	return len(found) > 0, err
}
