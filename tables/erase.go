package tables

import (
	"context"
	"maps"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// erasure takes versions out of the history for good. Their leaves stay in the seals, without the salts, and the audit says who
// took them out, when, and which they were: so the history can still be verified. The unit of work holds the lock of the audit.
type erasure struct {
	tx   *Tx
	kind auditKind
	id   core.ID // what all that is erased together has in common
	done map[string]*Erased

	since map[string]int64 // by table: see [erasure.until]

	last Cursor // the end of the last seal that an erased version is in
}

// Erased counts what was erased of a table.
type Erased struct {
	Records  int64 `json:"records"`
	Versions int64 `json:"versions"`
}

// erasedLeaves is what the audit says of a seal some of whose versions were erased.
type erasedLeaves struct {
	Erasure   core.ID `json:"erasure"`
	Positions []int   `json:"positions"`
}

// auditedErasure is what the audit says of all that was erased together. The tables go by their physical names.
type auditedErasure struct {
	Erasure core.ID            `json:"erasure"`
	Tables  map[string]*Erased `json:"tables"`
}

// erase makes this the only unit of work that erases, and seals what is not sealed yet.
func (tx *Tx) erase(ctx context.Context, kind auditKind) (*erasure, error) {
	if _, err := tx.store.Seal(ctx); err != nil {
		return nil, err
	}
	if err := tx.lockAudit(ctx); err != nil {
		return nil, err
	}
	return &erasure{tx: tx, kind: kind, id: core.NewID(), done: map[string]*Erased{}}, nil
}

// erase erases the versions, whose times it is given in microseconds.
func (e *erasure) erase(ctx context.Context, versions map[versionKey]int64) error {
	left := maps.Clone(versions)
	numbers, err := e.candidates(ctx, versions)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if len(left) == 0 {
			break
		}
		if err := e.unseal(ctx, n, left); err != nil {
			return err
		}
	}
	for k := range left {
		return core.E("tables.erase", core.Conflict, core.At{Table: e.tx.tableName(k.table)}, "the last changes of a record are not sealed yet, and what is not sealed cannot be erased: try again in some seconds")
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(versions)), maxSeal) {
		if err := e.drop(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// candidates returns the numbers of the seals that versions of these times may be in.
func (e *erasure) candidates(ctx context.Context, versions map[versionKey]int64) ([]int64, error) {
	times, numbers := map[int64]bool{}, map[int64]bool{}
	at := &core.Column{Kind: core.Timestamp}
	for _, t := range versions {
		if times[t] {
			continue
		}
		times[t] = true
		b := db.New(e.tx.db.Dialect).Write(`SELECT number FROM "_seal" WHERE last_at >= `).Value(at, time.UnixMicro(t).UTC()).Write(" AND first_at <= ").Value(at, time.UnixMicro(t).UTC())
		err := e.tx.db.Query(ctx, b, func(scan func(...any) error) error {
			var n int64
			err := scan(&n)
			numbers[n] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(numbers)), nil
}

// unseal takes the salts of the versions out of a seal, says so in the audit, and takes what it found out of left.
func (e *erasure) unseal(ctx context.Context, number int64, left map[versionKey]int64) error {
	var s seal
	b := db.New(e.tx.db.Dialect).Write("SELECT ", sealColumns, ` FROM "_seal" WHERE number = `).Arg(number)
	if err := e.tx.db.Query(ctx, b, s.scan); err != nil {
		return err
	}
	if s.unreadable != nil {
		return core.E("tables.erase", core.Failed, "a seal was changed past Colonnade: verify the history first")
	}
	erased, err := erasedOf(ctx, e.tx.db, e.tx.db.Dialect, &s)
	if err != nil {
		return err
	}
	found := erasedLeaves{Erasure: e.id}
	for i := range s.leaves {
		if k := s.leaves[i].versionKey; has(left, k) && !erased[i] { // an id may have been used again after a purge
			delete(left, k)
			clear(s.salt(i))
			found.Positions = append(found.Positions, i)
		}
	}
	if len(found.Positions) == 0 {
		return nil
	}
	if e.last.before(s.to) {
		e.last = s.to
	}
	b = db.New(e.tx.db.Dialect).Write(`UPDATE "_seal" SET salts = `).Arg(s.salts).Write(" WHERE number = ").Arg(number)
	if _, err := e.tx.db.Exec(ctx, b); err != nil {
		return err
	}
	return e.tx.audit(ctx, e.kind, number, found)
}

func has[K comparable, V any](m map[K]V, k K) bool {
	_, ok := m[k]
	return ok
}

// drop deletes rows of the history.
func (e *erasure) drop(ctx context.Context, keys []versionKey) error {
	uuid := e.tx.db.ColumnType(&core.Column{Kind: core.UUID})
	b := db.New(e.tx.db.Dialect).Write(`DELETE FROM "_history" WHERE (record_id, version, table_name) IN (VALUES `)
	for i, k := range keys {
		if i > 0 {
			b.Write(", ")
		}
		b.Write("(CAST(").Arg(k.id).Write(" AS ", uuid, "), CAST(").Arg(k.version).Write(" AS bigint), ").Arg(k.table).Write(")")
		e.of(k.table).Versions++
	}
	if _, err := e.tx.db.Exec(ctx, b.Write(")")); err != nil {
		return err
	}
	records := map[any]bool{}
	for _, k := range keys {
		records[string(k.id)] = true
	}
	return e.tx.releaseFiles(ctx, sortedIDs(records))
}

// of returns what was erased of the table.
func (e *erasure) of(table string) *Erased {
	if e.done[table] == nil {
		e.done[table] = &Erased{}
	}
	return e.done[table]
}

// end says in the audit how much it was.
func (e *erasure) end(ctx context.Context) error {
	if err := e.raiseSince(ctx); err != nil {
		return err
	}
	return e.tx.audit(ctx, e.kind, 0, auditedErasure{e.id, e.done})
}

// tableName returns what people call a table.
func (tx *Tx) tableName(physical string) string {
	if t, ok := tx.snap.Schema.At(physical); ok {
		return t.Name
	}
	return physical
}
