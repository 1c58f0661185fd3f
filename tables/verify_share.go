package tables

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// toldShares are the shares that the audit tells of, by id: the hash of what it says of each.
type toldShares map[core.ID]toldShare

type toldShare struct {
	table  string // its physical name
	record core.ID
	sum    digest
}

// follow notes shares that were given or ended, in the order in which they were.
func (t toldShares) follow(list []auditedShare) {
	for _, a := range list {
		if len(a.Rights) == 0 {
			delete(t, a.ID)
		} else {
			t[a.ID] = toldShare{a.Table, a.Record, a.sum()}
		}
	}
}

func (a *auditedShare) sum() digest {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // texts have a JSON form
	}
	return sha256.Sum256(b)
}

// compare tells which shares are not those that the audit tells of.
func (t toldShares) compare(ctx context.Context, conn db.Conn, v *verifier) (wrong []Problem, err error) {
	left := maps.Clone(t)
	add := func(table string, record core.ID, message string) {
		wrong = append(wrong, Problem{Kind: ProblemDefinition, Table: v.name(table), ID: record, Message: message})
	}
	b := db.New(v.db.Dialect).Write(`SELECT CAST(id AS text), table_name, CAST(record_id AS text), CAST(principal_id AS text), rights, coalesce(CAST(expires_at AS text), ''), cause, CAST(granted_by AS text) FROM "_share" ORDER BY id`)
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		s := share{table: &core.Table{}}
		var rights int64
		var expires, cause string
		if err := scan(&s.id, &s.table.Physical, &s.record, &s.principal, &rights, &expires, &cause, &s.by); err != nil {
			return err
		}
		s.rights, s.cause = core.ShareRights(rights), shareCause(cause)
		if expires != "" {
			s.expires = time.UnixMicro(micros(expires)).UTC()
		}
		is, told := s.audited(s.rights.Names()), left[s.id]
		delete(left, s.id)
		made := s
		made.identify()
		switch {
		case told == toldShare{}:
			add(is.Table, is.Record, "a share of the record is none that the audit tells of: it was made past Colonnade")
		case told.sum != is.sum() || made.id != s.id:
			add(told.table, told.record, "a share of the record is not what the audit says: it was changed past Colonnade")
		}
		return nil
	})
	for _, id := range slices.Sorted(maps.Keys(left)) {
		add(left[id].table, left[id].record, fmt.Sprintf("the share %s of the record is gone, and the audit does not tell of that", id))
	}
	return wrong, err
}
