package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Entries of the access log are hashed behind those who write them: a row of the audit holds the hash of at most maxSealedAccesses
// of them, and each entry the number of that row. So nobody waits for another to log, and the chain of the audit tells of
// entries that were changed or taken away.

const (
	accessForm        = "colonnade access 1\n"
	maxSealedAccesses = 500
	verifiedSeals     = 2 // rows of the audit whose entries are compared at once: each entry may have a thousand records
)

// sealedAccesses is what the audit says of entries of the access log.
type sealedAccesses struct {
	Entries int    `json:"entries"`
	Hash    string `json:"hash"`
}

// droppedAccesses is what the audit says of entries that need not be kept: those of the rows up to Through.
type droppedAccesses struct {
	Through int64 `json:"through"`
	Entries int64 `json:"entries"`
}

// hashAccesses is the hash of entries in the order of their ids.
func hashAccesses(entries []accessEntry) digest {
	s := sealing{}
	s.b = append(s.b, accessForm...)
	for i := range entries {
		e := &entries[i]
		s.text(string(e.id), string(e.kind))
		s.number(e.at)
		s.text(string(e.actor), string(e.behalf), e.cause, e.causeID, e.table, e.address, e.request, e.data)
		s.number(int64(len(e.records)))
		s.text(e.records...)
	}
	return s.sum()
}

// sealAccesses has the audit take the hashes of entries that have none yet. What is written meanwhile waits for the next time.
func (s *Store) sealAccesses(ctx context.Context) error {
	for {
		more := false
		b := db.New(s.db.Dialect).Write(`SELECT 1 FROM "_access_log" WHERE seal IS NULL LIMIT 1`)
		if err := s.db.Query(ctx, b, func(func(...any) error) error { more = true; return nil }); err != nil || !more {
			return err
		}
		if err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { return tx.sealAccesses(ctx) }); err != nil {
			return err
		}
	}
}

func (tx *Tx) sealAccesses(ctx context.Context) error {
	if err := tx.lockAudit(ctx); err != nil {
		return err
	}
	entries, err := readAccesses(ctx, tx.db, tx.db.Dialect, func(b *db.Builder) {
		b.Write("l.seal IS NULL ORDER BY l.id LIMIT ", strconv.Itoa(maxSealedAccesses))
	})
	if err != nil || len(entries) == 0 {
		return err
	}
	seq, err := tx.addAudit(ctx, auditAccess, 0, sealedAccesses{len(entries), hashAccesses(entries).String()})
	if err != nil {
		return err
	}
	b := db.New(tx.db.Dialect).Write(`UPDATE "_access_log" SET seal = `).Arg(seq).Write(" WHERE ")
	tx.db.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("id") }, accessIDs(entries))
	_, err = tx.db.Exec(ctx, b)
	return err
}

func accessIDs(entries []accessEntry) []any {
	ids := make([]any, len(entries))
	for i := range entries {
		ids[i] = string(entries[i].id)
	}
	return ids
}

const accessLogColumns = `CAST(l.id AS text), CAST(l.at AS text), l.kind, CAST(l.actor AS text), CAST(l.behalf AS text), l.cause, l.cause_id, l.table_name, l.address, l.request, l.data, coalesce(l.seal, 0)`

// readAccesses reads entries of the access log l with the records that they tell of; where writes what comes after WHERE.
func readAccesses(ctx context.Context, conn db.Querier, d db.Dialect, where func(*db.Builder)) ([]accessEntry, error) {
	b := db.New(d).Write("SELECT ", accessLogColumns, ` FROM "_access_log" AS l WHERE `)
	where(b)
	var out []accessEntry
	at := map[core.ID]int{}
	err := conn.Query(ctx, b, func(scan func(...any) error) error {
		var e accessEntry
		var kind, when string
		if err := scan(&e.id, &when, &kind, &e.actor, &e.behalf, &e.cause, &e.causeID, &e.table, &e.address, &e.request, &e.data, &e.seal); err != nil {
			return err
		}
		e.kind, e.at = AccessKind(kind), micros(when)
		at[e.id] = len(out)
		out = append(out, e)
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	b = db.New(d).Write(`SELECT CAST(access_id AS text), CAST(record_id AS text) FROM "_access_record" WHERE `)
	d.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("access_id") }, accessIDs(out))
	b.Write(" ORDER BY access_id, record_id")
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		var access core.ID
		var record string
		if err := scan(&access, &record); err != nil {
			return err
		}
		e := &out[at[access]]
		e.records = append(e.records, record)
		return nil
	})
	return out, err
}

