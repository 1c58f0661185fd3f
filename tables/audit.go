package tables

import (
	"context"
	"encoding/json"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// auditKind says what a row of the audit is about.
type auditKind string

const (
	auditSchema auditKind = "schema" // the schema was changed
	auditRights auditKind = "rights" // users, teams, units, roles or grants were changed
	auditShare  auditKind = "share"  // records were shared, or shared no longer
	auditEvents auditKind = "events" // old events were dropped
	auditPurge  auditKind = "purge"  // records were deleted for good

	auditRetention auditKind = "retention" // what need not be kept was dropped

	auditAccess        auditKind = "access"         // the hash of entries of the access log
	auditAccessDropped auditKind = "access_dropped" // old entries of the access log were dropped
)

// auditEntry is a row of the audit: what was done to definitions, to rights, and to the history itself. Rows are numbered
// without a gap, and each holds the hash of itself and of the one before.
type auditEntry struct {
	seq           int64
	kind          auditKind
	at            int64
	actor, behalf core.ID
	cause         string
	causeID       string
	seal          int64 // some of whose versions were erased; 0 for none
	data          []byte
	head          digest
}

func (e *auditEntry) sum(prev digest) digest {
	s := sealing{}
	s.b = append(append(s.b, auditForm...), prev[:]...)
	s.number(e.seq)
	s.text(string(e.kind))
	s.number(e.at)
	s.text(string(e.actor), string(e.behalf), e.cause, e.causeID)
	s.number(e.seal)
	s.text(string(e.data))
	return s.sum()
}

const auditColumns = `seq, kind, CAST(at AS text), CAST(actor AS text), CAST(behalf AS text), cause, cause_id, seal, data, head`

func (e *auditEntry) scan(scan func(...any) error) error {
	var kind, at string
	var head []byte
	err := scan(&e.seq, &kind, &at, &e.actor, &e.behalf, &e.cause, &e.causeID, &e.seal, &e.data, &head)
	e.kind, e.at = auditKind(kind), micros(at)
	copy(e.head[:], head)
	return err
}

// lastAudit returns the number and the hash of the newest row of the audit; the number 0 when there is none. What it says may be
// long, and who watches asks every second.
func lastAudit(ctx context.Context, conn db.Conn, d db.Dialect) (seq int64, head digest, err error) {
	err = conn.Query(ctx, db.New(d).Write(`SELECT seq, head FROM "_audit" ORDER BY seq DESC LIMIT 1`), func(scan func(...any) error) error {
		var sum []byte
		err := scan(&seq, &sum)
		copy(head[:], sum)
		return err
	})
	return seq, head, err
}

// lockAudit makes this the only unit of work that writes the audit, and so the only one that erases, until it ends.
func (tx *Tx) lockAudit(ctx context.Context) error {
	b := db.New(tx.db.Dialect).Write(`SELECT value FROM "_meta" WHERE key = 'audit'`, tx.db.Lock())
	return tx.db.Query(ctx, b, func(scan func(...any) error) error {
		var value string
		return scan(&value)
	})
}

// audit adds a row to the audit. seal is the one that it erases versions of, or 0.
func (tx *Tx) audit(ctx context.Context, kind auditKind, seal int64, data any) error {
	_, err := tx.addAudit(ctx, kind, seal, data)
	return err
}

// addAudit is audit, and returns the number of the row.
func (tx *Tx) addAudit(ctx context.Context, kind auditKind, seal int64, data any) (int64, error) {
	if err := tx.lockAudit(ctx); err != nil {
		return 0, err
	}
	last, head, err := lastAudit(ctx, tx.db, tx.db.Dialect)
	if err != nil {
		return 0, err
	}
	caller := core.CallerFrom(ctx)
	e := auditEntry{seq: last + 1, kind: kind, at: tx.now.UnixMicro(), actor: actorOf(caller), behalf: caller.Behalf, cause: causeKind(caller), causeID: caller.Cause.ID, seal: seal}
	if e.data, err = json.Marshal(data); err != nil {
		return 0, err
	}
	e.head = e.sum(head)
	number := any(nil)
	if seal != 0 {
		number = seal
	}
	at := &core.Column{Kind: core.Timestamp}
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_audit" (seq, kind, at, actor, behalf, cause, cause_id, seal, data, head) VALUES (`).Arg(e.seq).Write(", ").Arg(string(kind)).
		Write(", ").Value(at, tx.now).Write(", ").Arg(e.actor).Write(", ").Arg(orNull(string(e.behalf))).Write(", ").Arg(e.cause).Write(", ").Arg(orNull(e.causeID)).
		Write(", ").Arg(number).Write(", ").Arg(string(e.data)).Write(", ").Arg(e.head[:]).Write(")")
	_, err = tx.db.Exec(ctx, b)
	return e.seq, err
}

// auditedSchema is what the audit says of a change of the schema.
type auditedSchema struct {
	Version    int64                      `json:"version"`
	Tables     map[string]json.RawMessage `json:"tables"` // the definitions that changed, by their physical names
	Options    map[string]any             `json:"options,omitempty"`
	Classes    map[string]any             `json:"data_classes,omitempty"`
	Operations map[string]any             `json:"operations,omitempty"`
	Registered *bool                      `json:"only_registered,omitempty"`
	Statements []string                   `json:"statements"`
}

func (tx *Tx) auditChange(ctx context.Context, a *alteration) error {
	changed, err := definitionsThatDiffer(a.from.Schema, a.next.Schema)
	if err != nil {
		return err
	}
	e := auditedSchema{Version: a.next.Schema.Version(), Tables: changed, Statements: append([]string{}, a.done...)}
	for _, c := range a.changes {
		if e.Options == nil {
			e.Options, e.Classes, e.Operations = map[string]any{}, map[string]any{}, map[string]any{}
		}
		switch c := c.(type) {
		case core.PutOptions:
			e.Options[c.Put.Name] = c.Put
		case core.DropOptions:
			e.Options[c.Name] = nil
		case core.PutClass:
			e.Classes[c.Put.Name] = c.Put
		case core.DropClass:
			e.Classes[c.Name] = nil
		case core.PutOperation:
			e.Operations[c.Put.Name] = c.Put
		case core.DropOperation:
			e.Operations[c.Name] = nil
		case core.RestrictOperations:
			e.Registered = &c.On
		}
	}
	if err := tx.audit(ctx, auditSchema, 0, e); err != nil || len(a.grants) == 0 {
		return err
	}
	return tx.auditRights(ctx, a.from, a.next)
}

// auditedRights is what the audit says of a change of rights. The digest stands for all of them after it.
type auditedRights struct {
	Version int64              `json:"version"`
	Changes []authz.Alteration `json:"changes"`
	Digest  string             `json:"digest"`
}

func (tx *Tx) auditRights(ctx context.Context, from, to *Snapshot) error {
	return tx.audit(ctx, auditRights, 0, auditedRights{to.policyVersion, authz.Alterations(from.access, to.access), to.access.Digest()})
}
