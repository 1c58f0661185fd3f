package flows

import (
	"context"
	"fmt"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

const (
	// retainEvery is how often there is a look at which runs are old.
	retainEvery = 10 * time.Minute
	// retainPage is how many runs go in one transaction.
	retainPage = 500
)

// Retain deletes the runs that have ended longer ago than the options say, with their steps, and returns how many those were. A delivery to
// a webhook, or another cause with a key, whose run is gone is a new one when it comes again. Any number of processes may do so at once.
func (s *Service) Retain(ctx context.Context) (n int, err error) {
	if s.o.KeepRuns <= 0 {
		return 0, nil
	}
	before := s.now().Add(-s.o.KeepRuns)
	for {
		gone, err := s.deleteEnded(ctx, func(b *db.Builder) {
			b.Write("id < ").Arg(idAt(before)).Write(" AND finished_at < ").Value(&moment, before)
		})
		n += gone
		if err != nil || gone < retainPage {
			return n, core.E("flows.Retain", err)
		}
	}
}

// deleteEnded deletes one page of the runs that have ended and for which the condition holds.
func (s *Service) deleteEnded(ctx context.Context, where func(*db.Builder)) (n int, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE status NOT IN ('waiting', 'running') AND `)
	where(b)
	b.Write(" ORDER BY id LIMIT ").Arg(int64(retainPage))
	var ids []any
	err = s.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		ended := func(b *db.Builder, column string) *db.Builder {
			s.db.AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Name(column) }, ids)
			return b
		}
		asked := db.New(s.db.Dialect).Write(`DELETE FROM "_flow_assignment" WHERE approval_id IN (SELECT id FROM "_flow_approval" WHERE `)
		if _, err := tx.Exec(ctx, ended(asked, "run_id").Write(")")); err != nil {
			return err
		}
		for _, of := range [][2]string{{"_flow_approval", "run_id"}, {"_flow_wait", "run_id"}, {"_flow_step", "run_id"}, {"_flow_run", "id"}} {
			b := db.New(s.db.Dialect).Write("DELETE FROM ").Name(of[0]).Write(" WHERE ")
			if _, err := tx.Exec(ctx, ended(b, of[1])); err != nil {
				return err
			}
		}
		return nil
	})
	return len(ids), err
}

// idAt is the lowest id that may have been made at the time, see [core.NewID]: what has a lower one was there before.
func idAt(t time.Time) core.ID {
	ms := t.UnixMilli()
	return core.ID(fmt.Sprintf("%08x-%04x-7000-8000-000000000000", ms>>16, ms&0xffff))
}

// retaining deletes old runs from time to time, until ctx ends.
func (s *Service) retaining(ctx context.Context) {
	s.every(ctx, retainEvery, func() {
		if _, err := s.Retain(ctx); err != nil {
			s.complain(ctx, "flows: old runs", err)
		}
	})
}