// verifyAccesses compares the entries of the access log with the hashes that rows of the audit hold of them.
func (v *verifier) verifyAccesses(ctx context.Context) error {
	through, err := accessesDropped(ctx, v.db, v.db.Dialect)
	if err != nil {
		return err
	}
	after, sealed := through.Through, map[int64]sealedAccesses{}
	for {
		clear(sealed)
		b := db.New(v.db.Dialect).Write(`SELECT seq, data FROM "_audit" WHERE kind = `).Arg(string(auditAccess)).Write(" AND seq > ").Arg(after).Write(" ORDER BY seq LIMIT ", strconv.Itoa(verifiedSeals))
		err := v.db.Query(ctx, b, func(scan func(...any) error) error {
			var raw []byte
			if err := scan(&after, &raw); err != nil {
				return err
			}
			var s sealedAccesses
			if json.Unmarshal(raw, &s) == nil { // otherwise the chain of the audit tells
				sealed[after] = s
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(sealed) == 0 {
			return v.foreignAccesses(ctx, through.Through)
		}
		if err := v.compareAccesses(ctx, sealed); err != nil {
			return err
		}
	}
}

func (v *verifier) compareAccesses(ctx context.Context, sealed map[int64]sealedAccesses) error {
	var list []any
	for seq := range sealed {
		list = append(list, seq)
	}
	entries, err := readAccesses(ctx, v.db, v.db.Dialect, func(b *db.Builder) {
		v.db.AnyOf(b, &core.Column{Kind: core.Integer}, func() { b.Write("l.seal") }, list)
		b.Write(" ORDER BY l.seal, l.id")
	})
	if err != nil {
		return err
	}
	of := map[int64][]accessEntry{}
	for _, e := range entries {
		of[e.seal] = append(of[e.seal], e)
	}
	for seq, s := range sealed {
		switch have := of[seq]; {
		case len(have) < s.Entries:
			v.accessProblem(seq, "entries of the access log are gone: row %d of the audit has the hash of %d, and %d are there", seq, s.Entries, len(have))
		case hashAccesses(have).String() != s.Hash:
			v.accessProblem(seq, "entries of the access log were changed, or added: they are not those that row %d of the audit has the hash of", seq)
		}
	}
	return nil
}

// foreignAccesses finds entries that say of a row of the audit that it has their hash, and it is not about entries.
func (v *verifier) foreignAccesses(ctx context.Context, through int64) error {
	b := db.New(v.db.Dialect).Write(`SELECT l.seal, count(*) FROM "_access_log" AS l LEFT JOIN "_audit" AS a ON a.seq = l.seal AND a.kind = `).Arg(string(auditAccess)).
		Write(" WHERE l.seal IS NOT NULL AND (a.seq IS NULL OR a.seq <= ").Arg(through).Write(") GROUP BY l.seal ORDER BY l.seal")
	return v.db.Query(ctx, b, func(scan func(...any) error) error {
		var seq, n int64
		if err := scan(&seq, &n); err != nil {
			return err
		}
		v.accessProblem(seq, "%d entries of the access log were added: they say that row %d of the audit has their hash, and it has not", n, seq)
		return nil
	})
}

func (v *verifier) accessProblem(seq int64, format string, args ...any) {
	v.problem(Problem{Kind: ProblemAccess, Version: seq, Message: fmt.Sprintf(format, args...)})
}

// accessesDropped returns what the audit said last of entries that were dropped.
func accessesDropped(ctx context.Context, conn db.Querier, d db.Dialect) (out droppedAccesses, err error) {
	b := db.New(d).Write(`SELECT data FROM "_audit" WHERE kind = `).Arg(string(auditAccessDropped)).Write(" ORDER BY seq DESC LIMIT 1")
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil {
			return err
		}
		_ = json.Unmarshal(raw, &out) // otherwise the chain of the audit tells
		return nil
	})
	return out, err
}

// DropAccesses deletes entries of the access log that are older than the given age, as far as the audit has the hash of them and
// of all before them.
func (s *Store) DropAccesses(ctx context.Context, age time.Duration) (n int64, err error) {
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		n, err = tx.dropAccesses(ctx, tx.now.Add(-age))
		return err
	})
	return n, core.E("tables.DropAccesses", err)
}

func (tx *Tx) dropAccesses(ctx context.Context, before time.Time) (int64, error) {
	if err := tx.lockAudit(ctx); err != nil {
		return 0, err
	}
	dropped, err := accessesDropped(ctx, tx.db, tx.db.Dialect)
	if err != nil {
		return 0, err
	}
	through, _, err := lastAudit(ctx, tx.db, tx.db.Dialect) // or the row in front of the first that has the hash of an entry which stays
	if err != nil {
		return 0, err
	}
	at := &core.Column{Kind: core.Timestamp}
	b := db.New(tx.db.Dialect).Write(`SELECT coalesce(min(seal) - 1, `).Arg(through).Write(`) FROM "_access_log" WHERE seal IS NOT NULL AND at >= `).Value(at, before)
	if err := tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&through) }); err != nil {
		return 0, err
	}
	condition := func(b *db.Builder) *db.Builder { return b.Write("seal <= ").Arg(through) }
	_, err = tx.db.Exec(ctx, condition(db.New(tx.db.Dialect).Write(`DELETE FROM "_access_record" WHERE access_id IN (SELECT id FROM "_access_log" WHERE `)).Write(")"))
	if err != nil {
		return 0, err
	}
	n, err := tx.db.Exec(ctx, condition(db.New(tx.db.Dialect).Write(`DELETE FROM "_access_log" WHERE `)))
	if err != nil || n == 0 {
		return 0, err
	}
	return n, tx.audit(ctx, auditAccessDropped, 0, droppedAccesses{through, dropped.Entries + n})
}
