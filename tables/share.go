package tables

import (
	"context"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// share is a row of "_share": rights to one record for a user, a team, or everyone. It adds to the reach of privileges that its
// holder has on the table by his roles, and is looked at by each statement: nothing is copied. See [rules.Shared].
type share struct {
	id        core.ID // the same for shares that replace each other
	table     *core.Table
	record    core.ID
	principal core.ID
	rights    core.ShareRights
	expires   time.Time // zero for never
	reason    string
	template  string
	cause     shareCause
	causeID   core.ID // the merge
	by        core.ID
	at        time.Time
}

// shareCause says what made a share.
type shareCause string

const (
	sharedByHand  shareCause = "share" // somebody gave it
	sharedByMerge shareCause = "merge" // a record that was merged into this one had it
	sharedToKeep  shareCause = "keep"  // the record belonged to the user or the team before
)

// identify gives the share the id that another by the same, with the same, has for the record.
func (s *share) identify() {
	s.id = core.HashID(string(s.cause), s.table.SQL(), string(s.record), string(s.principal), string(s.by))
}

var shareColumns = []*core.Column{
	{Name: "id", Kind: core.UUID}, {Name: "table_name", Kind: core.Text}, {Name: "record_id", Kind: core.UUID}, {Name: "principal_id", Kind: core.UUID},
	{Name: "rights", Kind: core.Integer}, {Name: "expires_at", Kind: core.Timestamp}, {Name: "reason", Kind: core.Text}, {Name: "template", Kind: core.Text},
	{Name: "cause", Kind: core.Text}, {Name: "cause_id", Kind: core.UUID}, {Name: "granted_by", Kind: core.UUID}, {Name: "granted_at", Kind: core.Timestamp},
}

func (s *share) value(column string) any {
	switch column {
	case "id":
		return string(s.id)
	case "table_name":
		return s.table.SQL()
	case "record_id":
		return string(s.record)
	case "principal_id":
		return string(s.principal)
	case "rights":
		return int64(s.rights)
	case "expires_at":
		if s.expires.IsZero() {
			return nil
		}
		return s.expires
	case "reason":
		return orNull(s.reason)
	case "template":
		return orNull(s.template)
	case "cause":
		return string(s.cause)
	case "cause_id":
		return orNull(string(s.causeID))
	case "granted_by":
		return string(s.by)
	}
	return s.at
}

// auditedShare is what the audit says of a share. The reason is not in it: the audit is kept for good, and people write names there.
type auditedShare struct {
	ID        core.ID  `json:"id"`
	Table     string   `json:"table"` // physical names
	Record    core.ID  `json:"record"`
	Principal core.ID  `json:"principal"`
	Rights    []string `json:"rights"` // empty where it ended
	Expires   string   `json:"expires_at,omitempty"`
	Cause     string   `json:"cause"`
}

func (s *share) audited(rights []string) auditedShare {
	a := auditedShare{s.id, s.table.SQL(), s.record, s.principal, rights, "", string(s.cause)}
	if !s.expires.IsZero() {
		a.Expires = s.expires.UTC().Format(core.TimeLayout)
	}
	return a
}

// putShares writes shares of which no two replace each other, and those that they replace go.
func (tx *Tx) putShares(ctx context.Context, list []share) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]any, len(list))
	for i := range list {
		ids[i] = string(list[i].id)
	}
	b := db.New(tx.db.Dialect).Write(`DELETE FROM "_share" WHERE `)
	tx.db.AnyOf(b, shareColumns[0], func() { b.Write("id") }, ids)
	if _, err := tx.db.Exec(ctx, b); err != nil {
		return err
	}
	err := tx.db.Insert(ctx, db.Rows{Table: "_share", Columns: shareColumns, N: len(list), Value: func(row, column int) any {
		return list[row].value(shareColumns[column].Name)
	}})
	if err != nil {
		return err
	}
	given := make([]auditedShare, len(list))
	for i := range list {
		given[i] = list[i].audited(list[i].rights.Names())
	}
	tx.reshared()
	return tx.audit(ctx, auditShare, 0, map[string]any{"shares": given})
}

// dropShares deletes the shares of the table that meet a condition, and returns them.
func (tx *Tx) dropShares(ctx context.Context, t *core.Table, where writeFunc) ([]share, error) {
	gone, err := tx.shareReader(ctx).of(ctx, t, where)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	ids := make([]any, len(gone))
	ended := make([]auditedShare, len(gone))
	for i := range gone {
		ids[i], ended[i] = string(gone[i].id), gone[i].audited([]string{})
	}
	b := db.New(tx.db.Dialect).Write(`DELETE FROM "_share" WHERE `)
	tx.db.AnyOf(b, shareColumns[0], func() { b.Write("id") }, ids)
	if _, err := tx.db.Exec(ctx, b); err != nil {
		return nil, err
	}
	tx.reshared()
	return gone, tx.audit(ctx, auditShare, 0, map[string]any{"shares": ended})
}

// reshared forgets what was asked of rights to records.
func (tx *Tx) reshared() {
	tx.wrote()
	tx.events = true // who shows records learns of it, see Store.Touched
}
