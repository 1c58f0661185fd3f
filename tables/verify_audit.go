package tables

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// auditPage is how many rows of the audit are read at once.
const auditPage = 500

// verifyAudit walks the audit from its first row.
func (v *verifier) verifyAudit(ctx context.Context) error {
	var last auditEntry
	for {
		n := 0
		b := db.New(v.db.Dialect).Write("SELECT ", auditColumns, ` FROM "_audit" WHERE seq > `).Arg(last.seq).Write(" ORDER BY seq LIMIT ").Arg(int64(auditPage))
		err := v.db.Query(ctx, b, func(scan func(...any) error) error {
			var e auditEntry
			if err := e.scan(scan); err != nil {
				return err
			}
			n++
			v.follow(&last, &e)
			last = e
			return nil
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return v.reload(ctx, v.db)
		}
	}
}

// follow compares a row of the audit with the one before it.
func (v *verifier) follow(last, e *auditEntry) {
	switch {
	case e.seq != last.seq+1:
		v.auditProblem(last.seq+1, "the rows %d to %d of the audit are gone", last.seq+1, e.seq-1)
	case e.sum(last.head) != e.head:
		v.auditProblem(e.seq, "row %d of the audit (%s) was changed, or the one in front of it", e.seq, e.kind)
	}
}

func (v *verifier) auditProblem(seq int64, format string, args ...any) {
	v.problem(Problem{Kind: ProblemAudit, Version: seq, Message: fmt.Sprintf(format, args...)})
}

// reload finds out how many events were dropped.
func (v *verifier) reload(ctx context.Context, conn db.Conn) (err error) {
	v.dropped, err = eventsDropped(ctx, conn, v.db.Dialect)
	var spoilt *json.SyntaxError
	if errors.As(err, &spoilt) {
		return nil // the chain of the audit tells
	}
	return err
}

// anchor compares what seals say of the audit with it.
func (v *verifier) anchor(ctx context.Context, page []*seal) error {
	var list []any
	for _, s := range page {
		list = append(list, s.auditSeq)
	}
	heads := map[int64]digest{0: {}}
	b := db.New(v.db.Dialect).Write(`SELECT seq, head FROM "_audit" WHERE `)
	v.db.AnyOf(b, &core.Column{Kind: core.Integer}, func() { b.Write("seq") }, list)
	err := v.db.Query(ctx, b, func(scan func(...any) error) error {
		var seq int64
		var raw []byte
		err := scan(&seq, &raw)
		heads[seq] = digest(append(raw, make([]byte, len(digest{}))...))
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range page {
		head, ok := heads[s.auditSeq]
		switch {
		case s.auditSeq == v.last.auditSeq && s.auditHead == v.last.auditHead && s != page[0]: // told already
		case !ok:
			v.auditProblem(s.auditSeq, "row %d of the audit is gone, which seal %d tells of", s.auditSeq, s.number)
		case head != s.auditHead:
			v.auditProblem(s.auditSeq, "the audit up to row %d is not the one that seal %d tells of: it was written anew", s.auditSeq, s.number)
		}
		v.last.auditSeq, v.last.auditHead = s.auditSeq, s.auditHead
	}
	return nil
}

// verifyDefinitions compares definitions, rights and shares with what the audit says of their last changes. What does not fit is looked
// at a second time while nobody can change anything.
func (v *verifier) verifyDefinitions(ctx context.Context) error {
	wrong, err := v.definitions(ctx, v.db, v.db.Gorm(ctx))
	if err == nil && len(wrong) > 0 {
		err = v.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			if err := tx.lockAudit(ctx); err != nil {
				return err
			}
			wrong, err = v.definitions(ctx, tx.db, tx.db.Gorm(ctx))
			return err
		})
	}
	for _, p := range wrong {
		v.problem(p)
	}
	return err
}

func (v *verifier) definitions(ctx context.Context, conn db.Conn, g *gorm.DB) (wrong []Problem, err error) {
	last, shares := map[string]digest{}, toldShares{}
	rights := ""
	b := db.New(v.db.Dialect).Write(`SELECT kind, data FROM "_audit" WHERE kind IN (`).Arg(string(auditSchema)).Write(", ").Arg(string(auditRights)).Write(", ").Arg(string(auditShare)).Write(") ORDER BY seq")
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		var kind string
		var raw []byte
		if err := scan(&kind, &raw); err != nil {
			return err
		}
		var e struct {
			Tables map[string]json.RawMessage
			Digest string
			Shares []auditedShare
		}
		if json.Unmarshal(raw, &e) != nil {
			return nil // the chain of the audit tells
		}
		for name, definition := range e.Tables {
			last[name] = sha256.Sum256(appendCanonical(nil, definition))
		}
		shares.follow(e.Shares)
		if e.Digest != "" {
			rights = e.Digest
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	add := func(table, format string, args ...any) {
		wrong = append(wrong, Problem{Kind: ProblemDefinition, Table: table, Message: fmt.Sprintf(format, args...)})
	}
	err = conn.Query(ctx, db.New(v.db.Dialect).Write(`SELECT name, definition FROM "_table"`), func(scan func(...any) error) error {
		var name string
		var definition []byte
		if err := scan(&name, &definition); err != nil {
			return err
		}
		if sum, ok := last[name]; !ok || sum != digest(sha256.Sum256(appendCanonical(nil, definition))) {
			add(v.name(name), "the definition of the table is not what the audit says: it was changed past Colonnade")
		}
		delete(last, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		add(v.name(name), "the definition of the table is gone, and the audit does not tell of that")
	}
	access, err := authz.Load(g)
	if err == nil && rights != "" && access.Digest() != rights {
		add("", "users, teams, units, roles or grants are not what the audit says: they were changed past Colonnade")
	}
	if err != nil {
		return nil, err
	}
	more, err := shares.compare(ctx, conn, v)
	return append(wrong, more...), err
}
