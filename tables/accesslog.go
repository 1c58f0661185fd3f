package tables

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// AccessKind says what an entry of the access log is about.
type AccessKind string

// The kinds of entries.
const (
	AccessRead    AccessKind = "read"    // records were read, or took part in a condition or an aggregate
	AccessHistory AccessKind = "history" // versions of a record
	AccessChanges AccessKind = "changes" // the feed of changes
	AccessBin     AccessKind = "bin"     // deleted records
	AccessFile    AccessKind = "file"    // a file of a record
	AccessExport  AccessKind = "export"  // a table was exported, whether its reads are audited or not
	AccessUnmask  AccessKind = "unmask"  // values were shown that are masked or hidden otherwise, with the reason

	AccessSimulate AccessKind = "simulate" // an administrator looked at what a user sees; what he saw is in entries of the other kinds
)

// accessKinds are all kinds, for messages. Those of [authz.Notice] are about no table.
var accessKinds = func() []AccessKind {
	out := []AccessKind{AccessRead, AccessHistory, AccessChanges, AccessBin, AccessFile, AccessExport, AccessUnmask, AccessSimulate}
	for _, k := range authz.NoticeKinds {
		out = append(out, AccessKind(k))
	}
	return out
}()

// NoteAccess keeps what happened at a way in, in the transaction in which it happened. The record of the entry is the user whose
// account it is about.
func (s *Store) NoteAccess(ctx context.Context, tx *db.Tx, n authz.Notice) error {
	a := Access{Kind: AccessKind(n.Kind), Data: n.Data}
	if n.User != "" {
		a.Records = []string{string(n.User)}
	}
	return insertAccesses(ctx, tx, accessEntries(ctx, []Access{a}))
}

// Access is what an entry of the access log tells, beside who, when and from where.
type Access struct {
	Kind    AccessKind
	Table   *core.Table    // nil when it is about no table
	Records []string       // the ids of the records that were shown, or of the user whom it is about
	Data    map[string]any // what else there is to know, such as the columns
}

// maxAccessRecords is how many records one entry tells of; more go into further entries.
const maxAccessRecords = 1000

// LogAccess keeps entries of the caller of ctx in the access log. It returns when they are durable. Within a unit of work they
// are written with it, and on their own when it fails: what was read was read.
func (s *Store) LogAccess(ctx context.Context, list ...Access) error {
	entries := accessEntries(ctx, list)
	if tx := s.txFrom(ctx); tx != nil {
		tx.accesses = append(tx.accesses, entries...)
		return nil
	}
	return core.E("tables.LogAccess", s.writeAccesses(ctx, entries))
}

// writeAccesses writes entries in a transaction of their own.
func (s *Store) writeAccesses(ctx context.Context, entries []accessEntry) error {
	return s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return insertAccesses(ctx, tx, entries) })
}

// accessEntry is a row of "_access_log".
type accessEntry struct {
	id               core.ID
	kind             AccessKind
	at               int64 // microseconds since 1970
	actor, behalf    core.ID
	cause, causeID   string
	table            string // its physical name
	address, request string
	data             string
	records          []string
	seal             int64 // the row of the audit that has the hash of the entry; 0 when there is none yet
}

func accessEntries(ctx context.Context, list []Access) []accessEntry {
	caller, origin, now := core.CallerFrom(ctx), core.OriginFrom(ctx), time.Now().UnixMicro()
	var out []accessEntry
	for _, a := range list {
		e := accessEntry{
			kind: a.Kind, at: now, actor: caller.User, behalf: caller.Behalf, cause: causeKind(caller), causeID: caller.Cause.ID,
			address: origin.Address, request: origin.Request, data: "{}",
		}
		if a.Table != nil {
			e.table = a.Table.SQL()
		}
		if len(a.Data) > 0 {
			b, err := json.Marshal(a.Data)
			if err != nil {
				panic(err) // texts and numbers have a JSON form
			}
			e.data = string(b)
		}
		ids := slices.Compact(slices.Sorted(slices.Values(a.Records)))
		for first := true; first || len(ids) > 0; first = false {
			n := min(len(ids), maxAccessRecords)
			e.id, e.records = core.NewID(), ids[:n]
			ids = ids[n:]
			out = append(out, e)
		}
	}
	return out
}

var (
	accessColumns = []*core.Column{
		{Name: "id", Kind: core.UUID}, {Name: "at", Kind: core.Timestamp}, {Name: "kind", Kind: core.Text}, {Name: "actor", Kind: core.UUID}, {Name: "behalf", Kind: core.UUID},
		{Name: "cause", Kind: core.Text}, {Name: "cause_id", Kind: core.Text}, {Name: "table_name", Kind: core.Text}, {Name: "address", Kind: core.Text},
		{Name: "request", Kind: core.Text}, {Name: "data", Kind: core.Text},
	}
	accessRecordColumns = []*core.Column{{Name: "access_id", Kind: core.UUID}, {Name: "record_id", Kind: core.UUID}}
)

func (e *accessEntry) values() []any {
	return []any{
		string(e.id), time.UnixMicro(e.at).UTC(), string(e.kind), orNull(string(e.actor)), orNull(string(e.behalf)),
		e.cause, orNull(e.causeID), orNull(e.table), orNull(e.address), orNull(e.request), e.data,
	}
}

func insertAccesses(ctx context.Context, tx *db.Tx, entries []accessEntry) error {
	if len(entries) == 0 {
		return nil
	}
	type shown struct {
		access core.ID
		record string
	}
	var records []shown
	values := make([][]any, len(entries))
	for i := range entries {
		values[i] = entries[i].values()
		for _, r := range entries[i].records {
			records = append(records, shown{entries[i].id, r})
		}
	}
	err := tx.Insert(ctx, db.Rows{Table: "_access_log", Columns: accessColumns, N: len(entries), Value: func(row, column int) any { return values[row][column] }})
	if err != nil || len(records) == 0 {
		return err
	}
	return tx.Insert(ctx, db.Rows{Table: "_access_record", Columns: accessRecordColumns, N: len(records), Value: func(row, column int) any {
		if column == 0 {
			return string(records[row].access)
		}
		return records[row].record
	}})
}
